"""The deviation of a Gaussian field, and distances that are bounded, against closed forms."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest

from kl_plugins import Cholesky, MultivariateNormal
from kl_plugins.priors import pc_prior
from priors_known import sum_and_difference

SITES = np.array([0.0, 0.4, 1.1, 1.5])
POINTS = np.array([0.03, 0.7, 2.0, 6.0])


def log_density(prior, values):
    return pm.logp(prior, values).eval(mode="FAST_COMPILE")


@pytest.mark.slow
def test_deviation_of_a_matern_field_whose_range_is_given():
    """It is exponential, as that of one variable (Fuglstad et al. 2019, theorem 2.6)."""
    distance = np.sqrt(3.0) * abs(SITES[:, None] - SITES) / 0.8
    factor = np.linalg.cholesky((1.0 + distance) * np.exp(-distance))
    prior = pc_prior.dist(
        lambda sd: MultivariateNormal(np.zeros(4), Cholesky(sd * factor)),
        0.0,
        at=2.0,
        probability=0.05,
        bounds=(0.0, np.inf),
    )
    rate = -np.log(0.05) / 2.0
    np.testing.assert_allclose(log_density(prior, POINTS), np.log(rate) - rate * POINTS, rtol=1e-8)


@pytest.mark.parametrize("probability", [0.49, 0.4999999])
def test_nearly_the_largest_probability_that_a_bounded_distance_allows(probability):
    """With base 1 the distance √(1 − ρ) is at most √2; beyond half of that is half of a flat density."""
    prior = pc_prior.dist(sum_and_difference, 1.0, at=0.5, probability=probability, bounds=(-1.0, 1.0))
    below = pm.logcdf(prior, 0.5).eval(mode="FAST_COMPILE")
    assert abs(np.exp(below) - probability) < 1e-9


def test_the_largest_probability_itself_is_refused():
    with pytest.raises(ValueError, match=r"probability=0\.5 is too large"):
        pc_prior.dist(sum_and_difference, 1.0, at=0.5, probability=0.5, bounds=(-1.0, 1.0))
