"""Whether the operations of a PyTensor graph prove a matrix triangular."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op
from pytensor.scalar.basic import Add, Cast, Mul, Neg, Sub
from pytensor.tensor.basic import Alloc, AllocDiag, ARange, Eye
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot
from pytensor.tensor.subtensor import AdvancedIncSubtensor
from pytensor.tensor.variable import TensorConstant

from kl_plugins.plugins.pytensor.diagonal import diagonal_of
from kl_plugins.plugins.pytensor.graph import (
    LOWER_TRIANGULAR,
    constant_of,
    holds,
    is_transpose,
    see_through,
)


def is_lower_triangular(variable: Variable) -> bool:
    """Whether the graph proves that the matrix is zero above its diagonal."""
    return _is_triangular(variable, lower=True) or holds(LOWER_TRIANGULAR, variable)


def _is_triangular(variable: Variable, lower: bool) -> bool:
    """Whether the operations that made the matrix prove it lower (or upper) triangular.

    ``tag.lower_triangular`` is how PyMC marks the factors it is given, and PyTensor's rewrites trust it.
    """
    tag = "lower_triangular" if lower else "upper_triangular"
    if getattr(variable.tag, tag, False):
        return True
    variable = see_through(variable)
    if getattr(variable.tag, tag, False):
        return True
    if isinstance(variable, TensorConstant):
        data = np.asarray(variable.data)
        part = np.triu(data, 1) if lower else np.tril(data, -1)
        return data.ndim >= 2 and not part.any()
    if variable.owner is None:
        return False
    op, inputs = variable.owner.op, variable.owner.inputs
    core = op.core_op if isinstance(op, Blockwise) else op
    name = type(core).__name__
    if isinstance(op, Eye | AllocDiag):
        return diagonal_of(variable) is not None
    if name == "Cholesky":
        return bool(core.lower) == lower
    if isinstance(op, DimShuffle) and is_transpose(op):
        return _is_triangular(inputs[0], not lower)
    if name == "MatrixInverse":
        return _is_triangular(inputs[0], lower)
    if isinstance(core, Dot):
        return all(_is_triangular(x, lower) for x in inputs)
    if isinstance(op, AdvancedIncSubtensor):
        return _sets_triangle(op, inputs, lower)
    if isinstance(op, Alloc):
        return bool(constant_of(inputs[0]) == 0)
    if isinstance(op, Elemwise):
        # A row, a column or a single entry fills a matrix when it is broadcast.
        matrices = [x for x in inputs if x.ndim >= 2 and 1 not in x.type.shape[-2:]]
        if isinstance(op.scalar_op, Mul):
            return any(_is_triangular(x, lower) or _is_mask(x, lower) for x in matrices)
        if isinstance(op.scalar_op, Add | Sub | Neg | Cast):
            return len(matrices) == len(inputs) and all(_is_triangular(x, lower) for x in matrices)
    return False


def _sets_triangle(op: Op, inputs: list[Variable], lower: bool) -> bool:
    """Whether entries are written only inside the triangle of a triangular matrix."""
    rows, columns = (_indices(x) for x in inputs[2:4]) if len(inputs) == 4 else (None, None)
    if rows is None or columns is None or rows.shape != columns.shape or inputs[0].ndim != 2:
        return False
    inside = rows >= columns if lower else rows <= columns
    return bool(inside.all()) and _is_triangular(inputs[0], lower)


def _indices(variable: Variable) -> NDArray[np.integer] | None:
    """Constant indices that are not negative (a negative one counts from the end)."""
    if not isinstance(variable, TensorConstant):
        return None
    data = np.asarray(variable.data)
    return data if data.dtype.kind in "iu" and (data >= 0).all() else None


def _is_mask(variable: Variable, lower: bool) -> bool:
    """Whether the matrix is the mask that pt.tril (or pt.triu) multiplies by.

    pt.tril uses [i ≥ j + k] with k ≥ 0, pt.triu one minus [i ≥ j + k] with k ≤ 1.
    """
    variable = _without_casts(variable)
    if lower:
        offset = _mask_offset(variable)
        return offset is not None and offset >= 0
    node = variable.owner
    if node is None or not isinstance(getattr(node.op, "scalar_op", None), Sub):
        return False
    offset = _mask_offset(_without_casts(node.inputs[1]))
    return constant_of(node.inputs[0]) == 1 and offset is not None and offset <= 1


def _mask_offset(variable: Variable) -> float | None:
    """The k of a matrix that ``pt.tri`` makes, whose entries are [i ≥ j + k]; None for others."""
    node = variable.owner
    if node is None or type(getattr(node.op, "scalar_op", None)).__name__ != "GE":
        return None
    rows, columns = (_arange_start(x, axis) for axis, x in enumerate(node.inputs))
    return None if rows is None or columns is None else columns - rows


def _without_casts(variable: Variable) -> Variable:
    variable = see_through(variable)
    while variable.owner and isinstance(getattr(variable.owner.op, "scalar_op", None), Cast):
        variable = see_through(variable.owner.inputs[0])
    return variable


def _arange_start(variable: Variable, axis: int) -> float | None:
    """First number of an arange laid along the given axis of a matrix, where it is constant."""
    node = variable.owner
    if node is None or not isinstance(node.op, DimShuffle):
        return None
    if tuple(node.op.new_order) != ((0, "x") if axis == 0 else ("x", 0)):
        return None
    inner = node.inputs[0]
    if inner.owner is None or not isinstance(inner.owner.op, ARange):
        return None
    start = constant_of(inner.owner.inputs[0])
    step = constant_of(inner.owner.inputs[2])
    return float(start) if start is not None and step == 1 else None
