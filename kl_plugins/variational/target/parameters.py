"""An approximation's parameters as a row of numbers: read, put in coordinates, averaged, written back."""

from __future__ import annotations

from functools import singledispatch
from typing import Any, Protocol

import numpy as np
from pymc.backends.base import MultiTrace
from pymc.variational.approximations import FullRankGroup, MeanFieldGroup
from pymc.variational.inference import Inference
from pymc.variational.opvi import Approximation

from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.block_diagonal import BlockDiagonal
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot, Variable
from kl_plugins.interrupts import answered_in_time
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.pymc.approximations import not_gaussian, variables_of
from kl_plugins.variational.target.coordinates import (
    FullRankCoordinates,
    MeanFieldCoordinates,
    independent_scales,
)

TINY = -30.0
"""Below this log(1 + eˣ) is eˣ to the last digit of a float64."""


class WatchedParameters(Protocol):
    """The parameters of a Gaussian family as iterates: rows of numbers, coordinates, and the way back."""

    size: int
    """Numbers in a row."""
    variables: tuple[Variable, ...]
    """What the Gaussian is over."""
    holder: str
    """What holds them, as users call it."""

    @property
    def writable(self) -> bool:
        """Whether they can be set."""

    def read(self) -> FloatArray:
        """The parameters as they stand, shape (size,)."""

    def coordinates(self, raw: FloatArray) -> FloatArray:
        """Rows of parameters in the coordinates that are averaged, shape (n, size)."""

    def whiten(self, deviations: FloatArray, centre: FloatArray) -> FloatArray:
        """Small deviations from `centre`; the sum of a row's squares is the Jeffreys divergence from it."""

    def distribution(self, centre: FloatArray) -> Snapshot:
        """The Gaussian at a point given by its coordinates, shape (size,)."""

    def write(self, distribution: Snapshot) -> None:
        """Set the parameters to a Gaussian of the same family."""


class Parameters:
    """The parameters of a Gaussian approximation, group after group.

    Coordinates are the means and, of mean-field groups, the logarithms of the standard deviations, of
    full-rank groups the entries of the Cholesky factor. Iterates are averaged in these.
    """

    holder = "the approximation"

    def __init__(self, approximation: Approximation) -> None:
        self.groups = [parameters_of(group) for group in approximation.groups]
        self.variables = variables_of(approximation)
        self.sizes = [group.size for group in self.groups]
        self.size = sum(self.sizes)
        self._shared = [shared for group in self.groups for shared in group.shared]

    @property
    def writable(self) -> bool:
        """Whether PyMC's parameters are shared variables, and no graphs of the user's."""
        return all(hasattr(shared, "set_value") for shared in self._shared)

    def read(self) -> FloatArray:
        """PyMC's parameters as they stand, shape (size,)."""
        return np.concatenate([_value(shared) for shared in self._shared], dtype=float)

    def coordinates(self, raw: FloatArray) -> FloatArray:
        parts = zip(self.groups, self._split(raw), strict=True)
        return np.concatenate([group.coordinates(part) for group, part in parts], axis=1)

    def whiten(self, deviations: FloatArray, centre: FloatArray) -> FloatArray:
        parts = zip(self.groups, self._split(deviations), self._split(centre), strict=True)
        return np.concatenate([group.whiten(part, middle) for group, part, middle in parts], axis=1)

    def distribution(self, centre: FloatArray) -> Snapshot:
        """The Gaussian at a point given by its coordinates, shape (size,)."""
        parts = zip(self.groups, self._split(centre), strict=True)
        found = [group.mean_and_covariance(part) for group, part in parts]
        covariances = tuple(covariance for _, covariance in found)
        return NamedMultivariateNormal(
            np.concatenate([mean for mean, _ in found]),
            covariances[0] if len(covariances) == 1 else BlockDiagonal(covariances),
            self.variables,
        )

    def write(self, distribution: Snapshot) -> None:
        """Set PyMC's parameters to a Gaussian of the same family."""
        distribution = distribution.reorder(self.variables)
        blocks = getattr(distribution.covariance, "blocks", (distribution.covariance,))
        if len(blocks) != len(self.groups):
            raise ValueError(f"the approximation has {len(self.groups)} groups, {distribution} {len(blocks)}")
        start = 0
        with answered_in_time():  # never the mean of one Gaussian and the scales of another
            for group, block in zip(self.groups, blocks, strict=True):
                stop = start + int(block.dimension)
                values = group.raw(distribution.mean[start:stop], block)
                for shared, value in zip(group.shared, values, strict=True):
                    _set(shared, value)
                start = stop

    def _split(self, rows: FloatArray) -> list[FloatArray]:
        return np.split(rows, np.cumsum(self.sizes)[:-1], axis=-1)


def told(stranger: object) -> str:
    """What was given instead of an approximation, and where that is to be had."""
    if isinstance(stranger, Inference):
        if not all(isinstance(group, MeanFieldGroup | FullRankGroup) for group in stranger.approx.groups):
            return f"{type(stranger).__name__}, which moves particles: fit by pm.ADVI or pm.FullRankADVI"
        return f"{type(stranger).__name__}, which fits one: give its attribute approx"
    if isinstance(stranger, type):
        return f"the class {stranger.__name__}: give what pm.fit returns"
    return type(stranger).__name__


def holds_draws(obj: object) -> bool:
    """Whether it is what PyMC returns draws in: of ArviZ or xarray, or a MultiTrace."""
    return isinstance(obj, MultiTrace) or type(obj).__module__.partition(".")[0] in ("arviz", "xarray")


def parameters_of_watched(approximation: object) -> Parameters:
    """The parameters of the Gaussian approximation that `KLConvergence` is called with; else TypeError."""
    if not isinstance(approximation, Approximation):
        raise TypeError(f"KLConvergence watches an approximation, got {told(approximation)}")
    try:
        return Parameters(approximation)
    except TypeError as error:  # of particles, such as SVGD moves
        raise TypeError(
            f"KLConvergence watches fits of Gaussians: {error}, or leave this callback out"
        ) from None


class MeanFieldParameters(MeanFieldCoordinates):
    """Means and standard deviations; PyMC keeps log(eˢ − 1) of a standard deviation s."""

    def __init__(self, group: Any) -> None:
        super().__init__(int(group.ddim))
        self.shared = (group.params_dict["mu"], group.params_dict["rho"])

    def coordinates(self, raw: FloatArray) -> FloatArray:
        """Means and (logarithms or factors of) scales, shape (n, size), from PyMC's parameters."""
        mean, free = np.split(raw, 2, axis=1)
        return np.concatenate([mean, _log_softplus(free)], axis=1)

    def raw(self, mean: FloatArray, covariance: Covariance) -> tuple[FloatArray, FloatArray]:
        """PyMC's parameters of a Gaussian."""
        return mean, inverse_softplus(independent_scales(covariance))


class FullRankParameters(FullRankCoordinates):
    """Means and Cholesky factor, row by row; PyMC keeps log(eˢ − 1) of an entry s of its diagonal."""

    def __init__(self, group: Any) -> None:
        super().__init__(int(group.ddim))
        self.shared = (group.params_dict["mu"], group.params_dict["L_tril"])

    def coordinates(self, raw: FloatArray) -> FloatArray:
        found = raw.copy()
        found[:, self.diagonal] = np.logaddexp(0.0, raw[:, self.diagonal])
        return found

    def raw(self, mean: FloatArray, covariance: Covariance) -> tuple[FloatArray, FloatArray]:
        factor = np.array(covariance.factor)
        np.fill_diagonal(factor, inverse_softplus(np.diagonal(factor)))
        return mean, factor[self.triangle]


GroupParameters = MeanFieldParameters | FullRankParameters


@singledispatch
def parameters_of(group: object) -> GroupParameters:
    """The parameters of a group of variables."""
    raise TypeError(not_gaussian(group))


parameters_of.register(MeanFieldGroup, MeanFieldParameters)
parameters_of.register(FullRankGroup, FullRankParameters)


def inverse_softplus(scale: FloatArray) -> FloatArray:
    """log(eˢ − 1) without overflow."""
    found: FloatArray = scale + np.log(-np.expm1(-scale))
    return found


def _log_softplus(x: FloatArray) -> FloatArray:
    """log log(1 + eˣ), PyMC's map from a free parameter to a standard deviation, without underflow."""
    found: FloatArray = np.where(x < TINY, x, np.log(np.logaddexp(0.0, np.maximum(x, TINY))))
    return found


def _value(parameter: Any) -> Any:
    """A parameter's value; only one that the user built from a graph needs a compilation."""
    read = getattr(parameter, "get_value", None)
    return parameter.eval() if read is None else read(borrow=True)


def _set(parameter: Any, value: FloatArray) -> None:
    write = getattr(parameter, "set_value", None)
    if write is None:
        raise TypeError(
            f"the approximation's parameter {parameter} is computed by a graph, and cannot be set"
        )
    write(value.astype(parameter.dtype))
