"""Traces of ArviZ and xarray: where they hold the draws, and what the elements are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import arviz
import numpy as np
import pandas as pd
import xarray as xr

from kl_plugins.estimate.draws.reading import POSTERIOR, has_groups, posterior_in
from kl_plugins.families.named import Coordinates, Variable
from kl_plugins.ops.protocol import FloatArray

SAMPLE = ("chain", "draw")
_LABELLER = arviz.labels.BaseLabeller()


def posterior_of(trace: Any, called: str, others: str = "or a Dataset") -> xr.Dataset:
    """The draws of the posterior in an InferenceData or DataTree, or in a Dataset that is one.

    Raises
    ------
    TypeError
        If it is something else; `called` is what messages call it, `others` says what else the caller takes.
    ValueError
        If it has groups, and none of the posterior.
    """
    if not (isinstance(trace, xr.Dataset) or has_groups(trace)):
        raise TypeError(
            f"{called} must be an InferenceData or DataTree with a posterior group, {others}, got "
            f"{type(trace).__qualname__}{_as_dataset(trace)}"
        )
    try:
        found: xr.Dataset = posterior_in(trace)
    except ValueError as error:
        raise ValueError(
            f"{called} has no group {POSTERIOR} ({error}): give draws of the posterior, as pm.sample "
            "returns them"
        ) from None
    return found


def _as_dataset(trace: Any) -> str:
    """How to make a Dataset of draws that are held otherwise."""
    if isinstance(trace, xr.DataArray):
        return '. Pass x.to_dataset(name="x")'
    if isinstance(trace, Mapping):
        return ". Pass arviz.dict_to_dataset(x), for arrays x[name] of shape (chains, draws, ...)"
    if isinstance(trace, pd.DataFrame):
        return ". Of one chain, pass arviz.dict_to_dataset({name: x[name].values[None] for name in x})"
    if isinstance(trace, np.ndarray):
        return '. Pass arviz.dict_to_dataset({"x": x}), for x of shape (chains, draws, ...)'
    return ""


def selected(posterior: xr.Dataset, var_names: Any, filter_vars: Any) -> xr.Dataset:
    """The variables that ArviZ understands by these arguments."""
    chosen: xr.Dataset = arviz.extract(
        posterior.copy(deep=False),
        combined=False,
        var_names=var_names,
        filter_vars=filter_vars,
        keep_dataset=True,
    )
    return chosen


def variable_of(array: xr.DataArray) -> Variable:
    """The variable that an array of draws with dimensions chain, draw and others is of.

    Raises
    ------
    ValueError
        If a coordinate has a label twice.
    """
    dims = [str(dim) for dim in array.dims if dim not in SAMPLE]
    coords = []
    for dim in dims:
        labels = labels_along(dim, array[dim].values)
        if len(set(labels)) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise ValueError(
                f"the coordinate {dim!r} of {array.name!r} has the label {twice!r} more than once, so that "
                f"its elements cannot be told apart: give others by assign_coords({dim}=...), or leave the "
                f"variable out, var_names='~{array.name}'"
            )
        coords.append((dim, labels))
    shape = tuple(array.sizes[dim] for dim in dims)
    return Variable(str(array.name), shape, tuple(coords))


def labels_along(dim: str, values: Iterable[Any]) -> tuple[str, ...]:
    """The labels of a coordinate as ArviZ's functions print them."""
    index = pd.Index(list(values), tupleize_cols=False)  # of a model they may be of types that xarray changes
    return tuple(str(_LABELLER.dim_coord_to_str(dim, value, i)) for i, value in enumerate(index.values))


def coordinates(
    shape: Sequence[int], dims: Sequence[str], labels: Sequence[Sequence[Any] | None]
) -> Coordinates:
    """The coordinates of an array of this shape; an axis whose labels are others, or not unique, has none."""
    if len(dims) != len(shape):
        return ()
    known = [labels_along(dim, given or ()) for dim, given in zip(dims, labels, strict=True)]
    fitting = [own if len(own) == n == len(set(own)) else () for own, n in zip(known, shape, strict=True)]
    return tuple(zip(dims, fitting, strict=True))


def effective_sample_sizes(chains: FloatArray) -> FloatArray:
    """Those of the means, shape (d,), of draws of shape (chains, draws, d)."""
    return _of_each(arviz.ess, chains, "mean")


def bulk_sample_sizes(chains: FloatArray) -> FloatArray:
    """The rank-normalised effective sample sizes, shape (d,), of draws of shape (chains, draws, d)."""
    return _of_each(arviz.ess, chains, "bulk")


def rhats(chains: FloatArray) -> FloatArray:
    """Rank-normalised split R-hat of each coordinate, shape (d,), of draws of shape (chains, draws, d)."""
    return _of_each(arviz.rhat, chains, "rank")


def _of_each(diagnostic: Any, chains: FloatArray, method: str) -> FloatArray:
    found = diagnostic(xr.Dataset({"x": ((*SAMPLE, "element"), chains)}), method=method)
    values: FloatArray = np.asarray(found["x"], dtype=float)
    return values
