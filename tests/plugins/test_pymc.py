"""Divergences inside PyMC models: penalties, sampling, run-time checks, and what is refused."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import scipy.stats as st
from pymc.logprob.utils import ParameterValueError

from graphs import value
from kl_plugins import (
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    MultivariateNormal,
    NoClosedFormError,
    Precision,
    kl,
)

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS installation:UserWarning"),
]

s, m, S = pt.dscalar("s"), pt.dvector("m"), pt.dmatrix("S")
NORMAL, MVN = st.norm(0.2, 1.1), st.multivariate_normal([0.1, 0.2], [[2.0, 0.3], [0.3, 1.0]])
GOOD = np.array([[2.0, 0.5], [0.5, 1.0]])


def test_penalty_in_the_log_density_of_a_model():
    with pm.Model() as model:
        mean = pm.Normal("mean", 0.0, 1.0, shape=2)
        scale = pm.Exponential("scale", 1.0, default_transform=None)
        pm.Potential("penalty", -kl(pm.MvNormal.dist(mean, scale * np.array(GOOD)), MVN))
    variables = [mean, scale]
    logp = model.compile_logp(mode="FAST_COMPILE")
    dlogp = model.compile_dlogp(variables, mode="FAST_COMPILE")

    def expected(x):
        penalty = kl(st.multivariate_normal(x[:2], x[2] * GOOD), MVN)
        return st.norm.logpdf(x[:2]).sum() + st.expon.logpdf(x[2]) - penalty

    at = np.array([0.3, -0.4, 1.7])
    point = {"mean": at[:2], "scale": at[2]}
    np.testing.assert_allclose(logp(point), expected(at), rtol=1e-12)
    step = 1e-5 * np.eye(3)
    slopes = [(expected(at + e) - expected(at - e)) / 2e-5 for e in step]
    np.testing.assert_allclose(dlogp(point), slopes, rtol=1e-7)


def test_sampling_under_a_penalty():
    """N(0, 1) weighted by exp(−4 KL(N(x, 1) ‖ N(3, 1))) is N(2.4, 0.2)."""
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, 1.0)
        pm.Potential("penalty", -4.0 * kl(pm.Normal.dist(x, 1.0), st.norm(3.0, 1.0)))
    with model:
        draws = pm.sample(
            draws=600,
            tune=400,
            chains=1,
            cores=1,
            random_seed=4,
            progressbar=False,
            compute_convergence_checks=False,
        )
    found = np.ravel(draws.posterior["x"])
    assert abs(found.mean() - 2.4) < 0.15
    assert abs(found.std() - 0.2**0.5) < 0.1


def mvn(covariance):
    return MultivariateNormal(m, covariance)


# Each: the symbolic side, its numbers, the other side, and what the error says after "p: ".
BAD_VALUES = {
    "sigma negative": (pm.Normal.dist(0.0, s), {s: -1.0}, NORMAL, "sigma .* must be positive"),
    "sigma zero": (pm.Normal.dist(0.0, s), {s: 0.0}, NORMAL, "sigma .* must be positive"),
    "sigma infinite": (pm.Normal.dist(0.0, s), {s: np.inf}, NORMAL, "sigma .* must be finite"),
    "mean infinite": (pm.Normal.dist(s, 1.0), {s: np.inf}, NORMAL, "mu .* must be finite"),
    "cov indefinite": (pm.MvNormal.dist(m, S), {S: [[1.0, 2.0], [2.0, 1.0]]}, MVN, "positive definite"),
    "cov singular": (pm.MvNormal.dist(m, S), {S: np.ones((2, 2))}, MVN, "positive definite"),
    "cov asymmetric": (pm.MvNormal.dist(m, S), {S: [[1.0, 0.5], [0.1, 1.0]]}, MVN, "be symmetric"),
    "cov NaN": (
        pm.MvNormal.dist(m, S),
        {S: [[1.0, np.nan], [np.nan, 1.0]]},
        MVN,
        "cov .* must be finite",
    ),
    "mean of vector infinite": (pm.MvNormal.dist(m, S), {m: [0.0, np.inf]}, MVN, "mu .* must be finite"),
    "chol with zero": (pm.MvNormal.dist(m, chol=S), {S: [[1.0, 0], [1, 0]]}, MVN, "no zero on its diagonal"),
    "chol not lower": (pm.MvNormal.dist(m, chol=S), {S: GOOD}, MVN, "factor must be lower triangular"),
    "tau indefinite": (
        pm.MvNormal.dist(m, tau=S),
        {S: [[1.0, 2], [2, 1]]},
        MVN,
        "precision must be positive",
    ),
    "eye negative": (pm.MvNormal.dist(m, s * pt.eye(2)), {s: -1.0}, MVN, "variance must be positive"),
    "diag negative": (pm.MvNormal.dist(m, pt.diag(m)), {m: [1.0, -1]}, MVN, "variances must be positive"),
    "Isotropic": (mvn(Isotropic(s, dim=2)), {s: 0.0}, MVN, "variance must be positive"),
    "Diagonal": (mvn(Diagonal(m)), {m: [1.0, np.nan]}, MVN, "variances must be finite"),
    "Dense": (mvn(Dense(S)), {S: -GOOD}, MVN, "covariance must be positive definite"),
    "Cholesky": (mvn(Cholesky(S)), {S: np.diag([-1.0, 0.0])}, MVN, "factor must have no zero"),
    "Precision": (mvn(Precision(S)), {S: -GOOD}, MVN, "precision must be positive definite"),
}


@pytest.mark.parametrize("name", BAD_VALUES)
@pytest.mark.parametrize("side", ["p", "q"])
def test_bad_values_raise_when_the_graph_runs(name, side):
    bad, given, other, message = BAD_VALUES[name]
    graph = kl(bad, other) if side == "p" else kl(other, bad)
    with pytest.raises(ParameterValueError, match=f"{side}: .*{message}"):
        value(graph, {s: 1.0, m: [0.5, 1.0], S: GOOD} | given)


@pytest.mark.parametrize("check_bounds", [True, False])
def test_pymc_strips_the_checks_where_it_strips_its_own(check_bounds):
    with pm.Model(check_bounds=check_bounds) as model:
        sigma = pm.Normal("sigma")
        pm.Potential("penalty", -kl(pm.Normal.dist(0.0, sigma), pm.Normal.dist(0.0, 1.0)))
    logp = model.compile_logp(mode="FAST_COMPILE")
    assert np.isfinite(logp({"sigma": 0.7}))
    if check_bounds:
        assert logp({"sigma": -1.0}) == -np.inf
    else:
        assert np.isnan(logp({"sigma": -1.0}))


@pytest.mark.parametrize("parameter", [0, 1])
def test_nan_comes_out_where_it_went_in(parameter):
    numbers = [0.0, 1.0]
    numbers[parameter] = np.nan
    x = pt.dvector("x")
    assert np.isnan(value(kl(pm.Normal.dist(x[0], x[1]), NORMAL), {x: numbers}))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: kl(pm.Normal.dist(np.zeros(3)), pm.Normal.dist(np.zeros(4))), "batch shape .3,. of p"),
        (lambda: kl(pm.MvNormal.dist(np.zeros(3), np.eye(3)), MVN), "different event shapes"),
        (lambda: kl(pm.Normal.dist(0.0, s), MVN), "different event shapes"),
        (lambda: kl(MVN, pm.Normal.dist(np.zeros(2), s)), "different event shapes"),
        (lambda: kl(pm.MvNormal.dist(np.zeros(3), np.ones((3, 4))), MVN), "p: .*square matrices"),
        (lambda: MultivariateNormal(m, Diagonal(s)), "variances must have shape"),
        (lambda: MultivariateNormal(s, Diagonal(m)), "mean must have shape"),
        (lambda: MultivariateNormal(pt.specify_shape(m, (3,)), Diagonal([1.0, 2.0])), "3 variables, .* 2"),
        (lambda: MultivariateNormal(m, Dense(pt.specify_shape(S, (2, 3)))), "square matrices"),
        (lambda: kl(MultivariateNormal(pt.zvector("z"), Diagonal(m)), MVN), "mean must be real numbers"),
        (lambda: kl(pm.MvNormal.dist([0.0, 0.0], -np.eye(2)), MVN), "p: variance must be positive"),
        (lambda: kl(MVN, pm.MvNormal.dist([0.0, 0.0], GOOD - np.eye(2) * 2)), "q: .*positive definite"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_errors_at_build_time(build, message):
    """Shapes and constants are known before the graph runs."""
    with pytest.raises((ValueError, np.linalg.LinAlgError), match=message):
        build()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda: pm.Normal.dist() + pm.Normal.dist(), r"several random variables \(pm.Normal, pm.Normal\)"),
        (
            lambda: pm.Normal.dist(0.0, 1.0, shape=3)[0],
            "it is not a random variable but a part of pm.Normal: pass",
        ),
        (
            lambda: pm.Normal.dist(0.0, 1.0, shape=(2, 3))[None],
            "is not .* but pm.Normal with other dimensions:",
        ),
        (lambda: s, "s is not a random variable but a constant or an input"),
        (lambda: pt.constant(1.0), "is not a random variable but a constant or an input"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_what_is_not_a_random_variable(what, message):
    with pytest.raises(TypeError, match=f"p: .*{message}"):
        kl(what(), NORMAL)
    with pytest.raises(TypeError, match=f"q: .*{message}"):
        kl(pm.Normal.dist(), what())


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            lambda: pm.ExGaussian.dist(0.0, 1.0, nu=1.0),
            "known for the random variable ExGaussian; kl_plugins.estimate_kl",
        ),
        (
            lambda: pm.Truncated.dist(pm.Gamma.dist(2.0, 1.0), upper=2.0),
            r"a truncated variable .*estimate_kl",
        ),
        (
            lambda: pm.Censored.dist(pm.Poisson.dist(2.0), None, 3),
            r"a censored variable .*estimate_kl",
        ),
        (
            lambda: pm.NormalMixture.dist([0.5, 0.5], [0, 1], [1, 1]),
            r"pm.Mixture.*kl_bounds has bounds.*estimate_kl",
        ),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_random_variables_without_a_closed_form(what, message):
    with pytest.raises(NoClosedFormError, match=f"p: .*{message}"):
        kl(what(), NORMAL)
    with pytest.raises(NoClosedFormError, match=f"q: .*{message}"):
        kl(pm.Normal.dist(), what())


def test_dimensions_that_differ_raise_when_the_graph_runs():
    mean, n = pt.dvector("mean"), pt.iscalar("n")
    p, q = (MultivariateNormal(mean, Isotropic(variance, n)) for variance in (2.0, 1.0))
    divergence = kl(p, q)
    np.testing.assert_allclose(value(divergence, {mean: np.zeros(3), n: 3}), 1.5 * (1.0 - np.log(2.0)))
    with pytest.raises(ParameterValueError, match="p: mean and covariance must have the same number"):
        value(divergence, {mean: np.zeros(3), n: 4})


def test_a_singular_side_is_infinitely_far_from_a_random_variable():
    singular = st.multivariate_normal([0, 0], [[1.0, 1.0], [1.0, 1.0]], allow_singular=True)
    variable = pm.MvNormal.dist(np.zeros(2), cov=np.eye(2))
    assert value(kl(variable, singular), {}) == value(kl(singular, variable), {}) == np.inf


ONE, OTHER, MATRIX = pt.dvector("one"), pt.dvector("other"), pt.dmatrix("matrix")
RUNTIME_SHAPES = [
    (
        MultivariateNormal(ONE, Isotropic(4.0, dim=3)),
        MultivariateNormal(OTHER, Isotropic(1.0, dim=3)),
        (5, 5, 2),
    ),
    (MultivariateNormal(ONE, Dense(MATRIX)), MultivariateNormal(OTHER, Isotropic(1.0, dim=3)), (3, 3, 2)),
    (
        MultivariateNormal(ONE, Diagonal(OTHER)),
        MultivariateNormal(np.zeros(3), Isotropic(1.0, dim=3)),
        (3, 1, 2),
    ),
    (
        MultivariateNormal(ONE, Diagonal(OTHER)),
        MultivariateNormal(np.zeros(1), Isotropic(1.0, dim=1)),
        (3, 3, 2),
    ),
]


@pytest.mark.parametrize(("p", "q", "lengths"), RUNTIME_SHAPES)
def test_shapes_that_differ_at_run_time_give_no_number(p, q, lengths):
    given = {ONE: np.ones(lengths[0]), OTHER: np.full(lengths[1], 2.0), MATRIX: np.eye(lengths[2])}
    with pytest.raises((ParameterValueError, ValueError), match=r"shape|number of variables"):
        value(kl(p, q), given)


def test_the_result_has_a_name():
    assert str(kl(pm.Normal.dist(0.0, 1.0), st.norm(0, 1))) == "kl"
