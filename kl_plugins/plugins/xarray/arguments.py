"""What is handed to ``xarray.apply_ufunc``: parameters that have names, looked at before anything runs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from kl_plugins.labelled import Labelled, check_events, listed
from kl_plugins.ops import backend_of
from kl_plugins.recognition import recognise


class Argument(NamedTuple):
    """A parameter that has names."""

    side: str
    called: str
    place: int
    array: xr.DataArray
    core_dims: tuple[Hashable, ...]

    def __str__(self) -> str:
        return f"{self.called} of {self.side}"

    @property
    def lazy(self) -> bool:
        return self.array.chunks is not None

    @property
    def batch_dims(self) -> tuple[Hashable, ...]:
        return tuple(dim for dim in self.array.dims if dim not in self.core_dims)

    def with_private_dims(self, part: Labelled) -> Argument:
        """The same with names of its own for what is inside of a side, such as the factors of a matrix."""
        shared = {*part.event_dims, *(column for _, column in part.columns)}
        names = {dim: f"{dim} of {self.side}" for dim in self.core_dims if dim not in shared}
        if not names:
            return self
        core_dims = tuple(names.get(dim, dim) for dim in self.core_dims)
        return self._replace(array=self.array.rename(names), core_dims=core_dims)

    def stand_in(self, found: Mapping[str, Labelled | None], number: float) -> xr.DataArray:
        """An array of no batch, nothing is computed for it: a number, or what a vector or matrix may be."""
        part = found[self.side]
        assert part is not None
        sizes = {dim: self.array.sizes[dim] for dim in self.core_dims}
        shape = [size for dim, size in sizes.items() if dim not in part.repeated]
        array = np.asarray(number)
        if shape:
            array = np.eye(shape[0], shape[1]) if len(shape) == 2 else np.full(shape, 1.0 / shape[0])
        return xr.DataArray(np.broadcast_to(array, tuple(sizes.values())), dims=self.core_dims)


def arguments_of(sides: Mapping[str, object], found: Mapping[str, Labelled | None]) -> list[Argument]:
    """All parameters that have names; an error for what cannot go beside them."""
    arguments = []
    for side, obj in sides.items():
        part = found[side]
        if part is None:
            _check_side(side, obj)
            continue
        for place, (called, value, core) in enumerate(
            zip(part.called, part.values, part.core_dims, strict=True)
        ):
            if isinstance(value, xr.DataArray | xr.Variable | xr.Dataset):
                argument = Argument(side, called, place, _checked(side, called, value, core), core)
                arguments.append(argument.with_private_dims(part))
            else:
                _check_plain(side, called, value, core)
    return arguments


def _checked(side: str, called: str, value: Any, core: tuple[Hashable, ...]) -> xr.DataArray:
    """The parameter as a DataArray; an error where nothing can be computed with it."""
    what = f"{side}: {called}"
    if isinstance(value, xr.Dataset):
        names = ", ".join(map(repr, list(value.data_vars)[:5]))
        raise TypeError(f"{what} must be one array, not a Dataset: pass one of its variables ({names})")
    array = value if isinstance(value, xr.DataArray) else xr.DataArray(value.to_base_variable())
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{what} must be real numbers, got dtype {array.dtype}: convert it with .astype(float)"
        )
    for dim in array.dims:
        if array.dims.count(dim) > 1:
            raise ValueError(f"{what} has the dimension {dim!r} twice: give one of them another name")
    for dim in core:
        if dim not in array.dims:
            raise ValueError(f"{what} has no dimension {dim!r}, only {listed(array.dims)}")
    if array.chunks is None:
        return array
    for dim, chunks in zip(array.dims, array.chunks, strict=True):
        if any(length != length for length in chunks):
            raise ValueError(
                f"{what} has chunks of unknown sizes along {dim!r}: compute them first, with "
                ".compute_chunk_sizes() of the Dask array"
            )
        if dim in core and len(chunks) > 1:
            raise ValueError(
                f"{what} is in {len(chunks)} chunks along {dim!r}, which belongs to an event: make it one, "
                f"with .chunk({{{dim!r}: -1}})"
            )
    return array


_NAMED = "give names to what is an array, xarray.DataArray(values, dims=...)"


def without_batch(value: Any, core_ndim: int) -> Any:
    """A value without names; of one that has batch dimensions these have one member, and are left out."""
    shape = np.shape(value)
    return value if len(shape) == core_ndim else np.reshape(value, shape[len(shape) - core_ndim :])


def _check_plain(side: str, called: str, value: Any, core: tuple[Hashable, ...]) -> None:
    """TypeError or ValueError where a parameter without names cannot go beside others with names."""
    if backend_of(value).symbolic:
        raise TypeError(
            f"{side}: {called} is a variable of a graph without names, beside parameters of xarray: pass the "
            ".values of these to go by position"
        )
    shape = np.shape(value)
    if prod(shape) != 1 and len(shape) != len(core):
        raise ValueError(
            f"{side}: {called} has shape {shape} and no names of dimensions, beside parameters that have "
            f"them, and nothing goes by position there: {_NAMED}"
        )


def _check_side(side: str, obj: object) -> None:
    """TypeError or ValueError where a side without names cannot go beside one with names."""
    try:
        made = recognise(obj)
    except (TypeError, ValueError, NotImplementedError):
        return  # which is said when it is computed with
    if made.ops.symbolic:
        raise TypeError(
            f"{side} is a graph whose dimensions are unnamed, beside parameters of xarray: pass the .values "
            "of these to go by position"
        )
    if prod(length or 0 for length in made.batch_shape) != 1:
        raise ValueError(
            f"{side} has batch shape {made.batch_shape} and no names of dimensions, beside a side that has "
            f"them, and nothing goes by position there: {_NAMED}"
        )


def check_together(arguments: Sequence[Argument], found: Mapping[str, Labelled | None]) -> None:
    """ValueError where dimensions of an event are not those of the other side, or of the columns."""
    check_events(arguments, found)
    for argument in arguments:
        part = found[argument.side]
        for row, column in () if part is None else part.columns:
            _check_columns(argument, row, column)


def _check_columns(argument: Argument, row: Hashable, column: Hashable) -> None:
    """ValueError where rows and columns of a matrix are the same variables in another order."""
    indexes, sizes = argument.array.indexes, argument.array.sizes
    if row not in indexes or column not in indexes or indexes[row].equals(indexes[column]):
        return
    remedy = "bring the columns into the order of the rows"
    for dim in argument.batch_dims:
        if sizes[dim] == sizes[row] and (dim not in indexes or indexes[dim].equals(indexes[row])):
            remedy = f"are these along {dim!r}, dims=({row!r}, {dim!r})?"
    raise ValueError(
        f"{argument.side}: {argument.called} has other coordinates along {column!r} than along {row!r}, "
        f"which are the same variables: {remedy}"
    )
