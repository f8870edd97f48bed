"""PyMC's truncated and censored variables, where they are of a family."""

from __future__ import annotations

from collections.abc import Sequence

from pymc.distributions.censored import CensoredRV
from pymc.distributions.truncated import TruncatedRV
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op

from kl_plugins.errors import no_closed_form_of_one
from kl_plugins.families.censored import censored
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.truncations import truncation
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array
from kl_plugins.plugins.pytensor.random_variables import family, parameters_of
from kl_plugins.recognition import as_written, recognise


@parameters_of.register(TruncatedRV)
def _(op: Op, node: Apply) -> Sequence[Variable]:
    """The variable that is truncated, and the ends."""
    *inputs, lower, upper = node.inputs
    return op.base_rv_op.make_node(*inputs).default_output(), lower, upper


@family.register(TruncatedRV)
def _(op: Op, base: Variable, lower: Variable, upper: Variable, *, batch: Array) -> Distribution:
    node = base.owner
    whole = family(node.op, *parameters_of(node.op, node), batch=None)
    made = truncation(whole, ops.asarray(lower, "lower"), ops.asarray(upper, "upper"))
    if made is None:
        raise no_closed_form_of_one(f"a truncated variable (pm.Truncated of {as_written(base)})")
    shape = tuple(base.shape[i] if n is None else n for i, n in enumerate(base.type.shape))
    found: Distribution = made.to(ops).expand(shape)
    return found


@family.register(CensoredRV)
def _(op: Op, base: Variable, lower: Variable, upper: Variable, *, batch: Array) -> Distribution:
    whole = recognise(base)
    if not isinstance(whole, Continuous):
        raise no_closed_form_of_one(f"a censored variable (pm.Censored of {as_written(base)})")
    found: Distribution = censored(whole, ops.asarray(lower, "lower"), ops.asarray(upper, "upper")).to(ops)
    return found if batch is None else found.expand(batch)
