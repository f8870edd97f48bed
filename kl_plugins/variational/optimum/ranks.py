"""The best Gaussian with all correlations, and the best of a low rank beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kl_plugins.variational.optimum.budget import MOST_EVALUATIONS
from kl_plugins.variational.optimum.conjugate_gradients import conjugate_gradients
from kl_plugins.variational.optimum.fixed_draws import SOLVER_ACCURACY, SOLVER_STEPS, WhitenedELBO, elbo_gap
from kl_plugins.variational.optimum.low_rank_scales import LEAST, LowRankScales
from kl_plugins.variational.optimum.progress import Report
from kl_plugins.variational.optimum.quasi_random import normal_draws
from kl_plugins.variational.optimum.reasons import Reason
from kl_plugins.variational.optimum.scale_families import (
    Gaussian,
    TriangularScales,
    member_of,
    with_constant_metric,
)
from kl_plugins.variational.optimum.search import (
    NO_FURTHER_STARTS,
    FurtherStarts,
    NoFiniteELBOError,
    Optimum,
    find_optimum,
)
from kl_plugins.variational.optimum.starts import at_average_curvature, starts_from
from kl_plugins.variational.target.density import TargetDensity

UNASKED_DIMENSIONS = 100
"""Up to so many dimensions the best full-rank Gaussian is sought unasked."""
COORDINATES = 16
"""A tolerance is for so many: divergences add up over coordinates, so that of more it is as much larger."""
SHARE = 3
"""One part in so many of all evaluations may go to the best with all correlations."""
BENT = 0.02
"""A curvature that rounding and draws do not explain; of a Gaussian in its own family it is 1."""
ESCAPES = 3
"""So often a search goes on from beside a saddle."""


@dataclass(frozen=True)
class RankGap:
    """What all correlations gain over a Gaussian of low rank, which is the most that another one could.

    Attributes
    ----------
    full_rank : Optimum
        The best Gaussian with all correlations.
    gain, error : float
        Its ELBO less that of the Gaussian of low rank, in nats, and by how much that may be too little.
    """

    full_rank: Optimum
    gain: float
    error: float


def find_full_rank(
    target: TargetDensity,
    start: Gaussian,
    tolerance: float,
    rng: np.random.Generator,
    report: Report = lambda message: None,
    most_evaluations: int | None = None,
) -> Optimum | None:
    """The best Gaussian with all correlations; None where none that was tried has an ELBO.

    The search begins around a Gaussian and at the mode; where it does not come to rest from there, from more.
    In many dimensions the tolerance is larger, for the same error in each.
    """
    tolerance *= max(1.0, target.dimension / COORDINATES)
    family = TriangularScales(((target.dimension, True),))
    *modes, unit = starts_from(target, family, target.initial, rng)
    curved = at_average_curvature(target, family, start, rng)
    found = None
    for starts in ([curved, *modes], [curved, *modes, start, unit]):
        try:
            found = find_optimum(
                target, family, starts, tolerance, rng, report=report, most_evaluations=most_evaluations
            )
        except NoFiniteELBOError:
            continue
        if found.rested:
            break
    return found


def find_low_rank(
    target: TargetDensity,
    family: LowRankScales,
    starts: list[Gaussian],
    tolerance: float,
    rng: np.random.Generator,
    max_draws: int,
    report: Report = lambda message: None,
    further: FurtherStarts = NO_FURTHER_STARTS,
    most_evaluations: int = MOST_EVALUATIONS,
) -> tuple[Optimum, RankGap | None]:
    """The best Gaussian of a low rank that the starts lead to, and how much better any other could be.

    Over Gaussians of low rank the ELBO may have several maxima, even if the posterior is Gaussian. What is
    found is one: the gradient is zero there, and the curvature negative in every direction that changes the
    Gaussian. The best with all correlations is another start, and bounds what others can reach.
    """
    wide = None
    if target.dimension <= UNASKED_DIMENSIONS:
        _, centre = with_constant_metric(family, starts[0])
        wide = find_full_rank(
            target,
            centre,
            tolerance,
            rng,
            lambda stage: report(f"with all correlations: {stage}"),
            target.evaluations + (most_evaluations - target.evaluations) // SHARE,
        )
    if wide is not None and wide.rested:
        starts = [*starts, member_of(family, wide.distribution)]
    found = find_optimum(target, family, starts, tolerance, rng, max_draws, report, further, most_evaluations)
    for _ in range(ESCAPES):
        if not found.reached or not has_uphill(target, family, found, rng):
            break
        beside = [_beside(found.gaussian, rng)]
        better = find_optimum(
            target, family, beside, tolerance, rng, max_draws, report, most_evaluations=most_evaluations
        )
        found = replace(better, others=found.others, starts=found.starts, led=found.led)
    else:
        found = replace(found, obstacle=Reason.SADDLE.told(), jeffreys=np.inf)
    if wide is None or not wide.rested or not np.isfinite(wide.jeffreys + found.jeffreys):
        return found, None
    all_correlations, mine = with_constant_metric(family, found.gaussian)
    gain, error = elbo_gap(target, all_correlations, mine, wide.gaussian, max(found.draws, wide.draws), rng)
    # The ELBO falls short of its maximum by half the Jeffreys divergence from there.
    return found, RankGap(wide, gain, error + 0.5 * wide.jeffreys)


def has_uphill(
    target: TargetDensity, family: LowRankScales, found: Optimum, rng: np.random.Generator
) -> bool:
    """Whether the ELBO curves upwards from an optimum in some direction, which gradients of zero do not show.

    Conjugate gradients from a random side meet such a direction, as the method of Lanczos would.
    """
    elbo = WhitenedELBO(target, family, found.gaussian, normal_draws(found.draws, family.dimension, rng))
    product = elbo.hessian_products(found.draws)
    side = rng.standard_normal(len(elbo.weights))
    solved = conjugate_gradients(lambda v: product(v) + BENT * v, side, SOLVER_ACCURACY, SOLVER_STEPS)
    return solved is None


def _beside(gaussian: Gaussian, rng: np.random.Generator) -> Gaussian:
    """A Gaussian of low rank with other factors, a little off."""
    root = gaussian.root.copy()
    noise = rng.standard_normal(root[:, :-1].shape) * LEAST
    root[:, :-1] += noise * root[:, -1:]
    return Gaussian(gaussian.mean, root)
