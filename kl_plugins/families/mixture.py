"""Mixtures of distributions, which have closed forms where components do not overlap."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import numpy as np

from kl_plugins.errors import NoClosedFormError, Requirement, no_closed_form_of_pair
from kl_plugins.families.categorical import Multinomial
from kl_plugins.families.core.components import Groups, as_group, count, of_pairs
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.core.overlaps import apart
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.families.dirichlet import Dirichlet
from kl_plugins.families.von_mises_fisher import VonMisesFisher
from kl_plugins.formulas.mixtures import log_sum
from kl_plugins.ops import array_backend_of
from kl_plugins.ops.protocol import Array, ArrayOperations, Conditions
from kl_plugins.parameters.certainty import equal_where
from kl_plugins.parameters.declarations import PROBABILITY, parameter, part
from kl_plugins.parameters.labels import Labels
from kl_plugins.parameters.shapes import Shape, broadcast_shapes

_TOLERANCE = 1e-6
"""So far the sum of weights may be from 1."""
_MOST = 1000
"""Of so many components at most it is looked at whether they overlap."""


class Mixture(Distribution):
    """With the probability of each weight one of the components.

    `kl_plugins.mixture` makes one of any distributions.

    Parameters
    ----------
    weights : array_like or TensorVariable, shape (..., k)
        Not negative; they sum to 1.
    groups : tuple of Distribution
        The components, in groups of one family each: the last batch axis of each is that of its components.

    Raises
    ------
    ValueError
        If weights are negative or do not sum to 1, or components are not as many, or have different event
        shapes, or some are discrete and others continuous.
    """

    weights: Array = parameter(PROBABILITY, core_ndim=1)
    groups: tuple[Distribution, ...] = part()
    find_backend = staticmethod(array_backend_of)

    def check_shapes(self) -> None:
        shape = self.ops.shape(self.weights)
        if not shape or shape[-1] == 0:
            raise ValueError(f"weights must be those of at least one component, got shape {shape}")
        number = count(self.groups)
        if None not in (number, shape[-1]) and number != shape[-1]:
            raise ValueError(f"weights are those of {shape[-1]} components, and there are {number}")
        first = self.groups[0]
        for other in self.groups[1:]:
            events = first.event_shape, other.event_shape
            if events[0] != events[1] and None not in (*events[0], *events[1]):
                raise ValueError(
                    f"components must have one event shape, got {events[0]} of {first.describe()} and "
                    f"{events[1]} of {other.describe()}"
                )
            if _measure(other) is not _measure(first):
                raise ValueError(
                    "components must be all continuous or all discrete, or all on one simplex or sphere, got "
                    f"{first.describe()} and {other.describe()}"
                )
        try:
            _ = self.batch_shape
        except ValueError:
            shapes = [group.batch_shape[:-1] for group in self.groups]
            raise ValueError(
                f"batch shapes of weights {shape[:-1]} and components {shapes} do not broadcast"
            ) from None

    def further_conditions(self) -> Conditions:
        far = self.ops.absolute(self.ops.sum_last(self.weights) - 1.0) > _TOLERANCE
        yield self.ops.logical_not(far), Requirement("weights", "must sum to 1")

    def conditions(self) -> Conditions:
        """A condition on components is one on all of them."""
        if self.is_checked:
            return
        yield from (stated for stated in self.own_conditions() if not isinstance(stated[0], bool))
        for group in self.groups:
            for holds, message in group.conditions():
                yield (self.ops.all_last(holds) if holds.ndim else holds), message

    @cached_property
    def batch_shape(self) -> Shape:
        shapes = [group.batch_shape[:-1] for group in self.groups]
        return broadcast_shapes(self.ops.shape(self.weights)[:-1], *shapes)

    def expand(self, batch: tuple[Array, ...]) -> Self:
        """The same mixtures, broadcast to a batch shape, and so are all of their components."""
        made = super().expand(batch)
        counts = [group.batch_shape[-1] for group in self.groups]
        groups = tuple(
            group if number is None else group.expand((*batch, number))
            for group, number in zip(self.groups, counts, strict=True)
        )
        return made.unchecked(made.ops, **(made.__getstate__() | {"groups": groups}))

    @property
    def event_shape(self) -> Shape:
        return self.groups[0].event_shape

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return self.groups[0].runtime_event_shape()

    def labels_of_parts(self) -> list[Labels | None]:
        found = [group.labels for group in self.groups]
        return [labels and Labels(labels.batch[1:], labels.event) for labels in found]

    def describe(self) -> str:
        kinds = dict.fromkeys(group.describe() for group in self.groups)
        return f"Mixture({', '.join(kinds)})"

    def log_prob(self, x: Array) -> Array:
        """log Σ w f(x); `x` has the batch shape, or more leading axes, and the event shape."""
        ops = self.ops
        place = (..., None, *(slice(None),) * len(self.event_shape))
        found = [group.log_prob(x[place]) for group in self.groups]  # type: ignore[attr-defined]
        return log_sum(found[0] if len(found) == 1 else ops.concatenate(found), self.weights, ops)


def _measure(component: Distribution) -> type | None:
    """What stands for the measure that the density of a family is one of; None is that of volume."""
    if isinstance(component, Discrete | Multinomial):
        return Discrete
    return next((kind for kind in (Dirichlet, VonMisesFisher) if isinstance(component, kind)), None)


def sides_of(p: Distribution, q: Distribution) -> list[tuple[Array, Groups]]:
    """The weights, which sum to one, and components of both; what is no mixture has one component.

    Weights have as many batch axes as there are in the pair.
    """
    found: list[tuple[Array, Groups]] = []
    ndim = max(len(p.batch_shape), len(q.batch_shape)) + 1
    for side in (p, q):
        if isinstance(side, Mixture):
            total = side.ops.expand_last(side.ops.sum_last(side.weights))
            weights, groups = side.weights / total, side.groups
        else:
            groups = (as_group(side),)
            weights = groups[0].ops.asarray([1.0], "weights")
        found.append((weights[(None,) * (ndim - weights.ndim)], groups))
    return found


def zeros_of_pairs(p: Array, q: Array, ops: ArrayOperations) -> Array:
    """Zeros, shape (..., k, m), of weights."""
    return ops.zeros_like(p)[..., :, None] + ops.zeros_like(q)[..., None, :]


def component_divergence(p: Distribution, q: Distribution) -> Array:
    """KL(f‖g) of each pair of a batch; NoClosedFormError where none is known."""
    rule = kl_rules.find(p, q)
    if rule is None:
        raise _refused(p, q)
    return rule(p, q)


def _refused(p: Distribution, q: Distribution) -> NoClosedFormError:
    why = (
        "a mixture has one only where its components do not overlap; kl_plugins.kl_bounds has bounds, with "
        "gradients in a graph"
    )
    return no_closed_form_of_pair(p.describe(), q.describe(), why)


def alike(first: Any, second: Any) -> bool:
    """Whether two objects with parameters are certainly the same, number by number; NaN is as NaN."""
    if type(first) is not type(second):
        return False
    pairs = [(getattr(first, name), getattr(second, name)) for name in first.parameters]
    shapes = [tuple(map(first.ops.shape, pair)) for pair in pairs]
    if any(one != other for one, other in shapes):
        return False
    if not all(np.all(equal_where(one, other, first.ops)) for one, other in pairs):
        return False
    state, others = first.__getstate__(), second.__getstate__()
    rest = [name for name in state if name not in (*first.parameters, *first.parts)]
    if any(state[name] != others[name] for name in rest):
        return False
    parts = first.components(), second.components()
    return len(parts[0]) == len(parts[1]) and all(map(alike, *parts))


def nothing(p: Mixture) -> Array:
    """The divergence of a mixture from itself: zero, or NaN where a parameter is."""
    ops = p.ops
    found = [component_divergence(group, group) for group in p.groups]
    return ops.sum_last(p.weights * (found[0] if len(found) == 1 else ops.concatenate(found)))


def _disjoint(p: Distribution, q: Distribution) -> str:
    """The cost; NoClosedFormError where components overlap, or may do so."""
    if not alike(p, q):
        _partners(p, q)
    return "O(km) for k and m components"


def _partners(p: Distribution, q: Distribution) -> tuple[Array, Array, list[tuple[Array, Groups]]]:
    """Which component of q each of p overlaps, None where p has one and q, too; else NoClosedFormError."""
    ops, sides = p.ops, sides_of(p, q)
    (w, own), (v, others) = sides
    if count(own) == count(others) == 1:
        return zeros_of_pairs(w, v, ops) + 1.0, v, sides
    univariate = all(isinstance(group, Univariate) for group in (*own, *others))
    if ops.symbolic or not univariate or max(count(own) or 0, count(others) or 0) > _MOST:
        raise _refused(p, q)

    def meet(f: Distribution, g: Distribution) -> Array:
        return 1.0 - apart(f, g)

    square, table = zeros_of_pairs(w, w, ops), zeros_of_pairs(w, v, ops)
    has_weight = 1.0 * (w > 0.0)
    among = of_pairs(meet, own, own, square, ops) * has_weight[..., :, None] * has_weight[..., None, :]
    across = of_pairs(meet, own, others, table, ops) * (v > 0.0)[..., None, :]
    if np.any((among.sum(-1) - np.diagonal(among, axis1=-2, axis2=-1)) > 0.0):
        raise _refused(p, q)
    if np.any((across.sum(-1) > 1.0) & (w > 0.0)):
        raise _refused(p, q)
    return across, v, sides


@kl_rules.register(Mixture, Mixture, cost=_disjoint)
@kl_rules.register(Mixture, Distribution, cost=_disjoint)
@kl_rules.register(Distribution, Mixture, cost=_disjoint)
def of_components_apart(p: Any, q: Any) -> Array:
    """Σ wₐ [log wₐ − log v_b + KL(fₐ‖g_b)], where each fₐ overlaps with no other, and with g_b alone of q.

    Where it overlaps with none of q it is +∞; where all parameters are the same it is 0.
    """
    ops = p.ops
    (w, own), (v, others) = sides_of(p, q)
    if alike(p, q):
        return nothing(p)
    partners, _, _ = _partners(p, q)
    divergences = of_pairs(component_divergence, own, others, zeros_of_pairs(w, v, ops), ops)
    if ops.symbolic:
        return divergences[..., 0, 0]
    meet = partners > 0.0
    chosen = np.where(meet, divergences - np.log(np.where(meet, v[..., None, :], 1.0)), 0.0)
    rows = np.where(meet.any(-1), chosen.sum(-1), np.inf)
    weightless = w == 0.0
    value = np.where(weightless, 0.0, w * (np.log(np.where(weightless, 1.0, w)) + rows))
    return np.maximum(ops.sum_last(value), 0.0)
