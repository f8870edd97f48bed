"""Tables with labels: xarray's arrays of the divergences of what has keys, or named dimensions."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pandas import CategoricalIndex, Index, MultiIndex
from xarray import Coordinates, DataArray

from kl_plugins.pairwise.collections import Keys, Named, collected, listed
from kl_plugins.pairwise.labelled import Batch, apart
from kl_plugins.pairwise.numbers import numbers
from kl_plugins.pairwise.singly import Found
from kl_plugins.pairwise.stacking import as_batch

_SIDES = "p", "q"


class Side(NamedTuple):
    """A side of a table."""

    given: Any
    """A sequence of distributions, or one batch; or what makes one of chunks."""

    dims: tuple[Hashable, ...]
    shape: tuple[int, ...] | None
    """None where it has the one dimension of a list, of whatever length."""

    coordinates: Any
    keys: Keys
    sample: NDArray[np.intp] | None


def of_sides(
    sides: Sequence[Any], keyed: Sequence[Named | None], batches: Sequence[Batch | None], found: Found
) -> DataArray:
    """The table of two sides, one of which at least has keys or named dimensions."""
    lazy = any(batch is not None and batch.lazy for batch in batches)
    if sides[1] is sides[0]:  # errors call it as it was given
        batches = [batches[0], batches[1] and batches[1].called("ps")]
    first = _side(sides[0], keyed[0], batches[0], "p", (), lazy)
    second = _side(sides[1], keyed[1], batches[1], "q", {*first.dims, *first.coordinates}, lazy)
    if sides[1] is sides[0] and not lazy:
        second = second._replace(given=first.given)
    if lazy:
        from kl_plugins.pairwise.chunked import table as of_chunks

        values = of_chunks(_batch(first, "ps"), _batch(second, "qs"), found.missing, found.random_state)
    else:
        flat = numbers(first.given, second.given, found, (first.keys, second.keys), second.sample)
        shapes = zip((first.shape, second.shape), flat.shape, strict=True)
        values = flat.reshape([n for shape, count in shapes for n in ((count,) if shape is None else shape)])
    attrs = {"long_name": "Kullback-Leibler divergence", "units": "nats"}
    table = DataArray(values, dims=(*first.dims, *second.dims), name="kl", attrs=attrs)
    table = table.assign_coords(first.coordinates)
    table = _with_those_of_q(table, second.coordinates)
    found.warn(f"{table.size} pairs", 3)
    return table


def _side(
    side: Any, keyed: Named | None, batch: Batch | None, name: str, taken: Collection[Hashable], lazy: bool
) -> Side:
    """A side, whose one dimension is called by the `name` if it has no other; `taken` are the names of p."""
    if batch is not None:
        batch = batch.beside(taken)
        given = batch if lazy else batch.made()
        return Side(given, batch.recipe.dims, batch.sizes, batch.coordinates, None, batch.flat_sample())
    dim = name if keyed is None else _dim(keyed, name)
    dim = apart([dim], taken, ()).get(dim, dim)
    if keyed is None:
        return Side(listed(side), (dim,), None, {}, None, None)
    return Side(keyed.distributions, (dim,), None, _coordinates(keyed.keys, dim), list(keyed.keys), None)


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


def _batch(side: Side, name: str) -> Any:
    """A side as one batch, of which chunks can be made."""
    if isinstance(side.given, Batch):
        return side.given
    batch = as_batch(collected(side.given, name, side.keys))
    if batch is None:
        raise TypeError(
            f"{name}: beside Dask arrays the distributions of a side have to be of one family and structure: "
            "compare those of each by itself"
        )
    return batch


def _dim(one: Named, side: str) -> Hashable:
    """What the dimension of a side is called: by the name of its pandas.Index, if it has one."""
    name = getattr(one.keys, "name", None)
    return side if name is None else str(name)


def _coordinates(keys: Any, dim: Hashable) -> Any:
    """The coordinates of a dimension; keys of several parts, as a pandas.MultiIndex has, are levels."""
    index = keys if isinstance(keys, Index) else Index(keys)
    if not isinstance(index, MultiIndex):
        labels = index.to_list()
        if all(isinstance(label, str) for label in labels):  # of categories, too: such arrays can be saved
            return {dim: labels}
        return {dim: (Index(labels) if isinstance(index, CategoricalIndex) else index).rename(dim)}
    names = [f"{dim}_{i if name is None else name}" for i, name in enumerate(index.names)]
    return Coordinates.from_pandas_multiindex(index.rename(names), dim)
