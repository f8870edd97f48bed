"""Operations on named dimensions as ordinary ones, by PyTensor's rewriting, which is not imported here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytensor.tensor as pt
from pytensor.compile import optdb
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import graph_replace
from pytensor.graph.traversal import walk


def has_dims(variable: Variable) -> bool:
    """Whether its dimensions have names: whether it is one of pytensor.xtensor."""
    return hasattr(variable.type, "dims")


def lowered(
    graphs: Sequence[Variable], is_leaf: Callable[[Variable], bool] = lambda variable: variable.owner is None
) -> list[Variable]:
    """The same as ordinary variables, computed from the leaves without names.

    Ordinary variables can be computed for many values at once, and show what they are made of to whoever
    reads structure off graphs: constants, sigmoids, exponentials.
    """
    above = list(walk(graphs, lambda variable: () if is_leaf(variable) else variable.owner.inputs))
    if not any(map(has_dims, above)):
        return list(graphs)
    leaves = {x: x.type() for x in above if is_leaf(x) and not isinstance(x, Constant)}
    constants = {
        x: _named(pt.constant(x.data, dtype=x.type.dtype), x) for x in above if _is_named_constant(x)
    }
    plain = [x.values if has_dims(x) else x for x in graphs]
    copies = graph_replace(plain, leaves | constants, strict=False)
    graph = FunctionGraph(list(leaves.values()), copies, clone=False)
    optdb.query("+lower_xtensor").rewrite(graph)
    back = {copy: leaf for leaf, copy in leaves.items()}
    found: list[Variable] = graph_replace(graph.outputs, back, strict=False)
    return found


def _is_named_constant(variable: Variable) -> bool:
    return isinstance(variable, Constant) and has_dims(variable)


def _named(variable: Variable, like: Variable) -> Any:
    """The ordinary variable with the names of another."""
    return like.type.filter_variable(variable)
