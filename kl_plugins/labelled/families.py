"""Our own distributions of parameters with named dimensions, and which of these belong to an event."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

from kl_plugins.covariance.composite import Composite
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.covariance.markov import Autoregressive
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.labelled.computing import Labelled, dims_of, labelled
from kl_plugins.ops.named import BY_NAME
from kl_plugins.parameters.parametrised import Parametrised


class _Value(NamedTuple):
    """A parameter of a distribution or of one of its parts."""

    holder: Parametrised
    called: str
    value: Any
    core_ndim: int

    @property
    def dims(self) -> tuple[Hashable, ...]:
        return dims_of(self.value)


@labelled.register(Distribution)
def _(obj: Any) -> Labelled | None:
    if obj.__dict__.get("ops") is not BY_NAME:
        return None
    values = list(_values(obj))
    event, column = _event(obj, values)
    _check_columns(values, event, column)
    tall = LowRank | Autoregressive
    square = event and any(one.core_ndim == 2 and not isinstance(one.holder, tall) for one in values)
    mold = _mold(obj)
    return Labelled(
        tuple(one.value for one in values),
        tuple((*event, *column, None, None)[: one.core_ndim] for one in values),
        tuple(one.called for one in values),
        lambda *arrays: _remade(mold, iter(arrays)),
        event_dims=event,
        columns=((*event, *column)[:2],) if square and len(event + column) > 1 else (),  # type: ignore[arg-type]
    )


def _values(obj: Parametrised) -> Iterator[_Value]:
    """All parameters, in the order in which `_remade` takes them."""
    for name, stated in obj.parameters.items():
        yield _Value(obj, stated.called, getattr(obj, name), stated.core_ndim)
    for component in obj.components():
        yield from _values(component)


def _mold(obj: Any) -> Any:
    """The same without parameters, so that what is made of it later holds none of these."""
    state = obj.__getstate__() | dict.fromkeys(obj.parameters) | obj.parts_by(_mold)
    if isinstance(obj, MultivariateNormal):
        state["dims"] = None
    return obj.unchecked(BY_NAME, **state, labels=None)


def _remade(mold: Any, arrays: Iterator[Any]) -> Any:
    """One of these arrays."""
    state = {name: next(arrays) for name in mold.parameters}
    return mold.remade(**state, **mold.parts_by(lambda part: _remade(part, arrays)))


def _event(obj: Any, values: list[_Value]) -> tuple[tuple[Hashable, ...], tuple[Hashable, ...]]:
    """The dimensions of an event, and that of the columns of a covariance, where these have names.

    ValueError where it is not certain which they are.
    """
    named = [one for one in values if one.core_ndim and one.dims]
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
    event = set(named[0].dims).intersection(*[one.dims for one in named])
    columns = {dim for one in named if one.core_ndim == 2 for dim in one.dims} - event
    if len(event) != 1 or len(columns) > 1:
        raise ValueError(
            f"which dimensions belong to an event is not certain of {_listed(named)}: name that of the "
            "variables, and of the columns of a matrix, MultivariateNormal(..., dims=(row, column))"
        )
    return tuple(event), tuple(columns)


def _check_columns(values: list[_Value], event: tuple[Hashable, ...], column: tuple[Hashable, ...]) -> None:
    """ValueError where a matrix has a dimension of rows and none of columns."""
    for one in values:
        if one.core_ndim == 2 and one.dims and event and len(event + column) < 2:
            others = [dim for dim in one.dims if dim not in event]
            remedy = "it has none of its columns"
            if others:
                remedy = f"give that of its columns, too, dims=({event[0]!r}, {others[-1]!r})"
            raise ValueError(
                f"{one.called} has dimensions {one.dims}, of which {event[0]!r} is that of its rows: {remedy}"
            )


def _event_of_one(obj: Any, named: list[_Value]) -> tuple[Hashable, ...]:
    """The dimensions of those parameters that have no others; ValueError where one has."""
    event = max((one.dims for one in named), key=len)
    for one in named:
        if len(one.dims) != one.core_ndim or one.dims != event[: one.core_ndim]:
            raise ValueError(
                f"which dimensions belong to an event of {obj.describe()} is uncertain in {_listed(named)}; "
                "it takes no batches by name: pass .values"
            )
    return event


def _listed(named: list[_Value]) -> str:
    return ", ".join(f"{one.called} {one.dims}" for one in named)
