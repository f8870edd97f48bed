"""The gamma function and its derivatives without their large parts, and the divergences made of them.

Large arguments make ln Γ(a) ≈ a ln a and ψ(a) ≈ ln a, of which hardly anything is left in a divergence. What
is left is computed here by itself. For small ones it is like 1/a and 1/a², which may be beyond the floats
where divergences are not: those are made of a times the one and a² times the other, between ½ and 1 in size.
"""

from __future__ import annotations

from kl_plugins.formulas.remainders import (
    _log_ratio,
    identity_minus_log,
    multiple_of_exp_minus_tangent,
    taylor_remainder,
)
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.certainty import certainly_is

_LARGE = 10.0
"""From here on the asymptotic series serve."""

_HALF_LOG_2PI = 0.9189385332046727

_NEAR = 0.05
"""Up to this relative difference divergences are integrals of positive terms."""


def log_gamma_residue(a: Array, ops: Operations) -> Array:
    """ln Γ(a) − (a ln a − a), whose derivatives are ψ(a) − ln a and ψ₁(a) − 1/a."""
    return ops.elementwise(_log_gamma_residue, _log_gamma_residue_gradient, a)


def _log_gamma_residue(a: Array, ops: Operations) -> Array:
    return ops.choose(a < _LARGE, _residue_small, _residue_large, a)


def _residue_small(a: Array, ops: Operations) -> Array:
    return ops.gammaln(1.0 + a) - (1.0 + a) * ops.log(a) + a


def _residue_large(a: Array, ops: Operations) -> Array:
    return _HALF_LOG_2PI - 0.5 * ops.log(a) + _stirling(a)


def _stirling(a: Array) -> Array:
    """Stirling's series, https://dlmf.nist.gov/5.11.1."""
    x = 1.0 / a
    y = x * x
    series = 1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y * (1 / 1188 - y * 691 / 360360))))
    return x * series


def stirling_rest(a: Array, ops: Operations) -> Array:
    """ln Γ(a) − (a ln a − a) − ½ ln(2π/a), which is about 1/(12 a)."""
    return ops.elementwise(_stirling_rest, _stirling_rest_gradient, a)


def _stirling_rest(a: Array, ops: Operations) -> Array:
    return ops.choose(a < _LARGE, _stirling_rest_small, _stirling_rest_large, a)


def _stirling_rest_small(a: Array, ops: Operations) -> Array:
    return ops.gammaln(1.0 + a) - (0.5 + a) * ops.log(a) + a - _HALF_LOG_2PI


def _stirling_rest_large(a: Array, ops: Operations) -> Array:
    return _stirling(a)


def _stirling_rest_gradient(a: Array, ops: Operations) -> tuple[Array]:
    return (-_digamma_rest(a, ops) / a,)


def digamma_rest(a: Array, ops: Operations) -> Array:
    """a (ln a − ψ(a)) − ½, which is about 1/(12 a)."""
    return ops.elementwise(_digamma_rest, _digamma_rest_gradient, a)


def _digamma_rest(a: Array, ops: Operations) -> Array:
    return ops.choose(a < _LARGE, _digamma_rest_small, _digamma_rest_large, a)


def _digamma_rest_small(a: Array, ops: Operations) -> Array:
    return -0.5 - _scaled_digamma_small(a, ops)


def _digamma_rest_gradient(a: Array, ops: Operations) -> tuple[Array]:
    return (-_scaled_digamma_gradient(a, ops)[0],)


def _log_gamma_residue_gradient(a: Array, ops: Operations) -> tuple[Array]:
    return (_digamma_residue(a, ops),)


def digamma_residue(a: Array, ops: Operations) -> Array:
    """ψ(a) − ln a, which is negative."""
    return ops.elementwise(_digamma_residue, _digamma_residue_gradient, a)


def _digamma_residue(a: Array, ops: Operations) -> Array:
    return _scaled_digamma(a, ops) / a


def scaled_digamma(a: Array, ops: Operations) -> Array:
    """a (ψ(a) − ln a)."""
    return ops.elementwise(_scaled_digamma, _scaled_digamma_gradient, a)


def _scaled_digamma_gradient(a: Array, ops: Operations) -> tuple[Array]:
    return ((_scaled_digamma(a, ops) + _scaled_trigamma(a, ops)) / a,)


def _scaled_digamma(a: Array, ops: Operations) -> Array:
    """a (ψ(a) − ln a), which is between −1 and −½."""
    return ops.choose(a < _LARGE, _scaled_digamma_small, _scaled_digamma_large, a)


def _scaled_digamma_small(a: Array, ops: Operations) -> Array:
    """By ψ(a) = ψ(a + 10) − Σ 1/(a + i), i < 10, whose terms i and 9 − i have one denominator."""
    u = a * (a + 9.0)
    total = 1.0 / (u + 8.0) + 1.0 / (u + 14.0) + 1.0 / (u + 18.0) + 1.0 / (u + 20.0)
    total = a * total + 1.0 / (a + 9.0)
    shifted = a + 10.0
    growth = ops.log(shifted / ops.maximum(a, 1e-30))  # of smaller ones a times it is nothing beside 1
    return a * (growth + _scaled_digamma_large(shifted, ops) / shifted) - (2.0 * a + 9.0) * total


def _scaled_digamma_large(a: Array, ops: Operations) -> Array:
    return -0.5 - _digamma_rest_large(a, ops)


def _digamma_rest_large(a: Array, ops: Operations) -> Array:
    """https://dlmf.nist.gov/5.11.2."""
    x = 1.0 / a
    y = x * x
    series = 1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132 - y * 691 / 32760))))
    return x * series


def _digamma_residue_gradient(a: Array, ops: Operations) -> tuple[Array]:
    return (_trigamma_residue(a, ops),)


def trigamma_residue(a: Array, ops: Operations) -> Array:
    """ψ₁(a) − 1/a, which is positive."""
    return ops.elementwise(_trigamma_residue, None, a)


def _trigamma_residue(a: Array, ops: Operations) -> Array:
    return _scaled_trigamma(a, ops) / a / a


def scaled_trigamma(a: Array, ops: Operations) -> Array:
    """a² (ψ₁(a) − 1/a)."""
    return ops.elementwise(_scaled_trigamma, None, a)


def _scaled_trigamma(a: Array, ops: Operations) -> Array:
    """a² (ψ₁(a) − 1/a), which is between ½ and 1."""
    return ops.pick(a < _LARGE, _scaled_trigamma_small, _scaled_trigamma_large, a)


def _scaled_trigamma_small(a: Array) -> Array:
    """By ψ₁(a) = ψ₁(a + 10) + Σ 1/(a + i)², i < 10, whose terms i and 9 − i have one denominator."""
    u = a * (a + 9.0)
    u1, u2, u3, u4 = u + 8.0, u + 14.0, u + 18.0, u + 20.0
    squares = 2.0 * u + 81.0  # less twice the added number: (a + i)² + (a + 9 − i)²
    total = (squares - 16.0) / (u1 * u1) + (squares - 28.0) / (u2 * u2)
    total = total + (squares - 36.0) / (u3 * u3) + (squares - 40.0) / (u4 * u4)
    b = a + 9.0
    shifted = a + 10.0
    x = 1.0 / shifted
    total = total + 1.0 / (b * b) + x + x * x * _scaled_trigamma_large(shifted)
    return a * a * total + (1.0 - a)


def _scaled_trigamma_large(a: Array) -> Array:
    """https://dlmf.nist.gov/5.15.8."""
    x = 1.0 / a
    y = x * x
    series = 1 / 6 - y * (1 / 30 - y * (1 / 42 - y * (1 / 30 - y * (5 / 66 - y * 691 / 2730))))
    return 0.5 + x * series


def gamma_divergence(p_shape: Array, q_shape: Array, shift: Array, ops: Operations) -> Array:
    """KL of gamma distributions with the given shapes; `shift` is the logarithm of p's scale over q's.

    With f(a) = ln Γ(a) − (a ln a − a) and u the logarithm of the ratio of the means it is the sum of two
    non-negative terms, [f(a_q) − f(a_p) − f'(a_p)(a_q − a_p)] + a_q [exp(u) − 1 − u]: that of shapes with a
    common mean, and that of means with a common shape.
    """
    return ops.elementwise(_gamma_divergence, _gamma_divergence_gradient, p_shape, q_shape, shift)


def _gamma_divergence(p_shape: Array, q_shape: Array, shift: Array, ops: Operations) -> Array:
    step = q_shape - p_shape
    is_near = ops.absolute(step) <= _NEAR * p_shape
    shapes = ops.choose(is_near, _shapes_near, _shapes_far, p_shape, q_shape)
    u = _log_ratio_of_means(p_shape, q_shape, shift, ops)
    return shapes + multiple_of_exp_minus_tangent(q_shape, u, ops)


def _log_ratio_of_means(p_shape: Array, q_shape: Array, shift: Array, ops: Operations) -> Array:
    return shift + _log_ratio(p_shape, q_shape, ops)


def _shapes_near(p_shape: Array, q_shape: Array, ops: Operations) -> Array:
    return _residues_near(p_shape, q_shape - p_shape, ops)


def _residues_near(p: Array, step: Array, ops: Operations) -> Array:
    """The Bregman divergence of `log_gamma_residue` from p to p + step."""
    return taylor_remainder(lambda t: _curvature(p + t * step, step, ops))


def _curvature(a: Array, step: Array, ops: Operations) -> Array:
    """step² (ψ₁(a) − 1/a)."""
    share = step / a
    return share * share * _scaled_trigamma(a, ops)


def _shapes_far(p_shape: Array, q_shape: Array, ops: Operations) -> Array:
    difference = _log_gamma_residue(q_shape, ops) - _log_gamma_residue(p_shape, ops)
    return difference - _scaled_digamma(p_shape, ops) * ((q_shape - p_shape) / p_shape)


def _gamma_divergence_gradient(
    p_shape: Array, q_shape: Array, shift: Array, ops: Operations
) -> tuple[Array, Array, Array]:
    u = _log_ratio_of_means(p_shape, q_shape, shift, ops)
    by_shift = q_shape * ops.expm1(u)
    by_p = by_shift / p_shape - _trigamma_residue(p_shape, ops) * (q_shape - p_shape)
    by_q = _digamma_residue(q_shape, ops) - _digamma_residue(p_shape, ops) - u
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
    near_shapes = ops.absolute(q_shape - p_shape) <= _NEAR * p_shape
    near_ratio = ops.logical_and(ops.absolute(ratio - 1.0) <= _NEAR, ops.absolute(level) <= _NEAR)
    is_near = ops.logical_and(near_shapes, near_ratio)
    return ops.choose(is_near, _log_near, _log_far, p_shape, q_shape, level, ratio)


def _unit_divergence(shift: Array, ratio: Array, ops: Operations) -> Array:
    """That of logarithms of exponential variables: Gumbel's, and Weibull's in another scale."""
    return _log_gamma_divergence(1.0, 1.0, shift, ratio, ops)


def _unit_divergence_gradient(shift: Array, ratio: Array, ops: Operations) -> tuple[Array, Array]:
    _, _, by_shift, by_ratio = _log_gamma_divergence_gradient(1.0, 1.0, shift, ratio, ops)
    return by_shift, by_ratio


def _level(p_shape: Array, q_shape: Array, shift: Array, ratio: Array, ops: Operations) -> Array:
    """The λ above."""
    return shift + _log_ratio(p_shape, q_shape, ops) + (ratio - 1.0) * ops.log(p_shape)


def log_moment(shape: Array, power: Array, ops: Operations) -> Array:
    """log E[(G/a)^power] for a gamma variable G of shape a: small where a is large. +∞ where it diverges."""
    return ops.elementwise(_log_moment, _log_moment_gradient, shape, power)


def _log_moment_gradient(shape: Array, power: Array, ops: Operations) -> tuple[Array, Array]:
    slope = ops.digamma(shape + power) - ops.log(shape)
    by_shape = slope - _digamma_residue(shape, ops) - power / shape
    return by_shape, slope


def _log_moment(shape: Array, power: Array, ops: Operations) -> Array:
    """The G of `log_gamma_divergence`."""
    if certainly_is(shape, 1.0):
        return ops.gammaln(ops.where(power > -1.0, 1.0 + power, 0.0))
    exists = shape + power > 0.0
    power = ops.where(exists, power, 1.0)
    value = ops.choose(shape < 1e-150, _log_moment_of_tiny, _log_moment_of_others, shape, power)
    return ops.where(exists, value, float("inf"))


def _log_moment_of_tiny(shape: Array, power: Array, ops: Operations) -> Array:
    raised = shape + power
    return _log_ratio(shape, raised, ops) + ops.gammaln(1.0 + raised) - power * ops.log(shape)


def _log_moment_of_others(shape: Array, power: Array, ops: Operations) -> Array:
    x = power / shape
    growth = ops.log1p(x)
    change = _stirling_rest(shape + power, ops) - _stirling_rest(shape, ops) - 0.5 * growth
    return power * growth - shape * identity_minus_log(x, ops) + change


def _log_far(p_shape: Array, q_shape: Array, level: Array, ratio: Array, ops: Operations) -> Array:
    change = _log_gamma_residue(q_shape, ops) - _log_gamma_residue(p_shape, ops)
    change = change + (1.0 - ratio * q_shape / p_shape) * _scaled_digamma(p_shape, ops)
    log_moment = _log_moment(p_shape, ratio, ops)
    excess = multiple_of_exp_minus_tangent(q_shape, level + log_moment, ops) + q_shape * log_moment
    value = change - ops.log(ops.absolute(ratio)) + excess
    # Where infinite terms meet they are of shapes or powers that the largest floats are nothing beside.
    settled = ops.logical_and(log_moment < float("inf"), ops.logical_not(ops.isnan(value)))
    return ops.where(settled, ops.maximum(value, 0.0), float("inf"))


def _log_near(p_shape: Array, q_shape: Array, level: Array, ratio: Array, ops: Operations) -> Array:
    """The integral of the second derivative along the line from p to q, which has no cancellation."""
    step, turn = q_shape - p_shape, ratio - 1.0
    log_p, fall = ops.log(p_shape), step / p_shape * turn * _scaled_digamma(p_shape, ops)

    def second_derivative(t: float) -> Array:
        shape, power = p_shape + t * step, 1.0 + t * turn
        exponent = t * level + _log_moment(p_shape, power, ops)
        growth = ops.exp(exponent)
        slope = ops.digamma(p_shape + power) - log_p
        first = level + turn * slope
        mixed = step * (ops.expm1(exponent) * level + growth * turn * slope) - fall
        bend = first * first + turn * turn * ops.trigamma(p_shape + power)
        return (turn / power) ** 2 + _curvature(shape, step, ops) + 2.0 * mixed + shape * growth * bend

    return taylor_remainder(second_derivative)


def _log_gamma_divergence_gradient(
    p_shape: Array, q_shape: Array, shift: Array, ratio: Array, ops: Operations
) -> tuple[Array, Array, Array, Array]:
    level = _level(p_shape, q_shape, shift, ratio, ops)
    residue = _digamma_residue(p_shape, ops)
    curvature = 1.0 / p_shape + _trigamma_residue(p_shape, ops)
    exponent = level + _log_moment(p_shape, ratio, ops)
    growth = ops.exp(exponent)
    log_p = ops.log(p_shape)
    slope = ops.digamma(p_shape + ratio) - log_p
    by_p = (p_shape - q_shape * ratio) * curvature - 1.0 + q_shape * growth * (slope - residue)
    by_q = _digamma_residue(q_shape, ops) - ratio * residue - level
    by_shift = q_shape * ops.expm1(exponent)
    by_ratio = q_shape * (growth * slope - residue + ops.expm1(exponent) * log_p) - 1.0 / ratio
    return by_p, by_q, by_shift, by_ratio
