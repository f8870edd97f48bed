"""How a fit that was watched ended: its status, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from math import isfinite, nan
from typing import NamedTuple

from kl_plugins.variational.optimum.distance import OptimumDistance
from kl_plugins.variational.optimum.iterates import MOVING
from kl_plugins.variational.report.formatting import against_limit, rounded_up

REST_SHARE = 0.25
"""What share of the tolerance the Monte Carlo error of the average, and unchecked the drift, may have."""


class Status(StrEnum):
    """What a fit has come to, as it is shown."""

    RUNNING = "running"
    CONVERGED = "converged"
    NOT_OPTIMAL = "stationary but not optimal"
    STATIONARY = "stationary"
    NOT_STATIONARY = "not stationary"
    STOPPED_FROM_OUTSIDE = "stopped from outside"
    DIVERGED = "diverged"

    __repr__ = str.__repr__  # users compare with, and print, the text


STOPPED = (Status.CONVERGED, Status.NOT_OPTIMAL, Status.STATIONARY)
"""Of fits that were stopped, and whose average was taken."""


class NotConvergedWarning(UserWarning):
    """A fit that was watched ended, and it was not shown to be at the optimum of its family.

    Examples
    --------
    >>> import warnings
    >>> import pymc as pm
    >>> from kl_plugins.variational import KLConvergence, NotConvergedWarning
    >>> monitor = KLConvergence(check=False)
    >>> with pm.Model(), warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     x = pm.Normal("x", 3.0, 2.0)
    ...     approximation = pm.fit(20, callbacks=[monitor], progressbar=False)
    >>> NotConvergedWarning in [warning.category for warning in caught], monitor.status
    (True, 'not stationary')
    """


WITHOUT_LOSSES = (
    "KLConvergence cannot see the end of a fit without losses (score=False, ASVGD): it may stop the fit, but "
    "will not say how it ended otherwise; leave score=True"
)


class Look(NamedTuple):
    """What was measured of the last half of the iterates, at an iteration; divergences are in nats.

    Attributes
    ----------
    iteration : int
    jeffreys : float
        Monte Carlo error of the average: its expected Jeffreys divergence from that of endless iterates.
    rhat : float
        Largest split-R̂ of a parameter, over the quarters of the window.
    drift : float
        Jeffreys divergence between the averages of two quarters, of the parameters with R̂ above 1.1
        alone.
    to_optimum : float
        Jeffreys divergence of the average from the optimum, at most; NaN until that is computed.
    at_most : float
        The same by the noise of the steps alone, at a confidence of 95 %, where iterates rest and there is no
        optimum to compare with: it assumes that the steps follow the gradient on average. NaN elsewhere.
    """

    iteration: int
    jeffreys: float
    rhat: float
    drift: float
    to_optimum: float
    at_most: float = nan


def rests(look: Look, history: Sequence[Look], tolerance: float) -> bool:
    """Whether nothing drifts, or so little that it does not matter, and that not steadily.

    What drifts steadily drifts ever further as the window grows.
    """
    if look.rhat <= MOVING:
        return True
    earlier = [past.drift for past in history if 2 * past.iteration <= look.iteration]
    return look.drift <= REST_SHARE * tolerance and bool(earlier) and look.drift <= earlier[-1]


def converged(look: Look, at_rest: bool) -> str:
    """Of a fit whose average is within the tolerance."""
    what = (
        f"that average is at most {rounded_up(look.to_optimum)} nats (Jeffreys divergence) from the best "
        "approximation of its family"
    )
    if not at_rest:
        what += (
            f". Single iterates still drift, by {look.drift:.2g} nats over the last half, but the result "
            "is their average: a longer fit is not needed, and could settle farther off"
        )
    return what


def of_rank(distance: OptimumDistance) -> str:
    """What the optimum is of a fit of low rank; empty of any other."""
    return "".join(f". {line[0].upper()}{line[1:]}" for line in distance.about_rank)


def what_was_taken(writable: bool, holder: str) -> str:
    """What the approximation holds: parameters that graphs of the user's compute cannot be set."""
    if writable:
        return f"{holder} holds the average of the last half of the iterates"
    return f"monitor.average is that of the last half of the iterates, {holder} holds the last iterate"


def holds_last(holder: str) -> str:
    return f"{holder[0].upper()}{holder[1:]} holds the last iterate"


def stationary(look: Look, unchecked: str) -> str:
    return (
        f"its Monte Carlo error is {look.jeffreys:.2g} nats (Jeffreys divergence). It was not compared with "
        f"the best approximation of its family ({unchecked}): stationary is not yet optimal{by_noise(look)}"
    )


def by_noise(look: Look) -> str:
    """What the noise of the steps says of a fit at rest, and what would say more; empty of any other."""
    if not isfinite(look.at_most):
        return ""
    return (
        f". By the noise of its steps the average is at most {rounded_up(look.at_most)} nats from that "
        "approximation, at 95 % confidence, if they follow the gradient on average: small steps of pm.sgd, "
        "pm.momentum and pm.adam do, those of pm.fit's default optimiser do not, and settle where scales are "
        "some 8 % too wide. To know more takes the log density of all the data (pm.Minibatch with "
        "total_size), or a model of a sample of them, to which distance_to_optimum compares the fit"
    )


def not_optimal(look: Look, tolerance: float, needed: float, doubt: str) -> str:
    """Of a stationary fit that is farther from the optimum than the tolerance."""
    away = against_limit(look.to_optimum, tolerance, 3).value
    what = (
        f"it is {away} nats (Jeffreys divergence) from the best approximation of its family, the tolerance "
        f"is {tolerance:g}; {_pace(needed)}. Use kl_plugins.variational.fit, or take the optimum that was "
        "found, monitor.write_back(monitor.distance.optimum), or another optimiser or learning rate"
    )
    return f"{what} ({doubt})" if doubt else what


def still_moving(look: Look, tolerance: float, at_rest: bool) -> str:
    """Of a fit at its end that nothing stopped: what moves, and why that is too much."""
    most, rhat = REST_SHARE * tolerance, against_limit(look.rhat, MOVING, 3).value
    error = f"the Monte Carlo error of the average is {look.jeffreys:.2g} nats"
    if look.jeffreys > most:
        error += f" (at most {most:.2g} is wanted, a quarter of the tolerance)"
    if look.rhat <= MOVING:
        return f"no parameter drifts (R̂ up to {rhat}), {error}"
    if at_rest:
        why = "which is little enough"
    elif look.drift > tolerance:
        why = f"more than the tolerance of {tolerance:g}"
    elif look.drift > most:
        why = (
            f"less than the tolerance of {tolerance:g}, but more than a quarter of it ({most:.2g}), which is "
            "the most that counts as stationary, since it may go on"
        )
    else:
        why = "which is little, but no less than after half as many iterations, so that it may go on"
    return (
        f"over the last half of the iterates some parameters drift (R̂ up to {rhat}, at most {MOVING:g} "
        f"is wanted) by {look.drift:.2g} nats (Jeffreys divergence), {why}; {error}"
    )


def away(look: Look, last: float, arrived: bool, needed: float) -> str:
    """How far a fit that was not stopped is from the optimum."""
    what = (
        f". The average is {look.to_optimum:.3g} nats from the best approximation of its family, the last "
        f"iterate {last:.3g}"
    )
    if arrived:
        return f"{what}, which is within the tolerance; the average of a longer fit may be so too"
    return f"{what}; {_pace(needed)}"


def after(iteration: int, what: str) -> str:
    """What follows the status of a fit that was judged."""
    return f" after {iteration:,d} iterations: {what}"


def so_far(status: Status, iteration: int) -> str:
    """What follows the status of a fit that was not: it runs, or something else has ended it."""
    if status is not Status.RUNNING:
        return (
            f" after {iteration:,d} iterations, by another callback, an interrupt or an error: whether "
            "it had converged is not known"
        )
    return f", last called at iteration {iteration:,d}" if iteration else ", no iteration seen yet"


def diverged(iteration: int, what: str) -> str:
    """What follows the status of a fit whose parameters or loss are no numbers."""
    return (
        f" by iteration {iteration} ({what}); try a smaller learning rate, rescale the model, or use "
        "kl_plugins.variational.fit"
    )


def advice(why_not_compared: str | None) -> str:
    if why_not_compared is not None:
        return (
            "Refine the fit, with smaller steps. It was not compared with the best approximation of its "
            f"family: {why_not_compared}"
        )
    return "Refine the fit, or use kl_plugins.variational.fit; distance_to_optimum says how far it is"


def _pace(needed: float) -> str:
    if not isfinite(needed):
        return "that distance does not shrink"
    if needed == 0.0:
        return (
            "the last quarter of the iterates is within the tolerance; the average of a longer fit may be too"
        )
    about = f"{float(f'{needed:.1e}'):,.0f}"
    return f"at the present pace it would take about {about} more iterations"
