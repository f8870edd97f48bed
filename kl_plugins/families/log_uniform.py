"""The log-uniform (reciprocal) distribution."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kl_plugins.families.core.affine import affine_map, in_shape_of_pair, outside
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.maps import Exponential, Logarithm, Raised, image_of, starts_at_zero
from kl_plugins.families.core.names import from_scipy
from kl_plugins.families.core.statements import LogDensity
from kl_plugins.families.core.statistics import Log
from kl_plugins.families.uniform import Uniform
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.ops import backend_of
from kl_plugins.ops.protocol import Array, ArrayOperations
from kl_plugins.parameters.certainty import is_literal
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter


class LogUniform(Continuous):
    """X = loc + scale·Z, where log Z is uniform between 0 and log_range.

    https://en.wikipedia.org/wiki/Reciprocal_distribution
    """

    log_range: Array = parameter(POSITIVE, meaning="the logarithm of upper over lower end", static=True)
    scale: Array = parameter(POSITIVE, meaning="the lower end", default=1.0, static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    ends: ClassVar[tuple[float, float]] = (1.0, float("inf"))

    def standard_ends(self) -> tuple[Array, Array]:
        return 1.0, self.ops.exp(self.log_range)

    def log_density(self) -> LogDensity:
        return LogDensity(-self.ops.log(self.log_range), ((-1.0, Log()),))

    def mean_log(self) -> Array:
        return 0.5 * self.log_range

    def variance_log(self) -> Array:
        return self.log_range * self.log_range / 12.0

    def standard_variance(self) -> Array:
        return self.ops.elementwise(_variance, None, self.log_range)

    def moment(self, order: Array) -> Array:
        """E[Z^order] = (exp(k r) − 1)/(k r), r the log range."""
        x, ops = order * self.log_range, self.ops
        some = ops.where(x == 0.0, 1.0, x) if is_literal(x) else ops.where(ops.equal(x, 0.0), 1.0, x)
        return ops.where(ops.absolute(x) > 0.0, ops.expm1(some) / some, 1.0)


def _variance(r: Array, ops: ArrayOperations) -> Array:
    """(e²ʳ − 1)/(2r) − (eʳ − 1)²/r², which is eʳ times the sum of 2n r²ⁿ/(2n + 2)! over n ≥ 1."""

    def series(r: Array) -> Array:
        y = r * r
        tail = 6 / 40320 + y * (8 / 3628800 + y * (10 / 479001600 + y * (12 / 87178291200)))
        return ops.exp(r) * y * (2 / 24 + y * (4 / 720 + y * tail))

    def direct(r: Array) -> Array:
        mean = ops.expm1(r) / r
        return 0.5 * ops.expm1(2.0 * r) / r - mean * mean

    return ops.select(r <= 1.0, series, direct, r)


@closed_form(LogUniform, LogUniform)
def log_uniform_log_uniform(p: LogUniform, q: LogUniform) -> Array:
    """The logarithm of the ratio of the log ranges, if p's interval is inside of q's; else +∞."""
    ops, at = p.ops, affine_map(p, q)
    if not at.fixes_zero:
        return by_statistics(p, q)
    value = ops.maximum(log_ratio(q.log_range, p.log_range, ops), 0.0)
    return in_shape_of_pair(p, q, value, outside(p, q, at))


from_scipy("loguniform", "reciprocal")(lambda a, b, loc, scale: LogUniform(_log_range(a, b), a * scale, loc))


def _log_range(low: Array, high: Array) -> Array:
    if not np.all((np.asarray(low) > 0.0) & (np.asarray(high) > np.asarray(low)) | np.isnan(low + high)):
        raise ValueError("a must be positive, and b larger than a")
    return log_ratio(high, low, backend_of(low, high))


@image_of(Uniform, Exponential)
def exponential_of_uniform(p: Uniform, of: Exponential) -> LogUniform:
    return LogUniform(p.scale, p.ops.exp(p.loc))


@image_of(LogUniform, Logarithm)
def log_of_log_uniform(p: LogUniform, of: Logarithm) -> Uniform | None:
    return Uniform(p.ops.log(p.scale), p.log_range) if starts_at_zero(p) else None


@image_of(LogUniform, Raised)
def power_of_log_uniform(p: LogUniform, of: Raised) -> LogUniform | None:
    c = p.ops.literal(of.exponent)
    if c is None or not starts_at_zero(p):
        return None
    lower = p.scale**c if c > 0.0 else (p.scale * p.ops.exp(p.log_range)) ** c
    return LogUniform(abs(c) * p.log_range, lower)
