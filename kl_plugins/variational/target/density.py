"""A model's log density over its unconstrained space, with gradients, at many points in one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.logprob.transforms import CircularTransform, IntervalTransform, LogOddsTransform, LogTransform
from pymc.model import Model
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors, io_toposort
from pytensor.tensor.random.type import RandomType

from kl_plugins.families.named import Variable
from kl_plugins.interrupts import answer_interrupt
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.pymc.coordinates import with_coordinates
from kl_plugins.variational.target.transforms import compiled, in_terms_of, kind_of

CHUNK = 2**17
"""Numbers (points times data) that one call handles, so that its intermediate results stay in the cache."""

LOGARITHMS = (LogTransform, LogOddsTransform, IntervalTransform)
TURN = 2.0 * np.pi
PATIENCE = 6.0
"""Seconds that many log densities may take before they are worth a compilation without gradients."""


class TargetDensity:
    """log p(x, data) and its gradient, the function of x that PyMC's variational inference averages.

    x are the model's free variables after their transforms, flattened one after another; the log density
    includes the transforms' log Jacobians and potentials.

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
    evaluations : int
        At how many points the density was evaluated so far.

    Raises
    ------
    ValueError
        If the model has no free variables, discrete ones, or draws random minibatches; if `variables`
        are not the model's; if the log density at the initial point is not finite.
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
        self._alone: Callable[[FloatArray], Any] | None = None
        self._compile_alone: Callable[[], Callable[[FloatArray], Any]] | None = None
        self._function = self._compile(model)
        self._check_initial(start)

    def __call__(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log densities, shape (n,), and their gradients, shape (n, d), at `points`, shape (n, d)."""
        began = time.perf_counter()
        values, gradients = self._evaluated(self._function, points)
        self._pace = min(self._pace, (time.perf_counter() - began) / max(len(points), 1))
        return values, gradients

    def values(self, points: FloatArray) -> FloatArray:
        """The log densities alone, by a function of their own where so many would take long otherwise."""
        if self._alone is None and self._compile_alone and len(points) * self._pace > PATIENCE:
            self._alone = self._compile_alone()
        return self(points)[0] if self._alone is None else self._evaluated(self._alone, points)[0]

    def _evaluated(self, function: Callable[[FloatArray], Any], points: FloatArray) -> list[FloatArray]:
        """What a function gives at the points, a chunk after another."""
        self.evaluations += len(points)
        starts = range(0, len(points), self.chunk)
        with np.errstate(all="ignore"):  # far out numbers overflow; who asks looks whether results are finite
            parts = [self._part(function, points[start : start + self.chunk]) for start in starts]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    @staticmethod
    def _part(function: Callable[[FloatArray], Any], points: FloatArray) -> Any:
        answer_interrupt()
        return function(points)

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

    def _compile(self, model: Model) -> Callable[[FloatArray], Any]:
        """The function of many points that returns log densities and gradients."""
        x = pt.vector("x", dtype="float64", shape=(self.dimension,))
        log_density = in_terms_of(x, model, self.variables, [model.logp()])[0].astype("float64")
        answer_interrupt()
        leaves = list(ancestors([log_density]))
        _refuse_minibatches(leaves)
        numbers = max(_data_points(model, leaves), _largest_result(x, log_density))
        self.chunk = int(np.clip(CHUNK // (self.dimension + numbers), 16, 4096))
        points = pt.matrix("points", dtype="float64", shape=(None, self.dimension))
        try:
            many = vectorize_graph(log_density, {x: points})
            gradient = pytensor.grad(many.sum(), points, disconnected_inputs="ignore")
            function: Callable[[FloatArray], Any] = compiled(model, [points], [many, gradient])
            function(np.stack([self.initial] * 2))
            self._compile_alone = lambda: compiled(model, [points], [many])
        # An operation that knows no batches (a scan, somebody's own): point by point. It and its compiler may
        # raise anything; what is wrong with the density itself is raised again below.
        except Exception:
            answer_interrupt()  # a compiler is interrupted, too
            gradient = pytensor.grad(log_density, x, disconnected_inputs="ignore")
            single = compiled(model, [x], [log_density, gradient])
            return lambda points: tuple(
                np.array(part) for part in zip(*(self._part(single, point) for point in points), strict=True)
            )
        return function

    def _check_initial(self, start: FloatArray | None) -> None:
        """Take the first point at which density and gradient are finite; ValueError where none is."""
        for point in (self.initial,) if start is None else (self.initial, start):
            value, gradient = self(point[None])
            if np.isfinite(value).all() and np.isfinite(gradient).all():
                self.initial = point
                return
        what = f"log density is {value[0]}" if not np.isfinite(value).all() else "gradient is not finite"
        where = "its initial point" if start is None else "the start"
        raise ValueError(
            f"the model's {what} at {where}; model.point_logps() says which variable it comes "
            "from: check the data for missing or impossible values, and the variables' initval"
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


def _refuse_minibatches(graph: Sequence[Any]) -> None:
    if any(isinstance(node.type, RandomType) for node in graph):
        raise ValueError(
            "the model's log density is random: it draws minibatches (pm.Minibatch). The optimum is "
            "that of all the data: build the model on the full data for this (snapshot(approximation) is the "
            "Gaussian of a fit with minibatches, to be given with that model)"
        )


def _data_points(model: Model, graph: Sequence[Any]) -> int:
    """About how many numbers the log density computes at one point."""
    arrays = [_numbers(node) for node in graph if node.owner is None]
    longest = max((max(array.shape, default=1) for array in arrays), default=1)
    observed = sum(_numbers(model.rvs_to_values[variable]).size for variable in model.observed_RVs)
    return max(longest, observed)


def _largest_result(x: Any, log_density: Any) -> int:
    """The size of the largest intermediate result at one point, such as a covariance matrix."""
    moving, largest = {x}, 1
    for node in io_toposort([x], [log_density]):
        if moving.intersection(node.inputs):
            moving.update(node.outputs)
            shapes = [getattr(output.type, "shape", ()) for output in node.outputs]
            largest = max([largest, *(int(np.prod(shape)) for shape in shapes if None not in shape)])
    return largest


def _numbers(node: object) -> FloatArray:
    """The array of a constant or shared variable; an empty one of anything else."""
    if hasattr(node, "get_value"):
        return np.asarray(node.get_value(borrow=True))
    return np.asarray(getattr(node, "data", ()))


def _listed(variables: Iterable[Variable]) -> str:
    return ", ".join(f"{name} of shape {shape}" for name, shape in variables)
