"""Sums over the rows of tall matrices with few columns, a tile of rows side by side in the vector registers.

NumPy scales the rows of such a matrix a few numbers at a time, and passes over it once for every step; these
take all the sums that a low-rank covariance needs in one pass.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from kl_plugins.ops.compiled.jit import FUSED, SUMS, cached
from kl_plugins.ops.compiled.wide_kernels import WIDEST, twice_scale_divergence
from kl_plugins.ops.threads import in_threads

_ROWS = 128
"""Rows of a tile."""
_STEPS = 16
"""Tiles whose ratios are multiplied, two at a time, before a logarithm is taken: ratios below `WIDEST`."""

_VECTOR = types.Array(types.float64, 1, "C", readonly=True)
_MATRIX = types.Array(types.float64, 2, "C", readonly=True)
_OUT = types.Array(types.float64, 2, "C")


@cached(njit)
def _load(matrix: Any, start: Any, count: Any, tile: Any) -> None:
    """The rows from `start` on as columns; zeros fill up an incomplete tile."""
    columns = matrix.shape[1]
    for row in range(count):
        for j in range(columns):
            tile[j, row] = matrix[start + row, j]
    for j in range(columns):
        tile[j, count:] = 0.0


@cached(njit)
def _fill(vector: Any, start: Any, count: Any, tile: Any) -> None:
    tile[:count] = vector[start : start + count]
    tile[count:] = 1.0


@cached(njit, fastmath=FUSED, error_model="numpy", inline="never")
def _scale(tile: Any, by: Any, scaled: Any) -> None:
    for j in range(len(tile)):
        for row in range(_ROWS):
            scaled[j, row] = tile[j, row] * by[row]


@cached(njit, fastmath=SUMS, error_model="numpy", inline="never")
def _add_products(left: Any, right: Any, symmetric: Any, out: Any) -> None:
    """Add the product of the tiles; four entries at a time use each number twice."""
    columns = len(left)
    for i in range(0, columns - 1, 2):
        for j in range(0, i + 1 if symmetric else columns - 1, 2):
            a = b = c = d = 0.0
            for row in range(_ROWS):
                a += left[i, row] * right[j, row]
                b += left[i, row] * right[j + 1, row]
                c += left[i + 1, row] * right[j, row]
                d += left[i + 1, row] * right[j + 1, row]
            out[i, j] += a
            out[i, j + 1] += b
            out[i + 1, j] += c
            out[i + 1, j + 1] += d
    if columns % 2:
        last = columns - 1
        for j in range(columns):
            a = b = 0.0
            for row in range(_ROWS):
                a += left[last, row] * right[j, row]
                b += left[j, row] * right[last, row]
            out[last, j] += a
            if j < last:
                out[j, last] += b


@cached(njit, [types.void(_VECTOR, _MATRIX, _OUT)], error_model="numpy", nogil=True)
def _add_gram(scales: Any, loadings: Any, out: Any) -> None:
    """Add Wᵀ D⁻¹ W, of which the lower triangle is made, D the squares of the scales."""
    length, columns = loadings.shape
    tile, by = np.empty((columns, _ROWS)), np.empty(_ROWS)
    for start in range(0, length, _ROWS):
        count = min(_ROWS, length - start)
        _load(loadings, start, count, tile)
        _fill(scales, start, count, by)
        for row in range(_ROWS):
            by[row] = 1.0 / by[row]
        _scale(tile, by, tile)
        _add_products(tile, tile, True, out)


@cached(njit, fastmath=FUSED, error_model="numpy", inline="never")
def _add_axes(
    p: Any, q: Any, near: Any, total: Any, product: Any, far: Any, low: Any, high: Any, weights: Any
) -> None:
    """Add the divergences of the scales, but for logarithms; the weights are 1/q, ρ and ρ/(1 + ρ)."""
    for row in range(_ROWS):
        inverse, p_inverse = 1.0 / q[row], 1.0 / p[row]
        value, ratio, _, _ = twice_scale_divergence(p[row], q[row], inverse)
        total[row] += value
        product[row] *= ratio
        ratio = p[row] * inverse
        low[row], high[row] = min(low[row], ratio), max(high[row], ratio)
        difference, both = p[row] - q[row], p[row] + q[row]
        excess = (difference * inverse) * (both * inverse)
        far[row] += 1.0 if abs(excess) > near else 0.0
        weights[0, row] = inverse
        weights[1, row] = excess
        weights[2, row] = (difference * p_inverse) * (both * p_inverse)


_SUMS_SIGNATURE = types.UniTuple(types.float64, 3)(
    _VECTOR, _VECTOR, _MATRIX, _MATRIX, types.float64, _OUT, _OUT, _OUT, _OUT
)


@cached(njit, [_SUMS_SIGNATURE], error_model="numpy", nogil=True)
def _add_low_rank_sums(
    p_scales: Any,
    q_scales: Any,
    p_loadings: Any,
    q_loadings: Any,
    near: Any,
    ee: Any,
    ev: Any,
    n: Any,
    vv: Any,
) -> Any:
    """Add the products that `low_rank_sums` returns, symmetric ones as lower triangles.

    Returns the divergence of the diagonals, how many of their ratios are far, and the widest ratio: beyond
    `WIDEST` the divergence may be wrong.
    """
    length, columns = p_loadings.shape
    u, v, e = np.empty((columns, _ROWS)), np.empty((columns, _ROWS)), np.empty((columns, _ROWS))
    p, q, weights = np.empty(_ROWS), np.empty(_ROWS), np.empty((3, _ROWS))
    total, product, far = np.zeros(_ROWS), np.ones(_ROWS), np.zeros(_ROWS)
    low, high = np.ones(_ROWS), np.ones(_ROWS)
    half, logarithms, steps = _ROWS // 2, 0.0, 0
    for start in range(0, length, _ROWS):
        count = min(_ROWS, length - start)
        _fill(p_scales, start, count, p)
        _fill(q_scales, start, count, q)
        _add_axes(p, q, near, total, product, far, low, high, weights)
        _load(p_loadings, start, count, u)
        _load(q_loadings, start, count, v)
        for j in range(columns):
            for row in range(_ROWS):
                e[j, row] = u[j, row] - v[j, row]
        _scale(u, weights[0], u)
        _scale(v, weights[0], v)
        _scale(e, weights[0], e)
        _add_products(e, e, True, ee)
        _add_products(e, v, False, ev)
        _scale(u, weights[2], e)
        _add_products(u, e, True, n)
        _scale(v, weights[1], e)
        _add_products(v, e, True, vv)
        steps += 1
        if steps == _STEPS or start + _ROWS >= length:
            for row in range(half):
                logarithms += math.log(product[row] * product[row + half])
            product[:] = 1.0
            steps = 0
    return 0.5 * total.sum() - logarithms, far.sum(), max(high.max(), 1.0 / low.min())


_PART = 1 << 15
"""Rows that one thread takes at a time: a fixed number, so that sums do not depend on the threads."""


def _parts(arrays: list[NDArray[Any]]) -> list[list[NDArray[Any]]]:
    whole = [np.require(array, requirements=("C", "A")) for array in arrays]
    return [[array[i : i + _PART] for array in whole] for i in range(0, len(whole[0]), _PART)]


def _symmetric(lower: NDArray[Any]) -> NDArray[Any]:
    below = np.tril(lower, -1)
    return np.asarray(below + below.T + np.diag(np.diagonal(lower)))


def gram(scales: NDArray[Any], loadings: NDArray[Any]) -> NDArray[Any]:
    """Wᵀ D⁻¹ W of loadings W, shape (d, k), and D the squares of the scales, shape (d,)."""

    def of_part(part: list[NDArray[Any]]) -> NDArray[Any]:
        out = np.zeros((loadings.shape[1],) * 2)
        _add_gram(*part, out)
        return out

    return _symmetric(np.sum(in_threads(of_part, _parts([scales, loadings])), axis=0))


def low_rank_sums(
    p_scales: NDArray[Any],
    q_scales: NDArray[Any],
    p_loadings: NDArray[Any],
    q_loadings: NDArray[Any],
    near: float,
) -> list[Any] | None:
    """What ``covariance/low_rank.py`` sums over the rows; None where ratios of scales are extreme.

    Scales have shape (d,), loadings (d, k); `near` is how far from 1 a ratio of variances is not yet far.
    """

    def of_part(part: list[NDArray[Any]]) -> tuple[Any, NDArray[Any]]:
        out = np.zeros((4, *[p_loadings.shape[1]] * 2))
        return _add_low_rank_sums(*part, near, *out), out

    done = in_threads(of_part, _parts([p_scales, q_scales, p_loadings, q_loadings]))
    axes, far, widest = zip(*[numbers for numbers, _ in done], strict=True)
    if not max(widest) < WIDEST:
        return None
    ee, ev, n, vv = np.sum([out for _, out in done], axis=0)
    return [np.float64(sum(axes)), np.float64(sum(far)), _symmetric(ee), ev, _symmetric(n), _symmetric(vv)]
