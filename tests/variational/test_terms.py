"""kl_terms: the sum of the terms is KL(q‖prior), judged by draws of q and PyMC's own log prior."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.graph.replace import vectorize_graph
from scipy import stats
from scipy.linalg import block_diag

from kl_plugins import Cholesky, Diagonal, MultivariateNormal, kl
from kl_plugins.plugins.pymc.approximations import variables_of
from kl_plugins.variational import kl_terms
from kl_plugins.variational.target.transforms import in_terms_of

PYTHON = Mode(linker="py", optimizer="fast_compile")
EYE = np.eye(3) + 0.5


def disturbed(approximation, seed=0):
    """The approximation with parameters that are nothing special."""
    rng = np.random.default_rng(seed)
    for parameter in approximation.params:
        value = parameter.get_value()
        parameter.set_value(0.3 * value + 0.2 * rng.normal(size=value.shape))
    return approximation


def gaussian(approximation):
    """Its mean and covariance as numbers."""
    means = [group.mean.eval(mode=PYTHON) for group in approximation.groups]
    return np.concatenate(means), block_diag(*[group.cov.eval(mode=PYTHON) for group in approximation.groups])


def by_draws(model, approximation, draws=4000):
    """E_q[log q − log p] over the unconstrained space and its standard error; p without likelihood."""
    mean, covariance = gaussian(approximation)
    q = stats.multivariate_normal(mean, covariance)
    z = np.reshape(q.rvs(draws, random_state=1), (draws, -1))
    x = pt.vector("x", shape=(len(mean),))
    (log_prior,) = in_terms_of(x, model, variables_of(approximation), [model.varlogp])
    many = pt.matrix("many", shape=(None, len(mean)))
    function = pytensor.function([many], vectorize_graph(log_prior, {x: many}), mode=PYTHON)
    differences = q.logpdf(z) - function(z)
    return differences.mean(), differences.std() / np.sqrt(draws)


def values(terms, seed=1):
    found = pm.compile([], list(terms.values()), random_seed=seed, mode=PYTHON)()
    return dict(zip(terms, map(float, found), strict=True))


@pytest.fixture(scope="module")
def flat():
    """Variables whose priors depend on no other."""
    with pm.Model(coords={"row": range(2)}) as model:
        data = pm.Data("data", [1.0, 2.0])
        pm.Normal("a", data, 2.0, dims="row")
        pm.HalfNormal("h", 1.5)
        pm.Gamma("g", 2.0, 3.0, shape=2)
        pm.MvNormal("v", np.ones(3), cov=EYE)
        pm.MvNormal("b", 0.0, cov=EYE[:2, :2], shape=(2, 2))
        pm.ZeroSumNormal("z", 2.0, shape=(2, 3))
        pm.Normal("y", 0.0, 1.0, observed=1.0)
        pm.Potential("potential", pt.constant(-7.0))
    return model


@pytest.fixture(scope="module")
def nested():
    """Variables whose priors depend on others, which depend on others."""
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1.0)
        centre = pm.Normal("centre", 0.0, 1.0)
        scale = pm.Deterministic("scale", 1.0 + tau)
        w = pm.Normal("w", centre, scale, shape=2)
        pm.MvNormal("v", w, cov=EYE[:2, :2])
        pm.Exponential("e", pt.stack([1.0, scale]))
        pm.Normal("y", w, 1.0, observed=[0.0, 1.0])
    return model


@pytest.mark.parametrize("family", [pm.MeanField, pm.FullRank])
def test_terms_of_independent_priors_are_exact(flat, family):
    with flat:
        approximation = disturbed(family())
    terms = kl_terms(flat, approximation)
    assert list(terms) == ["a", "h", "g", "v", "b", "z"]
    found = values(terms)
    assert found == values(terms, seed=2)
    expected, error = by_draws(flat, approximation)
    assert abs(sum(found.values()) - expected) < 4 * error < 0.5


def test_a_mean_field_term_is_that_of_the_marginal(flat):
    with flat:
        approximation = disturbed(pm.MeanField())
    found = values(kl_terms(flat, approximation))
    mean, covariance = gaussian(approximation)
    sd = np.sqrt(np.diag(covariance))
    assert found["a"] == pytest.approx(
        kl(stats.norm(mean[:2], sd[:2]), stats.norm([1, 2], 2)).sum(), rel=1e-12
    )
    log_normal = stats.lognorm(sd[2], scale=np.exp(mean[2]))
    assert found["h"] == pytest.approx(kl(log_normal, stats.halfnorm(scale=1.5)), rel=1e-12)
    v = slice(5, 8)
    q = MultivariateNormal(mean[v], Diagonal(sd[v] ** 2))
    assert found["v"] == pytest.approx(kl(q, stats.multivariate_normal(np.ones(3), EYE)), rel=1e-12)


def test_full_rank_terms_of_gaussians_sum_to_the_joint_divergence():
    with pm.Model() as model:
        pm.Normal("a", 1.0, 2.0, shape=2)
        pm.MvNormal("v", np.ones(3), cov=EYE)
        pm.Normal("s", 0.0, 1.0)
        approximation = disturbed(pm.FullRank())
    found = values(kl_terms(model, approximation))
    mean, covariance = gaussian(approximation)
    prior = stats.multivariate_normal([1, 1, 1, 1, 1, 0], block_diag(4 * np.eye(2), EYE, 1.0))
    q = MultivariateNormal(mean, Cholesky(np.linalg.cholesky(covariance)))
    assert sum(found.values()) == pytest.approx(kl(q, prior), rel=1e-10)
    marginal = stats.multivariate_normal(mean[:2], covariance[:2, :2])
    assert found["a"] == pytest.approx(kl(marginal, stats.multivariate_normal([1, 1], 4.0)), rel=1e-10)


@pytest.mark.parametrize("family", [pm.MeanField, pm.FullRank])
def test_nested_priors_at_draws(nested, family):
    with nested:
        approximation = disturbed(family())
    terms = kl_terms(nested, approximation, draws=500)
    function = pm.compile([], sum(terms.values()), random_seed=1, mode=PYTHON)
    found = [float(function()) for _ in range(10)]
    expected, error = by_draws(nested, approximation, draws=5000)
    own_error = np.std(found) / np.sqrt(10 - 1)
    assert 0 < own_error < error  # fewer draws, and yet
    assert abs(np.mean(found) - expected) < 4 * np.hypot(error, own_error) < 0.6
