"""What becomes of checks before PyTensor compiles a graph to C: one node that finds the first that fails."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

import pytensor.scalar as ps
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.op import Op
from pytensor.tensor.elemwise import Elemwise

from kl_plugins.ops.protocol import Array
from kl_plugins.ops.pytensor.check_node import Error
from kl_plugins.ops.pytensor.entrywise import Taken
from kl_plugins.ops.pytensor.first_failing import first_failing


class CheckNumber(Op):  # type: ignore[misc]
    """A value, with a number that is 0 where nothing is wrong, else says which message is to be raised.

    What functions in C have in the place of `CheckAll`: the number is one node with what single conditions
    are made of, where each of them would have to be compiled by itself.
    """

    __props__ = ("messages",)
    view_map = {0: [0]}  # noqa: RUF012  (so PyTensor has it)

    def __init__(self, messages: Sequence[str]) -> None:
        self.messages = tuple(messages)

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{len(self.messages)} conditions}}"

    def make_node(self, value: Array, failing: Array) -> Array:
        return Apply(self, [value, failing], [value.type()])

    def perform(self, node: Apply, inputs: Array, outputs: Array) -> None:
        value, failing = inputs
        if failing:
            raise Error(self.messages[int(failing) - 1])
        outputs[0][0] = value

    def infer_shape(self, *args: Array) -> list[Array]:
        return [args[-1][0]]

    def do_constant_folding(self, fgraph: FunctionGraph, node: Apply) -> bool:
        return False


@cache
def _first_failing(count: int) -> Elemwise:
    """The number, from 1, of the first of so many conditions that does not hold, else 0."""
    holds = [ps.get_scalar_type("bool")() for _ in range(count)]
    found = ps.constant(0, dtype="int64")
    for i in reversed(range(count)):
        found = ps.switch(holds[i], found, ps.constant(i + 1, dtype="int64"))
    return Elemwise(ps.Composite(holds, [found]))


def one_number(node: Apply, within: Collection[Variable] = ()) -> Array:
    """The check of one number that is made of the conditions, where they are single ones."""
    value, *holds = node.inputs
    if any(condition.ndim for condition in holds):
        return node.outputs[0]
    failing = first_failing(Taken(holds, within))
    if failing is None:
        failing = _first_failing(len(holds))(*holds)
    return CheckNumber(node.op.messages)(value, failing)
