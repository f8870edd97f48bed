"""The operations on NumPy arrays. float32 stays float32, every other real type is computed in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

symbolic = False

_PLAIN = (int, float)

log = np.log
sqrt = np.sqrt
isnan = np.isnan
isinf = np.isinf
isfinite = np.isfinite
absolute = np.abs
minimum = np.minimum
maximum = np.maximum
logical_and = np.logical_and
logical_or = np.logical_or
logical_not = np.logical_not
square = np.square
broadcast_to = np.broadcast_to
broadcast_arrays = np.broadcast_arrays
zeros_like = np.zeros_like
matmul = np.matmul
equal = np.equal


def asarray(value: Any, name: str, beside: Sequence[Any] = ()) -> NDArray[Any]:
    """Convert `value` to an array of floats; `name` is the parameter's, for the error.

    As in NumPy, a plain number does not raise the precision of the float32 arrays `beside` it.
    """
    if type(value) in _PLAIN:
        kinds = {np.asarray(other).dtype for other in beside if type(other) not in _PLAIN}
        return np.asarray(value, dtype=np.float32 if kinds == {np.dtype(np.float32)} else np.float64)
    array = np.asarray(value)
    if array.dtype == np.float32 or array.dtype == np.float64:
        return array
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be real numbers, got dtype {array.dtype}")
    return array.astype(np.float64)


def select(condition: Any, yes: Callable[..., Any], no: Callable[..., Any], *args: Any) -> Any:
    """Return ``yes(*args)`` where `condition` holds and ``no(*args)`` elsewhere."""
    return np.where(condition, yes(*args), no(*args))


def elementwise(value: Callable[..., Any], gradient: Callable[..., Any], *args: Any) -> Any:
    """Return ``value(*args)``; symbolic backends take derivatives from `gradient`."""
    return value(*args)


def shape(value: NDArray[Any]) -> tuple[int, ...]:
    return np.shape(value)


def epsilon(value: NDArray[Any]) -> float:
    """Machine epsilon of the array's type."""
    return float(np.finfo(value.dtype).eps)


def expand_last(value: NDArray[Any]) -> NDArray[Any]:
    return value[..., None]


def runtime_shape(value: NDArray[Any]) -> tuple[int, ...]:
    return np.shape(value)


def sum_last(value: NDArray[Any]) -> Any:
    return np.sum(value, axis=-1)


def sum_of_squares(matrix: NDArray[Any]) -> Any:
    """Sum of the squared entries over the last two axes."""
    return np.einsum("...ij,...ij->...", matrix, matrix)


def row_sums_of_squares(matrix: NDArray[Any]) -> Any:
    """Sum of the squared entries of each row."""
    return np.einsum("...ij,...ij->...i", matrix, matrix)


def all_last_two(value: NDArray[Any]) -> Any:
    return np.all(value, axis=(-2, -1))


def diagonal(matrix: NDArray[Any]) -> NDArray[Any]:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def from_diagonal(vector: NDArray[Any]) -> NDArray[Any]:
    """Diagonal matrices with the last axis of `vector` on their diagonals."""
    matrix = np.zeros((*vector.shape, vector.shape[-1]), dtype=vector.dtype)
    index = np.arange(vector.shape[-1])
    matrix[..., index, index] = vector
    return matrix


def transpose(matrix: NDArray[Any]) -> NDArray[Any]:
    return np.swapaxes(matrix, -2, -1)


def flip(matrix: NDArray[Any]) -> NDArray[Any]:
    """Reverse the order of rows and columns."""
    return matrix[..., ::-1, ::-1]


def strictly_lower(matrix: NDArray[Any]) -> NDArray[Any]:
    return np.tril(matrix, -1)


def eye_like(matrix: NDArray[Any]) -> NDArray[Any]:
    return np.eye(matrix.shape[-1], dtype=matrix.dtype)


def take(value: NDArray[Any], index: Any) -> NDArray[Any]:
    return value[..., np.asarray(index)]


def take_both(matrix: NDArray[Any], index: Any) -> NDArray[Any]:
    """Rows and columns `index` of matrices."""
    return take(transpose(take(transpose(matrix), index)), index)


def stack_blocks(blocks: list[NDArray[Any]]) -> NDArray[Any]:
    """Block-diagonal matrix of unbatched `blocks`."""
    size = sum(block.shape[-1] for block in blocks)
    matrix = np.zeros((size, size), dtype=np.result_type(*blocks))
    start = 0
    for block in blocks:
        stop = start + block.shape[-1]
        matrix[start:stop, start:stop] = block
        start = stop
    return matrix


def concatenate(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts, axis=-1)


def cholesky(matrix: NDArray[Any], name: str) -> NDArray[Any]:
    """Lower Cholesky factor; LinAlgError naming the parameter where there is none."""
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(
            f"{name} must be positive definite: its Cholesky factorisation failed"
        ) from None


def cholesky_of_root(root: NDArray[Any]) -> NDArray[Any]:
    """Lower Cholesky factor of ``root @ root.T`` without forming the product (one QR factorisation)."""
    upper: Any = np.linalg.qr(transpose(root), mode="r")
    signs = np.copysign(1.0, diagonal(upper))
    return transpose(upper * signs[..., :, None])


def solve_lower(factor: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Solve ``factor @ x = right`` for x, `factor` lower triangular; leading axes broadcast."""
    from scipy.linalg import solve_triangular

    if factor.ndim == 2 and right.ndim == 2:
        solution: NDArray[Any] = solve_triangular(factor, right, lower=True, check_finite=False)
        return solution
    batch = np.broadcast_shapes(factor.shape[:-2], right.shape[:-2])
    dimension = factor.shape[-1]
    if factor.ndim == 2:
        # One factor, many right-hand sides: all their columns in one solve.
        columns = np.moveaxis(right, -2, 0)
        solved = solve_triangular(factor, columns.reshape(dimension, -1), lower=True, check_finite=False)
        return np.moveaxis(solved.reshape(columns.shape), 0, -2)
    out = np.empty((*batch, *right.shape[-2:]), dtype=np.result_type(factor, right))
    if out[..., 0, 0].size > dimension:
        # Many small systems: forward substitution over all of them at once, row by row.
        for i in range(dimension):
            known = np.matmul(factor[..., i : i + 1, :i], out[..., :i, :])
            out[..., i : i + 1, :] = (right[..., i : i + 1, :] - known) / factor[..., i : i + 1, i : i + 1]
        return out
    factors = np.broadcast_to(factor, (*batch, *factor.shape[-2:]))
    rights = np.broadcast_to(right, (*batch, *right.shape[-2:]))
    for index in np.ndindex(*batch):
        out[index] = solve_triangular(factors[index], rights[index], lower=True, check_finite=False)
    return out


_ROWS = 4096
"""Rows of a tall matrix that are worked on at a time, so that what is made of them stays in the cache."""


def sum_over_rows(function: Callable[..., Any], vectors: list[Any], matrices: list[Any]) -> list[Any]:
    """The values of ``function(*vectors, *matrices)``, each of which is a sum over the rows.

    Vectors have shape (..., d) and matrices (..., d, k); the rows are the axis of length d.
    """
    rows = matrices[0].shape[-2]
    totals: list[Any] = []
    for start in range(0, max(rows, 1), _ROWS):
        part = slice(start, start + _ROWS)
        values = function(*[x[..., part] for x in vectors], *[x[..., part, :] for x in matrices])
        totals = [a + b for a, b in zip(totals, values, strict=True)] if totals else list(values)
    return totals


def same_columns(left: NDArray[Any], right: NDArray[Any]) -> list[NDArray[Any]]:
    """The two matrices with columns of zeros appended to the one that has fewer."""
    columns = max(left.shape[-1], right.shape[-1])
    return [_widened(matrix, columns) for matrix in (left, right)]


def _widened(matrix: NDArray[Any], columns: int) -> NDArray[Any]:
    missing = columns - matrix.shape[-1]
    if not missing:
        return matrix
    return concatenate([matrix, np.zeros((*matrix.shape[:-1], missing), dtype=matrix.dtype)])


def require(conditions: Iterable[tuple[Any, str]]) -> None:
    """Raise ValueError with the message of the first condition that does not hold everywhere."""
    for holds, message in conditions:
        if not np.all(holds):
            raise ValueError(message)


def quiet() -> Any:
    """Context in which infinities and NaN arise silently: they are the answer where they remain."""
    return np.errstate(all="ignore")


def result(value: Any) -> Any:
    return value[()] if isinstance(value, np.ndarray) else value
