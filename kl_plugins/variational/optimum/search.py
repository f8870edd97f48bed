"""The Gaussian of a family with the largest ELBO, by fixed draws, and how well it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kl_plugins.dispatch import jeffreys
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot
from kl_plugins.variational.optimum.candidates import COARSE_DRAWS, Candidate, coarse_optima
from kl_plugins.variational.optimum.fixed_draws import WhitenedELBO, minimise
from kl_plugins.variational.optimum.nonconvergence import (
    discontinuity_obstacle,
    hides_optimum,
    why_not_converged,
)
from kl_plugins.variational.optimum.progress import Report
from kl_plugins.variational.optimum.propriety import collapse, outside_support, within_turn, wraps_around
from kl_plugins.variational.optimum.reasons import WITHOUT_OPTIMUM, WITHOUT_REST, Obstacle, Reason
from kl_plugins.variational.optimum.scale_families import Gaussian, ScaleFamily, normal_draws
from kl_plugins.variational.target.density import TargetDensity

FIRST_DRAWS = 512
EXTENSIVE = 2**17
"""A log density of so many numbers is evaluated over as few draws as will do."""
MOST_DRAWS = 2**16
MOST_NUMBERS = 2**27
"""Draws times dimensions that are held at once (a gigabyte)."""
STRICTNESS = 4.0
"""Two optima must agree to the tolerance over this."""
FULL_RANK_DIMENSIONS = 500
"""Above so many correlated dimensions the d(d + 1)/2 covariances take too many draws."""


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
        Its error, in nats: the largest of what the last two pairs differed by, what the optimiser left and
        what a fresh set of draws would still have moved.
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
        """Whether the optimiser came to rest, so that more draws are all that may be missing."""
        return self.obstacle is None or self.obstacle.reason not in WITHOUT_REST


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
    most_draws: int = MOST_DRAWS,
    report: Report = lambda message: None,
    further: FurtherStarts = NO_FURTHER_STARTS,
) -> Optimum:
    """Maximise the ELBO over ever more fixed draws until independent sets of them agree.

    A coarse optimum from every start and from `further`, over the same few draws; the best of them starts
    the pairs, of equals the one from the earliest start. Each pair is two independent sets of draws, twice
    as many as the pair before, until the optima over them agree to a quarter of the tolerance twice in a row
    (one agreement may be luck), and the ELBO over a fresh set has its maximum that close too. Sets of fewer
    draws than usual have to agree that much better. Gradients do not see jumps of the log density: these are
    looked for.
    """
    if limit := too_large(family):
        raise ValueError(limit)
    correlated, d = needs_covariances(family), family.dimension
    fewest = fewest_draws(family)
    if most_draws < fewest:
        raise ValueError(
            f"max_draws must be at least {fewest} for {d} correlated variables, got {most_draws}"
        )
    most = max(fewest, min(most_draws, MOST_NUMBERS // d))
    goal, accuracy = tolerance / STRICTNESS, 1e-2 * tolerance

    report("coarse optimum from every start")
    coarse = normal_draws(max(COARSE_DRAWS, _power_of_two(4 * d) if correlated else 0), d, rng)
    every = [*starts, *further.starts]
    candidates = coarse_optima(target, family, every, coarse, 0.1 * tolerance)
    if not candidates:
        raise NoFiniteELBOError

    current, draws = candidates[0].gaussian, first_draws(target, family)
    history: list[Agreement] = []
    obstacle = wraps_around(target, current)
    if obstacle is not None:
        current = within_turn(target, starts[0])
    elif endless := collapse(target, current):
        obstacle = Reason.UNBOUNDED_ELBO.told(where=endless)
    if obstacle is not None:
        history.append(Agreement(len(coarse), np.inf))
    reached = False
    while not (reached or obstacle):
        first, second = (
            minimise(target, family, current, normal_draws(draws, d, rng), accuracy) for _ in range(2)
        )
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
        p, q = first.gaussian, second.gaussian
        current = Gaussian(0.5 * (p.mean + q.mean), family.middle(p.root, q.root))
        if obstacle := wraps_around(target, current):
            history[-1], current = Agreement(draws, np.inf), within_turn(target, starts[0])
            break
        if len(history) > 1 and _latest(history) <= goal * min(1.0, history[-2].draws / fewest):
            _, moved = WhitenedELBO(target, family, current, normal_draws(draws, d, rng)).newton_step()
            history[-1] = Agreement(draws, max(history[-1].jeffreys, moved))
            reached = moved <= goal
            if reached and hides_optimum(target, family, current, goal):
                obstacle = Reason.COLLINEAR.told()
        elif left > goal and len(history) > 1:
            obstacle = why_not_converged(target, family, current, goal, rng)
        if not (reached or obstacle):
            if 2 * draws > most:
                obstacle = _disagreement(history, goal)
            else:
                draws *= 2
    # Jumps may be why the optimiser did not rest, or it may rest where gradients alone are zero.
    if obstacle is None or obstacle.reason not in WITHOUT_OPTIMUM:
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


def first_draws(target: TargetDensity, family: ScaleFamily) -> int:
    """How many draws the first sets have: fewer than usual where each takes long, as those of many rows do.

    The more rows, the nearer a posterior is to a Gaussian, of which sets with exact moments agree at once.
    """
    fewest = fewest_draws(family)
    if target.numbers < EXTENSIVE:
        return fewest
    return min(fewest, max(COARSE_DRAWS, draws_for_covariances(family), _power_of_two(4 * family.dimension)))


def _disagreement(history: list[Agreement], goal: float) -> Obstacle:
    """What is missing where no more draws are allowed."""
    draws, apart = history[-1]
    if apart > goal:
        return Reason.DISAGREEMENT.told(draws=draws, goal=goal, share=STRICTNESS)
    return Reason.ONE_AGREEMENT.told(draws=draws, apart=apart, goal=goal, share=STRICTNESS)


def too_large(family: ScaleFamily) -> str:
    """Why the family has too many dimensions, empty where it has not."""
    if needs_covariances(family) and family.dimension > FULL_RANK_DIMENSIONS:
        return (
            f"the optimum of correlated approximations is found for at most {FULL_RANK_DIMENSIONS} "
            f"dimensions, this one has {family.dimension}; the mean-field optimum can be had"
        )
    return ""


def needs_covariances(family: ScaleFamily) -> bool:
    return len(family.metric) > family.dimension


def draws_for_covariances(family: ScaleFamily) -> int:
    """Over fewer draws the covariances of correlated coordinates collapse; 0 where there are none."""
    return _power_of_two(8 * family.dimension) if needs_covariances(family) else 0


def fewest_draws(family: ScaleFamily) -> int:
    """How many draws a set has at least."""
    return max(FIRST_DRAWS, draws_for_covariances(family))


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


def _power_of_two(least: int) -> int:
    return 1 << max(least - 1, 0).bit_length()
