"""Which families variables that are restricted to an interval have, and the truncated log-normal one."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from kl_plugins.families.bradford import Bradford
from kl_plugins.families.core.truncations import above, distance, higher, lower, truncated
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.families.laplace import Laplace
from kl_plugins.families.log_transformed import LogNormal, LogTransformed
from kl_plugins.families.log_uniform import LogUniform
from kl_plugins.families.normal import Normal
from kl_plugins.families.pareto import Pareto
from kl_plugins.families.truncated_exponential import TruncatedExponential, TruncatedPareto, TruncatedWeibull
from kl_plugins.families.truncated_normal import TruncatedNormal, truncated_between
from kl_plugins.families.uniform import Uniform
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.certainty import certainly_infinite, certainly_is

_ROOT_HALF = math.sqrt(0.5)


class TruncatedLogNormal(LogTransformed):
    """X = loc + scale·exp(B), B normal between two ends."""

    common: ClassVar[tuple[str, ...]] = ("loc",)

    def standard_ends(self) -> tuple[Array, Array]:
        base, ops = self.base, self.ops
        low, high = base.standard_ends()
        first = 0.0 if certainly_infinite(low) else ops.exp(base.loc + base.scale * low)
        return first, math.inf if certainly_infinite(high) else ops.exp(base.loc + base.scale * high)


@truncated.register
def _(p: Normal, low: Array, high: Array) -> TruncatedNormal:
    return truncated_between(p.mean, p.scale, low, high)


@truncated.register
def _(p: TruncatedNormal, low: Array, high: Array) -> TruncatedNormal:
    inner = truncated_between(p.loc, p.scale, low, high)
    return p.changed(low=higher(p.low, inner.low, p.ops), high=lower(p.high, inner.high, p.ops))


@truncated.register
def _(p: Uniform, low: Array, high: Array) -> Uniform:
    low, high = higher(low, p.loc, p.ops), lower(high, p.loc + p.scale, p.ops)
    return Uniform(low, distance(low, high, p.ops))


@truncated.register
def _(
    p: GeneralizedGamma, low: Array, high: Array
) -> GeneralizedGamma | TruncatedExponential | TruncatedNormal | TruncatedWeibull | None:
    """Of exponential, half-normal and Weibull variables."""
    if not certainly_is(p.sign, 1.0):
        return None
    ops, is_exponential = p.ops, certainly_is(p.concentration, 1.0)
    low = higher(low, p.loc, ops)
    if is_exponential and certainly_is(p.power, 1.0):
        if certainly_infinite(high):
            return p.changed(loc=low)
        width = distance(low, high, ops)
        return TruncatedExponential(-width / p.scale, low, width)
    if certainly_is(p.concentration, 0.5) and certainly_is(p.power, 2.0):
        return truncated_between(p.loc, _ROOT_HALF * p.scale, low, high)
    if not (is_exponential and _is_positive(p.power, ops)) or certainly_infinite(high):
        return None
    ends = low, above(low, high, ops)
    first, last = (((end - p.loc) / p.scale) ** p.power for end in ends)
    base = TruncatedExponential(first - last, first, last - first)
    return TruncatedWeibull(base, p.scale, p.loc, power=p.power)


def _is_positive(power: Array, ops: Operations) -> bool:
    known = ops.known(power)
    return known is not None and bool(np.all(np.greater(known, 0.0)))


@truncated.register
def _(p: TruncatedExponential, low: Array, high: Array) -> TruncatedExponential:
    low, high = higher(low, p.loc, p.ops), lower(high, p.loc + p.scale, p.ops)
    width = distance(low, high, p.ops)
    return TruncatedExponential(p.slope * (width / p.scale), low, width)


@truncated.register
def _(p: Pareto, low: Array, high: Array) -> Pareto | TruncatedPareto:
    ops = p.ops
    low = higher(low, p.loc + p.scale, ops)
    if certainly_infinite(high):
        return Pareto(p.alpha, low - p.loc, p.loc)
    width = ops.log1p(distance(low, high, ops) / (low - p.loc))
    return TruncatedPareto(TruncatedExponential(-p.alpha * width, 0.0, width), low - p.loc, p.loc)


@truncated.register
def _(p: LogNormal, low: Array, high: Array) -> TruncatedLogNormal | None:
    if not certainly_is(p.sign, 1.0):
        return None
    ops, ends = p.ops, []
    for end in (low, high):
        size = (end - p.loc) / p.scale
        known = ops.literal(size)
        if known is not None:
            ends.append(-math.inf if known <= 0.0 else math.log(known))
        else:
            below = size <= 0.0
            ends.append(ops.where(below, -math.inf, ops.log(ops.where(below, 1.0, size))))
    base = truncated_between(p.base.mean, p.base.scale, *ends)
    return TruncatedLogNormal(base, p.scale, p.loc)


@truncated.register
def _(p: LogUniform, low: Array, high: Array) -> LogUniform:
    ops = p.ops
    low = higher(low, p.loc + p.scale, ops)
    high = lower(high, p.loc + p.scale * ops.exp(p.log_range), ops)
    return LogUniform(ops.log1p(distance(low, high, ops) / (low - p.loc)), low - p.loc, p.loc)


@truncated.register
def _(p: Bradford, low: Array, high: Array) -> Bradford:
    ops = p.ops
    low, high = higher(low, p.loc, ops), lower(high, p.loc + p.scale, ops)
    width = distance(low, high, ops)
    return Bradford(p.c * (width / p.scale) / (1.0 + p.c * ((low - p.loc) / p.scale)), low, width)


@truncated.register
def _(p: Laplace, low: Array, high: Array) -> GeneralizedGamma | TruncatedExponential | None:
    """On one side of the peak."""
    ops = p.ops
    first, loc, last = (ops.known(value) for value in (low, p.loc, high))
    if first is None or loc is None or last is None:
        return None
    above, below = np.all(np.greater_equal(first, loc)), np.all(np.less_equal(last, loc))
    if above and certainly_infinite(high):
        return GeneralizedGamma(1.0, p.scale, 1.0, low)
    if below and certainly_infinite(low):
        return GeneralizedGamma(1.0, p.scale, 1.0, high, -1.0)
    if not (above or below):
        return None
    width = distance(low, high, ops)
    return TruncatedExponential((-width if above else width) / p.scale, low, width)
