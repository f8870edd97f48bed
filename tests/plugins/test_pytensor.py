"""Divergences of PyTensor and PyMC random variables and of symbolic Gaussians of our own."""

from __future__ import annotations

import warnings

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import scipy.stats as st

import oracle
from graphs import value
from kl_plugins import (
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    MultivariateNormal,
    Precision,
    cross_entropy,
    entropy,
    explain,
    independent,
    jeffreys,
    kl,
)

pytestmark = pytest.mark.filterwarnings("error")

rng = np.random.default_rng(20)
MEANS = rng.normal(size=(2, 3))
ROOTS = np.tril(rng.normal(size=(2, 3, 3)), -1) + np.eye(3) * rng.uniform(0.5, 2.0, size=(2, 1, 3))
COVS = ROOTS @ np.swapaxes(ROOTS, -1, -2)
VARIANCES = rng.uniform(0.5, 2.0, size=(2, 3))

m, v = pt.dvector("m"), pt.dvector("v")
a, b = pt.dscalar("a"), pt.dscalar("b")
S, T = pt.dmatrix("S"), pt.dtensor3("T")
INPUTS = {m: MEANS[0], v: VARIANCES[0], a: 0.3, b: 1.7, S: COVS[0], T: COVS}


def mvn(mean, cov):
    return st.multivariate_normal(mean, cov)


def drawn(op, *parameters, **size):
    """A random variable of PyTensor, whose third generation warns that it will return the generator too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return op(*parameters, **size)


Q_NORMAL, Q_MVN = st.norm(0.2, 1.1), mvn(MEANS[1], COVS[1])
VARIABLES = {
    "pm.Normal": (pm.Normal.dist(a, b), st.norm(0.3, 1.7), Q_NORMAL),
    "pm.Normal with tau": (pm.Normal.dist(a, tau=b), st.norm(0.3, 1.7**-0.5), Q_NORMAL),
    "pt.random.normal": (drawn(pt.random.normal, a, b), st.norm(0.3, 1.7), Q_NORMAL),
    "numbers": (pm.Normal.dist(0.0, 2.0), st.norm(0.0, 2.0), st.norm(0.1, 0.3)),
    "integers": (pm.Normal.dist(0, 2), st.norm(0, 2), st.norm(0.1, 0.3)),
    "batch from parameters": (pm.Normal.dist(m, b), st.norm(MEANS[0], 1.7), Q_NORMAL),
    "shape": (pm.Normal.dist(a, b, shape=(2, 3)), st.norm(np.full((2, 3), 0.3), 1.7), Q_NORMAL),
    "shape around a batch": (pm.Normal.dist(m, b, shape=(2, 3)), st.norm([MEANS[0]] * 2, 1.7), Q_NORMAL),
    "size": (drawn(pt.random.normal, a, b, size=(4,)), st.norm(np.full(4, 0.3), 1.7), Q_NORMAL),
    "size of a graph": (drawn(pt.random.normal, a, b, size=m.shape), st.norm(np.full(3, 0.3), 1.7), Q_NORMAL),
    "against a batch": (pm.Normal.dist(a, b), st.norm(0.3, 1.7), st.norm(MEANS, 1.2)),
    "pm.MvNormal cov": (pm.MvNormal.dist(m, S), mvn(MEANS[0], COVS[0]), Q_MVN),
    "pm.MvNormal tau": (pm.MvNormal.dist(m, tau=S), mvn(MEANS[0], np.linalg.inv(COVS[0])), Q_MVN),
    "pm.MvNormal chol": (pm.MvNormal.dist(m, chol=pt.linalg.cholesky(S)), mvn(MEANS[0], COVS[0]), Q_MVN),
    "pm.MvNormal upper chol": (
        pm.MvNormal.dist(m, chol=pt.linalg.cholesky(S, lower=False), lower=False),
        mvn(MEANS[0], COVS[0]),
        Q_MVN,
    ),
    "pm.MvNormal numbers": (pm.MvNormal.dist(MEANS[0], COVS[0]), mvn(MEANS[0], COVS[0]), Q_MVN),
    "pm.MvNormal scalar mean": (pm.MvNormal.dist(0.5, S), mvn([0.5] * 3, COVS[0]), Q_MVN),
    "pt.random.multivariate_normal": (
        drawn(pt.random.multivariate_normal, m, pt.diag(v)),
        mvn(MEANS[0], np.diag(VARIANCES[0])),
        Q_MVN,
    ),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_random_variables(name):
    """A symbolic side makes the result symbolic, whichever it is; the numbers are SciPy's."""
    variable, equal, other = VARIABLES[name]
    graphs = [kl(variable, other), kl(other, variable), kl(variable, variable)]
    assert all(graph.type.dtype == "float64" for graph in graphs)
    forward, backward, itself = value(graphs, INPUTS)
    np.testing.assert_allclose(forward, kl(equal, other), rtol=1e-12, strict=True)
    np.testing.assert_allclose(backward, kl(other, equal), rtol=1e-12, strict=True)
    np.testing.assert_array_equal(itself, np.zeros(itself.shape))
    assert itself.shape == tuple(variable.shape.eval(_needed(variable.shape)))[: itself.ndim]


def _needed(graph):
    """Those of the inputs that a graph has, for `eval`."""
    from pytensor.graph.basic import Variable

    seen, queue = set(), [graph]
    while queue:
        variable: Variable = queue.pop()
        if variable not in seen:
            seen.add(variable)
            queue += variable.owner.inputs if variable.owner else []
    return {x: number for x, number in INPUTS.items() if x in seen}


BATCHES = {
    "batch of covariances": (pm.MvNormal.dist(m, T), [MEANS[0]] * 2, COVS),
    "batch of factors": (pm.MvNormal.dist(m, chol=pt.linalg.cholesky(T)), [MEANS[0]] * 2, COVS),
    "batch of precisions": (pm.MvNormal.dist(m, tau=T), [MEANS[0]] * 2, np.linalg.inv(COVS)),
    "batch of means": (pm.MvNormal.dist(MEANS, S), MEANS, [COVS[0]] * 2),
    "batch of diagonals": (
        pm.MvNormal.dist(m, pt.constant(VARIANCES)[..., None] * pt.eye(3)),
        [MEANS[0]] * 2,
        [np.diag(x) for x in VARIANCES],
    ),
    "shape": (pm.MvNormal.dist(m, S, shape=(2, 3)), [MEANS[0]] * 2, [COVS[0]] * 2),
    "size": (drawn(pt.random.multivariate_normal, m, S, size=(2,)), [MEANS[0]] * 2, [COVS[0]] * 2),
}


@pytest.mark.parametrize("name", BATCHES)
def test_batches_of_multivariate_normals(name):
    variable, means, covs = BATCHES[name]
    got = value([kl(variable, Q_MVN), kl(Q_MVN, variable)], INPUTS)
    equals = [mvn(mean, cov) for mean, cov in zip(means, covs, strict=True)]
    want = [[kl(p, Q_MVN) for p in equals], [kl(Q_MVN, p) for p in equals]]
    np.testing.assert_allclose(got, want, rtol=1e-11)


def test_variables_of_a_model():
    """Vector variables with dims, whose length only the model knows; one's mean is another."""
    with pm.Model(coords={"city": ["a", "b", "c"]}):
        scale = pm.HalfNormal("scale")
        centre = pm.Normal("centre", 0.0, scale)
        cities = pm.Normal("cities", centre, scale, dims="city")
        observed = pm.Normal("observed", cities, 2.0, observed=np.zeros(3), dims="city")
    graphs = [kl(cities, pm.Normal.dist(0.0, 1.0)), kl(observed, st.norm(0, 1)), kl(cities, observed)]
    given = {scale: 1.7, centre: 0.3, cities: MEANS[0]}
    first, second, third = value(graphs[:1], given) + value(graphs[1:], given)
    np.testing.assert_allclose(first, np.full(3, kl(st.norm(0.3, 1.7), st.norm(0, 1))), rtol=1e-12)
    np.testing.assert_allclose(second, kl(st.norm(MEANS[0], 2.0), st.norm(0, 1)), rtol=1e-12)
    assert third.shape == (3,)


def test_float32_inputs_are_computed_in_floatx():
    """PyTensor stores 0.0 and 2.0 as float32: a divergence computed in those would be worthless."""
    narrow = pm.Normal.dist(pt.fscalar("narrow"), 2.0)
    mean = narrow.owner.op.dist_params(narrow.owner)[0]
    got = value(kl(narrow, pm.Normal.dist(0.5, 2.0 + 2.0**-30)), {mean: 0.5})
    exact = oracle.kl(oracle.from_scales([0.5], [2.0]), oracle.from_scales([0.5], [2.0 + 2.0**-30]))
    assert got.dtype == np.dtype(pytensor.config.floatX)
    assert oracle.relative_error(got, exact) < 1e-12


STRUCTURES = {
    "Isotropic": (lambda x: Isotropic(x[..., 0, 0], dim=3), lambda c: c[..., :1, :1] * np.eye(3)),
    "Diagonal": (lambda x: Diagonal(pt.diagonal(x, axis1=-2, axis2=-1)), lambda c: c * np.eye(3)),
    "Dense": (Dense, lambda c: c),
    "Cholesky": (lambda x: Cholesky(pt.linalg.cholesky(x)), lambda c: c),
    "Precision": (Precision, np.linalg.inv),
}


@pytest.mark.slow
@pytest.mark.parametrize("p", STRUCTURES)
@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
def test_structures_of_our_own(p, batch):
    """Every pair, both orders, the other side symbolic (at its mean a number) or all numbers."""
    make_p, matrix_p = STRUCTURES[p]
    left = MultivariateNormal(m, make_p(T if batch else S))
    covs = matrix_p(COVS if batch else COVS[:1])
    graphs, want = [], []
    for q, (make_q, matrix_q) in STRUCTURES.items():
        right = MultivariateNormal(MEANS[1], make_q(S))
        assert explain(left, right).p == f"MultivariateNormal({p})"
        assert explain(left, right).q == f"MultivariateNormal({q})"
        equal = mvn(MEANS[1], matrix_q(COVS[0]))
        graphs += [kl(left, right), kl(left, equal), kl(equal, left)]
        equals = [mvn(MEANS[0], cov) for cov in covs]
        want += [[kl(x, equal) for x in equals]] * 2 + [[kl(equal, x) for x in equals]]
    for got, expected in zip(value(graphs, INPUTS), want, strict=True):
        assert got.shape == ((2,) if batch else ())
        np.testing.assert_allclose(got, expected if batch else expected[0], rtol=1e-11)


@pytest.mark.parametrize("p", STRUCTURES)
@pytest.mark.parametrize("q", STRUCTURES)
def test_nearly_equal(p, q):
    """KL ≈ 10⁻¹⁶ keeps its digits, and p = q of one structure gives 0.0 exactly."""
    reading = {
        "Isotropic": lambda mean, c: oracle.from_variances(mean, [c[0, 0]] * 3),
        "Diagonal": lambda mean, c: oracle.from_variances(mean, np.diag(c)),
        "Dense": oracle.from_covariance,
        "Cholesky": oracle.from_covariance,
        "Precision": oracle.from_precision,
    }
    cov = np.diag([1.5, 1.5, 1.5])  # what every structure can hold, each in its own form
    inverse = {"Precision": np.linalg.inv}
    near = MEANS[0] + 1e-8
    cov_p, cov_q = (inverse.get(name, np.asarray)(cov) for name in (p, q))
    left = MultivariateNormal(m, STRUCTURES[p][0](S))
    right = MultivariateNormal(near, STRUCTURES[q][0](pt.constant(cov_q * (1 + 2.0**-27))))
    got, itself = value([kl(left, right), kl(left, left)], {m: MEANS[0], S: cov_p})
    exact = oracle.kl(reading[p](MEANS[0], cov_p), reading[q](near, cov_q * (1 + 2.0**-27)))
    assert 1e-17 < exact < 1e-14
    assert oracle.relative_error(got, exact) < 1e-5
    assert itself == 0.0


def test_scales_that_overflow_when_squared():
    left, right = pm.Normal.dist(0.0, a), pm.Normal.dist(0.0, b)
    got = kl(left, right).eval({a: 1e-150, b: 1e150}, mode="FAST_RUN")
    np.testing.assert_allclose(got, kl(st.norm(0, 1e-150), st.norm(0, 1e150)), rtol=1e-14)


@pytest.mark.parametrize(
    "pair",
    [
        (pm.Normal.dist(m, b), st.norm(MEANS[0], 1.7), Q_NORMAL),
        (pm.MvNormal.dist(m, S), mvn(MEANS[0], COVS[0]), Q_MVN),
        (pm.MvNormal.dist(m, tau=S), mvn(MEANS[0], np.linalg.inv(COVS[0])), Q_MVN),
        (pm.MvNormal.dist(m, b * pt.eye(3)), mvn(MEANS[0], 1.7), Q_MVN),
        (pm.MvNormal.dist(m, b * pt.eye(m.shape[0])), mvn(MEANS[0], 1.7), Q_MVN),
        (pm.MvNormal.dist(m, pt.diag(v)), mvn(MEANS[0], np.diag(VARIANCES[0])), Q_MVN),
    ],
    ids=["Normal", "Dense", "Precision", "Isotropic", "Isotropic of unknown dimension", "Diagonal"],
)
def test_kin_of_the_divergence(pair):
    variable, equal, other = pair
    graphs = [entropy(variable), cross_entropy(variable, other), jeffreys(variable, other)]
    want = [entropy(equal), cross_entropy(equal, other), jeffreys(equal, other)]
    for got, expected in zip(value(graphs, INPUTS), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, strict=True)


def test_independent():
    """A batch of normals as one event: a diagonal multivariate normal."""
    p = independent(pm.Normal.dist(m, pt.sqrt(v)))
    assert explain(p, Q_MVN).p == "MultivariateNormal(Diagonal)"
    twice = independent(pm.Normal.dist(MEANS, b), 2), independent(pm.Normal.dist(0.0, 1.0, shape=(2, 3)), 2)
    first, second = value([kl(p, Q_MVN), kl(*twice)], INPUTS)
    np.testing.assert_allclose(first, kl(mvn(MEANS[0], np.diag(VARIANCES[0])), Q_MVN), rtol=1e-12)
    np.testing.assert_allclose(second, kl(st.norm(MEANS, 1.7), st.norm(0, 1)).sum(), rtol=1e-12)


SIZED = {
    "beta": lambda **size: pm.Beta.dist(2.0, 3.0, **size),
    "logistic": lambda **size: pm.Logistic.dist(0.0, 1.0, **size),
    "Pareto": lambda **size: pm.Pareto.dist(2.0, 1.0, **size),
    "uniform": lambda **size: pm.Uniform.dist(0.0, 1.0, **size),
    "Student": lambda **size: pm.StudentT.dist(nu=3.0, mu=0.0, sigma=1.0, **size),
    "half Student": lambda **size: pm.HalfStudentT.dist(nu=3.0, sigma=1.0, **size),
    "truncated": lambda **size: pm.TruncatedNormal.dist(mu=0.0, sigma=2.0, lower=-1.0, upper=2.0, **size),
    "circle": lambda **size: pm.VonMises.dist(1.0, 2.0, **size),
    "counts": lambda **size: pm.DiscreteUniform.dist(0, 4, **size),
}


@pytest.mark.parametrize(
    "make",
    [pytest.param(SIZED[x], id=x, marks=[pytest.mark.slow] * ("Student" in x)) for x in SIZED],
)
def test_a_size_is_kept_where_all_parameters_are_plain_numbers(make):
    for p, q in ((make(size=3), make()), (make(), make(size=3))):
        graph = kl(p, q)
        assert graph.type.shape == (3,)
        np.testing.assert_array_equal(value(graph), np.zeros(3))
