"""What becomes of checks and formulas before Numba compiles a graph: fewer functions, which take the time.

Nothing here imports Numba: what it has to know of these nodes is in `numba_support`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import GraphRewriter, copy_stack_trace
from pytensor.scalar.basic import Composite
from pytensor.tensor.elemwise import Elemwise

from kl_plugins.ops.protocol import Array
from kl_plugins.ops.pytensor.check_node import Error
from kl_plugins.ops.pytensor.entrywise import Condition, Taken, number_of_first
from kl_plugins.ops.pytensor.formula_node import Formula


class CheckEntries(Op):  # type: ignore[misc]
    """A value, with conditions on entries of arrays and on numbers: it raises where one does not hold.

    What functions of Numba have in the place of `CheckAll`: one function tests them all, where elementwise
    operations and reductions would be many.
    """

    __props__ = ("messages", "conditions")
    view_map = {0: [0]}  # noqa: RUF012  (so PyTensor has it)

    def __init__(self, messages: Sequence[str], conditions: Sequence[Condition]) -> None:
        self.messages = tuple(messages)
        self.conditions = tuple(conditions)

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{len(self.messages)} conditions}}"

    def make_node(self, value: Array, *inputs: Array) -> Array:
        return Apply(self, [value, *inputs], [value.type()])

    def perform(self, node: Apply, inputs: Array, outputs: Array) -> None:
        value, *given = inputs
        if failing := number_of_first(self.conditions, given):
            raise Error(self.messages[failing - 1])
        outputs[0][0] = value

    def infer_shape(self, *args: Array) -> list[Array]:
        return [args[-1][0]]

    def do_constant_folding(self, fgraph: FunctionGraph, node: Apply) -> bool:
        return False


def of_entries(node: Apply, within: Collection[Variable]) -> Array:
    """The check as one node of what single conditions are made of."""
    value, *holds = node.inputs
    if any(condition.ndim for condition in holds):
        return node.outputs[0]
    taken = Taken(holds, within)
    check = CheckEntries(node.op.messages, taken.conditions)
    inputs = [x if x.ndim else pt.scalar_from_tensor(x) for x in taken.inputs]
    if value.ndim:
        return check(value, *inputs)
    return pt.tensor_from_scalar(check(pt.scalar_from_tensor(value), *inputs))


class FusedFormulas(Composite):  # type: ignore[misc]
    """Formulas and the operations that were fused with them, which are one function of Numba."""


class FuseFormulas(GraphRewriter):  # type: ignore[misc]
    """Marks what fusing made of formulas."""

    def apply(self, fgraph: FunctionGraph) -> None:
        for node in fgraph.toposort():
            inner: Any = getattr(node.op, "scalar_op", None)
            if isinstance(node.op, Elemwise) and type(inner) is Composite and _has_formula(inner):
                fused = FusedFormulas(inner.inputs, inner.outputs)
                made = Elemwise(fused, node.op.inplace_pattern)(*node.inputs, return_list=True)
                for old, new in zip(node.outputs, made, strict=True):
                    copy_stack_trace(old, new)
                fgraph.replace_all(list(zip(node.outputs, made, strict=True)), reason="FuseFormulas")


def _has_formula(composite: Composite) -> bool:
    return any(isinstance(node.op, Formula) for node in composite.fgraph.apply_nodes)
