"""Event shapes that only a running graph knows: one node raises where they differ."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.op import Op
from pytensor.graph.replace import _vectorize_node

from kl_plugins.ops.protocol import Array
from kl_plugins.ops.pytensor.entrywise import Entry, Length, lengths_placed


class SameLengths(Op):  # type: ignore[misc]
    """A value of p, which raises where the event shapes of p and q, given after it, differ.

    What is computed of both sides is computed of this, and so after the check. It is an error in a log
    density, too: no other point would have other shapes. `places` says where each length is among what is
    given after the value: a number, or an axis of an array.
    """

    __props__ = ("families", "places")
    view_map = {0: [0]}  # noqa: RUF012  (so PyTensor has it)

    def __init__(self, families: tuple[str, str], places: Sequence[Entry | Length]) -> None:
        self.families = families
        self.places = tuple(places)

    def make_node(self, value: Array, *lengths: Array) -> Array:
        return Apply(self, [value, *lengths], [value.type()])

    def perform(self, node: Apply, inputs: Array, outputs: Array) -> None:
        value, *given = inputs
        lengths = [_length(given[of.input], of) for of in self.places]
        half = len(lengths) // 2
        if any(np.any(a != b) for a, b in zip(lengths[:half], lengths[half:], strict=True)):
            p, q = (tuple(int(np.max(n)) for n in side) for side in (lengths[:half], lengths[half:]))
            raise ValueError(self.message(str(p), str(q)))
        outputs[0][0] = value

    def message(self, p: str = "", q: str = "") -> str:
        """The text, with two event shapes where they are known."""
        sides = [
            f"{side} is {family}" + (f" with event shape {shape}" if shape else "")
            for side, family, shape in zip("pq", self.families, (p, q), strict=True)
        ]
        return f"p and q have different event shapes: {', '.join(sides)}"

    def pullback(self, inputs: Array, outputs: Array, output_gradients: Array) -> list[Array]:
        return [output_gradients[0], *[disconnected_type() for _ in inputs[1:]]]

    L_op = pullback  # its name before PyTensor 3

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], *[[False] for _ in node.inputs[1:]]]

    def infer_shape(self, *args: Array) -> list[Array]:
        return [args[-1][0]]

    def do_constant_folding(self, fgraph: FunctionGraph, node: Apply) -> bool:
        return False


def _length(given: Any, of: Entry | Length) -> Any:
    return given.shape[of.axis] if isinstance(of, Length) else given


def of_arrays(node: Apply, within: Collection[Variable] = ()) -> Array:
    """The comparison as one of arrays: the length of each would be a function, or a module, of its own."""
    value, *given = node.inputs
    inputs, places = lengths_placed([given[of.input] for of in node.op.places])
    return SameLengths(node.op.families, places)(value, *inputs)


def _vectorize(op: SameLengths, node: Apply, *inputs: Any) -> Apply:
    return op.make_node(*inputs)


_vectorize_node.register(SameLengths, _vectorize)
