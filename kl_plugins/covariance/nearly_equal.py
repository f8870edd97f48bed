"""Matrices that are nearly equal: the divergence from the difference of the matrices themselves."""

from __future__ import annotations

import numpy as np

from kl_plugins.covariance.base import MOST_REFINED, log_det_divergences, nearly_equal_below
from kl_plugins.covariance.full import Dense, full_full
from kl_plugins.covariance.precision import Precision, between_factors
from kl_plugins.formulas.cancellation_free import identity_minus_log
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.parametrised import Parametrised


@log_det_divergences.register(Dense, Dense, cost="O(d³): a triangular solve between Cholesky factors")
def dense_dense(p: Dense, q: Dense) -> Array:
    """As between Cholesky factors; from the difference of the covariances where that has more digits."""
    return refined(full_full(p, q), p.covariance, q.covariance, q, "factor")


@log_det_divergences.register(Precision, Precision, cost="O(d³): a triangular solve between Cholesky factors")
def precision_precision(p: Precision, q: Precision) -> Array:
    """As between Cholesky factors; from the difference of the precisions where that has more digits."""
    return refined(between_factors(p, q), q.precision, p.precision, p, "precision_factor")


def refined(value: Array, first: Array, second: Array, whitener: Parametrised, factor_name: str) -> Array:
    """The divergences `value`, recomputed from ``first − second`` where the factors have lost their digits.

    The rounding of Cholesky factors, about ε times the condition number, is then no longer small beside
    their difference. The difference of the matrices has no rounding at all (Sterbenz), and with
    G = L⁻¹ (first − second) L⁻ᵀ, LLᵀ = second, the divergence is ½ Σ [g − log(1 + g)] over the eigenvalues g
    of G. Only numbers are refined so, not graphs.
    """
    ops = whitener.ops
    if ops.symbolic or not np.any(value < MOST_REFINED):
        return value
    factor = getattr(whitener, factor_name)
    diagonal = ops.diagonal(factor)
    pivots = diagonal * (diagonal / ops.diagonal(second))
    near = value < nearly_equal_below(pivots.min(axis=-1, initial=1.0))
    if not np.any(near):
        return value
    shape = (*np.shape(value), *first.shape[-2:])
    difference = np.broadcast_to(first - second, shape)[near]
    factor = np.broadcast_to(factor, shape)[near]
    whitened = ops.solve_lower(factor, ops.transpose(ops.solve_lower(factor, difference)))
    changes = np.linalg.eigvalsh(0.5 * (whitened + ops.transpose(whitened)))
    out = np.array(value)
    out[near] = 0.5 * ops.sum_last(identity_minus_log(changes, ops))
    return out
