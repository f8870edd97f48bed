"""Small questions about a PyTensor graph: what an operation leaves as it is, transposes or multiplies."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pytensor.tensor as pt
from pytensor.compile.ops import DeepCopyOp, ViewOp
from pytensor.graph.basic import Variable, equal_computations
from pytensor.graph.op import Op
from pytensor.scalar.basic import Identity
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot
from pytensor.tensor.shape import SpecifyShape

from kl_plugins.errors import NoClosedFormError
from kl_plugins.open_functions import OpenFunction
from kl_plugins.ops.protocol import Array
from kl_plugins.recognition import load_plugins_of

DIAGONAL: Any
LOWER_TRIANGULAR: Any
try:
    assumptions = import_module("pytensor.assumptions")
    DIAGONAL, LOWER_TRIANGULAR = assumptions.DIAGONAL, assumptions.LOWER_TRIANGULAR
except ImportError:  # PyTensor 2 has none; what the graph itself shows has to do
    DIAGONAL = LOWER_TRIANGULAR = None


def see_through(variable: Variable) -> Variable:
    """Follow a variable through operations that leave its values as they are.

    Leading dimensions of length 1 are dropped too: they broadcast.
    """
    while variable.owner and (_copies(variable.owner.op) or _adds_leading_dimensions(variable.owner.op)):
        variable = variable.owner.inputs[0]
    return variable


def original(variable: Variable) -> Variable:
    """The variable that this one is a copy of, of the same shape."""
    while variable.owner and _copies(variable.owner.op):
        variable = variable.owner.inputs[0]
    return variable


@OpenFunction
def random_with_names(variable: Variable) -> Any:
    """What a random variable whose dimensions have names is made of (`RandomWithNames`); None of others."""
    return None


def without_names(variable: Variable, dims: Sequence[str] = ()) -> Variable:
    """The random variable itself; where its dimensions have names the ordinary one, in the order of `dims`.

    By default that is its own order.
    """
    load_plugins_of(type(variable))
    found = random_with_names(variable)
    return variable if found is None else found.in_order_of(tuple(dims) or variable.type.dims)


def _copies(op: Op) -> bool:
    copies = isinstance(op, ViewOp | DeepCopyOp | SpecifyShape)
    copies = copies or (isinstance(op, Elemwise) and isinstance(op.scalar_op, Identity))
    return copies or type(op).__name__ == "SpecifyAssumptions"


def _adds_leading_dimensions(op: Op) -> bool:
    if not isinstance(op, DimShuffle):
        return False
    order = tuple(op.new_order)
    ndim = sum(axis != "x" for axis in order)
    return order[len(order) - ndim :] == tuple(range(ndim)) and ndim >= 2


def holds(assumption: Any, variable: Variable) -> bool:
    return assumption is not None and assumption.holds(variable)


def is_transpose(op: Op) -> bool:
    """Whether a DimShuffle swaps the last two axes and nothing else."""
    order = tuple(op.new_order)
    n = len(order)
    return n >= 2 and order == (*range(n - 2), n - 1, n - 2)


def root_of(matrix: Variable) -> Variable | None:
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


def _untransposed(variable: Variable) -> Variable:
    node = variable.owner
    if node is not None and isinstance(node.op, DimShuffle) and is_transpose(node.op):
        return node.inputs[0]
    return None


def input_of(variable: Variable, op_name: str) -> Variable | None:
    """The input of the operation of that name which made the variable, else None.

    By name, because the class moved between PyTensor 2 and 3.
    """
    if variable.owner is None:
        return None
    op = variable.owner.op
    core = op.core_op if isinstance(op, Blockwise) else op
    return variable.owner.inputs[0] if type(core).__name__ == op_name else None


def constant_of(variable: Variable) -> Array:
    """The number that a scalar variable is, or None."""
    try:
        return pt.get_underlying_scalar_constant_value(variable)
    except pt.exceptions.NotScalarConstantError:
        return None


def known_count(count: Variable, name: str, called: str) -> int:
    """The number of something that a parameter of a distribution is, which has to be a constant."""
    known = constant_of(count)
    if known is None:
        raise NoClosedFormError(
            f"{name} is understood where {called} is a constant, not a variable of the graph"
        )
    return int(known)
