"""Bounds on divergences of mixtures p = Σ wₐfₐ from q = Σ v_b g_b, by what is known of pairs of components.

Everything rests on E_fₐ[log p] + H(fₐ) and E_fₐ[log q] + H(fₐ), by whose bounds the divergence
Σ wₐ (E_fₐ[log p] − E_fₐ[log q]) is bounded. Sources: J.-L. Durrieu, J.-P. Thiran and F. Kelly, Lower and
upper bounds for approximation of the Kullback-Leibler divergence between Gaussian mixture models, 2012;
A. Kolchinsky and B. Tracey, Estimating mixture entropy with pairwise distances, 2017 (arXiv:1706.02419);
J. Hershey and P. Olsen, Approximating the Kullback-Leibler divergence between Gaussian mixture models, 2007.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from kl_plugins.formulas.cancellation_free import exp_minus_tangent
from kl_plugins.formulas.discrete import counts_divergence
from kl_plugins.ops.protocol import Array, ArrayOperations

_INFINITY = float("inf")
_ROUNDING = 64.0
"""So many units of rounding of what they are sums of bounds are moved outwards by."""
_ROUNDS = 4
"""So often couplings are improved; each is a bound."""
_FAR_ABOVE = 80.0
"""Its exponential is finite in single precision, too."""


class Tilts(NamedTuple):
    """Exponents of integrals ∫ fˢgᵗ, t at most one."""

    s: tuple[float, ...]
    t: tuple[float, ...]
    balanced: bool
    """Whether they add up to one, so that Hölder's inequality says that the integral is at most one."""


_ALPHAS = (0.0625, 0.125, 0.25, 0.5, 0.75, 0.875)
CHERNOFF = Tilts(tuple(1.0 - alpha for alpha in _ALPHAS), _ALPHAS, True)
"""Chernoff's coefficients."""
LINEAR = Tilts((1.0, 0.75, 0.5, 0.25, 0.125), (1.0,) * 5, False)
"""Those of q itself, of which the first is the product of densities."""
POWERS = (0.25, 0.5, 0.75)
"""Of ratios of two components."""
REFERRED = (0.5, 0.75, 1.0)
"""Of the ratio of two references."""


class Overlaps(NamedTuple):
    """log ∫ fₐˢg_bᵗ + (s + t − 1) H(fₐ) of all pairs, shape (T, ..., k, m), or upper bounds on it."""

    tilts: Tilts
    values: Array


def along_first(numbers: Sequence[float], ndim: int, ops: ArrayOperations) -> Array:
    """Numbers along a first axis that `ndim` others follow."""
    return ops.asarray(np.reshape(numbers, (-1, *(1,) * ndim)), "exponents")


def log_sum(values: Array, weights: Array, ops: ArrayOperations) -> Array:
    """log Σ w exp(x) over the last axis; −∞, without a derivative, where that is the logarithm of zero.

    What has no weight counts for nothing, however large its x is.
    """
    counts = weights > 0.0
    counted = ops.minimum(values, ops.where(counts, _INFINITY, -_INFINITY))
    top = ops.stop_gradient(ops.max_last(counted))
    top = ops.where(ops.isfinite(top), top, 0.0)
    above = ops.minimum(values - ops.expand_last(top), ops.where(counts, _INFINITY, _FAR_ABOVE))
    total = ops.sum_last(weights * ops.exp(above))
    nothing = total <= 0.0
    return ops.where(nothing, -_INFINITY, ops.log(ops.where(nothing, 1.0, total)) + top)


def expected_log_from_below(divergences: Array, weights: Array, ops: ArrayOperations) -> Array:
    """At most E_fₐ[log q] + H(fₐ), shape (..., k): log Σ v_b exp(−KL(fₐ‖g_b)), by Jensen's inequality.

    `divergences` has shape (..., k, m), `weights` (..., m). Source: Hershey and Olsen, equation 20.
    """
    return log_sum(-divergences, weights[..., None, :], ops)


def expected_log_from_above(overlaps: Sequence[Overlaps], weights: Array, ops: ArrayOperations) -> Array:
    """At least E_fₐ[log q] + H(fₐ), shape (..., k): the least of what each tilt says.

    As E[log q] = E[log qᵗ]/t and qᵗ ≤ Σ (v_b g_b)ᵗ for t ≤ 1, it is at most
    (1/t) [log Σ v_bᵗ ∫fₐˢg_bᵗ + (s + t − 1) H(fₐ)], by Jensen's inequality for E_fₐ[log(qᵗ/fₐ¹⁻ˢ)];
    s = t = 1 is Durrieu's bound. It never is positive, as Gibbs' inequality says.
    """
    value: Array = 0.0
    for tilts, values in overlaps:
        ndim = len(ops.shape(weights))
        shares = _power(weights, along_first(tilts.t, ndim, ops), ops)
        found = log_sum(values, shares[..., None, :], ops) / along_first(tilts.t, ndim, ops)
        value = ops.minimum(ops.min_first(_where_known(found, ops)), value)
    return value


def _where_known(bounds: Array, ops: ArrayOperations) -> Array:
    """Bounds on what never is positive; those that overflowed bound nothing."""
    return ops.where(ops.isnan(bounds), 0.0, bounds)


def expected_log_near_one(divergences: Array, means: Array, weights: Array, ops: ArrayOperations) -> Array:
    """At least E_fₐ[log q] + H(fₐ), shape (..., k), nearly equal where one component of q is near fₐ alone.

    log q is log v_b g_b and log(1 + Σ v_c g_c / v_b g_b), where (1 + r)ᵗ ≤ 1 + rᵗ for t ≤ 1: at most
    −KL(fₐ‖g_b) + (1/t) log Σ_c v_cᵗ E_fₐ[(g_c/g_b)ᵗ], for each b. `means` are log E_fₐ[(g_c/g_b)ᵗ] of the
    powers t, shape (T, ..., k, m, m), c last.
    """
    ndim = len(ops.shape(weights))
    shares = _power(weights, along_first(POWERS, ndim, ops), ops)[..., None, None, :]
    diverges = ops.isnan(means) | (ops.isinf(means) & (means > 0.0))  # NaN overflowed: it bounds nothing
    sums = log_sum(ops.where(diverges, 0.0, means), shares, ops) / along_first(POWERS, ndim + 1, ops)
    sums = ops.where(ops.max_last(ops.where(diverges, 1.0, 0.0)) > 0.0, _INFINITY, sums)
    unknown = ops.isinf(divergences)
    value = ops.min_first(sums) - ops.where(unknown, 0.0, divergences)
    return -ops.max_last(-ops.where(unknown, _INFINITY, value))


def own_expected_log_from_above(overlaps: Overlaps, weights: Array, ops: ArrayOperations) -> Array:
    """What is at least E_fₐ[log p] + H(fₐ) in the mean over a, shape (T, ..., k), for each tilt.

    Source: Kolchinsky and Tracey, equation 10: log Σ wₐ' ∫fₐ^(1−α)fₐ'^α.
    """
    return _where_known(log_sum(overlaps.values, weights[..., None, :], ops), ops)


def _power(weights: Array, exponent: Array, ops: ArrayOperations) -> Array:
    """Without an infinite derivative at zero."""
    return ops.where(weights > 0.0, ops.where(weights > 0.0, weights, 1.0) ** exponent, weights)


class Rows(NamedTuple):
    """What is known of each component of p, arrays of shape (..., k)."""

    own_low: Array
    """At most E_fₐ[log p] + H(fₐ)."""

    own_high: Array
    """At least that."""

    own_high_in_the_mean: Array | None
    """At least that in the mean over all components, shape (T, ..., k); None of a single component."""

    low: Array
    """At most E_fₐ[log q] + H(fₐ)."""

    high: Array
    """At least that."""


def bounds_by_rows(rows: Rows, weights: Array, ops: ArrayOperations) -> tuple[Array, Array]:
    """Lower and upper bounds, the lower one perhaps negative, moved outwards by their rounding."""

    def mean(values: Array) -> Array:
        return _mean(weights, values, ops)

    def rounding(size: Array) -> Array:
        return ops.where(ops.isfinite(size), _ROUNDING * ops.epsilon(rows.low) * size, 0.0)

    cross = mean(rows.low)
    highest = mean(rows.own_high)
    if rows.own_high_in_the_mean is not None:
        highest = ops.minimum(highest, ops.min_first(mean(rows.own_high_in_the_mean)))
    upper = highest - cross + rounding(ops.absolute(highest) - cross)
    own, highest = mean(rows.own_low), mean(rows.high)
    return own - highest - rounding(ops.absolute(highest) - own), upper


def _mean(weights: Array, values: Array, ops: ArrayOperations) -> Array:
    """Σ w x over the last axis: what has no weight counts for nothing, and infinity has no derivative."""
    infinite = ops.isinf(values)
    finite = ops.sum_last(weights * ops.where(infinite, 0.0, values))
    counts = infinite & (weights > 0.0)
    above = ops.max_last(ops.where(counts & (values > 0.0), 1.0, 0.0)) > 0.0
    below = ops.max_last(ops.where(counts & (values < 0.0), 1.0, 0.0)) > 0.0
    return ops.where(above, _INFINITY, ops.where(below, -_INFINITY, finite))


def bound_by_references(
    towards: Array, away: Array, means: Array, p: Array, q: Array, ops: ArrayOperations
) -> Array:
    """At most the divergence, by the variational formula of Donsker and Varadhan, E_p[T] − log E_q[exp T].

    T is a power of log c/b, of any densities c and b: `towards` is KL(fₐ‖c), `away` KL(fₐ‖b), shape (..., k),
    and `means` log E_g[(c/b)ᵗ] for each power t and component of q, shape (T, ..., m).
    """
    powers = along_first(REFERRED, len(ops.shape(p)) - 1, ops)
    expected = powers * _mean(p, away - towards, ops)
    size = powers * _mean(p, away + towards, ops)
    value = expected - log_sum(means, q, ops) - _ROUNDING * ops.epsilon(towards) * size
    best = -ops.min_first(-value)
    return ops.where(ops.isnan(best), -_INFINITY, best)


def coupling_bound(divergences: Array, p: Array, q: Array, ops: ArrayOperations) -> Array:
    """The least that a few couplings of the components say, by the log-sum inequality.

    q's weights are shared out, Σₐ ψ_ab = v_b, and the divergence is at most
    −Σ wₐ log[Σ_b ψ_ab exp(−KL(fₐ‖g_b)) / wₐ], with the best shares of p's weights for those of q's. Source:
    Hershey and Olsen, section 8, which alternates between the two. The couplings are that of components
    that are independent, improved; and that of each g_b with the nearest fₐ. Both terms of a sum are not
    negative, so that it is exactly zero for p = q, in whatever order.
    """
    rows, columns = p[..., :, None], q[..., None, :]
    independent = rows * columns
    reached = ops.where(independent > 0.0, -divergences, -_INFINITY)
    nearest = ops.transpose(ops.expand_last(ops.max_last(ops.transpose(reached))))
    matched = ops.where(ops.equal(reached, nearest), 1.0, 0.0)
    found = [_of_coupling(_with_sums(matched, columns, independent, ops), divergences, p, ops)]
    shares = independent
    for _ in range(_ROUNDS):
        nearness = shares * ops.exp(reached - _largest_in_row(reached, ops))
        total = ops.expand_last(ops.sum_last(nearness))
        joint = rows * nearness / ops.where(total <= 0.0, 1.0, total)
        shares = _with_sums(joint, columns, independent, ops)
    found.append(_of_coupling(shares, divergences, p, ops))
    if ops.shape(divergences)[-1] == ops.shape(divergences)[-2] is not None:
        found.append(chain_bound(ops.diagonal(divergences), p, q, ops))
    return reduce(ops.minimum, found)


def chain_bound(divergences: Array, p: Array, q: Array, ops: ArrayOperations) -> Array:
    """KL(w‖v) + Σ wₐ KL(fₐ‖gₐ), of components in pairs: at least the divergence, by the chain rule."""
    value = ops.sum_last(counts_divergence(p, q, ops)) + _mean(p, divergences, ops)
    return value * (1.0 + _ROUNDING * ops.epsilon(value))


def _largest_in_row(values: Array, ops: ArrayOperations) -> Array:
    top = ops.stop_gradient(ops.max_last(values))
    return ops.expand_last(ops.where(ops.isfinite(top), top, 0.0))


def _with_sums(joint: Array, columns: Array, otherwise: Array, ops: ArrayOperations) -> Array:
    """The columns multiplied so that they add up to these; `otherwise` where one is nothing."""
    totals = ops.transpose(ops.expand_last(ops.sum_last(ops.transpose(joint))))
    nothing = totals <= 0.0
    return ops.where(nothing, otherwise, columns * joint / ops.where(nothing, 1.0, totals))


def _of_coupling(shares: Array, divergences: Array, p: Array, ops: ArrayOperations) -> Array:
    """−Σ wₐ log rₐ, rₐ = Σ_b ψ_ab exp(−D_ab)/wₐ, as Σ wₐ (rₐ − 1 − log rₐ) + Σ ψ_ab (1 − exp(−D_ab))."""
    safe = ops.where(p > 0.0, p, 1.0)
    log_ratio = log_sum(-divergences, shares, ops) - ops.log(safe)
    nothing = ops.isinf(log_ratio)
    log_ratio = ops.where(nothing, 0.0, log_ratio)
    beyond = ops.where(nothing, _INFINITY, exp_minus_tangent(log_ratio, ops))
    rest = ops.sum_last(ops.sum_last(-shares * ops.expm1(-divergences)))
    rounding = _ROUNDING * ops.epsilon(divergences) * (_mean(p, ops.absolute(log_ratio), ops) + rest)
    return _mean(p, beyond, ops) + rest + rounding
