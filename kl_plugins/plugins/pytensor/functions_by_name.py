"""Functions of one random variable with named dimensions: by name to functions of an ordinary one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytensor.graph.basic import Variable
from pytensor.graph.traversal import walk
from pytensor.tensor.elemwise import Elemwise
from pytensor.xtensor.basic import Rename, XTensorFromTensor, XTypeCastOp
from pytensor.xtensor.shape import Transpose
from pytensor.xtensor.vectorization import XRV, XElemwise

from kl_plugins.plugins.pytensor.dims import RandomWithNames, random_itself
from kl_plugins.plugins.pytensor.not_random import is_random


@dataclass(frozen=True, eq=False)
class FunctionWithNames(RandomWithNames):
    """A function of a random variable, taken apart: the other operands are among its parameters."""

    of: RandomWithNames
    source: Variable
    others: tuple[Variable, ...]
    result: Variable

    def rebuild(self, *arrays: Variable) -> Variable:
        """The function of the ordinary random variable and of the other operands."""
        own, every = len(self.of.parameters), len(self.parameters)
        known = dict(zip(self.others, arrays[own:every], strict=True))
        known[self.source] = self.of.rebuild(*arrays[:own], *arrays[every:])
        return _applied(self.result, known)


def function_with_names(variable: Variable) -> FunctionWithNames | None:
    """A variable as a function of one random variable over numbers; None where it is none."""
    sources = {x for x in random_by_name(variable) if x is not variable}
    if len(sources) != 1:
        return None
    (source,) = sources
    of = random_itself(source)
    if of is None or of.event_dims or any(of.core_dims):
        return None
    others: dict[Variable, None] = {}
    if not _find_operands(variable, source, others):
        return None
    operands = tuple(others)
    return FunctionWithNames(
        op=of.op,
        parameters=(*of.parameters, *operands),
        core_dims=(*of.core_dims, *((),) * len(operands)),
        event_dims=(),
        extra=of.extra,
        of=of,
        source=source,
        others=operands,
        result=variable,
    )


def random_by_name(variable: Variable) -> list[Variable]:
    """The random variables that it is computed from; their own parameters are not looked at."""

    def parents(x: Variable) -> Sequence[Variable]:
        return () if x.owner is None or _is_drawn(x) else x.owner.inputs[::-1]

    return list(dict.fromkeys(x for x in walk([variable], parents, bfs=False) if _is_drawn(x)))


def _is_drawn(variable: Variable) -> bool:
    node = variable.owner
    if node is None or isinstance(node.op, XRV):
        return node is not None
    return is_random(variable) or (isinstance(node.op, XTensorFromTensor) and is_random(node.inputs[0]))


def _find_operands(variable: Variable, source: Variable, others: dict[Variable, None]) -> bool:
    """Add the operands beside the source; whether the operations between are known."""
    if variable is source:
        return True
    if source not in random_by_name(variable):
        others[variable] = None
        return True
    if not isinstance(variable.owner.op, _SAME | XElemwise):
        return False
    return all(_find_operands(x, source, others) for x in variable.owner.inputs)


_SAME = Transpose | XTypeCastOp | Rename
"""Operations that leave the numbers as they are, and the dimensions but for their order."""


def _applied(variable: Variable, known: Mapping[Variable, Variable]) -> Variable:
    """The same operations on ordinary variables, whose dimensions are in one order."""
    if variable in known:
        return known[variable]
    inputs = [_applied(x, known) for x in variable.owner.inputs]
    op = variable.owner.op
    return Elemwise(op.scalar_op)(*inputs) if isinstance(op, XElemwise) else inputs[0]
