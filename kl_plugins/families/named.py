"""Gaussians over named variables: what a fitted approximation of a model is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kl_plugins.covariance.axis_aligned import AxisAligned
from kl_plugins.covariance.base import divergence_rule
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.multivariate_normal import (
    MultivariateNormal,
    multivariate_normal_multivariate_normal,
)
from kl_plugins.ops.protocol import Array, FloatArray
from kl_plugins.parameters.declarations import constant
from kl_plugins.parameters.values import Value, Vectors
from kl_plugins.rules import Rule

Coordinates: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""Of each axis the name of its dimension and the labels along it, none where they are not known."""


@dataclass(frozen=True)
class Variable:
    """A named variable, its shape, and what its elements are called. It unpacks to name and shape.

    Attributes
    ----------
    name : str
    shape : tuple of int
    coords : tuple of (str, tuple of str)
        Of each axis the name of its dimension and the labels along it, or no labels; nothing at all where no
        coordinates are known.
    """

    name: str
    shape: tuple[int, ...]
    coords: Coordinates = ()

    def __post_init__(self) -> None:
        lengths = zip(self.coords, self.shape, strict=bool(self.coords))
        if any(labels and (len(set(labels)) != n or len(labels) != n) for (_, labels), n in lengths):
            raise ValueError(f"the labels of {self.name!r} have to be {self.shape} along its axes, each once")

    def __iter__(self) -> Iterator[Any]:
        return iter((self.name, self.shape))

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def elements(self) -> tuple[str, ...]:
        """Their names, as ArviZ has them: ``name`` of a scalar, else ``name[0, 1]`` or ``name[label]``.

        Labels are in quotes where commas in them would make one name of two elements.
        """
        if not self.shape:
            return (self.name,)
        labels = [labels for _, labels in self.coords] or [()] * len(self.shape)
        axes = [own or tuple(map(str, range(n))) for own, n in zip(labels, self.shape, strict=True)]
        places = [", ".join(place) for place in product(*axes)]
        if len(set(places)) < len(places):
            places = [", ".join(map(repr, place)) for place in product(*axes)]
        return tuple(f"{self.name}[{place}]" for place in places)

    @property
    def axes(self) -> Coordinates:
        """Dimensions and labels; an axis without a name has that which ArviZ gives it."""
        return self.coords or tuple((f"{self.name}_dim_{axis}", ()) for axis in range(len(self.shape)))

    def positions_of(self, other: Variable) -> NDArray[np.intp] | None:
        """Where the elements of `other` are among those of this one; None unless they are the same ones.

        Axes are matched by `axes_of`, places along them by their labels, or where one side does not know
        them by position.
        """
        order = self.axes_of(other)
        if order is None or tuple(self.shape[axis] for axis in order) != other.shape:
            return None
        place = np.arange(self.size, dtype=np.intp).reshape(self.shape).transpose(order)
        labels = [self.axes[axis][1] for axis in order]
        for axis, (own, (_, sought)) in enumerate(zip(labels, other.axes, strict=True)):
            if own and sought and own != sought:
                known = {label: i for i, label in enumerate(own)}
                if known.keys() != set(sought):
                    return None
                place = place.take([known[label] for label in sought], axis=axis)
        return place.ravel()

    def axes_of(self, other: Variable) -> tuple[int, ...] | None:
        """Which axis of this one is each of those of `other`; None where nothing tells.

        Axes of one name are each other's. What is left has other names on the other side. A single one is
        the one that is left there; of several, names that count the axes, such as ``theta_dim_0``, say their
        order. Others are taken by position, if labels or lengths tell them apart.
        """
        own, sought = ([dim for dim, _ in one.axes] for one in (self, other))
        if own == sought or len(own) != len(sought):
            return tuple(range(len(own)))
        rest = [axis for axis, dim in enumerate(own) if dim not in sought]
        wanted = [axis for axis, dim in enumerate(sought) if dim not in own]
        if len(rest) != len(wanted) or len({*own}) < len(own) or len({*sought}) < len(sought):
            return None
        if len(rest) > 1:
            counted = self._counted(rest), other._counted(wanted)
            if counted == (None, None) and not (self._tells(rest) and other._tells(wanted)):
                return None
            rest, wanted = counted[0] or rest, counted[1] or wanted
        matched = dict(zip(wanted, rest, strict=True))
        return tuple(matched[axis] if axis in matched else own.index(dim) for axis, dim in enumerate(sought))

    def _counted(self, axes: list[int]) -> list[int] | None:
        """These axes in the order that their names count; None where the names are real ones."""
        found = {axis: _COUNTED.search(self.axes[axis][0]) for axis in axes}
        places = {axis: int(count[1]) for axis, count in found.items() if count}
        return sorted(axes, key=places.__getitem__) if len(places) == len(axes) else None

    def _tells(self, axes: list[int]) -> bool:
        """Whether labels or lengths tell these axes apart."""
        kinds = [frozenset(self.axes[axis][1]) or self.shape[axis] for axis in axes]
        return len(set(kinds)) == len(kinds)


_COUNTED = re.compile(r"_dim_(\d+)$")
"""What ArviZ calls dimensions that have no name."""


class NamedMultivariateNormal(MultivariateNormal[Value, Vectors]):
    """A multivariate normal whose coordinates belong to named variables, one after another.

    Parameters
    ----------
    mean : array_like or TensorVariable, shape (d,)
    covariance : Covariance
    variables : tuple of Variable
        The variables in the order of their coordinates: names, shapes and, where they are known, the labels
        of their elements.

    Raises
    ------
    ValueError
        If the sizes of the variables do not add up to d.
    """

    variables: tuple[Variable, ...] = constant(default=())

    choice: ClassVar[str] = ""
    """How somebody chooses which elements it is over, to be told where those of two are not the same."""
    other_scale: ClassVar[str] = ""
    """How somebody gets variables after their transforms, to be told where the other side has them so."""

    def check_shapes(self) -> None:
        super().check_shapes()
        total = sum(variable.size for variable in self.variables)
        if self.event_shape[0] not in (None, total):
            raise ValueError(f"the variables have {total} coordinates, mean has {self.event_shape[0]}")

    def check_against(self, other: Distribution) -> None:
        if isinstance(other, NamedMultivariateNormal):
            check_same_variables(self, other)
        super().check_against(other)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in self.variables)

    @property
    def slices(self) -> dict[str, slice]:
        """Where the coordinates of each variable are, by name."""
        stops = np.cumsum([variable.size for variable in self.variables])
        return {
            variable.name: slice(int(stop) - variable.size, int(stop))
            for variable, stop in zip(self.variables, stops, strict=True)
        }

    @property
    def std(self) -> Vectors:
        """Standard deviation of each coordinate, shape (d,)."""
        known: Vectors
        if isinstance(self.covariance, AxisAligned):
            known = self.covariance.scales
        elif isinstance(self.covariance, LowRank):
            common = self.ops.sum_of_squares_last(self.covariance.loadings)
            known = self.ops.sqrt(self.covariance.diagonal + common)
        else:
            known = self.ops.sqrt(self.ops.sum_of_squares_last(self.covariance.factor))
        return known

    @property
    def elements(self) -> tuple[str, ...]:
        """The names of its coordinates, such as ``theta[Choate]``."""
        return element_names(self.variables)

    def reorder(self, variables: tuple[Variable, ...]) -> NamedMultivariateNormal[Value, Vectors]:
        """The same distribution with its variables, and their elements, in another order.

        Raises
        ------
        ValueError
            If they are not the same elements.
        """
        if variables == self.variables:
            return self
        own, slices, index, kept = {one.name: one for one in self.variables}, self.slices, [], []
        for wanted in variables:
            place = own[wanted.name].positions_of(wanted) if wanted.name in own else None
            if place is None:
                raise ValueError(f"{wanted.name!r} has other elements here: {', '.join(self.elements)}")
            index.append(slices[wanted.name].start + place)
            kept.append(wanted if wanted.coords else own[wanted.name])
        order: NDArray[np.intp] = np.concatenate(index)
        if np.array_equal(order, np.arange(sum(variable.size for variable in self.variables))):
            return NamedMultivariateNormal(self.mean, self.covariance, tuple(kept))
        mean, covariance = self.ops.take(self.mean, order), self.covariance.marginal(order)
        return NamedMultivariateNormal(mean, covariance, tuple(kept))


Snapshot: TypeAlias = NamedMultivariateNormal[np.float64, FloatArray]
"""One of numbers, as a snapshot of an approximation is."""


def element_names(variables: Sequence[Variable]) -> tuple[str, ...]:
    """The names of the elements of all the variables, one after another."""
    return tuple(name for variable in variables for name in variable.elements)


MOST_NAMES = 10
"""So many names are told, of the others only that there are some."""


def some_of(names: Sequence[str]) -> str:
    """Names for a message, not too many."""
    more = f" and {len(names) - MOST_NAMES} others" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def check_same_variables(p: NamedMultivariateNormal, q: NamedMultivariateNormal) -> None:
    """Raise ValueError listing the difference unless both are over the same variables and elements."""
    if p.variables == q.variables:
        return
    of_p, of_q = ({variable.name: variable for variable in one.variables} for one in (p, q))
    problems = [f"{name!r} only in p" for name in of_p if name not in of_q]
    problems += [f"{name!r} only in q" for name in of_q if name not in of_p]
    for name in (name for name in of_p if name in of_q):
        problems += _differences(of_p[name], of_q[name])
    if problems:
        advice = [p.choice or q.choice]
        if any(_is_transform(one, other) or _is_transform(other, one) for one in of_p for other in of_q):
            advice.append(p.other_scale or q.other_scale)
        told = ". ".join(["; ".join(problems), *filter(None, advice)])
        raise ValueError(f"p and q are over different variables: {told}")


def _is_transform(name: str, of: str) -> bool:
    """Whether a name is that of another variable after its transform, as PyMC calls it."""
    return name.startswith(f"{of}_") and name.endswith("__")


def _differences(p: Variable, q: Variable) -> list[str]:
    """In words which elements of a variable only one side has; nothing where they are the same."""
    if p.positions_of(q) is not None:
        return []
    if p.axes_of(q) is None:
        dims, others = (", ".join(dim for dim, _ in one.axes) for one in (p, q))
        return [
            f"{p.name!r} has dimensions ({dims}) in p and ({others}) in q, whose labels do not tell which is "
            "which: give those of one side the names of the other, by .rename on the posterior"
        ]
    of_p, of_q = p.elements, q.elements
    sides = ([x for x in of_p if x not in set(of_q)], "p"), ([x for x in of_q if x not in set(of_p)], "q")
    told = [f"{some_of(names)} only in {side}" for names, side in sides if names]
    if told and p.coords and q.coords:
        same = p.shape == q.shape and len(p.shape) > 0
        hint = " (where these are the same elements, give both the same labels by .assign_coords)"
        return [*told[:-1], told[-1] + hint] if same else told
    return [f"{p.name!r} has shape {p.shape} in p and {q.shape} in q"]


def _aligned(
    p: NamedMultivariateNormal, q: NamedMultivariateNormal
) -> tuple[NamedMultivariateNormal, NamedMultivariateNormal]:
    """Both in one order: that of the side whose covariance is dearer to reorder."""
    if isinstance(p.covariance, AxisAligned):
        return p.reorder(q.variables), q
    return p, q.reorder(p.variables)


def _by_covariance(p: NamedMultivariateNormal, q: NamedMultivariateNormal) -> tuple[Rule, Any, Any]:
    p, q = _aligned(p, q)
    return divergence_rule(p.covariance, q.covariance), p.covariance, q.covariance


@kl_rules.register(NamedMultivariateNormal, NamedMultivariateNormal, cost=_by_covariance)
def named_named(p: NamedMultivariateNormal, q: NamedMultivariateNormal) -> Array:
    """The divergence of multivariate normals, variable by variable whatever their order."""
    return multivariate_normal_multivariate_normal(*_aligned(p, q))
