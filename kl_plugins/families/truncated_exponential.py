"""Exponential densities on an interval; their exponentials and powers: Pareto and Weibull, truncated."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kl_plugins.errors import Requirement
from kl_plugins.families.core.affine import AffineMap, affine_map, in_shape_of_pair, outside
from kl_plugins.families.core.closed_forms import closed_form, infinite
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.images import Image, multiple_of
from kl_plugins.families.core.names import from_scipy, if_positive
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Exp, Identity
from kl_plugins.families.log_transformed import LogTransformed
from kl_plugins.families.uniform import Uniform
from kl_plugins.formulas.truncated_exponential import (
    distance_from_end,
    log_mass,
    mass_below,
    slopes_divergence,
    variance_on_unit,
)
from kl_plugins.ops import backend_of
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal, certainly_is
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter


class TruncatedExponential(Continuous):
    """X = loc + scale·Z, Z on (0, 1) with density ∝ exp(slope·z), the slope of any sign, or 0.

    The continuous Bernoulli distribution is one, the slope its logit:
    https://en.wikipedia.org/wiki/Continuous_Bernoulli_distribution.
    """

    slope: Array = parameter(REAL, typical=(-0.8, 1.5), static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def log_density(self) -> LogDensity:
        return LogDensity(-_log_normaliser(self.slope, self), ((self.slope, Identity()),))

    def standard_entropy(self) -> Array:
        """log M(η) − η E z, without what both have in common."""
        x = self.ops.absolute(self.slope)
        return log_mass(x, self.ops) + x * distance_from_end(x, self.ops)

    def standard_mean(self) -> Array:
        distance = distance_from_end(self.ops.absolute(self.slope), self.ops)
        return self.ops.where(self.slope > 0.0, 1.0 - distance, distance)

    def standard_variance(self) -> Array:
        return variance_on_unit(self.ops.absolute(self.slope), self.ops)


def _log_normaliser(slope: Array, p: Continuous) -> Array:
    return p.ops.maximum(slope, 0.0) + log_mass(p.ops.absolute(slope), p.ops)


@closed_form(TruncatedExponential, TruncatedExponential)
@closed_form(TruncatedExponential, Uniform)
@closed_form(Uniform, TruncatedExponential)
def truncated_exponential_truncated_exponential(p: Any, q: Any) -> Array:
    """That from q between p's ends, and minus the logarithm of q's mass there."""
    ops, at = p.ops, affine_map(p, q)
    first, second = _slope(p, q), _slope(q, p)
    if at.fixes_zero and at.fixes_one:
        return q.broadcast(p.broadcast(slopes_divergence(first, second, ops)))
    beyond = outside(p, q, at)
    if beyond is True:
        return infinite(p, q)
    steeper = second * at.ratio
    low, high = (ops.minimum(ops.maximum(end, 0.0), 1.0) for end in (at.shift, at.upper))
    tails = mass_below(second, low, ops) + mass_below(-second, high, ops)
    inside = second * at.shift + _log_normaliser(steeper, p) + ops.log(at.ratio) - _log_normaliser(second, p)
    some = ops.where(tails < 0.5, tails, 0.0)
    value = slopes_divergence(first, steeper, ops) - ops.where(tails < 0.5, ops.log1p(-some), inside)
    return in_shape_of_pair(p, q, value, beyond)


def _slope(x: Any, other: Any) -> Array:
    """Of a uniform distribution 0, in the precision of the other side's."""
    return x.slope if isinstance(x, TruncatedExponential) else 0.0 * other.slope


@expects(TruncatedExponential, Exp)
def exp(p: TruncatedExponential, statistic: Exp, at: AffineMap) -> Array:
    """The moment generating function M(η + t)/M(η)."""
    turned = p.slope + statistic.rate * at.ratio
    change = _log_normaliser(turned, p) - _log_normaliser(p.slope, p)
    return p.ops.exp(statistic.rate * at.shift + change)


class TruncatedPareto(LogTransformed):
    """X = loc + scale·exp(B), B with an exponential density on an interval."""

    ends: ClassVar[tuple[float, float]] = (1.0, math.inf)
    common: ClassVar[tuple[str, ...]] = ("loc",)

    def standard_ends(self) -> tuple[Array, Array]:
        base, ops = self.base, self.ops
        low = 1.0 if certainly_is(base.loc, 0.0) else ops.exp(base.loc)
        return low, ops.exp(base.loc + base.scale)


class TruncatedWeibull(Image):
    """X = loc + scale·B^(1/power), B with an exponential density on an interval of positive numbers."""

    power: Array = parameter(POSITIVE, default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, math.inf)
    common: ClassVar[tuple[str, ...]] = ("loc", "power")

    def standard_ends(self) -> tuple[Array, Array]:
        base, root = self.base, 1.0 / self.power
        low = 0.0 if certainly_is(base.loc, 0.0) else base.loc**root
        return low, (base.loc + base.scale) ** root

    def has_map_of(self, other: Image) -> bool:
        return isinstance(other, TruncatedWeibull) and certainly_equal(self.power, other.power, self.ops)

    def base_in(self, scale: Array) -> Any:
        """A multiple of the base: any scales serve."""
        if certainly_is(scale, self.scale):
            return self.base
        return multiple_of(self.base, (self.scale / scale) ** self.power)

    def preimage(self, z: Array) -> Array:
        return z**self.power

    def log_slope(self, z: Array) -> Array:
        return self.ops.log(self.power) + (self.power - 1.0) * self.ops.log(z)


def _pareto(b: Array, c: Array, loc: Array, scale: Array) -> TruncatedPareto:
    if np.any(np.less_equal(c, 1.0)):
        raise ValueError(Requirement("c", "must be greater than 1"))
    width = backend_of(c).log(c)
    return TruncatedPareto(TruncatedExponential(-b * width, 0.0, width), scale, loc)


def _weibull(c: Array, a: Array, b: Array, loc: Array, scale: Array) -> TruncatedWeibull:
    with np.errstate(over="ignore"):
        if np.any(np.isinf(np.power(b, 1.0 * c))):
            raise ValueError(Requirement("b", "must have a power, b ** c, within the floats"))
    low, high = a**c, b**c
    return TruncatedWeibull(TruncatedExponential(low - high, low, high - low), scale, loc, power=c)


from_scipy("truncexpon")(if_positive("b", lambda b, loc, scale: TruncatedExponential(-b, loc, b * scale)))
from_scipy("truncpareto")(_pareto)
from_scipy("truncweibull_min")(if_positive("c _ b", _weibull))
