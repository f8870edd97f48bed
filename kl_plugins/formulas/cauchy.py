"""The divergence of Cauchy distributions."""

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
