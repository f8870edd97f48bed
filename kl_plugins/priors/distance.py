"""How far a model is from its base model: d(θ) = √(2 KL(family(θ) ‖ base)), relative to d(at)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytensor.tensor as pt

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.priors.divergence import Divergence, Family, Graph, is_number
from kl_plugins.priors.sides import Measured, Side, measure

NEARNESS = 10.0 ** -np.arange(4, 30, 2)
"""How near to a base that is infinitely far from everything, relative to `at`, distances are taken."""
PROBES = np.array([-3.0, -1.0, 1.0, 3.0])
"""Places at which distances must have a limit there."""
SAME = 1e-7
"""By how much, relatively, they may still change in the last step."""


class Distance:
    """The distance from the base model relative to that of `at`, which grows from the base towards each end.

    Where every divergence from the base is infinite it is the limit of this ratio as the base is approached.
    """

    def __init__(self, family: Family, base: Any, at: float, bounds: tuple[float, float]) -> None:
        self.at = at
        self._divergence = Divergence(family, base)
        self._base, self._unit = math.nan, 1.0
        sides: tuple[Side, ...]
        if is_number(base):
            base = float(base)
            sides = tuple(Side.of(base, end, at) for end in bounds if end != base)
            sides = tuple(sorted(sides, key=lambda side: (side.end > base) != (at > base)))
            if not self._from(base):
                self._approach(sides)
        else:
            if not self._from(math.nan):
                raise ValueError(
                    f"the divergence of family(parameter) from the base is not finite at at={at!r}, or "
                    "family(parameter) is no distribution there: choose another base, or `at`"
                )
            sides = (self._side_of_limit(bounds),)
        self.sides: tuple[Measured, ...] = tuple(measure(side, self.values) for side in sides)

    def values(self, theta: FloatArray) -> FloatArray:
        """The distances of parameters."""
        return np.asarray(np.sqrt(2.0 * self._divergence.values(theta, self._base)) / self._unit)

    def graph(self, theta: Graph) -> tuple[Graph, Graph]:
        """The distance of a variable and the logarithm of its slope."""
        divergence, slope = self._divergence.graph(theta, self._base)
        distance = pt.sqrt(2.0 * divergence)
        return distance / self._unit, pt.log(pt.abs(slope)) - pt.log(distance * self._unit)

    def _from(self, base: float) -> bool:
        """Measure from this base, in units of the distance of `at`; whether that is finite."""
        self._base, self._unit = base, 1.0
        unit = float(self.values(np.array([self.at]))[0])
        if unit == 0.0:
            raise ValueError(f"at={self.at!r} is no farther than the base: the divergence between them is 0")
        self._unit = unit
        return math.isfinite(unit)

    def _approach(self, sides: tuple[Side, ...]) -> None:
        """Measure from so near to a base that is infinitely far from everything that ratios do not change."""
        base = sides[0].base
        what = f"the divergence of family(parameter) at at={self.at!r} from the base {base:g} is not finite"
        if len(sides) > 1:
            raise ValueError(
                f"{what}, and the base is inside of the bounds: where it is the least or the largest value "
                "of the parameter, as 0 is of a standard deviation, bounds must end there, as bounds=(0, inf)"
            )
        before, found = np.full(PROBES.shape, math.nan), None
        for near in sides[0].parameter(np.log(NEARNESS)):
            if not self._from(float(near)):
                continue
            ratios = self.values(sides[0].parameter(PROBES))
            if np.allclose(ratios, before, rtol=SAME, atol=0.0):
                found = float(near)
            before = ratios
        if found is None:
            raise ValueError(
                f"{what}, and as the base is approached the ratios of distances have no limit. Choose "
                "another base, or state the prior of a distance that you know yourself: pm.Exponential on a "
                "standard deviation, pm.InverseGamma(alpha=1) on the range of a Matérn field in the plane"
            )
        self._from(found)

    def _side_of_limit(self, bounds: tuple[float, float]) -> Side:
        """The side whose base is the bound at which the family tends to its base model: distances vanish."""
        lower, upper = bounds
        sides = [Side.of(lower, upper, self.at), Side.of(upper, lower, self.at)]
        near = [float(self.values(side.parameter(side.inner_places()[:1]))[0]) for side in sides]
        if not min(near, default=math.inf) < 0.01:
            raise ValueError(
                f"family(parameter) tends to its base at neither end of bounds=({lower:g}, {upper:g}): near "
                f"them its distances are {near[0]:.3g} and {near[1]:.3g} times that of at={self.at!r}. Where "
                "the base is the family at a value of its parameter, pass this value as the base"
            )
        return sides[int(np.nanargmin(near))]
