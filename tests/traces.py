"""Draws as samplers hand them out, in what ArviZ of either generation holds them in."""

from importlib.metadata import version

import arviz as az
import xarray as xr

ARVIZ_1 = not version("arviz").startswith("0.")


def inference_data(**draws):
    """An InferenceData, of ArviZ 1 a DataTree, of arrays of shape (chains, draws, *shape)."""
    return az.from_dict({"posterior": draws}) if ARVIZ_1 else az.from_dict(posterior=draws)


def in_groups(**groups):
    """The same with groups that are Datasets."""
    return xr.DataTree.from_dict(groups) if ARVIZ_1 else az.InferenceData(**groups)


def dataset(coords=None, **draws):
    """A Dataset of arrays of shape (chains, draws, *shape); their axes have the dimensions of `coords`."""
    coords = coords or {}
    axes = {
        name: list(coords)[: array.ndim - 2] or [f"{name}_dim_{i}" for i in range(array.ndim - 2)]
        for name, array in draws.items()
    }
    return xr.Dataset({name: (("chain", "draw", *axes[name]), draws[name]) for name in draws}, coords)
