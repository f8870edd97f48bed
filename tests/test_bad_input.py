"""Bad input: every message says which side or parameter it is about, and what to do."""

import re

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from numpy.linalg import LinAlgError
from scipy import stats
from scipy.stats import Covariance, multivariate_normal

from kl_plugins import (
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    MultivariateNormal,
    NoClosedFormError,
    Precision,
    cross_entropy,
    entropy,
    estimate_kl,
    explain,
    jeffreys,
    kl,
    recognition,
)
from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.block_diagonal import BlockDiagonal
from kl_plugins.covariance.eigendecomposition import Eigendecomposition
from kl_plugins.estimate.draws.sample import are_draws
from kl_plugins.families.laplace import Laplace
from kl_plugins.families.normal import Normal

PLANE = multivariate_normal([0.0, 0.0])
FEWER_ROWS = np.cov(np.random.default_rng(1).normal(size=(3, 5)), rowvar=False)
ASYMMETRIC, INDEFINITE = [[1.0, 0.5], [0.1, 1.0]], [[1.0, 2.0], [2.0, 1.0]]

GROUPED = not az.__version__.startswith("0.")
DRAWS = "(DataTree|InferenceData) is not a distribution, but draws: "
UNKNOWN = "a distribution that kl_plugins understands .*register_kl"


class Known:
    """What is known of it is a density."""

    def logpdf(self, x):
        return stats.norm.logpdf(x)

    def rvs(self, size):
        return np.zeros(size)


NOT_A_DISTRIBUTION = [
    (3.0, "float is not a distribution, but a number: .*scipy.stats.norm"),
    (None, "NoneType is not a distribution, but nothing"),
    ("norm", "str is not a distribution, but text: .*scipy.stats.norm"),
    (np.eye(2), "numpy.ndarray is not a distribution, but an array of numbers: .*gaussian_kde"),
    ([1.0, 2.0], "list is not a distribution, but numbers: "),
    ([stats.norm()], "list is not a distribution, but several: pairwise_kl takes sequences"),
    ({"a": stats.norm()}.values(), r"dict_values is not .* several: pairwise_kl takes sequences \(list"),
    (pd.Series([stats.norm()]), r"pandas.*Series is not .* several: pairwise_kl takes sequences \(list"),
    (pd.Series([1.0]), r"pandas.*Series is not a distribution, but data: "),
    (np.array([1, None], dtype=object), r"numpy.ndarray is not a distribution, but an array of numbers: "),
    (
        (one for one in [stats.norm()]),
        "generator is not a distribution, but an iterator: pairwise_kl takes all",
    ),
    ({"a": stats.norm()}, r"dict is not .* a dictionary: .* pairwise_kl takes all of them, and their keys"),
    ({"a": np.ones(3)}, "dict is not .* a dictionary with an array of numbers under 'a': fit a distribution"),
    ({}, "dict is not a distribution, but empty: "),
    (
        pd.DataFrame({"a": [1.0]}),
        "DataFrame is not .* but data: .* columns .* in the same order",
    ),
    (xr.DataArray([1.0]), "xarray.*DataArray is not a distribution, but data: "),
    (xr.Dataset(), "xarray.*Dataset is not a distribution, but data: "),
    (
        az.from_dict({"posterior": {"a": np.zeros((1, 9))}}) if GROUPED else az.from_dict({"a": [[0.0]]}),
        DRAWS,
    ),
    (pm.Model(), "pymc.*Model is not a distribution, but a model: .*variational.fit"),
    (stats.norm().logpdf, "method is not a distribution, but a function: .*logpdf and rvs"),
    (
        Dense(np.eye(2)),
        r"Dense is not a distribution, but a covariance: pass kl_plugins.MultivariateNormal\(",
    ),
    (Covariance.from_diagonal([1.0]), "but a covariance: pass scipy.stats.multivariate_normal"),
    (Known(), f"Known is not {UNKNOWN}"),
    (Known(), "estimate_kl estimates divergences with their error, as it has a density"),
    (np.random.default_rng(), "Generator is not .*With methods logpdf and rvs, kl_plugins.estimate_kl would"),
]


@pytest.mark.parametrize(("obj", "message"), NOT_A_DISTRIBUTION)
@pytest.mark.parametrize("function", [kl, explain, jeffreys, cross_entropy])
def test_not_a_distribution(function, obj, message):
    for side, pair in (("p", (obj, stats.norm())), ("q", (stats.norm(), obj))):
        # cross_entropy takes the entropy of p first, and jeffreys takes the pair in both orders.
        with pytest.raises(TypeError, match=f"^{side}: .*{message}"):
            function(*pair)


@pytest.mark.parametrize(
    ("obj", "message"),
    [row for row in NOT_A_DISTRIBUTION if "distribution, but" in row[1] and not are_draws(row[0])],
)
def test_nor_is_it_for_estimates(obj, message):
    with pytest.raises(TypeError, match=f"^p: .*{message}"):
        estimate_kl(obj, stats.norm())


def test_libraries_that_are_not_there_are_not_named(monkeypatch):
    """The entry points are installed with us, what they are for is not."""
    monkeypatch.setattr(recognition, "plugins", lambda: {"scipy": (), "not_there": ()})
    with pytest.raises(TypeError, match=r"\(it knows those of scipy\)"):
        kl(object(), stats.norm())


WITHOUT_A_CLOSED_FORM = [
    (
        (stats.expon(loc=0.5), stats.gamma(2, loc=0.2)),
        r"p: scipy.stats.expon\(loc=0.5\) and q: scipy.stats.gamma\(2, loc=0.2\): their locations differ",
    ),
    (
        (stats.zipf(2, loc=1), stats.zipf(3)),
        r"zipf\(2, loc=1\) .*zipf\(3\): their locations differ",
    ),
    ((stats.zipf(2), stats.nbinom(2, 0.5)), r"nbinom\(2, 0.5\): p has infinitely many outcomes"),
    (
        (stats.laplace([0, 1]), stats.cauchy()),
        r"laplace\(array of shape \(2,\)\) .*cauchy\(\): it needs the expectation",
    ),
    ((pm.Gamma.dist(2, 1), pm.Cauchy.dist(0, 1)), "p: pm.Gamma and q: pm.Cauchy: it needs"),
    (
        (stats.dirichlet([1, 2]), stats.multivariate_normal([0, 0])),
        "dirichlet and q: scipy.stats.multivariate_normal;",
    ),
    ((Laplace(0.0, 1.0), stats.cauchy(1, 2)), r"p: Laplace and q: scipy.stats.cauchy\(1, 2\)"),
    (
        (stats.Mixture([stats.Normal(), stats.Normal(mu=1.0)]), stats.norm()),
        r"p: scipy.stats.Mixture and q: scipy.stats.norm\(\): .* kl_plugins.kl_bounds has bounds",
    ),
    (
        (stats.norm(), stats.gaussian_kde([0.0, 1.0, 3.0])),
        r"p: scipy.stats.norm\(\) and q: scipy.stats.gaussian_kde: .* kl_plugins.kl_bounds has bounds",
    ),
    (
        (stats.multivariate_t([0, 0]), stats.multivariate_t([1, 0])),
        "p: scipy.stats.multivariate_t and q: scipy.stats.multivariate_t: ",
    ),
]


@pytest.mark.parametrize(("pair", "message"), WITHOUT_A_CLOSED_FORM)
def test_a_pair_is_refused_in_the_words_of_the_caller(pair, message):
    for function in (kl, explain):
        with pytest.raises(NoClosedFormError, match=f"{message}.*estimate_kl"):
            function(*pair)


class Tilted(type(stats.multivariate_normal([0.0]))):
    """A frozen distribution that is not what its base class is."""


WITH_A_REMEDY = [
    (stats.norm, TypeError, "scipy.stats.norm is not frozen: call it with its parameters"),
    (multivariate_normal, TypeError, "scipy.stats.multivariate_normal is not frozen"),
    (stats.Normal, TypeError, "Normal is a class, not a distribution: make an instance of it"),
    (
        stats.exponnorm(2.0),
        NoClosedFormError,
        r"register_kl for type\(scipy.stats.exponnorm\)",
    ),
    (
        stats.truncate(stats.make_distribution(stats.gumbel_r)(), 0.0),
        NoClosedFormError,
        "for a truncated LogGamma; .*register_kl for TruncatedDistribution",
    ),
    (stats.rv_histogram(np.histogram([1.0, 2.0])), NoClosedFormError, "rv_histogram objects; .*estimate_kl"),
    (Tilted([0.0, 0.0]), NoClosedFormError, "the subclass Tilted of a frozen multivariate_normal"),
]


@pytest.mark.parametrize(("obj", "error", "message"), WITH_A_REMEDY)
def test_what_scipy_offers_that_is_not_understood(obj, error, message):
    for side, pair in (("p", (obj, PLANE)), ("q", (PLANE, obj))):
        with pytest.raises(error, match=f"^{side}: .*{message}"):
            kl(*pair)


def test_masked_arrays_are_refused():
    with pytest.raises(ValueError, match=r"p: loc \(the mean\) must not be a masked array"):
        kl(stats.norm(np.ma.array([0.0, 1e9], mask=[0, 1]), 1.0), stats.norm())


PARAMETERS = [
    # made, its exception, what the message says
    (lambda: Isotropic(0.0, dim=2), ValueError, "variance must be positive"),
    (lambda: Isotropic([1.0, -1.0], dim=2), ValueError, "variance must be positive"),
    (lambda: Isotropic(np.nan, dim=2), ValueError, "variance must be finite, but holds NaN or infinity"),
    (lambda: Isotropic(np.inf, dim=2), ValueError, "variance must be finite, but holds NaN or infinity"),
    (lambda: Isotropic(1j, dim=2), ValueError, "variance must be real numbers, got dtype complex128"),
    (lambda: Isotropic(1.0, dim=0), ValueError, "dim must be a positive integer, got 0"),
    (lambda: Isotropic(1.0, dim=2.5), ValueError, "dim must be a positive integer, got 2.5"),
    (lambda: Isotropic(1.0, dim="2"), ValueError, "dim must be a positive integer, got '2'"),
    (lambda: Isotropic(1.0, dim=None), ValueError, "dim must be a positive integer, got None"),
    (lambda: Diagonal([1.0, 0.0]), ValueError, "variances must be positive"),
    (lambda: Diagonal([1.0, -2.0]), ValueError, "variances must be positive"),
    (lambda: Diagonal([1.0, np.nan]), ValueError, "variances must be finite"),
    (lambda: Diagonal([1.0, np.inf]), ValueError, "variances must be finite"),
    (lambda: Diagonal([1.0, 1j]), ValueError, "variances must be real numbers"),
    (lambda: Diagonal(2.0), ValueError, r"variances must have shape (..., d), got a scalar"),
    (lambda: Diagonal(["a", "b"]), ValueError, "variances must be real numbers, got dtype <U1"),
    (lambda: DiagonalScales([1.0, 0.0]), ValueError, "scales must be positive"),
    (lambda: DiagonalScales([np.nan]), ValueError, "scales must be finite"),
    (lambda: Dense(ASYMMETRIC), ValueError, "covariance must be symmetric; symmetrise it with (A + A.T) / 2"),
    (
        lambda: Dense([[1.0, 0.0], [0.5, 1.0]]),
        ValueError,
        "is lower triangular: a Cholesky factor is given as",
    ),
    (lambda: Dense([np.eye(2), ASYMMETRIC]), ValueError, "covariance must be symmetric"),
    (lambda: Dense(INDEFINITE), LinAlgError, "covariance must be positive definite"),
    (
        lambda: Dense([np.eye(2), INDEFINITE]),
        LinAlgError,
        "covariance must be positive definite: its Cholesky factorisation failed for member 1 of the batch; "
        "it has the negative eigenvalue",
    ),
    (
        lambda: Dense(np.zeros((2, 2))),
        LinAlgError,
        "covariance must be positive definite: its Cholesky factorisation failed; it is singular, of rank 0",
    ),
    (lambda: Dense(FEWER_ROWS), LinAlgError, "singular, of rank 2 for 5 variables, as the sample"),
    (lambda: Dense(FEWER_ROWS), LinAlgError, "add a ridge"),
    (lambda: Dense(FEWER_ROWS), LinAlgError, "multivariate_normal(mean, covariance, allow_singular=True)"),
    (lambda: Precision(FEWER_ROWS), LinAlgError, "singular, of rank 2 for 5 variables"),
    (lambda: Dense([[1.0, np.nan], [np.nan, 1.0]]), ValueError, "covariance must be finite"),
    (lambda: Dense([[np.inf, 0.0], [0.0, 1.0]]), ValueError, "covariance must be finite"),
    (lambda: Dense([[1.0, 1j], [-1j, 1.0]]), ValueError, "covariance must be real numbers"),
    (lambda: Dense(np.ones((2, 3))), ValueError, "covariance must be square matrices of shape (..., d, d)"),
    (lambda: Dense([1.0, 2.0]), ValueError, "covariance must be square matrices"),
    (lambda: Dense(1.0), ValueError, "covariance must be square matrices"),
    (lambda: Precision(ASYMMETRIC), ValueError, "precision must be symmetric"),
    (lambda: Precision(INDEFINITE), LinAlgError, "precision must be positive definite"),
    (lambda: Precision([[np.nan]]), ValueError, "precision must be finite"),
    (lambda: Precision([[1j]]), ValueError, "precision must be real numbers"),
    (lambda: Precision(np.ones((1, 2))), ValueError, "precision must be square matrices"),
    (
        lambda: Cholesky([[1.0, 1.0], [0.0, 1.0]]),
        ValueError,
        "factor must be lower triangular; pass its transpose",
    ),
    (lambda: Cholesky([[1.0, 0.0], [1.0, 0.0]]), ValueError, "factor must have no zero on its diagonal"),
    (lambda: Cholesky([[-0.0, 0.0], [1.0, -1.0]]), ValueError, "factor must have no zero on its diagonal"),
    (lambda: Cholesky([[1.0, 0.0], [np.nan, 1.0]]), ValueError, "factor must be finite"),
    (lambda: Cholesky([[1j]]), ValueError, "factor must be real numbers"),
    (lambda: Cholesky([1.0, 1.0]), ValueError, "factor must be square matrices"),
    (lambda: Eigendecomposition([1.0, 0.0], np.eye(2)), ValueError, "eigenvalues must be positive"),
    (
        lambda: Eigendecomposition([1.0, 2.0], np.full((2, 2), np.nan)),
        ValueError,
        "eigenvectors must be finite",
    ),
    (
        lambda: BlockDiagonal((Diagonal(np.ones((3, 2))), Diagonal(np.ones((4, 2))))),
        ValueError,
        "batch shapes of blocks do not broadcast: (3,), (4,)",
    ),
    (
        lambda: MultivariateNormal([0.0, 0.0], np.eye(2)),
        TypeError,
        "its structure: a plain covariance matrix is Dense(matrix)",
    ),
    (lambda: MultivariateNormal([0.0, 0.0], 1.0), TypeError, "others are Diagonal(variances), Isotropic"),
    (
        lambda: MultivariateNormal(0.0, Diagonal([1.0])),
        ValueError,
        "mean must have shape (..., d), got a scalar",
    ),
    (lambda: MultivariateNormal([0.0, np.inf], Diagonal([1.0, 1.0])), ValueError, "mean must be finite"),
    (lambda: MultivariateNormal([0.0, 1j], Diagonal([1.0, 1.0])), ValueError, "mean must be real numbers"),
    (
        lambda: MultivariateNormal([0.0] * 3, Diagonal([1.0, 1.0])),
        ValueError,
        "mean has 3 variables, covariance has 2",
    ),
    (
        lambda: MultivariateNormal(np.zeros((3, 2)), Diagonal(np.ones((4, 2)))),
        ValueError,
        "batch shapes of mean (3,) and covariance (4,) do not broadcast",
    ),
    (lambda: Normal(0.0, 0.0), ValueError, "scale (the standard deviation) must be positive"),
    (
        lambda: Normal([0.0, 1.0], [1.0, 2.0, 3.0]),
        ValueError,
        "shapes of mean (2,) and scale (3,) do not broadcast",
    ),
]


@pytest.mark.parametrize(("make", "kind", "message"), PARAMETERS, ids=[row[2] for row in PARAMETERS])
def test_parameter_out_of_its_domain(make, kind, message):
    with pytest.raises(kind, match=re.escape(message)) as caught:
        make()
    assert type(caught.value) is kind


def of_covariance(made):
    return multivariate_normal([0.0, 0.0], made)


def cholesky(factor):
    """SciPy warns of the logarithm of a pivot that is not positive, and makes it all the same."""
    with np.errstate(all="ignore"):
        return of_covariance(Covariance.from_cholesky(factor))


def diagonal(variances):
    with np.errstate(all="ignore"):
        return of_covariance(Covariance.from_diagonal(variances))


SCIPY = [
    # What SciPy accepts without a word, a distribution to set against it, and what is said here.
    (stats.norm(0.0, 0.0), stats.norm(), "scale (the standard deviation) must be positive"),
    (stats.norm(0.0, [1.0, -1.0]), stats.norm(), "scale (the standard deviation) must be positive"),
    (stats.norm(0.0, np.inf), stats.norm(), "scale (the standard deviation) must be finite"),
    (stats.norm(np.inf), stats.norm(), "loc (the mean) must be finite"),
    (stats.norm([0.0, -np.inf]), stats.norm(), "loc (the mean) must be finite"),
    (
        stats.norm("a"),
        stats.norm(),
        "loc (the mean) must be real numbers, got dtype <U1, in scipy.stats.norm(loc='a',",
    ),
    (
        stats.gamma(-1.0),
        stats.gamma(1.0),
        "a (the concentration) must be positive, in scipy.stats.gamma(a=-1.0,",
    ),
    (stats.norm(1j), stats.norm(), "loc (the mean) must be real numbers, got dtype complex128"),
    (stats.norm(0.0, [1j, 1.0]), stats.norm(), "scale must be real numbers, got dtype complex128"),
    (
        stats.norm([0.0, 1.0], [1.0, 2.0, 3.0]),
        stats.norm(),
        "shapes of mean (2,) and scale (3,) do not broadcast",
    ),
    (stats.Normal(mu=0.0, sigma=-1.0), stats.norm(), "stats.Normal has parameters out of its domain"),
    (
        stats.Normal(mu=[0.0, 1.0], sigma=[1.0, 0.0]),
        stats.norm(),
        "stats.Normal has parameters out of its domain",
    ),
    (stats.weibull_min(-1.0), stats.expon(), "c must be positive, in scipy.stats.weibull_min(c=-1.0, loc=0"),
    (stats.weibull_max([1.0, -2.0]), stats.expon(), "c must be positive, in scipy.stats.weibull_max(c=array"),
    (stats.invweibull(-2.0), stats.expon(), "c must be positive"),
    (stats.nakagami(-2.0), stats.expon(), "nu must be positive"),
    (stats.fisk(-1.0), stats.expon(), "c must be positive"),
    (stats.loglaplace(np.inf), stats.expon(), "c must be finite"),
    (stats.lognorm(-1.0, scale=2.0), stats.expon(), "s must be positive"),
    (stats.genextreme(np.inf), stats.norm(), "c must be finite"),
    (
        stats.pareto(-1.0),
        stats.pareto(1.0),
        "b (the tail index) must be positive, in scipy.stats.pareto(b=-1.0,",
    ),
    (stats.t(3.0, 0.0, -1.0), stats.t(3.0), "scale must be positive"),
    (stats.invgauss(-1.0), stats.invgauss(1.0), "mu (the mean) must be positive"),
    (stats.chi2(-1.0), stats.chi2(1.0), "df (the concentration) must be positive"),
    (stats.betabinom(5, 1.0, -1.0), stats.betabinom(5, 1.0, 1.0), "b must be positive"),
    (stats.gamma(-1.0), stats.expon(), "in scipy.stats.gamma(a=-1.0, loc=0, scale=1)"),
    (multivariate_normal([0.0, np.inf]), PLANE, "mean must be finite"),
    (multivariate_normal([0.0, 0.0], ASYMMETRIC), PLANE, "covariance must be symmetric"),
    (diagonal([1.0, -1.0]), PLANE, "variances that are finite and not negative"),
    (diagonal([1.0, np.nan]), PLANE, "variances that are finite and not negative"),
    (diagonal([1.0, np.inf]), PLANE, "variances that are finite and not negative"),
    (cholesky([[1.0, 0.5], [0.0, 1.0]]), PLANE, "factor must be lower triangular"),
    (cholesky([[0.0, 0.0], [1.0, -1.0]]), PLANE, "factor must have no zero on its diagonal"),
    (of_covariance(Covariance.from_precision(ASYMMETRIC)), PLANE, "precision must be symmetric"),
    (
        of_covariance(Covariance.from_eigendecomposition(([1.0, np.nan], np.eye(2)))),
        PLANE,
        "eigenvalues that are finite and not negative",
    ),
    (
        of_covariance(Covariance.from_eigendecomposition(([1.0, 2.0], np.full((2, 2), np.nan)))),
        PLANE,
        "eigenvectors must be finite",
    ),
]


@pytest.mark.parametrize(
    ("bad", "good", "message"), SCIPY, ids=[f"{row[2]} {i}" for i, row in enumerate(SCIPY)]
)
def test_distribution_of_scipy_with_parameters_out_of_their_domain(bad, good, message):
    for side, pair in (("p", (bad, good)), ("q", (good, bad)), ("p", (bad, bad))):
        for function in (kl, explain, jeffreys):
            with pytest.raises(ValueError, match=rf"^{side}: .*{re.escape(message)}"):
                function(*pair)
    with pytest.raises(ValueError, match=re.escape(message)):
        entropy(bad)


def own(mean_shape, covariance):
    return MultivariateNormal(np.zeros(mean_shape), covariance)


SHAPES = [
    (PLANE, multivariate_normal([0.0]), "p is MultivariateNormal(Isotropic) with event shape (2,)"),
    (PLANE, multivariate_normal([0.0]), "q is MultivariateNormal(Isotropic) with event shape (1,)"),
    (
        PLANE,
        multivariate_normal([0.0] * 3, [1.0, 2.0, 3.0]),
        "q is MultivariateNormal(Diagonal) with event shape (3,)",
    ),
    (stats.norm(), PLANE, "p is Normal with event shape ()"),
    (stats.norm(), PLANE, "different event shapes, one variable against a vector of 2: "),
    (PLANE, stats.matrix_normal(), "different event shapes, a vector of 2 against an array of 1 by 1: "),
    (own((2,), Dense(np.eye(2))), own((3,), Precision(np.eye(3))), "different event shapes"),
    (
        stats.norm([0.0, 1.0]),
        stats.norm([0.0] * 3),
        "batch shape (2,) of p does not broadcast against batch shape (3,) of q; for every one of p with "
        "every one of q, kl_plugins.pairwise_kl(p, q)",
    ),
    (
        own((4, 2), Dense(np.eye(2))),
        own((2,), Diagonal(np.ones((3, 2)))),
        "batch shape (4,) of p does not broadcast against batch shape (3,) of q",
    ),
]


@pytest.mark.parametrize(("p", "q", "message"), SHAPES)
@pytest.mark.parametrize("function", [kl, explain, jeffreys, cross_entropy])
def test_shapes_that_do_not_fit(function, p, q, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        function(p, q)
