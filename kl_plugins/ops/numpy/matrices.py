"""The operations on NumPy matrices and on the last axes of arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from kl_plugins.ops.compiled import is_part, kernels_for, long_vector, size_of_whole
from kl_plugins.ops.protocol import Array, FloatArray

_BLOCK = 256
"""Rows and columns that are compared together: 256² numbers fit in the second-level cache."""

_DIAGNOSED = 1000
"""Up to this dimension the eigenvalues of a matrix without a Cholesky factor are looked at."""

_MODERATE = 32
"""Below this dimension a matrix is small: NumPy factors a batch faster, and checks are made in one go."""

_DOUBLE = np.dtype(np.float64)


@cache
def _lapack() -> Any:
    return import_module("kl_plugins.ops.numpy.lapack")  # and with it SciPy, which diagonals do without


def stop_gradient(value: Array) -> Array:
    return value


def epsilon(value: FloatArray | float) -> float:
    return float(np.finfo(np.float64 if type(value) is float else value.dtype).eps)  # type: ignore[union-attr]


def sum_last(value: FloatArray) -> Array:
    return np.add.reduce(value, axis=-1)


def max_last(value: FloatArray) -> Array:
    return np.max(value, axis=-1)


def min_first(value: FloatArray) -> Array:
    return np.min(value, axis=0)


def sum_of_squares(matrix: FloatArray) -> Array:
    return np.einsum("...ij,...ij->...", matrix, matrix)


def sum_of_squares_last(vectors: FloatArray) -> Array:
    return np.vecdot(vectors, vectors)


def all_last(value: FloatArray) -> Array:
    return np.all(value, axis=-1)


def all_last_two(value: FloatArray) -> Array:
    return np.all(value, axis=(-2, -1))


def diagonal(matrix: FloatArray) -> FloatArray:
    entries = matrix.diagonal(axis1=-2, axis2=-1)
    return entries if entries.ndim == 1 else entries.copy()  # what is made of it is faster side by side


def from_diagonal(vector: FloatArray) -> FloatArray:
    matrix = np.zeros((*vector.shape, vector.shape[-1]), dtype=vector.dtype)
    index = np.arange(vector.shape[-1])
    matrix[..., index, index] = vector
    return matrix


def transpose(matrix: FloatArray) -> FloatArray:
    return np.swapaxes(matrix, -2, -1)


def flip(matrix: FloatArray) -> FloatArray:
    return matrix[..., ::-1, ::-1]


def lower(matrix: FloatArray, like: Array) -> FloatArray:
    return np.tril(matrix)


def strictly_lower(matrix: FloatArray, like: Array = None) -> FloatArray:
    return np.tril(matrix, -1)


def add_to_diagonal(matrix: FloatArray, vector: FloatArray, like: Array) -> FloatArray:
    total: FloatArray = matrix + from_diagonal(vector)
    return total


def eye_like(matrix: FloatArray) -> FloatArray:
    return np.eye(matrix.shape[-1], dtype=matrix.dtype)


def take(value: FloatArray, index: Array) -> FloatArray:
    return value[..., np.asarray(index)]


def stack_blocks(blocks: list[FloatArray]) -> FloatArray:
    size = sum(block.shape[-1] for block in blocks)
    batch = np.broadcast_shapes(*[block.shape[:-2] for block in blocks])
    matrix = np.zeros((*batch, size, size), dtype=np.result_type(*blocks))
    start = 0
    for block in blocks:
        stop = start + block.shape[-1]
        matrix[..., start:stop, start:stop] = block
        start = stop
    return matrix


def concatenate(parts: list[FloatArray]) -> FloatArray:
    return np.concatenate(parts, axis=-1)


def is_finite(matrix: FloatArray) -> Array:
    return np.isfinite(matrix).all(axis=(-2, -1))


def is_symmetric(matrix: FloatArray) -> Array:
    scales = np.sqrt(np.abs(diagonal(matrix))) * epsilon(matrix) ** 0.25
    gap = np.abs(matrix - transpose(matrix))
    return np.all(gap <= scales[..., :, None] * scales[..., None, :], axis=(-2, -1))


def _equals_transpose(matrices: FloatArray) -> bool:
    """Whether matrices are exactly symmetric."""
    if matrices.size <= _MODERATE**2 and matrices.ndim == 2:
        return matrices.tobytes() == matrices.T.tobytes()
    blocks = [slice(i, i + _BLOCK) for i in range(0, matrices.shape[-1], _BLOCK)]
    pairs = ((rows, columns) for rows in blocks for columns in blocks if columns.start <= rows.start)
    return all(
        np.array_equal(matrices[..., rows, columns], transpose(matrices[..., columns, rows]))
        for rows, columns in pairs
    )


def plain_means(value: Array, length: int | None, batch: tuple[int | None, ...]) -> FloatArray | None:
    """`value` where it is finite vectors of float64, of a shape beside covariances; else None."""
    if type(value) is not np.ndarray or value.dtype is not _DOUBLE:
        return None
    fits = value.shape in ((length,), (*batch, length))
    return value if fits and np.isfinite(value).all() else None


def plain_covariances(value: Array) -> tuple[FloatArray, FloatArray] | None:
    """A frozen copy of `value` and its Cholesky factors, None where it has to be looked at.

    It has not where it is an array of float64, exactly symmetric and positive definite: NaN or infinity would
    have reached the diagonal of its factor.
    """
    if type(value) is not np.ndarray or value.dtype is not _DOUBLE or value.ndim < 2:
        return None
    if value.shape[-2] != value.shape[-1] or value.size == 0:
        return None
    matrices = value.copy()
    matrices.setflags(write=False)
    try:
        if value.ndim > 2 and (kernels := kernels_for(value)):
            factors, symmetric = kernels.cholesky(matrices)
            return (matrices, factors) if symmetric else None
        if not _equals_transpose(matrices):
            return None
        factors = _cholesky(matrices)
    except np.linalg.LinAlgError:
        return None
    return (matrices, factors) if math.isfinite(np.add.reduce(diagonal(factors), axis=None)) else None


def cholesky(matrix: FloatArray, name: str, remedy: str = "") -> FloatArray:
    try:
        return _cholesky(matrix)
    except np.linalg.LinAlgError:
        text = f"{name} must be positive definite: its Cholesky factorisation failed"
        raise np.linalg.LinAlgError(text + _why_indefinite(matrix, remedy)) from None


def _why_indefinite(matrices: FloatArray, remedy: str) -> str:
    """Which member of a batch has no Cholesky factor, and whether it is singular or indefinite."""
    for index in np.ndindex(matrices.shape[:-2]):
        one = matrices[index]
        try:
            np.linalg.cholesky(one)
        except np.linalg.LinAlgError:
            break
    else:
        return ""  # rounding is all that is wrong
    where = f" for member {index[0] if len(index) == 1 else index} of the batch" if index else ""
    d = len(one)
    if d > _DIAGNOSED or not np.isfinite(one).all():
        return where
    eigenvalues = np.linalg.eigvalsh(one)
    rounding = 10.0 * d * np.finfo(one.dtype).eps * np.abs(eigenvalues).max()
    if eigenvalues[0] < -rounding:
        return f"{where}; it has the negative eigenvalue {eigenvalues[0]:.6g}"
    rank = np.count_nonzero(eigenvalues > rounding)
    return f"{where}; it is singular, of rank {rank} for {d} variables{remedy}"


def _cholesky(matrix: FloatArray) -> FloatArray:
    if matrix.ndim == 2:
        return _lapack().cholesky(matrix)  # type: ignore[no-any-return]
    if kernels := kernels_for(matrix):
        return kernels.cholesky(matrix)[0]  # type: ignore[no-any-return]
    if matrix.shape[-1] < _MODERATE:
        return np.linalg.cholesky(matrix)
    return _lapack().one_by_one(_lapack().cholesky, matrix.shape[-2:], matrix)  # type: ignore[no-any-return]


def cholesky_of_root(root: FloatArray) -> FloatArray:
    """Without forming the product: one QR factorisation."""
    upper: Array = np.linalg.qr(transpose(root), mode="r")
    signs = np.copysign(1.0, diagonal(upper))
    return transpose(upper * signs[..., :, None])


def solve_lower(factor: FloatArray, right: FloatArray) -> FloatArray:
    if factor.ndim == 2 and right.ndim == 2:
        return _lapack().solve(factor, right)  # type: ignore[no-any-return]
    dimension = factor.shape[-1]
    if factor.ndim == 2 and not is_part():
        # One factor, many right-hand sides: all their columns in one solve.
        columns = np.moveaxis(right, -2, 0)
        solved = _lapack().solve(factor, columns.reshape(dimension, -1))
        return np.moveaxis(solved.reshape(columns.shape), 0, -2)
    if right.shape[-1] == 1 and (kernels := kernels_for(factor, right)):
        return kernels.solve_vectors(factor, right[..., 0])[..., None]  # type: ignore[no-any-return]
    batch = np.broadcast_shapes(factor.shape[:-2], right.shape[:-2])
    if size_of_whole(math.prod(batch)) <= dimension or dimension >= _MODERATE:
        return _lapack().one_by_one(_lapack().solve, right.shape[-2:], factor, right)  # type: ignore[no-any-return]
    # Many small systems: forward substitution over all of them at once, row by row.
    out = np.empty((*batch, *right.shape[-2:]), dtype=np.result_type(factor, right))
    for i in range(dimension):
        known = np.matmul(factor[..., i : i + 1, :i], out[..., :i, :])
        out[..., i : i + 1, :] = (right[..., i : i + 1, :] - known) / factor[..., i : i + 1, i : i + 1]
    return out


def inverse_lower(factor: FloatArray) -> FloatArray:
    if factor.ndim > 2:
        return solve_lower(factor, eye_like(factor))
    lapack = _lapack().lapack
    trtri = lapack.strtri if factor.dtype == np.float32 else lapack.dtrtri
    inverse: FloatArray = trtri(factor.T, lower=0)[0]
    return inverse.T


def column_norms_below(matrix: FloatArray) -> FloatArray:
    """Norm of what is below the diagonal in each column; no square of an entry leaves the range of floats."""
    below = np.tril(matrix, -1)
    scale = np.maximum(below.max(axis=-2), -below.min(axis=-2))
    scale = np.where(scale > 0.0, scale, 1.0).astype(matrix.dtype)
    below /= scale[..., None, :]
    norms: FloatArray = scale * np.sqrt(np.einsum("...ij,...ij->...j", below, below))
    return norms


def solve_lower_transposed(factor: FloatArray, right: FloatArray) -> FloatArray:
    return solve_lower(flip(transpose(factor)), right[..., ::-1, :])[..., ::-1, :]


def triangular_ratio_squares(factor: FloatArray, right: FloatArray, near: Array) -> Array:
    if factor.ndim == 2 and right.ndim == 2:
        return _lapack().triangular_ratio_squares(factor, right, near)
    if kernels := kernels_for(factor, right):
        return kernels.triangular_ratio_squares(factor, right, near)
    if factor.shape[-1] >= _MODERATE:
        return _lapack().one_by_one(_lapack().triangular_ratio_squares, (), factor, right, near[..., None, :])
    rest = np.where(near[..., None, :], right - factor, right)
    return sum_of_squares(strictly_lower(solve_lower(factor, rest), like=factor))


_ROWS = 4096
"""Rows of a tall matrix that are worked on at a time, so that what is made of them stays in the cache."""


def sum_over_rows(function: Callable[..., Array], vectors: list[Array], matrices: list[Array]) -> list[Array]:
    rows = matrices[0].shape[-2]
    totals: list[Array] = []
    with long_vector(matrices[0].size):
        for start in range(0, max(rows, 1), _ROWS):
            part = slice(start, start + _ROWS)
            values = function(*[x[..., part] for x in vectors], *[x[..., part, :] for x in matrices])
            totals = [a + b for a, b in zip(totals, values, strict=True)] if totals else list(values)
    return totals


def same_columns(left: FloatArray, right: FloatArray) -> list[FloatArray]:
    columns = max(left.shape[-1], right.shape[-1])
    return [_widened(matrix, columns) for matrix in (left, right)]


def _widened(matrix: FloatArray, columns: int) -> FloatArray:
    missing = columns - matrix.shape[-1]
    if not missing:
        return matrix
    return concatenate([matrix, np.zeros((*matrix.shape[:-1], missing), dtype=matrix.dtype)])
