"""Draws of a model's variables as points of its unconstrained space."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from pymc.model import Model

from kl_plugins.families.named import Variable
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.arviz import SAMPLE, coordinates, labels_along, posterior_of
from kl_plugins.plugins.pymc.coordinates import with_coordinates
from kl_plugins.plugins.pytensor.graph import without_names
from kl_plugins.variational.target.density import free_shapes
from kl_plugins.variational.target.transforms import constrained, depended_on, unconstrained

OFF_SURFACE = 1e-4
"""What draws may be off by when they come back from the unconstrained space: some are kept as float32."""


def points_of_draws(trace: object, model: Model, variables: Sequence[Variable], called: str) -> FloatArray:
    """Draws of some of the model's free variables in the unconstrained space, shape (chains, draws, d).

    `trace` is an InferenceData or DataTree with a group "posterior", a Dataset, or a mapping of names to
    arrays; `called` is what messages call it. Other variables beside these are ignored.
    """
    every = free_shapes(model)
    shapes = {name: every[name] for name in depended_on(model, variables)}
    given = _arrays(trace, model, shapes, called)
    known = {variable.name for variable in model.unobserved_RVs} | {v.name for v in model.value_vars}
    problems = [f"{name!r} is missing" for name in shapes if name not in given]
    problems += [f"{name!r} is not a variable of the model" for name in given if name not in known]
    chains: dict[str, FloatArray] = {}
    for name, shape in shapes.items():
        if name not in given:
            continue
        array = given[name]
        if array.shape[max(array.ndim - len(shape), 0) :] != shape or array.ndim - len(shape) not in (1, 2):
            problems.append(f"{name!r} has shape {array.shape}, expected (chains, draws, *{shape})")
            continue
        chains[name] = array if array.ndim - len(shape) == 2 else array[None]
    leading = {name: array.shape[:2] for name, array in chains.items()}
    if len(set(leading.values())) > 1:
        problems.append(f"the variables have different numbers of chains and draws: {leading}")
    if problems:
        raise ValueError(f"{called} does not fit the model: {'; '.join(problems)}")
    count = next(iter(leading.values()))
    if 0 in count:
        raise ValueError(f"{called} has no draws, {count[0]} chains of {count[1]}")
    flat = {name: array.reshape(-1, *shapes[name]) for name, array in chains.items()}
    points = unconstrained(model, variables, flat)
    if not np.isfinite(points).all():
        bad = [
            variable.name
            for variable, part in zip(variables, _split(points, variables), strict=True)
            if not np.isfinite(part).all()
        ]
        raise ValueError(f"draws of {called} are NaN or outside the model's support: {', '.join(bad)}")
    _check_round_trip(model, variables, points, flat, called)
    return points.reshape(*count, -1)


def _check_round_trip(
    model: Model, variables: Sequence[Variable], points: FloatArray, given: dict[str, FloatArray], called: str
) -> None:
    """Refuse draws off the surface that a transform maps to, such as compositions that do not add up to 1."""
    names = {variable.name for variable in variables}
    surfaces = [
        rv
        for rv in model.free_RVs
        if model.rvs_to_values[rv].name in names
        and getattr(without_names(rv).owner.op, "ndim_supp", 0) > 0
        and model.rvs_to_transforms[rv] is not None
    ]
    if not surfaces:
        return
    back = constrained(model, variables, points, surfaces)
    bad = []
    for rv in surfaces:
        off = float(np.max(abs(back[rv.name] - given[rv.name])))
        if not off <= OFF_SURFACE * max(1.0, float(np.max(abs(given[rv.name])))):
            bad.append(f"{rv.name!r} (by up to {off:.2g})")
    if bad:
        raise ValueError(
            f"draws of {called} are outside the model's support: {', '.join(bad)} come back otherwise "
            "from the unconstrained space. Compositions have to add up to 1, ordered values to be ordered, "
            "zero-sum ones to add up to 0: give the draws as the sampler made them, unrounded"
        )


def _arrays(
    trace: Any, model: Model, shapes: Mapping[str, tuple[int, ...]], called: str
) -> dict[str, FloatArray]:
    """The draws by name, out of whatever holds them; of those with shapes as the model has them."""
    if type(trace).__module__.partition(".")[0] not in ("arviz", "xarray") and isinstance(trace, Mapping):
        draws = trace
    else:
        draws = posterior_of(trace, called, "a Dataset or a dict of draws by the variables' names").data_vars
    wanted = {one.name: one for one in with_coordinates(model, list(shapes.items()))}
    return {
        str(name): _leading(array, wanted[str(name)], called) if str(name) in wanted else np.empty(0)
        for name, array in draws.items()
    }


def _leading(array: Any, wanted: Variable, called: str) -> FloatArray:
    """As a NumPy array with chain and draw first, and the axes and labels of the variable in its order."""
    if hasattr(array, "dims"):
        sample, own = _in_order(array, wanted, called)
        array = array.transpose(*sample, *own)
        for dim, (name, labels) in zip(own, wanted.axes, strict=False):  # of another shape: refused later
            if not labels or dim not in array.coords:
                continue
            given = labels_along(name, array.coords[dim].values)
            if given == labels:
                continue
            if sorted(given) != sorted(labels):
                raise ValueError(f"{called} has other labels of {dim!r} than the model, in {wanted.name!r}")
            array = array.isel({dim: [given.index(label) for label in labels]})
    return np.asarray(array, dtype=float)


def _in_order(array: Any, wanted: Variable, called: str) -> tuple[list[Hashable], list[Hashable]]:
    """The dimensions of an array: those of a sample, and those of the variable in its order."""
    others = [dim for dim in array.dims if dim not in SAMPLE]
    unknown = [dim for dim in others if dim not in dict(wanted.axes)]
    sample: list[Hashable] = [dim for dim in SAMPLE if dim in array.dims]
    sample += unknown[: max(0, len(others) - len(wanted.shape))]  # of draws that are stacked
    own = [dim for dim in others if dim not in sample]
    labels = [list(array.coords[dim].values) if dim in array.coords else None for dim in own]
    lengths, names = tuple(array.sizes[dim] for dim in own), list(map(str, own))
    order = Variable(wanted.name, lengths, coordinates(lengths, names, labels)).axes_of(wanted)
    if order is None:
        raise ValueError(
            f"{wanted.name!r} has dimensions ({', '.join(names)}) in {called} and "
            f"({', '.join(dim for dim, _ in wanted.axes)}) in the model, and nothing tells which is which: "
            "give them the names that they have in the model, by .rename"
        )
    return sample, [own[axis] for axis in order]


def _split(points: FloatArray, variables: Sequence[Variable]) -> list[FloatArray]:
    return np.split(points, np.cumsum([variable.size for variable in variables])[:-1], axis=1)
