"""Optima that rare draws decide: far out the log density is an exponential, whose average is known."""

import numpy as np
import pymc as pm
import pytensor
import pytest
from scipy.optimize import brentq

from kl_plugins import Diagonal, MultivariateNormal, jeffreys
from kl_plugins.variational.optimum.quasi_random import normal_draws
from kl_plugins.variational.optimum.reasons import Reason
from kl_plugins.variational.optimum.scale_families import Gaussian, MeanFieldScales
from kl_plugins.variational.optimum.search import find_optimum
from kl_plugins.variational.optimum.starts import starts_from
from kl_plugins.variational.optimum.weighted_draws import PARTS, farther_draws
from kl_plugins.variational.target.density import TargetDensity

FAMILY, STANDARD = MeanFieldScales(1), Gaussian(np.zeros(1), np.ones(1))


def with_wall(rate, level, sd, d):
    """log N(x; 0, sd²) − level exp(rate x) for each of d variables, and its best Gaussian."""
    with pytensor.config.change_flags(mode="Mode"), pm.Model() as model:
        x = pm.Normal("x", 0.0, sd, shape=d)
        pm.Potential("wall", -level * pm.math.exp(rate * x).sum())
        target = TargetDensity(model)

    def excess(log_height):
        variance = 1.0 / (sd**-2 + rate**2 * np.exp(log_height))
        mean = -rate * np.exp(log_height) * sd**2
        return np.log(level) + rate * mean + 0.5 * rate**2 * variance - log_height

    height = np.exp(brentq(excess, -60.0, 20.0))  # E[level exp(rate x)]
    variance = 1.0 / (sd**-2 + rate**2 * height)
    best = MultivariateNormal(np.full(d, -rate * height * sd**2), Diagonal(np.full(d, variance)))
    return target, best


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "level", "sd", "d", "seeds"), [(5.0, 1e-5, 1.0, 2, (3, 10)), (1.0, 1.0, 10.0, 1, (6, 13))]
)
def test_optima_that_rare_draws_decide(rate, level, sd, d, seeds):
    """Normal draws miss what is 4 sds away. With the last two seeds they agree, 6 tolerances off."""
    target, best = with_wall(rate, level, sd, d)
    family = MeanFieldScales(d)
    starts = starts_from(target, family, target.initial, np.random.default_rng(0))
    for seed in seeds:
        found = find_optimum(target, family, starts, 0.01, np.random.default_rng(seed))
        assert found.reached
        assert jeffreys(found.distribution, best) < 1e-4


@pytest.mark.parametrize("rate", [1.0, 4.0])
def test_draws_that_reach_farther(rate):
    def wall(x):
        return -np.exp(rate * x[:, 0]), -rate * np.exp(rate * x)

    z, ratios = farther_draws(wall, FAMILY, STANDARD, 512, np.random.default_rng(1))
    exact = np.exp(0.5 * rate**2)
    assert abs(np.mean(ratios * np.exp(rate * z[:, 0])) / exact - 1.0) < 0.05
    assert ratios.max() < PARTS
    assert np.allclose([ratios.mean(), np.mean(ratios * z[:, 0] ** 2)], 1.0)
    assert abs(np.mean(ratios * z[:, 0] ** 3)) < 1e-12
    if rate == 4.0:  # the largest of so many normal draws is not where exp(4 x) has its average
        usual = normal_draws(512, 1, np.random.default_rng(1))
        assert abs(np.mean(np.exp(rate * usual)) / exact - 1.0) > 0.25


@pytest.mark.slow
def test_a_density_that_ends_farther_out():
    """The optimum over normal draws is found, and why it is not certified is said, as it always was."""
    with pytensor.config.change_flags(mode="Mode"), pm.Model() as model:
        x = pm.Normal("x", 0.0, 1.0)
        pm.Potential("end", pm.math.switch(x > 5.5, -np.inf, 0.0) - 0.01 * pm.math.exp(x))
        target = TargetDensity(model)
    found = find_optimum(target, FAMILY, [STANDARD], 0.1, np.random.default_rng(1))
    assert found.obstacle.reason is Reason.OUTSIDE_SUPPORT
    assert found.jeffreys <= 0.025
