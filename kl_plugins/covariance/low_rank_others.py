"""Low-rank covariances against those of other structures: whitenings of k columns, no solve of d × d.

These sums have terms of either sign, unlike those between triangular factors. Beside each sum stands a bound
on its rounding error, and where that is not small beside the divergence, as it is for two that are nearly
equal, the triangular factors are used after all. A graph cannot choose so when it runs without making both:
it has the triangular factors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kl_plugins.covariance.axis_aligned import Diagonal, DiagonalScales
from kl_plugins.covariance.base import Covariance, divergence_rule, log_det_divergence, log_det_divergences
from kl_plugins.covariance.block_diagonal import BlockDiagonal
from kl_plugins.covariance.full import Cholesky, full_full
from kl_plugins.covariance.low_rank import WIDE_COST, LowRank, is_thin
from kl_plugins.ops.protocol import Array

_COLUMNS = 256
"""Of a triangular factor that are whitened together, so that no second d × d array is made."""


def _by_factors(p: Covariance, q: Covariance) -> str | None:
    """The cost where Cholesky factors are used from the start, else None."""
    if p.ops.symbolic:
        return "O(d³): in a graph, both through Cholesky factors"
    return None if is_thin(p, q) else WIDE_COST


def _cost_from_low_rank(p: LowRank, q: Covariance) -> str:
    axes = Diagonal.unchecked(p.ops, variances=p.diagonal)  # whose square roots are not needed for this
    inner = divergence_rule(axes, q).explain(axes, q)[1]
    return _by_factors(p, q) or (
        f"k columns whitened by q, beside the diagonal part: {inner}; "
        "O(d³) if the divergence is tiny beside its parts"
    )


def _cost_to_low_rank(p: Covariance, q: LowRank) -> str:
    return _by_factors(p, q) or (
        "O(d² k) for k columns after the Cholesky factor of p; "
        "O(d³) if the divergence is tiny beside its parts"
    )


@log_det_divergences.register(LowRank, BlockDiagonal, cost=_cost_from_low_rank)
@log_det_divergences.register(LowRank, Covariance, cost=_cost_from_low_rank)
def low_rank_any(p: LowRank, q: Covariance) -> Array:
    """KL(D ‖ q) + ½ ‖Lq⁻¹W‖² − ½ ln|C|, D the diagonal part of p and C its capacitance."""
    if _by_factors(p, q) or not np.isfinite(p.capacitance).all():
        return _low_rank_through_factors(p, q)
    ops = p.ops
    own = log_det_divergence(DiagonalScales.unchecked(ops, scales=p.scales), q)
    columns = 0.5 * ops.sum_of_squares(q.whiten_columns(p.loadings))
    log_det, doubt = half_log_det(p)
    terms = own + columns + log_det + 0.5 * doubt**2
    return kept(own + (columns - log_det), terms, [p, q], lambda: _low_rank_through_factors(p, q))


def _low_rank_through_factors(p: LowRank, q: Covariance) -> Array:
    return log_det_divergence(Cholesky.unchecked(p.ops, factor=p.factor), q)


@log_det_divergences.register(Covariance, LowRank, cost=_cost_to_low_rank)
def any_low_rank(p: Covariance, q: LowRank) -> Array:
    """½ [‖R‖² − d] + Σᵢ ln(√Dᵢ / Lpᵢᵢ) + ½ ln|C|, with R the columns of Lp whitened by q.

    With A = D^(-1/2) Lp and V = D^(-1/2) W, R = A − VT, T = (I + Lᵀ)⁻¹L⁻¹VᵀA and C = LLᵀ as in
    `LowRank.whiten_columns`. What rounding does to ‖R‖² is within ε times 2κ ‖R‖‖A‖, κ the norm of L⁻¹ times
    the roots s of C's diagonal, from the products and solves, and from C itself, whose entries are off
    by ε sᵢsⱼ, within ε times ‖s(Y − T)‖ ‖s(Y + T)‖ with Y = C⁻¹VᵀA: to first order it is
    tr(YᵀδC Y) − tr(TᵀδC T).
    """
    if _by_factors(p, q) or not np.isfinite(q.capacitance).all():
        return full_full(p, q)
    ops, lower = p.ops, q.capacitance_factor
    by = q.scales[..., :, None]
    v, shifted = q.loadings / by, lower + ops.eye_like(lower)
    spread = _spread(q)[..., :, None]
    sums: Array = 0.0
    for start in range(0, by.shape[-2], _COLUMNS):
        a = p.factor[..., start:, start : start + _COLUMNS] / by[..., start:, :]
        along = ops.solve_lower(lower, ops.matmul(ops.transpose(v[..., start:, :]), a))
        inner, outer = (ops.solve_lower_transposed(factor, along) for factor in (shifted, lower))
        rest = -ops.matmul(v, inner)
        rest[..., start:, :] += a
        parts = rest, a, spread * (outer - inner), spread * (outer + inner)
        sums = sums + np.stack(np.broadcast_arrays(*map(ops.sum_of_squares, parts)))
    squares, (rest_norm, whole_norm, less, more) = sums[0], np.sqrt(sums)
    # through square roots: no pair of finite scales leaves the range of floats
    logs = 2.0 * ops.log(ops.sqrt(q.scales) / ops.sqrt(ops.diagonal(p.factor)))
    log_det, doubt = half_log_det(q)
    dimension = by.shape[-2]
    value = 0.5 * (squares - dimension) + (ops.sum_last(logs) + log_det)
    terms = 0.5 * (squares + dimension) + ops.sum_last(ops.absolute(logs)) + log_det + 0.5 * doubt**2
    terms = terms + doubt * rest_norm * whole_norm + 0.5 * less * more
    return kept(value, terms, [p, q], lambda: full_full(p, q))


def _spread(side: LowRank) -> Array:
    """Roots of the diagonal of C: entry (i, j) of C is off by about ε times two of them."""
    return side.ops.sqrt(side.ops.diagonal(side.capacitance))


def half_log_det(side: LowRank) -> tuple[Array, Array]:
    """½ ln|C|, and the norm κ of L⁻¹ with its columns times √diag C: ln|C| is rounded by about ε κ²."""
    ops, lower = side.ops, side.capacitance_factor
    scaled = ops.solve_lower(lower, ops.from_diagonal(_spread(side)))
    return ops.sum_last(ops.log(ops.diagonal(lower))), ops.sqrt(ops.sum_of_squares(scaled))


def kept(value: Array, terms: Array, sides: list[Covariance], through_factors: Callable[[], Array]) -> Array:
    """`value` where the sum of its `terms` left it three quarters of its digits, else `through_factors`."""
    epsilon = max(side.ops.epsilon(array) for side in sides for array in side.values())
    kept = np.isfinite(terms) & (value >= epsilon**0.25 * terms)
    return value if kept.all() else np.where(kept, value, through_factors())
