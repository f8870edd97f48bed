"""Tables with labels: xarray's arrays of the divergences of what has keys, or named dimensions."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kl_plugins.families.core.stacking import as_batch
from kl_plugins.labelled import labelled_side, whose_names
from kl_plugins.matching import recognised
from kl_plugins.pairwise.collections import Keys, Named, collected, listed
from kl_plugins.pairwise.numbers import numbers
from kl_plugins.pairwise.singly import NO_GRAPHS, Found
from kl_plugins.plugins.xarray.batches import Batch, apart, labelled_sides
from kl_plugins.plugins.xarray.tables import coordinates_of, table

if TYPE_CHECKING:
    from xarray import DataArray


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


def of_sides(sides: Mapping[str, Any], keyed: Sequence[Named | None], found: Found) -> DataArray:
    """The table of two sides, one of which at least has keys or named dimensions."""
    batches = _batches(sides)
    p, q = sides.values()
    lazy = any(batch is not None and batch.lazy for batch in batches)
    if q is p:  # errors call it as it was given
        batches = [batches[0], batches[1] and batches[1].called("ps")]
    first = _side(p, keyed[0], batches[0], "p", (), lazy)
    second = _side(q, keyed[1], batches[1], "q", {*first.dims, *first.coordinates}, lazy)
    if q is p and not lazy:
        second = second._replace(given=first.given)
    if lazy:
        from kl_plugins.pairwise.chunked import table as of_chunks

        values = of_chunks(_batch(first, "ps"), _batch(second, "qs"), found.missing, found.random_state)
    else:
        flat = numbers(first.given, second.given, found, (first.keys, second.keys), second.sample)
        shapes = zip((first.shape, second.shape), flat.shape, strict=True)
        values = flat.reshape([n for shape, count in shapes for n in ((count,) if shape is None else shape)])
    labelled = table(values, (*first.dims, *second.dims), first.coordinates, second.coordinates)
    found.warn(f"{labelled.size} pairs", 3)
    return labelled


def _batches(sides: Mapping[str, Any]) -> list[Batch | None]:
    """What has named dimensions of each side; None for a side that has none, or is no single object."""
    named = any(labelled_side(side, name) is not None for name, side in sides.items())
    if named and whose_names(sides)[0].symbolic:
        raise TypeError(NO_GRAPHS)
    return list(labelled_sides(sides, recognised).values())


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
    return Side(keyed.distributions, (dim,), None, coordinates_of(keyed.keys, dim), list(keyed.keys), None)


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
