"""The operations on PyTensor matrices and on the last axes of variables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt

from kl_plugins.ops.protocol import Array


def isfinite(value: Array) -> Array:
    return pt.invert(pt.or_(pt.isnan(value), pt.isinf(value)))


def epsilon(value: Array) -> float:
    return float(np.finfo(float if type(value) is float else value.type.dtype).eps)


def runtime_shape(value: Array) -> tuple[Array, ...]:
    return tuple(value.shape[i] if length is None else length for i, length in enumerate(value.type.shape))


def sum_last(value: Array) -> Array:
    return pt.sum(value, axis=-1)


def max_last(value: Array) -> Array:
    return pt.max(value, axis=-1)


def min_first(value: Array) -> Array:
    return pt.min(value, axis=0)


def sum_of_squares(matrix: Array) -> Array:
    return pt.sum(pt.square(matrix), axis=(-2, -1))


def sum_of_squares_last(vectors: Array) -> Array:
    return pt.sum(pt.square(vectors), axis=-1)


def all_last(value: Array) -> Array:
    return pt.all(value, axis=-1)


def all_last_two(value: Array) -> Array:
    return pt.all(value, axis=(-2, -1))


def diagonal(matrix: Array) -> Array:
    return pt.diagonal(matrix, axis1=-2, axis2=-1)


def from_diagonal(vector: Array) -> Array:
    return vector[..., None] * pt.eye(vector.shape[-1], dtype=vector.dtype)


def transpose(matrix: Array) -> Array:
    return pt.matrix_transpose(matrix)


def flip(matrix: Array) -> Array:
    """Reverse the order of rows and columns.

    By indices: on slices of step −1, XLA (jaxlib 0.10.2) ends the process when it compiles a gradient.
    """
    order = pt.arange(matrix.shape[-1])[::-1]
    return matrix[..., order, :][..., order]


def lower(matrix: Array, like: Array) -> Array:
    """The lower triangle of `matrix`, which has the size of the square matrix `like`.

    The size of an input is at hand. That of a result would first be deduced and checked, by more nodes than
    there are in the rest of the graph.
    """
    rows, columns = _indices(like)
    return pt.switch(rows >= columns, matrix, 0.0)


def strictly_lower(matrix: Array, like: Array = None) -> Array:
    rows, columns = _indices(matrix if like is None else like)
    return pt.switch(rows > columns, matrix, 0.0)


def add_to_diagonal(matrix: Array, vector: Array, like: Array) -> Array:
    rows, columns = _indices(like)
    return matrix + pt.switch(pt.eq(rows, columns), vector[..., None, :], 0.0)


def _indices(like: Array) -> tuple[Array, Array]:
    length = like.type.shape[-1]  # as a constant, where it is known: shapes that are computed tell less
    index = pt.arange(like.shape[-1] if length is None else length)
    return index[:, None], index[None, :]


def eye_like(matrix: Array) -> Array:
    rows, columns = _indices(matrix)  # JAX needs the size of pt.eye to be a constant
    return pt.cast(pt.eq(rows, columns), matrix.dtype)


def take(value: Array, index: Array) -> Array:
    return value[..., np.asarray(index)]


def stack_blocks(blocks: list[Array]) -> Array:
    return pt.linalg.block_diag(*blocks)


def concatenate(parts: list[Array]) -> Array:
    return pt.concatenate(parts, axis=-1)


def is_finite(matrix: Array) -> Array:
    return all_last_two(isfinite(matrix))


def is_symmetric(matrix: Array) -> Array:
    scale = epsilon(matrix) ** 0.25 * pt.sqrt(pt.abs(diagonal(matrix)))
    gap = pt.abs(matrix - transpose(matrix))
    return all_last_two(pt.le(gap, scale[..., :, None] * scale[..., None, :]))


def cholesky(matrix: Array, name: str, remedy: str = "") -> Array:
    return pt.linalg.cholesky(matrix, lower=True)


def cholesky_of_root(root: Array) -> Array:
    return pt.linalg.cholesky(pt.matmul(root, transpose(root)), lower=True)


def solve_lower(factor: Array, right: Array) -> Array:
    return pt.linalg.solve_triangular(factor, right, lower=True, b_ndim=2)


def inverse_lower(factor: Array) -> Array:
    return solve_lower(factor, eye_like(factor))


def solve_lower_transposed(factor: Array, right: Array) -> Array:
    return pt.linalg.solve_triangular(factor, right, trans=1, lower=True, b_ndim=2)


def triangular_ratio_squares(factor: Array, right: Array, near: Array) -> Array:
    rest = pt.switch(near[..., None, :], right - factor, right)
    return sum_of_squares(strictly_lower(solve_lower(factor, rest), like=factor))


def sum_over_rows(function: Callable[..., Array], vectors: list[Array], matrices: list[Array]) -> list[Array]:
    return list(function(*vectors, *matrices))


def same_columns(left: Array, right: Array) -> list[Array]:
    known = left.type.shape[-1], right.type.shape[-1]
    if known[0] == known[1] and None not in known:
        return [left, right]
    columns = pt.maximum(left.shape[-1], right.shape[-1]) if None in known else max(known)
    return [_widened(matrix, columns) for matrix in (left, right)]


def _widened(matrix: Array, columns: Array) -> Array:
    *others, own = runtime_shape(matrix)
    if own is columns or own == columns:
        return matrix
    return concatenate([matrix, pt.zeros((*others, columns - own), dtype=matrix.dtype)])
