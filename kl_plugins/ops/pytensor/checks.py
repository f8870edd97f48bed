"""Checks of conditions in a PyTensor graph, and what becomes of them and of formulas when it is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from pytensor.compile.mode import optdb
from pytensor.graph.basic import Apply
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import GraphRewriter
from pytensor.tensor.blockwise import Blockwise

from kl_plugins.ops.protocol import Array
from kl_plugins.ops.pytensor.bands import (
    CholeskyBand,
    CholeskyBandGradient,
    CovarianceRecursion,
    SolveLowerBand,
)
from kl_plugins.ops.pytensor.check_node import (
    CheckAll,
    ReplaceChecks,
    infinite_outside,
    of_members,
    unchecked,
)
from kl_plugins.ops.pytensor.for_c import one_number
from kl_plugins.ops.pytensor.for_numba import FuseFormulas, of_entries
from kl_plugins.ops.pytensor.formula_node import Formula
from kl_plugins.ops.pytensor.lengths import SameLengths, of_arrays


def check_all(value: Array, conditions: Sequence[tuple[Array, str]], outside: str = "inf") -> Array:
    """`value`, which raises where a condition does not hold: the first message says what is wrong."""
    holds, messages = zip(*conditions, strict=True)
    return CheckAll(messages, outside)(value, *[of_members(condition, value) for condition in holds])


class Load(GraphRewriter):  # type: ignore[misc]
    """Loads what a backend has to know, when a graph is first compiled for it: it takes a while."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self.module = module

    def apply(self, fgraph: FunctionGraph) -> None:
        if any(map(_is_ours, fgraph.apply_nodes)):
            import_module(self.module)


def _is_ours(node: Apply) -> bool:
    op = node.op.core_op if isinstance(node.op, Blockwise) else node.op
    of_bands = SolveLowerBand | CholeskyBand | CholeskyBandGradient | CovarianceRecursion
    return isinstance(op, CheckAll | SameLengths | of_bands) or isinstance(
        getattr(node.op, "scalar_op", None), Formula
    )


# By these names PyMC says what is to become of its own checks when it compiles a log density.
for _name, _made_of in (
    ("local_check_parameter_to_ninf_switch", infinite_outside),
    ("local_remove_check_parameter", unchecked),
):
    optdb.register(f"kl_plugins_{_made_of.__name__}", ReplaceChecks(_made_of), _name, position=0.01)
for _backend in ("numba", "jax"):
    _loader = Load(f"kl_plugins.ops.pytensor.{_backend}_support")
    optdb.register(f"kl_plugins_load_for_{_backend}", _loader, _backend, position=46.0)
# Before elementwise operations are fused.
optdb.register("kl_plugins_one_number", ReplaceChecks(one_number), "fast_run", "cxx_only", position=47.0)
optdb.register("kl_plugins_of_entries", ReplaceChecks(of_entries), "numba", position=47.0)
_lengths = ReplaceChecks(of_arrays, SameLengths)
optdb.register("kl_plugins_lengths_of_arrays", _lengths, "fast_run", "cxx_only", "numba", position=47.0)
optdb.register("kl_plugins_fuse_formulas", FuseFormulas(), "numba", position=49.5)
