"""Tables of Dask arrays, block by block: each chunk of a side is checked, factored and prepared once.

A chunk of the table is a chunk of p against a chunk of q. Its values have the bits of the table in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dask.array as da
import numpy as np
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.stacking import as_batch, members
from kl_plugins.ops.numpy import part_of
from kl_plugins.ops.numpy.pair_products import Side
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.pairwise.batches import Prepared, by_products, gathered_table, share_work
from kl_plugins.pairwise.singly import Found, Missing, Name, one_by_one
from kl_plugins.plugins.xarray.batches import Batch, Recipe
from kl_plugins.recognition import as_written, told_of

if TYPE_CHECKING:
    from kl_plugins.estimate.estimation import Seed

_BLOCK_BYTES = 1 << 27
"""What a block of the table takes, where a side that is in memory is cut for it."""


@dataclass(frozen=True)
class Chunk:
    """A part of a side, ready for its pairs."""

    prepared: Prepared
    shape: tuple[int, ...]
    """Of its batch."""

    shared: Side | None
    """What products of matrices need of it; None where these do not serve."""

    def __sizeof__(self) -> int:
        """Bytes, by which Dask's workers reckon."""
        shared = [] if self.shared is None else [part for part in self.shared if isinstance(part, np.ndarray)]
        return int(sum(array.nbytes for array in (*self.prepared.arrays(), *shared)))

    def kept(self) -> slice:
        """The members that it is for: one that is alone is there twice."""
        return slice(prod(self.shape))


def table(p: Batch | Distribution, q: Batch | Distribution, missing: Missing, random_state: Seed) -> da.Array:
    """The divergences, of shape (batch of p, batch of q), of two sides of which one at least is lazy."""
    pairs = prod(_shape(p)) * prod(_shape(q))
    centre = _centre(q)
    left = _chunks(p, "p", pairs, centre, _largest(q))
    right = _chunks(q, "q", pairs, centre, _largest(p))
    rows = tuple(range(left.ndim))
    columns = tuple(range(left.ndim, left.ndim + right.ndim))
    dtype = np.result_type(_dtype(p), _dtype(q))
    return da.blockwise(
        _block,
        (*rows, *columns),
        left,
        rows,
        right,
        columns,
        pairs=pairs,
        missing=missing,
        random_state=random_state,
        name=None,
        token="kl",
        dtype=dtype,
        meta=np.empty((0,) * (left.ndim + right.ndim), dtype),
        align_arrays=False,
        concatenate=True,
    )


def _shape(side: Batch | Distribution) -> tuple[int, ...]:
    return side.sizes if isinstance(side, Batch) else tuple(int(n or 0) for n in side.batch_shape)


def _dtype(side: Batch | Distribution) -> np.dtype[Any]:
    """float32 where all parameters are: numbers do not raise the precision of arrays."""
    values = (
        side.arrays if isinstance(side, Batch) else [v for v in side.values() if isinstance(v, np.ndarray)]
    )
    kinds = {value.dtype for value in values}
    return np.dtype(np.float32 if kinds == {np.dtype(np.float32)} else np.float64)


def _largest(side: Batch | Distribution) -> int:
    """The members of the largest chunk of a side that has chunks."""
    lazy = (
        [array.data for array in side.arrays if array.chunks is not None] if isinstance(side, Batch) else []
    )
    if not lazy:
        return prod(_shape(side))
    dims = side.recipe.dims if isinstance(side, Batch) else ()
    largest = dict(zip(dims, _shape(side), strict=True))
    for array in side.arrays if isinstance(side, Batch) else ():
        if array.chunks is not None:
            for dim, lengths in zip(array.dims, array.chunks, strict=True):
                if dim in largest:
                    largest[dim] = min(largest[dim], max(lengths, default=0))
    return prod(largest.values())


def _dask(side: Batch, others: int) -> list[da.Array]:
    """The parameters as Dask arrays; those in memory are cut so that blocks of the table stay small."""
    if side.lazy:
        return [
            array.data if array.chunks is not None else da.from_array(array.values, chunks=-1)
            for array in side.arrays
        ]
    most = max(1, _BLOCK_BYTES // 8 // max(1, others))
    per_dim = max(1, int(most ** (1.0 / max(1, len(side.sizes)))))
    return [
        da.from_array(
            array.values, chunks=tuple(per_dim if i < len(one.dims) else -1 for i in range(array.ndim))
        )
        for array, one in zip(side.arrays, side.recipe.parameters, strict=True)
    ]


def _indices(recipe: Recipe, arrays: Sequence[da.Array]) -> list[tuple[int, ...]]:
    """The indices of the parameters: those of the batch, then those of events, which are one chunk."""
    batch = {dim: i for i, dim in enumerate(recipe.dims)}
    found = []
    free = len(batch)
    for one, array in zip(recipe.parameters, arrays, strict=True):
        core = tuple(range(free, free + array.ndim - len(one.dims)))
        free += len(core)
        found.append((*[batch[dim] for dim in one.dims], *core))
    return found


def _blockwise(
    function: Any, recipe: Recipe, arrays: Sequence[da.Array], extra: Sequence[Any], **options: Any
) -> Any:
    """The values of a function of the arrays' blocks, objects each, one for each chunk of the batch."""
    batch = tuple(range(len(recipe.dims)))
    pairs = zip(arrays, _indices(recipe, arrays), strict=True)
    made = da.blockwise(
        function,
        batch,
        *[x for one, index in pairs for x in (one, index)],
        *extra,
        recipe=recipe,
        dtype=object,
        meta=np.empty((0,) * len(batch), object),
        concatenate=True,
        **options,
    )
    return _kept(made)


def _kept(made: da.Array) -> da.Array:
    """The same, of whose blocks Dask takes each as it is: fused into every block that needs it, it would be
    computed for each of them."""
    graph = made.dask
    layers = {**graph.layers, made.name: MaterializedLayer(dict(graph.layers[made.name]))}
    return da.Array(
        HighLevelGraph(layers, graph.dependencies),
        made.name,
        made.chunks,
        meta=made._meta,  # noqa: SLF001
    )


def _centre(q: Batch | Distribution) -> da.Array:
    """What means are counted from, one block without dimensions."""
    if not isinstance(q, Batch):
        return _single(Prepared(q).centre())
    chosen = [
        array.isel({dim: places for dim, places in q.sample.items() if dim in array.dims})
        for array in q.arrays
    ]
    arrays = [
        (one.data if one.chunks is not None else da.from_array(one.values)).rechunk(-1) for one in chosen
    ]
    recipe = q.recipe
    index = [x for one in zip(arrays, _indices(recipe, arrays), strict=True) for x in one]
    return _kept(
        da.blockwise(
            _centre_of, (), *index, recipe=recipe, dtype=object, meta=np.empty((), object), concatenate=True
        )
    )


def _single(held: Any, ndim: int = 0, count: int = 1) -> da.Array:
    """An object as an array of one block."""
    name = f"kl-held-{uuid4().hex}"
    graph = HighLevelGraph.from_collections(name, {(name, *(0,) * ndim): _Held(held)}, dependencies=())
    return da.Array(graph, name, ((count,),) * ndim, meta=np.empty((0,) * ndim, object))


@dataclass(frozen=True)
class _Held:
    """An object that is a block, whatever it is."""

    value: Any


def _chunks(side: Batch | Distribution, which: str, pairs: int, centre: da.Array, others: int) -> da.Array:
    """One Chunk for each chunk of a side."""
    if not isinstance(side, Batch):
        prepared = Prepared(side)
        return _kept(
            da.blockwise(
                _chunk_of_held,
                (0,),
                _single(prepared, 1, prepared.count),
                (0,),
                centre,
                (),
                which=which,
                pairs=pairs,
                dtype=object,
                meta=np.empty((0,), object),
                concatenate=True,
            )
        )
    return _blockwise(
        _chunk_of,
        side.recipe,
        _dask(side, others),
        (centre, ()),
        which=which,
        pairs=pairs,
        name=None,
        token=f"kl-{which}",
    )


def _centre_of(*arrays: FloatArray, recipe: Recipe) -> Any:
    if any(0 in np.shape(array) for array in arrays):
        return _Held(None)
    try:
        made = recipe.made(arrays)[0]
        prepared = Prepared(as_batch(made) or made)
    except np.linalg.LinAlgError:  # which the chunk of that member says better
        return _Held(None)
    return _Held(prepared.centre(np.arange(prepared.count)))


def _chunk_of(*arrays: Any, recipe: Recipe, which: str, pairs: int) -> Chunk:
    *blocks, centre = arrays
    try:
        made, shape = recipe.made(blocks)
        with part_of(recipe.members):
            prepared = Prepared(as_batch(made) or made)
    except np.linalg.LinAlgError as error:  # of a member by its place in the chunk
        raise told_of(error, f"{recipe.side}, in one of its chunks") from error
    return _with_shared(prepared, shape, centre.value, which, pairs)


def _chunk_of_held(held: Any, centre: Any, which: str, pairs: int) -> Chunk:
    return _with_shared(held.value, (held.value.count,), centre.value, which, pairs)


def _with_shared(prepared: Prepared, shape: tuple[int, ...], centre: Any, which: str, pairs: int) -> Chunk:
    shared = None
    if centre is not None and prepared.is_gaussian and prepared.made.event_shape == centre.shape:
        with part_of(pairs):
            shared = prepared.side_of_p(centre) if which == "p" else prepared.side_of_q(centre)
    return Chunk(prepared, shape, shared)


def _block(p: Chunk, q: Chunk, pairs: int, missing: Missing, random_state: Seed) -> FloatArray:
    """The divergences of a chunk of p from a chunk of q."""
    shape = (*p.shape, *q.shape)
    if 0 in shape:
        return np.empty(shape)
    with part_of(pairs):
        try:
            if share_work(p.prepared, q.prepared) and p.shared is not None and q.shared is not None:
                value = by_products(p.prepared, p.shared, q.prepared, q.shared)
            else:
                value = gathered_table(p.prepared, q.prepared)
        except NoClosedFormError:
            value = _each(p, q, Found(missing, random_state))
    return value[p.kept(), q.kept()].reshape(shape)


def _each(p: Chunk, q: Chunk, found: Found) -> FloatArray:
    """The pairs of a block one by one, as some have no closed form."""
    ps, qs = (members(side.prepared.made)[side.kept()] for side in (p, q))
    value = one_by_one(ps, qs, (_called(p), _called(q)), found)
    found.warn(f"{value.size} pairs of a block", 2)
    return value


def _called(side: Chunk) -> Name:
    """What errors call the members of a chunk."""
    written = as_written(side.prepared.made)
    return lambda index: f"{index} of its chunk, {written}"
