"""Linear algebra of many small matrices: kernels compiled by Numba, one matrix after the other.

NumPy spends more time between two small matrices than on them. Threads are Python's own, each on a part of
the batch: the kernels do not hold the interpreter's lock, and neither a second thread of the caller's nor a
fork upsets them. Compiled code is kept on disk.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numba import guvectorize
from numpy.typing import NDArray

from kl_plugins.ops.compiled.jit import FUSED, cached
from kl_plugins.ops.protocol import Array, FloatArray
from kl_plugins.ops.threads import available, in_threads


def _kernel(types: str, shapes: str) -> Any:
    """Of float64 only: of a kernel for two types, Numba 0.68 reads back a broken first one from its cache."""
    return cached(guvectorize, [types], shapes, fastmath=FUSED, nopython=True)


@_kernel("float64[:,:,:],float64[:,:,:],boolean[:],boolean[:]", "(n,d,d)->(n,d,d),(n),(n)")
def _factor(matrices, factors, exist, symmetric):  # type: ignore[no-untyped-def]
    """The lower triangles of the factors, and whether each exists and its matrix is exactly symmetric."""
    count, dimension, _ = matrices.shape
    inverse = np.empty(dimension)
    for n in range(count):
        exist[n] = symmetric[n] = True
        for i in range(dimension):
            for j in range(i):
                symmetric[n] &= matrices[n, i, j] == matrices[n, j, i]
                value = matrices[n, i, j]
                for k in range(j):
                    value -= factors[n, i, k] * factors[n, j, k]
                factors[n, i, j] = value * inverse[j]
            value = matrices[n, i, i]
            for k in range(i):
                value -= factors[n, i, k] * factors[n, i, k]
            exist[n] &= (value > 0.0) & (value < math.inf)
            factors[n, i, i] = math.sqrt(value)
            inverse[i] = 1.0 / factors[n, i, i]


@_kernel("float64[:,:,:],float64[:,:],float64[:,:]", "(n,d,d),(n,d)->(n,d)")
def _solve(factors, right, out):  # type: ignore[no-untyped-def]
    count, dimension = right.shape
    for n in range(count):
        for i in range(dimension):
            value = right[n, i]
            for k in range(i):
                value -= factors[n, i, k] * out[n, k]
            out[n, i] = value / factors[n, i, i]


@_kernel("float64[:,:,:],float64[:,:,:],boolean[:,:],float64[:]", "(n,d,d),(n,d,d),(n,d)->(n)")
def _ratio_squares(factors, right, near, out):  # type: ignore[no-untyped-def]
    count, dimension, _ = factors.shape
    ratio = np.empty((dimension, dimension))
    for n in range(count):
        out[n] = 0.0
        for i in range(dimension):
            for j in range(i + 1):
                ratio[i, j] = right[n, i, j] - (factors[n, i, j] if near[n, j] else 0.0)
            for k in range(i):
                factor = factors[n, i, k]
                for j in range(k + 1):
                    ratio[i, j] -= factor * ratio[k, j]
            inverse = 1.0 / factors[n, i, i]
            for j in range(i + 1):
                ratio[i, j] *= inverse
            for j in range(i):
                out[n] += ratio[i, j] * ratio[i, j]


def cholesky(matrices: FloatArray) -> tuple[FloatArray, bool]:
    """Lower Cholesky factors (else LinAlgError), and whether all matrices are exactly symmetric."""
    factors, found = np.zeros(matrices.shape), np.empty((2, *matrices.shape[:-2]), np.bool_)
    _in_parts(_factor, (matrices, 2), (factors, 2), (found[0], 0), (found[1], 0))
    if not found[0].all():
        raise np.linalg.LinAlgError
    return factors, bool(found[1].all())


def solve_vectors(factors: FloatArray, right: FloatArray) -> FloatArray:
    """Solve ``factor @ x = vector`` for each lower triangular factor and the vector beside it."""
    out = np.empty((*np.broadcast_shapes(factors.shape[:-2], right.shape[:-1]), right.shape[-1]))
    _in_parts(_solve, (factors, 2), (right, 1), (out, 1))
    return out


def triangular_ratio_squares(factors: FloatArray, right: FloatArray, near: NDArray[np.bool_]) -> FloatArray:
    """As in the NumPy backend, of each member of a batch."""
    out = np.empty(np.broadcast_shapes(factors.shape[:-2], right.shape[:-2]))
    _in_parts(_ratio_squares, (factors, 2), (right, 2), (near, 1), (out, 0))
    return out


def _in_parts(kernel: Any, *arrays: tuple[NDArray[np.generic], int]) -> None:
    """Run the kernel on parts of a batch, cut along its longest axis, which becomes that of the kernel.

    Arrays come with the number of their dimensions that are not of the batch; the last one has all of its.
    """
    last, its_core = arrays[-1]
    batch = last.shape[: last.ndim - its_core]
    axis = int(np.argmax(batch))
    views: list[tuple[Array, int]] = []
    for array, core in arrays:
        shape = batch + array.shape[array.ndim - core :]
        whole = array if array.shape == shape else np.broadcast_to(array, shape)
        views.append((np.moveaxis(whole, axis, len(batch) - 1), core))

    def run(cut: tuple[int, int]) -> None:
        with np.errstate(all="ignore"):  # of this thread
            kernel(*[x[(..., slice(*cut), *[slice(None)] * n)] for x, n in views])

    edges = np.linspace(0, batch[axis], 4 * available() + 1).astype(int).tolist()
    in_threads(run, [(start, stop) for start, stop in pairwise(edges) if start < stop])
