"""One large matrix at a time: LAPACK and BLAS on NumPy arrays without copies or temporaries of its size.

NumPy's arrays lie in memory row by row, LAPACK's column by column. A symmetric matrix is its own
transpose, and a lower triangular one is an upper triangular one read the other way: nothing is copied
for the order. The blocks of a matrix are reached by its leading dimension, which SciPy's own wrappers
of BLAS do not take; the functions behind ``scipy.linalg.cython_blas`` do.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from scipy.linalg import blas, cython_blas, lapack

from kl_plugins.ops.protocol import Array, FloatArray

_SMALL = 128
"""Below this dimension one call for the whole matrix is faster than blocks."""


def cholesky(matrix: FloatArray) -> FloatArray:
    """Lower Cholesky factor of one symmetric matrix; LinAlgError where there is none."""
    potrf = lapack.spotrf if matrix.dtype == np.float32 else lapack.dpotrf
    upper, info = potrf(matrix.T, lower=0)  # its transpose is lower, and C-ordered
    if info:
        raise np.linalg.LinAlgError
    return upper.T  # type: ignore[no-any-return]


def solve_vector(factor: FloatArray, vector: FloatArray) -> FloatArray:
    """Solve ``factor @ x = vector``, `factor` one lower triangular matrix."""
    trsv = blas.strsv if factor.dtype == np.float32 == vector.dtype else blas.dtrsv
    solution: FloatArray = trsv(factor.T, vector, lower=0, trans=1)
    return solution


def solve(factor: FloatArray, right: FloatArray) -> FloatArray:
    """Solve ``factor @ x = right``, `factor` one lower triangular matrix."""
    if right.size == 0:  # BLAS refuses what has no columns
        return right
    if right.shape[1] == 1:
        return solve_vector(factor, right[:, 0])[:, None]
    trsm = blas.strsm if factor.dtype == np.float32 == right.dtype else blas.dtrsm
    transposed: FloatArray = trsm(1.0, factor.T, right.T, side=1, lower=0)
    return transposed.T


def triangular_ratio_squares(factor: FloatArray, right: FloatArray, near: FloatArray) -> Array:
    """Sum of the squares below the diagonal of ``factor⁻¹ right``; all three as in the NumPy backend.

    The columns from j on of a lower triangular solution need the rows from j on alone: d³/3 operations
    where a solve that takes `right` for full needs d³. One block of columns is held at a time.
    """
    dimension = len(factor)
    if dimension <= _SMALL or factor.dtype != right.dtype:
        # what is above the diagonal is zero, and stays so
        whole = solve(factor, np.where(near, right - factor, right)).ravel(order="K")
        whole[:: dimension + 1] = 0.0
        return np.dot(whole, whole)
    factor = np.ascontiguousarray(factor)
    width = 64 if dimension < 600 else 128 if dimension < 1500 else 256
    workspace, product = (
        np.empty(rows * width, factor.dtype) for rows in (dimension, dimension // 2 + _STEP)
    )
    weight = near.astype(factor.dtype)
    total = factor.dtype.type(0.0)
    for start in range(0, dimension, width):
        columns = slice(start, start + width)
        block = right[start:, columns]
        solved = workspace[: block.size].reshape(block.shape)
        np.multiply(factor[start:, columns], weight[columns], out=solved)
        np.subtract(block, solved, out=solved)
        _solve_in_place(factor[start:, start:], solved, product)
        wide = len(weight[columns])
        triangle, rest = np.tril(solved[:wide], -1).ravel(), solved[wide:].ravel()
        total += np.dot(triangle, triangle) + np.dot(rest, rest)
    return total


_STEP = 16
"""Halves of a triangle begin at multiples of it, where vector registers begin."""


def _solve_in_place(factor: FloatArray, right: FloatArray, product: FloatArray) -> None:
    """Overwrite `right` by ``factor⁻¹ right``; `product` is workspace.

    One half after the other: what connects them is a matrix product, for which BLAS is twice as fast as
    for a solve with few columns.
    """
    rows, columns = right.shape
    if rows <= _SMALL // 2:
        _solve_small_in_place(factor, right)
        return
    half = (rows // 2 + _STEP - 1) // _STEP * _STEP
    _solve_in_place(factor[:half, :half], right[:half], product)
    known = product[: (rows - half) * columns].reshape(rows - half, columns)
    np.matmul(factor[half:, :half], right[:half], out=known)
    right[half:] -= known
    _solve_in_place(factor[half:, half:], right[half:], product)


def _solve_small_in_place(factor: FloatArray, right: FloatArray) -> None:
    """The same by BLAS: read column by column they are Y U = Rᵀ with U upper triangular."""
    rows, columns = right.shape
    item = factor.itemsize
    one = ctypes.byref(ctypes.c_float(1.0) if item == 4 else ctypes.c_double(1.0))
    m, n, leading = (ctypes.byref(ctypes.c_int(x)) for x in (columns, rows, factor.strides[0] // item))
    trsm = _function("strsm" if item == 4 else "dtrsm")
    trsm(b"R", b"U", b"N", b"N", m, n, one, factor.ctypes.data, leading, right.ctypes.data, m)


@cache
def _function(name: str) -> Any:
    """The BLAS subroutine `name`, as SciPy exports it to Cython; calls release the GIL."""
    api = ctypes.pythonapi
    name_prototype: Any = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)
    pointer_prototype: Any = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    capsule = cython_blas.__pyx_capi__[name]
    signature: bytes = name_prototype(("PyCapsule_GetName", api))(capsule)
    pointer = pointer_prototype(("PyCapsule_GetPointer", api))(capsule, signature)
    arguments = [ctypes.c_void_p] * (signature.count(b",") + 1)
    return ctypes.CFUNCTYPE(None, *arguments)(pointer)
