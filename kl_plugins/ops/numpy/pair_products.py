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

TILE = 32
"""Rows that are multiplied with as many others at a time."""

_DEPTH = 240
"""Numbers of a row that are multiplied at a time: one thread of OpenBLAS does up to 32 · 32 · 256 of them."""

_FEWEST, _MOST, _PAIRS = TILE, 1024, 1 << 17
"""Bounds on the rows and columns of a block, multiples of a tile, and on its pairs."""

SAMPLED = 32
"""Members that say where the means of a batch are."""

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

    @property
    def batch_size(self) -> int:
        return max(len(self.means), len(self.covariances))

    @property
    def is_diagonal(self) -> bool:
        return self.covariances.ndim == 2


class Side(NamedTuple):
    """What the pairs share of the n distributions of one side; rows in tiles, shape (⌈n/TILE⌉, TILE, ·)."""

    rows: FloatArray
    """Rows whose inner products with the other side's are ⟨Σp + m mᵀ, P⟩ − 2 ⟨m, P k⟩ + kᵀP k."""

    log_dets: FloatArray
    """Shape (n,)."""

    spreads: FloatArray
    """s = √diag Σ of p, c = √diag P of q; of independent variables s² + 2 m² and c²; in tiles."""

    gaps: FloatArray
    """|m| of p, in tiles; of q |k|·c, of independent variables 2 k²·c², shape (n,)."""

    is_diagonal: bool

    def part(self, start: int, stop: int) -> Side:
        """The distributions from `start`, a multiple of TILE, to `stop`."""
        tiles, each = slice(start // TILE, -(-stop // TILE)), slice(start, stop)
        gaps = self.gaps[each if self.gaps.ndim == 1 else tiles]
        return Side(self.rows[tiles], self.log_dets[each], self.spreads[tiles], gaps, self.is_diagonal)


def sampled(count: int, most: int = SAMPLED) -> NDArray[np.intp]:
    """The members of a batch that say where its means are: they depend on nothing but their number."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).astype(np.intp))


def centre_of(means: FloatArray) -> FloatArray:
    """The centre that means are counted from: any will do; this one is near most of them, shape (n, d)."""
    centre: FloatArray = np.median(np.nan_to_num(means), axis=0)
    return centre


def blocks(p: Side, q: Side) -> Iterator[tuple[slice, slice, FloatArray, NDArray[np.bool_]]]:
    """Yield the rows and columns of a block of pairs, their divergences, and which of those are good.

    The estimate behind ``good`` is for the products: the error of the factors is the same as in `kl`.
    A pair has the same bits in every block.
    """
    count, others = len(p.log_dets), len(q.log_dets)
    width = min(others, _MOST)
    height = min(count, max(_FEWEST, _PAIRS // max(1, width) // TILE * TILE))
    for j in range(0, others, max(1, width)):
        columns = slice(j, min(j + width, others))
        right = q.part(columns.start, columns.stop)
        for i in range(0, count, max(1, height)):
            rows = slice(i, min(i + height, count))
            yield rows, columns, *_divergences(p.part(rows.start, rows.stop), right)


def _divergences(left: Side, right: Side) -> tuple[FloatArray, NDArray[np.bool_]]:
    d = right.spreads.shape[-1]
    shape = len(left.log_dets), len(right.log_dets)
    value = _products(left.rows, right.rows, shape)
    value -= left.log_dets[:, None]
    value += right.log_dets - d
    value *= 0.5
    size = _products(left.spreads, right.spreads, shape)
    if left.is_diagonal:  # sums of d terms of one sign, and |m − k|² ≤ 2 m² + 2 k²
        size += right.gaps
        size *= np.sqrt(d)
    else:  # |Σp| ≤ s sᵀ and |P| ≤ c cᵀ, entry by entry
        gaps = _products(left.gaps, right.spreads, shape)
        gaps += right.gaps
        size *= size
        gaps *= gaps
        size += gaps
    size += np.abs(left.log_dets)[:, None] + np.abs(right.log_dets)
    size *= _SAFETY * _ROUNDING / _GOOD
    return value, value > size  # not where either is NaN, nor where both are infinite


def _products(left: FloatArray, right: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """The inner product of every row of one side with every row of the other, both in tiles.

    The bits that BLAS gives to an entry depend on the shape of the product, on the place in it, and on
    how many threads share it. Not so for products of two tiles, as it is at the edges of a product that its
    instructions are others; and not of short rows, which one thread multiplies.
    """
    out = np.empty((len(left) * TILE, len(right) * TILE))
    part = out
    for start in range(0, left.shape[-1], _DEPTH):
        depth = slice(start, start + _DEPTH)
        tiles = part.reshape(len(left), TILE, len(right), TILE).swapaxes(1, 2)
        np.matmul(left[:, None, :, depth], right[:, :, depth].swapaxes(1, 2), out=tiles)
        if part is out:
            part = np.empty_like(out) if left.shape[-1] > _DEPTH else out
        else:
            out += part
    return out[: shape[0], : shape[1]]


def _tiled(rows: FloatArray, count: int) -> FloatArray:
    """`count` rows, or one for all of them, in tiles, the last of which is filled up with zeros."""
    tiles = np.zeros((-(-count // TILE), TILE, rows.shape[1]))
    tiles.reshape(-1, rows.shape[1])[:count] = rows
    return tiles


def side_of_p(p: Gaussians, centre: FloatArray) -> Side:
    """What the pairs share of p."""
    m, ones, count = p.means - centre, np.ones((1, 1)), p.batch_size
    if p.is_diagonal:
        moments: FloatArray = p.covariances + m * m
        spreads: FloatArray = p.covariances + 2.0 * m * m
    else:
        moments = _lower(p.covariances + m[:, :, None] * m[:, None, :])
        spreads = np.sqrt(_diagonals(p.covariances))
    rows = _tiled(_joined(moments, m, ones), count)
    return Side(rows, _log_dets(p), _tiled(spreads, count), _tiled(np.abs(m), count), p.is_diagonal)


def side_of_q(q: Gaussians, centre: FloatArray) -> Side:
    """What the pairs share of q."""
    k, count = q.means - centre, q.batch_size
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
    rows = _tiled(_joined(precisions, -2.0 * linear, np.vecdot(linear, k)[:, None]), count)
    return Side(rows, _log_dets(q), _tiled(spreads, count), np.broadcast_to(gaps, (count,)), q.is_diagonal)


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
    return np.broadcast_to(log_dets, (side.batch_size,))


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
