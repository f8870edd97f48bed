"""Low-rank covariances against those of Markov series, whose roots are solved at O(d b): no matrix either.

As between low rank and others (`low_rank_others`) the sums have terms of either sign. Numbers that lose their
digits in them go through Cholesky factors; graphs cannot, and are exact to rounding of the terms.
"""

from __future__ import annotations

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.base import log_det_divergence, log_det_divergences
from kl_plugins.covariance.full import full_full
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.covariance.low_rank_others import half_log_det, kept
from kl_plugins.covariance.markov import Markov, any_markov
from kl_plugins.ops.protocol import Array

_COST = "O(d (b³ + b k + k²)) for b lags and k columns"


def _cost(p: LowRank | Markov, q: LowRank | Markov) -> str:
    return _COST if p.ops.symbolic else f"{_COST}; O(d³) if the divergence is tiny beside its parts"


@log_det_divergences.register(LowRank, Markov, cost=_cost)
def low_rank_markov(p: LowRank, q: Markov) -> Array:
    """KL(D ‖ q) + ½ ‖Aq W‖² − ½ ln|C|, D the diagonal part of p and C its capacitance."""
    ops = p.ops
    own = log_det_divergence(DiagonalScales.unchecked(ops, scales=p.scales), q)
    columns = 0.5 * ops.sum_of_squares(q.whiten_columns(p.loadings))
    log_det, doubt = half_log_det(p)
    value = ops.maximum(own + (columns - log_det), 0.0)
    if ops.symbolic:
        return value
    terms = own + columns + log_det + 0.5 * doubt**2
    return kept(value, terms, [p, q], lambda: any_markov(p, q))


@log_det_divergences.register(Markov, LowRank, cost=_cost)
def markov_low_rank(p: Markov, q: LowRank) -> Array:
    """KL(p ‖ D) − ½ ‖L⁻¹(D⁻¹W)ᵀLp‖² + ½ ln|C|, D the diagonal part of q and C = LLᵀ its capacitance."""
    ops = p.ops
    own = log_det_divergence(p, DiagonalScales.unchecked(ops, scales=q.scales))
    directions = ops.transpose(q.loadings / ops.square(q.scales)[..., :, None])
    spread = p.unwhiten_transposed(directions)
    shrunk = 0.5 * ops.sum_of_squares(ops.solve_lower(q.capacitance_factor, spread))
    log_det, doubt = half_log_det(q)
    value = ops.maximum(own - shrunk + log_det, 0.0)
    if ops.symbolic:
        return value
    terms = own + shrunk * (1.0 + doubt) + log_det + 0.5 * doubt**2
    return kept(value, terms, [p, q], lambda: full_full(p, q))
