"""Where the posterior has another shape than an approximation: slopes of their log densities compared."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from kl_plugins.covariance.axis_aligned import AxisAligned
from kl_plugins.families.named import Snapshot
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.evidence.importance import FEWEST_DRAWS
from kl_plugins.variational.evidence.moments import ERRORS
from kl_plugins.variational.optimum.scale_families import standard_deviations
from kl_plugins.variational.target.density import TargetDensity

DRAWS = 1_000
"""Draws of the approximation at which slopes are compared."""


class SlopeMisfit(NamedTuple):
    """How different the slopes of log p and log q are along each coordinate, beside q's own.

    Attributes
    ----------
    value : ndarray, shape (d,)
        √(E_q[(∂ᵢ log p − ∂ᵢ log q)²] / E_q[(∂ᵢ log q)²]): 0 where q has the posterior's shape. A mean that is
        off by δ conditional sds gives δ; a mean-field optimum of a Gaussian with correlation ρ gives ρ.
    error : ndarray, shape (d,)
        Standard errors. NaN, like the values, where too few draws have slopes.

    Notes
    -----
    The square is the Fisher divergence along a coordinate, in units of q's. It needs no importance weights,
    so that it is known in many dimensions and for heavy tails too, as far as q's draws reach.
    """

    value: FloatArray
    error: FloatArray

    def beyond(self, least: float) -> NDArray[np.intp]:
        """The coordinates whose misfit is larger than `least` by more than its error, worst first."""
        with np.errstate(invalid="ignore"):
            found = np.flatnonzero(self.value - ERRORS * self.error > least)
        return found[np.argsort(-self.value[found], kind="stable")]


def slope_misfit(target: TargetDensity, q: Snapshot, points: FloatArray) -> SlopeMisfit:
    """The misfit at the first of the independent draws of q that `points`, shape (n, d), are."""
    points = points[:DRAWS]
    _, slopes = target(points)
    finite = np.isfinite(slopes).all(axis=1)
    if finite.sum() < FEWEST_DRAWS:
        unknown = np.full(target.dimension, np.nan)
        return SlopeMisfit(unknown, unknown)
    centred = points[finite] - np.asarray(q.mean)
    if isinstance(q.covariance, AxisAligned):
        scales = standard_deviations(q)
        own, widths = -centred / scales**2, scales
    else:
        factor = np.asarray(q.covariance.factor, dtype=float)
        inverse = solve_triangular(factor, np.eye(len(factor)), lower=True)
        own, widths = -(centred @ inverse.T) @ inverse, 1.0 / np.linalg.norm(inverse, axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = ((slopes[finite] - own) * widths) ** 2
        value = np.sqrt(squares.mean(axis=0))
        error = squares.std(axis=0) / np.sqrt(len(squares)) / (2.0 * np.maximum(value, 1e-300))
    return SlopeMisfit(value, error)
