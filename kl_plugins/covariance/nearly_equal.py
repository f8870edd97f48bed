"""Matrices that are nearly equal: the divergence from the difference of the matrices themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from kl_plugins.covariance.base import NEARLY_EQUAL, log_det_divergences
from kl_plugins.covariance.full import Dense, full_full
from kl_plugins.covariance.precision import Precision, between_factors


@log_det_divergences.register(Dense, Dense, cost="O(d³): a triangular solve between Cholesky factors")
def dense_dense(p: Dense, q: Dense) -> Any:
    """As between Cholesky factors; from the difference of the covariances where it is tiny."""
    return refined(full_full(p, q), p.covariance, q.covariance, q, "factor")


@log_det_divergences.register(Precision, Precision, cost="O(d³): a triangular solve between Cholesky factors")
def precision_precision(p: Precision, q: Precision) -> Any:
    """As between Cholesky factors; from the difference of the precisions where it is tiny."""
    return refined(between_factors(p, q), q.precision, p.precision, p, "precision_factor")


def refined(value: Any, first: Any, second: Any, whitener: Any, factor_name: str) -> Any:
    """The divergences `value`, recomputed from ``first − second`` where they are tiny.

    The rounding of Cholesky factors, about ε times the condition number, is then no longer small beside
    their difference. The difference of the matrices has no rounding at all (Sterbenz), and with
    G = L⁻¹ (first − second) L⁻ᵀ, LLᵀ = second, the divergence ½ [tr G − ln|I + G|] is
    ½ [½ tr G² − ⅓ tr G³ + ¼ tr G⁴ − …], of which the terms shown give all digits for ‖G‖ < 10⁻⁴. Only
    numbers are refined so, not graphs.
    """
    ops = whitener.ops
    if ops.symbolic or not np.any(value < NEARLY_EQUAL):
        return value
    near = value < NEARLY_EQUAL
    shape = (*np.shape(value), *first.shape[-2:])
    difference = np.broadcast_to(first - second, shape)[near]
    factor = np.broadcast_to(getattr(whitener, factor_name), shape)[near]
    whitened = ops.solve_lower(factor, ops.transpose(ops.solve_lower(factor, difference)))
    squared = ops.matmul(whitened, whitened)
    cubes = np.einsum("...ij,...ij->...", squared, whitened)
    out = np.array(value)
    out[near] = 0.5 * (ops.sum_of_squares(whitened) / 2.0 - cubes / 3.0 + ops.sum_of_squares(squared) / 4.0)
    return out
