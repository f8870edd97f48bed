"""The variables of a Gaussian approximation one by one, each a function of noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.variational.opvi import Approximation

from kl_plugins.covariance.full import Cholesky
from kl_plugins.ops.protocol import Array, FloatArray
from kl_plugins.plugins.pymc.approximations import covariance

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True)
class Part:
    """The n coordinates of one variable, mean + root @ noise; without a root, mean + scale * noise.

    `own` are the standard deviations of the coordinates, each given all before it, and `noise` is the noise
    that is the variable's own. The rows of `root` are longer than n where variables before it have a share.
    """

    mean: Array
    scale: Array
    root: Array | None
    own: Array
    noise: Array

    @property
    def alone(self) -> bool:
        """Whether no other variable has a share."""
        return self.root is None or self.root.type.shape[0] == self.root.type.shape[1]

    def log_density(self) -> Array:
        """Logarithm of its density at its draw, given the variables before it."""
        return (-0.5 * self.noise**2 - pt.log(self.own) - _HALF_LOG_2PI).sum()


def independent_part(mean: FloatArray, scale: FloatArray) -> Part:
    """A part of numbers, whose coordinates are independent."""
    scales = pt.constant(scale)
    return Part(pt.constant(mean), scales, None, scales, pt.zeros(len(mean)))


class Parts:
    """A Gaussian approximation as a function of standard normal noise, one vector for each of its groups.

    Raises
    ------
    TypeError
        If a group of variables is not Gaussian.
    """

    def __init__(self, approximation: Approximation) -> None:
        self.groups = approximation.groups
        self.covariances: list[Any] = [covariance(group) for group in self.groups]
        self.noises = [
            pt.tensor(f"noise_{i}", dtype="float64", shape=(int(group.ddim),))
            for i, group in enumerate(self.groups)
        ]
        self._places = {name: i for i, group in enumerate(self.groups) for name in group.ordering}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a variable, by the name of its value variable."""
        return tuple(int(n) for n in self._entry(name)[2])

    def coupled(self, name: str) -> list[str]:
        """The other variables of a full-rank group."""
        place = self._places[name]
        if not isinstance(self.covariances[place], Cholesky):
            return []
        return [other for other in self.groups[place].ordering if other != name]

    def is_before(self, name: str, other: str) -> bool:
        """Whether one variable comes before another of its group."""
        return bool(self._entry(name)[1].start < self._entry(other)[1].start)

    def draw(self, name: str) -> Array:
        """The variable as a function of the noise."""
        place, span = self._places[name], self._entry(name)[1]
        structure, noise = self.covariances[place], self.noises[place]
        if isinstance(structure, Cholesky):
            moved = structure.factor[span] @ noise
        else:
            moved = structure.scales[span] * noise[span]
        return (self._mean(place)[span] + moved).reshape(self.shape(name)).astype(self._entry(name)[3])

    def part(self, name: str, given: bool = False) -> Part:
        """The variable by itself, or given the draws of the variables before it in its group."""
        place, span = self._places[name], self._entry(name)[1]
        structure, noise, mean = self.covariances[place], self.noises[place], self._mean(place)[span]
        if not isinstance(structure, Cholesky):
            scale = structure.scales[span]
            return Part(mean, scale, None, scale, noise[span])
        factor = structure.factor
        square = factor[span, span]
        if given and span.start:
            mean = mean + factor[span, : span.start] @ noise[: span.start]
        root = square if given else factor[span, : span.stop]
        return Part(mean, pt.sqrt((root**2).sum(-1)), root, pt.diagonal(square), noise[span])

    def noise_drawn(self, draws: int | None) -> dict[Any, Array]:
        """The noise of each group as a random matrix of so many rows; PyMC's own symbol where None."""
        found = {}
        for group, noise in zip(self.groups, self.noises, strict=True):
            drawn = group.symbolic_initial
            if draws is not None:
                drawn = group.make_size_and_deterministic_replacements(draws, 0)[drawn]
            found[noise] = pt.specify_shape(drawn, (draws, int(group.ddim))).astype(noise.dtype)
        return found

    def _mean(self, place: int) -> Array:
        group = self.groups[place]
        return pt.specify_shape(group.params_dict["mu"], (int(group.ddim),))

    def _entry(self, name: str) -> Any:
        return self.groups[self._places[name]].ordering[name]
