"""Conditions on parameters as one node of a PyTensor graph, which says when it runs which does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.graph.basic import Apply
from pytensor.graph.replace import _vectorize_node
from pytensor.graph.rewriting.basic import GraphRewriter
from pytensor.raise_op import CheckAndRaise
from pytensor.tensor.basic import MakeVector

try:
    from pymc.logprob.utils import CheckParameterValue as Base
except ImportError:  # without PyMC there is nobody to strip the checks, and they raise ValueError

    class Base(CheckAndRaise):  # type: ignore[no-redef,misc]
        __props__ = ("msg", "exc_type")

        def __init__(self, msg: str) -> None:
            super().__init__(ValueError, msg)


class CheckAll(Base):  # type: ignore[misc]
    """A value, with a vector of conditions and the message of each.

    A node for each condition, as PyMC has them, costs more time to compile than the divergence. This is
    one of PyMC's, so that PyMC strips it where it strips its own.
    """

    __props__ = (*Base.__props__, "messages")

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("; or ".join(messages))
        self.messages = tuple(messages)

    def make_node(self, value: Any, holds: Any) -> Any:
        return Apply(self, [value, holds], [value.type()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        value, holds = inputs
        if not holds.all():
            raise self.exc_type(self.messages[int(np.argmin(holds))])
        outputs[0][0] = value

    def c_code(self, *args: Any) -> str:
        raise NotImplementedError  # a module to compile for every set of messages; Python takes microseconds

    def do_constant_folding(self, fgraph: Any, node: Any) -> bool:
        return False


def check_all(value: Any, conditions: Sequence[tuple[Any, str]]) -> Any:
    """`value`, which raises where a condition does not hold: the first message says what is wrong."""
    holds, messages = zip(*conditions, strict=True)
    scalars = [condition if condition.ndim == 0 else pt.all(condition) for condition in holds]
    return CheckAll(messages)(value, MakeVector("bool")(*scalars))


def _vectorize(op: CheckAll, node: Any, value: Any, holds: Any) -> Any:
    """All members of a batch are checked at once."""
    if holds.ndim > 1:
        holds = pt.all(holds, axis=tuple(range(holds.ndim - 1)))
    return op.make_node(value, holds)


_vectorize_node.register(CheckAll, _vectorize)


class RegisterForNumba(GraphRewriter):  # type: ignore[misc]
    """Loads what Numba needs to know, the first time that a graph is compiled for it: it takes a while."""

    def apply(self, fgraph: Any) -> None:
        if any(isinstance(node.op, CheckAll) for node in fgraph.apply_nodes):
            import kl_plugins.backends.pytensor_numba  # noqa: F401


optdb.register("kl_plugins_register_for_numba", RegisterForNumba(), "numba", position=100)
