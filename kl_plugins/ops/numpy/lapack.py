"""One large matrix at a time: LAPACK and BLAS on NumPy arrays without copies or temporaries of its size.

NumPy's arrays lie in memory row by row, LAPACK's column by column. A symmetric matrix is its own
transpose, and a lower triangular one is an upper triangular one read the other way: nothing is copied
for the order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import blas, lapack

from kl_plugins.ops.protocol import Array, FloatArray

_SMALL = 128
"""Below this dimension one call for the whole matrix is faster than blocks."""


def one_by_one(function: Callable[..., Array], shape: tuple[int, ...], *matrices: FloatArray) -> FloatArray:
    """The values, each of that shape, of a function of one matrix each, for the members of a batch."""
    batch = np.broadcast_shapes(*[matrix.shape[:-2] for matrix in matrices])
    whole = [np.broadcast_to(matrix, (*batch, *matrix.shape[-2:])) for matrix in matrices]
    out = np.empty((*batch, *shape), np.result_type(*matrices))
    for index in np.ndindex(*batch):
        out[index] = function(*[matrix[index] for matrix in whole])
    return out


def cholesky(matrix: FloatArray) -> FloatArray:
    """Lower Cholesky factor of one symmetric matrix; LinAlgError where there is none."""
    potrf = lapack.spotrf if matrix.dtype == np.float32 else lapack.dpotrf
    upper, info = potrf(matrix.T, lower=0)  # its transpose is lower, and C-ordered
    if info:
        raise np.linalg.LinAlgError
    return upper.T  # type: ignore[no-any-return]


def solve(factor: FloatArray, right: FloatArray) -> FloatArray:
    """Solve ``factor @ x = right``, `factor` one lower triangular matrix."""
    if right.size == 0:  # BLAS refuses what has no columns
        return right
    single = factor.dtype == np.float32 == right.dtype
    if right.shape[1] == 1:
        trsv = blas.strsv if single else blas.dtrsv
        return trsv(factor.T, right[:, 0], lower=0, trans=1)[:, None]  # type: ignore[no-any-return]
    trsm = blas.strsm if single else blas.dtrsm
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
    width = 64 if dimension < 1000 else 128
    blocks = [slice(start, start + width) for start in range(0, dimension, width)]
    on_diagonal = [np.ascontiguousarray(factor[block, block]) for block in blocks]
    workspace, product = (np.empty(rows * width, factor.dtype) for rows in (dimension, width))
    weight = near.astype(factor.dtype).ravel()
    total = factor.dtype.type(0.0)
    for number, columns in enumerate(blocks):
        start = columns.start
        block = right[start:, columns]
        solved = workspace[: block.size].reshape(block.shape)
        np.multiply(factor[start:, columns], weight[columns], out=solved)
        np.subtract(block, solved, out=solved)
        for rows, triangle in zip(blocks[number:], on_diagonal[number:], strict=True):
            above, here = solved[: rows.start - start], solved[rows.start - start : rows.stop - start]
            known = product[: here.size].reshape(here.shape)
            np.matmul(factor[rows, start : rows.start], above, out=known)
            here -= known
            _solve_in_place(triangle, here)
        wide = block.shape[1]
        below, rest = np.tril(solved[:wide], -1).ravel(), solved[wide:].ravel()
        total += np.dot(below, below) + np.dot(rest, rest)
    return total


def _solve_in_place(factor: FloatArray, right: FloatArray) -> None:
    """Overwrite `right` by ``factor⁻¹ right``, both C-ordered: read column by column it is Y U = Rᵀ."""
    trsm = blas.strsm if factor.dtype == np.float32 else blas.dtrsm
    trsm(1.0, factor.T, right.T, side=1, lower=0, overwrite_b=1)
