"""Which Gaussians a family has: the square roots of their covariances, and the coordinates around one.

The draws of a member are x = m + C z. Around a reference (m₀, C₀) every member is x = m₀ + C₀ (u + T z), with
T of the same form as C. Its entries (logarithms on the diagonal) are the coordinates, in which the Fisher
information at the reference is 2 for the diagonal and 1 for the others, whatever the units of x.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kl_plugins.covariance.axis_aligned import AxisAligned, DiagonalScales
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.block_diagonal import BlockDiagonal
from kl_plugins.covariance.full import Cholesky
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.families.named import Snapshot
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.low_rank_scales import LowRankScales


class Gaussian(NamedTuple):
    """A member of a family: its mean, shape (d,), and the square root of its covariance."""

    mean: FloatArray
    root: FloatArray


class ConstantMetric:
    """A family whose coordinates, and their Fisher information, are the same around all of its members."""

    metric: FloatArray
    """Fisher information of the coordinates of T, shape (k,)."""
    logarithms: NDArray[np.bool_]
    """Which coordinates are logarithms of diagonal entries, shape (k,)."""

    def around(self, root: FloatArray) -> Self:
        """The coordinates around a member."""
        return self

    def log_det_slope(self, change: FloatArray) -> FloatArray:
        """Derivatives of log |T| by the coordinates."""
        return self.logarithms.astype(float)

    def squared_length(self, coordinates: FloatArray) -> float:
        """The Jeffreys divergence of a small change, to second order."""
        return float(np.sum(self.metric * coordinates**2))

    def support(self, coordinates: FloatArray) -> FloatArray:
        """What is added to the product of the Hessian of −ELBO with a direction: nothing."""
        return np.zeros_like(coordinates)


class MeanFieldScales(ConstantMetric):
    """Independent coordinates: the root is the vector of standard deviations."""

    every_correlation = False

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.metric = np.full(dimension, 2.0)
        self.logarithms = np.ones(dimension, dtype=bool)

    def spread(self, root: FloatArray, z: FloatArray) -> FloatArray:
        """C z for every row z."""
        return z * root

    def pull(self, root: FloatArray, gradients: FloatArray) -> FloatArray:
        """Cᵀ g for every row g."""
        return gradients * root

    def log_det(self, root: FloatArray) -> float:
        return float(np.log(root).sum())

    def change(self, coordinates: FloatArray) -> FloatArray:
        """T from its coordinates."""
        return np.exp(coordinates)

    def diagonal(self, change: FloatArray) -> FloatArray:
        """The diagonal entries of T."""
        return change

    def columns(self, row: int) -> NDArray[np.intp]:
        """Where a row of T has its coordinates, which come row after row."""
        return np.array([row])

    def slope(self, gradients: FloatArray, z: FloatArray, change: FloatArray) -> FloatArray:
        """Derivatives of the mean of f(u + T z) by the coordinates of T; rows of `gradients` are ∇f."""
        slopes: FloatArray = np.einsum("nd,nd->d", gradients, z) / len(z) * change
        return slopes

    def compose(self, root: FloatArray, change: FloatArray) -> FloatArray:
        """The root C T."""
        return root * change

    def middle(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """A root half way between two that are close."""
        middle: FloatArray = np.sqrt(p * q)
        return middle

    def from_hessian(self, hessian: FloatArray) -> FloatArray:
        """The root of the member closest to N(0, H⁻¹), H positive definite, in KL(member ‖ ·)."""
        root: FloatArray = 1.0 / np.sqrt(np.diagonal(hessian))
        return root

    def from_covariance(self, covariance: Covariance) -> FloatArray:
        if isinstance(covariance, AxisAligned):
            return np.array(covariance.full_scales(), dtype=float)
        return np.asarray(np.sqrt(np.diagonal(covariance.matrix())))

    def covariance(self, root: FloatArray) -> Covariance:
        return DiagonalScales(root)


class TriangularScales(ConstantMetric):
    """Blocks of correlated or independent coordinates: the root is a lower triangular matrix.

    Parameters
    ----------
    blocks : sequence of (size, correlated)
        One after another; a single correlated one is the full-rank family.
    """

    def __init__(self, blocks: tuple[tuple[int, bool], ...]) -> None:
        ends = np.cumsum([size for size, _ in blocks])
        self.blocks = [(slice(end - size, end), full) for end, (size, full) in zip(ends, blocks, strict=True)]
        self.dimension = d = int(ends[-1])
        self.every_correlation = len(blocks) == 1 and blocks[0][1]
        inside = np.eye(d, dtype=bool)
        for part, correlated in self.blocks:
            inside[part, part] |= correlated
        self.inside = np.tril(inside)
        self.logarithms = np.eye(d, dtype=bool)[self.inside]
        self.metric = np.where(self.logarithms, 2.0, 1.0)

    def spread(self, root: FloatArray, z: FloatArray) -> FloatArray:
        return z @ root.T

    def pull(self, root: FloatArray, gradients: FloatArray) -> FloatArray:
        return gradients @ root

    def log_det(self, root: FloatArray) -> float:
        return float(np.log(np.diagonal(root)).sum())

    def change(self, coordinates: FloatArray) -> FloatArray:
        matrix = np.zeros((self.dimension, self.dimension))
        matrix[self.inside] = np.where(self.logarithms, np.exp(coordinates * self.logarithms), coordinates)
        return matrix

    def diagonal(self, change: FloatArray) -> FloatArray:
        return np.diagonal(change)

    def columns(self, row: int) -> NDArray[np.intp]:
        return np.flatnonzero(self.inside[row])

    def slope(self, gradients: FloatArray, z: FloatArray, change: FloatArray) -> FloatArray:
        slopes: FloatArray = (gradients.T @ z / len(z))[self.inside]
        slopes[self.logarithms] *= self.diagonal(change)
        return slopes

    def compose(self, root: FloatArray, change: FloatArray) -> FloatArray:
        return np.tril(root @ change)

    def middle(self, p: FloatArray, q: FloatArray) -> FloatArray:
        root = 0.5 * (p + q)
        np.fill_diagonal(root, np.sqrt(np.diagonal(p) * np.diagonal(q)))
        return root

    def from_hessian(self, hessian: FloatArray) -> FloatArray:
        root = np.zeros_like(hessian)
        for part, correlated in self.blocks:
            block = hessian[part, part] if correlated else np.diag(np.diagonal(hessian)[part])
            root[part, part] = _root_of_inverse(block)
        return root

    def from_covariance(self, covariance: Covariance) -> FloatArray:
        return np.where(self.inside, np.array(covariance.factor, dtype=float), 0.0)

    def covariance(self, root: FloatArray) -> Covariance:
        found = tuple(
            Cholesky(root[part, part]) if correlated else DiagonalScales(np.diagonal(root)[part])
            for part, correlated in self.blocks
        )
        return found[0] if len(found) == 1 else BlockDiagonal(found)


ScaleFamily = MeanFieldScales | TriangularScales | LowRankScales
"""The operations on roots that an optimum is found with."""


def family_of(covariance: Any) -> ScaleFamily:
    """The family that a covariance belongs to by its structure."""
    if isinstance(covariance, AxisAligned):
        return MeanFieldScales(int(covariance.dimension))  # type: ignore[arg-type]
    if isinstance(covariance, BlockDiagonal):
        return TriangularScales(
            tuple((int(block.dimension), not isinstance(block, AxisAligned)) for block in covariance.blocks)  # type: ignore[arg-type]
        )
    d = int(covariance.dimension)
    if isinstance(covariance, LowRank) and np.shape(covariance.loadings)[-1] < d - 1:
        return LowRankScales(d, np.shape(covariance.loadings)[-1])
    # Less its smallest eigenvalue, every covariance matrix has a rank of d − 1.
    return TriangularScales(((d, True),))


def with_constant_metric(
    family: ScaleFamily, gaussian: Gaussian
) -> tuple[MeanFieldScales | TriangularScales, Gaussian]:
    """The same Gaussian in a family whose metric is constant: of a low rank that of all correlations."""
    if not isinstance(family, LowRankScales):
        return family, gaussian
    root = np.linalg.cholesky(family.covariance(gaussian.root).matrix())
    return TriangularScales(((family.dimension, True),)), Gaussian(gaussian.mean, root)


def scales_of(gaussian: Gaussian) -> FloatArray:
    """Standard deviations of the coordinates, shape (d,)."""
    root = gaussian.root
    scales: FloatArray = root if root.ndim == 1 else np.linalg.norm(root, axis=1)  # of (F, s), too
    return scales


def standard_deviations(q: Snapshot) -> FloatArray:
    """The same of a distribution, in float64."""
    return np.broadcast_to(np.asarray(q.std, dtype=float), np.shape(q.mean))


def _root_of_inverse(matrix: FloatArray) -> FloatArray:
    """The lower triangular L with L Lᵀ the inverse of a positive definite matrix."""
    # The Cholesky factor U of the matrix with its order reversed gives L = U⁻ᵀ, reversed back, directly.
    reverse = np.linalg.cholesky(matrix[::-1, ::-1])[::-1, ::-1]
    return np.tril(np.linalg.inv(reverse).T)


def member_of(family: ScaleFamily, q: Snapshot) -> Gaussian:
    """The member of a family with q's mean, and its covariance as far as the family has that."""
    return Gaussian(np.array(q.mean, dtype=float), family.from_covariance(q.covariance))
