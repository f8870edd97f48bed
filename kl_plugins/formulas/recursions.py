"""Series of variables that are regressed on some before them, xₜ = Σₖ φₖ(t) xₜ₋ₖ + σ(t) εₜ: sums of O(d).

Coefficients have shape (..., d, b): φₖ(t) in row t and column k − 1, zero where no variable is so far back.
"""

from __future__ import annotations

from math import comb

import numpy as np

from kl_plugins.ops.protocol import Array, ArrayOperations, FloatArray

_MOST_DIFFERENCES = 4
"""Up to so many lags the past is described by its differences, whose coefficients are still moderate."""


def delayed(x: Array, lag: int, ops: ArrayOperations) -> Array:
    """xₜ₋ₖ, zero where there is none."""
    return ops.concatenate([ops.zeros_like(x[..., :lag]), x[..., :-lag]]) if lag else x


def ahead(x: Array, lag: int, ops: ArrayOperations) -> Array:
    """xₜ₊ₖ, zero where there is none."""
    return ops.concatenate([x[..., lag:], ops.zeros_like(x[..., :lag])]) if lag else x


def windows(x: Array, count: int, ops: ArrayOperations) -> Array:
    """The numbers before each, xₜ₋₁, xₜ₋₂, …, shape (..., d, count)."""
    return ops.concatenate([delayed(x, k, ops)[..., None] for k in range(1, count + 1)])


def residuals(x: Array, coefficients: Array, ops: ArrayOperations) -> Array:
    """xₜ − Σₖ φₖ(t) xₜ₋ₖ."""
    count = ops.shape(coefficients)[-1] or 0
    return x - ops.sum_last(coefficients * windows(x, count, ops)) if count else x


def mean_squares(weights: Array, coefficients: Array, variances: Array, ops: ArrayOperations) -> Array:
    """E (Σₖ wₖ(t) xₜ₋ₖ)² for each t, of the series with these coefficients and innovation variances.

    The covariance of the variables before t follows from that of those before t − 1, by the prediction step
    of the Kalman filter (R. E. Kalman, A new approach to linear filtering and prediction problems, 1960).
    """
    count = ops.shape(coefficients)[-1] or 0
    if not count:
        return ops.zeros_like(variances)
    direction, constant, basis = _state(count)
    transition = ops.matmul(coefficients, basis)[..., None, :] * direction[:, None] + constant
    noise = variances[..., None, None] * np.outer(direction, direction)
    before = ops.covariance_recursion(transition, noise)
    along = ops.matmul(weights, basis)
    value = ops.sum_last(along * ops.matmul(before, along[..., None])[..., 0])
    if ops.symbolic:
        return value
    # of series that leave the floats, too: none is different from itself
    return ops.replace(value, ops.all_last(ops.equal(weights, 0.0)), 0.0)


def _state(count: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """How the state moves, z ← (g ψᵀ + N) z + g σεₜ: g, N, and the matrix B of ψ = Bᵀφ.

    The state is the last variables, or, of few, the last one and its differences ∇ʲx: in these the
    covariances of integrated series, such as random walks of any order, are sums of positive terms, where
    those of the variables themselves nearly cancel. Then xₜ₋ₖ = Σⱼ (−1)ʲ C(k − 1, j) ∇ʲxₜ₋₁, and ∇ⁱxₜ is xₜ
    less the ∇ʲxₜ₋₁ of j < i.
    """
    if count > _MOST_DIFFERENCES:
        return np.eye(count)[0], np.eye(count, k=-1), np.eye(count)
    basis = [[float((-1) ** j * comb(k, j)) for j in range(count)] for k in range(count)]
    return np.ones(count), -np.tri(count, k=-1), np.array(basis)
