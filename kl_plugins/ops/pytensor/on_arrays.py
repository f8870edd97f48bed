"""Formulas for functions that run in Python: one operation of NumPy after the other, on whole arrays."""

from __future__ import annotations

from typing import Any

import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Apply, Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import GraphRewriter
from pytensor.scalar.basic import Composite
from pytensor.tensor.elemwise import Elemwise

from kl_plugins.ops.protocol import Array


class ExpandFormulas(GraphRewriter):  # type: ignore[misc]
    """Puts the operations of a formula in its place, which Python would go through number by number."""

    def apply(self, fgraph: FunctionGraph) -> None:
        for node in fgraph.toposort():
            if _is_composite(node):
                replaced = zip(node.outputs, _expanded(node.op.scalar_op, node.inputs), strict=True)
                fgraph.replace_all(list(replaced), reason="ExpandFormulas")


def _is_composite(node: Apply) -> bool:
    return isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, Composite)


def _expanded(composite: Composite, inputs: list[Array]) -> list[Array]:
    """The outputs of a composite of scalar operations, as arrays."""
    inner = composite.fgraph
    arrays: dict[Any, Array] = dict(zip(inner.inputs, inputs, strict=True))

    def array(scalar: Any) -> Array:
        if isinstance(scalar, Constant):
            return pt.constant(scalar.data, dtype=scalar.type.dtype)
        return arrays[scalar]

    for node in inner.toposort():
        given = [array(scalar) for scalar in node.inputs]
        if isinstance(node.op, Composite):
            made = _expanded(node.op, given)
        else:
            made = Elemwise(node.op)(*given, return_list=True)
        arrays.update(zip(node.outputs, made, strict=True))
    return [array(scalar) for scalar in inner.outputs]


UNCOMPILED = Mode(linker="py", optimizer="fast_compile").register((ExpandFormulas(), 100.0))
"""For functions that are called a few times, on arrays: to compile them would take seconds. The further
rewrites of "fast_run" fuse operations, whose constants would be of single precision in Python."""
