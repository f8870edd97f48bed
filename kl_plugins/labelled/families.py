"""Our own distributions of parameters with named dimensions, and which of these belong to an event."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

from kl_plugins.covariance.composite import Composite
from kl_plugins.covariance.full import Full
from kl_plugins.covariance.precision import Precision
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.labelled.computing import Labelled, labelled
from kl_plugins.ops.named import BY_NAME
from kl_plugins.parameters.labels import has_names
from kl_plugins.parameters.parametrised import Parametrised


class _Value(NamedTuple):
    """A parameter of a distribution or of one of its parts."""

    holder: Parametrised
    called: str
    value: Any
    core_ndim: int

    @property
    def dims(self) -> tuple[Hashable, ...] | None:
        return tuple(self.value.dims) if has_names([self.value]) else None


@labelled.register(Distribution)
def _(obj: Any) -> Labelled | None:
    if obj.__dict__.get("ops") is not BY_NAME:
        return None
    values = list(_values(obj))
    event, column = _event(obj, values)
    cores = tuple(_core_dims(one, event, column) for one in values)
    square = any(isinstance(one.holder, Full | Precision) for one in values)
    return Labelled(
        tuple(one.value for one in values),
        cores,
        tuple(one.called for one in values),
        lambda *arrays: _remade(obj, iter(arrays)),
        event_dims=event,
        columns=tuple(zip(event, column, strict=False)) if square else (),
    )


def _values(obj: Parametrised) -> Iterator[_Value]:
    """All parameters, in the order in which `_remade` takes them."""
    for name, stated in obj.parameters.items():
        yield _Value(obj, stated.called, getattr(obj, name), stated.core_ndim)
    for component in obj.components():
        yield from _values(component)


def _remade(obj: Any, arrays: Iterator[Any]) -> Any:
    """The same of other arrays."""
    state: dict[str, Any] = {name: next(arrays) for name in obj.parameters}
    if isinstance(obj, MultivariateNormal):
        state["dims"] = None
    return obj.remade(**state | obj.parts_by(lambda part: _remade(part, arrays)))


def _event(obj: Any, values: list[_Value]) -> tuple[tuple[Hashable, ...], tuple[Hashable, ...]]:
    """The dimensions of an event, and that of the columns of matrices, where these have names.

    ValueError where it is not certain which they are.
    """
    named = [one for one in values if one.core_ndim and one.dims is not None]
    if not named:
        return (), ()
    if not isinstance(obj, MultivariateNormal):
        return _event_of_one(obj, named), ()
    if isinstance(obj.covariance, Composite) and any(one.holder is not obj for one in named):
        raise ValueError(
            f"the variables of {obj.describe()} have no dimension in common, as each part has its own: "
            "pass .values"
        )
    if obj.dims is not None:
        return obj.dims[:1], obj.dims[1:]
    event = set(named[0].dims or ()).intersection(*[one.dims or () for one in named])
    columns = {dim for one in named if one.core_ndim == 2 for dim in one.dims or ()} - event
    if len(event) != 1 or len(columns) > 1:
        listed = ", ".join(f"{one.called} {one.dims}" for one in named)
        raise ValueError(
            f"which dimensions belong to an event is not certain of {listed}: name that of the "
            "variables, and of the columns of a matrix, MultivariateNormal(..., dims=(row, column))"
        )
    return tuple(event), tuple(columns)


def _event_of_one(obj: Any, named: list[_Value]) -> tuple[Hashable, ...]:
    """The dimensions of those parameters that have no others; ValueError where one has."""
    for one in named:
        if len(one.dims or ()) != one.core_ndim:
            raise ValueError(
                f"which dimensions belong to an event is not certain of {one.called} {one.dims} of "
                f"{obj.describe()}, which takes names where there are {one.core_ndim}: pass .values"
            )
    return max((one.dims or () for one in named), key=len)


def _core_dims(
    one: _Value, event: tuple[Hashable, ...], column: tuple[Hashable, ...]
) -> tuple[Hashable, ...]:
    """Those of a parameter; where it has no names itself, as many as it has."""
    return (*event, *column, None, None)[: one.core_ndim]
