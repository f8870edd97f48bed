"""Exponentials less their tangents, divergences of two sides of a peak, and the exponential integral."""

from __future__ import annotations

from functools import partial

from kl_plugins.formulas.cancellation_free import exp_minus_tangent, taylor_remainder
from kl_plugins.ops.protocol import Array, Operations


def exp_remainder(u: Array, ops: Operations) -> Array:
    """exp(u) − 1 − u: the divergence of exponentials, where exp(u) is p's scale over q's."""
    return ops.elementwise(exp_minus_tangent, _exp_remainder_gradient, u)


def _exp_remainder_gradient(u: Array, ops: Operations) -> tuple[Array]:
    return (ops.expm1(u),)


def multiple_of_exp_remainder(p_scale: Array, q_scale: Array, step: Array, ops: Operations) -> Array:
    """ρ [exp(−t) − 1 + t], ρ = p_scale/q_scale, t = step/p_scale ≥ 0, neither of which need be a float."""
    return ops.elementwise(_multiple_remainder, _multiple_remainder_gradient, p_scale, q_scale, step)


def _multiple_remainder(p_scale: Array, q_scale: Array, step: Array, ops: Operations) -> Array:
    return ops.choose(step <= 50.0 * p_scale, _short_step, _long_step, p_scale, q_scale, step)


def _short_step(p_scale: Array, q_scale: Array, step: Array, ops: Operations) -> Array:
    return p_scale * exp_minus_tangent(-step / p_scale, ops) / q_scale


def _long_step(p_scale: Array, q_scale: Array, step: Array, ops: Operations) -> Array:
    return (step - p_scale) / q_scale


def _multiple_remainder_gradient(
    p_scale: Array, q_scale: Array, step: Array, ops: Operations
) -> tuple[Array, Array, Array]:
    t = step / p_scale
    by_step = -ops.expm1(-t) / q_scale
    value = _multiple_remainder(p_scale, q_scale, step, ops)
    by_p = ops.where(t <= 50.0, value / p_scale - ops.minimum(t, 50.0) * by_step, -1.0 / q_scale)
    return by_p, -value / q_scale, by_step


def weighted_exp_remainder(weight: Array, log_weight: Array, u: Array, ops: Operations) -> Array:
    """weight·[exp(u) − 1 − u], from the weight's logarithm where exp(u) may be beyond the floats."""
    return ops.elementwise(_weighted_remainder, None, weight, log_weight, u)


def _weighted_remainder(weight: Array, log_weight: Array, u: Array, ops: Operations) -> Array:
    return ops.rarely(u > 300.0, _weighted_far, _weighted, weight, log_weight, u)


def _weighted(weight: Array, log_weight: Array, u: Array, ops: Operations) -> Array:
    return weight * exp_minus_tangent(u, ops)


def _weighted_far(weight: Array, log_weight: Array, u: Array, ops: Operations) -> Array:
    return ops.exp(u + log_weight) - weight * (1.0 + u)


def log_normal_negentropy(variance: Array, ops: Operations) -> Array:
    """½ v + ½ log[(exp(v) − 1)/v], v the variance of the logarithm."""
    return ops.elementwise(_log_normal_negentropy, None, variance)


def _log_normal_negentropy(v: Array, ops: Operations) -> Array:
    far = lambda v: 0.5 * v + ops.log(-ops.expm1(-v) / v)  # noqa: E731
    return 0.75 * v + 0.5 * ops.select(v <= 0.1, _log_sinhc_near, far, v)


def _log_sinhc_near(v: Array) -> Array:
    """log[sinh(v/2)/(v/2)], https://dlmf.nist.gov/4.36.1."""
    y = 0.25 * v * v
    return y * (1 / 6 - y * (1 / 180 - y * (1 / 2835 - y / 37800)))


def logit_step_divergence(yes: Array, no: Array, step: Array, ops: Operations) -> Array:
    """KL of a coin that shows `yes` and `no` with these probabilities; q's logit is larger by `step`.

    The two probabilities are given, so that neither is rounded to 0 or 1.
    """
    return ops.elementwise(_logit_step_divergence, _logit_step_gradient, yes, no, step)


def _logit_step_divergence(yes: Array, no: Array, step: Array, ops: Operations) -> Array:
    is_near = ops.absolute(step) <= 0.1
    return ops.pick(is_near, partial(_coins_near, ops=ops), partial(_coins_far, ops=ops), yes, no, step)


def _coins_near(yes: Array, no: Array, step: Array, ops: Operations) -> Array:
    def second_derivative(t: float) -> Array:
        total = yes * ops.exp(t * step) + no
        return yes * no * ops.exp(t * step) / (total * total)

    return step * step * taylor_remainder(second_derivative)


def _coins_far(yes: Array, no: Array, step: Array, ops: Operations) -> Array:
    """no·|step| + log(1 − no (1 − exp(−|step|))), with the sides exchanged where the step is negative."""
    shrunk = ops.where(step > 0.0, no, yes)
    grown = ops.where(step > 0.0, yes, no)
    size = ops.absolute(step)
    change = ops.select(
        shrunk <= 0.5,
        lambda shrunk, grown, size: ops.log1p(shrunk * ops.expm1(-size)),
        lambda shrunk, grown, size: ops.log(grown + shrunk * ops.exp(-size)),
        shrunk, grown, size,
    )  # fmt: skip
    return shrunk * size + change


def _logit_step_gradient(yes: Array, no: Array, step: Array, ops: Operations) -> tuple[Array, Array, Array]:
    """The derivative along yes + no = 1, the only direction that there is, is given as that by `yes`."""
    # Numerator and denominator are over exp(step) where that is large.
    total = yes * ops.exp(ops.minimum(step, 0.0)) + no * ops.exp(-ops.maximum(step, 0.0))
    growth = -ops.sign(step) * ops.expm1(-ops.absolute(step)) / total
    return growth - step, ops.zeros_like(no), yes * no * growth


_EULER = 0.5772156649015329
_SWITCH = 2.5


def scaled_exp1(x: Array, ops: Operations) -> Array:
    """exp(x) E₁(x) for x > 0, E₁ the exponential integral, https://dlmf.nist.gov/6.2.1."""
    return ops.elementwise(_scaled_exp1, _scaled_exp1_gradient, x)


def _scaled_exp1(x: Array, ops: Operations) -> Array:
    large = lambda x: 1.0 / (x + _fraction(ops.maximum(x, _SWITCH)))  # noqa: E731
    return ops.select(x <= _SWITCH, partial(_exp1_small, ops=ops), large, x)


def _exp1_small(x: Array, ops: Operations) -> Array:
    """The series https://dlmf.nist.gov/6.6.2, from its last term on."""
    x = ops.minimum(x, _SWITCH)
    series = 0.0
    for k in range(27, 0, -1):
        series = 1.0 / (k * k) - x * series / k
    return ops.exp(x) * (x * series - _EULER - ops.log(x))


def _fraction(x: Array) -> Array:
    """exp(−x) / E₁(x) − x by the continued fraction https://dlmf.nist.gov/6.9.1, contracted."""
    tail = x + 81.0
    for k in range(40, 1, -1):
        tail = x + (2.0 * k - 1.0) - k * k / tail
    return 1.0 - 1.0 / tail


def _scaled_exp1_gradient(x: Array, ops: Operations) -> tuple[Array]:
    """The value less 1/x."""
    small = lambda x: _exp1_small(x, ops) - 1.0 / x  # noqa: E731
    return (ops.select(x <= _SWITCH, small, partial(_slope_large, ops=ops), x),)


def _slope_large(x: Array, ops: Operations) -> Array:
    fraction = _fraction(ops.maximum(x, _SWITCH))
    return -fraction / (x * (x + fraction))
