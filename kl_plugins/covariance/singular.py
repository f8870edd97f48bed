"""Singular covariances: Gaussians that live on an affine subspace. Numbers only."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from kl_plugins.covariance.base import Covariance, log_det_divergence, log_det_divergences
from kl_plugins.covariance.full import Cholesky
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import parameter, part
from kl_plugins.parameters.shapes import broadcast_shapes

_TOLERANCE = 1e-8
"""Sine of the largest angle between subspaces that still count as the same one."""


class Singular(Covariance):
    """Σ = B C Bᵀ, of rank r < d.

    Parameters
    ----------
    basis : array_like, shape (..., d, r)
        Orthonormal bases B of the subspaces, as columns; all of one rank.
    inner : Covariance
        Positive definite covariance C of dimension r, of the coordinates in that basis.
    """

    basis: Array = parameter(core_ndim=2)
    inner: Covariance = part()

    @property
    def dimension(self) -> int | None:
        return self.ops.shape(self.basis)[-2]

    @property
    def rank(self) -> int | None:
        return self.ops.shape(self.basis)[-1]

    def matrix(self) -> Array:
        return self.basis @ self.inner.matrix() @ self.ops.transpose(self.basis)

    def whiten(self, x: Array) -> Array:
        """Whitened coordinates in the subspace, and one more: infinite where `x` points out of it."""
        if self.ops.symbolic:  # a graph has no singular p, and against any other the divergence is infinite
            return self.ops.zeros_like(x)
        coordinates = (x[..., None, :] @ self.basis)[..., 0, :]
        within = (coordinates[..., None, :] @ self.ops.transpose(self.basis))[..., 0, :]
        outside = np.linalg.norm(x - within, axis=-1)
        slack = _TOLERANCE * (np.linalg.norm(x, axis=-1) + self.largest_scale)
        whitened = self.inner.whiten(coordinates)
        out = np.broadcast_to(np.where(outside > slack, np.inf, 0.0), whitened.shape[:-1])
        return self.ops.concatenate([whitened, out[..., None]])

    @cached_property
    def largest_scale(self) -> Array:
        """Standard deviation of the widest coordinate, shape ``batch_shape``."""
        return np.sqrt(self.ops.diagonal(self.inner.matrix()).max(axis=-1, initial=0.0))

    def log_det(self) -> Array:
        return self.ops.broadcast_to(self.inner.log_det(), self.batch_shape)

    def marginal(self, index: Array) -> Covariance:
        if len(set(index)) != self.dimension:
            raise ValueError("a marginal of a singular covariance needs all of its variables")
        return self.unchecked(self.ops, basis=self.basis[..., index, :], inner=self.inner)


@log_det_divergences.register(Singular, Covariance, cost="O(1): p is singular and q is not", precedence=1)
@log_det_divergences.register(Covariance, Singular, cost="O(1): q is singular and p is not", precedence=1)
def different_subspaces(p: Covariance, q: Covariance) -> Array:
    """One lives on a subspace that the other gives probability 0 or leaves: infinite."""
    batch = broadcast_shapes(p.batch_shape, q.batch_shape)
    known = [length for length in batch if length is not None]
    if len(known) == len(batch):
        return np.inf + np.zeros(known)
    return np.inf + p.ops.zeros_like(p.log_det() + q.log_det())


@log_det_divergences.register(
    Singular, Singular, cost="O(d r² + r³): on the common subspace of dimension r", precedence=2
)
def singular_singular(p: Singular, q: Singular) -> Array:
    if p.rank != q.rank:
        return different_subspaces(p, q)
    same = np.all(p.basis == q.basis, axis=(-2, -1))
    if same.all():
        return np.broadcast_to(log_det_divergence(p.inner, q.inner), same.shape)
    ops = p.ops
    rotation = ops.transpose(q.basis) @ p.basis
    aligned = np.linalg.norm(p.basis - q.basis @ rotation, ord=2, axis=(-2, -1)) <= _TOLERANCE
    # where they are not, any factor will do
    safe = np.where(aligned[..., None, None], rotation, ops.eye_like(rotation))
    factor = ops.cholesky_of_root(safe @ p.inner.factor)
    rotated = log_det_divergence(Cholesky.unchecked(ops, factor=factor), q.inner)
    value = np.where(aligned, rotated, np.inf)
    return np.where(same, log_det_divergence(p.inner, q.inner), value) if same.any() else value
