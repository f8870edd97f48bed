"""A model's variables to and from its unconstrained space, many draws in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.transforms import ZeroSumTransform
from pymc.logprob.transforms import (
    CircularTransform,
    IntervalTransform,
    LogOddsTransform,
    LogTransform,
    SimplexTransform,
)
from pymc.model import Model
from pymc.pytensorf import compile
from pytensor.graph.replace import graph_replace, vectorize_graph
from pytensor.graph.traversal import ancestors

from kl_plugins.families.named import Variable
from kl_plugins.interrupts import answer_interrupt
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.pytensor.lowering import lowered

_KINDS = {
    kind.__name__: kind
    for kind in (
        CircularTransform,
        IntervalTransform,
        LogOddsTransform,
        LogTransform,
        SimplexTransform,
        ZeroSumTransform,
    )
}


def kind_of(transform: Any) -> type:
    """The class of a transform: PyMC's ordinary one where it is that of pymc.dims which does the same."""
    kind = type(transform)
    return _KINDS.get(kind.__name__, kind) if kind.__module__.startswith("pymc.dims.") else kind


def constrained(
    model: Model, variables: Sequence[Variable], points: FloatArray, rvs: Sequence[Any] | None = None
) -> dict[str, FloatArray]:
    """Values of the free variables by name, each of shape (n, *shape), at unconstrained points (n, d)."""
    return as_functions(model, variables, model.free_RVs if rvs is None else rvs)(points)


def as_functions(
    model: Model, variables: Sequence[Variable], wanted: Sequence[Any]
) -> Callable[[FloatArray], dict[str, FloatArray]]:
    """Variables of the model, such as Deterministics, as a function of unconstrained points (n, d).

    It returns their values by name, each of shape (n, *shape).
    """
    x = pt.vector("x", dtype="float64", shape=(sum(variable.size for variable in variables),))
    outputs = in_terms_of(x, model, variables, model.replace_rvs_by_values(list(wanted)))
    function, names = over_draws(model, [x], outputs), [variable.name for variable in wanted]
    return lambda points: dict(zip(names, function([points]), strict=True))


def in_terms_of(x: Any, model: Model, variables: Sequence[Variable], graphs: Sequence[Any]) -> list[Any]:
    """Graphs over the model's value variables as graphs over one vector of them all."""
    values = {value.name: value for value in model.value_vars}
    replacements, start = {}, 0
    for variable in variables:
        part = x[start : start + variable.size].reshape(variable.shape)
        replacements[values[variable.name]] = part.astype(values[variable.name].dtype)
        start += variable.size
    found: list[Any] = lowered(graph_replace(graphs, replacements, strict=False))
    return found


def depended_on(model: Model, variables: Sequence[Variable]) -> list[str]:
    """The free variables whose values say those of `variables`: their own, and bounds of them."""
    inputs, outputs = _forward(model, variables)
    needed = {x for x in ancestors(outputs) if x in inputs}
    return [x.name for x in inputs if x in needed]


def unconstrained(model: Model, variables: Sequence[Variable], draws: dict[str, FloatArray]) -> FloatArray:
    """Unconstrained points (n, d) from values of the free variables, each of shape (n, *shape).

    Of the free variables those that the `variables` depend on are enough.
    """
    inputs, outputs = _forward(model, variables)
    inputs = [x for x in inputs if x.name in draws]
    parts = over_draws(model, inputs, outputs)([draws[x.name].astype(x.dtype) for x in inputs])
    count = len(parts[0])
    return np.concatenate([np.asarray(part, dtype=float).reshape(count, -1) for part in parts], axis=1)


def _forward(model: Model, variables: Sequence[Variable]) -> tuple[list[Any], list[Any]]:
    """Inputs for the free variables' values, and graphs of these `variables`, which are after transforms."""
    inputs = [pt.tensor(rv.name, dtype=rv.dtype, shape=rv.type.shape) for rv in model.free_RVs]
    # With the names of dimensions, where the variables of the model have them.
    given = {rv: rv.type.filter_variable(x) for rv, x in zip(model.free_RVs, inputs, strict=True)}
    owners = {model.rvs_to_values[rv].name: rv for rv in model.free_RVs}
    outputs = []
    for rv in (owners[variable.name] for variable in variables):
        transform = model.rvs_to_transforms[rv]
        moved = given[rv] if transform is None else transform.forward(given[rv], *rv.owner.inputs)
        outputs.append(graph_replace(moved, given, strict=False))
    return inputs, lowered(outputs)


def compiled(model: Model, inputs: list[Any], outputs: list[Any], mode: Any = None) -> Callable[..., Any]:
    """PyMC's own compilation, in which parameters outside their domain give −∞ and no exception."""
    with model:
        function: Callable[..., Any] = compile(inputs, outputs, on_unused_input="ignore", mode=mode)
    return function


def over_draws(
    model: Model, inputs: list[Any], outputs: Sequence[Any], mode: Any = None
) -> Callable[[list[FloatArray]], list[FloatArray]]:
    """A function of the inputs with draws as their first dimension."""
    many = [pt.tensor(x.name, dtype=x.dtype, shape=(None, *x.type.shape)) for x in inputs]
    try:
        batched = vectorize_graph(list(outputs), dict(zip(inputs, many, strict=True)))
        function = compiled(model, many, batched, mode)
        return lambda values: function(*values)
    # An operation that knows no batches: draw by draw. It and its compiler may raise anything; what is wrong
    # with the graph itself is raised again below.
    except Exception:
        answer_interrupt()
        single = compiled(model, inputs, list(outputs), mode)
        return lambda values: [
            np.stack(part) for part in zip(*(single(*row) for row in zip(*values, strict=True)), strict=True)
        ]
