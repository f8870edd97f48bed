"""What a verdict on an approximation rests on."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.evidence.importance import Importance
from kl_plugins.variational.evidence.modes import Mode
from kl_plugins.variational.evidence.moments import Estimate, MomentComparison, Moments, compare_moments
from kl_plugins.variational.evidence.slopes import SlopeMisfit
from kl_plugins.variational.optimum.distance import OptimumDistance


class Source(StrEnum):
    """Where the posterior's moments come from, as it is printed."""

    HEAVY_TAILED = "heavy-tailed importance sampling"
    REFERENCE = "the reference draws"

    __repr__ = str.__repr__


class Grounds(NamedTuple):
    """Everything that a verdict rests on: the posterior's moments as well as they are known, and the rest.

    `source` says where `truth` comes from; `reliable` whether its errors can be believed. `best` holds the
    mean and sd of the best of the family, `full_rank` those of the best full-rank Gaussian. `sd_floor` is
    what the posterior's sds are at least; `outside` says where q has mass and the posterior has none;
    `sought` whether other modes were looked for; `untried` whether a full-rank fit is possible and was not
    looked at; `hierarchical` whether a variable's prior depends on another variable; `corrected` whether the
    covariances are those of linear response, so that nobody meant them to be the best of a family; `slopes`
    how different the slopes of the two log densities are.
    """

    names: Sequence[str]
    raw: Moments
    weighted: Moments
    moment_k: FloatArray
    truth: Moments
    source: str
    by_reference: bool
    reliable: bool
    importance: Importance
    missed: Estimate
    modes: tuple[Mode, ...]
    distance: OptimumDistance | None
    best: Moments | None
    full_rank: Moments | None
    mean_field: bool
    tolerance: float
    optimum_tolerance: float
    sd_floor: FloatArray | None = None
    outside: str = ""
    sought: bool = True
    untried: bool = False
    hierarchical: bool = False
    corrected: bool = False
    slopes: SlopeMisfit | None = None

    def compare(self, given: Moments) -> MomentComparison:
        """These moments next to the posterior's."""
        floor = None if self.by_reference else self.sd_floor
        return compare_moments(self.names, given, self.truth, self.tolerance, floor)

    def heavy_tails(self) -> list[tuple[str, float]]:
        """Coordinates whose variance is in a tail that weights do not make up for, with their k̂."""
        beyond = np.flatnonzero(self.moment_k > self.importance.threshold)
        order = beyond[np.argsort(-self.moment_k[beyond])]
        return [(self.names[i], float(self.moment_k[i])) for i in order]

    def other_shape(self) -> list[tuple[str, float]]:
        """Coordinates along which the posterior has another shape than q, worst first, with the misfit."""
        if self.slopes is None:
            return []
        return [(self.names[i], float(self.slopes.value[i])) for i in self.slopes.beyond(self.tolerance)]

    @property
    def at_optimum(self) -> bool:
        """Whether the fit is as close to the best of its family as was asked for."""
        distance = self.distance
        return distance is not None and distance.known and distance.interval[0] <= self.optimum_tolerance

    @property
    def away_from_optimum(self) -> bool:
        """Whether the fit is known to be farther from the best of its family than was asked for."""
        if self.distance is None or self.corrected:
            return False
        return self.distance.interval[0] > self.optimum_tolerance


def jeffreys_to_optimum(distance: OptimumDistance) -> Estimate:
    """The Jeffreys divergence with half of its interval as the error."""
    low, high = distance.interval
    return Estimate(distance.jeffreys, 0.5 * (high - low))
