"""How a fit that was watched ended: its status, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from math import isfinite
from typing import NamedTuple

from kl_plugins.variational.optimum.iterates import MOVING
from kl_plugins.variational.report.formatting import against_limit, rounded_up

REST_SHARE = 0.25
"""How much of the tolerance the error of the average (and, without a check, what moves still) may take up."""


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
    """A fit that was watched ended, and what it ended at is not known to be the optimum.

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
    >>> [warning.category is NotConvergedWarning for warning in caught], monitor.status
    ([True], 'not stationary')
    """


WITHOUT_LOSSES = (
    "KLConvergence cannot see the end of a fit without losses (score=False, ASVGD): it may stop the fit, but "
    "will not say how it ended otherwise; leave score=True"
)


class Look(NamedTuple):
    """What was seen of the last half of the iterates, at an iteration; divergences are in nats.

    Attributes
    ----------
    iteration : int
    jeffreys : float
        Expected Jeffreys divergence of the average from the place that the iterates move around.
    rhat : float
        Largest split-R̂ of a parameter.
    drift : float
        Jeffreys divergence that the parameters with R̂ above 1.1 still moved.
    to_optimum : float
        Jeffreys divergence of the average from the optimum, at most; NaN while that is not known.
    """

    iteration: int
    jeffreys: float
    rhat: float
    drift: float
    to_optimum: float


def rests(look: Look, history: Sequence[Look], tolerance: float) -> bool:
    """Whether nothing moves, or so little that it does not matter, and that not steadily.

    What drifts steadily moves ever further as the window grows.
    """
    if look.rhat <= MOVING:
        return True
    earlier = [past.drift for past in history if 2 * past.iteration <= look.iteration]
    return look.drift <= REST_SHARE * tolerance and bool(earlier) and look.drift <= earlier[-1]


def converged(look: Look, at_rest: bool) -> str:
    """Of a fit whose average is within the tolerance."""
    what = f"it is at most {rounded_up(look.to_optimum)} nats (Jeffreys) from the optimum of its family"
    if not at_rest:
        what += (
            f". The iterates themselves were still moving (by {look.drift:.2g} nats): refined further, "
            "they may come to rest farther off"
        )
    return what


def what_was_taken(writable: bool) -> str:
    """What the approximation holds: parameters that graphs of the user's compute cannot be set."""
    if writable:
        return "the average of their last half was taken"
    return "their last half's average is monitor.average, the approximation has the last of them"


def stationary(look: Look, unchecked: str) -> str:
    known = f"its place is known to {look.jeffreys:.2g} nats (Jeffreys)"
    return f"{known}. This claims stationarity only ({unchecked})"


def not_optimal(look: Look, tolerance: float, needed: float, doubt: str) -> str:
    """Of a fit at rest that is farther from the optimum than the tolerance."""
    away = against_limit(look.to_optimum, tolerance, 3).value
    what = (
        f"it is {away} nats (Jeffreys) from the optimum of its family, tolerance "
        f"{tolerance:g}; {_pace(needed)}. Use kl_plugins.variational.fit, or take the optimum that was "
        "found, monitor.write_back(monitor.distance.optimum), or another optimiser or learning rate"
    )
    return f"{what} ({doubt})" if doubt else what


def still_moving(look: Look, tolerance: float, at_rest: bool) -> str:
    """Of a fit at its end that nothing stopped."""
    what = (
        f"the average of their last half is known to {look.jeffreys:.2g} nats (Jeffreys), what moves "
        f"still (R̂ up to {against_limit(look.rhat, MOVING, 3).value}) moved by {look.drift:.2g}"
    )
    most = REST_SHARE * tolerance
    if look.drift > tolerance or look.jeffreys > tolerance:
        return what
    if at_rest:
        return (
            f"{what}. At rest the average would be known to {most:.2g} nats" if look.jeffreys > most else what
        )
    return (
        f"{what}. At rest would be R̂ of at most {MOVING:g}, or a drift of at most {most:.2g} that has not "
        "grown since half as many iterations"
    )


def away(look: Look, last: float, arrived: bool, needed: float) -> str:
    """How far a fit that was not stopped is from the optimum."""
    what = (
        f", and the optimum of its family is {look.to_optimum:.3g} away from that average and "
        f"{last:.3g} from the last iterate"
    )
    if arrived:
        return f"{what}, which is within the tolerance; the average of a longer fit may be so too"
    return f"{what}; {_pace(needed)}"


def running(iteration: int) -> str:
    return (
        f"running, last seen at iteration {iteration:,d}" if iteration else "running, no iteration seen yet"
    )


def stopped_from_outside(iteration: int) -> str:
    return (
        f"stopped from outside after {iteration:,d} iterations, by another callback, an interrupt or an "
        "error: nothing is claimed of where it is"
    )


def diverged(iteration: int, what: str) -> str:
    return (
        f"the approximation diverged by iteration {iteration} ({what}); try a smaller learning "
        "rate, rescale the model, or use kl_plugins.variational.fit"
    )


def advice(why_not_compared: str | None) -> str:
    if why_not_compared is not None:
        return f"Refine the fit, with smaller steps. It was not compared: {why_not_compared}"
    return "Refine the fit, or use kl_plugins.variational.fit; distance_to_optimum says how far it is"


def _pace(needed: float) -> str:
    if not isfinite(needed):
        return "it comes no closer"
    if needed == 0.0:
        return "the second half of that is within the tolerance, and the average of a longer fit may be too"
    about = f"{float(f'{needed:.1e}'):,.0f}"
    return f"at the speed of the last half it would take about {about} more iterations to get there"
