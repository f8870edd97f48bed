"""Tables of divergences with labels: arrays of xarray, of what has keys or named dimensions."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from pandas import CategoricalIndex, Index, MultiIndex
from xarray import Coordinates, DataArray

from kl_plugins.plugins.xarray.batches import apart
from kl_plugins.plugins.xarray.by_names import described


def table(values: Any, dims: tuple[Hashable, ...], coordinates_of_p: Any, coordinates_of_q: Any) -> DataArray:
    """The divergences as an array with the dimensions and the coordinates of both sides."""
    found = DataArray(values, dims=dims).assign_coords(coordinates_of_p)
    return described(_with_those_of_q(found, coordinates_of_q), "kl")


def _with_those_of_q(table: DataArray, coordinates: Any) -> DataArray:
    """The table with the coordinates of q, of which those that p has, too, get the suffix.

    Of one without dimensions nothing says whose it is: it is kept where both have the same value.
    """
    if not isinstance(coordinates, Coordinates):
        return table.assign_coords(coordinates)
    held = coordinates.to_dataset()
    alone = {
        name for name in held.coords if name in table.coords and not (held[name].ndim or table[name].ndim)
    }
    differ = [
        name
        for name in alone
        if not held[name].variable.equals(table[name].variable)  # type: ignore[no-untyped-call]
    ]
    own = [name for name in held.coords if name not in alone and name not in held.dims]
    names = apart(own, {*table.dims, *table.coords}, held.coords)
    return table.drop_vars(differ).assign_coords(held.drop_vars(alone).rename(names).coords)


def coordinates_of(keys: Any, dim: Hashable) -> Any:
    """The coordinates of a dimension; keys of several parts, as a pandas.MultiIndex has, are levels."""
    index = keys if isinstance(keys, Index) else Index(keys)
    if not isinstance(index, MultiIndex):
        labels = index.to_list()
        if all(isinstance(label, str) for label in labels):  # of categories, too: such arrays can be saved
            return {dim: labels}
        return {dim: (Index(labels) if isinstance(index, CategoricalIndex) else index).rename(dim)}
    names = [f"{dim}_{i if name is None else name}" for i, name in enumerate(index.names)]
    return Coordinates.from_pandas_multiindex(index.rename(names), dim)
