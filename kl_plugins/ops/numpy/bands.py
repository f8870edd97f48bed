"""Series and banded matrices, these as arrays of their diagonals: LAPACK and BLAS, at O(d b) and O(d b²).

Entry (k, j) of a band is that of row j + k and column j of a lower triangular or symmetric matrix; what there
is no such row for is not looked at.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from kl_plugins.ops.protocol import FloatArray


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
    width, size = factor.shape
    inside = np.arange(size) < size - np.arange(width)[:, None]
    entries = np.where(inside, factor, 0.0)
    system = np.zeros((size, width, (width - 1) ** 2 + 1), factor.dtype)
    for a in range(width):  # the diagonal that an entry dC[a, j] is of
        for s in range(a):
            system[:, a, s * (width - 1)] = entries[s]
        for r in range(width - a):
            system[:, a, a * (width - 1) + r] = (1.0 if r else 2.0) * entries[a + r]
    band = system.reshape(size * width, -1).T
    given = np.where(inside, gradient, 0.0).T.ravel()
    return solve_lower_band_transposed(band, given).reshape(size, width).T


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
