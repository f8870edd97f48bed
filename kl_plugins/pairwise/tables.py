"""Tables with labels: xarray's arrays of the divergences of what has keys."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kl_plugins.errors import NoClosedFormWarning
from kl_plugins.pairwise.collections import Named, listed
from kl_plugins.pairwise.numbers import numbers
from kl_plugins.pairwise.singly import Found, Missing

if TYPE_CHECKING:
    from xarray import DataArray

SUFFIX = "_bis"
"""What the second of two dimensions of one name is called by, as in ArviZ."""

_SIDES = "p", "q"


def of_keyed(sides: Sequence[Any], keyed: Sequence[Named | None], estimate: bool) -> DataArray:
    """The table of two sides, one of which at least has keys, which become coordinates."""
    if find_spec("xarray") is None:
        raise ImportError(
            "pairwise_kl labels the divergences of what has keys, by xarray: install it with "
            'pip install "kl-plugins[xarray]", or pass list(d.values()) for an array without labels'
        )
    from xarray import DataArray

    found = Found(Missing.IS_ESTIMATED if estimate else Missing.IS_NAN)
    left, right = (
        listed(side) if one is None else one.distributions for side, one in zip(sides, keyed, strict=True)
    )
    if sides[1] is sides[0]:
        right = left
    keys = [None if one is None else list(one.keys) for one in keyed]
    values = numbers(left, right, found, keys)
    dims = [_dim(one, name) for one, name in zip(keyed, _SIDES, strict=True)]
    if dims[0] == dims[1]:
        dims[1] = f"{dims[1]}{SUFFIX}"
    table = DataArray(values, dims=dims, name="kl", attrs={"units": "nats"})
    for dim, one in zip(dims, keyed, strict=True):
        if one is not None:
            table = table.assign_coords(_coordinates(one.keys, dim))
    warn_of_missing(found, values.size)
    return table


def warn_of_missing(found: Found, pairs: int) -> None:
    """Say how many pairs are NaN because they have no closed form."""
    if found.count:
        warnings.warn(
            f"{found.count} of {pairs} pairs have no closed form and are NaN; estimate=True has them "
            f"estimated. The first: {found.first}",
            NoClosedFormWarning,
            stacklevel=4,
        )


def _dim(one: Named | None, side: str) -> Hashable:
    """What the dimension of a side is called: by the name of its pandas.Index, if it has one."""
    name = getattr(one and one.keys, "name", None)
    return side if name is None else name


def _coordinates(keys: Any, dim: Hashable) -> Any:
    """The coordinates of a dimension; keys of several parts, as a pandas.MultiIndex has, are levels."""
    from pandas import Index, MultiIndex
    from xarray import Coordinates

    index = keys if isinstance(keys, Index) else Index(keys)
    if not isinstance(index, MultiIndex):
        labels = index.to_list()
        return {dim: labels if all(isinstance(label, str) for label in labels) else index.to_numpy()}
    names = [f"{dim}_{i if name is None else name}" for i, name in enumerate(index.names)]
    return Coordinates.from_pandas_multiindex(index.rename(names), dim)
