"""Gaussians whose covariance is a diagonal and a square of low rank, and the coordinates around one.

The covariance is Σ = F Fᵀ + diag(s²), its root the matrix (F, s) of shape (d, k + 1). The draws are
x = m + C z of d standard-normal numbers, with the symmetric root of what is left when s is taken out:
with V = F/s, C = diag(s) (I + V Vᵀ)^½. So C is a function of Σ and s alone: F and F R with an orthogonal R
have the same draws, and an average over fixed draws is the same for both.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import svd

from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.dispatch import jeffreys
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.ops.protocol import FloatArray

RIDGE = 0.1
"""Added to the Fisher information that the coordinates are scaled by: a column of F that is zero has none."""
FLOOR = 1e-3
"""Added to curvatures, of which rounding and draws make small ones negative."""
LEAST = 0.1
"""Columns of V are at least as long where a search begins: from a column of zeros no gradient leads away."""
ALTERNATIONS, NEWTON_STEPS = 30, 20
"""Of the search for the member closest to a Gaussian."""
FARTHEST = 20.0
"""A logarithm of a scale that moves by more is of no small change."""
STILL = 1e-6
"""By what the logarithms of scales move when a search has come to rest."""


class LowRankRoot(NamedTuple):
    """C = diag(s) (I + V Vᵀ)^½, V with orthogonal columns.

    With b = (1 + |Vⱼ|²)^½ the root is I + V diag(1/(b + 1)) Vᵀ.
    """

    scales: FloatArray
    along: FloatArray
    """V, shape (d, k)."""
    stretch: FloatArray
    """b, shape (k,)."""
    turn: FloatArray
    """The orthogonal matrix that V was multiplied by, to have orthogonal columns."""

    @classmethod
    def of(cls, root: FloatArray) -> LowRankRoot:
        scales = root[:, -1]
        along = root[:, :-1] / scales[:, None]
        squares, turn = np.linalg.eigh(along.T @ along)
        return cls(scales, along @ turn, np.sqrt(1.0 + np.maximum(squares, 0.0)), turn)

    @property
    def factor(self) -> FloatArray:
        """F, turned, shape (d, k)."""
        return self.scales[:, None] * self.along

    def times(self, z: FloatArray) -> FloatArray:
        """C z for every row z."""
        return self.scales * self.root_times(z)

    def transposed_times(self, gradients: FloatArray) -> FloatArray:
        """Cᵀ g for every row g."""
        return self.root_times(self.scales * gradients)

    def solve(self, x: FloatArray) -> FloatArray:
        """C⁻¹ x for every row x."""
        return self._inverse_root_times(x / self.scales)

    def solve_transposed(self, x: FloatArray) -> FloatArray:
        """C⁻ᵀ x for every row x."""
        return self._inverse_root_times(x) / self.scales

    def log_det(self) -> float:
        return float(np.log(self.scales).sum() + np.log(self.stretch).sum())

    def root_times(self, z: FloatArray) -> FloatArray:
        """(I + V Vᵀ)^½ z for every row z."""
        return z + (z @ self.along / (self.stretch + 1.0)) @ self.along.T

    def _inverse_root_times(self, x: FloatArray) -> FloatArray:
        return x - (x @ self.along / (self.stretch * (self.stretch + 1.0))) @ self.along.T

    @property
    def whitened_along(self) -> FloatArray:
        """W = V/b: the inverse of I + V Vᵀ is I − W Wᵀ."""
        return self.along / self.stretch


class LowRankScales:
    """Coordinates with a few common factors, and independent beside these.

    Parameters
    ----------
    dimension : int
    rank : int
        The number of factors.
    """

    every_correlation = False

    def __init__(self, dimension: int, rank: int) -> None:
        self.dimension, self.rank = dimension, rank

    def around(self, root: FloatArray) -> LowRankChart:
        """The coordinates around a member."""
        return LowRankChart(root)

    def spread(self, root: FloatArray, z: FloatArray) -> FloatArray:
        """C z for every row z."""
        return LowRankRoot.of(root).times(z)

    def pull(self, root: FloatArray, gradients: FloatArray) -> FloatArray:
        """Cᵀ g for every row g."""
        return LowRankRoot.of(root).transposed_times(gradients)

    def log_det(self, root: FloatArray) -> float:
        return LowRankRoot.of(root).log_det()

    def middle(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """A root half way between two that are close, turned as the first is."""
        left, _, right = svd(q[:, :-1].T @ p[:, :-1])
        factor = 0.5 * (p[:, :-1] + q[:, :-1] @ (left @ right))
        return np.column_stack([factor, np.sqrt(p[:, -1] * q[:, -1])])

    def from_hessian(self, hessian: FloatArray) -> FloatArray:
        """The root of a member as close to N(0, H⁻¹) as steps in turns come, in KL(member ‖ ·).

        Given the scales, the best factors are the eigenvectors of diag(s) H diag(s) with the smallest
        eigenvalues pⱼ < 1, with |Vⱼ|² = 1/pⱼ − 1. Given V, the divergence is convex in the scales.
        """
        scales: FloatArray = 1.0 / np.sqrt(np.diagonal(hessian))
        for _ in range(ALTERNATIONS):
            values, vectors = np.linalg.eigh(scales[:, None] * hessian * scales)
            lengths = np.sqrt(np.maximum(1.0 / np.maximum(values[: self.rank], 1e-16) - 1.0, LEAST**2))
            along = vectors[:, : self.rank] * lengths
            before, scales = scales, _best_scales(hessian * (np.eye(len(hessian)) + along @ along.T), scales)
            if np.max(abs(np.log(scales / before))) < STILL:
                break
        return np.column_stack([along * scales[:, None], scales])

    def from_covariance(self, covariance: Covariance) -> FloatArray:
        if isinstance(covariance, LowRank):
            factor = np.array(covariance.loadings, dtype=float)
            missing = np.zeros((self.dimension, self.rank - factor.shape[-1]))
            return np.column_stack([factor, missing, np.sqrt(np.asarray(covariance.diagonal, dtype=float))])
        return self.from_hessian(np.linalg.inv(np.asarray(covariance.matrix(), dtype=float)))

    def covariance(self, root: FloatArray) -> Covariance:
        return LowRank(root[:, -1] ** 2, root[:, :-1])


class LowRankChart:
    """Coordinates around a member (F₀, s₀): logarithms of s/s₀, and E' with F/s₀ = V₀ + (I + V₀ V₀ᵀ)^½ E' D.

    By D and `metric` the Fisher information is about the identity, but for directions in which it is small
    itself. It is zero where V₀ only turns.
    """

    def __init__(self, root: FloatArray) -> None:
        self.reference = here = LowRankRoot.of(root)
        self.shape = here.along.shape
        self._common = 1.0 - here.stretch**-2.0
        self._lengths = 1.0 / np.sqrt(self._common + RIDGE)
        self._alone = 1.0 - np.sum(here.whitened_along**2, axis=1)
        self.metric: FloatArray = np.concatenate([2.0 * (self._alone**2 + RIDGE), np.ones(here.along.size)])
        """About the Fisher information of the coordinates, shape (d + d k,)."""
        self.logarithms: NDArray[np.bool_] = np.arange(len(self.metric)) < len(root)
        """Which coordinates are logarithms of scales."""

    def change(self, coordinates: FloatArray) -> FloatArray:
        """The root of the member at some coordinates."""
        logarithms, step = self._parts(coordinates)
        here = self.reference
        return np.column_stack([here.scales[:, None] * (here.along + step), here.scales * np.exp(logarithms)])

    def compose(self, root: FloatArray, change: FloatArray) -> FloatArray:
        """The root of the member, which `change` is already."""
        return change

    def spread(self, change: FloatArray, z: FloatArray) -> FloatArray:
        """C₀⁻¹ C z for every row z."""
        return self.reference.solve(LowRankRoot.of(change).times(z))

    def log_det(self, change: FloatArray) -> float:
        return LowRankRoot.of(change).log_det() - self.reference.log_det()

    def slope(self, gradients: FloatArray, z: FloatArray, change: FloatArray) -> FloatArray:
        """Derivatives of the mean of f(u + C₀⁻¹ C z) by the coordinates; rows of `gradients` are ∇f."""
        there = LowRankRoot.of(change)
        pushed = there.scales * self.reference.solve_transposed(gradients)
        inner = there.stretch + 1.0
        # With M the mean of pushed zᵀ, that of the sum over V diag(1/(b + 1)) Vᵀ.
        both = (pushed.T @ (z @ there.along) + z.T @ (pushed @ there.along)) / len(z)
        among = 0.5 * there.along.T @ both
        bend = -among / np.outer(inner, inner) / np.add.outer(there.stretch, there.stretch)
        by_along = both / inner + 2.0 * there.along @ bend
        own = np.einsum("nd,nd->d", pushed, there.root_times(z)) / len(z)
        return self._by_coordinates(own, by_along, there)

    def log_det_slope(self, change: FloatArray) -> FloatArray:
        """Derivatives of the log determinant of C₀⁻¹ C by the coordinates."""
        there = LowRankRoot.of(change)
        return self._by_coordinates(np.ones(self.shape[0]), there.along / there.stretch**2, there)

    def squared_length(self, coordinates: FloatArray) -> float:
        """The Jeffreys divergence of a change, for one of second order is too small along soft directions."""
        if np.max(abs(coordinates[: self.shape[0]])) > FARTHEST:
            return np.inf
        there = LowRankRoot.of(self.change(coordinates))
        moved, here = (
            MultivariateNormal(np.zeros(len(one.scales)), LowRank(one.scales**2, one.factor))
            for one in (there, self.reference)
        )
        return float(jeffreys(moved, here))

    def support(self, coordinates: FloatArray) -> FloatArray:
        """What is added to the product of the Hessian of −ELBO with a direction.

        There is no curvature where V₀ only turns, and nearly none where a scale goes to zero, as it does
        where factors explain a coordinate alone.
        """
        return self.turning(coordinates) + FLOOR * coordinates

    def turning(self, coordinates: FloatArray) -> FloatArray:
        """The part of a change that only turns V₀, and changes nothing."""
        d, k = self.shape
        across, widths = self.reference.whitened_along, 1.0 / self._lengths
        inner = across.T @ (coordinates[d:].reshape(d, k) * widths)
        half = np.outer(self._common, widths**2)
        squares = half + half.T
        turns = np.divide(inner - inner.T, squares, out=np.zeros((k, k)), where=squares > 0.0)
        return np.concatenate([np.zeros(d), (across @ turns * widths).ravel()])

    def _parts(self, coordinates: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Logarithms of s/s₀, and E, by which V₀ changes."""
        d, k = self.shape
        step = coordinates[d:].reshape(d, k) * self._lengths
        return coordinates[:d], self.reference.root_times(step.T).T

    def _by_coordinates(self, own: FloatArray, by_along: FloatArray, there: LowRankRoot) -> FloatArray:
        """Derivatives by the coordinates from those by log s, with V kept, and by the columns of V there.

        V = F/s is smaller where s grows, and its columns there are turned.
        """
        own = own - np.sum(by_along * there.along, axis=1)
        by_step = (self.reference.scales / there.scales)[:, None] * (by_along @ there.turn.T)
        by_step = self.reference.root_times(by_step.T).T * self._lengths
        return np.concatenate([own, by_step.ravel()])


def _best_scales(matrix: FloatArray, scales: FloatArray) -> FloatArray:
    """The s > 0 with the least ½ sᵀ A s − Σ log s of a positive definite A, by damped Newton steps."""
    for _ in range(NEWTON_STEPS):
        slope: FloatArray = matrix @ scales - 1.0 / scales
        step: FloatArray = np.linalg.solve(matrix + np.diag(1.0 / scales**2), slope)
        decrement = math.sqrt(max(float(slope @ step), 0.0))
        scales = scales - step / (1.0 + decrement)  # stays inside: −log is self-concordant
        if decrement < STILL:
            break
    return scales
