"""Errors of arrays with names: which two do not go together, and where in a batch a parameter is invalid."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import combinations

import numpy as np
from pandas import Index
from xarray import DataArray

from kl_plugins.labelled import Labelled
from kl_plugins.plugins.xarray.arguments import Argument

_LOOKED_AT = 8
"""Members along a dimension of which it is asked whether the error depends on it."""


def misaligned(arguments: Sequence[Argument], *, exact: bool) -> ValueError | None:
    """The error for the first two parameters whose lengths differ, or coordinates.

    These have to be the same, where it is not `exact`, along the dimensions of an event: what xarray fills in
    or leaves out would be another distribution.
    """
    for one, other in combinations(arguments, 2):
        first, second = one.array, other.array
        for dim in first.dims:
            if dim not in second.dims:
                continue
            both = f"{one} and {other}"
            if dim in first.indexes and dim in second.indexes:
                strict = exact or dim in one.core_dims
                if strict and not first.indexes[dim].equals(second.indexes[dim]):
                    indexes = first.indexes[dim], second.indexes[dim]
                    remedy = _remedy(dim, *indexes, of_event=dim in one.core_dims)
                    return ValueError(
                        f"{both} have different coordinates along {dim!r}, in value or order: {remedy}"
                    )
            elif first.sizes[dim] != second.sizes[dim]:
                lengths = f"{first.sizes[dim]} and {second.sizes[dim]}"
                return ValueError(f"{both} have different lengths along {dim!r}, {lengths}")
    return None


def _remedy(dim: Hashable, first: Index, second: Index, *, of_event: bool) -> str:
    """What makes the same coordinates of these."""
    rounded = len(first) == len(second) and all(index.dtype.kind == "f" for index in (first, second))
    if rounded and np.allclose(first, second, rtol=1e-6, atol=0.0):
        same = f"a.assign_coords({{{dim!r}: b[{dim!r}]}})"
        return f"they differ by rounding alone; take those of one for both, {same}"
    if of_event:
        return (
            f"these are the variables of an event, all of which both need, in one order, "
            f"a.sel({{{dim!r}: b[{dim!r}]}}), and the columns of a matrix likewise"
        )
    if len(first) != len(second) and 1 in (len(first), len(second)):
        return f"one of the two has a single place along it: leave that out, .isel({{{dim!r}: 0}}, drop=True)"
    return (
        "align them, for example with xarray.align(..., join='inner'), or choose how in "
        "xarray.set_options(arithmetic_join='outer')"
    )


def doubt_of_columns(arguments: Sequence[Argument], found: Mapping[str, Labelled | None]) -> str:
    """Whether the columns of a matrix may be along another dimension, in words; nothing where they are not.

    They may be where the matrix is not symmetric as it is, but is with a dimension of its batch for columns.
    """
    for one in arguments:
        part = found[one.side]
        if part is None or one.lazy:
            continue
        for row, column in part.columns:
            if not {row, column} <= set(one.core_dims) or _is_symmetric(one.array, row, column):
                continue
            for dim in one.batch_dims:
                if _is_symmetric(one.array, row, dim):
                    return (
                        f"columns of {one} are along {column!r} here: are they along "
                        f"{dim!r}, dims=({row!r}, {dim!r})?"
                    )
    return ""


def _is_symmetric(array: DataArray, row: Hashable, column: Hashable) -> bool:
    """Whether matrices with such rows and columns are symmetric."""
    matrices = array.transpose(..., row, column).values
    square = matrices.shape[-1] == matrices.shape[-2]
    return square and np.allclose(matrices, np.swapaxes(matrices, -1, -2))


def with_place(
    error: ValueError, check: Callable[[Sequence[Argument]], object], arguments: Sequence[Argument]
) -> ValueError | None:
    """The error with the member of the batch that it is about, if a check of some members fails as well."""
    if type(error) not in (ValueError, np.linalg.LinAlgError):
        return None
    place: dict[Hashable, int] = {}

    def fails(dim: Hashable, part: slice) -> bool:
        chosen = {known: slice(i, i + 1) for known, i in place.items()} | {dim: part}
        try:
            check([one._replace(array=one.array.isel(chosen, missing_dims="ignore")) for one in arguments])
        except ValueError:
            return True
        return False

    sizes = {dim: one.array.sizes[dim] for one in arguments for dim in one.batch_dims}
    for dim, size in sizes.items():
        if not fails(dim, slice(None)):
            return None
        low, high = 0, size
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if fails(dim, slice(low, middle)) else (middle, high)
        place[dim] = low
    telling = [dim for dim, size in sizes.items() if _depends(fails, place, dim, size)]
    if not telling:
        return None
    where = ", ".join(_said(dim, place[dim], arguments) for dim in telling)
    return type(error)(f"{error}, at {where}")


def _depends(
    fails: Callable[[Hashable, slice], bool], place: dict[Hashable, int], dim: Hashable, size: int
) -> bool:
    """Whether the error is not everywhere along the dimension."""
    if size < 2:
        return False
    others = np.unique(np.linspace(0, size - 1, _LOOKED_AT).astype(int))
    near = {place[dim] - 1, place[dim] + 1} & set(range(size))
    return not all(fails(dim, slice(int(i), int(i) + 1)) for i in {*others.tolist(), *near})


def _said(dim: Hashable, position: int, arguments: Sequence[Argument]) -> str:
    """A place along a dimension by its label, where it has one."""
    for one in arguments:
        if dim in one.array.indexes:
            label = one.array.indexes[dim][position]
            return f"{dim}={label.item() if isinstance(label, np.generic) else label!r}"
    return f"position {position} of {dim}"
