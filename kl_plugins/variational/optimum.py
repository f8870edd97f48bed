"""The Gaussian of a family with the largest ELBO, by fixed draws, and how well it is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kl_plugins.dispatch import jeffreys
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.variational.draws import normal_draws
from kl_plugins.variational.fixed_draws import Chart, Minimum, minimise, negative_elbo
from kl_plugins.variational.log_density import LogDensity
from kl_plugins.variational.scale_families import Gaussian, ScaleFamily

Array = NDArray[np.float64]

FIRST_DRAWS = 512
COARSE_DRAWS = 128
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
    distribution : NamedMultivariateNormal
    reached : bool
        Whether two pairs of optima in a row agreed within the tolerance.
    reason : str
        Why it was not reached; empty where it was.
    jeffreys : float
        The error of the optimum, in nats: the largest of what the last two pairs differed by, what the
        optimiser left and what a fresh set of draws would still have moved.
    history : tuple of Agreement
    others : tuple of float
        ELBOs, relative to this one's, of worse optima that other starts led to.
    """

    distribution: NamedMultivariateNormal
    reached: bool
    reason: str
    jeffreys: float
    history: tuple[Agreement, ...]
    draws: int
    evaluations: int
    seconds: float
    others: tuple[float, ...]
    gaussian: Gaussian


Report = Callable[[str], None]


def find_optimum(
    target: LogDensity,
    family: ScaleFamily,
    starts: list[Gaussian],
    tolerance: float,
    rng: np.random.Generator,
    most_draws: int = MOST_DRAWS,
    report: Report = lambda message: None,
) -> Optimum:
    """Maximise the ELBO over ever more fixed draws until independent sets of them agree.

    A coarse optimum from every start, over the same few draws; the best of them starts the pairs. Each pair
    is two independent sets of draws, twice as many as the pair before, until the optima over them agree
    to a quarter of the tolerance twice in a row (one agreement may be luck), and the ELBO over a fresh
    set has its maximum that close too.
    """
    began, evaluated = time.perf_counter(), target.evaluations
    if limit := too_large(family):
        raise ValueError(limit)
    accuracy = 1e-2 * tolerance
    correlated = needs_covariances(family)
    fewest = max(FIRST_DRAWS, _power_of_two(8 * family.dimension) if correlated else 0)
    most = max(fewest, min(most_draws, MOST_NUMBERS // family.dimension))

    report("coarse optimum")
    coarse = normal_draws(
        max(COARSE_DRAWS, _power_of_two(4 * family.dimension) if correlated else 0), family.dimension, rng
    )
    candidates = _coarse_optima(target, family, starts, coarse, 0.1 * tolerance)
    if not candidates:
        raise ValueError(NO_FINITE_ELBO)
    best = candidates[0]
    others = _other_optima(target, family, candidates)

    def named(gaussian: Gaussian) -> NamedMultivariateNormal:
        return NamedMultivariateNormal(gaussian.mean, family.covariance(gaussian.root), target.variables)

    history: list[Agreement] = []
    current, draws, reached, reason = best.gaussian, fewest, False, ""
    goal = tolerance / STRICTNESS
    while True:
        pair = [
            minimise(target, family, current, normal_draws(draws, family.dimension, rng), accuracy)
            for _ in range(2)
        ]
        left = max(member.remaining for member in pair)
        if not np.isfinite([member.value for member in pair]).all():
            reason = "the log density was not finite at some of the draws"
            break
        if not np.isfinite(left):
            history.append(Agreement(draws, np.inf))
            reason = NO_REST
            break
        first, second = pair[0].gaussian, pair[1].gaussian
        stuck = left > goal
        history.append(Agreement(draws, max(float(jeffreys(named(first), named(second))), left)))
        report(f"{draws:,d} draws: independent optima agree to {history[-1].jeffreys:.2g} nats")
        current = Gaussian(0.5 * (first.mean + second.mean), family.middle(first.root, second.root))
        if len(history) > 1 and max(agreement.jeffreys for agreement in history[-2:]) <= goal:
            fresh = Chart(target, family, current, normal_draws(draws, family.dimension, rng)).newton_step()[
                1
            ]
            history[-1] = Agreement(draws, max(history[-1].jeffreys, fresh))
            if fresh <= goal:
                reached = True
                break
        if stuck and len(history) > 1:
            reason = (
                "the optimiser did not come to rest: the ELBO may have no maximum (an improper posterior?)"
            )
            break
        if 2 * draws > most:
            reason = f"independent sets of {draws:,d} draws do not agree to {goal:.2g} nats"
            break
        draws *= 2
    return Optimum(
        distribution=named(current),
        reached=reached,
        reason=reason,
        jeffreys=max((agreement.jeffreys for agreement in history[-2:]), default=np.inf),
        history=tuple(history),
        draws=draws,
        evaluations=target.evaluations - evaluated,
        seconds=time.perf_counter() - began,
        others=others,
        gaussian=current,
    )


NO_REST = "the optimiser did not come to rest: the ELBO may have no maximum (an improper posterior?)"

NO_FINITE_ELBO = (
    "the ELBO is not finite for any Gaussian that was tried: the log density is −∞ or NaN at points that a "
    "Gaussian reaches. A variable with bounds and no transform, or data that are impossible for some "
    "parameters, are the usual reasons"
)


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


def _coarse_optima(
    target: LogDensity, family: ScaleFamily, starts: list[Gaussian], draws: Array, accuracy: float
) -> list[Minimum]:
    """The optima that the starts lead to, best first."""
    found = [minimise(target, family, start, draws, accuracy) for start in starts]
    return sorted((one for one in found if np.isfinite(one.value)), key=lambda one: one.value)


def _other_optima(target: LogDensity, family: ScaleFamily, candidates: list[Minimum]) -> tuple[float, ...]:
    best = candidates[0]

    def distribution(one: Minimum) -> NamedMultivariateNormal:
        return NamedMultivariateNormal(
            one.gaussian.mean, family.covariance(one.gaussian.root), target.variables
        )

    return tuple(
        best.value - other.value
        for other in candidates[1:]
        if other.remaining < 0.1 and jeffreys(distribution(best), distribution(other)) > 1.0
    )


def elbo_gap(
    target: LogDensity, family: ScaleFamily, q: Gaussian, best: Gaussian, count: int, rng: np.random.Generator
) -> tuple[float, float]:
    """ELBO(best) − ELBO(q) over fresh draws, common to both, and its standard error, in nats."""
    gaps = []
    for _ in range(4):
        draws = normal_draws(count, family.dimension, rng)
        gaps.append(negative_elbo(target, family, q, draws) - negative_elbo(target, family, best, draws))
    return float(np.mean(gaps)), float(np.std(gaps, ddof=1) / 2.0) if np.isfinite(gaps).all() else np.inf


def _power_of_two(least: int) -> int:
    return 1 << max(least - 1, 0).bit_length()
