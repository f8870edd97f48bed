"""The prior does not depend on how a parameter is written: logarithms with base ±∞, and Fisher's z."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import special, stats

from kl_plugins.ops.pytensor.on_arrays import UNCOMPILED
from kl_plugins.priors import pc_prior
from priors_known import INF, correlated, unit_student_t

PROBABILITY = 0.05
RATE = -np.log(PROBABILITY)
AT = np.arctanh(0.8)


def of_log_deviation(theta):
    return pm.Normal.dist(0.0, pt.exp(theta))


def of_log_precision(theta):
    return pm.Normal.dist(0.0, tau=pt.exp(theta))


def of_log_shape(theta):
    return pm.Gamma.dist(alpha=pt.exp(theta), beta=pt.exp(theta))


def of_log_excess(theta):
    return unit_student_t(2.0 + pt.exp(theta))


def gamma_distance(theta):
    return np.sqrt(theta - special.digamma(np.exp(theta)))


def z_distance(z):
    return np.sqrt(np.log(np.cosh(z)))


def shifted(function):
    return lambda theta: function(theta - 2000.0)


class Case(NamedTuple):
    family: Any
    base: float
    at: float
    distance: Any
    """In closed form, up to a factor."""
    slope: Any
    bounds: tuple[float, float] = (-INF, INF)


CASES = {
    "log sd": Case(of_log_deviation, -INF, 1.0, np.exp, np.exp),
    "log sd far from 0": Case(shifted(of_log_deviation), -INF, 2001.0, shifted(np.exp), shifted(np.exp)),
    "log sd with a bound": Case(of_log_deviation, -INF, 1.0, np.exp, np.exp, bounds=(-INF, 50.0)),
    "log precision": Case(
        of_log_precision, INF, -2.0, lambda t: np.exp(-t / 2.0), lambda t: np.exp(-t / 2.0) / 2.0
    ),
    "log shape": Case(
        of_log_shape,
        INF,
        0.0,
        gamma_distance,
        lambda t: (np.exp(t) * special.polygamma(1, np.exp(t)) - 1.0) / (2.0 * gamma_distance(t)),
    ),
    "Fisher's z": Case(correlated, 0.0, AT, z_distance, lambda z: np.tanh(z) / (2.0 * z_distance(z))),
}


@pytest.fixture(scope="module")
def priors():
    return {
        name: pc_prior.dist(case.family, case.base, at=case.at, probability=PROBABILITY, bounds=case.bounds)
        for name, case in CASES.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_known_densities_and_their_slopes(name, priors):
    _, base, at, distance, slope, _ = CASES[name]
    theta = at + np.linspace(-6.0, 3.0, 20)
    rate = RATE / distance(at)
    expected = np.log(rate * abs(slope(theta)) / (1 if np.isinf(base) else 2)) - rate * distance(theta)
    step = 1e-4
    around = [
        np.log(abs(slope(theta + side * step))) - rate * distance(theta + side * step) for side in (-1, 1)
    ]
    value = pt.dvector("value")
    logp = pm.logp(priors[name], value)
    found = pytensor.function([value], [logp, pt.grad(logp.sum(), value)], mode=UNCOMPILED)(theta)
    np.testing.assert_allclose(found[0], expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found[1], (around[1] - around[0]) / (2.0 * step), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_draws_are_exponential_in_the_distance(name, priors):
    at, distance = CASES[name].at, CASES[name].distance
    draws = pm.draw(priors[name], 2_000, random_seed=4, mode=UNCOMPILED)
    distances = distance(draws) / distance(at)
    assert stats.kstest(distances, stats.expon(scale=1.0 / RATE).cdf).pvalue > 0.01


@pytest.mark.slow
def test_a_base_distribution_at_an_end_of_the_logarithm():
    """The prior of log(ν − 2) is that of ν."""
    settings = {"base": pm.Normal.dist(0.0, 1.0), "probability": PROBABILITY}
    of_log = pc_prior.dist(of_log_excess, at=0.0, **settings)
    itself = pc_prior.dist(unit_student_t, at=3.0, bounds=(2.0, INF), **settings)
    theta = np.array([-3.0, 0.0, 4.0])
    found = pm.logp(of_log, theta).eval(mode=UNCOMPILED)
    expected = pm.logp(itself, 2.0 + np.exp(theta)).eval(mode=UNCOMPILED) + theta
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_the_bounds_that_an_error_about_rounding_names_are_good_ones():
    settings = {"at": 1.1, "probability": 0.3}
    with pytest.raises(ValueError, match=r"before it, for example at 17"):
        pc_prior.dist(correlated, 0.0, **settings)
    made = pc_prior.dist(correlated, 0.0, bounds=(-17.0, 17.0), **settings)
    draws = pm.draw(made, 2_000, random_seed=1, mode=UNCOMPILED)
    assert abs(np.mean(abs(draws) > 1.1) - 0.3) < 0.04


@pytest.mark.slow
def test_a_sum_over_outcomes():
    """The beta-binomial has the binomial as its base where its overdispersion vanishes."""

    def overdispersed(spread):
        return pm.BetaBinomial.dist(n=20, alpha=0.3 / spread, beta=0.7 / spread)

    made = pc_prior.dist(overdispersed, pm.Binomial.dist(20, 0.3), at=1.0, probability=0.05, bounds=(0, INF))
    draws = pm.draw(made, 20_000, random_seed=1, mode=UNCOMPILED)
    assert abs(np.mean(draws > 1.0) - 0.05) < 0.006
