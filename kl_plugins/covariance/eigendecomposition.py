"""Covariances given by eigenvalues and eigenvectors."""

from __future__ import annotations

from functools import cached_property

from kl_plugins.covariance.axis_aligned import (
    Isotropic,
    axis_aligned_full,
    full_axis_aligned,
    positive_and_finite,
)
from kl_plugins.covariance.base import Covariance, log_det_divergences, square_dimension
from kl_plugins.covariance.full import Full
from kl_plugins.formulas.shared import scale_divergence
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import parameter

_MODERATE = 1e6
"""Condition number up to which the eigenvectors whiten without a Cholesky factor."""


class Eigendecomposition(Full):
    """A covariance V diag(w) Vᵀ; its Cholesky factor comes from V√w by one QR factorisation.

    Parameters
    ----------
    eigenvalues : array_like, shape (..., d)
    eigenvectors : array_like, shape (..., d, d)
        Orthonormal eigenvectors as columns.

    Notes
    -----
    SciPy takes the eigenvectors on trust. Here one matrix product, once for the object, finds whether they
    are orthonormal to rounding; what follows from the eigenvalues alone is only used where they are. In a
    graph that is not known before it runs, and the Cholesky factor is used.
    """

    eigenvalues: Array = parameter(core_ndim=1)
    eigenvectors: Array = parameter(core_ndim=2)

    def check_shapes(self) -> None:
        square_dimension(self.eigenvectors, "eigenvectors", self.ops)

    def further_conditions(self) -> Conditions:
        yield from positive_and_finite(self.eigenvalues, "eigenvalues", self.ops)
        finite = self.ops.all_last_two(self.ops.isfinite(self.eigenvectors))
        yield finite, "eigenvectors must be finite, but hold NaN or infinity"

    @property
    def dimension(self) -> int | None:
        return self.ops.shape(self.eigenvectors)[-1]

    @cached_property
    def factor(self) -> Array:
        scales = self.ops.sqrt(self.eigenvalues)
        return self.ops.cholesky_of_root(self.eigenvectors * scales[..., None, :])

    @cached_property
    def is_orthonormal(self) -> bool:
        if self.ops.symbolic:
            return False
        ops, vectors = self.ops, self.eigenvectors
        gap = ops.absolute(ops.matmul(ops.transpose(vectors), vectors) - ops.eye_like(vectors))
        return bool((gap <= 20.0 * vectors.shape[-1] ** 0.5 * ops.epsilon(vectors)).all())

    def whiten_columns(self, x: Array) -> Array:
        if not self.whitens_by_axes:
            return super().whiten_columns(x)
        along = self.ops.matmul(self.ops.transpose(self.eigenvectors), x)
        return along / self.ops.sqrt(self.eigenvalues)[..., :, None]

    @cached_property
    def whitens_by_axes(self) -> bool:
        """Whether Vᵀ may stand for V⁻¹: their difference, about ε, is multiplied by √(condition number)."""
        if not self.is_orthonormal:
            return False
        values = self.eigenvalues
        return bool((values.max(axis=-1) <= _MODERATE * values.min(axis=-1)).all())

    def quadratic_form(self, x: Array) -> Array:
        if not self.whitens_by_axes:
            return super().quadratic_form(x)
        return 0.5 * self.ops.sum_of_squares_last(self.whiten(x))

    def log_det(self) -> Array:
        return self.ops.sum_last(self.ops.log(self.eigenvalues))


def _cost(p: Covariance, q: Covariance) -> str:
    side = p if isinstance(p, Eigendecomposition) else q
    assert isinstance(side, Eigendecomposition)
    if not side.ops.symbolic and "is_orthonormal" not in vars(side):
        return (
            "O(d) in the eigenvalues, O(d²) in the means, after one matrix product for the object, which "
            "shows whether the eigenvectors are orthonormal; O(d³) where they are not"
        )
    if side.is_orthonormal:
        return "O(d) in the eigenvalues, O(d²) in the means"
    return "O(d³): the eigenvectors are not known to be orthonormal, through a Cholesky factor"


@log_det_divergences.register(Eigendecomposition, Isotropic, cost=_cost)
def eigendecomposition_isotropic(p: Eigendecomposition, q: Isotropic) -> Array:
    """A multiple of the identity is diagonal in p's eigenvectors too."""
    if not p.is_orthonormal:
        return full_axis_aligned(p, q)
    return p.ops.sum_last(scale_divergence(p.ops.sqrt(p.eigenvalues), q.scales, p.ops))


@log_det_divergences.register(Isotropic, Eigendecomposition, cost=_cost)
def isotropic_eigendecomposition(p: Isotropic, q: Eigendecomposition) -> Array:
    if not q.is_orthonormal:
        return axis_aligned_full(p, q)
    return p.ops.sum_last(scale_divergence(p.scales, p.ops.sqrt(q.eigenvalues), p.ops))
