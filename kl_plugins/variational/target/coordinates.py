"""What iterates of a Gaussian family are averaged in, and what small changes of it amount to."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from kl_plugins.covariance.axis_aligned import AxisAligned, DiagonalScales
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.full import Cholesky
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.ops.protocol import FloatArray


class MeanFieldCoordinates:
    """Means and logarithms of standard deviations."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.size = 2 * dimension

    def whiten(self, deviations: FloatArray, centre: FloatArray) -> FloatArray:
        """Small deviations from `centre`; the sum of a row's squares is the Jeffreys divergence from it."""
        mean, log_scale = np.split(deviations, 2, axis=1)
        scale = np.exp(centre[self.dimension :])
        return np.concatenate([mean / scale, np.sqrt(2.0) * log_scale], axis=1)

    def mean_and_covariance(self, centre: FloatArray) -> tuple[FloatArray, Covariance]:
        return centre[: self.dimension], DiagonalScales(np.exp(centre[self.dimension :]))


class FullRankCoordinates:
    """Means and the entries of the Cholesky factor, row by row."""

    def __init__(self, dimension: int) -> None:
        self.dimension = d = dimension
        self.triangle = np.tril_indices(d)
        self.diagonal = d + np.flatnonzero(self.triangle[0] == self.triangle[1])
        self.size = d + d * (d + 1) // 2
        self._places = d + d * self.triangle[1] + self.triangle[0]  # among the numbers of `columns`
        self._taken = np.concatenate([np.arange(d), self._places])

    def whiten(self, deviations: FloatArray, centre: FloatArray) -> FloatArray:
        """Small deviations from `centre`; the sum of a row's squares is the Jeffreys divergence from it."""
        d, n = self.dimension, len(deviations)
        columns = np.zeros((n, 1 + d, d), dtype=deviations.dtype)  # of (mean, factor): LAPACK's own order
        columns[:, 0] = deviations[:, :d]
        flat = columns.reshape(n, -1)
        flat[:, self._places] = deviations[:, d:]
        solved = solve_triangular(
            self.factor(centre), columns.reshape(-1, d).T, lower=True, overwrite_b=True, check_finite=False
        )
        found: FloatArray = solved.T.reshape(n, -1)[:, self._taken]
        found[:, self.diagonal] *= np.sqrt(2.0)
        return found

    def factor(self, centre: FloatArray) -> FloatArray:
        matrix = np.zeros((self.dimension, self.dimension), dtype=centre.dtype)
        matrix[self.triangle] = centre[self.dimension :]
        return matrix

    def mean_and_covariance(self, centre: FloatArray) -> tuple[FloatArray, Covariance]:
        return centre[: self.dimension], Cholesky(self.factor(centre))


class LowRankCoordinates:
    """Means, the rows of the factor W and the logarithms of the scales s of Σ = W Wᵀ + diag(s²).

    W and W R with an orthogonal R are one covariance, so that some changes of W amount to nothing.
    """

    def __init__(self, dimension: int, rank: int) -> None:
        self.dimension, self.rank = dimension, rank
        self.size = 2 * dimension + dimension * rank

    def whiten(self, deviations: FloatArray, centre: FloatArray) -> FloatArray:
        """Small deviations from `centre`; the sum of a row's squares is the Jeffreys divergence from it.

        That of covariances is ½ tr (Σ⁻¹ δΣ)², the squares of L⁻¹ δΣ L⁻ᵀ over √2, with δΣ = δW Wᵀ + W δWᵀ +
        2 diag(s² δ log s); the squares above its diagonal are those below.
        """
        d = self.dimension
        factor, log_scales = self._parts(centre[None])
        changes, log_changes = self._parts(deviations)
        lower = np.linalg.cholesky(factor[0] @ factor[0].T + np.diag(np.exp(2.0 * log_scales[0])))
        inverse = solve_triangular(lower, np.eye(d), lower=True)
        along, steps = inverse @ factor[0], np.exp(2.0 * log_scales) * log_changes
        below = np.tril_indices(d)
        weights = np.where(below[0] == below[1], np.sqrt(0.5), 1.0)
        found = np.empty((len(deviations), d + len(weights)))
        found[:, :d] = deviations[:, :d] @ inverse.T
        # One after another: all matrices at once would not fit into memory where one does easily.
        for row, change, step in zip(found, changes, steps, strict=True):
            half = inverse @ change @ along.T + (inverse * step) @ inverse.T
            row[d:] = weights * (half + half.T)[below]
        return found

    def mean_and_covariance(self, centre: FloatArray) -> tuple[FloatArray, Covariance]:
        (factor,), (log_scales,) = self._parts(centre[None])
        return centre[: self.dimension], LowRank(np.exp(2.0 * log_scales), factor)

    def _parts(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Factors, shape (n, d, k), and logarithms of scales, shape (n, d)."""
        d = self.dimension
        return rows[:, d:-d].reshape(-1, d, self.rank), rows[:, -d:]


def independent_scales(covariance: Covariance) -> FloatArray:
    """The standard deviations of a covariance without correlations; ValueError of any other."""
    if not isinstance(covariance, AxisAligned):
        raise ValueError(f"a mean-field group has no correlations, {type(covariance).__name__} has")
    return np.array(covariance.full_scales(), dtype=float)
