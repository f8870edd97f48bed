"""Gaussians over named variables: what a fitted approximation of a model is."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kl_plugins.covariance.axis_aligned import AxisAligned
from kl_plugins.covariance.base import divergence_rule
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.multivariate_normal import (
    MultivariateNormal,
    multivariate_normal_multivariate_normal,
)
from kl_plugins.ops.protocol import Array, FloatArray
from kl_plugins.parameters.declarations import constant
from kl_plugins.parameters.values import Value, Vectors
from kl_plugins.rules import Rule


class Variable(NamedTuple):
    """A named variable of the (unconstrained) space and its shape."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return prod(self.shape)


class NamedMultivariateNormal(MultivariateNormal[Value, Vectors]):
    """A multivariate normal whose coordinates belong to named variables, one after another.

    Parameters
    ----------
    mean : array_like or TensorVariable, shape (d,)
    covariance : Covariance
    variables : tuple of (name, shape)
        The variables in the order of their coordinates.

    Raises
    ------
    ValueError
        If the sizes of the variables do not add up to d.
    """

    variables: tuple[Variable, ...] = constant(default=())

    def check_shapes(self) -> None:
        super().check_shapes()
        total = sum(variable.size for variable in self.variables)
        if self.event_shape[0] not in (None, total):
            raise ValueError(f"the variables have {total} coordinates, mean has {self.event_shape[0]}")

    def check_against(self, other: Distribution) -> None:
        if isinstance(other, NamedMultivariateNormal):
            check_same_variables(self, other)
        super().check_against(other)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in self.variables)

    @property
    def slices(self) -> dict[str, slice]:
        """Where the coordinates of each variable are, by name."""
        stops = np.cumsum([variable.size for variable in self.variables])
        return {
            variable.name: slice(int(stop) - variable.size, int(stop))
            for variable, stop in zip(self.variables, stops, strict=True)
        }

    @property
    def std(self) -> Vectors:
        """Standard deviation of each coordinate, shape (d,)."""
        scales: Any = getattr(self.covariance, "scales", None)
        if scales is None:
            scales = self.ops.sqrt(self.ops.sum_of_squares_last(self.covariance.factor))
        known: Vectors = scales
        return known

    def reorder(self, variables: tuple[Variable, ...]) -> NamedMultivariateNormal[Value, Vectors]:
        """The same distribution with its variables in another order."""
        if variables == self.variables:
            return self
        slices = self.slices
        index: NDArray[np.intp] = np.concatenate(
            [np.arange(slices[name].start, slices[name].stop) for name, _ in variables]
        )
        mean, covariance = self.ops.take(self.mean, index), self.covariance.marginal(index)
        return NamedMultivariateNormal(mean, covariance, variables)


Snapshot: TypeAlias = NamedMultivariateNormal[np.float64, FloatArray]
"""One of numbers, as a snapshot of an approximation is."""


def check_same_variables(p: NamedMultivariateNormal, q: NamedMultivariateNormal) -> None:
    """Raise ValueError listing the difference unless both are over the same names and shapes."""
    shapes_p, shapes_q = dict(p.variables), dict(q.variables)
    problems = [f"{name!r} only in p" for name in shapes_p if name not in shapes_q]
    problems += [f"{name!r} only in q" for name in shapes_q if name not in shapes_p]
    problems += [
        f"{name!r} has shape {shape} in p and {shapes_q[name]} in q"
        for name, shape in shapes_p.items()
        if name in shapes_q and shapes_q[name] != shape
    ]
    if problems:
        raise ValueError("p and q are over different variables: " + "; ".join(problems))


def _aligned(
    p: NamedMultivariateNormal, q: NamedMultivariateNormal
) -> tuple[NamedMultivariateNormal, NamedMultivariateNormal]:
    """Both in one order: that of the side whose covariance is dearer to reorder."""
    if isinstance(p.covariance, AxisAligned):
        return p.reorder(q.variables), q
    return p, q.reorder(p.variables)


def _by_covariance(p: NamedMultivariateNormal, q: NamedMultivariateNormal) -> tuple[Rule, Any, Any]:
    p, q = _aligned(p, q)
    return divergence_rule(p.covariance, q.covariance), p.covariance, q.covariance


@kl_rules.register(NamedMultivariateNormal, NamedMultivariateNormal, cost=_by_covariance)
def named_named(p: NamedMultivariateNormal, q: NamedMultivariateNormal) -> Array:
    """The divergence of multivariate normals, variable by variable whatever their order."""
    return multivariate_normal_multivariate_normal(*_aligned(p, q))
