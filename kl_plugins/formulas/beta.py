"""The beta function without its large parts, and the divergence of beta distributions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kl_plugins.formulas.cancellation_free import log_ratio_value, taylor_remainder
from kl_plugins.formulas.gamma import NEAR, residue_curvature, residues_far
from kl_plugins.formulas.gamma_ratios import residue_divergence_value
from kl_plugins.formulas.shared import identity_minus_log1p
from kl_plugins.formulas.sums import infinite_where_undefined
from kl_plugins.ops.gamma_residues import (
    LARGE,
    digamma_residue_value,
    digamma_rest,
    log_gamma_residue,
    scaled_digamma,
    scaled_digamma_value,
    scaled_trigamma_value,
    stirling_rest,
    trigamma_residue_value,
)
from kl_plugins.ops.protocol import Array, Operations


def log_beta(a: Array, b: Array, ops: Operations) -> Array:
    """ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b), of which nothing is lost where a or b is large."""
    return log_beta_residue(a, b, ops) - a * log1p_ratio(b, a, ops) - b * log1p_ratio(a, b, ops)


def log1p_ratio(x: Array, y: Array, ops: Operations) -> Array:
    """log(1 + x/y) of positive numbers, whose ratio may be beyond the floats."""
    return ops.elementwise(_log1p_ratio, _log1p_ratio_gradient, x, y)


def _log1p_ratio(x: Array, y: Array, ops: Operations) -> Array:
    return ops.rarely(y < 1e-30 * x, _log_of_ratio, _log1p_of_ratio, x, y)


def _log_of_ratio(x: Array, y: Array, ops: Operations) -> Array:
    return ops.log(x) - ops.log(y)


def _log1p_of_ratio(x: Array, y: Array, ops: Operations) -> Array:
    return ops.log1p(x / y)


def _log1p_ratio_gradient(x: Array, y: Array, ops: Operations) -> tuple[Array, Array]:
    total = x + y
    return 1.0 / total, -(x / total) / y


def log_beta_residue(a: Array, b: Array, ops: Operations) -> Array:
    """ln B(a, b) − a ln(a/(a + b)) − b ln(b/(a + b))."""
    f = partial(log_gamma_residue, ops=ops)
    return f(a) + f(b) - f(a + b)


def digamma_difference(a: Array, b: Array, ops: Operations) -> Array:
    """ψ(a) − ψ(a + b): the expectation of log Z for Z beta distributed."""
    return _scaled_difference(a, b, ops) / a - log1p_ratio(b, a, ops)


def _scaled_difference(a: Array, b: Array, ops: Operations) -> Array:
    """a times the difference of the residues of ψ(a) and ψ(a + b), which stays in the floats."""
    total = a + b
    return scaled_digamma(a, ops) - (a / total) * scaled_digamma(total, ops)


def beta_entropy(a: Array, b: Array, ops: Operations) -> Array:
    """ln B(a, b) − (a − 1)[ψ(a) − ψ(a + b)] − (b − 1)[ψ(b) − ψ(a + b)], whose large parts cancel.

    Source: https://en.wikipedia.org/wiki/Beta_distribution#Quantities_of_information_(entropy)
    """
    known = (1.0 - 1.0 / a) * _scaled_difference(a, b, ops) + (1.0 - 1.0 / b) * _scaled_difference(b, a, ops)
    return log_beta_residue(a, b, ops) - log1p_ratio(b, a, ops) - log1p_ratio(a, b, ops) - known


def beta_negentropy(a: Array, b: Array, ops: Operations) -> Array:
    """½ ln(2πe Var) less the entropy, about (1/a + 1/b − 4/(a + b))/3, of which all large parts have gone."""
    total = a + b

    def rests(x: Array) -> Array:
        return stirling_rest(x, ops) + digamma_rest(x, ops)

    def bend(x: Array) -> Array:
        return (0.5 + digamma_rest(x, ops)) / x

    value = bend(a) + bend(b) - 2.0 * bend(total) - 0.5 * log1p_ratio(1.0, total, ops)
    return ops.maximum(value - (rests(a) + rests(b) - rests(total)), 0.0)


def beta_beyond_gamma(a: Array, b: Array, shape: Array, ops: Operations) -> Array:
    """What the divergence of a beta from a gamma distribution has beside those of their shapes and means.

    Its parts are of the size of a/b.
    """
    total, rest = a + b, partial(digamma_rest, ops=ops)
    normalisers = 0.5 * log1p_ratio(a, b, ops) + (stirling_rest(total, ops) - stirling_rest(b, ops))
    known = (b / total) * rest(total) - rest(b) - 0.5 * (a / total)
    return ((a - shape) / total) * (0.5 + rest(total)) + normalisers + (1.0 - 1.0 / b) * known


def beta_divergence(p_a: Array, p_b: Array, q_a: Array, q_b: Array, ops: Operations) -> Array:
    """KL of beta distributions, ln B(q) − ln B(p) − Δa ∂ₐ ln B(p) − Δb ∂ᵦ ln B(p), without cancellation.

    The part of ln B that is homogeneous, a ln(a/s) + b ln(b/s) with s = a + b, gives q's s times the
    divergence of Bernoulli distributions; what is left is of the size of log s. Near p = q it is the
    integral of the second derivative, in which Δa²/a + Δb²/b − Δs²/s = (Δa b − Δb a)²/(a b s). Where one
    parameter is much less than the other, what b and s have in common is left out of both.

    Source: https://en.wikipedia.org/wiki/Beta_distribution#Quantities_of_information_(entropy)
    """
    return ops.elementwise(_divergence, _divergence_gradient, p_a, p_b, q_a, q_b)


_LOPSIDED = 1e-3
"""So much less is one parameter where b and a + b have most of their digits in common."""


def _divergence(p_a: Array, p_b: Array, q_a: Array, q_b: Array, ops: Operations) -> Array:
    near_a = ops.absolute(q_a - p_a) <= NEAR * p_a
    near_b = ops.absolute(q_b - p_b) <= NEAR * p_b
    return ops.rarely(ops.logical_and(near_a, near_b), _near, _far, p_a, p_b, q_a, q_b)


def _near(p_a: Array, p_b: Array, q_a: Array, q_b: Array, ops: Operations) -> Array:
    step_a, step_b = q_a - p_a, q_b - p_b
    turn, least, most = step_a / p_a - step_b / p_b, ops.minimum(p_a, p_b), ops.maximum(p_a, p_b)

    def second_derivative(x: float) -> Array:
        a, b = p_a + x * step_a, p_b + x * step_b
        small, large = ops.minimum(a, b), ops.maximum(a, b)
        turned = turn * turn * (p_a / a) * (p_b / b) * (least * (most / (a + b)))
        less, more = ops.where(a <= b, step_a, step_b), ops.where(a <= b, step_b, step_a)
        rest = _unless_lopsided(
            small < _LOPSIDED * large,
            _lopsided_curvature,
            _curvature_beyond_sum,
            ops,
            small,
            large,
            less,
            more,
        )
        return turned + residue_curvature(small, less, ops) + rest

    return taylor_remainder(second_derivative)


def _curvature_beyond_sum(a: Array, b: Array, step_a: Array, step_b: Array, ops: Operations) -> Array:
    """That of b's residue less that of the sum's."""
    return residue_curvature(b, step_b, ops) - residue_curvature(a + b, step_a + step_b, ops)


def _lopsided_curvature(a: Array, b: Array, step_a: Array, step_b: Array, ops: Operations) -> Array:
    """The same for a ≪ b: Δb² (t(b) − t(s)) − Δa (2 Δb + Δa) t(s), s = a + b, t(x) = ψ₁(x) − 1/x."""
    s, share = a + b, step_b / b
    change = _between(lambda x: (b / x) * (b / x) * (b / x) * _scaled_tetragamma(x, ops), b, a)
    both = (step_a / s) * ((2.0 * step_b + step_a) / s)
    return share * share * (a / b) * change - both * scaled_trigamma_value(s, ops)


def _between(function: Callable[[Array], Array], start: Array, step: Array) -> Array:
    """∫₀¹ function(start + step·t) dt for small steps, by Gauss's quadrature."""
    low, high = 0.21132486540518713, 0.7886751345948129
    return 0.5 * (function(start + low * step) + function(start + high * step))


def _scaled_tetragamma(a: Array, ops: Operations) -> Array:
    """−a³ (ψ₂(a) + 1/a²), which is between 1 and 2."""
    return ops.pick(a < LARGE, _scaled_tetragamma_small, _scaled_tetragamma_large, a)


def _scaled_tetragamma_small(a: Array) -> Array:
    """By ψ₂(a) = ψ₂(a + 10) − 2 Σ 1/(a + i)³, i < 10."""
    total, shifted = 0.0, a + 10.0
    for i in range(1, 10):
        term = 1.0 / (a + float(i))
        total = total + term * term * term
    x = 1.0 / shifted
    total = 2.0 * total + x * x * (1.0 + x * _scaled_tetragamma_large(shifted))
    return 2.0 - a + a * a * a * total


def _scaled_tetragamma_large(a: Array) -> Array:
    """https://dlmf.nist.gov/5.15.9."""
    x = 1.0 / a
    y = x * x
    return 1.0 + x * (1 / 2 - y * (1 / 6 - y * (1 / 6 - y * (3 / 10 - y * (5 / 6 - y * 691 / 210)))))


def _far(p_a: Array, p_b: Array, q_a: Array, q_b: Array, ops: Operations) -> Array:
    p_s, q_s = p_a + p_b, q_a + q_b
    # (p_a q_b − p_b q_a)/p_s, by differences where these are smaller than q's parameters
    by_b, by_a = p_a * ((q_b - p_b) / p_s), p_b * ((q_a - p_a) / p_s)
    first, second = (p_a / p_s) * q_b, (p_b / p_s) * q_a
    smaller = ops.absolute(by_b) + ops.absolute(by_a) <= first + second
    turn = ops.where(smaller, by_b - by_a, first - second)
    means = _excess(turn, p_a, p_s, q_a, q_s, ops) + _excess(-turn, p_b, p_s, q_b, q_s, ops)
    ordered = p_a <= p_b
    a, b = ops.minimum(p_a, p_b), ops.maximum(p_a, p_b)
    c, d = ops.where(ordered, q_a, q_b), ops.where(ordered, q_b, q_a)
    is_lopsided = ops.logical_and(a < _LOPSIDED * b, c < _LOPSIDED * d)
    rest = _unless_lopsided(is_lopsided, _lopsided_residues, _residues_beyond_sum, ops, a, b, c, d)
    return infinite_where_undefined(ops.maximum(means + rest, 0.0), ops)


def _unless_lopsided(
    is_lopsided: Array, rare: Callable[..., Array], usual: Callable[..., Array], ops: Operations, *args: Array
) -> Array:
    """In a graph always as usual: both would take several times as long to compile."""
    return usual(*args, ops) if ops.graphs else ops.rarely(is_lopsided, rare, usual, *args)


def _residues_beyond_sum(a: Array, b: Array, c: Array, d: Array, ops: Operations) -> Array:
    """The divergence of residues from a to c and from b to d, less that of the sums."""
    return residues_far(a, c, ops) + residues_far(b, d, ops) - residues_far(a + b, c + d, ops)


def _lopsided_residues(a: Array, b: Array, c: Array, d: Array, ops: Operations) -> Array:
    """The same for a ≪ b and c ≪ d: less the integral of its derivative, from b and d to the sums."""
    r, steps = partial(scaled_digamma_value, ops=ops), (b, a, d, c)

    def derivative(t: Array) -> Array:
        x, y = steps[0] + t * steps[1], steps[2] + t * steps[3]
        return (c / y) * r(y) - (c / x) * r(x) - (a / x) * ((y - x) / x) * scaled_trigamma_value(x, ops)

    return residue_divergence_value(a, c, c - a, ops) - _between(derivative, 0.0, 1.0)


def _excess(turn: Array, p: Array, p_sum: Array, q: Array, q_sum: Array, ops: Operations) -> Array:
    """q·[x − log(1 + x)], x = turn/q, where 1 + x is the ratio of the shares p/p_sum and q/q_sum."""
    is_near = ops.absolute(turn) <= 0.2 * q
    return ops.choose(is_near, _excess_near, _excess_far, turn, p, p_sum, q, q_sum)


def _excess_near(turn: Array, p: Array, p_sum: Array, q: Array, q_sum: Array, ops: Operations) -> Array:
    return q * identity_minus_log1p(turn / q)


def _excess_far(turn: Array, p: Array, p_sum: Array, q: Array, q_sum: Array, ops: Operations) -> Array:
    shares = p / p_sum, q / q_sum
    is_tiny = ops.minimum(*shares) < 1e-290
    log_ratio = ops.rarely(is_tiny, _log_ratio_of_tiny, _log_ratio_of_shares, *shares, p, p_sum, q, q_sum)
    return turn - q * log_ratio


def _log_ratio_of_shares(
    p_share: Array, q_share: Array, p: Array, p_sum: Array, q: Array, q_sum: Array, ops: Operations
) -> Array:
    return log_ratio_value(p_share, q_share, ops)


def _log_ratio_of_tiny(
    p_share: Array, q_share: Array, p: Array, p_sum: Array, q: Array, q_sum: Array, ops: Operations
) -> Array:
    """The same where the shares may be less than any float."""
    return log_ratio_value(p, q, ops) - log_ratio_value(p_sum, q_sum, ops)


def _divergence_gradient(
    p_a: Array, p_b: Array, q_a: Array, q_b: Array, ops: Operations
) -> tuple[Array, ...]:
    r, t = partial(digamma_residue_value, ops=ops), partial(trigamma_residue_value, ops=ops)
    step_a, step_b = q_a - p_a, q_b - p_b
    p_s, q_s = p_a + p_b, q_a + q_b
    turn = step_a * (p_b / p_s) - step_b * (p_a / p_s)
    of_sum = (step_a + step_b) * t(p_s)
    by_p_a = of_sum - step_a * t(p_a) - turn / p_a
    by_p_b = of_sum - step_b * t(p_b) + turn / p_b
    change = r(q_s) - r(p_s) + log_ratio_value(q_s, p_s, ops)
    by_q_a = r(q_a) - r(p_a) + log_ratio_value(q_a, p_a, ops) - change
    by_q_b = r(q_b) - r(p_b) + log_ratio_value(q_b, p_b, ops) - change
    return by_p_a, by_p_b, by_q_a, by_q_b
