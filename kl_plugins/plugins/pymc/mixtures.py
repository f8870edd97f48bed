"""PyMC's mixtures, truncated and censored variables: most have no closed form, and are refused by name."""

from __future__ import annotations

from typing import NoReturn

import pytensor.tensor as pt
from pymc.distributions.censored import CensoredRV
from pymc.distributions.mixture import MixtureRV, _HurdleRV
from pymc.distributions.truncated import TruncatedRV
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op

from kl_plugins.errors import NoClosedFormError, no_closed_form_of_one
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.uniform_integers import Dirac
from kl_plugins.families.zero_inflated import ZeroInflated
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_infinite
from kl_plugins.plugins.pytensor.random_variables import family, parameters_of
from kl_plugins.recognition import recognise


@family.register(MixtureRV)
def _(op: Op, weights: Variable, *components: Variable, batch: Array) -> Distribution:
    """A point at zero and a discrete family with finitely many outcomes."""
    if len(components) == 2:
        point, base = map(_component, components)
        if isinstance(point, Dirac) and point.ops.known(point.loc) == 0.0 and isinstance(base, Discrete):
            if not any(map(certainly_infinite, base.standard_ends())):
                sums_to_one = abs(pt.sum(weights, -1) - 1.0) < 1e-6
                weight = ops.guard(weights[..., 1], [(sums_to_one, "the weights must sum to 1")])
                made = ZeroInflated(weight, base)
                return made if batch is None else made.expand(batch)
            what = f"zero-inflated {base.describe()} of infinite support"
            raise no_closed_form_of_one(f"a mixture (pm.Mixture): {what}")
    raise no_closed_form_of_one("a mixture (pm.Mixture)")


def _component(variable: Variable) -> Distribution | None:
    try:
        return recognise(variable)
    except (TypeError, NoClosedFormError):
        return None


@family.register(_HurdleRV)
def _(op: Op, *parameters: Variable, batch: Array) -> Distribution:
    raise no_closed_form_of_one("a hurdle model (pm.Hurdle…), a mixture")


@family.register(CensoredRV)
def _(op: Op, *parameters: Variable, batch: Array) -> Distribution:
    raise no_closed_form_of_one("a censored variable (pm.Censored)")


@parameters_of.register(TruncatedRV)
def _(op: Op, node: Apply) -> NoReturn:
    raise no_closed_form_of_one("a truncated variable (pm.Truncated)")
