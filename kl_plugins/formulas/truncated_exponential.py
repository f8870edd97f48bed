"""Exponential densities on an interval: their normaliser, moments, masses and divergence.

On (0, 1) the density is exp(η z)/M(η), M(η) = (exp(η) − 1)/η. Seen from the end that it favours it is one of
−x = −|η|, so that nothing large cancels: log M(η) = max(η, 0) + log[(1 − exp(−x))/x].
"""

from __future__ import annotations

from kl_plugins.formulas.cancellation_free import log_ratio_value, taylor_remainder
from kl_plugins.ops.protocol import Array, Operations

_SMALL = 0.5
"""Up to this slope moments are series, https://dlmf.nist.gov/24.2.1 (in terms of Bernoulli numbers)."""

_NEAR = 0.04
"""Up to this change of a slope, by 1 more than the slope, divergences are integrals of the variance."""


def log_mass(x: Array, ops: Operations) -> Array:
    """log[(1 − exp(−x))/x] for x ≥ 0, which is 0 at 0."""
    return ops.elementwise(log_mass_value, _log_mass_gradient, x)


def log_mass_value(x: Array, ops: Operations) -> Array:
    """The same as part of a larger formula."""
    some = ops.where(x > 1e-20, x, 1e-20)
    return ops.log(-ops.expm1(-some) / some)


def _log_mass_gradient(x: Array, ops: Operations) -> tuple[Array]:
    return (-distance_value(x, ops),)


def distance_from_end(x: Array, ops: Operations) -> Array:
    """The mean distance from the end that is favoured, 1/x − 1/(exp(x) − 1), for x ≥ 0."""
    return ops.elementwise(distance_value, _distance_gradient, x)


def distance_value(x: Array, ops: Operations) -> Array:
    """The same as part of a larger formula."""
    return ops.select(x <= _SMALL, _distance_near, lambda x: _distance_far(x, ops), x)


def _distance_near(x: Array) -> Array:
    return 0.5 - x * _bend_near(x)


def bend(x: Array, ops: Operations) -> Array:
    """(½ − distance)/x, for x ≥ 0, as part of a larger formula."""
    return ops.select(
        x <= _SMALL, _bend_near, lambda x: (0.5 - _distance_far(x, ops)) / ops.maximum(x, _SMALL), x
    )


def _bend_near(x: Array) -> Array:
    y = x * x
    tail = 691 / 1307674368000 - y * (1 / 74724249600 - y * (3617 / 10670622842880000))
    tail = 1 / 30240 - y * (1 / 1209600 - y * (1 / 47900160 - y * tail))
    return 1 / 12 - y * (1 / 720 - y * tail)


def _distance_far(x: Array, ops: Operations) -> Array:
    some = ops.maximum(x, _SMALL)
    return 1.0 / some + ops.exp(-some) / ops.expm1(-some)


def _distance_gradient(x: Array, ops: Operations) -> tuple[Array]:
    return (-_variance(x, ops),)


def variance_on_unit(x: Array, ops: Operations) -> Array:
    """The variance, 1/x² − 1/(4 sinh²(x/2)), for x ≥ 0."""
    return ops.elementwise(_variance, None, x)


def _variance(x: Array, ops: Operations) -> Array:
    return ops.select(x <= _SMALL, _variance_near, lambda x: _variance_far(x, ops), x)


def _variance_near(x: Array) -> Array:
    y = x * x
    tail = 7601 / 1307674368000 - y * (13 / 74724249600 - y * (54255 / 10670622842880000))
    tail = 1 / 6048 - y * (1 / 172800 - y * (1 / 5322240 - y * tail))
    return 1 / 12 - y * (1 / 240 - y * tail)


def _variance_far(x: Array, ops: Operations) -> Array:
    some = ops.maximum(x, _SMALL)
    near = ops.expm1(-some)
    inverse = 1.0 / some
    return inverse * inverse - ops.exp(-some) / (near * near)


def slopes_divergence(p: Array, q: Array, ops: Operations) -> Array:
    """KL on one interval, of the slopes p and q: log M(q) − log M(p) − (q − p) E z."""
    return ops.elementwise(_divergence, _divergence_gradient, p, q)


def _divergence(p: Array, q: Array, ops: Operations) -> Array:
    sign = ops.where(p > 0.0, 1.0, -1.0)
    x, y = sign * p, sign * q  # seen from the end that p favours, where the slopes are −x and −y
    is_near = ops.absolute(y - x) <= _NEAR * (1.0 + x)
    return ops.choose(is_near, _near, _far, x, y)


def _near(x: Array, y: Array, ops: Operations) -> Array:
    step = y - x
    return step * (step * taylor_remainder(lambda t: _variance(ops.absolute(x + t * step), ops)))


def _far(x: Array, y: Array, ops: Operations) -> Array:
    size = ops.absolute(y)
    is_large = ops.logical_and(x > 1.0, size > 1.0)
    some, other = ops.where(is_large, x, 1.0), ops.where(is_large, size, 1.0)
    large = log_ratio_value(some, other, ops) + ops.log(ops.expm1(-other) / ops.expm1(-some))
    change = ops.where(is_large, large, log_mass_value(size, ops) - log_mass_value(x, ops))
    return ops.maximum(ops.maximum(-y, 0.0) + (y - x) * distance_value(x, ops) + change, 0.0)


def _divergence_gradient(p: Array, q: Array, ops: Operations) -> tuple[Array, Array]:
    return -(q - p) * _variance(ops.absolute(p), ops), _mean(q, ops) - _mean(p, ops)


def _mean(slope: Array, ops: Operations) -> Array:
    distance = distance_value(ops.absolute(slope), ops)
    return ops.where(slope > 0.0, 1.0 - distance, distance)


def mass_below(slope: Array, t: Array, ops: Operations) -> Array:
    """The probability between 0 and t."""
    x, rest = ops.absolute(slope), 1.0 - t
    some = ops.where(x > 1e-20, x, 1e-20)
    share = ops.expm1(-some * t) / ops.expm1(-some)
    return share * ops.exp(-ops.where(slope > 0.0, x * rest, 0.0))
