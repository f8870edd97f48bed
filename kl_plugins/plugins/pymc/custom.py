"""PyMC's CustomDist of a function `dist`, which makes a random variable of others: pymc-extras has some."""

from __future__ import annotations

from collections.abc import Sequence

from pymc.distributions.custom import CustomSymbolicDistRV
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.graph.replace import clone_replace

from kl_plugins.errors import NoClosedFormError, no_closed_form_of_one
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.ops.protocol import Array
from kl_plugins.plugins.pytensor.random_variables import family, name_of_class, parameters_of
from kl_plugins.recognition import recognise


@parameters_of.register(CustomSymbolicDistRV)
def _(op: Op, node: Apply) -> Sequence[Variable]:
    """The variable that `dist` makes, as the only one."""
    inner = op.fgraph.unfreeze() if hasattr(op.fgraph, "unfreeze") else op.fgraph  # PyTensor 3, and 2
    given = dict(zip(inner.inputs, node.inputs, strict=True))
    return (clone_replace(inner.outputs[op.default_output], given, rebuild_strict=False),)


@family.register(CustomSymbolicDistRV)
def _(op: Op, made: Variable, *, batch: Array) -> Distribution:
    """That of the variable; a log density that was given need not be its own."""
    if op.inline_logprob:
        try:
            return recognise(made)
        except (TypeError, NoClosedFormError):
            pass
    raise no_closed_form_of_one(f"the random variable {name_of_class(op)}")
