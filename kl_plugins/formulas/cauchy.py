"""The divergence of Cauchy distributions, whole and wrapped around a circle."""

from __future__ import annotations

from kl_plugins.ops.protocol import Array, Operations


def cauchy_divergence(p_scale: Array, q_scale: Array, step: Array, ops: Operations) -> Array:
    """log(1 + ((s − t)² + Δ²) / (4 s t)) for scales s and t and a difference Δ of the places.

    https://arxiv.org/abs/1905.10965 (Chyzak and Nielsen, 2019).
    """
    return ops.elementwise(_cauchy_divergence, _cauchy_divergence_gradient, p_scale, q_scale, step)


def _cauchy_divergence(p_scale: Array, q_scale: Array, step: Array, ops: Operations) -> Array:
    mean = 2.0 * ops.sqrt(p_scale) * ops.sqrt(q_scale)
    x, y = ops.absolute(p_scale - q_scale), ops.absolute(step)
    return ops.rarely(ops.maximum(x, y) / mean >= 1e30, _long, _short, x, y, mean)


def _short(x: Array, y: Array, mean: Array, ops: Operations) -> Array:
    x, y = x / mean, y / mean
    return ops.log1p(x * x + y * y)


def _long(x: Array, y: Array, mean: Array, ops: Operations) -> Array:
    """The same where 1 is nothing and a square, or the quotient itself, may overflow."""
    longer = ops.maximum(ops.maximum(x, y), mean)
    ratio = ops.minimum(x, y) / longer
    return 2.0 * (ops.log(longer) - ops.log(mean)) + ops.log1p(ratio * ratio)


def _cauchy_divergence_gradient(
    p_scale: Array, q_scale: Array, step: Array, ops: Operations
) -> tuple[Array, Array, Array]:
    """In units of the sum of the scales, so that only an extreme step can overflow."""
    total = p_scale + q_scale
    e, d = (p_scale - q_scale) / total, step / total
    size = 1.0 + d * d
    return (e - d * d) / (p_scale * size), -(e + d * d) / (q_scale * size), 2.0 * d / (total * size)


def cauchy_divergence_of_ratio(log_ratio: Array, ops: Operations) -> Array:
    """That of a common place, from the logarithm of the ratio of the scales: log cosh² of its half."""
    return ops.elementwise(_of_ratio, _of_ratio_gradient, log_ratio)


def _of_ratio(log_ratio: Array, ops: Operations) -> Array:
    half = 0.5 * ops.absolute(log_ratio)
    return ops.select(half <= 20.0, lambda x: _log_cosh_square(x, ops), lambda x: 2.0 * (x - _LOG_2), half)


def _log_cosh_square(x: Array, ops: Operations) -> Array:
    some = ops.minimum(x, 20.0)
    sinh = 0.5 * (ops.expm1(some) - ops.expm1(-some))
    return ops.log1p(sinh * sinh)


def _of_ratio_gradient(log_ratio: Array, ops: Operations) -> tuple[Array]:
    """The hyperbolic tangent of the half."""
    small = ops.expm1(-ops.absolute(log_ratio))
    return (-ops.sign(log_ratio) * small / (2.0 + small),)


_LOG_2 = 0.6931471805599453


def wrapped_cauchy_divergence(p: Array, q: Array, ops: Operations) -> Array:
    """log[(1 − p q)²/((1 − p²)(1 − q²))] of the resultant lengths p and q, without cancellation."""
    return ops.log1p(((p - q) / ((1.0 - p) * (1.0 + p))) * ((p - q) / ((1.0 - q) * (1.0 + q))))
