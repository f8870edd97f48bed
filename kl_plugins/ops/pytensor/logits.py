"""What a graph computes from logits: the logarithms of its probabilities, which a float may not reach."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op
from pytensor.scalar.basic import Cast, Exp, ScalarOp, Sub, TrueDiv
from pytensor.scalar.math import Sigmoid
from pytensor.tensor.basic import Alloc, Join, MakeVector
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.shape import Reshape, SpecifyShape
from pytensor.tensor.special import LogSoftmax, Softmax
from pytensor.tensor.subtensor import AdvancedSubtensor, Subtensor
from pytensor.tensor.variable import TensorConstant

from kl_plugins.ops.protocol import Array
from kl_plugins.ops.pytensor.lengths import SameLengths

_ARRANGES = (DimShuffle, Reshape, SpecifyShape, Alloc, Subtensor, AdvancedSubtensor, SameLengths)
"""Operations that move, repeat or choose the entries of their first input."""


def known_log(value: Array) -> Array:
    """The logarithm of a variable, none of which is negative, where its graph has one; else None.

    A sigmoid, a softmax or an exponential that underflows to 0, or is rounded to 1, still has it, and
    derivatives by it stay finite where those by the number do not.
    """
    node = getattr(value, "owner", None)
    if node is None:
        return None
    op, inputs = node.op, node.inputs
    if isinstance(op, Softmax):
        return LogSoftmax(axis=op.axis)(inputs[0])
    if isinstance(op, Elemwise):
        return _known_log_of_elementwise(op.scalar_op, inputs, value.dtype)
    if isinstance(op, _ARRANGES):
        found = known_log(inputs[0])
        return None if found is None else op(found, *inputs[1:])
    if isinstance(op, Join | MakeVector):
        return _joined(op, inputs)
    return None


def _known_log_of_elementwise(scalar_op: ScalarOp, inputs: list[Array], dtype: str) -> Array:
    if isinstance(scalar_op, Exp):
        return inputs[0]
    if isinstance(scalar_op, Sigmoid):
        return -pt.softplus(-inputs[0])
    if isinstance(scalar_op, Sub) and (opposite := _of_opposite(*inputs)) is not None:
        return known_log(opposite)
    if isinstance(scalar_op, TrueDiv) and (numerator := known_log(inputs[0])) is not None:
        return numerator - pt.log(inputs[1])
    if isinstance(scalar_op, Cast) and (found := known_log(inputs[0])) is not None:
        return pt.cast(found, dtype)
    return None


def _joined(op: Op, inputs: list[Array]) -> Array:
    """The logarithms of what is joined: of each, if it is known of one."""
    leading = int(isinstance(op, Join) and "axis" not in op.__props__)  # where the axis is an input
    parts = inputs[leading:]
    logs = [known_log(x) for x in parts]
    if all(x is None for x in logs) or any(x.type.numpy_dtype.kind != "f" for x in parts):
        return None
    logs = [pt.log(x) if known is None else known for x, known in zip(parts, logs, strict=True)]
    return pt.stack(logs) if isinstance(op, MakeVector) else op(*inputs[:leading], *logs)


def complement(probability: Array) -> Array:
    """1 less a probability; of a sigmoid, that of the opposite, which keeps its digits near 0."""
    found = _known_complement(probability)
    return 1.0 - probability if found is None else found


def _known_complement(probability: Array) -> Array:
    node = getattr(probability, "owner", None)
    if node is None:
        return None
    op, inputs = node.op, node.inputs
    scalar_op = op.scalar_op if isinstance(op, Elemwise) else None
    if isinstance(scalar_op, Sigmoid):
        return pt.sigmoid(-inputs[0])
    if isinstance(scalar_op, Sub) and _is_one(inputs[0]):
        return inputs[1]
    if isinstance(op, _ARRANGES):
        found = _known_complement(inputs[0])
        return None if found is None else op(found, *inputs[1:])
    return None


def _of_opposite(first: Array, second: Array) -> Array:
    """What 1 less a sigmoid is, the sigmoid of the opposite; else None."""
    return _known_complement(second) if _is_one(first) else None


def _is_one(variable: Variable) -> bool:
    while variable.owner is not None and isinstance(variable.owner.op, DimShuffle):
        variable = variable.owner.inputs[0]
    return isinstance(variable, TensorConstant) and bool((variable.data == 1.0).all())
