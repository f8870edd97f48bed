"""How far a model is from its base model: d(θ) = √(2 KL(family(θ) ‖ base)), relative to d(at)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytensor.tensor as pt

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.priors.arguments import is_number
from kl_plugins.priors.divergence import Divergence, Family, Graph
from kl_plugins.priors.sides import Measured, Side, computed_near_base, measure

NEARNESS = 10.0 ** -np.arange(4, 30, 2)
"""How near to a base that is infinitely far from everything, relative to `at`, distances are taken."""
STEPS = 5.0 * 2.0 ** np.arange(6)
"""How far from `at` a base at infinity is looked for, where parameters are on the scale of logarithms."""
ROOM = 1e125
"""The largest distance of `at` that leaves room for far larger ones, whose squares do not overflow."""
PROBES = np.array([-3.0, -1.0, 1.0, 3.0])
"""Places at which distances must have a limit there."""
SAME = 1e-7
"""By how much, relatively, they may still change in the last step."""


class Distance:
    """The distance from the base model relative to that of `at`, which grows from the base towards each end.

    Where every divergence from the base is infinite it is the limit of this ratio as the base is approached.
    """

    def __init__(
        self, family: Family, base: Any, at: float, bounds: tuple[float, float], enough: float
    ) -> None:
        self.at = at
        self._divergence = Divergence(family, base)
        self._base, self._unit = math.nan, 1.0
        sides: tuple[Side, ...]
        if is_number(base):
            base = float(base)
            sides = tuple(Side.of(base, end, at) for end in bounds if end != base)
            sides = tuple(sorted(sides, key=lambda side: (side.end > base) != (at > base)))
            if not self._from(base):
                sides = (self._approach(sides),)
        else:
            if not self._from(math.nan):
                raise ValueError(
                    f"the divergence of family(parameter) from the base is not finite at at={at!r}, or "
                    "family(parameter) is no distribution there: choose another base, or `at`"
                )
            sides = (self._side_of_limit(bounds),)
        self.sides: tuple[Measured, ...] = tuple(measure(side, self.values, enough) for side in sides)

    def values(self, theta: FloatArray) -> FloatArray:
        """The distances of parameters."""
        return np.asarray(np.sqrt(2.0 * self._divergence.values(theta, self._base)) / self._unit)

    def graph(self, theta: Graph) -> tuple[Graph, Graph]:
        """The distance of a variable and the logarithm of its slope."""
        divergence, slope = self._divergence.graph(theta, self._base)
        distance = pt.sqrt(2.0 * divergence)
        unit = pt.constant(self._unit, dtype="float64")
        return distance / unit, pt.log(pt.abs(slope)) - pt.log(distance * unit)

    def _from(self, base: float) -> bool:
        """Measure from this base, in units of the distance of `at`; whether that is finite."""
        unit = self._absolute(base)
        if unit == 0.0:
            raise ValueError(f"at={self.at!r} is no farther than the base: the divergence between them is 0")
        self._unit = unit
        return math.isfinite(unit)

    def _absolute(self, base: float) -> float:
        """The distance of `at` from this base, in no unit yet."""
        self._base, self._unit = base, 1.0
        return float(self.values(np.array([self.at]))[0])

    def _approach(self, sides: tuple[Side, ...]) -> Side:
        """Measure from so near to a base that is infinitely far from everything that ratios do not change."""
        side = sides[0]
        what = f"the divergence of family(parameter) for at={self.at!r} from base {side.base:g} is not finite"
        if len(sides) > 1:
            raise ValueError(
                f"{what}, and the base is inside of the bounds: where it is the least or the largest value "
                "of the parameter, as 0 is of a standard deviation, bounds must end there, as bounds=(0, inf)"
            )
        near = self._limit(side.parameter(np.log(NEARNESS)), side.parameter(PROBES))
        if near is None and not math.isfinite(side.base):
            near = self._limit(self.at - side.direction * STEPS, self.at + side.direction * PROBES / 4.0)
            if near is not None:
                side = replace(side, nearest=(self.at + near) / 2.0)
        if near is None:
            raise ValueError(
                f"{what}, and as the base is approached the ratios of distances have no limit. Choose "
                "another base, or state the prior of a distance that you know yourself: pm.Exponential on a "
                "standard deviation, pm.InverseGamma(alpha=1) on the range of a Matérn field in the plane"
            )
        self._from(near)
        return side

    def _limit(self, bases: FloatArray, probes: FloatArray) -> float | None:
        """The last of bases that approach one, from which ratios of distances do not change any more."""
        before, found = np.full(probes.shape, math.nan), None
        for near in bases:
            unit = self._absolute(float(near))
            if not 0.0 < unit < ROOM:
                continue
            ratios = self.values(probes) / unit
            if np.allclose(ratios, before, rtol=SAME, atol=0.0):
                found = float(near)
            before = ratios
        return found

    def _side_of_limit(self, bounds: tuple[float, float]) -> Side:
        """The side whose base is the bound at which the family tends to its base model: distances vanish."""
        lower, upper = bounds
        sides = [Side.of(lower, upper, self.at), Side.of(upper, lower, self.at)]
        near = [float(computed_near_base(side, self.values)[1][0]) for side in sides]
        if not np.nanmin([*near, math.inf]) < 0.01:  # NaN where the family ends within the bounds
            raise ValueError(
                f"family(parameter) tends to its base at neither end of bounds=({lower:g}, {upper:g}): near "
                f"them its distances are {near[0]:.3g} and {near[1]:.3g} times that of at={self.at!r}. Where "
                "the base is the family at a value of its parameter, pass this value as the base"
            )
        return sides[int(np.nanargmin(near))]
