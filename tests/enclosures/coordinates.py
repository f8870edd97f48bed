"""Where a density is evaluated: points, ends of supports, and coordinates of a second distribution.

All is in the coordinates of p, in which p has location 0 and scale 1. Locations, scales and ends are rational
numbers: that two ends are one, or that one support is within another, is decided exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from flint import acb, arb, fmpq


def rational(value: float) -> fmpq:
    """A floating-point number, exactly."""
    return fmpq(*float(value).as_integer_ratio())


@cache
def real(value: fmpq | float) -> arb:
    """A ball around a rational number, or a floating-point number exactly."""
    return arb(value) if isinstance(value, fmpq) else arb(rational(value))


@dataclass(frozen=True)
class Point:
    """x = base + sign·e^t if `logarithmic`, otherwise x = t, on a piece between two break points."""

    t: acb
    base: fmpq
    sign: int
    logarithmic: bool
    low: fmpq | None
    high: fmpq | None
    analytic: bool = False


@dataclass(frozen=True)
class End:
    """x → base from above (sign 1) or from below (−1); or x → ±∞, for which base is the centre.

    η grows to ∞ on the way: x = base + sign/η at a finite end, x = base + sign·η at an infinite one. What is
    said of an end holds for all η ≥ least.
    """

    base: fmpq
    sign: int
    infinite: bool
    least: arb
    low: fmpq | None
    high: fmpq | None

    def ball(self) -> Point:
        """All points of a finite end, as a ball of real numbers."""
        width = 1 / self.least
        x = real(self.base) + self.sign * (width / 2).union(arb(0)).union(width)
        return Point(acb(x), self.base, self.sign, False, self.low, self.high)


@dataclass(frozen=True)
class Frame:
    """The coordinate z = (x − loc)/scale of a distribution."""

    loc: fmpq
    scale: fmpq

    def place(self, z: fmpq) -> fmpq:
        return self.loc + self.scale * z

    def distance(self, point: Point, z: fmpq, sign: int) -> acb:
        """sign·(z − a)."""
        shift = real(point.base - self.place(z)) if point.logarithmic else real(-self.place(z))
        step = point.sign * point.t.exp() if point.logarithmic else point.t
        return sign * (shift + step) / real(self.scale)

    def log_distance(self, point: Point, z: fmpq, sign: int) -> acb:
        """log(sign·(z − a)); where t is the logarithm of that distance, t itself."""
        if point.logarithmic and point.sign == sign and self.place(z) == point.base:
            return point.t - real(self.scale).log()
        return self.distance(point, z, sign).log(analytic=point.analytic)

    def above(self, place: Point | End, z: fmpq) -> bool:
        """Whether a piece lies above a break point of the density."""
        kink = self.place(z)
        if place.low is not None and place.low >= kink:
            return True
        if place.high is not None and place.high <= kink:
            return False
        raise ValueError("a piece has a break point within")

    def ratio(self, end: End, z: fmpq) -> arb:
        """|z − a|/η at an infinite end: 1/scale, and an interval where a is not the centre."""
        shift = end.sign * real(end.base - self.place(z))
        return (1 + (shift / end.least).union(arb(0))) / real(self.scale)

    def is_end(self, end: End, z: fmpq) -> bool:
        return not end.infinite and self.place(z) == end.base
