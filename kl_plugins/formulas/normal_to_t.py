"""How far normal vectors are from multivariate t ones: a sum over fixed nodes, whatever the dimension.

The squared distance s = (x − m)ᵀS⁻¹(x − m) is a sum of λᵢ(zᵢ + aᵢ)² over independent normal zᵢ. With
v = u/(ν + E s), https://en.wikipedia.org/wiki/Frullani_integral gives

    log(1 + E s/ν) − E log(1 + s/ν) = ∫ (exp R(u) − 1) exp(−u)/u du,  R = v E s + log E exp(−v s) ≥ 0.

The expectation is in https://en.wikipedia.org/wiki/Generalized_chi-squared_distribution. The trapezoidal rule
in log u converges geometrically: L. N. Trefethen, J. A. C. Weideman, The exponentially convergent trapezoidal
rule, 2014. Where ν is large, what cancels has been taken off beforehand.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from kl_plugins.formulas.cancellation_free import exp_minus_tangent, identity_minus_log
from kl_plugins.formulas.shared import identity_minus_log1p
from kl_plugins.ops.gamma_residues import stirling_rest
from kl_plugins.ops.protocol import Array, ArrayOperations, Operations

_STEP = 0.25
"""Of log u, in which the integrand is analytic up to a distance of π/2: an error of exp(−4 π²)."""

_NEAR = np.exp(_STEP * np.arange(-80.0, 17.0))
_FAR = np.exp(_STEP * np.arange(17.0, 308.0))
"""Beyond, a single squared variable, whose density falls the slowest, has 10⁻¹⁷ left."""

_LARGE = 15.0
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
"""https://dlmf.nist.gov/5.11.E1, from that argument on."""

COUNT = len(_NEAR) + len(_FAR)

_BLOCK = 2**20
"""So many numbers at a time are enough."""


def normal_to_t_divergence(
    centred: Array,
    log_ratio: Array,
    variances: Array,
    squares: Array,
    df: Array,
    dimension: Array,
    ops: ArrayOperations,
) -> Array:
    """KL(p‖q) by way of N(m, κS), κ = (ν + E s)/(ν + d).

    `centred` is ½ [tr(S⁻¹Σ) − d − ln|S⁻¹Σ|] and `log_ratio` that logarithm. `variances` are the λᵢ,
    `squares` the λᵢaᵢ².
    """
    mean = ops.sum_last(variances + squares)
    whole, raised = df + mean, 0.5 * (df + dimension)
    inverse, change = (df + dimension) / whole, (dimension - mean) / whole  # 1/κ, and that less 1
    of_scale = ops.select(ops.absolute(change) <= 0.2, lambda change, _: identity_minus_log1p(change),
                          lambda change, inverse: change - ops.log(inverse), change, inverse)  # fmt: skip
    to_normal = inverse * (centred + 0.5 * ops.sum_last(squares)) + 0.5 * change * log_ratio
    a, b = variances / whole[..., None], squares / whole[..., None]
    of_variances = (variances - 1.0) / whole[..., None] * ((variances + 1.0) / whole[..., None])
    spread = ops.sum_last(of_variances + 2.0 * a * b)
    common = ops.select(dimension <= df, partial(_common_near, ops=ops), partial(_common_far, ops=ops),
                        df, dimension, mean, whole)  # fmt: skip
    rests = _rest_difference(0.5 * df, dimension / df, ops)
    integral = spread + _rest_of_integral(a, b, df / whole, ops)
    value = to_normal + common + rests + raised * (of_scale - integral)
    return ops.replace(ops.maximum(value, 0.0), ops.isinf(whole), whole)


def _common_near(df: Array, d: Array, mean: Array, whole: Array, ops: ArrayOperations) -> Array:
    """½ log(1 + d/ν) − ½ d (ν + d)/(ν + E s)²."""
    share = mean / whole
    level = (2.0 * share - d / whole) / whole + share * share / df
    return 0.5 * d * level - 0.5 * identity_minus_log(d / df, ops)


def _common_far(df: Array, d: Array, mean: Array, whole: Array, ops: ArrayOperations) -> Array:
    return 0.5 * ops.log1p(d / df) - 0.5 * d * ((df + d) / whole) / whole


def _rest_difference(half: Array, ratio: Array, ops: ArrayOperations) -> Array:
    """What ln Γ has beside its large parts, at h less that at h (1 + ratio)."""

    def far(half: Array, ratio: Array) -> Array:
        logs, value = ops.log1p(ratio), 0.0
        for i, c in enumerate(_STIRLING):
            power = 2.0 * i + 1.0
            value = value - c * ops.expm1(-power * logs) * ops.power(half, -power)
        return value

    def near(half: Array, ratio: Array) -> Array:
        return stirling_rest(half, ops) - stirling_rest(half + half * ratio, ops)

    return ops.select(half >= _LARGE, far, near, half, ratio)


def _rest_of_integral(a: Array, b: Array, share: Array, ops: ArrayOperations) -> Array:
    """∫ (exp R − 1 − u² W) exp(−u)/u du, u² W the leading term of R, from λᵢ and λᵢaᵢ² over ν + E s."""
    leading = ops.sum_last(a * a + 2.0 * a * b)[..., None]
    a, b, share = a[..., None, :], b[..., None, :], share[..., None]
    parts = 1 if ops.symbolic else 1 + np.size(a + b) * len(_FAR) // _BLOCK
    value: Array = 0.0
    for nodes in np.array_split(_NEAR, min(parts, len(_NEAR))):
        u, x, part = _at(nodes, a, ops)
        rise = ops.sum_last(0.5 * _quadratic(x, ops) + u[:, None] * b * part)
        beyond = ops.sum_last(0.5 * _cubic(x, ops) + u[:, None] * b * (x * part))
        value = value + ops.sum_last((_exponential(rise, ops) - beyond) * ops.exp(-u))
    for nodes in np.array_split(_FAR, min(parts, len(_FAR))):
        u, x, part = _at(nodes, a, ops)
        fall = u * share + ops.sum_last(0.5 * ops.log1p(x) + u[:, None] * b / (1.0 + x))
        value = value + ops.sum_last(ops.exp(-fall) - ops.exp(-u) * (1.0 + u * u * leading))
    return _STEP * value


def _at(nodes: Array, a: Array, ops: ArrayOperations) -> tuple[Array, Array, Array]:
    u = ops.asarray(nodes, "nodes")
    x = 2.0 * u[:, None] * a
    return u, x, x / (1.0 + x)


def _quadratic(x: Array, ops: ArrayOperations) -> Array:
    """x − log(1 + x) for x ≥ 0, one node of a graph."""
    return ops.elementwise(identity_minus_log, _quadratic_gradient, x)


def _quadratic_gradient(x: Array, ops: Operations) -> tuple[Array]:
    return (x / (1.0 + x),)


def _cubic(x: Array, ops: ArrayOperations) -> Array:
    """log(1 + x) − x + x²/2 for x ≥ 0: of r = x/(2 + x) it is ½ x² r + (2 artanh r − 2 r)."""
    return ops.elementwise(_cubic_value, _cubic_gradient, x)


def _cubic_value(x: Array, ops: Operations) -> Array:
    r = x / (2.0 + x)
    return 0.5 * x * x * r + ops.choose(x <= 1.0, _artanh_near, _artanh_far, r)


def _cubic_gradient(x: Array, ops: Operations) -> tuple[Array]:
    return (x * (x / (1.0 + x)),)


def _artanh_near(r: Array, ops: Operations) -> Array:
    """2 artanh r − 2 r for r ≤ 1/3."""
    square = r * r
    series = 1.0 / 37.0
    for j in range(35, 1, -2):
        series = 1.0 / j + square * series
    return 2.0 * r * square * series


def _artanh_far(r: Array, ops: Operations) -> Array:
    return ops.log1p(2.0 * r / (1.0 - r)) - 2.0 * r


def _exponential(x: Array, ops: ArrayOperations) -> Array:
    """exp(x) − 1 − x, one node of a graph."""
    return ops.elementwise(exp_minus_tangent, _exponential_gradient, x)


def _exponential_gradient(x: Array, ops: Operations) -> tuple[Array]:
    return (ops.expm1(x),)
