"""The Gaussian of a family with the largest ELBO, by fixed draws, and how well it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kl_plugins.dispatch import jeffreys
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot
from kl_plugins.variational.optimum.budget import (
    MOST_EVALUATIONS,
    MeteredDensity,
    OutOfEvaluationsError,
)
from kl_plugins.variational.optimum.candidates import ALIKE, Candidate, coarse_optima
from kl_plugins.variational.optimum.draw_counts import (
    MOST_DRAWS,
    coarse_draws,
    fewest_draws,
    first_draws,
    more_draws,
    most_draws,
    too_large,
)
from kl_plugins.variational.optimum.fixed_draws import Minimum, minimise
from kl_plugins.variational.optimum.nonconvergence import (
    discontinuity_obstacle,
    hides_optimum,
    why_not_converged,
)
from kl_plugins.variational.optimum.progress import Report
from kl_plugins.variational.optimum.propriety import collapse, outside_support, within_turn, wraps_around
from kl_plugins.variational.optimum.quasi_random import normal_draws
from kl_plugins.variational.optimum.reasons import WITHOUT_OPTIMUM, WITHOUT_REST, Obstacle, Reason
from kl_plugins.variational.optimum.scale_families import Gaussian, ScaleFamily
from kl_plugins.variational.optimum.weighted_draws import MOST_DIMENSIONS, farther_draws
from kl_plugins.variational.target.density import TargetDensity

STRICTNESS = 4.0
"""Two optima must agree to the tolerance over this."""
REST = 0.5
"""An optimiser rests where the step that is left is within this share of what optima may differ by."""


class Agreement(NamedTuple):
    """Jeffreys divergence, in nats, between the optima over two independent sets of so many draws."""

    draws: int
    jeffreys: float


@dataclass(frozen=True)
class Optimum:
    """The best Gaussian of a family, half way between the optima over the last two sets of draws.

    Attributes
    ----------
    distribution, gaussian : NamedMultivariateNormal, Gaussian
        The optimum, with and without names.
    obstacle : Obstacle or None
        Why it is not known within the tolerance.
    jeffreys : float
        Its error, in nats: the largest of what the last two pairs differed by, how far apart they led, and
        what the optimiser left.
    history : tuple of Agreement
    draws : int
        Number of draws in each of the last sets.
    others : tuple of float
        ELBOs, less this one's, of worse optima that other starts led to.
    starts : int
        From how many points the search began.
    led : bool
        Whether the starts that were given led to an optimum, this or a worse one.
    """

    distribution: Snapshot
    gaussian: Gaussian
    obstacle: Obstacle | None
    jeffreys: float
    history: tuple[Agreement, ...]
    draws: int
    others: tuple[float, ...]
    starts: int
    led: bool

    @property
    def reached(self) -> bool:
        """Whether it is known within the tolerance."""
        return self.obstacle is None

    @property
    def reason(self) -> str:
        """Why it is not, in words; empty where it is."""
        return "" if self.obstacle is None else str(self.obstacle)

    @property
    def rested(self) -> bool:
        """Whether the optimiser came to rest, or was stopped: all that may be missing is more to go on."""
        return self.obstacle is None or self.obstacle.reason not in WITHOUT_REST

    @property
    def cut_short(self) -> bool:
        """Whether the search ended as it had no evaluations left."""
        return self.obstacle is not None and self.obstacle.reason is Reason.OUT_OF_EVALUATIONS


class FurtherStarts(NamedTuple):
    """Further starts, and from how many points the search for them began."""

    starts: list[Gaussian]
    searches: int


NO_FURTHER_STARTS = FurtherStarts([], 0)


class NoFiniteELBOError(ValueError):
    """No Gaussian that was tried has an ELBO."""

    def __init__(self) -> None:
        super().__init__(str(Reason.NO_FINITE_ELBO.told()))


def find_optimum(
    target: TargetDensity,
    family: ScaleFamily,
    starts: list[Gaussian],
    tolerance: float,
    rng: np.random.Generator,
    max_draws: int = MOST_DRAWS,
    report: Report = lambda message: None,
    further: FurtherStarts = NO_FURTHER_STARTS,
    most_evaluations: int | None = None,
) -> Optimum:
    """Maximise the ELBO over ever more fixed draws until independent sets of them agree.

    A coarse optimum from every start and from `further`, over the same few draws; the best of them starts
    the pairs, of equals the one from the earliest start. Each pair is two independent sets of draws, more
    than those before, until the optima over them agree to a quarter of the tolerance. As one agreement may
    be luck, or what rare draws decide be missed by both, another pair over as many draws has to agree, of
    which one reaches farther, and to lead to the same place. If not, all draws reach farther from then on.
    Sets of fewer draws than usual have to agree that much better. Gradients do not see jumps of the log
    density: these are looked for. Once the target has had `most_evaluations` in all the search ends, by
    default after `MOST_EVALUATIONS` of its own.
    """
    if limit := too_large(family):
        raise ValueError(limit)
    fewest, most = fewest_draws(family), most_draws(family, max_draws)
    goal, d = tolerance / STRICTNESS, family.dimension

    if most_evaluations is None:
        most_evaluations = target.evaluations + MOST_EVALUATIONS
    density = MeteredDensity(target, most_evaluations, report)
    density.begin("coarse optimum from every start")
    coarse = normal_draws(coarse_draws(family), d, rng)
    every = [*starts, *further.starts]
    candidates = coarse_optima(target, density, family, every, coarse, min(tolerance, ALIKE))
    if not candidates:
        raise NoFiniteELBOError

    current, draws = candidates[0].gaussian, first_draws(family, target.numbers)
    history: list[Agreement] = []
    obstacle = wraps_around(target, current)
    if obstacle is not None:
        current = within_turn(target, starts[0])
    elif endless := collapse(target, current):
        obstacle = Reason.UNBOUNDED_ELBO.told(where=endless)
    if obstacle is not None:
        history.append(Agreement(len(coarse), np.inf))
    reached, agreed, nowhere, farther = False, False, False, 0
    while not (reached or obstacle):
        density.begin(f"two optima over {draws:,d} draws each")
        try:
            first, second = _fixed_optima(density, family, current, draws, farther, REST * goal, rng)
        except OutOfEvaluationsError:
            obstacle = Reason.OUT_OF_EVALUATIONS.told()
            nowhere = not history
            history = history or [Agreement(draws, np.inf)]
            break
        left = max(first.remaining, second.remaining)
        if not np.isfinite(left):
            history.append(Agreement(draws, np.inf))
            finite = np.isfinite(first.value + second.value)
            better = first if first.value < second.value else second
            if endless := collapse(target, better.gaussian):
                current, obstacle = better.gaussian, Reason.UNBOUNDED_ELBO.told(where=endless)
            else:
                obstacle = why_not_converged(target, family, current, goal, rng, finite)
            break
        apart = float(jeffreys(*(_named(one.gaussian, target, family) for one in (first, second))))
        history.append(Agreement(draws, max(apart, left)))
        report(f"{draws:,d} draws: optima agree to {history[-1].jeffreys:.2g} nats")
        before, current = current, _middle(family, first.gaussian, second.gaussian)
        if obstacle := wraps_around(target, current):
            history[-1], current = Agreement(draws, np.inf), within_turn(target, starts[0])
            break
        agrees = history[-1].jeffreys <= goal * min(1.0, draws / fewest)
        if agrees and agreed:
            moved = float(jeffreys(*(_named(one, target, family) for one in (before, current))))
            history[-1] = Agreement(draws, max(history[-1].jeffreys, moved))
            reached = moved <= goal
            if reached and hides_optimum(target, family, current, goal):
                obstacle = Reason.COLLINEAR.told()
        elif left > goal and len(history) > 1:
            obstacle = why_not_converged(target, family, current, goal, rng)
        farther = 2 if agreed else max(farther, int(agrees))
        agreed = agrees and not agreed
        if not (reached or obstacle or agreed):
            more = min(more_draws(draws, history[-1].jeffreys, goal), most)
            if more <= draws:
                obstacle = Reason.DISAGREEMENT.told(draws=draws, goal=goal, share=STRICTNESS)
            else:
                draws = more
    # Jumps may be why the optimiser did not rest, or it may rest where gradients alone are zero.
    if not nowhere and (obstacle is None or obstacle.reason not in WITHOUT_OPTIMUM):
        jump = discontinuity_obstacle(target, family, current, goal, rng.spawn(1)[0])
        if jump is not None:
            obstacle, history[-1] = jump, Agreement(draws, np.inf)
    distribution = _named(current, target, family)
    if obstacle is None and (outside := outside_support(target, distribution)):
        obstacle = Reason.OUTSIDE_SUPPORT.told(where=outside)
    return Optimum(
        distribution=distribution,
        gaussian=current,
        obstacle=obstacle,
        jeffreys=_latest(history),
        history=tuple(history),
        draws=draws,
        others=_other_optima(target, family, candidates),
        starts=len(starts) + further.searches,
        led=candidates[0].start < len(starts)
        or any(one.start < len(starts) and one.remaining < 0.1 for one in candidates),
    )


def _fixed_optima(
    density: MeteredDensity,
    family: ScaleFamily,
    start: Gaussian,
    draws: int,
    farther: int,
    accuracy: float,
    rng: np.random.Generator,
) -> list[Minimum]:
    """The optima over two independent sets of so many draws, of which the last `farther` reach farther.

    A density that is not finite there, and is at normal draws, is not asked farther out, nor one of many
    dimensions.
    """
    found = []
    if family.dimension > MOST_DIMENSIONS:
        farther = 0
    for kind in range(2):
        if kind >= 2 - farther:
            there = farther_draws(density, family, start, draws, rng)
            far = minimise(density, family, start, there.draws, accuracy, there.ratios)
            if np.isfinite(far.value):
                found.append(far)
                continue
        found.append(minimise(density, family, start, normal_draws(draws, family.dimension, rng), accuracy))
    return found


def _middle(family: ScaleFamily, p: Gaussian, q: Gaussian) -> Gaussian:
    """Half way between two that are close."""
    return Gaussian(0.5 * (p.mean + q.mean), family.middle(p.root, q.root))


def _other_optima(
    target: TargetDensity, family: ScaleFamily, candidates: list[Candidate]
) -> tuple[float, ...]:
    """ELBOs, less the best one's, of converged optima that are other Gaussians than the best."""
    best = candidates[0]
    best_named = _named(best.gaussian, target, family)
    return tuple(
        float(best.value - other.value)
        for other in candidates[1:]
        if other.remaining < 0.1 and jeffreys(best_named, _named(other.gaussian, target, family)) > 1.0
    )


def _named(gaussian: Gaussian, target: TargetDensity, family: ScaleFamily) -> Snapshot:
    return NamedMultivariateNormal(gaussian.mean, family.covariance(gaussian.root), target.variables)


def _latest(history: list[Agreement]) -> float:
    """The larger of the last two disagreements, or the only one."""
    return max(agreement.jeffreys for agreement in history[-2:])
