"""The distribution of a parameter whose distance from a base model is exponential."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from scipy.optimize import brentq

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.priors.distance import Distance
from kl_plugins.priors.divergence import Graph
from kl_plugins.priors.sides import Measured

LOST = 0.1
"""The largest share of the mass for parameters that doubles cannot tell from an end of the bounds."""
LEAST_RATE = 1e-12
"""The smallest rate that is looked for; the density of a bounded distance is flat there."""


class ExponentialDistance:
    """A parameter whose distance is exponential, with half of the mass on either side of the base.

    Where the distances of a side are bounded, the exponential ends there. `probability` is that of a distance
    above 1, that of `at`.
    """

    def __init__(self, distance: Distance, bounds: tuple[float, float], probability: float) -> None:
        self.distance = distance
        self.bounds = bounds
        self.sides = distance.sides
        self.rate = _rate(probability, [side.largest for side in self.sides])
        _check_reach(probability, self.rate, self.sides)
        self._masses = [-math.expm1(-self.rate * side.largest) for side in self.sides]

    def logp(self, value: Graph) -> Graph:
        """The log density: that of the distance, and the logarithm of its slope."""
        inside = self._inside(value)
        distance, log_slope = self._distance(pt.switch(inside, value, self.distance.at))
        constant = self._by_side(
            value, [math.log(self.rate / len(self.sides) / mass) for mass in self._masses]
        )
        logp = constant - self.rate * distance + log_slope
        known = pt.lt(logp, math.inf)  # not where the divergence or its slope overflows
        return pt.switch(pt.and_(inside, known), logp, -math.inf)

    def logcdf(self, value: Graph, **_: Any) -> Graph:
        """The logarithm of the probability of a smaller parameter."""
        distance, _ = self._distance(pt.switch(self._inside(value), value, self.distance.at))
        mass = self._by_side(value, self._masses)
        rest = self._by_side(value, [math.exp(-self.rate * side.largest) for side in self.sides])
        below = -pt.expm1(-self.rate * distance) / mass  # of the mass of the side, nearer to the base
        beyond = (pt.exp(-self.rate * distance) - rest) / mass
        share = 1.0 / len(self.sides)
        upwards = self._by_side(value, [side.side.direction for side in self.sides])
        cdf = pt.switch(pt.gt(upwards, 0.0), 1.0 - share + share * below, share * beyond)
        lower, upper = self.bounds
        return pt.switch(pt.le(value, lower), -math.inf, pt.switch(pt.ge(value, upper), 0.0, pt.log(cdf)))

    def random(self, rng: np.random.Generator | None = None, size: Any = None) -> FloatArray:
        """Draws, by the inverse of the distance."""
        rng = np.random.default_rng() if rng is None else rng
        side, share = rng.integers(len(self.sides), size=size), rng.random(size)
        return self.quantile(np.asarray(side), np.asarray(share))

    def quantile(self, side: FloatArray, share: FloatArray) -> FloatArray:
        """The parameters, on sides given by number, between which and the base is a share of the side."""
        found = np.empty(share.shape)
        for number, (measured, mass) in enumerate(zip(self.sides, self._masses, strict=True)):
            here = side == number
            found[here] = measured.parameter(-np.log1p(-share[here] * mass) / self.rate)
        return found

    def support_point(self, rv: Graph, size: Any, *_: Any) -> Graph:
        """The median of the distance, on the side of `at`."""
        return pt.full(rv.shape, float(self.quantile(np.zeros(1), np.full(1, 0.5))[0]))

    def _inside(self, value: Graph) -> Graph:
        lower, upper = self.bounds
        return pt.and_(pt.gt(value, lower), pt.lt(value, upper))

    def _by_side(self, value: Graph, constants: Sequence[float]) -> Graph:
        """The constant of the side that a value is on."""
        if len(self.sides) == 1:
            return pt.constant(constants[0])
        first = self.sides[0].side
        on_first = pt.ge(first.direction * (value - first.base), 0.0)
        return pt.switch(on_first, constants[0], constants[1])

    def _distance(self, value: Graph) -> tuple[Graph, Graph]:
        """The distance and the logarithm of its slope, as powers where they would lose their digits."""
        base = self.sides[0].side.base
        if not math.isfinite(base):
            return self.distance.graph(value)
        gap, direction, power = (
            self._by_side(value, constants)
            for constants in zip(
                *[(side.gap, side.side.direction, side.power) for side in self.sides], strict=True
            )
        )
        difference = direction * (value - base)
        distance, log_slope = self.distance.graph(
            pt.switch(pt.lt(difference, gap), base + direction * gap, value)
        )
        share = pt.clip(difference / gap, 0.0, 1.0)
        if all(side.power == 1.0 for side in self.sides):
            return distance * share, log_slope
        return distance * share**power, log_slope + (power - 1.0) * pt.log(share)


def _rate(probability: float, largest: list[float]) -> float:
    """The rate of the exponential for which a distance is above 1 with this probability."""
    if all(math.isinf(end) for end in largest):
        return -math.log(probability)

    def excess(rate: float) -> float:
        return float(np.mean([_survival(rate, end) for end in largest])) - probability

    if excess(LEAST_RATE) <= 0.0:
        most = float(np.mean([max(0.0, 1.0 - 1.0 / end) for end in largest]))
        raise ValueError(
            f"probability={probability!r} is too large: distances from the base are at most "
            f"{' and '.join(f'{end:.6g}' for end in largest)} times that of at, and as their density falls, "
            f"less than {most:.6g} is left beyond it. Choose a smaller probability, or another at"
        )
    upper = 1.0
    while excess(upper) > 0.0:
        upper *= 2.0
    return float(brentq(excess, LEAST_RATE, upper, xtol=1e-15, rtol=1e-14))


def _check_reach(probability: float, rate: float, sides: Sequence[Measured]) -> None:
    """Raise where too much mass is so near to an end of the bounds that there are no doubles for it."""
    beyond = [math.exp(-rate * side.reach) if math.isinf(side.largest) else 0.0 for side in sides]
    lost = sum(beyond) / len(beyond)
    if lost > LOST:
        raise ValueError(
            f"probability={probability!r} is too large: distances from the base grow so slowly towards an "
            f"end of the bounds that {lost:.0%} of the mass would be at numbers that cannot be told from it. "
            "Choose a smaller probability, or another at"
        )


def _survival(rate: float, end: float) -> float:
    """P(distance > 1) of an exponential distance that ends there."""
    return max(0.0, math.exp(-rate) * math.expm1(-rate * (end - 1.0)) / math.expm1(-rate * end))
