"""Structure of a covariance matrix read off its PyTensor graph: what the graph proves, and no more."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.ops import DeepCopyOp, ViewOp
from pytensor.graph.basic import equal_computations
from pytensor.scalar.basic import Add, Cast, Identity, Mul, Neg, Sub, TrueDiv
from pytensor.tensor.basic import Alloc, AllocDiag, ARange, Eye
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot
from pytensor.tensor.shape import SpecifyShape
from pytensor.tensor.subtensor import AdvancedIncSubtensor
from pytensor.tensor.variable import TensorConstant

from kl_plugins.backends import pytensor as ops
from kl_plugins.covariance.axis_aligned import Diagonal, Isotropic
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.full import Cholesky, Dense
from kl_plugins.covariance.numbers import from_matrix
from kl_plugins.covariance.precision import Precision

try:
    from pytensor.assumptions import DIAGONAL, LOWER_TRIANGULAR
except ImportError:  # PyTensor 2 has no assumptions; what the graph itself shows has to do
    DIAGONAL = LOWER_TRIANGULAR = None

StructureRule = Callable[[Any], Covariance | None]
structure_rules: list[StructureRule] = []
"""Tried in turn on a matrix of which the operations below prove nothing."""


def covariance_of(matrix: Any) -> Covariance:
    """The covariance whose matrix is the variable `matrix`, with the structure that is proved."""
    known_diagonal = _holds(DIAGONAL, matrix)  # may be an assumption that see_through leaves behind
    matrix = see_through(matrix)
    if isinstance(matrix, TensorConstant):
        return from_matrix(np.asarray(ops.asarray(matrix, "covariance").data)).to(ops)
    variances = diagonal_of(matrix)
    if variances is not None:
        return _axis_aligned(*variances)
    if known_diagonal:
        return Diagonal(ops.diagonal(matrix))
    inverted = input_of(matrix, "MatrixInverse")
    if inverted is not None:
        return _inverse_of(inverted)
    factor = root_of(matrix)
    if factor is not None and is_lower_triangular(factor) and not _is_tall(factor):
        factor = _square(ops.asarray(factor, "factor"))
        # A triangular root may have negative entries on its diagonal; a Cholesky factor has none.
        signs = pt.sign(ops.diagonal(factor))
        return Cholesky(factor * signs[..., None, :])
    found = (rule(matrix) for rule in structure_rules)
    return next((made for made in found if made is not None), None) or Dense(matrix)


def structure_rule(rule: StructureRule) -> StructureRule:
    """Add a rule that reads one more structure off a matrix, or returns None where it is not there."""
    structure_rules.append(rule)
    return rule


def _axis_aligned(variances: Any, dim: Any) -> Covariance:
    variances = ops.asarray(variances, "covariance")
    if variances.type.shape[-1] == 1:
        return Isotropic(variances[..., 0], dim)
    return Diagonal(variances)


def _is_tall(factor: Any) -> bool:
    rows, columns = factor.type.shape[-2:]
    return None not in (rows, columns) and rows > columns


def _square(factor: Any) -> Any:
    """A lower triangular root without the columns, all zero, by which it may be wider than high."""
    rows, columns = factor.type.shape[-2:]
    return factor if rows is not None and rows == columns else factor[..., : factor.shape[-2]]


def _inverse_of(matrix: Any) -> Covariance:
    """The covariance whose precision matrix is the variable `matrix`."""
    precision = covariance_of(matrix)
    if isinstance(precision, Isotropic):
        return Isotropic(1.0 / precision.variance, precision.dim)
    if isinstance(precision, Diagonal):
        return Diagonal(1.0 / precision.variances)
    return Precision(matrix)


def _holds(assumption: Any, variable: Any) -> bool:
    return assumption is not None and assumption.holds(variable)


def see_through(variable: Any) -> Any:
    """Follow a variable through operations that leave its values as they are.

    Leading dimensions of length 1 are dropped too: they broadcast.
    """
    while variable.owner and (_copies(variable.owner.op) or _adds_leading_dimensions(variable.owner.op)):
        variable = variable.owner.inputs[0]
    return variable


def original(variable: Any) -> Any:
    """The variable that this one is a copy of, of the same shape."""
    while variable.owner and _copies(variable.owner.op):
        variable = variable.owner.inputs[0]
    return variable


def _copies(op: Any) -> bool:
    copies = isinstance(op, ViewOp | DeepCopyOp | SpecifyShape)
    copies = copies or (isinstance(op, Elemwise) and isinstance(op.scalar_op, Identity))
    return copies or type(op).__name__ == "SpecifyAssumptions"


def _adds_leading_dimensions(op: Any) -> bool:
    if not isinstance(op, DimShuffle):
        return False
    order = tuple(op.new_order)
    ndim = sum(axis != "x" for axis in order)
    return order[len(order) - ndim :] == tuple(range(ndim)) and ndim >= 2


def diagonal_of(variable: Any) -> tuple[Any, Any] | None:
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
    if isinstance(op, DimShuffle) and _is_transpose(op):
        return diagonal_of(inputs[0])
    if isinstance(op, Elemwise):
        return _diagonal_of_elementwise(op.scalar_op, inputs)
    if isinstance(core, Dot):
        return _combined([diagonal_of(x) for x in inputs], lambda a, b: a * b)
    if type(core).__name__ == "MatrixInverse":
        inner = diagonal_of(inputs[0])
        return None if inner is None else (1.0 / inner[0], inner[1])
    return None


def _diagonal_of_constant(data: Any) -> tuple[Any, Any] | None:
    if data.ndim < 2 or data.shape[-1] != data.shape[-2]:
        return None
    diagonal = np.diagonal(data, axis1=-2, axis2=-1)
    if np.count_nonzero(data) != np.count_nonzero(diagonal):
        return None
    same = (diagonal == diagonal[..., :1]).all()
    return pt.as_tensor(diagonal[..., :1] if same else diagonal), data.shape[-1]


def _diagonal_of_elementwise(scalar_op: Any, inputs: list[Any]) -> tuple[Any, Any] | None:
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


def _combined(parts: list[Any], operation: Any) -> tuple[Any, Any] | None:
    if any(part is None for part in parts):
        return None
    dims = [dim for _, dim in parts]
    known = [dim for dim in dims if isinstance(dim, int)]
    return reduce(operation, [value for value, _ in parts]), (known or dims)[0]


def _is_scalar(variable: Any) -> bool:
    """Whether the variable multiplies every entry of a matrix alike."""
    return all(length == 1 for length in variable.type.shape[-2:])


def _entries(variable: Any) -> Any:
    """What a factor of an elementwise product contributes to the diagonal."""
    if variable.ndim >= 2:
        rows, columns = variable.type.shape[-2:]
        if rows == 1 or columns == 1:
            return variable[..., 0, :] if rows == 1 else variable[..., :, 0]
        return ops.diagonal(variable)
    return variable


def is_lower_triangular(variable: Any) -> bool:
    """Whether the graph proves that the matrix is zero above its diagonal."""
    return _is_triangular(variable, lower=True) or _holds(LOWER_TRIANGULAR, variable)


def _is_triangular(variable: Any, lower: bool) -> bool:
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
    if isinstance(op, DimShuffle) and _is_transpose(op):
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


def _sets_triangle(op: Any, inputs: list[Any], lower: bool) -> bool:
    """Whether entries are written only inside the triangle of a triangular matrix."""
    rows, columns = (_indices(x) for x in inputs[2:4]) if len(inputs) == 4 else (None, None)
    if rows is None or columns is None or rows.shape != columns.shape or inputs[0].ndim != 2:
        return False
    inside = rows >= columns if lower else rows <= columns
    return bool(inside.all()) and _is_triangular(inputs[0], lower)


def _indices(variable: Any) -> Any:
    """Constant indices that are not negative (a negative one counts from the end)."""
    if not isinstance(variable, TensorConstant):
        return None
    data = np.asarray(variable.data)
    return data if data.dtype.kind in "iu" and (data >= 0).all() else None


def _is_mask(variable: Any, lower: bool) -> bool:
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


def _mask_offset(variable: Any) -> float | None:
    """The k of a matrix that ``pt.tri`` makes, whose entries are [i ≥ j + k]; None for others."""
    node = variable.owner
    if node is None or type(getattr(node.op, "scalar_op", None)).__name__ != "GE":
        return None
    rows, columns = (_arange_start(x, axis) for axis, x in enumerate(node.inputs))
    return None if rows is None or columns is None else columns - rows


def _without_casts(variable: Any) -> Any:
    variable = see_through(variable)
    while variable.owner and isinstance(getattr(variable.owner.op, "scalar_op", None), Cast):
        variable = see_through(variable.owner.inputs[0])
    return variable


def _arange_start(variable: Any, axis: int) -> float | None:
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


def root_of(matrix: Any) -> Any:
    """The A of a product A @ A.T, else None."""
    if matrix.owner is None:
        return None
    op = matrix.owner.op
    core = op.core_op if isinstance(op, Blockwise) else op
    if not isinstance(core, Dot):
        return None
    left, right = matrix.owner.inputs
    for transposed, factor in ((right, left), (left, right)):
        inner = _untransposed(transposed)
        if inner is not None and (inner is factor or equal_computations([inner], [factor])):
            return left
    return None


def _untransposed(variable: Any) -> Any:
    node = variable.owner
    if node is not None and isinstance(node.op, DimShuffle) and _is_transpose(node.op):
        return node.inputs[0]
    return None


def _is_transpose(op: Any) -> bool:
    """Whether a DimShuffle swaps the last two axes and nothing else."""
    order = tuple(op.new_order)
    n = len(order)
    return n >= 2 and order == (*range(n - 2), n - 1, n - 2)


def input_of(variable: Any, op_name: str) -> Any:
    """The input of the operation of that name which made the variable, else None.

    By name, because the class moved between PyTensor 2 and 3.
    """
    if variable.owner is None:
        return None
    op = variable.owner.op
    core = op.core_op if isinstance(op, Blockwise) else op
    return variable.owner.inputs[0] if type(core).__name__ == op_name else None


def constant_of(variable: Any) -> Any:
    """The number that a scalar variable is, or None."""
    try:
        return pt.get_underlying_scalar_constant_value(variable)
    except pt.exceptions.NotScalarConstantError:
        return None
