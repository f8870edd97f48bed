"""Scalar formulas, free of cancellation, that families and covariance structures share."""

from __future__ import annotations

from kl_plugins.ops.protocol import Array, Operations


def identity_minus_log1p(x: Array) -> Array:
    """Return x − log(1 + x) for |x| ≤ 0.2 without cancellation.

    With r = x / (2 + x), log(1 + x) = 2 atanh r and x − 2r = x r, so that
    x − log(1 + x) = x r − 2 r³ (1/3 + r²/5 + r⁴/7 + …), whose first term dominates. The same series
    serves the deviance of the Poisson distribution (C. Loader, Fast and accurate computation of
    binomial probabilities, 2000).
    """
    r = x / (2.0 + x)
    r2 = r * r  # at most 1/81: nine terms reach float64's precision
    tail = 1 / 15 + r2 * (1 / 17 + r2 / 19)
    tail = 1 / 3 + r2 * (1 / 5 + r2 * (1 / 7 + r2 * (1 / 9 + r2 * (1 / 11 + r2 * (1 / 13 + r2 * tail)))))
    return x * r - 2.0 * r * r2 * tail


def scale_divergence(p_scale: Array, q_scale: Array, ops: Operations) -> Array:
    """KL of centred normals with the given scales: ½ (m² − 1 − 2 ln m), m = p_scale / q_scale.

    Near m = 1 it is ½ e² + (e − log(1 + e)) with e = m − 1 taken from the difference of the scales:
    two non-negative terms. The logarithm of the ratio goes through square roots so that no pair of
    finite scales overflows or underflows on the way to a finite answer.

    Parameters
    ----------
    p_scale, q_scale : float, numpy.ndarray or TensorVariable
        Positive; their shapes broadcast.
    ops : Operations
        The operations of their backend, ``p.ops`` in a rule.

    Returns
    -------
    float, numpy.ndarray or TensorVariable
        In nats, of the broadcast shape.

    Examples
    --------
    >>> from kl_plugins.extend import Normal, scale_divergence
    >>> p, q = Normal(0.0, 1.0), Normal(0.0, 2.0)
    >>> round(scale_divergence(p.scale, q.scale, p.ops), 6)
    0.318147
    """

    return ops.elementwise(_scale_divergence, _scale_divergence_gradient, p_scale, q_scale)


def _scale_divergence(p_scale: Array, q_scale: Array, ops: Operations) -> Array:
    is_near = ops.absolute(p_scale - q_scale) <= 0.2 * q_scale
    return ops.choose(is_near, _scales_near, _scales_far, p_scale, q_scale)


def _scales_near(p_scale: Array, q_scale: Array, ops: Operations) -> Array:
    e = (p_scale - q_scale) / q_scale
    return 0.5 * e * e + identity_minus_log1p(e)


def _scales_far(p_scale: Array, q_scale: Array, ops: Operations) -> Array:
    ratio = p_scale / q_scale
    half_log = ops.log(ops.sqrt(p_scale) / ops.sqrt(q_scale))
    # A ratio beyond all floats: its square is the answer, infinity, and not infinity less itself.
    return (0.5 * ratio) * ratio - 0.5 - 2.0 * ops.minimum(half_log, 1e3)


def _scale_divergence_gradient(p_scale: Array, q_scale: Array, ops: Operations) -> tuple[Array, Array]:
    """Derivatives (m² − 1) / p_scale and −(m² − 1) / q_scale, with m² − 1 = (m − 1)(m + 1)."""
    excess = ((p_scale - q_scale) / q_scale) * ((p_scale + q_scale) / q_scale)
    return excess / p_scale, -excess / q_scale


def normal_divergence(p_scale: Array, q_scale: Array, step: Array, ops: Operations) -> Array:
    """KL of normals with the given scales and the difference of their means: that of the scales, and ½ w².

    w is the step in units of q's scale. Source: https://statproofbook.github.io/P/norm-kl, in the form
    without cancellation.
    """
    return ops.elementwise(_normal_divergence, _normal_divergence_gradient, p_scale, q_scale, step)


def _normal_divergence(p_scale: Array, q_scale: Array, step: Array, ops: Operations) -> Array:
    w = step / q_scale
    return _scale_divergence(p_scale, q_scale, ops) + (0.5 * w) * w


def _normal_divergence_gradient(
    p_scale: Array, q_scale: Array, step: Array, ops: Operations
) -> tuple[Array, Array, Array]:
    by_p, by_q = _scale_divergence_gradient(p_scale, q_scale, ops)
    slope = (step / q_scale) / q_scale
    return by_p, by_q - slope * (step / q_scale), slope


def variance_divergence(p_variance: Array, q_variance: Array, ops: Operations) -> Array:
    """KL of centred normals with the given variances: ½ (ρ − 1 − ln ρ), ρ = p_variance / q_variance.

    Near ρ = 1 it is ½ (g − log(1 + g)) with g = ρ − 1 taken from the difference of the variances, which
    no square root has rounded.
    """

    return ops.elementwise(_variance_divergence, _variance_divergence_gradient, p_variance, q_variance)


def _variance_divergence(p_variance: Array, q_variance: Array, ops: Operations) -> Array:
    is_near = ops.absolute(p_variance - q_variance) <= 0.2 * q_variance
    return ops.choose(is_near, _variances_near, _variances_far, p_variance, q_variance)


def _variances_near(p_variance: Array, q_variance: Array, ops: Operations) -> Array:
    return 0.5 * identity_minus_log1p((p_variance - q_variance) / q_variance)


def _variances_far(p_variance: Array, q_variance: Array, ops: Operations) -> Array:
    half_log = ops.log(ops.sqrt(p_variance) / ops.sqrt(q_variance))
    return 0.5 * (p_variance / q_variance) - 0.5 - ops.minimum(half_log, 1e3)


def _variance_divergence_gradient(
    p_variance: Array, q_variance: Array, ops: Operations
) -> tuple[Array, Array]:
    """Derivatives ½ (ρ − 1) / p_variance and −½ (ρ − 1) / q_variance."""
    half = 0.5 * ((p_variance - q_variance) / q_variance)
    return half / p_variance, -half / q_variance


def divergence_of_variances(p_variance: Array, q_variance: Array, step: Array, ops: Operations) -> Array:
    """`normal_divergence` of normals that are given by their variances, which no square root has rounded."""
    return ops.elementwise(_of_variances, _of_variances_gradient, p_variance, q_variance, step)


def _of_variances(p_variance: Array, q_variance: Array, step: Array, ops: Operations) -> Array:
    w = step / ops.sqrt(q_variance)
    return _variance_divergence(p_variance, q_variance, ops) + (0.5 * w) * w


def _of_variances_gradient(
    p_variance: Array, q_variance: Array, step: Array, ops: Operations
) -> tuple[Array, Array, Array]:
    by_p, by_q = _variance_divergence_gradient(p_variance, q_variance, ops)
    slope = step / q_variance
    return by_p, by_q - (0.5 * slope) * slope, slope
