"""PyMC's Gaussian series: their densities are PyMC's, their divergences the oracle's, their terms exact."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from graphs import value
from kl_plugins import (
    Autoregressive,
    Dense,
    Diagonal,
    MultivariateNormal,
    NoClosedFormError,
    estimate_kl,
    explain,
    kl,
)
from kl_plugins.extend import recognise
from kl_plugins.variational import kl_terms

# In doubles: PyMC keeps a third as a number of seven digits.
ONE, TWO, THIRD = np.array(1.0), np.array(2.0), np.array(1.0 / 3.0)


def normal(mu=ONE, sigma=TWO):
    return pm.Normal.dist(mu, sigma)


def vector():
    return pm.MvNormal.dist(np.array([1.0, 2.0, 0.5]), np.eye(3) + 0.4)


SERIES = {
    "walk": lambda: pm.GaussianRandomWalk.dist(THIRD, TWO, init_dist=normal(), steps=5),
    "walks": lambda: pm.GaussianRandomWalk.dist(
        THIRD, np.array([1.5, 2.0]), init_dist=normal(), shape=(3, 2, 5)
    ),
    "walk of parts": lambda: pm.RandomWalk.dist(init_dist=normal(), innovation_dist=normal(THIRD), steps=4),
    "AR(1)": lambda: pm.AR.dist(np.array([0.7]), TWO, init_dist=normal(), steps=5),
    "AR(2)": lambda: pm.AR.dist(np.array([0.7, -0.2]), TWO, init_dist=normal(), steps=5),
    "level": lambda: pm.AR.dist(
        np.array([[0.3, 0.5, 0.2], [0.1, 0.2, 0.3]]),
        TWO,
        init_dist=normal(np.array([1.0, 3.0])),
        steps=4,
        constant=True,
    ),
    "vectors": lambda: pm.MvGaussianRandomWalk.dist(
        np.array([0.1, 0.2, 0.3]), cov=np.eye(3) + 0.4, init_dist=vector(), steps=4
    ),
    "pairs": lambda: pm.MvGaussianRandomWalk.dist(
        np.array([[0.1, 0.2], [0.5, 0.0]]),
        chol=np.array([[1.0, 0.0], [0.5, 2.0]]),
        init_dist=pm.MvNormal.dist(np.zeros(2), 4.0 * np.eye(2)),
        steps=3,
    ),
    "dependent": lambda: pm.AR.dist(np.array([0.5, 0.2, -0.1]), tau=TWO, init_dist=vector(), shape=(2, 7)),
}


@pytest.mark.parametrize("name", SERIES)
def test_density_is_that_of_pymc(name):
    variable = SERIES[name]()
    made = recognise(variable)
    at = np.random.default_rng(1).normal(size=variable.shape.eval(mode="FAST_COMPILE"))
    assert isinstance(made.covariance, Autoregressive)
    point = at.reshape((*at.shape[: at.ndim - len(made.event_shape)], -1))
    np.testing.assert_allclose(*value([made.log_prob(pt.constant(point)), pm.logp(variable, at)]), rtol=1e-13)


def test_divergence_of_two_walks():
    """That of the first values, and as many times that of the steps."""
    p, q = (
        pm.GaussianRandomWalk.dist(mu, sigma, init_dist=normal(), steps=7)
        for mu, sigma in ((ONE, ONE), (THIRD, TWO))
    )
    found, step = value([kl(p, q), kl(normal(ONE, ONE), normal(THIRD, TWO))])
    np.testing.assert_allclose(found, 7.0 * step, rtol=1e-13)
    assert explain(p, q).cost == "O(d b³) for b lags: each variable given those before it"


def test_divergence_of_walks_of_vectors():
    steps = [(np.array([0.1, 0.2, 0.3]), np.eye(3) + 0.4), (np.zeros(3), 2.0 * np.eye(3) - 0.3)]
    p, q = (pm.MvGaussianRandomWalk.dist(mu, cov=cov, init_dist=vector(), steps=5) for mu, cov in steps)
    found, step, same = value([kl(p, q), kl(*[pm.MvNormal.dist(mu, cov) for mu, cov in steps]), kl(p, p)])
    np.testing.assert_allclose(found, 5.0 * step, rtol=1e-12)
    assert same == 0.0
    assert recognise(p).event_shape == (6, 3)


CHAIN = np.diag(np.ones(4), 1) + np.diag(np.ones(4), -1)


def test_intrinsic_autoregression():
    """Its density is PyMC's but for a constant, and so its divergence is that of a precision."""
    variable = pm.ICAR.dist(CHAIN, sigma=np.array(0.7), zero_sum_stdev=np.array(0.01))
    made, at = recognise(variable), np.random.default_rng(2).normal(size=(2, 5))
    ours = value(made.log_prob(pt.constant(at)))
    theirs = value([pm.logp(variable, point) for point in at])
    np.testing.assert_allclose(ours[1] - ours[0], theirs[1] - theirs[0], rtol=1e-10)
    wider = pm.ICAR.dist(CHAIN, sigma=np.array(1.4), zero_sum_stdev=np.array(0.01))
    np.testing.assert_allclose(value(kl(variable, wider)), 4.0 * (0.125 - 0.5 + np.log(2.0)), rtol=1e-9)


def test_intrinsic_autoregression_of_places_that_are_apart():
    apart = np.kron(np.eye(2), CHAIN[:2, :2])
    variable = pm.ICAR.dist(apart, zero_sum_stdev=np.array(1.0))
    with pytest.raises(ValueError, match="p: W must connect all places"):
        kl(variable, pm.MvNormal.dist(np.zeros(4), np.eye(4)))


@pytest.mark.slow
def test_divergence_of_processes_with_levels():
    first, second = (
        pm.AR.dist(
            np.array(rho),
            sigma,
            init_dist=vector() if sigma == TWO else normal(),
            steps=4,
            constant=True,
            ar_order=3,
        )
        for rho, sigma in (([0.3, 0.5, 0.2, 0.1], TWO), ([0.1, -0.4, 0.6, 0.3], ONE))
    )
    made = [recognise(x) for x in (first, second)]
    dense = [MultivariateNormal(one.mean, Dense(one.covariance.matrix())) for one in made]
    found = value([kl(first, second), kl(*dense), kl(second, first), kl(*reversed(dense))])
    np.testing.assert_allclose(found[::2], found[1::2], rtol=1e-12)


def test_steps_of_no_normal_distribution_are_refused():
    walk = pm.RandomWalk.dist(init_dist=normal(), innovation_dist=pm.Laplace.dist(0.0, 1.0), steps=3)
    with pytest.raises(NoClosedFormError, match="a series whose steps are Laplace, not normal"):
        kl(walk, pm.GaussianRandomWalk.dist(0.0, 1.0, init_dist=normal(), steps=3))
    for make, beginning in (
        (
            lambda: pm.RandomWalk.dist(init_dist=pm.StudentT.dist(3.0), innovation_dist=normal(), steps=3),
            "value is",
        ),
        (lambda: pm.AR.dist([0.3], init_dist=pm.StudentT.dist(3.0, shape=1), steps=3), "values are"),
    ):
        with pytest.raises(NoClosedFormError, match=f"a series whose first {beginning} StudentT, not normal"):
            kl(make(), walk)


def test_error_names_the_parameter():
    sigma = pt.dscalar()
    walk = pm.GaussianRandomWalk.dist(0.0, sigma, init_dist=normal(), steps=3)
    other = pm.GaussianRandomWalk.dist(0.0, 1.0, init_dist=normal(), steps=3)
    with pytest.raises(ValueError, match=r"p: sigma .*must be positive"):
        value(kl(walk, other), {sigma: -1.0})


def test_mean_field_from_a_walk_that_depends_on_its_scale():
    """The term is the divergence of independent normals from the walk, at a draw of its scale."""
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 1.0)
        pm.GaussianRandomWalk("walk", 0.0, sigma, init_dist=normal(), steps=4)
        pm.AR("auto", [0.5], sigma=1.0, init_dist=normal(), steps=4)
        approximation = pm.MeanField()
    terms = kl_terms(model, approximation)
    scale = pt.dscalar()
    mean, sd = np.arange(5.0), np.linspace(0.5, 1.5, 5)
    q = {"walk": MultivariateNormal(mean, Diagonal(sd**2)), "auto": MultivariateNormal(mean, Diagonal(sd**2))}
    by_hand = kl_terms(pm.do(model, {"sigma": scale}), q)
    assert set(terms) == {"sigma", "walk", "auto"}
    found = value([by_hand["walk"], pytensor.grad(by_hand["walk"], scale), by_hand["auto"]], {scale: 1.5})
    steps = np.diff(mean) ** 2 + sd[1:] ** 2 + sd[:-1] ** 2
    first = np.log(2.0) - np.log(sd[0]) + (sd[0] ** 2 + 1.0) / 8.0 - 0.5
    walk = first + (np.log(1.5) - np.log(sd[1:]) - 0.5).sum() + (steps / 1.5**2).sum() / 2.0
    squares = (mean[1:] - 0.5 * mean[:-1]) ** 2 + sd[1:] ** 2 + 0.25 * sd[:-1] ** 2
    auto = first + (0.5 * squares - 0.5 - np.log(sd[1:])).sum()
    np.testing.assert_allclose(found, [walk, 4.0 / 1.5 - (steps / 1.5**3).sum(), auto], rtol=1e-7)


def test_priors_of_gaussian_processes():
    """A multivariate normal, or else, by default, a function of standard normal variables."""
    x = np.linspace(0.0, 1.0, 4)[:, None]
    with pm.Model():
        process = pm.gp.Latent(cov_func=pm.gp.cov.ExpQuad(1, ls=0.3))
        first = process.prior("f", x, reparameterize=False)
        second = pm.gp.Latent(cov_func=2.0 * pm.gp.cov.ExpQuad(1, ls=0.3)).prior("g", x, reparameterize=False)
    np.testing.assert_allclose(value(kl(first, second)), 2.0 * (0.5 - 1.0 + np.log(2.0)), rtol=1e-4)


@pytest.mark.parametrize("name", ["sigma", "zero_sum_stdev"])
def test_intrinsic_field_names_what_must_be_positive(name):
    """Their squares alone are in the precision, so that a negative one was like a positive one."""
    good, symbol = pm.ICAR.dist(CHAIN), pt.dscalar()
    for number in (-1.0, 0.0):
        bad = pm.ICAR.dist(CHAIN, **{name: number})
        for compare in (kl, estimate_kl):
            with pytest.raises(ValueError, match=f"^p: {name} must be positive"):
                compare(bad, good)
    with pytest.raises(ValueError, match=f"^q: {name} must be positive"):
        value(kl(good, pm.ICAR.dist(CHAIN, **{name: symbol})), {symbol: -1.0})
    with pm.Model() as model:
        unknown = pm.Flat("unknown")
        pm.Potential("divergence", kl(good, pm.ICAR.dist(CHAIN, **{name: unknown})))
    log_density = model.compile_logp(jacobian=False)
    assert [log_density({"unknown": at}) for at in (-1.0, 0.0)] == [np.inf, np.inf]
