"""Log densities with gradients, compiled for many points; sums over rows are computed chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from math import prod
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.model import Model
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import io_toposort

from kl_plugins.interrupts import answer_interrupt
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.target.transforms import compiled

CHUNK = 2**17
"""Numbers (points times data) that one call handles, so that its intermediate results stay in the cache."""
FEWEST_POINTS, MOST_POINTS, MOST_POINTS_OF_ROWS = 16, 4096, 256
FEWEST_ROWS = 64
"""Of a sum over rows, so that a call is worth it."""

SOME_ROWS, MANY_ROWS = 2**14, 2**16
"""So many rows, of more than so many, stand for all where a search begins."""

Arrays = Sequence[NDArray[Any]]


class CompiledTerm:
    """One term of a log density, a function of many points.

    Parameters
    ----------
    model : pymc.Model
    x : TensorVariable
        The vector that the term is a function of, shape (d,).
    log_density : TensorVariable
        A scalar, of float64.
    initial : ndarray, shape (d,)
        Where it is tried out.
    numbers : int
        About how many numbers are computed at one point; for each row, if it is a sum over rows.
    slices, arrays : sequences of TensorVariable, ndarray
        What stands for rows in the graph of such a sum, and all rows; empty for any other.

    Attributes
    ----------
    arrays : sequence of ndarray
    weight : float
        How many rows each of theirs stands for.
    """

    def __init__(
        self,
        model: Model,
        x: Any,
        log_density: Any,
        initial: FloatArray,
        numbers: int,
        slices: Sequence[Any] = (),
        arrays: Arrays = (),
    ) -> None:
        self._dimension, self.arrays, self.weight = len(initial), arrays, 1.0
        whole, of_a_row = largest_results(x, log_density)
        self._numbers = max(numbers, of_a_row if arrays else whole)
        self._beside = max(self._dimension, whole if arrays else 0)
        points = pt.matrix("points", dtype="float64", shape=(None, self._dimension))
        self._alone: Callable[[], Callable[..., Any]] | None = None
        try:
            many = vectorize_graph(log_density, {x: points})
            if not many.type.ndim:  # a constant
                many = many + pt.zeros_like(points[:, 0])
            gradient = pytensor.grad(many.sum(), points, disconnected_inputs="ignore")
            function = compiled(model, [points, *slices], [many, gradient])
            function(np.stack([initial] * 2), *(array[:2] for array in arrays))
            self._function = function
            self._alone = lambda: compiled(model, [points, *slices], [many])
        # An operation that knows no batches (a scan, somebody's own): point by point. It and its compiler may
        # raise anything; what is wrong with the density itself is raised again below.
        except Exception:
            answer_interrupt()  # a compiler is interrupted, too
            gradient = pytensor.grad(log_density, x, disconnected_inputs="ignore")
            single = compiled(model, [x, *slices], [log_density, gradient])
            self._function = lambda points, *rows: tuple(
                np.array(part)
                for part in zip(*(_answered(single, point, *rows) for point in points), strict=True)
            )

    def __call__(self, points: FloatArray) -> list[FloatArray]:
        """Log densities, shape (n,), and their gradients, shape (n, d), at `points`, shape (n, d)."""
        return self._evaluated(self._function, points)

    def compile_alone(self) -> Callable[[FloatArray], list[FloatArray]]:
        """The log densities by a function of their own, where there can be one; else what this gives."""
        if self._alone is None:
            return lambda points: self(points)[:1]
        function = self._alone()
        return lambda points: self._evaluated(function, points)

    def _evaluated(self, function: Callable[..., Any], points: FloatArray) -> list[FloatArray]:
        """What a function gives at the points, a chunk of them after another."""
        step = self.points_at_once
        parts = [
            self._summed(function, points[start : start + step]) for start in range(0, len(points), step)
        ]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _summed(self, function: Callable[..., Any], points: FloatArray) -> list[FloatArray]:
        """What a function gives at some points, summed over chunks of rows where there are any."""
        if not self.arrays:
            return list(_answered(function, points))
        total: list[FloatArray] = []
        for rows in self._chunks(len(points)):
            found = _answered(function, points, *rows)
            total = [a + b for a, b in zip(total, found, strict=True)] if total else list(found)
        return [self.weight * part for part in total]

    @property
    def numbers(self) -> int:
        """About how many are computed at one point."""
        return self._numbers * (len(self.arrays[0]) if self.arrays else 1)

    def of_some_rows(self, rng: np.random.Generator) -> CompiledTerm:
        """The sum over rows chosen at random, times as many as they stand for; itself where these are few."""
        if not self.arrays or len(self.arrays[0]) <= MANY_ROWS:
            return self
        chosen = np.sort(rng.choice(len(self.arrays[0]), SOME_ROWS, replace=False))
        part = copy(self)
        part.arrays = [array[chosen] for array in self.arrays]
        part.weight = len(self.arrays[0]) / SOME_ROWS
        return part

    @property
    def points_at_once(self) -> int:
        """At how many points one call is."""
        if not self.arrays:
            return int(np.clip(CHUNK // (self._beside + self._numbers), FEWEST_POINTS, MOST_POINTS))
        each = max(self._beside, FEWEST_ROWS * self._numbers)
        return int(np.clip(CHUNK // each, FEWEST_POINTS, MOST_POINTS_OF_ROWS))

    def _chunks(self, points: int) -> Iterator[Arrays]:
        """The rows, so many at a time that memory is bounded and that a call is worth it.

        Every call computes what is beside the rows, too, such as the gradient: that is not to be most of it.
        """
        step = max(FEWEST_ROWS, CHUNK // (points * self._numbers), self._beside // self._numbers)
        for start in range(0, len(self.arrays[0]), step):
            yield [array[start : start + step] for array in self.arrays]


def largest_results(x: Any, log_density: Any) -> tuple[int, int]:
    """The sizes of the largest intermediate results at one point, such as a covariance matrix.

    First of those whose size is known, then of those with a dimension of unknown length, in graphs of rows
    that of the rows: what they have for one of it.
    """
    moving, known, unknown = {x}, 1, 1
    for node in io_toposort([x], [log_density]):
        if moving.intersection(node.inputs):
            moving.update(node.outputs)
            for shape in (getattr(output.type, "shape", ()) for output in node.outputs):
                if None in shape:
                    unknown = max(unknown, prod(n for n in shape if n is not None))
                else:
                    known = max(known, prod(shape))
    return known, unknown


def _answered(function: Callable[..., Any], *arguments: Any) -> Any:
    """A call, before which Ctrl-C is answered."""
    answer_interrupt()
    return function(*arguments)
