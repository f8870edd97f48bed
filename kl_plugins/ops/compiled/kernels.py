"""Many small matrices at a time: kernels compiled by Numba, one pair of Gaussians after the other.

NumPy passes over the whole batch once for every step of a formula; these do all of a pair's steps on
scratch of its own size, d² numbers for each thread. The formulas are those of ``covariance/base.py``.
Threads are Python's own, each on a part of the batch: the kernels do not hold the interpreter's lock,
and neither a second thread of the caller's nor a fork upsets them. Compiled code is kept on disk.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numba import guvectorize, njit
from numpy.typing import NDArray

from kl_plugins.ops.compiled import wide_kernels
from kl_plugins.ops.compiled.jit import SUMS, cached
from kl_plugins.ops.threads import available, in_threads


@cached(njit, fastmath=SUMS, inline="never")
def _cholesky(matrix: Any, factor: Any) -> bool:
    """Write the lower factor of `matrix`; False where it is not positive definite."""
    dimension = matrix.shape[0]
    for i in range(dimension):
        for j in range(i + 1):
            value = matrix[i, j]
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            if i > j:
                factor[i, j] = value / factor[j, j]
            elif value > 0.0 and value < math.inf:
                factor[i, i] = math.sqrt(value)
            else:
                return False
    return True


@cached(njit)
def _scale_divergence(p: Any, q: Any) -> Any:
    if abs(p - q) <= 0.2 * q:
        e = (p - q) / q
        r = e / (2.0 + e)
        square = r * r
        tail = 1.0 / 19.0
        for k in range(8, 0, -1):
            tail = tail * square + 1.0 / (2 * k + 1.0)
        return 0.5 * e * e + (e * r - 2.0 * r * square * tail)
    ratio = p / q
    half_log = math.log(math.sqrt(p) / math.sqrt(q))
    return (0.5 * ratio) * ratio - 0.5 - 2.0 * min(half_log, 1e3)


@cached(njit)
def _to_factor(root: Any, is_factor: Any, factor: Any) -> Any:
    if not is_factor:
        return _cholesky(root, factor)
    for i in range(len(root)):
        for j in range(i + 1):
            factor[i, j] = root[i, j]
    return True


Array = tuple[NDArray[Any], int]
"""An array and its number of dimensions that are not of the batch."""

_PAIRS = "(d),(d,d),(),(d),(d,d),()->()"
_FLOATS = ("float64",)
"""One type only: of a kernel for two, Numba 0.68 reads back a broken first one from its disk cache."""

_PAIR_TYPES = [f"{t}[:],{t}[:,:],boolean,{t}[:],{t}[:,:],boolean,{t}[:]" for t in _FLOATS]
_MATRIX_TYPES = [f"{t}[:,:],boolean[:]" for t in _FLOATS]


@cached(guvectorize, _PAIR_TYPES, _PAIRS, fastmath=SUMS, nopython=True)
def _gaussian_pairs(  # type: ignore[no-untyped-def]
    p_mean, p_root, p_is_factor, q_mean, q_root, q_is_factor, out
) -> None:
    dimension = p_mean.shape[0]
    column = np.empty_like(p_mean)
    p_factor = np.empty((dimension, dimension), p_mean.dtype)
    q_factor = np.empty((dimension, dimension), p_mean.dtype)
    if not (_to_factor(p_root, p_is_factor, p_factor) and _to_factor(q_root, q_is_factor, q_factor)):
        out[0] = math.nan
        return
    total = 0.0
    for j in range(dimension):
        p_scale, q_scale = p_factor[j, j], q_factor[j, j]
        total += _scale_divergence(p_scale, q_scale)
        near = abs(p_scale - q_scale) <= 0.2 * q_scale
        column[j] = (p_scale - q_scale) / q_scale if near else p_scale / q_scale
        for i in range(j + 1, dimension):
            value = p_factor[i, j] - q_factor[i, j] if near else p_factor[i, j]
            for k in range(j, i):
                value -= q_factor[i, k] * column[k]
            column[i] = value / q_factor[i, i]
            total += 0.5 * column[i] * column[i]
    for i in range(dimension):
        value = p_mean[i] - q_mean[i]
        for k in range(i):
            value -= q_factor[i, k] * column[k]
        column[i] = value / q_factor[i, i]
        total += 0.5 * column[i] * column[i]
    out[0] = total


_AXES_TYPES = [",".join([f"{t}[:]"] * 4 + ["float64[:]"]) for t in _FLOATS]


@cached(guvectorize, _AXES_TYPES, "(d),(d),(d),(d)->()", fastmath=SUMS, nopython=True)
def _axis_aligned_pairs(p_mean, p_scale, q_mean, q_scale, out):  # type: ignore[no-untyped-def]
    total, product = 0.0, 1.0  # of the ratios whose logarithms are still to be taken
    for i in range(len(p_mean)):
        p, q = p_scale[i], q_scale[i]
        white = (p_mean[i] - q_mean[i]) / q
        total += 0.5 * white * white
        ratio = p / q
        if abs(p - q) > 0.2 * q and 1e-100 < ratio < 1e100:
            total += 0.5 * ratio * ratio - 0.5
            product *= ratio
            if not 1e-200 < product < 1e200:
                total -= math.log(product)
                product = 1.0
        else:
            total += _scale_divergence(p, q)
    out[0] = total - math.log(product)


@cached(guvectorize, _MATRIX_TYPES, "(d,d)->()", nopython=True)
def _is_finite(matrix, out):  # type: ignore[no-untyped-def]
    out[0] = True
    for i in range(len(matrix)):
        for j in range(len(matrix)):
            out[0] &= abs(matrix[i, j]) < math.inf


@cached(guvectorize, _MATRIX_TYPES, "(d,d)->()", nopython=True)
def _is_symmetric(matrix, out):  # type: ignore[no-untyped-def]
    slack = np.finfo(matrix.dtype).eps ** 0.5
    out[0] = True
    for i in range(len(matrix)):
        for j in range(i):
            gap = abs(matrix[i, j] - matrix[j, i])
            if gap > 0.0:
                scale = math.sqrt(abs(matrix[i, i])) * math.sqrt(abs(matrix[j, j]))
                out[0] &= gap <= slack * scale


@cached(guvectorize, _MATRIX_TYPES, "(d,d)->()", nopython=True)
def _is_positive_definite(matrix, out):  # type: ignore[no-untyped-def]
    out[0] = _cholesky(matrix, np.empty(matrix.shape, matrix.dtype))


@cached(guvectorize, ["float64[:,:],float64[:]", "float32[:,:],float32[:]"], "(d,d)->()", nopython=True)
def _least_pivot(matrix, out):  # type: ignore[no-untyped-def]
    factor = np.empty(matrix.shape, matrix.dtype)
    out[0] = 1.0 if _cholesky(matrix, factor) else 0.0
    for i in range(len(matrix) if out[0] > 0.0 else 0):
        out[0] = min(out[0], factor[i, i] * (factor[i, i] / matrix[i, i]))


def gaussian_pairs(
    p_mean: NDArray[Any],
    p_root: NDArray[Any],
    p_is_factor: bool,
    q_mean: NDArray[Any],
    q_root: NDArray[Any],
    q_is_factor: bool,
) -> NDArray[Any]:
    """KL divergence of each pair of Gaussians; means have shape (..., d), roots (..., d, d).

    A root is a covariance matrix or, where its flag says so, its lower Cholesky factor.
    """
    batches = (p_mean.shape[:-1], p_root.shape[:-2], q_mean.shape[:-1], q_root.shape[:-2])
    batch = np.broadcast_shapes(*batches)
    out, left_out = np.empty(batch), np.zeros(batch, np.bool_)
    sides = [(p_mean, 1), (p_root, 2), (q_mean, 1), (q_root, 2)]

    def work(kernel: Any) -> Callable[..., None]:
        return lambda pm, p, qm, q, *outs: kernel(pm, p, p_is_factor, qm, q, q_is_factor, *outs)

    if max(batch) < wide_kernels.TILE:
        _in_threads(work(_gaussian_pairs), batch, [*sides, (out, 0)])
        return out
    _in_tiles(work(wide_kernels.gaussian_pairs), batch, [*sides, (out, 0), (left_out, 0)])
    if left_out.any():
        whole = [np.broadcast_to(x, batch + x.shape[x.ndim - core :])[left_out] for x, core in sides]
        out[left_out] = _gaussian_pairs(whole[0], whole[1], p_is_factor, whole[2], whole[3], q_is_factor)
    return out


def long_axis_aligned_pair(
    p_mean: NDArray[Any], p_scale: NDArray[Any], q_mean: NDArray[Any], q_scale: NDArray[Any]
) -> Any:
    """KL divergence of two Gaussians of very many independent variables, given by vectors."""
    vectors = [np.require(vector, requirements=("C", "A")) for vector in (p_mean, p_scale, q_mean, q_scale)]
    # parts of a fixed length, so that the sum does not depend on the number of threads
    starts = range(0, max(map(len, vectors)), _PART)

    def of_part(start: int) -> float:
        part = [vector if len(vector) == 1 else vector[start : start + _PART] for vector in vectors]
        length = max(map(len, part))
        value, widest = wide_kernels.axis_aligned_pair(*part, length)
        if widest < wide_kernels.WIDEST:
            return float(value)
        with np.errstate(all="ignore"):  # of this thread
            return float(_axis_aligned_pairs(*[np.broadcast_to(vector, length) for vector in part]))

    return np.float64(math.fsum(in_threads(of_part, starts)))


_PART = 1 << 16
"""Variables of a very long vector that one thread takes at a time."""


def is_finite(matrices: NDArray[Any]) -> Any:
    """Whether each matrix holds neither NaN nor infinity."""
    return _of_each(_is_finite, matrices)


def is_symmetric(matrices: NDArray[Any]) -> Any:
    """Whether each matrix is symmetric, up to √ε of the geometric mean of the two variances."""
    return _of_each(_is_symmetric, matrices)


def is_positive_definite(matrices: NDArray[Any]) -> Any:
    """Whether each matrix, of which the lower triangle is read, has a Cholesky factor."""
    if max(matrices.shape[:-2]) < wide_kernels.TILE:
        return _of_each(_is_positive_definite, matrices)
    return _of_tiles(matrices, False)


def least_pivot(matrices: NDArray[Any]) -> Any:
    """The least share of a variable's variance that the ones before it leave, of each matrix."""
    return _of_each(_least_pivot, matrices, np.float64)


def are_covariances(matrices: NDArray[Any]) -> bool:
    """Whether all matrices are exactly symmetric and positive definite, and so finite, in one pass."""
    return max(matrices.shape[:-2]) >= wide_kernels.TILE and bool(_of_tiles(matrices, True).all())


def _of_tiles(matrices: NDArray[Any], and_symmetric: bool) -> NDArray[Any]:
    out = np.empty(matrices.shape[:-2], np.bool_)

    def kernel(part: NDArray[Any], result: NDArray[Any]) -> None:
        wide_kernels.is_positive_definite(part, and_symmetric, result)

    _in_tiles(kernel, out.shape, [(matrices, 2), (out, 0)])
    return out


def _of_each(kernel: Any, matrices: NDArray[Any], dtype: Any = np.bool_) -> Any:
    if matrices.ndim == 2:
        return kernel(matrices)
    out = np.empty(matrices.shape[:-2], dtype)
    _in_threads(kernel, out.shape, [(matrices, 2), (out, 0)])
    return out


def _in_threads(kernel: Callable[..., Any], batch: tuple[int, ...], arrays: list[Array]) -> None:
    """Run the kernel on parts of a batch that are cut along its longest axis."""
    axis = int(np.argmax(batch))
    _in_parts(kernel, arrays, len(batch) - axis, _edges(batch[axis], 1))


def _in_tiles(kernel: Callable[..., Any], batch: tuple[int, ...], arrays: list[Array]) -> None:
    """The same for a kernel that takes an axis of the batch as tiles: the longest one, moved to the end."""
    axis = int(np.argmax(batch))
    length, others = batch[axis], (*batch[:axis], *batch[axis + 1 :])
    arranged = []
    for array, core in arrays:
        array = array.reshape((1,) * (len(batch) + core - array.ndim) + array.shape)
        array = np.moveaxis(array, axis, len(others))
        if array.shape[len(others)] != length:
            array = np.broadcast_to(array, (*array.shape[: len(others)], length, *array.shape[-core:]))
        arranged.append((array, core))
    whole = length >= 4 * available() * wide_kernels.TILE or max(others, default=1) == 1
    if whole:
        _in_parts(kernel, arranged, 1, _edges(length, wide_kernels.TILE))
    else:
        cut = int(np.argmax(others))
        _in_parts(kernel, arranged, 1 + len(others) - cut, _edges(others[cut], 1))


def _edges(length: int, step: int) -> list[int]:
    """Where to cut an axis into four parts for each thread, between whole steps."""
    steps = np.linspace(0, math.ceil(length / step), 4 * available() + 1).astype(int)
    return np.minimum(steps * step, length).tolist()  # type: ignore[no-any-return]


def _in_parts(kernel: Callable[..., Any], arrays: list[Array], from_end: int, edges: list[int]) -> None:
    """Run the kernel on parts of the arrays, cut along that axis of the batch, counted from its end."""

    def run(cut: tuple[int, int]) -> None:
        parts, (start, stop) = [], cut
        for array, core in arrays:
            axis = array.ndim - core - from_end
            shared = axis < 0 or array.shape[axis] == 1
            parts.append(array if shared else array[(slice(None),) * axis + (slice(start, stop),)])
        with np.errstate(all="ignore"):  # of this thread
            kernel(*parts)

    in_threads(run, [(start, stop) for start, stop in pairwise(edges) if start < stop])
