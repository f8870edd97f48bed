"""Structure that graphs prove is found, structure that they do not prove is not claimed."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import scipy.stats as st

from graphs import value
from kl_plugins import explain, kl
from kl_plugins.plugins.pytensor.covariance import DIAGONAL

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS installation:UserWarning"),
]

A, B = pt.dmatrix("A"), pt.dmatrix("B")
v, s, n = pt.dvector("v"), pt.dscalar("s"), pt.lscalar("n")
# A has a negative entry on its diagonal: a triangular root with one is no Cholesky factor.
INPUTS = {
    A: np.array([[2.1, 0.3, -0.7], [0.4, -1.6, 0.2], [-0.9, 0.5, 1.8]]),
    B: np.array([[2.1, 0.3, -0.7], [0.4, -1.6, 0.2], [-0.9, 0.5, 1.8]]),
    v: np.array([1.3, 0.7, 2.7]),
    s: 1.7,
    n: 3,
}
MEAN = np.array([0.1, -0.3, 0.5])
OTHER = st.multivariate_normal(MEAN, [[2.0, 0.3, 0.1], [0.3, 1.5, 0.2], [0.1, 0.2, 1.1]])
COLUMN, ROW = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0, 2.0, 3.0]])
SPD = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.2], [0.1, -0.2, 3.0]])
L = pt.linalg.cholesky(A @ A.T)
LOWER, UPPER = pt.tril(A), pt.triu(A)
UPPER_CHOLESKY = pt.linalg.cholesky(A @ A.T, lower=False)
packed = pm.math.expand_packed_triangular(3, pt.concatenate([v, -v]))
packed_upper = pm.math.expand_packed_triangular(3, pt.concatenate([v, -v]), lower=False)


def squared(root):
    return root @ root.T


PROVED = {
    # Isotropic
    "s * eye(n)": (s * pt.eye(n), "Isotropic"),
    "eye / s": (pt.eye(3) / s, "Isotropic"),
    "sum of isotropics": (s * pt.eye(3) + 2.0 * pt.eye(3), "Isotropic"),
    "constant isotropic": (pt.constant(2.0 * np.eye(3)), "Isotropic"),
    "inverse of isotropic": (pt.linalg.inv(s * pt.eye(3)), "Isotropic"),
    "integer identity": (s * pt.eye(3, dtype="int8"), "Isotropic"),
    "product of isotropics": ((s * pt.eye(3)) @ (3.0 * pt.eye(3)), "Isotropic"),
    # Diagonal
    "diag(v)": (pt.diag(v), "Diagonal"),
    "v * eye": (v * pt.eye(n), "Diagonal"),
    "v[:, None] * eye": (v[:, None] * pt.eye(3), "Diagonal"),
    "sum of diagonals": (pt.diag(v) + s * pt.eye(3), "Diagonal"),
    "difference of diagonals": (pt.diag(v + 2.0) - s * pt.eye(3), "Diagonal"),
    "product of diagonals": (pt.diag(v) @ pt.diag(v), "Diagonal"),
    "transposed diagonal": (pt.diag(v).T, "Diagonal"),
    "masked matrix": ((A @ A.T) * pt.eye(3), "Diagonal"),
    "diagonal times matrix": (pt.diag(v) * squared(A), "Diagonal"),
    "minus minus": (-1.0 * (-pt.diag(v)), "Diagonal"),
    "rounded by a cast": (pt.cast(pt.diag(v + 1.0), "int64"), "Diagonal"),
    "narrowed by a cast": (pt.cast(pt.diag(v), "float32"), "Diagonal"),
    "inverse of diagonal": (pt.linalg.inv(pt.diag(v)), "Diagonal"),
    "constant diagonal": (pt.constant(np.diag([1.0, 2.0, 3.0])), "Diagonal"),
    "constant diagonal scaled": (s * pt.constant(np.diag([1.0, 2.0, 3.0])), "Diagonal"),
    # Cholesky
    "Cholesky output": (squared(L), "Cholesky"),
    "upper Cholesky output": (squared(pt.linalg.cholesky(A @ A.T, lower=False).T), "Cholesky"),
    "upper Cholesky output first": (UPPER_CHOLESKY.T @ UPPER_CHOLESKY, "Cholesky"),
    "tril": (squared(LOWER), "Cholesky"),
    "tril below": (squared(pt.tril(A, -1) + pt.diag(v)), "Cholesky"),
    "triu transposed": (UPPER.T @ UPPER, "Cholesky"),
    "triu above transposed": (squared((pt.triu(A, 1) - pt.diag(v)).T), "Cholesky"),
    "wide triangle": (squared(pt.tril(pt.concatenate([A, B], axis=1))), "Cholesky"),
    "wide triangle of known shape": (
        squared(pt.tril(pt.specify_shape(pt.concatenate([A, B], axis=1), (3, 6)))),
        "Cholesky",
    ),
    "packed": (squared(packed), "Cholesky"),
    "packed upper": (packed_upper.T @ packed_upper, "Cholesky"),
    "scaled rows": (squared(v[:, None] * L), "Cholesky"),
    "scaled by diagonal": (squared(pt.diag(v) @ L), "Cholesky"),
    "minus a factor": (squared(-L), "Cholesky"),
    "inverse of a factor": (squared(pt.linalg.inv(LOWER)), "Cholesky"),
    "constant factor": (squared(pt.constant(np.linalg.cholesky(SPD)) * s), "Cholesky"),
    "written below the diagonal": (squared(pt.set_subtensor(LOWER[[1, 2], [0, 0]], 0.5)), "Cholesky"),
    "transposed twice": (squared(LOWER.T.T), "Cholesky"),
    # LowRank
    "diagonal plus product": (pt.diag(v) + squared(A), "LowRank"),
    "product plus isotropic": (squared(A) + s * pt.eye(n), "LowRank"),
    "product between diagonals": (pt.diag(v) + squared(A) + s * pt.eye(3), "LowRank"),
    "diagonal plus tall product": (squared(A[:, :1]) + pt.diag(v), "LowRank"),
    "diagonal plus product the other way": (pt.diag(v) + A.T @ A, "LowRank"),
    # Precision and Dense
    "inverse": (pt.linalg.inv(squared(A)), "Precision"),
    "constant": (pt.constant(SPD), "Dense"),
}
# Each looks like one of those above, and is not.
NOT_PROVED = {
    "A @ A.T": squared(A),
    "A.T @ A": A.T @ A,
    "A @ B.T": A @ B.T,
    "upper @ upper.T": squared(UPPER),
    "lower.T @ lower": LOWER.T @ LOWER,
    "L.T @ L": L.T @ L,
    "tril with an entry above": squared(pt.tril(A, 1)),
    "triu with an entry below": squared(pt.triu(A, -1).T),
    "set above the diagonal": squared(pt.set_subtensor(LOWER[0, 1], 0.5)),
    "set above the diagonal by index": squared(pt.set_subtensor(LOWER[[0], [1]], 0.5)),
    "set by negative index": squared(pt.set_subtensor(LOWER[[0, 2], [-1, 0]], 0.5)),
    "add above the diagonal": squared(pt.inc_subtensor(LOWER[[1, 0], [0, 2]], 0.5)),
    "set a whole row": squared(pt.set_subtensor(LOWER[0], v)),
    "set a whole column by index": squared(pt.set_subtensor(LOWER[:, [0, 2]], A[:, :2])),
    "reversed rows": squared(LOWER[::-1]),
    "permuted rows": squared(LOWER[[1, 2, 0]]),
    "off diagonals": pt.diag(v + 1.0) + 0.5 * (pt.diag(v[:2], k=1) + pt.diag(v[:2], k=-1)),
    "shifted identities": 4.0 * pt.eye(3) + pt.eye(3, k=1) + pt.eye(3, k=-1),
    "diagonal plus number": pt.diag(v) + 0.4,
    "diagonal plus ones": pt.diag(v) + pt.ones((3, 3)),
    "diagonal plus row": s * pt.eye(3) + pt.as_tensor(np.full((1, 3), 0.2)),
    "exponential of diagonal": pt.exp(pt.diag(v)) + 3.0 * pt.eye(3),
    "broadcast identity of one": squared(pt.eye(1) * A),
    "broadcast triangle of one": squared(pt.tri(1, 1) * A),
    "broadcast mask column": squared(pt.ge(pt.arange(n)[:, None], pt.arange(1)[None, :]) * A),
    "rows scaled by a constant": squared(A * COLUMN),
    "columns scaled by a constant": (A * ROW).T @ (A * ROW),
    "triangle plus a constant column": squared(LOWER + COLUMN),
    "mask one above": squared(pt.ge(pt.arange(1, 4)[:, None], pt.arange(3)[None, :]) * A),
    "mask half above": squared(pt.ge(pt.arange(0.5, 3)[:, None], pt.arange(-0.5, 2)[None, :]) * A),
    "mask of the upper triangle": squared(pt.le(pt.arange(3)[:, None], pt.arange(3)[None, :]) * A),
    "triangle plus full": squared(LOWER + A),
    "triangle times full": squared(LOWER @ A),
    "exponential of a triangle": squared(pt.exp(LOWER)),
    "triangle minus its mean": squared(LOWER - LOWER.mean()),
    "lower plus upper": squared(LOWER + UPPER),
    "lower times upper": squared(LOWER @ UPPER),
    "different masks": pt.tril(A) @ pt.tril(A, -1).T + pt.tril(A, -1) @ pt.tril(A).T + 9.0 * pt.eye(3),
    "diagonal plus triangle": pt.diag(v) + squared(LOWER),
    "diagonal plus known square": pt.diag(v) + squared(pt.specify_shape(A, (3, 3))),
    "two products and a diagonal": pt.diag(v) + squared(A) + squared(B),
    "product minus diagonal": squared(A) - pt.diag(v) / 100.0,
    "diagonal plus product of two": 9.0 * pt.eye(3) + A @ B.T + B @ A.T,
    "scaled on one side": squared(A) * 2.0 + pt.diag(v),
}


def check(cov, structure):
    """The structure is the one named, and the number that of SciPy's distribution."""
    variable = pm.MvNormal.dist(MEAN, cov)
    assert explain(variable, OTHER).p == f"MultivariateNormal({structure})"
    assert explain(OTHER, variable).q == f"MultivariateNormal({structure})"
    matrix, *got = value([cov, kl(variable, OTHER), kl(OTHER, variable)], INPUTS)
    same = st.multivariate_normal(MEAN, matrix.astype(float))
    np.testing.assert_allclose(got, [kl(same, OTHER), kl(OTHER, same)], rtol=1e-9)


@pytest.mark.parametrize("name", PROVED)
def test_structure_that_is_proved(name):
    check(*PROVED[name])


@pytest.mark.parametrize("name", NOT_PROVED)
def test_structure_that_is_not_proved(name):
    check(NOT_PROVED[name], "Dense")


@pytest.mark.parametrize(
    ("parameters", "structure"),
    [
        ({"cov": s * pt.eye(3)}, "Isotropic"),
        ({"cov": squared(A)}, "Dense"),
        ({"chol": L}, "Cholesky"),
        ({"chol": LOWER * pt.sign(pt.diag(LOWER))}, "Cholesky"),
        ({"chol": LOWER}, "Cholesky"),
        ({"chol": L.T, "lower": False}, "Cholesky"),
        ({"chol": pt.diag(v)}, "Diagonal"),
        ({"chol": packed}, "Cholesky"),
        ({"tau": squared(A)}, "Precision"),
        ({"tau": pt.diag(v)}, "Diagonal"),
        ({"tau": s * pt.eye(3)}, "Isotropic"),
        ({"tau": SPD}, "Precision"),
    ],
    ids=str,
)
def test_parametrisations_of_pymc(parameters, structure):
    variable = pm.MvNormal.dist(MEAN, **parameters)
    assert explain(variable, OTHER).p == f"MultivariateNormal({structure})"
    cov = variable.owner.op.dist_params(variable.owner)[1]
    matrix, got = value([cov, kl(variable, OTHER)], INPUTS)
    np.testing.assert_allclose(got, kl(st.multivariate_normal(MEAN, matrix), OTHER), rtol=1e-9)


@pytest.mark.slow
def test_factor_of_lkj_prior():
    with pm.Model():
        chol, _, _ = pm.LKJCholeskyCov("chol", n=3, eta=2.0, sd_dist=pm.Exponential.dist(1.0))
        factor = pm.Deterministic("factor", chol)
        by_factor = pm.MvNormal("x", MEAN, chol=chol)
        by_product = pm.MvNormal("y", MEAN, chol @ chol.T)
        by_wrapped = pm.MvNormal("z", MEAN, factor @ factor.T)
    for variable in (by_factor, by_product, by_wrapped):
        assert explain(variable, OTHER).p == "MultivariateNormal(Cholesky)"
    explained = [kl(variable, OTHER) for variable in (by_factor, by_product, by_wrapped)]
    first, *rest = value(explained)
    np.testing.assert_allclose(rest, first, rtol=1e-12)


@pytest.mark.parametrize(
    ("wrap", "structure"),
    [
        (lambda x: pm.Deterministic("cov", x), "Diagonal"),
        (lambda x: pt.specify_shape(x, (3, 3)), "Diagonal"),
        (lambda x: x.copy(), "Diagonal"),
        (lambda x: x[None], "Diagonal"),
    ],
    ids=["Deterministic", "specify_shape", "copy", "leading dimension"],
)
def test_wrapped_covariances(wrap, structure):
    with pm.Model():
        variable = pm.MvNormal.dist(MEAN, wrap(pt.diag(v)))
    assert explain(variable, OTHER).p == f"MultivariateNormal({structure})"
    want = kl(st.multivariate_normal(MEAN, np.diag(INPUTS[v])), OTHER)
    got = value(kl(variable, OTHER), INPUTS)
    assert got.shape == (1,) * (variable.ndim - 1)
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_size_keeps_the_structure():
    variable = pm.MvNormal.dist(MEAN, s * pt.eye(3), size=(4, 2))
    assert explain(variable, OTHER).p == "MultivariateNormal(Isotropic)"
    want = kl(st.multivariate_normal(MEAN, 1.7), OTHER)
    np.testing.assert_allclose(value(kl(variable, OTHER), INPUTS), np.full((4, 2), want), rtol=1e-12)


@pytest.mark.parametrize(
    ("assumption", "matrix", "structure"),
    [
        ("diagonal", np.diag([1.0, 2.0, 0.5]), "Diagonal"),
        ("lower_triangular", np.tril(INPUTS[A]), "Cholesky"),
    ],
)
def test_assumptions(assumption, matrix, structure):
    """What the user vouches for on PyTensor 3, and what its rewrites rely on in PyTensor 2: a tag."""
    if DIAGONAL is not None:
        from pytensor.assumptions import assume

        vouched = assume(pt.dmatrix("vouched"), **{assumption: True})
        root = vouched.owner.inputs[0]
    else:
        vouched = root = pt.dmatrix("vouched")
        setattr(vouched.tag, assumption, True)
    is_diagonal = structure == "Diagonal"
    if is_diagonal and DIAGONAL is None:
        structure = "Dense"  # PyTensor 2 has no such tag
    cov = vouched if is_diagonal else squared(vouched)
    variable = pm.MvNormal.dist(MEAN, cov)
    assert explain(variable, OTHER).p == f"MultivariateNormal({structure})"
    want = kl(st.multivariate_normal(MEAN, matrix if is_diagonal else matrix @ matrix.T), OTHER)
    np.testing.assert_allclose(value(kl(variable, OTHER), {root: matrix}), want, rtol=1e-9)
