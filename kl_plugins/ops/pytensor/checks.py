"""Conditions on parameters as one node of a PyTensor graph, which says when it runs which does not hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, reduce
from importlib import import_module

import numpy as np
import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.op import Op
from pytensor.graph.replace import _vectorize_node
from pytensor.graph.rewriting.basic import GraphRewriter, copy_stack_trace
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.random.type import RandomType

from kl_plugins.ops.protocol import Array
from kl_plugins.ops.pytensor.first_failing import first_failing
from kl_plugins.ops.pytensor.lengths import SameLengths

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


def check_all(value: Array, conditions: Sequence[tuple[Array, str]], outside: str = "inf") -> Array:
    """`value`, which raises where a condition does not hold: the first message says what is wrong."""
    holds, messages = zip(*conditions, strict=True)
    return CheckAll(messages, outside)(value, *[_of_members(condition, value) for condition in holds])


def _of_members(condition: Array, value: Array) -> Array:
    """The condition with the dimensions of the value, else a single one on all members."""
    missing = value.ndim - condition.ndim
    if missing < 0:
        return _of_members(pt.all(condition), value)
    return pt.shape_padleft(condition, missing) if missing else condition


def _vectorize(op: CheckAll, node: Apply, value: Array, *holds: Array) -> Array:
    """Members of a batch of graphs are members of the value, too."""
    larger = [condition for condition in holds if condition.ndim > value.ndim]
    if larger:
        value = pt.broadcast_arrays(value, *larger)[0]
    padded = [_of_members(condition, value) for condition in holds]
    return op.make_node(value, *padded)


_vectorize_node.register(CheckAll, _vectorize)


def infinite_outside(node: Apply) -> Array:
    """The value where all conditions on a member hold, +∞ (NaN of an entropy) elsewhere."""
    value, *holds = node.inputs
    inside = reduce(pt.and_, [_no_larger(condition, value) for condition in holds])
    return pt.switch(inside, value, np.asarray(float(node.op.outside), dtype=value.type.dtype))


def _no_larger(condition: Array, value: Array) -> Array:
    """One condition for all along the dimensions in which the value does not vary."""
    static = zip(value.type.shape, condition.type.shape, strict=True)
    single = [axis for axis, (length, own) in enumerate(static) if length == 1 != own]
    return pt.all(condition, axis=single, keepdims=True) if single else condition


def unchecked(node: Apply) -> Array:
    return node.inputs[0]


def one_number(node: Apply) -> Array:
    """The check of one number that is made of the conditions, where they are single ones."""
    value, *holds = node.inputs
    if len(holds) > 127 or any(condition.ndim for condition in holds):
        return node.outputs[0]
    failing = first_failing(holds)
    if failing is None:
        failing = _first_failing(len(holds))(*holds)
    return CheckNumber(node.op.messages)(value, failing)


class ReplaceChecks(GraphRewriter):  # type: ignore[misc]
    """Puts something that does not raise in the place of each check in a log density."""

    def __init__(self, made_of: Callable[[Array], Array]) -> None:
        super().__init__()
        self.made_of = made_of

    def apply(self, fgraph: FunctionGraph) -> None:
        checks = [node for node in fgraph.toposort() if isinstance(node.op, CheckAll)]
        if self.made_of is infinite_outside and checks and _only_draws(fgraph):
            return
        for node in checks:
            made = self.made_of(node)
            copy_stack_trace(node.outputs, made)  # an error says where the term was written
            fgraph.replace(node.outputs[0], made, reason=self.made_of.__name__)


def _only_draws(fgraph: FunctionGraph) -> bool:
    """Whether the function draws variables (``pm.draw``): it is of nothing, and changes generators only."""
    updated = [fgraph.inputs[index] for index in (fgraph.update_mapping or {}).values()]
    of_nothing = all(isinstance(variable, SharedVariable) for variable in fgraph.inputs)
    return of_nothing and all(isinstance(variable.type, RandomType) for variable in updated)


class Load(GraphRewriter):  # type: ignore[misc]
    """Loads what a backend has to know, when a graph is first compiled for it: it takes a while."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self.module = module

    def apply(self, fgraph: FunctionGraph) -> None:
        if any(isinstance(node.op, CheckAll | SameLengths) for node in fgraph.apply_nodes):
            import_module(self.module)


# By these names PyMC says what is to become of its own checks when it compiles a log density.
for _name, _made_of in (
    ("local_check_parameter_to_ninf_switch", infinite_outside),
    ("local_remove_check_parameter", unchecked),
):
    optdb.register(f"kl_plugins_{_made_of.__name__}", ReplaceChecks(_made_of), _name, position=0.01)
for _backend in ("numba", "jax"):
    _loader = Load(f"kl_plugins.ops.pytensor.{_backend}_support")
    optdb.register(f"kl_plugins_load_for_{_backend}", _loader, _backend, position=100)
# Before elementwise operations are fused, and not for the backends that do without C: there it is no help.
optdb.register("kl_plugins_one_number", ReplaceChecks(one_number), "fast_run", "cxx_only", position=47.0)
