"""The best Gaussian with all correlations, and what a fit without them throws away."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kl_plugins.dispatch import kl
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.variational.evidence.moments import Estimate
from kl_plugins.variational.optimum.distance import OptimumDistance
from kl_plugins.variational.optimum.fixed_draws import elbo_gap
from kl_plugins.variational.optimum.scale_families import Gaussian, TriangularScales, family_of
from kl_plugins.variational.optimum.search import NoFiniteELBOError, find_optimum, too_large
from kl_plugins.variational.optimum.starts import starts_from
from kl_plugins.variational.target.density import TargetDensity

FULL_RANK_DIMENSIONS = 100
"""Up to so many dimensions the best full-rank Gaussian is sought unasked."""
GAIN_DRAWS = 512
"""Quasi-random draws, four times, for the difference of two ELBOs."""


@dataclass(frozen=True)
class FullRankOptimum:
    """The best Gaussian with all correlations, and what a fit without them throws away.

    Attributes
    ----------
    optimum : NamedMultivariateNormal
    kl_to, kl_from : Estimate
        KL(q‖optimum) and KL(optimum‖q), in nats, in closed form; the errors are what the optimum's own
        amounts to.
    elbo_gain : Estimate
        ELBO(optimum) − ELBO(q).
    """

    optimum: NamedMultivariateNormal = field(repr=False)
    kl_to: Estimate
    kl_from: Estimate
    elbo_gain: Estimate


def best_full_rank(
    q: NamedMultivariateNormal,
    target: TargetDensity,
    distance: OptimumDistance | None,
    wanted: bool | None,
    tolerance: float,
    rng: np.random.Generator,
) -> tuple[NamedMultivariateNormal | None, float]:
    """The best Gaussian with all correlations, and the Jeffreys divergence within which it is known."""
    d = target.dimension
    family = TriangularScales(((d, True),))
    if distance is not None and (family_of(q.covariance).every_correlation or d == 1):
        return distance.optimum, distance.sampling_error
    if wanted is False or (wanted is None and d > FULL_RANK_DIMENSIONS) or too_large(family):
        return None, np.inf
    centre = q if distance is None else distance.optimum
    start = Gaussian(np.array(centre.mean, dtype=float), family.from_covariance(centre.covariance))
    starts = [start, *starts_from(target, family, target.initial)]
    try:
        found = find_optimum(target, family, starts, tolerance, rng)
    except NoFiniteELBOError:
        return None, np.inf
    return found.distribution, found.jeffreys


def full_rank_loss(
    q: NamedMultivariateNormal,
    full: NamedMultivariateNormal,
    full_error: float,
    target: TargetDensity,
    rng: np.random.Generator,
) -> FullRankOptimum:
    """What the approximation throws away beside the best full-rank one."""
    family = TriangularScales(((target.dimension, True),))
    mine, best = (
        Gaussian(np.array(one.mean, dtype=float), family.from_covariance(one.covariance)) for one in (q, full)
    )
    gain = Estimate(*elbo_gap(target, family, mine, best, GAIN_DRAWS, rng))

    def known(divergence: float) -> Estimate:
        # Roots of Jeffreys divergences add up like distances: (√K + √(e/2))² − K.
        return Estimate(divergence, float(np.sqrt(2.0 * divergence * full_error) + 0.5 * full_error))

    return FullRankOptimum(full, known(float(kl(q, full))), known(float(kl(full, q))), gain)
