"""The divergences of gamma variables and of their logarithms."""

from __future__ import annotations

from kl_plugins.formulas.cancellation_free import (
    identity_minus_log,
    log_ratio_value,
    multiple_of_exp_minus_tangent,
    taylor_remainder,
)
from kl_plugins.ops.gamma_residues import (
    digamma_residue_value,
    log_gamma_residue_value,
    scaled_digamma_value,
    scaled_trigamma_value,
    stirling_rest_value,
    trigamma_residue_value,
)
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.certainty import certainly_is

NEAR = 0.05
"""Up to this relative difference divergences are integrals of positive terms."""


def gamma_divergence(p_shape: Array, q_shape: Array, shift: Array, ops: Operations) -> Array:
    """KL of gamma distributions with the given shapes; `shift` is the logarithm of p's scale over q's.

    With f(a) = ln Γ(a) − (a ln a − a) and u the logarithm of the ratio of the means it is the sum of two
    non-negative terms, [f(a_q) − f(a_p) − f'(a_p)(a_q − a_p)] + a_q [exp(u) − 1 − u]: that of shapes with a
    common mean, and that of means with a common shape.
    """
    return ops.elementwise(_gamma_divergence, _gamma_divergence_gradient, p_shape, q_shape, shift)


def _gamma_divergence(p_shape: Array, q_shape: Array, shift: Array, ops: Operations) -> Array:
    step = q_shape - p_shape
    is_near = ops.absolute(step) <= NEAR * p_shape
    shapes = ops.rarely(is_near, _shapes_near, residues_far, p_shape, q_shape)
    u = _log_ratio_of_means(p_shape, q_shape, shift, ops)
    return shapes + multiple_of_exp_minus_tangent(q_shape, u, ops)


def _log_ratio_of_means(p_shape: Array, q_shape: Array, shift: Array, ops: Operations) -> Array:
    return shift + log_ratio_value(p_shape, q_shape, ops)


def _shapes_near(p_shape: Array, q_shape: Array, ops: Operations) -> Array:
    return residues_near(p_shape, q_shape - p_shape, ops)


def residues_near(p: Array, step: Array, ops: Operations) -> Array:
    """The Bregman divergence of `log_gamma_residue` from p to p + step."""
    return taylor_remainder(lambda t: residue_curvature(p + t * step, step, ops))


def residue_curvature(a: Array, step: Array, ops: Operations) -> Array:
    """step² (ψ₁(a) − 1/a)."""
    share = step / a
    return share * share * scaled_trigamma_value(a, ops)


def residues_far(p_shape: Array, q_shape: Array, ops: Operations) -> Array:
    difference = log_gamma_residue_value(q_shape, ops) - log_gamma_residue_value(p_shape, ops)
    return difference - scaled_digamma_value(p_shape, ops) * ((q_shape - p_shape) / p_shape)


def _gamma_divergence_gradient(
    p_shape: Array, q_shape: Array, shift: Array, ops: Operations
) -> tuple[Array, Array, Array]:
    u = _log_ratio_of_means(p_shape, q_shape, shift, ops)
    by_shift = q_shape * ops.expm1(u)
    by_p = by_shift / p_shape - trigamma_residue_value(p_shape, ops) * (q_shape - p_shape)
    by_q = digamma_residue_value(q_shape, ops) - digamma_residue_value(p_shape, ops) - u
    return by_p, by_q, by_shift


def log_gamma_divergence(
    p_shape: Array, q_shape: Array, shift: Array, ratio: Array, ops: Operations
) -> Array:
    """KL of a·log G distributions, G gamma of the given shapes: `shift` and `ratio` make p's of q's.

    With Y = log G of shape a_p, q's standard variable is shift + ratio·Y. In terms of λ = shift +
    ratio·ln a_p − ln a_q, f as above and G(a, r) = ln Γ(a + r) − ln Γ(a) − r ln a it is
    −ln r + f(a_q) − f(a_p) + (a_p − r a_q) f'(a_p) + a_q [exp(λ + G) − 1 − λ]: no term grows like a ln a.
    """
    if certainly_is(ratio, 1.0):
        return gamma_divergence(p_shape, q_shape, shift, ops)
    if certainly_is(p_shape, 1.0) and certainly_is(q_shape, 1.0):
        return ops.elementwise(_unit_divergence, _unit_divergence_gradient, shift, ratio)
    return ops.elementwise(
        _log_gamma_divergence, _log_gamma_divergence_gradient, p_shape, q_shape, shift, ratio
    )


def _log_gamma_divergence(
    p_shape: Array, q_shape: Array, shift: Array, ratio: Array, ops: Operations
) -> Array:
    level = _level(p_shape, q_shape, shift, ratio, ops)
    near_shapes = ops.absolute(q_shape - p_shape) <= NEAR * p_shape
    near_ratio = ops.logical_and(ops.absolute(ratio - 1.0) <= NEAR, ops.absolute(level) <= NEAR)
    is_near = ops.logical_and(near_shapes, near_ratio)
    return ops.rarely(is_near, _log_near, _log_far, p_shape, q_shape, level, ratio)


def _unit_divergence(shift: Array, ratio: Array, ops: Operations) -> Array:
    """That of logarithms of exponential variables: Gumbel's, and Weibull's in another scale."""
    return _log_gamma_divergence(1.0, 1.0, shift, ratio, ops)


def _unit_divergence_gradient(shift: Array, ratio: Array, ops: Operations) -> tuple[Array, Array]:
    _, _, by_shift, by_ratio = _log_gamma_divergence_gradient(1.0, 1.0, shift, ratio, ops)
    return by_shift, by_ratio


def _level(p_shape: Array, q_shape: Array, shift: Array, ratio: Array, ops: Operations) -> Array:
    """The λ above."""
    return shift + log_ratio_value(p_shape, q_shape, ops) + (ratio - 1.0) * ops.log(p_shape)


def log_moment(shape: Array, power: Array, ops: Operations) -> Array:
    """log E[(G/a)^power] for a gamma variable G of shape a: small where a is large. +∞ where it diverges."""
    return ops.elementwise(_log_moment, _log_moment_gradient, shape, power)


def _log_moment_gradient(shape: Array, power: Array, ops: Operations) -> tuple[Array, Array]:
    slope = ops.digamma(shape + power) - ops.log(shape)
    by_shape = slope - digamma_residue_value(shape, ops) - power / shape
    return by_shape, slope


def _log_moment(shape: Array, power: Array, ops: Operations) -> Array:
    """The G of `log_gamma_divergence`."""
    if certainly_is(shape, 1.0):
        return ops.gammaln(ops.where(power > -1.0, 1.0 + power, 0.0))
    exists = shape + power > 0.0
    power = ops.where(exists, power, 1.0)
    value = ops.rarely(shape < 1e-150, _log_moment_of_tiny, _log_moment_of_others, shape, power)
    return ops.where(exists, value, float("inf"))


def _log_moment_of_tiny(shape: Array, power: Array, ops: Operations) -> Array:
    raised = shape + power
    return log_ratio_value(shape, raised, ops) + ops.gammaln(1.0 + raised) - power * ops.log(shape)


def _log_moment_of_others(shape: Array, power: Array, ops: Operations) -> Array:
    x = power / shape
    growth = ops.log1p(x)
    change = stirling_rest_value(shape + power, ops) - stirling_rest_value(shape, ops) - 0.5 * growth
    return power * growth - shape * identity_minus_log(x, ops) + change


def _log_far(p_shape: Array, q_shape: Array, level: Array, ratio: Array, ops: Operations) -> Array:
    change = log_gamma_residue_value(q_shape, ops) - log_gamma_residue_value(p_shape, ops)
    change = change + (1.0 - ratio * q_shape / p_shape) * scaled_digamma_value(p_shape, ops)
    log_moment = _log_moment(p_shape, ratio, ops)
    excess = multiple_of_exp_minus_tangent(q_shape, level + log_moment, ops) + q_shape * log_moment
    value = change - ops.log(ops.absolute(ratio)) + excess
    # Where infinite terms meet they are of shapes or powers that the largest floats are nothing beside.
    settled = ops.logical_and(log_moment < float("inf"), ops.logical_not(ops.isnan(value)))
    return ops.where(settled, ops.maximum(value, 0.0), float("inf"))


def _log_near(p_shape: Array, q_shape: Array, level: Array, ratio: Array, ops: Operations) -> Array:
    """The integral of the second derivative along the line from p to q, which has no cancellation."""
    step, turn = q_shape - p_shape, ratio - 1.0
    log_p, fall = ops.log(p_shape), step / p_shape * turn * scaled_digamma_value(p_shape, ops)

    def second_derivative(t: float) -> Array:
        shape, power = p_shape + t * step, 1.0 + t * turn
        exponent = t * level + _log_moment(p_shape, power, ops)
        growth = ops.exp(exponent)
        slope = ops.digamma(p_shape + power) - log_p
        first = level + turn * slope
        mixed = step * (ops.expm1(exponent) * level + growth * turn * slope) - fall
        bend = first * first + turn * turn * ops.trigamma(p_shape + power)
        return (turn / power) ** 2 + residue_curvature(shape, step, ops) + 2.0 * mixed + shape * growth * bend

    return taylor_remainder(second_derivative)


def _log_gamma_divergence_gradient(
    p_shape: Array, q_shape: Array, shift: Array, ratio: Array, ops: Operations
) -> tuple[Array, Array, Array, Array]:
    level = _level(p_shape, q_shape, shift, ratio, ops)
    residue = digamma_residue_value(p_shape, ops)
    curvature = 1.0 / p_shape + trigamma_residue_value(p_shape, ops)
    exponent = level + _log_moment(p_shape, ratio, ops)
    growth = ops.exp(exponent)
    log_p = ops.log(p_shape)
    slope = ops.digamma(p_shape + ratio) - log_p
    by_p = (p_shape - q_shape * ratio) * curvature - 1.0 + q_shape * growth * (slope - residue)
    by_q = digamma_residue_value(q_shape, ops) - ratio * residue - level
    by_shift = q_shape * ops.expm1(exponent)
    by_ratio = q_shape * (growth * slope - residue + ops.expm1(exponent) * log_p) - 1.0 / ratio
    return by_p, by_q, by_shift, by_ratio
