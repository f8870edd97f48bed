"""Over how many draws optima are sought."""

from __future__ import annotations

import numpy as np

from kl_plugins.variational.optimum.low_rank_scales import LowRankScales
from kl_plugins.variational.optimum.scale_families import ScaleFamily

FIRST_DRAWS = 512
EXTENSIVE = 2**17
"""A log density of so many numbers is evaluated over as few draws as will do."""
COARSE_DRAWS = 128
CURVATURE_DRAWS = 512
SOFT_CURVATURE_DRAWS = 2048
"""For low ranks, of which scales and factors trade off along directions of little curvature."""
MOST_DRAWS = 2**16
MOST_NUMBERS = 2**27
"""Draws times dimensions that are held at once (a gigabyte)."""
FULL_RANK_DIMENSIONS = 500
"""Above so many correlated dimensions the d(d + 1)/2 covariances take too many draws."""


def too_large(family: ScaleFamily) -> str:
    """Why the family has too many dimensions, empty where it has not."""
    if needs_covariances(family) and family.dimension > FULL_RANK_DIMENSIONS:
        return (
            f"the optimum of correlated approximations is found for at most {FULL_RANK_DIMENSIONS} "
            f"dimensions, this one has {family.dimension}; the mean-field optimum can be had"
        )
    return ""


def needs_covariances(family: ScaleFamily) -> bool:
    return isinstance(family, LowRankScales) or len(family.metric) > family.dimension


def draws_for_covariances(family: ScaleFamily) -> int:
    """Over fewer draws the covariances of correlated coordinates collapse; 0 where there are none."""
    return _power_of_two(8 * family.dimension) if needs_covariances(family) else 0


def coarse_draws(family: ScaleFamily) -> int:
    """How many draws tell which start is best."""
    return max(COARSE_DRAWS, _power_of_two(4 * family.dimension) if needs_covariances(family) else 0)


def draws_for_curvature(family: ScaleFamily) -> int:
    """Over how many draws the Hessian of the ELBO is enough for the steps of Newton's method."""
    fewest = SOFT_CURVATURE_DRAWS if isinstance(family, LowRankScales) else CURVATURE_DRAWS
    return max(fewest, 4 * family.dimension if needs_covariances(family) else 0)


def fewest_draws(family: ScaleFamily) -> int:
    """How many draws a set has at least."""
    return max(FIRST_DRAWS, draws_for_covariances(family))


def first_draws(family: ScaleFamily, numbers: int) -> int:
    """How many draws the first sets have: fewer than usual where each takes long, as those of many rows do.

    The more rows, the nearer a posterior is to a Gaussian, of which sets with exact moments agree at once.
    `numbers` is how many the log density computes at one point.
    """
    fewest = fewest_draws(family)
    if numbers < EXTENSIVE:
        return fewest
    return min(fewest, max(COARSE_DRAWS, draws_for_covariances(family), _power_of_two(4 * family.dimension)))


def most_draws(family: ScaleFamily, allowed: int) -> int:
    """How many draws a set has at most, a power of two; ValueError where fewer are allowed than it needs."""
    fewest, d = fewest_draws(family), family.dimension
    if allowed < fewest:
        raise ValueError(f"max_draws must be at least {fewest} for {d} correlated variables, got {allowed}")
    most = max(fewest, min(allowed, MOST_NUMBERS // d))
    return 1 << (most.bit_length() - 1)


def more_draws(draws: int, apart: float, goal: float) -> int:
    """How many draws to take where optima over so many are `apart` nats, and not within `goal`.

    Over S draws optima differ by between 1/S (independent draws) and 1/S² (quasi-random ones).
    """
    return draws * int(np.clip(_power_of_two(int(np.ceil(np.sqrt(apart / goal)))), 2, 8))


def _power_of_two(least: int) -> int:
    return 1 << max(least - 1, 0).bit_length()
