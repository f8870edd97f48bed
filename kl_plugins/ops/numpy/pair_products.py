"""All pairs of two batches of Gaussians at once: their divergences as products of two matrices.

With P = Σq⁻¹, means counted from a common centre, and m and k for those of p and q,

    2 KL = ⟨Σp + m mᵀ, P⟩ − 2 ⟨m, P k⟩ + kᵀP k − d − ln|Σp| + ln|Σq|:

the inner product of a row made from p alone and one made from q alone. For all pairs that is one matrix
product, O(d²) for a pair, after O(d³) for each distribution. The sum is the textbook's and cancels, so
every value comes with an estimate of its rounding error, and `divergences` says which values are good.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kl_plugins.ops.protocol import FloatArray

_ROUNDING = 2.0**-53

_SAFETY = 4.0
"""The estimate is no proof: the largest error seen was 1.2 times ``_ROUNDING * size``, beside `kl` for nearly
equal pairs of 2 to 100 variables and condition numbers up to 10⁶."""

_GOOD = 5e-13
"""Relative error up to which a value is kept, well or ill conditioned: a multiple of the condition number
would still be what `kl` promises, but `kl` is often far better than that."""

_NUMBERS = 1 << 20
"""Numbers of the rows that are multiplied together: 8 MB."""

_FEWEST, _MOST, _PAIRS = 16, 1024, 1 << 17
"""Bounds on the rows of a block, and on the pairs of two."""

_MODERATE = 32
"""From this dimension on LAPACK inverts one matrix after the other."""


class Gaussians(NamedTuple):
    """A batch of n Gaussians, float64. A length of 1 in place of n is shared by all of them."""

    means: FloatArray
    """Shape (n, d)."""

    covariances: FloatArray
    """Matrices of shape (n, d, d), or variances of independent variables of shape (n, d)."""

    factors: FloatArray
    """Lower Cholesky factors (n, d, d), or standard deviations (n, d)."""

    def part(self, start: int, stop: int) -> Gaussians:
        return Gaussians(*[x if len(x) == 1 else x[start:stop] for x in self])

    @property
    def batch_size(self) -> int:
        return max(len(self.means), len(self.covariances))

    @property
    def is_diagonal(self) -> bool:
        return self.covariances.ndim == 2


class _Side(NamedTuple):
    """What the pairs share of the distributions of one side."""

    rows: FloatArray
    """Rows whose inner products with the other side's are ⟨Σp + m mᵀ, P⟩ − 2 ⟨m, P k⟩ + kᵀP k."""

    log_dets: FloatArray

    spreads: FloatArray
    """s = √diag Σ of p, c = √diag P of q; of independent variables s² + 2 m² and c²."""

    gaps: FloatArray
    """|m| of p, |k|·c of q; of independent variables 2 k²·c² of q."""


def blocks(p: Gaussians, q: Gaussians) -> Iterator[tuple[slice, slice, FloatArray, NDArray[np.bool_]]]:
    """Yield the rows and columns of a block of pairs, their divergences, and which of those are good.

    The estimate behind ``good`` is for the products: the error of the factors is the same as in `kl`.
    """
    d = p.means.shape[-1]
    length = 2 * d + 1 if p.is_diagonal else d * (d + 1) // 2 + d + 1
    most = max(_FEWEST, _NUMBERS // length)
    width = min(q.batch_size, most, _MOST)
    height = min(p.batch_size, most, max(_FEWEST, _PAIRS // max(1, width)))
    centre = np.nan_to_num(q.means).mean(0)
    for j in range(0, q.batch_size, width):
        columns = slice(j, min(j + width, q.batch_size))
        right = _of_q(q.part(j, j + width), centre)
        for i in range(0, p.batch_size, height):
            rows = slice(i, min(i + height, p.batch_size))
            left = _of_p(p.part(i, i + height), centre)
            yield rows, columns, *_divergences(left, right, p.is_diagonal)


def _divergences(left: _Side, right: _Side, is_diagonal: bool) -> tuple[FloatArray, NDArray[np.bool_]]:
    d = right.spreads.shape[-1]
    value = left.rows @ right.rows.T
    value -= left.log_dets[:, None]
    value += right.log_dets - d
    value *= 0.5
    size = left.spreads @ right.spreads.T
    if is_diagonal:  # sums of d terms of one sign, and |m − k|² ≤ 2 m² + 2 k²
        size = np.sqrt(d) * (size + right.gaps)
    else:  # |Σp| ≤ s sᵀ and |P| ≤ c cᵀ, entry by entry
        size = size**2 + (left.gaps @ right.spreads.T + right.gaps) ** 2
    size += np.abs(left.log_dets)[:, None] + np.abs(right.log_dets)
    size *= _SAFETY * _ROUNDING / _GOOD
    return value, value > size  # not where either is NaN, nor where both are infinite


def _of_p(p: Gaussians, centre: FloatArray) -> _Side:
    m, ones = p.means - centre, np.ones((1, 1))
    if p.is_diagonal:
        moments: FloatArray = p.covariances + m * m
        spreads: FloatArray = p.covariances + 2.0 * m * m
    else:
        moments = _lower(p.covariances + m[:, :, None] * m[:, None, :])
        spreads = np.sqrt(_diagonals(p.covariances))
    return _Side(_joined(moments, m, ones), _log_dets(p), spreads, np.abs(m))


def _of_q(q: Gaussians, centre: FloatArray) -> _Side:
    k = q.means - centre
    if q.is_diagonal:
        precisions = spreads = 1.0 / q.covariances
        linear, gaps = precisions * k, 2.0 * np.vecdot(k * k, precisions)
    else:
        inverses = _inverses(q.factors)
        linear = (inverses @ k[:, :, None])[:, :, 0]
        spreads = np.sqrt(_diagonals(inverses))
        gaps = np.vecdot(np.abs(k), spreads)
        below = np.tril(np.full(inverses.shape[1:], 2.0), -1) + np.eye(inverses.shape[1])
        precisions = _lower(inverses) * _lower(below)
    rows = _joined(precisions, -2.0 * linear, np.vecdot(linear, k)[:, None])
    return _Side(rows, _log_dets(q), spreads, gaps)


def _joined(*columns: FloatArray) -> FloatArray:
    count = max(len(part) for part in columns)
    return np.concatenate([np.broadcast_to(part, (count, part.shape[1])) for part in columns], axis=1)


def _lower(matrices: FloatArray) -> FloatArray:
    """The lower triangles, row by row, as rows."""
    d = matrices.shape[-1]
    i, j = np.tril_indices(d)
    rows: FloatArray = matrices.reshape(-1, d * d).take(i * d + j, axis=1)
    return rows


def _diagonals(matrices: FloatArray) -> FloatArray:
    return matrices.diagonal(axis1=-2, axis2=-1)


def _log_dets(side: Gaussians) -> FloatArray:
    scales = side.factors if side.is_diagonal else _diagonals(side.factors)
    log_dets: FloatArray = 2.0 * np.log(scales).sum(-1)
    return log_dets


def _inverses(factors: FloatArray) -> FloatArray:
    """(LLᵀ)⁻¹ = L⁻ᵀL⁻¹ for each lower triangular L."""
    if factors.shape[-1] < _MODERATE:
        inverse = np.linalg.inv(factors)
        return inverse.swapaxes(-1, -2) @ inverse
    from scipy.linalg import lapack  # which small matrices and diagonals do without

    out = np.empty_like(factors)
    for factor, inverse in zip(factors, out, strict=True):
        # L read column by column is upper triangular, and of the inverse the upper triangle is written
        half = np.triu(lapack.dpotri(factor.T, lower=0)[0])
        np.add(half, np.triu(half, 1).T, out=inverse)
    return out
