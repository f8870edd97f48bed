"""Singular covariances: Gaussians that live on an affine subspace. Numbers only, no batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from kl_plugins.backends.parametrised import Shape
from kl_plugins.covariance.base import Covariance, log_det_divergence, log_det_divergences
from kl_plugins.covariance.full import Cholesky

_TOLERANCE = 1e-8
"""Sine of the largest angle between subspaces that still count as the same one."""


@dataclass(frozen=True, eq=False)
class Singular(Covariance):
    """Σ = B C Bᵀ, of rank r < d.

    Parameters
    ----------
    basis : array_like, shape (d, r)
        Orthonormal basis B of the subspace, as columns.
    inner : Covariance
        Positive definite covariance C of dimension r, of the coordinates in that basis.
    """

    basis: Any
    inner: Covariance
    arrays: ClassVar[tuple[str, ...]] = ("basis",)
    parts: ClassVar[tuple[str, ...]] = ("inner",)

    @property
    def dimension(self) -> int | None:
        return self.ops.shape(self.basis)[0]  # type: ignore[no-any-return]

    @property
    def batch_shape(self) -> Shape:
        return ()

    @property
    def rank(self) -> int:
        return self.ops.shape(self.basis)[1]  # type: ignore[no-any-return]

    def matrix(self) -> Any:
        return self.basis @ self.inner.matrix() @ self.basis.T

    def whiten(self, x: Any) -> Any:
        """Whitened coordinates in the subspace, and one more: infinite where `x` points out of it."""
        if self.ops.symbolic:  # a graph has no singular p, and against any other the divergence is infinite
            return self.ops.zeros_like(x)
        coordinates = x @ self.basis
        outside = np.linalg.norm(x - coordinates @ self.basis.T, axis=-1, keepdims=True)
        slack = _TOLERANCE * (np.linalg.norm(x, axis=-1, keepdims=True) + self.largest_scale)
        return self.ops.concatenate([self.inner.whiten(coordinates), np.where(outside > slack, np.inf, 0.0)])

    @cached_property
    def largest_scale(self) -> float:
        return float(np.sqrt(np.diagonal(self.inner.matrix()).max(initial=0.0)))

    def log_det(self) -> Any:
        return self.inner.log_det()

    def marginal(self, index: Any) -> Covariance:
        if len(set(index)) != self.dimension:
            raise ValueError("a marginal of a singular covariance needs all of its variables")
        return self.trusted(self.ops, basis=self.basis[index], inner=self.inner)


@log_det_divergences.register(Singular, Covariance, cost="O(1): p is singular and q is not", precedence=1)
@log_det_divergences.register(Covariance, Singular, cost="O(1): q is singular and p is not", precedence=1)
def different_subspaces(p: Covariance, q: Covariance) -> Any:
    """One lives on a subspace that the other gives probability 0 or leaves: infinite."""
    return np.float64(np.inf)


@log_det_divergences.register(
    Singular, Singular, cost="O(d r² + r³): on the common subspace of dimension r", precedence=2
)
def singular_singular(p: Singular, q: Singular) -> Any:
    if p.rank != q.rank:
        return np.float64(np.inf)
    if np.array_equal(p.basis, q.basis):
        return log_det_divergence(p.inner, q.inner)
    rotation = q.basis.T @ p.basis
    if np.linalg.norm(p.basis - q.basis @ rotation, ord=2) > _TOLERANCE:
        return np.float64(np.inf)
    factor = p.ops.cholesky_of_root(rotation @ p.inner.factor)
    return log_det_divergence(Cholesky.trusted(p.ops, factor=factor), q.inner)
