"""The Gaussian of a family with the largest ELBO, by fixed draws, and how well it is known."""

from __future__ import annotations

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
    distribution, gaussian : NamedMultivariateNormal, Gaussian
        The optimum, with and without names.
    reached : bool
        Whether it is known within the tolerance.
    reason : str
        Why it is not; empty where it is.
    jeffreys : float
        Its error, in nats: the largest of what the last two pairs differed by, what the optimiser left and
        what a fresh set of draws would still have moved.
    history : tuple of Agreement
    draws : int
        Number of draws in each of the last sets.
    others : tuple of float
        ELBOs, less this one's, of worse optima that other starts led to.
    """

    distribution: NamedMultivariateNormal
    gaussian: Gaussian
    reached: bool
    reason: str
    jeffreys: float
    history: tuple[Agreement, ...]
    draws: int
    others: tuple[float, ...]


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
    if limit := too_large(family):
        raise ValueError(limit)
    correlated, d = needs_covariances(family), family.dimension
    fewest = max(FIRST_DRAWS, _power_of_two(8 * d) if correlated else 0)
    most = max(fewest, min(most_draws, MOST_NUMBERS // d))
    goal, accuracy = tolerance / STRICTNESS, 1e-2 * tolerance

    report("coarse optimum")
    coarse = normal_draws(max(COARSE_DRAWS, _power_of_two(4 * d) if correlated else 0), d, rng)
    candidates = _coarse_optima(target, family, starts, coarse, 0.1 * tolerance)
    if not candidates:
        raise ValueError(NO_FINITE_ELBO)

    current, draws, history, reached, reason = candidates[0].gaussian, fewest, [], False, ""
    while True:
        first, second = (
            minimise(target, family, current, normal_draws(draws, d, rng), accuracy) for _ in range(2)
        )
        left = max(first.remaining, second.remaining)
        if not np.isfinite(left):
            history.append(Agreement(draws, np.inf))
            reason = NO_REST if np.isfinite(first.value + second.value) else NOT_FINITE
            break
        apart = float(jeffreys(*(_named(one.gaussian, target, family) for one in (first, second))))
        history.append(Agreement(draws, max(apart, left)))
        report(f"{draws:,d} draws: independent optima agree to {history[-1].jeffreys:.2g} nats")
        current = _between(first.gaussian, second.gaussian, family)
        if len(history) > 1 and _latest(history) <= goal:
            _, moved = Chart(target, family, current, normal_draws(draws, d, rng)).newton_step()
            history[-1] = Agreement(draws, max(history[-1].jeffreys, moved))
            reached = moved <= goal
        elif left > goal and len(history) > 1:
            reason = NO_REST
        if not (reached or reason) and 2 * draws > most:
            reason = f"independent sets of {draws:,d} draws do not agree to {goal:.2g} nats"
        if reached or reason:
            break
        draws *= 2
    return Optimum(
        distribution=_named(current, target, family),
        gaussian=current,
        reached=reached,
        reason=reason,
        jeffreys=_latest(history),
        history=tuple(history),
        draws=draws,
        others=_other_optima(target, family, candidates),
    )


NOT_FINITE = "the log density was not finite at some of the draws"
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
    best_named = _named(best.gaussian, target, family)
    return tuple(
        float(best.value - other.value)
        for other in candidates[1:]
        if other.remaining < 0.1 and jeffreys(best_named, _named(other.gaussian, target, family)) > 1.0
    )


def _named(gaussian: Gaussian, target: LogDensity, family: ScaleFamily) -> NamedMultivariateNormal:
    return NamedMultivariateNormal(gaussian.mean, family.covariance(gaussian.root), target.variables)


def _between(p: Gaussian, q: Gaussian, family: ScaleFamily) -> Gaussian:
    return Gaussian(0.5 * (p.mean + q.mean), family.middle(p.root, q.root))


def _latest(history: list[Agreement]) -> float:
    """The larger of the last two disagreements, or the only one."""
    return max(agreement.jeffreys for agreement in history[-2:])


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
