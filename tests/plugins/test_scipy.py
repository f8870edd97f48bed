"""Distributions of SciPy: what is recognised, the structure found in it, and the factors taken from it."""

import gc

import numpy as np
import pytest
from scipy import stats
from scipy.stats import Covariance, multivariate_normal

import gaussians
import oracle
from kl_plugins import Diagonal, Isotropic, MultivariateNormal, entropy, explain, kl, open_functions
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.names import from_scipy, scipy_names
from kl_plugins.families.normal import Normal
from kl_plugins.open_functions import remember, remembered
from kl_plugins.ops.numpy import lapack
from kl_plugins.recognition import recognise

MEAN = np.array([0.5, -1.0, 2.0])
COVARIANCE = np.array([[2.0, 0.5, -0.25], [0.5, 1.0, 0.125], [-0.25, 0.125, 1.5]])
FACTOR = np.array([[1.5, 0.0, 0.0], [0.5, 1.0, 0.0], [-0.25, 0.5, 2.0]])
PRECISION = np.linalg.inv(COVARIANCE)
PRECISION = (PRECISION + PRECISION.T) / 2
EIGEN = np.linalg.eigh(COVARIANCE)

# How it is made in SciPy; the structure that is found; the oracle's reading of the same numbers.
RECOGNISED = {
    "scalar": (multivariate_normal(MEAN, 2.0), "Isotropic", oracle.from_variances(MEAN, [2, 2, 2])),
    "default": (multivariate_normal(MEAN), "Isotropic", oracle.from_variances(MEAN, [1, 1, 1])),
    "vector": (
        multivariate_normal(MEAN, [1.0, 2.0, 3.0]),
        "Diagonal",
        oracle.from_variances(MEAN, [1, 2, 3]),
    ),
    "constant vector": (
        multivariate_normal(MEAN, [3, 3, 3]),
        "Isotropic",
        oracle.from_variances(MEAN, [3] * 3),
    ),
    "diagonal matrix": (
        multivariate_normal(MEAN, np.diag([1.0, 2.0, 3.0])),
        "Diagonal",
        oracle.from_variances(MEAN, [1, 2, 3]),
    ),
    "multiple of the identity": (
        multivariate_normal(MEAN, 0.25 * np.eye(3)),
        "Isotropic",
        oracle.from_variances(MEAN, [0.25] * 3),
    ),
    "matrix": (multivariate_normal(MEAN, COVARIANCE), "Dense", oracle.from_covariance(MEAN, COVARIANCE)),
    "singular allowed, but regular": (
        multivariate_normal(MEAN, COVARIANCE, allow_singular=True),
        "Dense",
        oracle.from_covariance(MEAN, COVARIANCE),
    ),
    "from_diagonal": (
        multivariate_normal(MEAN, Covariance.from_diagonal([1, 2, 3])),
        "Diagonal",
        oracle.from_variances(MEAN, [1, 2, 3]),
    ),
    "from_diagonal, constant": (
        multivariate_normal(MEAN, Covariance.from_diagonal([2.0] * 3)),
        "Isotropic",
        oracle.from_variances(MEAN, [2] * 3),
    ),
    "from_cholesky": (
        multivariate_normal(MEAN, Covariance.from_cholesky(FACTOR)),
        "Cholesky",
        oracle.from_factor(MEAN, FACTOR),
    ),
    "from_precision": (
        multivariate_normal(MEAN, Covariance.from_precision(PRECISION)),
        "Precision",
        oracle.from_precision(MEAN, PRECISION),
    ),
    "from_precision with covariance": (
        multivariate_normal(MEAN, Covariance.from_precision(PRECISION, COVARIANCE)),
        "Precision",
        oracle.from_precision(MEAN, PRECISION),
    ),
    "from_precision of integers": (
        multivariate_normal(MEAN, Covariance.from_precision(np.array([[2, 1, 0], [1, 3, 0], [0, 0, 1]]))),
        "Precision",
        oracle.from_precision(MEAN, [[2, 1, 0], [1, 3, 0], [0, 0, 1]]),
    ),
    "from_eigendecomposition": (
        multivariate_normal(MEAN, Covariance.from_eigendecomposition(EIGEN)),
        "Eigendecomposition",
        oracle.from_eigendecomposition(MEAN, *EIGEN),
    ),
}
REFERENCE = multivariate_normal([0.0, 0.5, 1.0], [[1.0, 0.25, 0.0], [0.25, 2.0, 0.5], [0.0, 0.5, 0.75]])
EXACT_REFERENCE = oracle.from_covariance(REFERENCE.mean, REFERENCE.cov)


@pytest.mark.parametrize(("p", "structure", "exact"), RECOGNISED.values(), ids=RECOGNISED)
def test_structure_and_divergence(p, structure, exact):
    explained = explain(p, REFERENCE)
    assert explained.p == f"MultivariateNormal({structure})"
    assert explained.q == "MultivariateNormal(Dense)"
    assert oracle.relative_error(kl(p, REFERENCE), oracle.kl(exact, EXACT_REFERENCE)) < 1e-13
    assert oracle.relative_error(kl(REFERENCE, p), oracle.kl(EXACT_REFERENCE, exact)) < 1e-13
    assert kl(p, p) == 0.0


@pytest.mark.parametrize(("p", "structure", "exact"), RECOGNISED.values(), ids=RECOGNISED)
def test_entropy_is_scipys(p, structure, exact):
    assert entropy(p) == pytest.approx(p.entropy(), rel=1e-12)
    assert oracle.relative_error(entropy(p), oracle.entropy(exact)) < 1e-13


NORMALS = {
    "scalars": (stats.norm(1.0, 2.0), 1.0, 2.0),
    "integers": (stats.norm(1, 2), 1.0, 2.0),
    "keywords": (stats.norm(scale=2.0, loc=1.0), 1.0, 2.0),
    "mixed": (stats.norm(1.0, scale=2.0), 1.0, 2.0),
    "nothing": (stats.norm(), 0.0, 1.0),
    "arrays": (stats.norm([1.0, 2.0], [2.0, 3.0]), [1.0, 2.0], [2.0, 3.0]),
    "array and scalar": (stats.norm(scale=[2.0, 3.0]), [0.0, 0.0], [2.0, 3.0]),
    "stats.Normal": (stats.Normal(mu=1.0, sigma=2.0), 1.0, 2.0),
    "stats.Normal of arrays": (stats.Normal(mu=[1.0, 2.0], sigma=3.0), [1.0, 2.0], [3.0, 3.0]),
    "stats.Normal of one parameter": (stats.Normal(mu=1.0), 1.0, 1.0),
    "stats.Normal()": (stats.Normal(), 0.0, 1.0),
}


@pytest.mark.parametrize(("p", "mean", "scale"), NORMALS.values(), ids=NORMALS)
def test_univariate_normals(p, mean, scale):
    value = kl(p, stats.norm(-0.5, 1.5))
    mean, scale = np.broadcast_arrays(mean, scale)
    exact_q = oracle.from_scales([-0.5], [1.5])
    assert np.shape(value) == mean.shape
    for index in np.ndindex(*mean.shape):
        exact = oracle.kl(oracle.from_scales([mean[index]], [scale[index]]), exact_q)
        assert oracle.relative_error(value[index], exact) < 1e-14
    np.testing.assert_allclose(entropy(p), p.entropy(), rtol=1e-14)
    np.testing.assert_array_equal(kl(p, p), np.zeros(mean.shape))
    assert explain(p, p).p == "Normal"


@pytest.mark.parametrize("parameter", ["loc", "scale"])
def test_nan_in_an_array_comes_out_where_it_went_in(parameter):
    value = kl(stats.norm(**{parameter: np.array([1.0, np.nan, 2.0])}), stats.norm())
    np.testing.assert_array_equal(np.isnan(value), [False, True, False])


def test_float32_parameters_stay_float32():
    p = stats.norm(np.float32([0.0, 1.0]), np.float32(2.0))
    assert kl(p, stats.norm(np.float32(0.0), np.float32(1.0))).dtype == np.float32


REGULAR = multivariate_normal([0.0, 0.0, 0.0])
BASIS = np.linalg.qr(np.array([[1.0, 2.0], [0.5, -1.0], [-2.0, 0.25]]))[0]
INNER_P, INNER_Q = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.25], [-0.25, 3.0]])


def on_plane(coordinates, inner, basis=BASIS):
    covariance = basis @ inner @ basis.T
    return multivariate_normal(basis @ coordinates, (covariance + covariance.T) / 2, allow_singular=True)


def along_axes(mean, variances):
    return multivariate_normal(mean, Covariance.from_diagonal(variances))


def eigen(mean, eigenvalues):
    return multivariate_normal(mean, Covariance.from_eigendecomposition((eigenvalues, np.eye(3))))


POINT = np.zeros((3, 3))
FINITE = {
    # Two singular Gaussians of one subspace, and the same two with that subspace's coordinates.
    "zeros on the diagonal": (
        along_axes([1.0, 5.0, 2.0], [2.0, 0.0, 3.0]),
        along_axes([0.5, 5.0, 1.0], [1.0, 0.0, 4.0]),
        (multivariate_normal([1.0, 2.0], [2.0, 3.0]), multivariate_normal([0.5, 1.0], [1.0, 4.0])),
    ),
    "zero eigenvalues": (
        eigen([1.0, 5.0, 2.0], [2.0, 0.0, 3.0]),
        eigen([0.5, 5.0, 1.0], [1.0, 0.0, 4.0]),
        (multivariate_normal([1.0, 2.0], [2.0, 3.0]), multivariate_normal([0.5, 1.0], [1.0, 4.0])),
    ),
    "diagonal against eigenvalues": (
        along_axes([1.0, 5.0, 2.0], [2.0, 0.0, 3.0]),
        eigen([0.5, 5.0, 1.0], [1.0, 0.0, 4.0]),
        (multivariate_normal([1.0, 2.0], [2.0, 3.0]), multivariate_normal([0.5, 1.0], [1.0, 4.0])),
    ),
    "an oblique plane": (
        on_plane([1.0, 2.0], INNER_P),
        on_plane([0.5, 1.0], INNER_Q),
        (multivariate_normal([1.0, 2.0], INNER_P), multivariate_normal([0.5, 1.0], INNER_Q)),
    ),
    "one line": (
        along_axes([1.0, 0.0, 0.0], [2.0, 0.0, 0.0]),
        along_axes([0.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
        (multivariate_normal([1.0], [2.0]), multivariate_normal([0.0], [1.0])),
    ),
}


@pytest.mark.parametrize(("p", "q", "inside"), FINITE.values(), ids=FINITE)
def test_singular_pair_on_one_subspace(p, q, inside):
    assert kl(p, q) == pytest.approx(float(kl(*inside)), rel=1e-12)
    assert kl(q, p) == pytest.approx(float(kl(*inside[::-1])), rel=1e-12)
    assert kl(p, p) == 0.0
    assert entropy(p) == pytest.approx(entropy(inside[0]), rel=1e-12)
    assert explain(p, q).p == "MultivariateNormal(Singular)"


INFINITE = {
    "different axes": (along_axes([0, 0, 0], [1, 0, 1]), along_axes([0, 0, 0], [1, 1, 0])),
    "different planes": (on_plane([0, 0], INNER_P), on_plane([0, 0], INNER_P, BASIS[::-1])),
    "line in a plane": (along_axes([0, 0, 0], [1, 0, 0]), along_axes([0, 0, 0], [1, 1, 0])),
    "plane over a line": (along_axes([0, 0, 0], [1, 1, 0]), along_axes([0, 0, 0], [1, 0, 0])),
    "mean off the subspace": (along_axes([0, 0, 1], [1, 1, 0]), along_axes([0, 0, 0], [1, 1, 0])),
    "mean off an oblique plane": (
        on_plane([0, 0], INNER_P),
        multivariate_normal([1.0, 0, 0], on_plane([0, 0], INNER_P).cov, allow_singular=True),
    ),
    "singular against regular": (along_axes([0, 0, 0], [1, 1, 0]), REGULAR),
    "regular against singular": (REGULAR, along_axes([0, 0, 0], [1, 1, 0])),
    "singular against precision": (
        along_axes([0, 0, 0], [1, 1, 0]),
        multivariate_normal([0, 0, 0], Covariance.from_precision(PRECISION)),
    ),
    "different points": (
        multivariate_normal([0, 0, 0], POINT, allow_singular=True),
        multivariate_normal([0, 0, 1], POINT, allow_singular=True),
    ),
}


@pytest.mark.parametrize(("p", "q"), INFINITE.values(), ids=INFINITE)
def test_pair_that_is_not_absolutely_continuous(p, q):
    assert kl(p, q) == np.inf


@pytest.mark.parametrize(
    "point", [multivariate_normal([1, 2, 3], POINT, allow_singular=True), along_axes([1, 2, 3], [0, 0, 0])]
)
def test_point_mass_against_itself(point):
    assert kl(point, point) == 0.0


def test_singular_with_nan_in_the_mean_is_nan():
    assert np.isnan(kl(along_axes([0, np.nan, 0], [1, 1, 0]), along_axes([0, 0, 0], [1, 1, 0])))


@pytest.mark.parametrize(
    "p", [RECOGNISED[name][0] for name in ("scalar", "vector", "from_cholesky", "from_precision")]
)
@pytest.mark.parametrize("q", [RECOGNISED[name][0] for name in ("default", "from_diagonal", "from_cholesky")])
def test_factors_that_scipy_holds_are_used(p, q, monkeypatch):
    """Nothing is factored, except, once, the reversed precision that pairs of it with a factor need."""
    calls = []
    cholesky = lapack.cholesky
    monkeypatch.setattr(lapack, "cholesky", lambda matrix: calls.append(matrix) or cholesky(matrix))
    kl(p, q)
    routes = explain(p, q)
    reversed_precision = routes.p.endswith("(Precision)") and routes.q.endswith("(Cholesky)")
    assert len(calls) <= int(reversed_precision)
    calls.clear()
    kl(p, q)
    assert not calls


def test_precision_factor_of_scipy_is_the_one_that_is_used():
    scipy_covariance = Covariance.from_precision(PRECISION)
    held = recognise(multivariate_normal(MEAN, scipy_covariance)).covariance
    assert held.precision_factor is scipy_covariance._chol_P


def test_objects_of_scipy_mix_with_our_own():
    own = MultivariateNormal(MEAN, Diagonal([1.0, 2.0, 3.0]))
    assert kl(multivariate_normal(MEAN, [1.0, 2.0, 3.0]), own) == 0.0
    isotropic = MultivariateNormal(MEAN, Isotropic(2.0, dim=3))
    assert kl(multivariate_normal(MEAN, [1.0, 2.0, 3.0]), isotropic) == kl(own, isotropic)


@pytest.mark.parametrize("dimension", [1, 5, 40])
def test_matrices_of_scipy_against_the_oracle(dimension):
    rng = np.random.default_rng(dimension)
    pair = [(rng.normal(size=dimension), gaussians.well_conditioned(rng, dimension, 3)) for _ in range(2)]
    p, q = (multivariate_normal(*parameters) for parameters in pair)
    exact = oracle.kl(*(oracle.from_covariance(*parameters) for parameters in pair))
    assert oracle.relative_error(kl(p, q), exact) < 1e-13


def test_a_plain_number_leaves_float32_arrays_their_precision():
    p, q = stats.norm(np.float32([0.0, 1.0]), 1.0), stats.norm(0, 1)
    for pair in ((p, q), (q, p), (p, p)):
        assert kl(*pair).dtype == np.float32
    assert kl(stats.norm([0.0, 1.0], 1.0), q).dtype == np.float64


def test_what_is_remembered_of_a_frozen_distribution():
    """It is recognised once, and again where its numbers, or what recognises it, have changed."""
    p, q = stats.norm(0.0, scale=1.0), stats.norm(0.0, 1.0)
    assert kl(p, q) == 0.0
    assert remembered(p) is remembered(p) is not None
    p.kwds["scale"] = 2.0
    assert remembered(p) is None
    assert kl(p, q) == kl(stats.norm(0.0, 2.0), q) > 0.0
    p.args = (1.0,)
    assert kl(p, q) == kl(stats.norm(1.0, 2.0), q) > kl(stats.norm(0.0, 2.0), q)
    p.kwds["scale"] = np.array([1.0, 2.0])
    assert kl(p, q).shape == (2,)
    means = np.zeros(2)
    batch = stats.norm(means, 1.0)
    np.testing.assert_array_equal(kl(batch, q), 0.0)
    means[:] = 1.0  # an array can change without anybody's seeing it
    np.testing.assert_array_equal(kl(batch, q), 0.5)
    p.kwds["scale"] = 2.0
    assert kl(p, q).shape == ()
    p.args = (np.array([1.0]),)  # equal to what it was
    assert kl(p, q).shape == (1,)
    p.args, p.kwds["scale"] = (1.0,), np.array(2.0)
    kl(p, q)
    p.dist = stats.laplace(1.0, 2.0).dist
    assert kl(p, q) == kl(stats.laplace(1.0, 2.0), q) > kl(stats.norm(1.0, 2.0), q)
    p.kwds["scale"] = 2.0
    assert kl(p, p) == 0.0
    p.dist = stats.norm(1.0, 2.0).dist
    assert kl(p, q) == kl(stats.norm(1.0, 2.0), q)
    known = len(open_functions._known)
    del p
    gc.collect()
    assert len(open_functions._known) < known


def test_names_that_come_after_the_plugin(monkeypatch):
    p = stats.exponnorm(2.0)
    with pytest.raises(NoClosedFormError, match="exponnorm"):
        kl(p, p)
    with monkeypatch.context() as names:
        names.setitem(scipy_names, "exponnorm", None)  # which takes it away afterwards
        del scipy_names["exponnorm"]
        from_scipy("exponnorm")(lambda c, loc, scale: Normal(c, scale))
        assert kl(p, stats.norm(2.0)) == 0.0
        from_scipy("exponnorm")(lambda c, loc, scale: Normal(c + 1.0, scale))
        assert kl(p, stats.norm(2.0)) == 0.5


def test_what_was_remembered_gives_way_to_a_new_registration():
    class Reading:
        pass

    @recognise.register(Reading)
    def _(reading):
        made = Normal(0.0, 1.0)
        remember(reading, made, lambda reading: True)
        return made

    reading = Reading()
    assert kl(reading, stats.norm(0.0, 1.0)) == 0.0
    assert remembered(reading) is not None
    recognise.register(Reading)(lambda reading: Normal(1.0, 1.0))
    assert kl(reading, stats.norm(0.0, 1.0)) == 0.5
