"""Conditions on entries of arrays, taken apart: what has to hold of the numbers at which places.

A condition that is an operation of PyTensor for each comparison and reduction takes longer to compile than a
divergence. Taken apart, all those of a term are loops of one node.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytensor.scalar as ps
from pytensor.graph.basic import Apply, Variable
from pytensor.scalar.basic import Composite
from pytensor.tensor.basic import ARange, ExtractDiag
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.shape import Shape_i
from pytensor.tensor.variable import TensorConstant

Indices = tuple[int | None, ...]
"""For each axis of an array the number of the loop that runs along it; None where it is the first entry."""


class Entry(NamedTuple):
    """The number of an input at the indices of the loops."""

    input: int
    indices: Indices


class Length(NamedTuple):
    """The length of an axis of an input."""

    input: int
    axis: int


class Counter(NamedTuple):
    """The index of a loop."""

    loop: int


Place = Entry | Length | Counter


class Condition(NamedTuple):
    """What has to hold of the numbers at some places, wherever the loops are.

    `loops` has, for each loop, the lengths that it runs over, which have to be the same; it runs once where
    there are none.
    """

    holds: Composite
    places: tuple[Place, ...]
    loops: tuple[tuple[Length, ...], ...]


def number_of_first(conditions: Sequence[Condition], inputs: Sequence[Any]) -> int:
    """The number, from 1, of the first condition that does not hold, else 0."""
    return next((n for n, condition in enumerate(conditions, 1) if not _holds(condition, inputs)), 0)


def _holds(condition: Condition, inputs: Sequence[Any]) -> bool:
    lengths = [{inputs[of.input].shape[of.axis] for of in loop} for loop in condition.loops]
    if any(len(known) > 1 for known in lengths):
        return False

    def value(place: Place, at: tuple[int, ...]) -> Any:
        if isinstance(place, Counter):
            return at[place.loop]
        if isinstance(place, Length):
            return inputs[place.input].shape[place.axis]
        return np.asarray(inputs[place.input])[tuple(0 if k is None else at[k] for k in place.indices)]

    places = np.ndindex(*[max(known, default=1) for known in lengths])
    return all(condition.holds.impl(*[value(place, at) for place in condition.places]) for at in places)


class Taken:
    """Conditions that are taken apart, and the inputs of a node that they are about.

    `within` are variables of which nothing else is made: their numbers are computed one by one, and need no
    array.
    """

    def __init__(self, holds: Sequence[Variable], within: Collection[Variable]) -> None:
        self.inputs: list[Variable] = []
        self._within = within
        self.conditions = [self._condition(root) for root in holds]

    def _condition(self, root: Variable) -> Condition:
        node: Any = root.owner
        everywhere = node and isinstance(node.op, CAReduce) and isinstance(node.op.scalar_op, ps.AND)
        of = node.inputs[0] if everywhere and root.ndim == 0 else root
        found = _Numbers(self, of)
        value = found.scalar_of(of, tuple(range(of.ndim)))
        value = ps.identity(value) if value in found.leaves.values() else value
        loops = tuple(tuple(dict.fromkeys(loop)) for loop in found.loops)
        return Condition(Composite(list(found.leaves.values()), [value]), tuple(found.leaves), loops)

    def index(self, variable: Variable) -> int:
        if variable not in self.inputs:
            self.inputs.append(variable)
        return self.inputs.index(variable)

    def is_inside(self, node: Apply) -> bool:
        return node.outputs[0].type.dtype == "bool" or node.outputs[0] in self._within


class _Numbers:
    """The numbers that a condition is made of."""

    def __init__(self, taken: Taken, root: Variable) -> None:
        self.taken = taken
        self.root = root
        self.leaves: dict[Place, Any] = {}
        self._known: dict[tuple[Variable, Indices], Any] = {}
        self.loops: list[list[Length]] = [[] for _ in range(root.ndim)]

    def scalar_of(self, variable: Variable, indices: Indices) -> Any:
        """The number of a variable at these indices, made once however often the graph uses it."""
        if (variable, indices) not in self._known:
            self._known[variable, indices] = self._made(variable, indices)
        return self._known[variable, indices]

    def _made(self, variable: Variable, indices: Indices) -> Any:
        dtype, node = variable.type.dtype, variable.owner
        if isinstance(variable, TensorConstant) and variable.data.size == 1 and variable is not self.root:
            return ps.constant(variable.data.item(), dtype=dtype)
        op: Any = node and node.op
        if isinstance(op, DimShuffle):
            moved = dict(zip(op.new_order, indices, strict=True))
            return self.scalar_of(node.inputs[0], tuple(moved.get(k) for k in range(node.inputs[0].ndim)))
        if isinstance(op, ExtractDiag) and _is_main(op) and node.inputs[0].ndim == 2:
            return self.scalar_of(node.inputs[0], (*indices, *indices))
        if isinstance(op, ARange) and dtype == "int64" and indices[0] is not None and _counts(node):
            self._along(indices[0], self._length(node.inputs[1]))
            return self._leaf(Counter(indices[0]), dtype)
        if isinstance(op, Elemwise) and op.scalar_op.nout == 1 and self.taken.is_inside(node):
            return op.scalar_op(*[self.scalar_of(x, _broadcast(x, indices)) for x in node.inputs])
        if isinstance(op, Shape_i):
            return self._leaf(self._length(variable), dtype)
        entry = Entry(self.taken.index(variable), indices)
        for axis, loop in enumerate(indices):
            if loop is not None:
                self._along(loop, Length(entry.input, axis))
        return self._leaf(entry, dtype)

    def _length(self, variable: Variable) -> Length:
        node: Any = variable.owner
        return Length(self.taken.index(node.inputs[0]), node.op.i)

    def _along(self, loop: int, length: Length) -> None:
        self.loops[loop].append(length)

    def _leaf(self, place: Place, dtype: str) -> Any:
        if place not in self.leaves:
            self.leaves[place] = ps.get_scalar_type(dtype)()
        return self.leaves[place]


def _is_main(op: ExtractDiag) -> bool:
    return (op.offset, op.axis1, op.axis2) == (0, 0, 1)


def _counts(node: Any) -> bool:
    """Whether it is 0, 1, … up to the length of an array."""
    start, stop, step = node.inputs
    if not (isinstance(start, TensorConstant) and isinstance(step, TensorConstant)):
        return False
    is_length = isinstance(stop.owner and stop.owner.op, Shape_i)
    return is_length and (int(start.data), int(step.data)) == (0, 1)


def _broadcast(variable: Variable, indices: Indices) -> Indices:
    """The indices of an operand, of which axes of length 1 are stretched."""
    pairs = zip(variable.type.shape, indices, strict=True)
    return tuple(None if length == 1 else loop for length, loop in pairs)


def lengths_placed(variables: Sequence[Variable]) -> tuple[list[Variable], list[Entry | Length]]:
    """Inputs of a node, each once, and where among them some lengths are: of arrays, where they are that."""
    taken = Taken((), ())
    places: list[Entry | Length] = []
    for variable in variables:
        node: Any = variable.owner
        if node and isinstance(node.op, Shape_i):
            places.append(Length(taken.index(node.inputs[0]), node.op.i))
        else:
            places.append(Entry(taken.index(variable), ()))
    return taken.inputs, places
