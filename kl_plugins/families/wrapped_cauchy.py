"""The wrapped Cauchy distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from kl_plugins.families.core.affine import AffineMap, affine_map
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.images import unless_common
from kl_plugins.families.core.names import from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Statistic
from kl_plugins.families.uniform import Uniform
from kl_plugins.formulas.cauchy import wrapped_cauchy_divergence
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.certainty import certainly_equal
from kl_plugins.parameters.declarations import POSITIVE, REAL, Domain, parameter

_CIRCLE = 2.0 * math.pi


@dataclass(frozen=True, eq=False)
class LogDistance(Statistic):
    """log |1 − c exp(iz)|²."""

    length: Array
    text = "log(1 + c² − 2c cos z)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        c, half = self.length, ops.sin(0.5 * z)
        return ops.log((1.0 - c) * (1.0 - c) + 4.0 * c * half * half)


class WrappedCauchy(Continuous):
    """X = loc + scale·Z, Z on (0, 2π) with density ∝ 1/(1 + c² − 2c cos z), c the resultant `length`.

    https://en.wikipedia.org/wiki/Wrapped_Cauchy_distribution
    """

    length: Array = parameter(Domain(0.0, 1.0), called="c", meaning="the mean resultant length", static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, _CIRCLE)
    common: ClassVar[tuple[str, ...]] = ("loc", "scale")

    def log_density(self) -> LogDensity:
        c, ops = self.length, self.ops
        return LogDensity(
            ops.log1p(-c) + ops.log1p(c) - math.log(_CIRCLE), ((-1.0, LogDistance(self.length)),)
        )

    def standard_entropy(self) -> Array:
        return math.log(_CIRCLE) + self.ops.log1p(-self.length) + self.ops.log1p(self.length)

    def standard_mean(self) -> Array:
        """The middle of the interval, about which it is symmetric."""
        return math.pi


@closed_form(WrappedCauchy, WrappedCauchy)
def wrapped_cauchy_wrapped_cauchy(p: WrappedCauchy, q: WrappedCauchy) -> Array:
    """That of images of Cauchy variables, the tangents of half the angles, where both go one way around."""
    at = affine_map(p, q)
    if not (at.fixes_zero and certainly_equal(at.ratio, 1.0, p.ops)):
        return unless_common(p, q)
    return q.broadcast(p.broadcast(wrapped_cauchy_divergence(p.length, q.length, p.ops)))


@expects(WrappedCauchy, LogDistance)
def log_distance(p: WrappedCauchy, statistic: LogDistance, at: AffineMap) -> Array:
    """2 log(1 − c c'), the harmonic function's value at p's mean of exp(iZ)."""
    if not (at.fixes_zero and certainly_equal(at.ratio, 1.0, p.ops)):
        return None
    return 2.0 * p.ops.log1p(-p.length * statistic.length)


@expects(Uniform, LogDistance)
def log_distance_of_uniform(p: Uniform, statistic: LogDistance, at: AffineMap) -> Array:
    """Nothing all around the circle."""
    return 0.0 * at.ratio if at.fixes_zero and certainly_equal(at.ratio, _CIRCLE, p.ops) else None


from_scipy("wrapcauchy")(WrappedCauchy)
