"""The operations on PyTensor variables. Everything is computed in at least ``config.floatX``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph
from pytensor.tensor.elemwise import Elemwise

from kl_plugins.backends.pytensor_formula import formula

symbolic = True

_PULLBACK = "pullback" if "pullback" in signature(OpFromGraph.__init__).parameters else "lop_overrides"
"""The argument of OpFromGraph that PyTensor 3 renamed."""

log = pt.log
sqrt = pt.sqrt
isnan = pt.isnan
isinf = pt.isinf
absolute = pt.abs
minimum = pt.minimum
maximum = pt.maximum
logical_and = pt.and_
logical_or = pt.or_
logical_not = pt.invert
square = pt.square
matmul = pt.matmul
broadcast_arrays = pt.broadcast_arrays
zeros_like = pt.zeros_like
equal = pt.eq


def isfinite(value: Any) -> Any:
    return pt.invert(pt.or_(pt.isnan(value), pt.isinf(value)))


def asarray(value: Any, name: str, beside: Sequence[Any] = ()) -> Any:
    """Convert `value` to a variable of floats, at least of ``config.floatX``.

    PyTensor stores a Python float that fits as a float32 constant and a small integer as int8; a
    divergence computed in those would be worthless.
    """
    if not isinstance(value, pytensor.graph.basic.Variable):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} must be real numbers, got dtype {array.dtype}")
        value = pt.as_tensor_variable(array)
    if value.type.numpy_dtype.kind not in "biuf":
        raise ValueError(f"{name} must be real numbers, got dtype {value.type.dtype}")
    wide = np.promote_types(value.type.dtype, pytensor.config.floatX)
    if wide not in (np.float32, np.float64):
        wide = np.dtype(np.float64)
    if value.type.numpy_dtype == wide:
        return value
    if isinstance(value, pt.TensorConstant):
        return pt.as_tensor_variable(value.data.astype(wide))
    return pt.cast(value, str(wide))


def frozen(value: Any) -> Any:
    """The variable itself: nobody can write to it."""
    return value


def select(condition: Any, yes: Callable[..., Any], no: Callable[..., Any], *args: Any) -> Any:
    """Return ``yes(*args)`` where `condition` holds and ``no(*args)`` elsewhere."""
    return pt.switch(condition, yes(*args), no(*args))


def elementwise(value: Callable[..., Any], gradient: Callable[..., Any], *args: Any) -> Any:
    """Return ``value(*args, ops)`` as one node whose derivatives are ``gradient(*args)``, each one node.

    Differentiating a switch between a series and a logarithm would multiply the graph, and the time to
    compile it; the derivatives themselves are short. `gradient` is a function of a module: the node is made
    once for each of them.
    """
    dtype = str(np.result_type(*[arg.type.numpy_dtype for arg in args]))
    key = value, gradient, dtype, len(args)
    if key not in _formulas:
        _formulas[key] = Elemwise(formula(partial(value, ops=_HERE), *key[1:]))
    return _formulas[key](*[pt.cast(arg, dtype) for arg in args])


_HERE = sys.modules[__name__]
_formulas: dict[Any, Elemwise] = {}
"""The nodes of formulas that were met."""


def of_factors(
    value: Callable[..., Any],
    derivatives: Sequence[Callable[..., Any]],
    args: Sequence[Any],
    matrices: Sequence[Any],
) -> Any:
    """Return ``value(*args)`` as one node, a batch of numbers, with derivatives in closed form.

    Where an argument is the lower Cholesky factor of one of `matrices` (else None), the node is one of the
    matrix: it is factored inside, and the derivative is by the matrix. Value and derivatives state the same
    factorisation and solves, which PyTensor merges into one when both are compiled together.
    """
    given = [arg if matrix is None else matrix for arg, matrix in zip(args, matrices, strict=True)]
    inputs = [variable.type() for variable in given]

    def factored(inputs: Sequence[Any]) -> list[Any]:
        pairs = zip(inputs, matrices, strict=True)
        return [x if matrix is None else cholesky(x, "") for x, matrix in pairs]

    def pullback(inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        factors = factored(inputs)
        found = []
        for x, derivative in zip(inputs, derivatives, strict=True):
            full = derivative(*factors)
            weight = output_gradients[0][(..., *[None] * (full.ndim - output_gradients[0].ndim))]
            found.append(_sum_to(weight * full, x))
        return found

    node = OpFromGraph(inputs, [value(*factored(inputs))], inline=True, **{_PULLBACK: pullback})
    return node(*given)


def _sum_to(value: Any, like: Any) -> Any:
    """Sum over the dimensions along which a variable `like` another was broadcast."""
    leading = value.ndim - like.ndim
    value = value.sum(axis=tuple(range(leading))) if leading else value
    stretched = [i for i, length in enumerate(like.type.shape) if length == 1 != value.type.shape[i]]
    return value.sum(axis=stretched, keepdims=True) if stretched else value


def shape(value: Any) -> tuple[int | None, ...]:
    """The static shape, None where it is not known before run time."""
    return tuple(value.type.shape)


def all_finite(value: Any) -> Any:
    """Whether there is neither NaN nor infinity."""
    return pt.all(isfinite(value))


def all_positive(value: Any) -> Any:
    return pt.all(value > 0.0)


def epsilon(value: Any) -> float:
    """Machine epsilon of the variable's type."""
    return float(np.finfo(value.type.dtype).eps)


def expand_last(value: Any) -> Any:
    return value[..., None]


def runtime_shape(value: Any) -> tuple[Any, ...]:
    return tuple(value.shape[i] if length is None else length for i, length in enumerate(value.type.shape))


def broadcast_to(value: Any, new_shape: Any) -> Any:
    return pt.broadcast_to(value, new_shape)


def sum_last(value: Any) -> Any:
    return pt.sum(value, axis=-1)


def sum_of_squares(matrix: Any) -> Any:
    """Sum of the squared entries over the last two axes."""
    return pt.sum(pt.square(matrix), axis=(-2, -1))


def sum_of_squares_last(vectors: Any) -> Any:
    """Sum of the squared entries of each vector."""
    return pt.sum(pt.square(vectors), axis=-1)


def row_sums_of_squares(matrix: Any) -> Any:
    """Sum of the squared entries of each row."""
    return pt.sum(pt.square(matrix), axis=-1)


def all_last_two(value: Any) -> Any:
    return pt.all(value, axis=(-2, -1))


def diagonal(matrix: Any) -> Any:
    return pt.diagonal(matrix, axis1=-2, axis2=-1)


def from_diagonal(vector: Any) -> Any:
    """Diagonal matrices with the last axis of `vector` on their diagonals."""
    return vector[..., None] * pt.eye(vector.shape[-1], dtype=vector.dtype)


def transpose(matrix: Any) -> Any:
    return pt.matrix_transpose(matrix)


def flip(matrix: Any) -> Any:
    """Reverse the order of rows and columns.

    By indices: on slices of step −1, XLA (jaxlib 0.10.2) ends the process when it compiles a gradient.
    """
    order = pt.arange(matrix.shape[-1])[::-1]
    return matrix[..., order, :][..., order]


def lower(matrix: Any, like: Any) -> Any:
    """The lower triangle of `matrix`, which has the size of the square matrix `like`.

    The size of an input is at hand. That of a result would first be deduced and checked, by more nodes than
    there are in the rest of the graph.
    """
    rows, columns = _indices(like)
    return pt.switch(rows >= columns, matrix, 0.0)


def strictly_lower(matrix: Any, like: Any = None) -> Any:
    """What is below the diagonal of `matrix`; `like` as for `lower`."""
    rows, columns = _indices(matrix if like is None else like)
    return pt.switch(rows > columns, matrix, 0.0)


def add_to_diagonal(matrix: Any, vector: Any, like: Any) -> Any:
    """`matrix` with `vector` added to its diagonal; `like` as for `lower`."""
    rows, columns = _indices(like)
    return matrix + pt.switch(pt.eq(rows, columns), vector[..., None, :], 0.0)


def _indices(like: Any) -> tuple[Any, Any]:
    index = pt.arange(like.shape[-1])
    return index[:, None], index[None, :]


def eye_like(matrix: Any) -> Any:
    rows, columns = _indices(matrix)  # JAX needs the size of pt.eye to be a constant
    return pt.cast(pt.eq(rows, columns), matrix.dtype)


def take(value: Any, index: Any) -> Any:
    return value[..., np.asarray(index)]


def take_both(matrix: Any, index: Any) -> Any:
    """Rows and columns `index` of matrices."""
    return take(transpose(take(transpose(matrix), index)), index)


def stack_blocks(blocks: list[Any]) -> Any:
    """Block-diagonal matrices of `blocks`, whose leading axes broadcast."""
    return pt.linalg.block_diag(*blocks)


def concatenate(parts: list[Any]) -> Any:
    return pt.concatenate(parts, axis=-1)


def is_finite(matrix: Any) -> Any:
    """Whether each matrix holds neither NaN nor infinity."""
    return all_last_two(isfinite(matrix))


def is_symmetric(matrix: Any) -> Any:
    """Whether each matrix is symmetric, up to √ε of the geometric mean of the two variances."""
    scale = epsilon(matrix) ** 0.25 * sqrt(absolute(diagonal(matrix)))
    gap = absolute(matrix - transpose(matrix))
    return all_last_two(pt.le(gap, scale[..., :, None] * scale[..., None, :]))


def cholesky(matrix: Any, name: str) -> Any:
    """Lower Cholesky factor, NaN where there is none (the conditions then say which parameter)."""
    return pt.linalg.cholesky(matrix, lower=True)


def factors_late(matrix: Any, name: str) -> bool:
    """Whether factors of a batch are better not kept; a graph keeps nothing."""
    return False


def kernels_for(batch: Any, *matrices: Any) -> None:
    """Compiled kernels are for numbers."""
    return None


def kernels_for_pair(*arrays: Any) -> None:
    """Compiled kernels are for numbers."""
    return None


def kernels_for_rows(*arrays: Any) -> None:
    """Compiled kernels are for numbers."""
    return None


def kernels_for_vectors(shape: Any, *vectors: Any) -> None:
    """Compiled kernels are for numbers."""
    return None


def cholesky_of_root(root: Any) -> Any:
    """Lower Cholesky factor of ``root @ root.T``."""
    return pt.linalg.cholesky(matmul(root, transpose(root)), lower=True)


def solve_lower(factor: Any, right: Any) -> Any:
    """Solve ``factor @ x = right`` for x, `factor` lower triangular; leading axes broadcast."""
    return pt.linalg.solve_triangular(factor, right, lower=True, b_ndim=2)


def inverse_lower(factor: Any) -> Any:
    """The inverse of lower triangular matrices."""
    return solve_lower(factor, eye_like(factor))


def solve_lower_transposed(factor: Any, right: Any) -> Any:
    """Solve ``factor.T @ x = right`` for x, `factor` lower triangular; leading axes broadcast."""
    return pt.linalg.solve_triangular(factor, right, trans=1, lower=True, b_ndim=2)


def triangular_ratio_squares(factor: Any, right: Any, near: Any) -> Any:
    """Sum of squares below the diagonal of ``factor⁻¹ right``, both lower triangular.

    In the columns where `near` holds, ``right - factor`` takes the place of `right`.
    """
    rest = pt.switch(near[..., None, :], right - factor, right)
    return sum_of_squares(strictly_lower(solve_lower(factor, rest), like=factor))


def sum_over_rows(function: Callable[..., Any], vectors: list[Any], matrices: list[Any]) -> list[Any]:
    """The values of ``function(*vectors, *matrices)``, each of which is a sum over the rows."""
    return list(function(*vectors, *matrices))


def same_columns(left: Any, right: Any) -> list[Any]:
    """The two matrices with columns of zeros appended to the one that has fewer."""
    known = left.type.shape[-1], right.type.shape[-1]
    if known[0] == known[1] and None not in known:
        return [left, right]
    columns = pt.maximum(left.shape[-1], right.shape[-1]) if None in known else max(known)
    return [_widened(matrix, columns) for matrix in (left, right)]


def _widened(matrix: Any, columns: Any) -> Any:
    *others, own = runtime_shape(matrix)
    if own is columns or own == columns:
        return matrix
    return concatenate([matrix, pt.zeros((*others, columns - own), dtype=matrix.dtype)])


def require(conditions: Iterable[tuple[Any, str]]) -> None:
    """Symbolic conditions are checked when the graph runs: see `guard`."""


def guard(value: Any, conditions: Iterable[tuple[Any, str]]) -> Any:
    """Wrap `value` so that it raises at run time where a condition does not hold.

    With PyMC the check is one of PyMC's own (``ParameterValueError``), so that PyMC removes it where it
    removes its own; without PyMC it raises ValueError.
    """
    from kl_plugins.backends.pytensor_checks import check_all  # loads PyMC

    conditions = list(conditions)
    return check_all(value, conditions) if conditions else value


def result(value: Any) -> Any:
    return value
