"""Series and banded matrices, these as arrays of their diagonals: LAPACK and BLAS, at O(d b) and O(d b²).

Entry (k, j) of a band is that of row j + k and column j of a lower triangular or symmetric matrix; what there
is no such row for is not looked at.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from kl_plugins.ops.protocol import Array, FloatArray


@cache
def _linalg() -> Any:
    return import_module("scipy.linalg")


def solve_lower_band(band: FloatArray, right: FloatArray) -> FloatArray:
    return _solved(band, right, 0)


def solve_lower_band_transposed(band: FloatArray, right: FloatArray) -> FloatArray:
    return _solved(band, right, 1)


def _solved(band: FloatArray, right: FloatArray, trans: int) -> FloatArray:
    (solve,) = _linalg().get_blas_funcs(("tbsv",), (band, right))
    width, size = band.shape[-2] - 1, band.shape[-1]
    batch = np.broadcast_shapes(band.shape[:-2], right.shape[:-1])
    bands, rights = np.broadcast_to(band, (*batch, width + 1, size)), np.broadcast_to(right, (*batch, size))
    out = np.empty((*batch, size), np.result_type(band, right))
    for index in np.ndindex(*batch):
        out[index] = solve(width, bands[index], rights[index], lower=1, trans=trans)
    return out


def cholesky_band(band: FloatArray, name: str, remedy: str = "") -> FloatArray:
    (factor,) = _linalg().get_lapack_funcs(("pbtrf",), (band,))
    out = np.empty_like(band)
    for index in np.ndindex(*band.shape[:-2]):
        out[index], info = factor(band[index], lower=1)
        if info:
            raise np.linalg.LinAlgError(f"{name} must be positive definite{remedy}")
    return out


def cholesky_band_gradient(factor: FloatArray, gradient: FloatArray) -> FloatArray:
    """The derivatives by the entries of one band, from those by the entries of its Cholesky factor C.

    With P = CCᵀ, dP of row j + r and column j is the sum over s of dC[r + s, j − s] C[s, j − s] and
    C[r + s, j − s] dC[s, j − s], C[k, j] being the entry of the band: a banded triangular system for the dC,
    column by column.
    """
    inside = _inside(factor)
    given = np.where(inside, gradient, 0.0).T.ravel()
    return solve_lower_band_transposed(_system(factor), given).reshape(factor.shape[::-1]).T


def cholesky_band_step(factor: FloatArray, change: FloatArray, limit: float) -> FloatArray | None:
    """What one band's Cholesky factor C changes by where the matrix does; None where it is much work.

    From (C + E)(C + E)ᵀ = P + ΔP, by steps CEᵀ + ECᵀ = ΔP − EEᵀ with the last E on the right. Each is a
    banded system for the entries of E, which keep the digits that ΔP has. The diagonal of E is at most
    `limit` times that of C, so that steps converge.
    """
    width, size = factor.shape
    if size * width * (width - 1) ** 2 > _MOST_ENTRIES:
        return None
    system, inside = _system(factor), _inside(factor)
    step = np.zeros_like(factor)
    for _ in range(_STEPS):
        right = np.where(inside, change - _product(step), 0.0).T.ravel()
        last, step = step, solve_lower_band(system, right).reshape(factor.shape[::-1]).T
        if not (np.abs(step[0]) <= limit * factor[0]).all():
            return None
        if np.all(np.abs(step - last) <= 4.0 * np.finfo(step.dtype).eps * np.abs(step).max(axis=0)):
            return step
    return None


_STEPS = 12
"""After which a step that is small has converged."""

_MOST_ENTRIES = 20_000_000
"""Of the system for a factor's derivatives, which has b² diagonals for a band of b."""


def _product(factor: FloatArray) -> FloatArray:
    """The band of FFᵀ, of F by its band: (k, j) sums over s what is (k + s, j − s) times (s, j − s)."""
    width, size = factor.shape
    out = np.zeros_like(factor)
    for s in range(width):
        for k in range(width - s):
            out[k, s:] += factor[k + s, : size - s] * factor[s, : size - s]
    return out


def _inside(band: FloatArray) -> Array:
    """Which entries of a band are of the matrix."""
    width, size = band.shape
    return np.arange(size) < size - np.arange(width)[:, None]


def _system(factor: FloatArray) -> FloatArray:
    """The banded system by which derivatives of one factor C give those of the band of P = CCᵀ."""
    width, size = factor.shape
    entries = np.where(_inside(factor), factor, 0.0)
    system = np.zeros((size, width, (width - 1) ** 2 + 1), factor.dtype)
    for a in range(width):  # the diagonal that an entry dC[a, j] is of
        for s in range(a):
            system[:, a, s * (width - 1)] = entries[s]
        for r in range(width - a):
            system[:, a, a * (width - 1) + r] = (1.0 if r else 2.0) * entries[a + r]
    return system.reshape(size * width, -1).T


def below_diagonal(matrix: FloatArray) -> FloatArray:
    return np.tril(matrix, -1)


def covariance_recursion(transitions: FloatArray, noises: FloatArray) -> FloatArray:
    """One step after the other; of numbers alone, they are a banded system."""
    shape = np.broadcast_shapes(transitions.shape, noises.shape)
    found = np.zeros(shape, np.result_type(transitions, noises))
    steps, count = shape[-3], shape[-1]
    if count == 1:
        squares = np.square(transitions[..., 0, 0])
        band = np.stack([np.ones_like(squares), -np.roll(squares, -1, axis=-1)], axis=-1).swapaxes(-2, -1)
        found[..., 1:, 0, 0] = solve_lower_band(band, noises[..., 0, 0])[..., :-1]
        return found
    g, q = (np.moveaxis(np.broadcast_to(x, shape), -3, 0) for x in (transitions, noises))
    out = np.moveaxis(found, -3, 0)
    for t in range(steps - 1):
        np.matmul(g[t] @ out[t], np.swapaxes(g[t], -2, -1), out=out[t + 1])
        out[t + 1] += q[t]
    return found
