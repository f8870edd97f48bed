"""What a model's coordinates call the elements of its variables."""

from __future__ import annotations

from collections.abc import Sequence

from pymc.model import Model

from kl_plugins.families.named import Variable
from kl_plugins.plugins.arviz import coordinates


def with_coordinates(model: Model, shapes: Sequence[tuple[str, tuple[int, ...]]]) -> tuple[Variable, ...]:
    """Variables, or value variables, of the model by name and shape, with the coordinates they have there.

    A transform may change the length of an axis, whose labels are then not those of the value variable.
    """
    free = {model.rvs_to_values[rv].name: rv.name for rv in model.free_RVs}
    found = []
    for name, shape in shapes:
        dims = model.named_vars_to_dims.get(free.get(name, name), ())
        found.append(Variable(name, shape, coordinates(shape, dims, [model.coords.get(dim) for dim in dims])))
    return tuple(found)
