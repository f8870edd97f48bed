"""Batches whose parameters have named dimensions: flattened to be compared, and labelled again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.labelled import Labelled, labelled_of
from kl_plugins.ops.numpy import part_of
from kl_plugins.ops.numpy.pair_products import SAMPLED, sampled
from kl_plugins.plugins.xarray.arguments import Argument, arguments_of, check_together, without_batch
from kl_plugins.plugins.xarray.errors import misaligned

SUFFIX = "_bis"
"""What the second of two dimensions of one name is called by, as in ArviZ."""

Recognised = Callable[[object, str], Distribution]
"""What makes one of our distributions of a side; errors say which."""


class Parameter(NamedTuple):
    """A parameter with names: which of the values it is, its batch dimensions in order, and its own."""

    place: int
    dims: tuple[Hashable, ...]
    core_ndim: int


class Recipe(NamedTuple):
    """How the arrays of a part of a labelled batch become distributions with one batch dimension."""

    side: str
    dims: tuple[Hashable, ...]
    """The batch dimensions, in order."""

    part: Labelled
    """Without the values that have names."""

    parameters: tuple[Parameter, ...]
    members: int
    """How many the whole batch has."""

    recognised: Recognised

    def made(self, arrays: Sequence[Any]) -> tuple[Distribution, tuple[int, ...]]:
        """The distributions of these arrays of the parameters, and the shape of their batch.

        The members are flattened. One that is a part of more is there twice: it would be taken for what all
        members share.
        """
        sizes = dict.fromkeys(self.dims, 1)
        for parameter, array in zip(self.parameters, arrays, strict=True):
            sizes |= dict(zip(parameter.dims, np.shape(array), strict=False))
        shape = tuple(sizes[dim] for dim in self.dims)
        values = list(self.part.values)
        for parameter, array in zip(self.parameters, arrays, strict=True):
            values[parameter.place] = self._flat(np.asarray(array), parameter, sizes, shape)
        with part_of(self.members):
            return self.recognised(self.part.rebuild(*values), self.side), shape

    def _flat(
        self, array: NDArray[Any], parameter: Parameter, sizes: dict[Hashable, int], shape: tuple[int, ...]
    ) -> NDArray[Any]:
        """The array with one batch dimension; without, where all members share it."""
        core = array.shape[len(parameter.dims) :]
        if not parameter.dims:
            return array if self.dims else array[None]
        whole = [sizes[dim] if dim in parameter.dims else 1 for dim in self.dims]
        flat = np.broadcast_to(array.reshape(*whole, *core), (*shape, *core)).reshape(-1, *core)
        return np.repeat(flat, 2, axis=0) if len(flat) == 1 < self.members else flat


class Batch(NamedTuple):
    """A side whose parameters have names."""

    recipe: Recipe
    arrays: tuple[xr.DataArray, ...]
    """The parameters with names, their dimensions in order: those of the batch, those of an event."""

    sizes: tuple[int, ...]
    coordinates: xr.Coordinates

    @property
    def lazy(self) -> bool:
        return any(array.chunks is not None for array in self.arrays)

    @property
    def sample(self) -> dict[Hashable, NDArray[np.intp]]:
        """The members that say where the means are, by their places along each dimension."""
        most = SAMPLED if len(self.sizes) < 2 else max(2, int(SAMPLED ** (1.0 / len(self.sizes))))
        return {dim: sampled(size, most) for dim, size in zip(self.recipe.dims, self.sizes, strict=True)}

    def flat_sample(self) -> NDArray[np.intp]:
        """The places of these members among all."""
        places = np.ix_(*self.sample.values())
        return np.ravel_multi_index(places, self.sizes).ravel() if self.sizes else np.zeros(1, np.intp)

    def beside(self, taken: Iterable[Hashable]) -> Batch:
        """The same, with other names for the batch dimensions whose names are taken."""
        used = {name for array in self.arrays for name in (*array.dims, *array.coords)}
        names = apart(self.recipe.dims, taken, used)
        if not names:
            return self
        dims = tuple(names.get(dim, dim) for dim in self.recipe.dims)
        parameters = tuple(
            one._replace(dims=tuple(names.get(dim, dim) for dim in one.dims))
            for one in self.recipe.parameters
        )
        arrays = tuple(_renamed(array, names) for array in self.arrays)
        recipe = self.recipe._replace(dims=dims, parameters=parameters)
        return Batch(recipe, arrays, self.sizes, _coordinates(arrays, dims))

    def called(self, side: str) -> Batch:
        """The same, which errors call by another side."""
        return self._replace(recipe=self.recipe._replace(side=side))

    def made(self) -> Distribution:
        """All of them, with one batch dimension."""
        return self.recipe.made([array.values for array in self.arrays])[0]


def labelled_sides(sides: Mapping[str, object], recognised: Recognised) -> dict[str, Batch | None]:
    """What has named dimensions of each side; None for a side that has none, or is no single object."""
    found = {side: labelled_of(obj) for side, obj in sides.items()}
    known = {side: part for side, part in found.items() if part is not None}
    if not known:
        return dict.fromkeys(sides)
    arguments = arguments_of({side: sides[side] for side in known}, known)
    arguments = _with_names_apart(arguments)
    check_together(arguments, known)
    error = misaligned(arguments, exact=True)
    if error is not None:
        raise error
    return {
        side: _batch(side, part, [one for one in arguments if one.side == side], recognised)
        if (part := found[side]) is not None
        else None
        for side in sides
    }


def _with_names_apart(arguments: Sequence[Argument]) -> list[Argument]:
    """The parameters, with other names for the batch dimensions of the second side that the first has too."""
    ours = [one for one in arguments if one.side == arguments[0].side]
    others = [one for one in arguments if one.side != arguments[0].side]
    dims = {dim for one in ours for dim in one.batch_dims}
    kept = {name for one in ours for name, held in one.array.coords.items() if set(held.dims) <= dims}
    used = {name for one in arguments for name in (*one.array.dims, *one.array.coords)}
    names = apart((dim for one in others for dim in one.batch_dims), dims | kept, used)
    return [*ours, *(one._replace(array=_renamed(one.array, names)) for one in others)]


def apart(
    names: Iterable[Hashable], taken: Iterable[Hashable], used: Iterable[Hashable]
) -> dict[Hashable, Hashable]:
    """Other names for those that are taken: with the suffix, once more where that is used, too."""
    taken, known = set(taken), {*taken, *used}
    found: dict[Hashable, Hashable] = {}
    for name in dict.fromkeys(names):
        if name in taken:
            new = f"{name}{SUFFIX}"
            while new in known:
                new = f"{new}{SUFFIX}"
            found[name] = new
            known.add(new)
    return found


def _renamed(array: xr.DataArray, names: Mapping[Hashable, Hashable]) -> xr.DataArray:
    """The array with other names of its dimensions."""
    return array.rename({dim: names[dim] for dim in array.dims if dim in names})


def _batch(side: str, part: Labelled, arguments: Sequence[Argument], recognised: Recognised) -> Batch:
    dims = tuple(dict.fromkeys(dim for one in arguments for dim in one.batch_dims))
    arrays = []
    parameters = []
    sizes: dict[Hashable, int] = {}
    for one in arguments:
        own = tuple(dim for dim in dims if dim in one.array.dims)
        arrays.append(one.array.transpose(*own, *one.core_dims))
        parameters.append(Parameter(one.place, own, len(one.core_dims)))
        sizes |= {dim: one.array.sizes[dim] for dim in own}
    places = {one.place for one in arguments}
    values = tuple(
        None if i in places else without_batch(value, len(core))
        for i, (value, core) in enumerate(zip(part.values, part.core_dims, strict=True))
    )
    count = prod(sizes.values())
    recipe = Recipe(side, dims, part._replace(values=values), tuple(parameters), count, recognised)
    return Batch(recipe, tuple(arrays), tuple(sizes[dim] for dim in dims), _coordinates(arrays, dims))


def _coordinates(arrays: Sequence[xr.DataArray], dims: Sequence[Hashable]) -> xr.Coordinates:
    """The coordinates along batch dimensions, and those of no dimension."""
    kept = [
        array.coords.to_dataset().drop_vars(
            [name for name, one in array.coords.items() if not set(one.dims) <= set(dims)]
        )
        for array in arrays
    ]
    return xr.merge(kept, compat="minimal", join="exact").coords  # without those that contradict each other
