"""The diagonal of a matrix that the operations of its PyTensor graph prove diagonal."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.scalar.basic import Add, Cast, Mul, Neg, ScalarOp, Sub, TrueDiv
from pytensor.tensor.basic import AllocDiag, Eye
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot
from pytensor.tensor.variable import TensorConstant

from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array, FloatArray
from kl_plugins.plugins.pytensor.graph import (
    constant_of,
    is_transpose,
    see_through,
)


def diagonal_of(variable: Variable) -> tuple[Array, Array] | None:
    """The diagonal and the dimension of a matrix that its operations prove diagonal, else None.

    The diagonal has length 1 on its last axis where they show a multiple of the identity.
    """
    variable = see_through(variable)
    if isinstance(variable, TensorConstant):
        return _diagonal_of_constant(np.asarray(variable.data))
    if variable.owner is None:
        return None
    op, inputs = variable.owner.op, variable.owner.inputs
    core = op.core_op if isinstance(op, Blockwise) else op
    if isinstance(op, Eye):
        rows, columns, offset = (constant_of(x) for x in inputs)
        square = inputs[0] is inputs[1] or (rows is not None and rows == columns)
        return (
            (pt.ones(1, dtype=op.dtype), inputs[0] if rows is None else int(rows))
            if square and offset == 0
            else None
        )
    if isinstance(op, AllocDiag):
        last = inputs[0].ndim
        on_last = op.offset == 0 and {op.axis1 % (last + 1), op.axis2 % (last + 1)} == {last - 1, last}
        return (inputs[0], variable.shape[-1]) if on_last else None
    if isinstance(op, DimShuffle) and is_transpose(op):
        return diagonal_of(inputs[0])
    if isinstance(op, Elemwise):
        return _diagonal_of_elementwise(op.scalar_op, inputs)
    if isinstance(core, Dot):
        return _combined([diagonal_of(x) for x in inputs], lambda a, b: a * b)
    if type(core).__name__ == "MatrixInverse":
        inner = diagonal_of(inputs[0])
        return None if inner is None else (1.0 / inner[0], inner[1])
    return None


def _diagonal_of_constant(data: FloatArray) -> tuple[Array, Array] | None:
    if data.ndim < 2 or data.shape[-1] != data.shape[-2]:
        return None
    diagonal = np.diagonal(data, axis1=-2, axis2=-1)
    if np.count_nonzero(data) != np.count_nonzero(diagonal):
        return None
    same = (diagonal == diagonal[..., :1]).all()
    return pt.as_tensor(diagonal[..., :1] if same else diagonal), data.shape[-1]


def _diagonal_of_elementwise(scalar_op: ScalarOp, inputs: list[Variable]) -> tuple[Array, Array] | None:
    parts = [diagonal_of(x) if x.ndim >= 2 and not _is_scalar(x) else None for x in inputs]
    if isinstance(scalar_op, Mul):
        known = [part for part in parts if part is not None]
        if not known:
            return None
        others = [_entries(x) for x, part in zip(inputs, parts, strict=True) if part is None]
        value, dim = _combined(known, lambda a, b: a * b) or known[0]
        return reduce(lambda a, b: a * b, others, value), dim
    if isinstance(scalar_op, TrueDiv) and parts[0] is not None and _is_scalar(inputs[1]):
        return parts[0][0] / _entries(inputs[1]), parts[0][1]
    if isinstance(scalar_op, Cast | Neg) and parts[0] is not None:
        return Elemwise(scalar_op)(parts[0][0]), parts[0][1]
    if isinstance(scalar_op, Add):
        return _combined(parts, lambda a, b: a + b)
    if isinstance(scalar_op, Sub):
        return _combined(parts, lambda a, b: a - b)
    return None


def _combined(parts: list[Array], operation: Callable[..., Array]) -> tuple[Array, Array] | None:
    if any(part is None for part in parts):
        return None
    dims = [dim for _, dim in parts]
    known = [dim for dim in dims if isinstance(dim, int)]
    return reduce(operation, [value for value, _ in parts]), (known or dims)[0]


def _is_scalar(variable: Variable) -> bool:
    """Whether the variable multiplies every entry of a matrix alike."""
    return all(length == 1 for length in variable.type.shape[-2:])


def _entries(variable: Variable) -> Variable:
    """What a factor of an elementwise product contributes to the diagonal."""
    if variable.ndim >= 2:
        rows, columns = variable.type.shape[-2:]
        if rows == 1 or columns == 1:
            return variable[..., 0, :] if rows == 1 else variable[..., :, 0]
        return ops.diagonal(variable)
    return variable
