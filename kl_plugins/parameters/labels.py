"""Labels of parameters: pandas', held against each other where NumPy goes by position; named dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from kl_plugins.errors import HasNames
from kl_plugins.ops.protocol import Array

_plain: set[type] = {float, int}
"""Types of which it is known that they have no labels."""


class Axis(NamedTuple):
    """One axis of a parameter that has labels."""

    names: tuple[Any, ...]
    """What it may be called: a matrix has two names for one. Empty where it has none."""

    length: int
    index: Any
    """The labels along it, a pandas.Index, or None."""

    array: str
    """The parameter, for messages, and its dimensions."""

    dims: tuple[Any, ...]


class Labels(NamedTuple):
    """The labelled axes of a distribution, counted from the last one; None where an axis has no labels."""

    batch: tuple[Axis | None, ...]
    event: tuple[Axis | None, ...]


def are_plain(values: Sequence[Array]) -> bool:
    """Whether none of the values has labels."""
    if _plain.issuperset(map(type, values)):
        return True
    kinds = set(map(type, values))
    labelled = {kind for kind in kinds if _has_named_dimensions(kind) or _axes_of_kind(kind) is not None}
    _plain.update(kinds - labelled)
    return not labelled


def labels_of(given: Iterable[tuple[str, Any, int]]) -> Labels | None:
    """Those of parameters, each with its name and how many of its dimensions belong to the event.

    ValueError where two of them would be broadcast by position and not by their labels.
    """
    found: Labels | None = None
    for name, value, core in given:
        axes_of = _axes_of_kind(type(value))
        if axes_of is None:
            continue
        axes = axes_of(value, name)
        batch, event = axes[: len(axes) - core], axes[len(axes) - core :]
        if len(event) == 2:  # rows and columns of a square matrix are the same variables
            rows, columns = event
            columns = columns if columns.length == rows.length else rows
            index = columns.index if rows.index is None else rows.index
            event = (rows._replace(names=rows.names + columns.names, index=index),)
        found = joined(found, Labels(tuple(reversed(batch)), tuple(reversed(event))))
    return found


def labels_of_parameters(given: dict[str, Any]) -> Labels | None:
    """Those of univariate distributions, by the names of the parameters."""
    return labels_of((name, value, 0) for name, value in given.items())


def joined(first: Labels | None, second: Labels | None, sides: tuple[str, str] = ("", "")) -> Labels | None:
    """Those of both; ValueError where they differ in a place, or one name is in two places."""
    if first is None or second is None:
        return first or second
    parts = [
        tuple(_same(*pair, sides) for pair in zip_longest(mine, others))
        for mine, others in zip(first, second, strict=True)
    ]
    for place, axis in _named(first):
        for elsewhere, other in _named(second):
            if place != elsewhere and set(axis.names) & set(other.names):
                raise _different(axis, other, sides)
    return Labels(*parts)


def moved_to_event(labels: Labels | None, ndims: int) -> Labels | None:
    """Those left when the last `ndims` batch dimensions become the first dimensions of the event."""
    if labels is None or not ndims:
        return labels
    taken = labels.batch[:ndims]
    return Labels(labels.batch[ndims:], (*labels.event, *taken))


def only_batch(labels: Labels | None) -> Labels | None:
    return labels and Labels(labels.batch, ())


def _named(labels: Labels) -> list[tuple[tuple[int, int], Axis]]:
    return [
        ((part, place), axis)
        for part, axes in enumerate(labels)
        for place, axis in enumerate(axes)
        if axis is not None
    ]


def _same(one: Axis | None, other: Axis | None, sides: tuple[str, str]) -> Axis | None:
    """What is known of an axis from both."""
    if one is None or other is None:
        return one or other
    common = tuple(name for name in one.names if name in other.names)
    if one.names and other.names and len(common) < min(len(one.names), len(other.names)):
        raise _different(one, other, sides)
    along = f" along {common[0]!r}" if common else ""
    if one.index is not None and other.index is not None and not one.index.equals(other.index):
        raise _unaligned(f"{_called(one, other, sides)} have different labels{along}, in value or order")
    if common and one.length != other.length:
        lengths = f"lengths{along}, {one.length} and {other.length}"
        raise _unaligned(f"{_called(one, other, sides)} have different {lengths}")
    known = one if other.index is None else other
    return known._replace(names=common or one.names or other.names)


def _different(one: Axis, other: Axis, sides: tuple[str, str]) -> ValueError:
    return ValueError(
        f"{_called(one, other, sides)} have different dimensions, {_listed(one.dims)} and "
        f"{_listed(other.dims)}, which would be broadcast by position: pass their .values to go by "
        "position, or xarray.DataArray(...) of them to go by the names of dimensions"
    )


def _unaligned(what: str) -> ValueError:
    return ValueError(
        f"{what}: align them first (Series.align in pandas), or pass their .values to go by position"
    )


def _called(one: Axis, other: Axis, sides: tuple[str, str]) -> str:
    first, second = (f" of {side}" if side else "" for side in sides)
    return f"{one.array}{first} and {other.array}{second}"


def _listed(dims: tuple[Any, ...]) -> str:
    return "(" + ", ".join(map(str, dims)) + ")"


def has_names(values: Sequence[Array]) -> bool:
    """Whether the dimensions of any of the values have names, as those of xarray's arrays have."""
    return not are_plain(values) and any(map(_has_named_dimensions, map(type, values)))


def _has_named_dimensions(kind: type) -> bool:
    """Known by what it offers, as its library need not be there."""
    return hasattr(kind, "dims") and hasattr(kind, "transpose")


def _axes_of_kind(kind: type) -> Callable[[Array, str], tuple[Axis, ...]] | None:
    """What finds the axes of objects of a class that has labels; known by what it offers, not imported.

    HasNames where these are names of dimensions: nothing of such values goes by position.
    """
    if kind in _plain or kind.__module__ in ("builtins", "numpy"):
        return None
    if _has_named_dimensions(kind):
        raise HasNames
    if hasattr(kind, "axes") and hasattr(kind, "reindex"):  # pandas' series and frames
        return _axes_of_pandas
    return None


def _axes_of_pandas(value: Any, name: str) -> tuple[Axis, ...]:
    dims = tuple(index.name or "index" for index in value.axes)
    return tuple(
        Axis(() if index.name is None else (index.name,), len(index), index, name, dims)
        for index in value.axes
    )
