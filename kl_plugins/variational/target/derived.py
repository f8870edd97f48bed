"""The model's own variables as functions of its unconstrained ones: free variables and Deterministics."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymc.model import Model
from pytensor.graph.basic import Variable as Node
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.type import RandomType

from kl_plugins.families.named import Variable, some_of
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.target.transforms import as_functions


def functions_of(model: Model, given: Sequence[str], wanted: str | Sequence[str] | None) -> list[Any]:
    """Free variables and Deterministics that are continuous functions of these value variables.

    All that are where `wanted` is None, but constants; else those that are named.

    Raises
    ------
    ValueError
        Naming what the model does not have, what has randomness of its own, what is discrete, and what
        depends on more variables than these or on none; if nothing is left.
    """
    every = [*model.free_RVs, *model.deterministics]
    found, problems = {}, {}
    for variable, graph in zip(every, model.replace_rvs_by_values(every), strict=True):
        leaves = list(ancestors([graph]))
        others = [value.name for value in model.value_vars if value in leaves and value.name not in given]
        if any(isinstance(leaf.type, RandomType) for leaf in leaves):
            problems[variable.name] = "has randomness of its own"
        elif not np.issubdtype(variable.dtype, np.floating):
            problems[variable.name] = "is discrete, so that it has no slopes"
        elif others:
            problems[variable.name] = f"depends on {some_of(others)} as well"
        elif not any(value in leaves for value in model.value_vars):
            problems[variable.name] = "depends on no free variable, so that it has no standard deviation"
        else:
            found[variable.name] = variable
    if wanted is None and not found:
        why = "; ".join(f"{name!r} {problem}" for name, problem in problems.items())
        raise ValueError(f"there is no function of {some_of(given)} alone: {why}")
    if wanted is None:
        return list(found.values())
    names = [_name(one) for one in ([wanted] if isinstance(wanted, str | Node) else wanted)]
    for name in names:
        if name not in found:
            why = problems.get(name, "is no free variable or Deterministic of the model")
            raise ValueError(f"{name!r} {why}; there are {some_of(list(found)) or 'none'}")
    if not names:
        raise ValueError(f"var_names is empty; there are {some_of(list(found))}")
    return [found[name] for name in dict.fromkeys(names)]


def _name(one: object) -> str:
    """A name, or that of a variable."""
    return str(getattr(one, "name", one))


class Functions:
    """Variables of the model as one function of unconstrained points, and back as labelled arrays.

    Attributes
    ----------
    shapes : dict of str to tuple of int
        By the names of the variables.
    size : int
        The number of their elements.
    """

    def __init__(
        self, model: Model, variables: Sequence[Variable], wanted: Sequence[Any], point: FloatArray
    ) -> None:
        self._function: Callable[[FloatArray], dict[str, FloatArray]] = as_functions(model, variables, wanted)
        self.shapes = {name: value.shape[1:] for name, value in self._function(point[None]).items()}
        self.size = sum(prod(shape) for shape in self.shapes.values())

    def __call__(self, points: FloatArray) -> FloatArray:
        """All values at points (n, d), one after another, shape (n, m)."""
        parts = self._function(points).values()
        return np.concatenate([np.asarray(part, float).reshape(len(points), -1) for part in parts], axis=1)

    def split(self, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Arrays of shape (..., m) by the names of the variables, each of shape (..., *shape)."""
        ends = np.cumsum([prod(shape) for shape in self.shapes.values()])
        parts = np.split(values, ends[:-1], axis=-1)
        return {
            name: part.reshape((*values.shape[:-1], *shape))
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }


def dims_and_coords(
    model: Model, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, tuple[str, ...]], dict[Hashable, Any]]:
    """Of every variable the names of its dimensions, as ArviZ has them; and the coordinates of all."""
    dims, coords = {}, {}
    for name, shape in shapes.items():
        own = model.named_vars_to_dims.get(name) or (None,) * len(shape)
        dims[name] = tuple(dim or f"{name}_dim_{axis}" for axis, dim in enumerate(own))
        for dim, length in zip(dims[name], shape, strict=True):
            labels = model.coords.get(dim)
            coords[dim] = np.arange(length) if labels is None else list(labels)
    return dims, coords
