"""Singular covariances: Gaussians that live on an affine subspace."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from kl_plugins.covariance.base import Covariance, log_det_divergence, log_det_divergences
from kl_plugins.covariance.full import Cholesky
from kl_plugins.ops.protocol import Array, ArrayOperations
from kl_plugins.parameters.declarations import parameter, part
from kl_plugins.parameters.shapes import broadcast_shapes

TOLERANCE = 1e-8
"""Sine of the largest angle between subspaces that still count as the same one."""

P_IS_SINGULAR = "O(1): p is singular and q is not"
Q_IS_SINGULAR = "O(1): q is singular and p is not"
"""What a pair costs that has no subspace in common."""


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
        ops, basis = self.ops, self.basis
        coordinates = ops.matmul(x[..., None, :], basis)
        within = ops.matmul(coordinates, ops.transpose(basis))[..., 0, :]
        whitened = self.inner.whiten(coordinates[..., 0, :])
        return and_outside(whitened, x - within, x, self.largest_scale, ops)

    @cached_property
    def largest_scale(self) -> Array:
        """Standard deviation of the widest coordinate, shape ``batch_shape``; 0 where there is none."""
        variances = self.ops.diagonal(self.inner.matrix())
        if self.rank == 0:
            return self.ops.zeros_like(variances.sum(axis=-1))
        return self.ops.sqrt(self.ops.max_last(variances))

    def log_det(self) -> Array:
        return self.ops.broadcast_to(self.inner.log_det(), self.batch_shape)

    def marginal(self, index: Array) -> Covariance:
        if not len(index) == len(set(index)) == self.dimension:
            raise ValueError("a marginal of a singular covariance needs all of its variables")
        return self.unchecked(self.ops, basis=self.basis[..., index, :], inner=self.inner)


def and_outside(whitened: Array, outside: Array, x: Array, scale: Array, ops: ArrayOperations) -> Array:
    """Coordinates of x in a subspace, and one more, infinite where what is outside of it is not small."""
    far, near = (ops.max_last(ops.absolute(part)) for part in (outside, x))
    out = ops.where(far > TOLERANCE * (near + scale), np.inf, 0.0)[..., None]
    shape = ops.runtime_shape(whitened)[:-1]
    return ops.concatenate([whitened, ops.broadcast_to(out, (*shape, 1))])


@log_det_divergences.register(Singular, Covariance, cost=P_IS_SINGULAR, precedence=1)
@log_det_divergences.register(Covariance, Singular, cost=Q_IS_SINGULAR, precedence=1)
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
    aligned = np.linalg.norm(p.basis - q.basis @ rotation, ord=2, axis=(-2, -1)) <= TOLERANCE
    # where they are not, any factor will do
    safe = np.where(aligned[..., None, None], rotation, ops.eye_like(rotation))
    factor = ops.cholesky_of_root(safe @ p.inner.factor)
    rotated = log_det_divergence(Cholesky.unchecked(ops, factor=factor), q.inner)
    value = np.where(aligned, rotated, np.inf)
    return np.where(same, log_det_divergence(p.inner, q.inner), value) if same.any() else value
