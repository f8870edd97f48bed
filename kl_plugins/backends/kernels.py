"""Many small matrices at a time: kernels compiled by Numba, one pair of Gaussians after the other.

NumPy passes over the whole batch once for every step of a formula; these do all of a pair's steps on
scratch of its own size, d² numbers for each thread. The formulas are those of ``covariance/base.py``.
Threads are Python's own, each on a part of the batch: the kernels do not hold the interpreter's lock,
and neither a second thread of the caller's nor a fork upsets them. Compiled code is kept on disk.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numba import guvectorize, njit
from numpy.typing import NDArray

_SUMS = {"reassoc", "contract"}
"""What the compiler may do to sums, so that they use vector instructions; NaN and infinity stay."""


def _cached(decorate: Callable[..., Any], *args: Any, **options: Any) -> Callable[[Any], Any]:
    """Decorate with the disk cache, or without it where there is no place to write."""

    def apply(function: Any) -> Any:
        try:
            return decorate(*args, cache=True, **options)(function)
        except RuntimeError:  # no directory that could hold the cache
            return decorate(*args, **options)(function)

    return apply


@_cached(njit, fastmath=_SUMS, inline="never")
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


@_cached(njit)
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


@_cached(njit)
def _to_factor(root: Any, is_factor: Any, factor: Any) -> Any:
    if not is_factor:
        return _cholesky(root, factor)
    for i in range(len(root)):
        for j in range(i + 1):
            factor[i, j] = root[i, j]
    return True


_PAIRS = "(d),(d,d),(),(d),(d,d),()->()"
_FLOATS = ("float64",)
"""One type only: of a kernel for two, Numba 0.68 reads back a broken first one from its disk cache."""

_PAIR_TYPES = [f"{t}[:],{t}[:,:],boolean,{t}[:],{t}[:,:],boolean,{t}[:]" for t in _FLOATS]
_MATRIX_TYPES = [f"{t}[:,:],boolean[:]" for t in _FLOATS]


@_cached(guvectorize, _PAIR_TYPES, _PAIRS, fastmath=_SUMS, nopython=True)
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


@_cached(guvectorize, _AXES_TYPES, "(d),(d),(d),(d)->()", fastmath=_SUMS, nopython=True)
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


@_cached(guvectorize, _MATRIX_TYPES, "(d,d)->()", nopython=True)
def _is_finite(matrix, out):  # type: ignore[no-untyped-def]
    out[0] = True
    for i in range(len(matrix)):
        for j in range(len(matrix)):
            out[0] &= abs(matrix[i, j]) < math.inf


@_cached(guvectorize, _MATRIX_TYPES, "(d,d)->()", nopython=True)
def _is_symmetric(matrix, out):  # type: ignore[no-untyped-def]
    slack = np.finfo(matrix.dtype).eps ** 0.5
    out[0] = True
    for i in range(len(matrix)):
        for j in range(i):
            gap = abs(matrix[i, j] - matrix[j, i])
            if gap > 0.0:
                scale = math.sqrt(abs(matrix[i, i])) * math.sqrt(abs(matrix[j, j]))
                out[0] &= gap <= slack * scale


@_cached(guvectorize, _MATRIX_TYPES, "(d,d)->()", nopython=True)
def _is_positive_definite(matrix, out):  # type: ignore[no-untyped-def]
    out[0] = _cholesky(matrix, np.empty(matrix.shape, matrix.dtype))


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
    arrays = (p_mean, p_root, q_mean, q_root)
    dtype = np.result_type(*arrays)
    p_mean, p_root, q_mean, q_root = (array.astype(dtype, copy=False) for array in arrays)
    batches = (p_mean.shape[:-1], p_root.shape[:-2], q_mean.shape[:-1], q_root.shape[:-2])
    out = np.empty(np.broadcast_shapes(*batches), dtype)

    def work(part: Callable[[NDArray[Any], int], NDArray[Any]]) -> None:
        _gaussian_pairs(
            part(p_mean, 1), part(p_root, 2), p_is_factor, part(q_mean, 1), part(q_root, 2), q_is_factor,
            part(out, 0),
        )  # fmt: skip

    _in_threads(work, out.shape)
    return out


def gaussian_pair(
    p_mean: NDArray[Any], p_factor: NDArray[Any], q_mean: NDArray[Any], q_factor: NDArray[Any]
) -> Any:
    """KL divergence of one pair of Gaussians, given by means (d,) and lower Cholesky factors (d, d)."""
    return _gaussian_pairs(p_mean, p_factor, True, q_mean, q_factor, True)


def long_axis_aligned_pair(
    p_mean: NDArray[Any], p_scale: NDArray[Any], q_mean: NDArray[Any], q_scale: NDArray[Any]
) -> Any:
    """KL divergence of two Gaussians of very many independent variables, given by vectors."""
    arrays = (p_mean, p_scale, q_mean, q_scale)
    dtype = np.result_type(*arrays)
    size = len(p_mean)
    whole = [np.broadcast_to(array.astype(dtype, copy=False), (size,)) for array in arrays]
    # parts of a fixed length, so that the sum does not depend on the number of threads
    length = 1 << 13
    count = size // length
    out = np.empty(count + 1)
    rows = [array[: count * length].reshape(count, length) for array in whole]

    def work(part: Callable[[NDArray[Any], int], NDArray[Any]]) -> None:
        _axis_aligned_pairs(*[part(row, 1) for row in rows], part(out[:count], 0))

    _in_threads(work, (count,))
    _axis_aligned_pairs(*[array[count * length :] for array in whole], out[count:].reshape(()))
    return dtype.type(math.fsum(out))


def is_finite(matrices: NDArray[Any]) -> Any:
    """Whether each matrix holds neither NaN nor infinity."""
    return _of_each(_is_finite, matrices)


def is_symmetric(matrices: NDArray[Any]) -> Any:
    """Whether each matrix is symmetric, up to √ε of the geometric mean of the two variances."""
    return _of_each(_is_symmetric, matrices)


def is_positive_definite(matrices: NDArray[Any]) -> Any:
    """Whether each matrix, of which the lower triangle is read, has a Cholesky factor."""
    return _of_each(_is_positive_definite, matrices)


def _of_each(kernel: Any, matrices: NDArray[Any]) -> Any:
    out = np.empty(matrices.shape[:-2], np.bool_)
    _in_threads(lambda part: kernel(part(matrices, 2), part(out, 0)), out.shape)
    return out


def _in_threads(work: Callable[[Any], None], batch: tuple[int, ...]) -> None:
    """Do the `work` on parts of a batch; it takes a function from (array, core dimensions) to its part."""
    threads = _available()
    axis = int(np.argmax(batch))
    edges = np.linspace(0, batch[axis], 4 * threads + 1).astype(int)

    def part_between(start: int, stop: int) -> Callable[[NDArray[Any], int], NDArray[Any]]:
        def part(array: NDArray[Any], core: int) -> NDArray[Any]:
            position = array.ndim - core - (len(batch) - axis)
            if position < 0 or array.shape[position] == 1:
                return array
            return array[(slice(None),) * position + (slice(start, stop),)]

        return part

    parts = [part_between(a, b) for a, b in pairwise(edges.tolist()) if a < b]
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, parts):
            pass


def _available() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
