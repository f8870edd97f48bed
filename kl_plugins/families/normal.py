"""The univariate normal distribution."""

from __future__ import annotations

import math
from typing import ClassVar

from kl_plugins.families.core.affine import AffineMap, times
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.overlaps import overlap_of, ratio_mean_of, references_of
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Exp, Square
from kl_plugins.formulas.overlaps import moments, normal_overlap, normal_ratio_mean
from kl_plugins.formulas.shared import normal_divergence
from kl_plugins.formulas.sums import infinite_where_undefined
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_zero
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class Normal(Continuous):
    """Normal distributions with density exp(−½ ((x − mean) / scale)²) / (scale √(2π)).

    Parameters
    ----------
    mean : array_like or TensorVariable
    scale : array_like or TensorVariable
        Standard deviation; broadcasts against `mean`.

    Raises
    ------
    ValueError
        If a mean is infinite, or a scale is not positive or infinite.
    """

    mean: Array = parameter(REAL)
    scale: Array = parameter(POSITIVE, meaning="the standard deviation")
    place: ClassVar[str] = "mean"
    symmetric: ClassVar[bool] = True

    @property
    def loc(self) -> Array:  # type: ignore[override]
        return self.mean

    def log_density(self) -> LogDensity:
        return LogDensity(-_HALF_LOG_2PI, ((-0.5, Square()),))

    def standard_mean(self) -> Array:
        return 0.0

    def standard_variance(self) -> Array:
        return 1.0

    def standard_entropy(self) -> Array:
        return 0.5 + _HALF_LOG_2PI


@closed_form(Normal, Normal)
def normal_normal(p: Normal, q: Normal) -> Array:
    """½ [m² − 1 − 2 ln m + w²], m the ratio of the scales, w the whitened difference of the means.

    Source: https://statproofbook.github.io/P/norm-kl, in the form without cancellation.
    """
    step = p.mean if certainly_zero(q.mean, p.ops) else p.mean - q.mean
    return normal_divergence(p.scale, q.scale, step, p.ops)


@closed_form(Continuous, Normal)
def continuous_normal(p: Continuous, q: Normal) -> Array:
    """That of the normal distribution of p's mean and variance, and p's from that; else by statistics."""
    if not p.comes_near_normal():
        return by_statistics(p, q)
    ops, mean, variance = p.ops, p.standard_mean(), p.standard_variance()
    step = p.loc - q.mean + p.sign * p.scale * mean
    value = normal_divergence(p.scale * ops.sqrt(variance), q.scale, step, ops)
    return q.broadcast(p.broadcast(infinite_where_undefined(value + p.negentropy(), ops)))


@expects(Normal, Exp)
def exp(p: Normal, statistic: Exp, at: AffineMap) -> Array:
    """The moment generating function, https://statproofbook.github.io/P/norm-mgf."""
    spread = times(statistic.rate, at.ratio)
    return p.ops.exp(times(statistic.rate, at.shift) + (0.5 * spread) * spread)


@overlap_of(Normal, Normal)
def normal_normal_overlap(p: Normal, q: Normal, s: Array, t: Array, balanced: bool) -> Array:
    return normal_overlap(p.scale, q.scale, p.mean - q.mean, s, t, p.ops)


@ratio_mean_of(Normal, Normal)
def normal_ratio(p: Normal, c: Normal, b: Normal, power: Array) -> Array:
    scales, steps = (p.scale, c.scale, b.scale), (p.mean - c.mean, p.mean - b.mean)
    return normal_ratio_mean(scales, steps, power, p.ops)


@references_of(Normal, Normal)
def normals_of_mixtures(p: Normal, w: Array, q: Normal, v: Array) -> tuple[Normal, Normal]:
    return _like(p, w), _like(q, v)


def _like(group: Normal, weights: Array) -> Normal:
    """The normal of the mean and variance of a mixture, as a group of one component."""
    ops = group.ops
    mean, scale = moments(group.mean, group.scale, weights, ops)
    return Normal.unchecked(ops, mean=ops.expand_last(mean), scale=ops.expand_last(scale))


from_scipy("norm")(Normal)
from_pymc("NormalRV")(Normal)
