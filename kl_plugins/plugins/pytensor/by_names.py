"""Random variables with named dimensions, and our distributions of such parameters, meet by name."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from pytensor.graph.basic import Apply
from pytensor.scalar.basic import Clip
from pytensor.xtensor.basic import xtensor_from_tensor
from pytensor.xtensor.type import XTensorVariable
from pytensor.xtensor.vectorization import XRV, XElemwise

from kl_plugins.errors import HasNames, no_closed_form_of_one
from kl_plugins.estimate.density import Density, density_of
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.labelled import ByNames, Labelled, by_names_of, check_events, labelled, listed
from kl_plugins.parameters.labels import has_names
from kl_plugins.plugins.pytensor.dims import RandomWithNames, in_order, random_itself
from kl_plugins.plugins.pytensor.functions_by_name import (
    FunctionWithNames,
    function_with_names,
    random_by_name,
)
from kl_plugins.plugins.pytensor.graph import random_with_names
from kl_plugins.plugins.pytensor.not_random import not_random
from kl_plugins.plugins.pytensor.open_model import differs_from_open_model
from kl_plugins.plugins.pytensor.random_variables import name_of_class
from kl_plugins.recognition import as_written, is_symbolic, recognise

Names = tuple[Hashable, ...]


class Argument(NamedTuple):
    """A parameter that has names: a variable, or an array of xarray, which is numbers."""

    side: str
    called: str
    value: Any
    core_dims: Names

    @property
    def dims(self) -> Names:
        return tuple(self.value.dims)

    @property
    def batch_dims(self) -> Names:
        return tuple(name for name in self.dims if name not in self.core_dims)

    def length(self, name: Hashable) -> int | None:
        """The length of a dimension; None where it is not known before the graph runs."""
        shape = self.value.type.shape if isinstance(self.value, XTensorVariable) else self.value.shape
        known: int | None = shape[self.dims.index(name)]
        return known

    def coordinates(self, name: Hashable) -> Any:
        """The coordinates along a dimension, which only xarray knows."""
        return getattr(self.value, "indexes", {}).get(name)

    def in_order(self, dims: Names) -> Any:
        """Without names: the batch dimensions in this order, of length 1 where there is none of that name."""
        if isinstance(self.value, XTensorVariable):
            return in_order(self.value, dims, self.core_dims)
        own = [name for name in dims if name in self.dims]
        shape = [self.length(name) if name in own else 1 for name in dims if own]
        core = [self.length(name) for name in self.core_dims]
        return self.value.transpose(*own, *self.core_dims).values.reshape(*shape, *core)

    def __str__(self) -> str:
        return f"{self.called} of {self.side}" if self.called else self.side


def compute(
    function: Callable[..., Any],
    sides: Mapping[str, object],
    found: Mapping[str, Labelled | None],
    names: tuple[str, ...],
) -> Any:
    """What the function makes of the sides, as variables with the dimensions of both."""
    plain, dims = _without_names(sides, found)
    results = function(*plain)
    several = results if isinstance(results, tuple) else (results,)
    made = tuple(
        xtensor_from_tensor(result, dims=dims, name=name) for result, name in zip(several, names, strict=True)
    )
    return made if isinstance(results, tuple) else made[0]


def stand_ins(sides: Mapping[str, object], found: Mapping[str, Labelled | None]) -> tuple[object, ...]:
    """The sides without names, as graphs that nothing runs."""
    return _without_names(sides, found)[0]


def _without_names(
    sides: Mapping[str, object], found: Mapping[str, Labelled | None]
) -> tuple[tuple[object, ...], Names]:
    """The sides as a function of positions takes them, and the dimensions that these are of."""
    arguments = {side: _arguments(side, obj, found[side]) for side, obj in sides.items()}
    _check(arguments, found)
    dims = tuple(
        dict.fromkeys(name for side, obj in sides.items() for name in _batch_dims(obj, arguments[side]))
    )
    return tuple(_rebuilt(obj, found[side], arguments[side], dims) for side, obj in sides.items()), dims


def _batch_dims(obj: object, arguments: Mapping[int, Argument]) -> Iterator[Hashable]:
    """Those of a side, in its order."""
    taken = _taken_apart(obj)
    if taken is not None:
        return (name for name in obj.type.dims if name not in taken.event_dims)  # type: ignore[attr-defined]
    return (name for one in arguments.values() for name in one.batch_dims)


def _taken_apart(obj: object) -> Any:
    return random_with_names(obj) if isinstance(obj, XTensorVariable) else None


def _rebuilt(obj: object, part: Labelled | None, arguments: Mapping[int, Argument], dims: Names) -> object:
    """A side without names, its batch dimensions in this order."""
    if part is None:
        return obj
    return part.rebuild(
        *[arguments[i].in_order(dims) if i in arguments else value for i, value in enumerate(part.values)]
    )


def _arguments(side: str, obj: object, part: Labelled | None) -> dict[int, Argument]:
    """The parameters of a side that have names, by their places; an error for what cannot go beside them."""
    if part is None:
        _check_batch(side, obj)
        return {}
    arguments = {}
    for place, (called, value, core) in enumerate(zip(part.called, part.values, part.core_dims, strict=True)):
        if not has_names([value]):
            _check_plain(side, called, value, core)
            continue
        _check_kind(side, called, value)
        if missing := [name for name in core if name not in value.dims]:
            raise ValueError(
                f"{side}: {called} has no dimension {listed(missing)}, only {listed(value.dims)}"
            )
        arguments[place] = Argument(side, called, value, core)
    return arguments


def _check_kind(side: str, called: str, value: Any) -> None:
    """TypeError where an array of xarray cannot go into a graph."""
    if not hasattr(value, "dtype"):
        raise TypeError(f"{side}: {called} must be one array, got {type(value).__name__}")
    if not all(isinstance(name, str) for name in value.dims):
        raise TypeError(f"{side}: {called} has dimensions {value.dims}: their names must be text in a graph")


def _check_plain(side: str, called: str, value: Any, core: Names) -> None:
    """ValueError where a parameter without names has more dimensions than those of an event."""
    ndim = np.ndim(value)
    if ndim > len(core):
        raise ValueError(
            f"{side}: {called} has {ndim} dimensions without names, beside parameters that have them, and "
            "nothing goes by position there: give it names, pymc.dims.as_xtensor(values, dims=...)"
        )


def _check_batch(side: str, obj: object) -> None:
    """ValueError where a side without names is a batch."""
    try:
        made: Distribution = recognise(obj)
    except (TypeError, ValueError, NotImplementedError):
        return  # which is said when it is computed with
    if made.batch_shape:
        raise ValueError(
            f"{side} is a batch of shape {made.batch_shape} without names of dimensions, beside a side "
            "that has them, and nothing goes by position there: make it of pymc.dims, or of parameters with "
            "names, pymc.dims.as_xtensor(values, dims=...)"
        )


def _check(arguments: Mapping[str, Mapping[int, Argument]], found: Mapping[str, Labelled | None]) -> None:
    """ValueError where dimensions of the sides do not go together."""
    every = [one for parts in arguments.values() for one in parts.values()]
    check_events(every, found)
    for one, other in combinations(every, 2):
        for name in one.dims:
            if name in other.dims:
                _check_along(name, one, other)
    for one in every:
        for name in one.dims:
            _check_in_model(name, one)


def _check_along(name: Hashable, one: Argument, other: Argument) -> None:
    """ValueError where two parameters certainly differ along a dimension."""
    lengths = one.length(name), other.length(name)
    if 1 in lengths and name in one.core_dims and name in other.core_dims:
        return  # as the scale of pmd.ZeroSumNormal has, one for all: event shapes are looked at later
    if None not in lengths and lengths[0] != lengths[1]:
        raise ValueError(
            f"{one} and {other} have different lengths along {name!r}, {lengths[0]} and {lengths[1]}"
        )
    indexes = one.coordinates(name), other.coordinates(name)
    if all(index is not None for index in indexes) and not indexes[0].equals(indexes[1]):
        raise ValueError(
            f"{one} and {other} have different coordinates along {name!r}, in value or order: align them "
            "first, for example with xarray.align"
        )


def _check_in_model(name: Hashable, one: Argument) -> None:
    """ValueError where an array has other coordinates than the open model, which variables have."""
    index = one.coordinates(name)
    if index is not None and differs_from_open_model(index, name):
        raise ValueError(
            f"{one} and the model have different coordinates along {name!r}, in value or order: take the "
            f"array in the order of the model, array.sel({{{name!r}: list(model.coords[{name!r}])}}), or "
            f"array.drop_vars({name!r}) where they mean the same"
        )


@random_with_names.register(XTensorVariable)
def _(variable: Any) -> RandomWithNames | None:
    """A random variable, or a function of one."""
    return random_itself(variable) or function_with_names(variable)


_BY_NAMES = ByNames(compute, stand_ins, symbolic=True)


@by_names_of.register(XTensorVariable)
def _(value: object) -> ByNames:
    return _BY_NAMES


@labelled.register(XTensorVariable)
def _(variable: Any) -> Labelled | None:
    taken = random_with_names(variable)
    if taken is None:
        return None
    core = tuple(dict.fromkeys(name for dims in taken.core_dims for name in dims))
    return Labelled(
        taken.values,
        taken.cores,
        ("",) * len(taken.values),  # within a variable they go together
        taken.rebuild,
        event_dims=taken.event_dims or core,
    )


@recognise.register(XTensorVariable)
def _(variable: Any) -> Distribution:
    if _is_censored(variable.owner):
        raise no_closed_form_of_one("a censored variable (pmd.Censored)")
    taken = random_with_names(variable)
    if taken is not None and not taken.parameters:
        return recognise(taken.ordinary(taken.batch_dims))
    if taken is not None:
        raise HasNames(
            "the dimensions of variables of pymc.dims have names, which only kl, jeffreys, entropy, "
            "cross_entropy, explain and independent go by: make it of PyMC's ordinary variables, such as "
            "pm.Normal.dist"
        )
    sources = random_by_name(variable)
    what = "a function of several random variables ({})" if len(sources) > 1 else ""
    raise not_random(variable, what, of="pmd", sources=sources)


def _is_censored(node: Apply | None) -> bool:
    """Whether a node clips a random variable."""
    if node is None or not (isinstance(node.op, XElemwise) and isinstance(node.op.scalar_op, Clip)):
        return False
    return isinstance(getattr(node.inputs[0].owner, "op", None), XRV)


@as_written.register(XTensorVariable)
def _(variable: Any) -> str:
    taken = random_with_names(variable)
    if isinstance(taken, FunctionWithNames):
        return as_written(taken.ordinary(taken.batch_dims))
    return str(variable) if taken is None else f"pmd.{name_of_class(taken.op)}"


@is_symbolic.register(XTensorVariable)
def _(variable: Any) -> bool:
    taken = random_with_names(variable)
    return taken is not None and is_symbolic(taken.ordinary(taken.batch_dims))


@density_of.register(XTensorVariable)
def _(variable: Any) -> Density:
    taken = random_with_names(variable)
    if taken is None:
        raise TypeError(f"{variable} is not a random variable")
    if variable.type.dims:
        raise HasNames
    return density_of(taken.ordinary(()))
