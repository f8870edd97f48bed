"""Where distributions live, and how exact their log densities are: looked at before anything is summed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kl_plugins.estimate.clock import Clock, TimeIsUpError
from kl_plugins.estimate.density import Density
from kl_plugins.estimate.substitution import piece_between
from kl_plugins.estimate.terms import LEAST_LACK
from kl_plugins.ops.protocol import FloatArray

_LEVELS = np.array(
    [0.5, 0.25, 0.75, 0.02, 0.1, 0.9, 0.98, 1e-12, 1e-8, 1e-5, 1e-3, 0.999, 1 - 1e-5, 1 - 1e-8]
)
"""The most useful first, as time may be up."""
_DRAWS, _PATIENCE = (16, 128, 1_024, 4_000), 0.5
_FAILURES = (ArithmeticError, NotImplementedError, RuntimeError, TypeError, ValueError)
"""What quantiles may raise that are found by numerical inversion."""
_FACTOR = 16.0
"""A mass is found to so many times the rounding of the log density."""


def landmarks(density: Density, clock: Clock) -> FloatArray:
    """Places that show where the distribution lives: quantiles, or those of draws of a fixed seed, or places
    where the density is large on a wide grid. Quantiles that fail or take too long are left out.
    """
    found: FloatArray = np.empty(0)
    with np.errstate(all="ignore"):
        if density.quantile is not None:
            found = _finite(_quantiles(density.quantile, clock))
        if len(found) == 0 and density.sample is not None:
            found = _finite(np.quantile(_draws(density.sample, clock), np.concatenate([_LEVELS, [0.0, 1.0]])))
        if len(found) == 0 and density.event_shape == ():
            found = _where_large(density, clock)
    return found


def _quantiles(quantile: Callable[[FloatArray], FloatArray], clock: Clock) -> FloatArray:
    """The quantiles at the levels, all at once if that is quick, without those that fail."""
    found: list[FloatArray] = []
    try:
        clock.timed(lambda: quantile(_LEVELS[:1]), counts=False)
        if clock.timed(lambda: quantile(_LEVELS[:1]))[1] * len(_LEVELS) < 0.1 * _PATIENCE * clock.limit:
            return np.asarray(quantile(_LEVELS), np.float64)
    except _FAILURES:
        pass
    for level in _LEVELS:
        try:
            clock.check(_PATIENCE)
            found.append(np.asarray(quantile(np.array([level])), np.float64))
        except _FAILURES:
            continue
        except TimeIsUpError:
            clock.cut = True
            break
    return np.concatenate([np.empty(0), *found])


def _draws(sample: Callable[[int, np.random.Generator], FloatArray], clock: Clock) -> FloatArray:
    """Draws of a fixed seed, fewer if they take long."""
    found: FloatArray = np.empty(0)
    clock.drawn(sample, 1, np.random.default_rng(0))
    for count in _DRAWS:
        found, took = clock.drawn(sample, count, np.random.default_rng(0))
        if _too_long(took, clock):  # or the machine did something else meanwhile: once more
            found, took = clock.drawn(sample, count, np.random.default_rng(0))
        if _too_long(took, clock):
            clock.cut = clock.cut or count < _DRAWS[-1]
            break
    return np.asarray(found, np.float64)


def _too_long(took: float, clock: Clock) -> bool:
    """Whether the next draws may take up the limit: they are up to eight times as many."""
    return took * 8.0 > clock.limit


def _finite(found: FloatArray) -> FloatArray:
    return np.unique(found[np.isfinite(found)])


def _where_large(density: Density, clock: Clock) -> FloatArray:
    """Quantiles of what the density is on a grid over many orders of magnitude."""
    low, high = map(float, density.support or (-np.inf, np.inf))
    x, slope = piece_between(low, high, []).place(np.linspace(-30.0, 30.0, 481))
    if density.measure == "discrete":
        end = next((end for end in (low, high) if np.isfinite(end)), 0.0)
        x = np.unique(np.clip(end + np.round(x - end), low, high))
        slope = np.gradient(x) if len(x) > 1 else np.ones(1)
    log_density = clock.evaluate(density.log_density, x)
    # An endless bulk between two places is next to the one where the density is largest, however small.
    mass = np.exp(log_density - np.max(log_density[np.isfinite(log_density)], initial=-np.inf)) * slope
    total = np.cumsum(np.where(np.isfinite(mass), mass, 0.0))
    if not total[-1] > 0.0:
        return np.empty(0)
    places = np.searchsorted(total / total[-1], _LEVELS)
    return np.unique(x[np.clip(places, 0, len(x) - 1)])


def mass_roundoff(density: Density, marks: FloatArray, clock: Clock) -> float:
    """What the mass of the density may lack: its log density is as smooth as that on a very short stretch.

    So far it is off a parabola there, for discrete ones a polynomial over consecutive points.
    """
    if len(marks) < 3:
        return LEAST_LACK
    middle = len(marks) // 2
    width = float(marks[3 * len(marks) // 4] - marks[len(marks) // 4])
    steps = np.arange(-8.0, 9.0)
    if density.measure == "discrete":
        if width < 500.0:
            return LEAST_LACK
        unit, degree = 1.0, 5
        centres = np.round(marks[middle - 1 : middle + 2])
    else:
        unit, degree = 1e-7 * width, 2
        centres = marks[middle - 1 : middle + 2]
    x = centres[:, None] + unit * steps
    with np.errstate(all="ignore"):
        log_density = clock.evaluate(density.log_density, x.ravel()).reshape(x.shape)
        off = []
        for place, row in zip(x - centres[:, None], log_density, strict=True):
            if np.isfinite(row).all() and np.ptp(place) > 0.0:
                basis = np.vander(place / np.ptp(place), degree + 1)
                off.append(float(np.std(row - basis @ np.linalg.lstsq(basis, row)[0])))
    return LEAST_LACK + _FACTOR * float(np.median(off)) if off else LEAST_LACK
