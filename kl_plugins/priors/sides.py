"""The parameters between a base model and an end of the bounds, and how distances grow along them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import expit

from kl_plugins.ops.protocol import FloatArray

PLACES = np.concatenate([np.linspace(-30.0, 34.0, 513), np.linspace(44.0, 700.0, 83)])
"""Where a side is measured (`Side.parameter`). Before −30 distances are too small for mass to matter;
towards the end they may grow as slowly as logarithms do, and mass goes on as far as doubles go."""
ROUNDING = 1e-6
"""By how much a distance may fall, relative to it and to that of `at`, and still count as growing."""
OVERFLOW = 1e20
"""A distance, relative to that of `at`, after which what is not finite has overflown."""
FAR = 30.0
"""The place after which distances that end or fall are ones that cannot be computed: the mass ends there."""
NEGLIGIBLE = 1e-6
"""A share of the mass without which a side may end, as where tanh(z) is rounded to 1."""
NEAREST = 1e-6
"""A distance, relative to that of `at`, below which slopes of divergences may be all rounding."""


@dataclass(frozen=True)
class Side:
    """The parameters from the base model to one end of the bounds."""

    base: float
    end: float
    scale: float
    """How far `at` is from the base, or from the end where the base is infinite."""
    centre: float
    """`at`, around which a side without a finite end is measured."""
    nearest: float
    """Nothing nearer to the base is measured: the base itself, or a parameter near to an infinite one."""

    @classmethod
    def of(cls, base: float, end: float, at: float) -> Side:
        finite = base if math.isfinite(base) else end
        return cls(base, end, abs(at - finite) if math.isfinite(finite) else 1.0, at, base)

    @property
    def direction(self) -> float:
        """The sign of a step from the base to the end."""
        return 1.0 if self.end > self.base else -1.0

    def parameter(self, place: FloatArray) -> FloatArray:
        """The parameters at places of the real line: the base is at −∞, the end at +∞."""
        with np.errstate(over="ignore"):
            if math.isfinite(self.base) and math.isfinite(self.end):
                width = self.end - self.base
                near_base = self.base + width * expit(place)
                return np.asarray(np.where(place < 0.0, near_base, self.end - width * expit(-place)))
            if math.isfinite(self.base):
                return self.base + self.direction * self.scale * np.exp(place)
            if math.isfinite(self.end):
                return self.end - self.direction * self.scale * np.exp(-place)
            return np.asarray(self.centre + self.direction * self.scale * np.sinh(place))

    def inner_places(self) -> FloatArray:
        """The places whose parameters are numbers that differ from the base and from the end."""
        theta = self.parameter(PLACES)
        beyond = self.direction * (theta - self.nearest) > 0.0
        return np.asarray(PLACES[np.isfinite(theta) & beyond & (theta != self.end)])


@dataclass(frozen=True)
class Measured:
    """A side with its distances, which grow from the base to the end."""

    side: Side
    largest: float
    """What distances tend to at the end: infinity, mostly."""
    reach: float
    """The largest distance that was computed."""
    place: Any
    """The place by the logarithm of the distance."""
    gap: float
    """How far from the base the distance is `NEAREST`; 0 where the base is infinite."""
    power: float
    """Near the base the distance grows as this power of the difference of parameters."""

    def parameter(self, distance: FloatArray) -> FloatArray:
        """The parameters at these distances."""
        with np.errstate(divide="ignore"):
            logs = np.clip(np.log(distance), self.place.x[0], self.place.x[-1])
        return self.side.parameter(self.place(logs))


def measure(side: Side, distances: Callable[[FloatArray], FloatArray], enough: float) -> Measured:
    """Measure a side, where a function gives distances relative to that of `at`.

    `enough` is a distance beyond which there is no mass worth keeping.

    Raises
    ------
    ValueError
        If the distances do not grow from the base to the end, or end before it.
    """
    places, found = computed_near_base(side, distances)
    count = _count_computed(side, places, found, enough)
    places, found = places[:count], np.maximum.accumulate(found[:count])
    logs, first = np.unique(np.log(found[found > 0.0]), return_index=True)
    place = PchipInterpolator(logs, places[found > 0.0][first])
    largest = float(found[-1]) if _levels_off(places, found) else math.inf
    return Measured(side, largest, float(found[-1]), place, *_near_base(side, place, distances))


def computed_near_base(
    side: Side, distances: Callable[[FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Places and their distances, without those where functions overflow on the way to an infinite base."""
    places = side.inner_places()
    found = distances(side.parameter(places))
    if math.isfinite(side.base):
        return places, found
    first = int(np.argmax(np.isfinite(found)))
    return places[first:], found[first:]


def _count_computed(side: Side, places: FloatArray, found: FloatArray, enough: float) -> int:
    """How many distances there are until they end or fall, for which there must be a good reason."""
    with np.errstate(invalid="ignore"):
        steps = np.diff(found, prepend=0.0)
    before = np.concatenate([[0.0], found[:-1]])
    bad = np.flatnonzero(~(steps >= -ROUNDING * np.maximum(before, 1.0)) | ~np.isfinite(found))
    if not bad.size:
        return len(found)
    first = int(bad[0])
    if before[first] > OVERFLOW or places[first] > FAR:
        return first
    if not np.isfinite(found[first]) and before[first] > enough:
        return first
    start, end = side.parameter(places[[max(first - 1, 0), first]])
    grows = f"the distance has to grow from the base at {side.base:g} towards {side.end:g}, but "
    if np.isfinite(found[first]):
        raise ValueError(
            f"{grows}from parameter {start:.6g} to {end:.6g} it falls from {before[first]:.6g} to "
            f"{found[first]:.6g} times that of at: choose bounds within which it grows"
        )
    raise ValueError(
        f"{grows}between parameter {start:.6g} and {end:.6g} it ends: beyond, the divergence is "
        f"{'not a number' if np.isnan(found[first]) else 'infinite'}, or family(parameter) is no "
        "distribution. End the bounds where the family's parameter has to end, as bounds=(0, inf) do for a "
        "positive one; or, where this is due to rounding, as tanh(z) is 1 from z = 19 on, before it, for "
        f"example at {start:.3g}"
    )


def _levels_off(places: FloatArray, found: FloatArray) -> bool:
    """Whether distances tend to a number: increments shrink by factors, not as those of logarithms do."""
    half, three_quarters = np.interp([places[-1] / 2.0, places[-1] * 0.75], places, found)
    last, before = found[-1] - three_quarters, three_quarters - half
    return bool(last <= max(0.3 * before, ROUNDING * found[-1]))


def _near_base(side: Side, place: Any, distances: Callable[[FloatArray], FloatArray]) -> tuple[float, float]:
    """Where the distance is as small as `NEAREST`, and the power of the difference that it is near there."""
    if not math.isfinite(side.base):
        return 0.0, 1.0
    logs = np.log([NEAREST, 100.0 * NEAREST, 200.0 * NEAREST])
    theta = side.parameter(place(np.clip(logs, place.x[0], place.x[-1])))
    gap, *differences = np.abs(theta - side.base)
    power = float(np.diff(np.log(distances(theta[1:])))[0] / np.diff(np.log(differences))[0])
    return float(gap), 1.0 if abs(power - 1.0) < 1e-3 else power
