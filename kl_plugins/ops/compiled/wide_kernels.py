"""Very many small pairs of Gaussians, or variables: a tile at a time, side by side in the vector registers.

The matrices of a tile are laid out with the members of the batch as the last axis, so that each step of a
factorisation or a solve is one operation on all members of the tile. Scratch is of the size of a tile for
each thread, whatever the length of the batch. The formulas are those of ``kernels.py``; a member whose
ratios of scales are extreme is left to the kernel there that takes one pair after the other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import guvectorize, njit, types

from kl_plugins.ops.compiled.jit import FUSED, cached

TILE = 72
"""Members of a tile: enough for whole vector registers, and no power of two, which the cache dislikes."""

_TOGETHER = 8
"""Ratios whose product is taken before one logarithm is: each is between `_SMALL` and `_LARGE`."""
_SMALL, _LARGE = 1e-20, 1e20


@cached(njit, inline="never")
def _load(matrices: Any, start: Any, tile: Any) -> None:
    """Copy the lower triangles of the members from `start` on; the last one fills up an incomplete tile."""
    last = len(matrices) - 1
    for lane in range(TILE):
        member = min(start + lane, last)
        for i in range(matrices.shape[1]):
            for j in range(i + 1):
                tile[i, j, lane] = matrices[member, i, j]


@cached(njit, fastmath=FUSED, error_model="numpy", inline="never")
def _factor(tile: Any, column: Any) -> None:
    """Overwrite each matrix by its lower Cholesky factor, with NaN or zero on the diagonal of none."""
    dimension = len(tile)
    for k in range(dimension):
        for lane in range(TILE):
            tile[k, k, lane] = math.sqrt(tile[k, k, lane])
            column[k, lane] = 1.0 / tile[k, k, lane]
        for i in range(k + 1, dimension):
            for lane in range(TILE):
                tile[i, k, lane] *= column[k, lane]
                column[i, lane] = tile[i, k, lane]
        for i in range(k + 1, dimension):
            for j in range(k + 1, i + 1):
                for lane in range(TILE):
                    tile[i, j, lane] -= column[i, lane] * column[j, lane]


@cached(njit, fastmath=FUSED, error_model="numpy", inline="never")
def _add_solved(factor: Any, inverse: Any, right: Any, start: Any, total: Any, solved: Any) -> None:
    """Add to `total` the squares of ``factor⁻¹ right``, whose entries before `start` are zero."""
    for k in range(start, len(factor)):
        for lane in range(TILE):
            solved[lane] = right[k, lane] * inverse[k, lane]
            total[lane] += solved[lane] * solved[lane]
        for i in range(k + 1, len(factor)):
            for lane in range(TILE):
                right[i, lane] -= factor[i, k, lane] * solved[lane]


@cached(njit, fastmath=FUSED, error_model="numpy")
def twice_scale_divergence(p: Any, q: Any, inverse: Any) -> Any:
    """φ(M) without its logarithm, the argument of that, M − 1 (or M), and whether p and q are near."""
    is_near = abs(p - q) <= 0.2 * q
    ratio, e = p * inverse, (p - q) * inverse
    r = e / (2.0 + e)
    r2 = r * r
    tail = 1 / 15 + r2 * (1 / 17 + r2 / 19)
    tail = 1 / 3 + r2 * (1 / 5 + r2 * (1 / 7 + r2 * (1 / 9 + r2 * (1 / 11 + r2 * (1 / 13 + r2 * tail)))))
    if is_near:
        return e * e + 2.0 * (e * r - 2.0 * r * r2 * tail), 1.0, e, 1.0
    return ratio * ratio - 1.0, ratio, ratio, 0.0


@cached(njit, fastmath=FUSED, error_model="numpy", inline="never")
def _add_scales(p: Any, q: Any, inverse: Any, total: Any, product: Any, excess: Any, near: Any) -> None:
    """Add the divergence of one diagonal entry, but for logarithms: their arguments join `product`.

    `excess` becomes M − 1 where p and q are near each other and `near` 1, else M and 0.
    """
    for lane in range(TILE):
        value, ratio, excess[lane], near[lane] = twice_scale_divergence(p[lane], q[lane], inverse[lane])
        total[lane] += value
        product[lane] *= ratio


@cached(
    guvectorize,
    ["float64[:,:],float64[:,:,:],boolean,float64[:,:],float64[:,:,:],boolean,float64[:],boolean[:]"],
    "(n,d),(n,d,d),(),(n,d),(n,d,d),()->(n),(n)",
    nopython=True,
)
def gaussian_pairs(  # type: ignore[no-untyped-def]
    p_mean, p_root, p_is_factor, q_mean, q_root, q_is_factor, out, left_out
) -> None:
    """Divergences of the pairs, and which of them are left out."""
    count, dimension = p_mean.shape
    p, q = np.empty((dimension, dimension, TILE)), np.empty((dimension, dimension, TILE))
    right, inverse = np.empty((dimension, TILE)), np.empty((dimension, TILE))
    total, product, near, solved = np.empty(TILE), np.empty(TILE), np.empty(TILE), np.empty(TILE)
    for start in range(0, count, TILE):
        _load(p_root, start, p)
        _load(q_root, start, q)
        if not p_is_factor:
            _factor(p, right)
        if not q_is_factor:
            _factor(q, right)
        for i in range(dimension):
            for lane in range(TILE):
                member = min(start + lane, count - 1)
                right[i, lane] = p_mean[member, i] - q_mean[member, i]
                inverse[i, lane] = 1.0 / q[i, i, lane]
        total[:] = 0.0
        product[:] = 1.0
        members = min(TILE, count - start)
        out[start : start + members] = 0.0
        _add_solved(q, inverse, right, 0, total, solved)
        for j in range(dimension):
            _add_scales(p[j, j], q[j, j], inverse[j], total, product, right[j], near)
            for i in range(j + 1, dimension):
                for lane in range(TILE):
                    # in this order: where p and q are near each other, the first difference is exact
                    rest = p[i, j, lane] - near[lane] * q[i, j, lane]
                    right[i, lane] = rest - right[j, lane] * q[i, j, lane]
            _add_solved(q, inverse, right, j + 1, total, solved)
            if j % _TOGETHER == _TOGETHER - 1 or j == dimension - 1:
                for lane in range(members):
                    out[start + lane] -= math.log(product[lane])
                product[:] = 1.0
        for lane in range(members):
            out[start + lane] += 0.5 * total[lane]
            left_out[start + lane] = False
            for i in range(dimension):
                ratio = p[i, i, lane] * inverse[i, lane]
                if not _SMALL < ratio < _LARGE:
                    left_out[start + lane] = True


@cached(njit)
def _has_factor(tile: Any, lane: Any) -> Any:
    """Whether the diagonal is that of a Cholesky factor: NaN and infinity anywhere would have reached it."""
    for i in range(len(tile)):  # noqa: SIM110  Numba has no generators
        if not 0.0 < tile[i, i, lane] < math.inf:
            return False
    return True


@cached(guvectorize, ["float64[:,:,:],boolean,boolean[:]"], "(n,d,d),()->(n)", nopython=True)
def is_positive_definite(matrices, and_symmetric, out):  # type: ignore[no-untyped-def]
    """Whether the lower triangle of each matrix has a Cholesky factor, and the upper one is its image."""
    count, dimension, _ = matrices.shape
    tile, column = np.empty((dimension, dimension, TILE)), np.empty((dimension, TILE))
    for start in range(0, count, TILE):
        _load(matrices, start, tile)
        for lane in range(min(TILE, count - start)):
            out[start + lane] = True
            if and_symmetric:
                for i in range(dimension):
                    for j in range(i):
                        out[start + lane] &= tile[i, j, lane] == matrices[start + lane, j, i]
        _factor(tile, column)
        for lane in range(min(TILE, count - start)):
            out[start + lane] &= _has_factor(tile, lane)


_LENGTH = 256
"""Variables of a vector that are worked on side by side."""
_STEPS = 16
"""Products of so many ratios, two at a time, before a logarithm is taken: that of ratios below `WIDEST`."""
WIDEST = 1e9


@cached(njit, fastmath=FUSED, error_model="numpy", inline="never")
def _add_variables(
    p_mean: Any, p_scale: Any, q_mean: Any, q_scale: Any, total: Any, product: Any, low: Any, high: Any
) -> None:
    for i in range(_LENGTH):
        inverse = 1.0 / q_scale[i]
        white = (p_mean[i] - q_mean[i]) * inverse
        value, ratio, _, _ = twice_scale_divergence(p_scale[i], q_scale[i], inverse)
        total[i] += white * white + value
        product[i] *= ratio
        low[i], high[i] = min(low[i], ratio), max(high[i], ratio)


@cached(njit)
def _next(vector: Any, start: Any, count: Any, scratch: Any) -> Any:
    """The `count` numbers from `start` on; `scratch` holds what fills up an incomplete tile."""
    if len(vector) == 1:
        scratch[:count] = vector[0]
        return scratch
    if count == _LENGTH:
        return vector[start : start + _LENGTH]
    scratch[:count] = vector[start : start + count]
    return scratch


_VECTOR = types.Array(types.float64, 1, "C", readonly=True)  # what may be written to serves as well
_SIGNATURE = types.UniTuple(types.float64, 2)(*[_VECTOR] * 4, types.int64)


@cached(njit, [_SIGNATURE], error_model="numpy", nogil=True)
def axis_aligned_pair(p_mean: Any, p_scale: Any, q_mean: Any, q_scale: Any, length: Any) -> Any:
    """Divergence of independent variables, and the widest ratio: beyond `WIDEST` it may be wrong.

    Vectors have the given length, or the length 1 where all variables share a number.
    """
    total, product = np.zeros(_LENGTH), np.ones(_LENGTH)
    low, high = np.ones(_LENGTH), np.ones(_LENGTH)
    means, scales = np.zeros((2, _LENGTH)), np.ones((2, _LENGTH))
    half, logarithms, steps = _LENGTH // 2, 0.0, 0
    for start in range(0, length, _LENGTH):
        count = min(_LENGTH, length - start)
        if count < _LENGTH:  # what fills up the last tile has to be equal
            means[:], scales[:] = 0.0, 1.0
        _add_variables(
            _next(p_mean, start, count, means[0]),
            _next(p_scale, start, count, scales[0]),
            _next(q_mean, start, count, means[1]),
            _next(q_scale, start, count, scales[1]),
            total,
            product,
            low,
            high,
        )
        steps += 1
        if steps == _STEPS or start + _LENGTH >= length:
            for i in range(half):
                logarithms += math.log(product[i] * product[i + half])
            product[:] = 1.0
            steps = 0
    return 0.5 * total.sum() - logarithms, max(high.max(), 1.0 / low.min())
