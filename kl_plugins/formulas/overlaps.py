"""Overlaps of two densities of one family: log ∫ fˢgᵗ + (s + t − 1) H(f), H the entropy.

The exponents s and t are arrays that broadcast against the others. It does not change with the scale that the
variable is measured in. It is Chernoff's coefficient for s + t = 1.
An exponential family with log-partition function A has A(sη_f + tη_g) − sA(η_f) − tA(η_g) there.
"""

from __future__ import annotations

from kl_plugins.formulas.beta import log_beta
from kl_plugins.ops.protocol import Array, ArrayOperations, Operations

_ROUNDING = 32.0
_LEAST = 1e-37
"""Ratios of scales below it are taken for it, which bounds overlaps; its logarithm is finite, in single
precision, too."""


def bounded(terms: list[Array], ops: Operations) -> Array:
    """The sum of terms that may nearly cancel, and what rounding may have taken from it."""
    value, size = terms[0], abs(terms[0])
    for term in terms[1:]:
        value, size = value + term, size + abs(term)
    return value + ops.where(ops.isinf(size), 0.0, _ROUNDING * ops.epsilon(size) * size)


def normal_overlap(p_scale: Array, q_scale: Array, step: Array, s: Array, t: Array, ops: Operations) -> Array:
    """Of two normals whose means differ by `step`, by their scales beside the larger one."""
    top = ops.maximum(p_scale, q_scale)
    own, other = (ops.maximum(scale / top, _LEAST) for scale in (p_scale, q_scale))
    variance = t * own**2 + s * other**2
    sizes = [t * ops.log(own), (1.0 - t) * ops.log(other), -0.5 * ops.log(variance)]
    return bounded([*sizes, -0.5 * s * t * ((step / top) ** 2 / variance), 0.5 * (s + t - 1.0)], ops)


def normal_ratio_mean(
    scales: tuple[Array, Array, Array], steps: tuple[Array, Array], power: Array, ops: Operations
) -> Array:
    """log E_f[(g_c/g_b)ᵗ] of normals, t the power, +∞ where it diverges.

    `scales` are those of f, g_c and g_b, `steps` the mean of f less those of the others.
    """
    (scale, wide, narrow), (step, other) = scales, steps
    c_ratio, b_ratio = scale / wide, scale / narrow
    curvature = 1.0 + power * (c_ratio - b_ratio) * (c_ratio + b_ratio)
    diverges = curvature <= 1e-8
    curvature = ops.where(diverges, 1.0, curvature)
    slope = power * (c_ratio * (step / wide) - b_ratio * (other / narrow))
    terms = [
        0.5 * slope**2 / curvature - 0.5 * ops.log(curvature),
        -0.5 * power * ((step / wide - other / narrow) * (step / wide + other / narrow)),
        power * ops.log(narrow / wide),
    ]
    return ops.where(diverges, float("inf"), bounded(terms, ops))


def moments(mean: Array, scale: Array, weights: Array, ops: ArrayOperations) -> tuple[Array, Array]:
    """The mean and standard deviation of a mixture, whose components are along the last axis."""
    centre = ops.sum_last(weights * mean)
    variance = ops.sum_last(weights * (scale**2 + (mean - ops.expand_last(centre)) ** 2))
    return centre, ops.sqrt(variance)


def uniform_overlap(p_width: Array, q_width: Array, step: Array, t: Array, ops: Operations) -> Array:
    """Of two uniform densities, `step` from the beginning of the one to that of the other; −∞ if apart."""
    width = ops.minimum(p_width - ops.maximum(step, 0.0), q_width + ops.minimum(step, 0.0))
    nothing = width <= 0.0
    common = ops.where(nothing, 1.0, width)
    value = ops.log(common / p_width) - t * ops.log(q_width / p_width)
    return ops.where(nothing, -float("inf"), value)


def gamma_overlap(
    p_concentration: Array, q_concentration: Array, shift: Array, s: Array, t: Array, ops: Operations
) -> Array:
    """Of two gamma densities, by the logarithm of the ratio of their scales, p's to q's; s + t = 1."""
    middle = s * p_concentration + t * q_concentration
    above = ops.maximum(shift, 0.0)
    below = shift - above
    return bounded(
        [
            ops.gammaln(middle) - middle * ops.log(s * ops.exp(-above) + t * ops.exp(below)),
            -s * (ops.gammaln(p_concentration) + p_concentration * above),
            -t * (ops.gammaln(q_concentration) - q_concentration * below),
        ],
        ops,
    )


def beta_overlap(
    p: tuple[Array, Array], q: tuple[Array, Array], s: Array, t: Array, ops: Operations
) -> Array:
    """Of two beta densities on one interval, s + t = 1."""
    (a, b), (c, d) = p, q
    middle = log_beta(s * a + t * c, s * b + t * d, ops)
    return bounded([middle, -s * log_beta(a, b, ops), -t * log_beta(c, d, ops)], ops)


def poisson_overlap(p: Array, q: Array, s: Array, t: Array, ops: Operations) -> Array:
    """Of two Poisson distributions, by their means, s + t = 1."""
    return bounded([p**s * q**t, -s * p, -t * q], ops)


def bernoulli_overlap(
    p: tuple[Array, Array], q: tuple[Array, Array], s: Array, t: Array, ops: Operations
) -> Array:
    """Of two trials, by their probabilities of success and of failure, s + t = 1."""
    total = p[0] ** s * q[0] ** t + p[1] ** s * q[1] ** t
    nothing = total <= 0.0
    value = ops.log(ops.where(nothing, 1.0, total)) + _ROUNDING * ops.epsilon(total)
    return ops.where(nothing, -float("inf"), value)
