"""A model's log density over its unconstrained space, with gradients, at many points in one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.logprob.transforms import CircularTransform, IntervalTransform, LogOddsTransform, LogTransform
from pymc.model import Model
from pytensor.graph.traversal import ancestors

from kl_plugins.families.named import Variable
from kl_plugins.interrupts import answer_interrupt
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.pymc.coordinates import with_coordinates
from kl_plugins.variational.target.additivity import refuse_unless_additive
from kl_plugins.variational.target.chunks import CompiledTerm
from kl_plugins.variational.target.minibatches import NO_WHOLE, ON_FULL_DATA, terms_of
from kl_plugins.variational.target.transforms import in_terms_of, kind_of

LOGARITHMS = (LogTransform, LogOddsTransform, IntervalTransform)
TURN = 2.0 * np.pi
PATIENCE = 6.0
"""Seconds that many log densities may take before they are worth a compilation without gradients."""


class TargetDensity:
    """log p(x, data) and its gradient, the function of x that PyMC's variational inference averages.

    x are the model's free variables after their transforms, flattened one after another; the log density
    includes the transforms' log Jacobians and potentials. It is that of all the data, of models that draw
    minibatches (``pm.Minibatch``) too: their rows are gone through chunk by chunk, in bounded memory.

    Parameters
    ----------
    model : pymc.Model
    variables : sequence of Variable, optional
        The order of the variables in x, by the names of the model's value variables; by default the
        model's own.
    start : ndarray, shape (d,), optional
        Stands in for the model's initial point where the log density is not finite there.

    Attributes
    ----------
    variables : tuple of Variable
    dimension : int
    initial : ndarray, shape (d,)
        The model's initial point.
    angles : ndarray of bool, shape (d,)
        Which coordinates are angles: the density is the same a turn further.
    logarithms : ndarray of bool, shape (d,)
        Which are logarithms or log-odds of bounded variables.
    bounded : bool
        Whether any variable is bounded, as scales are.
    terms : list of CompiledTerm
        The log density is their sum.
    alone : list of callables
        The terms without gradients, once these are compiled.
    numbers : int
        About how many numbers the density computes at one point.
    evaluations : int
        At how many points the density was evaluated so far.

    Raises
    ------
    ValueError
        If the model has no free variables or discrete ones; if minibatches are such that there is no log
        density of all the data (see `minibatches.terms_of`); if `variables` are not the model's; if the log
        density at the initial point is not finite.
    """

    def __init__(
        self,
        model: Model,
        variables: Sequence[Variable] | None = None,
        start: FloatArray | None = None,
    ) -> None:
        self._began = time.perf_counter()
        point = _initial_point(model)
        own = {variable.name: variable for variable in _variables(model, point)}
        given = own.values() if variables is None else variables
        if {tuple(one) for one in given} != {tuple(one) for one in own.values()}:
            raise ValueError(
                f"the approximation is over {_listed(given)}, the model over {_listed(own.values())}"
            )
        self.variables = tuple(own[variable.name] for variable in given)
        self.dimension = sum(variable.size for variable in self.variables)
        self.initial: FloatArray = np.concatenate(
            [np.ravel(np.asarray(point[name], dtype=float)) for name, _ in self.variables]
        )
        self.angles = _transformed(model, self.variables, (CircularTransform,))
        self.logarithms = _transformed(model, self.variables, LOGARITHMS)
        self.bounded = any(transform is not None for transform in model.rvs_to_transforms.values())
        self.evaluations = 0
        self._pace = np.inf
        self.alone: list[Callable[[FloatArray], list[FloatArray]]] = []
        self.terms = self._compile(model)
        self.numbers = sum(term.numbers for term in self.terms)
        self._check_initial(start)

    def __call__(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log densities, shape (n,), and their gradients, shape (n, d), at `points`, shape (n, d)."""
        began = time.perf_counter()
        values, gradients = self._summed(self.terms, points)
        self._pace = min(self._pace, (time.perf_counter() - began) / max(len(points), 1))
        return values, gradients

    def values(self, points: FloatArray) -> FloatArray:
        """The log densities alone, by a function of their own where so many would take long otherwise."""
        if not self.alone and len(points) * self._pace > PATIENCE:
            self.alone = [term.compile_alone() for term in self.terms]
        if not self.alone:
            return self(points)[0]
        return self._summed(self.alone, points)[0]

    def _summed(
        self, terms: Sequence[Callable[[FloatArray], list[FloatArray]]], points: FloatArray
    ) -> list[FloatArray]:
        """What the terms give at the points, and what that is together."""
        self.evaluations += len(points)
        with np.errstate(all="ignore"):  # far out numbers overflow; who asks looks whether results are finite
            found = [term(points) for term in terms]
            return [sum(parts[1:], parts[0]) for parts in zip(*found, strict=True)]

    @cached_property
    def sketch(self) -> TargetDensity:
        """The density of some rows, chosen at random, which stand for all; itself where there are few.

        It has about the same modes, and takes no time: for finding where to start from.
        """
        terms = [term.of_some_rows(np.random.default_rng(0)) for term in self.terms]
        if all(some is term for some, term in zip(terms, self.terms, strict=True)):
            return self
        part = copy(self)
        part.terms, part.alone = terms, []
        return part

    def folded(self, points: FloatArray, centre: FloatArray) -> FloatArray:
        """The points with their angles within half a turn of those of `centre`."""
        if not self.angles.any():
            return points
        moved = points.copy()
        moved[:, self.angles] -= TURN * np.round((points - centre)[:, self.angles] / TURN)
        return moved

    def seconds(self) -> float:
        """Time since this began to be built, compilation included."""
        return time.perf_counter() - self._began

    def _compile(self, model: Model) -> list[CompiledTerm]:
        """The terms of the log density, compiled: one, and a sum over the rows of each minibatch."""
        x = pt.vector("x", dtype="float64", shape=(self.dimension,))
        terms = terms_of(model)
        answer_interrupt()
        if terms.sums:
            refuse_unless_additive(model, terms, x, self.variables, self.initial)
        graphs = [terms.whole, *(one.log_density for one in terms.sums)]
        whole, *sums = [graph.astype("float64") for graph in in_terms_of(x, model, self.variables, graphs)]
        numbers = _data_points(model, list(ancestors([whole])))
        found = [CompiledTerm(model, x, whole, self.initial, numbers)]
        for one, graph in zip(terms.sums, sums, strict=True):
            found.append(CompiledTerm(model, x, graph, self.initial, 1, one.slices, one.arrays))
        return found

    def _check_initial(self, start: FloatArray | None) -> None:
        """Take the first point at which density and gradient are finite; ValueError where none is."""
        for point in (self.initial,) if start is None else (self.initial, start):
            value, gradient = self(point[None])
            _refuse_random(value, self(point[None])[0])
            if np.isfinite(value).all() and np.isfinite(gradient).all():
                self.initial = point
                return
        what = f"log density is {value[0]}" if not np.isfinite(value).all() else "gradient is not finite"
        where = "its initial point" if start is None else "the start"
        raise ValueError(
            f"the model's {what} at {where}; model.point_logps() says which variable it comes "
            "from: check the data for missing or impossible values, and the variables' initval"
        )


def _refuse_random(value: FloatArray, again: FloatArray) -> None:
    """ValueError where a log density has two values at one point, as an operation that reads a stream has."""
    if np.isfinite([value, again]).all() and not np.allclose(value, again, rtol=1e-6):
        raise ValueError(
            f"the model's log density changes from one evaluation to the next, {NO_WHOLE}: draw the rows by "
            f"pm.Minibatch with total_size, or {ON_FULL_DATA}"
        )


def model_given_or_in_context(model: object, call: str) -> Model:
    """The model given, else the one in context; `call` shows how to give it.

    Raises
    ------
    TypeError
        If there is none, or it is something else.
    """
    if model is None:
        model = Model.get_context(error_if_none=False)
        if model is None:
            raise TypeError(f"there is no model: call {call}, or call it inside `with model:`")
    if not hasattr(model, "free_RVs"):
        raise TypeError(f"model must be a pymc.Model, got {type(model).__name__}: call {call}")
    return model


def free_shapes(model: Model) -> dict[str, tuple[int, ...]]:
    """Shapes of the free variables before their transforms, by name."""
    static = {rv.name: rv.type.shape for rv in model.free_RVs}
    if all(None not in shape for shape in static.values()):
        return static
    evaluated = model.eval_rv_shapes()
    return {name: tuple(int(n) for n in evaluated[name]) for name in static}


def variables_in(model: Model) -> tuple[Variable, ...]:
    """The free variables of a model after their transforms, in its own order."""
    return _variables(model, _initial_point(model))


def value_variables(model: Model) -> tuple[Variable, ...]:
    """The same, but for models with discrete variables too."""
    point = model.initial_point(0)
    return _variables(model, {value.name: point[value.name] for value in model.value_vars})


def _variables(model: Model, point: dict[str, Any]) -> tuple[Variable, ...]:
    return with_coordinates(model, [(name, np.shape(value)) for name, value in point.items()])


def _transformed(model: Model, variables: Sequence[Variable], kinds: tuple[type, ...]) -> NDArray[np.bool_]:
    """Which coordinates are of variables with a transform of these kinds."""
    chosen = {
        model.rvs_to_values[rv].name
        for rv, transform in model.rvs_to_transforms.items()
        if issubclass(kind_of(transform), kinds)
    }
    return np.concatenate([np.full(variable.size, variable.name in chosen) for variable in variables])


def _initial_point(model: Model) -> dict[str, Any]:
    """The initial point of a model whose free variables are all continuous, and at least one."""
    if not model.free_RVs:
        raise ValueError("the model has no free variables, so there is nothing to approximate")
    if discrete := [variable.name for variable in model.discrete_value_vars]:
        raise ValueError(
            f"discrete variables have no Gaussian approximation: {', '.join(discrete)}; "
            "marginalise them out (see pymc_extras.marginalize)"
        )
    point = model.initial_point(0)
    return {value.name: point[value.name] for value in model.value_vars}


def _data_points(model: Model, graph: Sequence[Any]) -> int:
    """About how many numbers the log density computes at one point."""
    arrays = [_numbers(node) for node in graph if node.owner is None]
    longest = max((max(array.shape, default=1) for array in arrays), default=1)
    observed = sum(_numbers(model.rvs_to_values[variable]).size for variable in model.observed_RVs)
    return max(longest, observed)


def _numbers(node: object) -> FloatArray:
    """The array of a constant or shared variable; an empty one of anything else."""
    if hasattr(node, "get_value"):
        return np.asarray(node.get_value(borrow=True))
    return np.asarray(getattr(node, "data", ()))


def _listed(variables: Iterable[Variable]) -> str:
    return ", ".join(f"{name} of shape {shape}" for name, shape in variables)
