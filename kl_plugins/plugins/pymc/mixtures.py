"""PyMC's mixtures and hurdle models."""

from __future__ import annotations

from typing import Any

import pytensor.tensor as pt
from pymc.distributions.mixture import MixtureRV, _HurdleRV
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op

from kl_plugins.errors import NoClosedFormError, no_closed_form_of_one
from kl_plugins.families.core.components import as_group
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.hurdle import Hurdle
from kl_plugins.families.mixture import Mixture
from kl_plugins.families.uniform_integers import Dirac
from kl_plugins.families.zero_inflated import ZeroInflated
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_infinite, certainly_is
from kl_plugins.plugins.pytensor.random_variables import family
from kl_plugins.recognition import recognise


@family.register(MixtureRV)
def _(op: Op, weights: Variable, *components: Variable, batch: Array) -> Distribution:
    """A point at zero and a discrete family whose outcomes can be summed is a discrete family itself."""
    made = [_recognised(component) for component in components]
    weights = ops.asarray(weights, "w")
    found: Distribution | None = None
    if len(made) == 2:
        found = _zero_inflated(weights, *made)
    if found is None:
        groups = (made[0],) if len(made) == 1 else in_one_group([*map(as_group, made)])
        found = Mixture(weights, groups).to(ops)
    return found if batch is None else found.expand(batch)


def _zero_inflated(weights: Variable, point: Distribution, base: Distribution) -> Distribution | None:
    is_point = isinstance(point, Dirac) and point.ops.known(point.loc) == 0.0
    if not (is_point and isinstance(base, Discrete)):
        return None
    if any(map(certainly_infinite, base.standard_ends())) and base.reach(1.0) is None:
        return None
    sums_to_one = abs(pt.sum(weights, -1) - 1.0) < 1e-6
    return ZeroInflated(ops.guard(weights[..., 1], [(sums_to_one, "the weights must sum to 1")]), base)


def _recognised(variable: Variable) -> Distribution:
    """A component of ours; NoClosedFormError where it is none."""
    try:
        return recognise(variable)
    except (TypeError, NoClosedFormError) as error:
        raise no_closed_form_of_one(
            f"a mixture (pm.Mixture) with the component {variable}: {error}"
        ) from error


def in_one_group(groups: list[Distribution]) -> tuple[Distribution, ...]:
    """The groups as one, where they are of one family and of single components; else as they are."""
    if any(group.batch_shape != (1,) for group in groups):
        return tuple(groups)
    joined = _joined(groups)
    return tuple(groups) if joined is None else (joined,)


def _joined(members: list[Any]) -> Any:
    """The objects, of which each has one component, as one; None where structures or lengths differ."""
    first = members[0]
    if any(type(member) is not type(first) for member in members):
        return None
    state = first.__getstate__()
    for name, core in first.cores():
        values = [getattr(member, name) for member in members]
        if not all(certainly_is(value, values[0]) for value in values):
            arrays = [ops.asarray(value, name) for value in values]
            arrays = [value if value.ndim > core else value[None] for value in arrays]
            if len({value.type.shape[1:] for value in arrays}) > 1:
                return None
            state[name] = pt.concatenate(arrays, axis=-(core + 1))
    for name in first.parts:
        parts = [getattr(member, name) for member in members]
        state[name] = None if isinstance(parts[0], tuple) else _joined(parts)
        if state[name] is None:
            return None
    rest = [name for name in state if name not in (*first.parameters, *first.parts)]
    if any(getattr(member, name) != state[name] for member in members for name in rest):
        return None
    return first.unchecked(ops, **state)


@family.register(_HurdleRV)
def _(op: Op, weights: Variable, zero: Variable, variable: Variable, batch: Array) -> Distribution:
    """What is beside zero is a continuous family, or a discrete one that is truncated at 1."""
    base: Any = recognise(variable)
    weight = ops.asarray(weights, "psi")[..., 1]
    found = ZeroInflated(weight, base) if isinstance(base, Discrete) else Hurdle(weight, base)
    return found if batch is None else found.expand(batch)
