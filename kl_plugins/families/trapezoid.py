"""The trapezoidal distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from kl_plugins.errors import Requirement
from kl_plugins.families.core.affine import affine_map, in_shape_of_pair, outside
from kl_plugins.families.core.by_nodes import between, by_nodes, cost_of_nodes, within
from kl_plugins.families.core.closed_forms import infinite
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.names import from_scipy
from kl_plugins.families.core.statements import LogDensity
from kl_plugins.families.core.statistics import Statistic
from kl_plugins.families.triangular import Triangular
from kl_plugins.families.uniform import Uniform, bounded_expectations
from kl_plugins.formulas.trapezoid import COUNT, trapezoid_divergence, trapezoid_mean
from kl_plugins.formulas.trapezoid import Trapezoid as Shape
from kl_plugins.ops.protocol import Array, Conditions, Operations
from kl_plugins.parameters.declarations import POSITIVE, PROBABILITY, REAL, parameter

_COST = cost_of_nodes(COUNT)
_WIDEST = 1e10
"""Beyond it the squares of what is left of q between nodes would leave single precision."""


@dataclass(frozen=True, eq=False)
class LogTrapezoid(Statistic):
    """The logarithm of the trapezoid of height 1."""

    c: Array
    d: Array
    text = "log min(z/c, 1, (1 − z)/(1 − d))"

    def __call__(self, z: Array, ops: Operations) -> Array:
        below, above = z < self.c, z > self.d
        part = ops.where(below, z, ops.where(above, 1.0 - z, 1.0))
        return ops.log(part / ops.where(below, self.c, ops.where(above, 1.0 - self.d, 1.0)))


class Trapezoid(Continuous):
    """X = loc + scale·Z, Z on (0, 1) with a density that rises up to c, is flat up to d, and falls.

    https://en.wikipedia.org/wiki/Trapezoidal_distribution; c may be 0 and d 1, and the two may be the same.
    """

    c: Array = parameter(PROBABILITY, typical=(0.2, 0.25, 0.1), static=True)
    d: Array = parameter(PROBABILITY, typical=(0.6, 0.75, 0.7), static=True)
    loc: Array = parameter(REAL, typical=(0.5,), meaning="the lower end", default=0.0, static=True)
    scale: Array = parameter(POSITIVE, meaning="upper less lower end", default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def further_conditions(self) -> Conditions:
        yield self.ops.logical_not(self.c > self.d), Requirement("d", "must not be less than c")

    def mirrored(self) -> Self:
        return self.changed(c=1.0 - self.d, d=1.0 - self.c, loc=-self.loc - self.scale)

    def _area(self) -> Array:
        """Twice that under the trapezoid of height 1."""
        return 1.0 + self.d - self.c

    def log_density(self) -> LogDensity:
        return LogDensity(-self.ops.log(0.5 * self._area()), ((1.0, LogTrapezoid(self.c, self.d)),))

    def standard_entropy(self) -> Array:
        """∫ f log f of a side from 0 to 1 is minus a quarter of its length."""
        area = self._area()
        return self.ops.log(0.5 * area) + 0.5 * (1.0 - self.d + self.c) / area

    def standard_mean(self) -> Array:
        c, d = self.c, self.d
        return (1.0 + d + d * d - c * c) / (3.0 * self._area())

    def standard_variance(self) -> Array:
        c, d, mean = self.c, self.d, self.standard_mean()
        return (1.0 + d * (1.0 + d * (1.0 + d)) - c * c * c) / (6.0 * self._area()) - mean * mean


@by_nodes(Trapezoid, Trapezoid, _COST)
@by_nodes(Trapezoid, Uniform, _COST)
@by_nodes(Trapezoid, Triangular, _COST)
@by_nodes(Uniform, Trapezoid, _COST)
@by_nodes(Triangular, Trapezoid, _COST)
def trapezoid_trapezoid(p: Any, q: Any) -> Array:
    """From what the densities' ratio lacks of 1; the kinks of q are seen from p's interval."""
    ops, at = p.ops, affine_map(p, q)
    (c, d), (rise, fall) = _kinks(p, q), _kinks(q, p)
    if at.fixes_zero and at.fixes_one:
        return q.broadcast(p.broadcast(trapezoid_divergence(Shape(c, d), Shape(rise, fall), ops)))
    beyond = outside(p, q, at)
    if beyond is True:
        return infinite(p, q)
    start, wider = p.loc - q.loc, q.scale - p.scale
    below, above = ops.maximum(start / p.scale, 0.0), ops.maximum((wider - start) / p.scale, 0.0)
    rise, fall = (
        own + ((kink - own) * q.scale + own * wider - start) / p.scale for own, kink in ((c, rise), (d, fall))
    )
    value = trapezoid_divergence(Shape(c, d), Shape(rise, fall, below, above), ops)
    conditions = between(0.0, _WIDEST, "ratios of the scales", [q.scale / p.scale], ops)
    return within(p, q, in_shape_of_pair(p, q, value, beyond), conditions)


def _kinks(x: Any, other: Any) -> tuple[Array, Array]:
    """c and d; of a uniform distribution 0 and 1, in the precision of the other side's."""
    if isinstance(x, Trapezoid):
        return x.c, x.d
    if isinstance(x, Triangular):
        return x.mode, x.mode
    return 0.0 * other.c, 0.0 * other.c + 1.0


bounded_expectations(Trapezoid, lambda p, f, start, step: trapezoid_mean(f, p.c, p.d, start, step, p.ops))

from_scipy("trapezoid")(Trapezoid)
