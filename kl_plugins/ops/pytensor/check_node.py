"""The node of conditions on parameters in a PyTensor graph, which says when it runs which does not hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.op import Op
from pytensor.graph.replace import _vectorize_node
from pytensor.graph.rewriting.basic import GraphRewriter, copy_stack_trace
from pytensor.tensor.random.type import RandomType

from kl_plugins.ops.protocol import Array

Error: type[Exception] = ValueError
try:
    from pymc.logprob.utils import ParameterValueError
except ImportError:
    pass
else:
    Error = ParameterValueError


class CheckAll(Op):  # type: ignore[misc]
    """A value, with conditions and the message of each: it raises where one does not hold.

    A node for each condition, as PyMC has them, costs more time to compile than the divergence. Conditions
    have the dimensions of the value, and broadcast against it: each member has its own. `outside` is the
    value of a member for which one does not hold, where that is asked for instead of an error.
    """

    __props__ = ("messages", "outside")
    view_map = {0: [0]}  # noqa: RUF012  (so PyTensor has it)

    def __init__(self, messages: Sequence[str], outside: str = "inf") -> None:
        self.messages = tuple(messages)
        self.outside = outside

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{len(self.messages)} conditions}}"

    def make_node(self, value: Array, *holds: Array) -> Array:
        return Apply(self, [value, *holds], [value.type()])

    def perform(self, node: Apply, inputs: Array, outputs: Array) -> None:
        value, *conditions = inputs
        for holds, message in zip(conditions, self.messages, strict=True):
            if not holds.all():
                raise Error(message)
        outputs[0][0] = value

    def pullback(self, inputs: Array, outputs: Array, output_gradients: Array) -> list[Array]:
        return [output_gradients[0], *[disconnected_type() for _ in self.messages]]

    L_op = pullback  # its name before PyTensor 3

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], *[[False] for _ in self.messages]]

    def infer_shape(self, *args: Array) -> list[Array]:
        return [args[-1][0]]

    def do_constant_folding(self, fgraph: FunctionGraph, node: Apply) -> bool:
        return False


def of_members(condition: Array, value: Array) -> Array:
    """The condition with the dimensions of the value, else a single one on all members."""
    missing = value.ndim - condition.ndim
    if missing < 0:
        return of_members(pt.all(condition), value)
    return pt.shape_padleft(condition, missing) if missing else condition


def _vectorize(op: CheckAll, node: Apply, value: Array, *holds: Array) -> Array:
    """Members of a batch of graphs are members of the value, too."""
    larger = [condition for condition in holds if condition.ndim > value.ndim]
    if larger:
        value = pt.broadcast_arrays(value, *larger)[0]
    padded = [of_members(condition, value) for condition in holds]
    return op.make_node(value, *padded)


_vectorize_node.register(CheckAll, _vectorize)


def infinite_outside(node: Apply, within: Collection[Variable] = ()) -> Array:
    """The value where all conditions on a member hold, +∞ (NaN of an entropy) elsewhere."""
    value, *holds = node.inputs
    inside = reduce(pt.and_, [_no_larger(condition, value) for condition in holds])
    return pt.switch(inside, value, np.asarray(float(node.op.outside), dtype=value.type.dtype))


def _no_larger(condition: Array, value: Array) -> Array:
    """One condition for all along the dimensions in which the value does not vary."""
    static = zip(value.type.shape, condition.type.shape, strict=True)
    single = [axis for axis, (length, own) in enumerate(static) if length == 1 != own]
    return pt.all(condition, axis=single, keepdims=True) if single else condition


def unchecked(node: Apply, within: Collection[Variable] = ()) -> Array:
    return node.inputs[0]


class ReplaceChecks(GraphRewriter):  # type: ignore[misc]
    """Puts something else in the place of each check: in a log density, what does not raise."""

    def __init__(
        self, made_of: Callable[[Array, Collection[Variable]], Array], kind: type[Op] = CheckAll
    ) -> None:
        super().__init__()
        self.made_of = made_of
        self.kind = kind

    def apply(self, fgraph: FunctionGraph) -> None:
        checks = [node for node in fgraph.toposort() if isinstance(node.op, self.kind)]
        if self.made_of is infinite_outside and checks and _only_draws(fgraph):
            return
        within = only_for_conditions(fgraph) if checks else ()
        for node in checks:
            made = self.made_of(node, within)
            copy_stack_trace(node.outputs, made)  # an error says where the term was written
            fgraph.replace(node.outputs[0], made, reason=self.made_of.__name__)


def only_for_conditions(fgraph: FunctionGraph) -> set[Variable]:
    """The variables of which nothing is made but conditions of checks."""
    found: set[Variable] = set()

    def is_condition(client: Any, index: int) -> bool:
        if isinstance(getattr(client, "op", None), CheckAll):
            return index > 0
        outputs = getattr(client, "outputs", ())  # that a variable is an output is a client, too
        return bool(outputs) and found.issuperset(outputs)

    for node in reversed(fgraph.toposort()):
        found.update(x for x in node.outputs if all(is_condition(*client) for client in fgraph.clients[x]))
    return found


def _only_draws(fgraph: FunctionGraph) -> bool:
    """Whether the function draws variables (``pm.draw``): it is of nothing, and changes generators only."""
    updated = [fgraph.inputs[index] for index in (fgraph.update_mapping or {}).values()]
    of_nothing = all(isinstance(variable, SharedVariable) for variable in fgraph.inputs)
    return of_nothing and all(isinstance(variable.type, RandomType) for variable in updated)
