"""Covariances given by their inverse, without ever inverting it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from kl_plugins.covariance.axis_aligned import AxisAligned
from kl_plugins.covariance.base import (
    Covariance,
    log_det_divergences,
    matrix_conditions,
    square_dimension,
    submatrices,
    triangular_divergence,
)
from kl_plugins.covariance.full import Dense, Full, full_full
from kl_plugins.covariance.triangular_matrices import factored_divergence
from kl_plugins.formulas.shared import scale_divergence
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import parameter
from kl_plugins.parameters.values import Value

if TYPE_CHECKING:
    from typing import overload

    import numpy as np
    from numpy.typing import ArrayLike

    from kl_plugins.parameters.values import Labels, Matrix, Named, Symbol, Variable


class Precision(Covariance[Value]):
    """A covariance given by the precision matrix, its inverse.

    Parameters
    ----------
    precision : array_like or TensorVariable, shape (..., d, d)
        Symmetric positive definite matrices P; the covariance is P⁻¹.

    Raises
    ------
    ValueError
        If the matrix is not square, finite and symmetric.
    numpy.linalg.LinAlgError
        If it is not positive definite.

    Notes
    -----
    With P = CCᵀ the whitened covariance of two precisions has the triangular factor (Cp⁻¹Cq)ᵀ. A lower
    Cholesky factor of Σ itself, needed against a covariance or its factor, is U⁻ᵀ where P = UUᵀ with U
    *upper* triangular: the Cholesky factor of P with rows and columns reversed, reversed again.

    Examples
    --------
    >>> from kl_plugins import Precision
    >>> Precision([[0.25, 0.0], [0.0, 4.0]]).matrix()
    array([[4.  , 0.  ],
           [0.  , 0.25]])
    """

    precision: Array = parameter(core_ndim=2)

    if TYPE_CHECKING:

        @overload
        def __init__(self: Precision[np.float64], precision: Matrix) -> None: ...
        @overload
        def __init__(self: Precision[Labels], precision: Named) -> None: ...
        @overload
        def __init__(self: Precision[Symbol], precision: Variable) -> None: ...
        @overload
        def __init__(self, precision: ArrayLike) -> None: ...
        def __init__(self, precision: Any) -> None: ...

    def check_shapes(self) -> None:
        square_dimension(self.precision, "precision", self.ops)

    def _complete(self) -> None:
        _ = self.precision_factor

    def further_conditions(self) -> Conditions:
        return matrix_conditions(self, "precision", "precision_factor")

    @property
    def dimension(self) -> int | None:
        return self.ops.shape(self.precision)[-1]

    @cached_property
    def precision_factor(self) -> Array:
        """Lower Cholesky factor C of the precision P = CCᵀ."""
        return self.ops.cholesky(self.precision, "precision")

    @cached_property
    def reversed_factor(self) -> Array:
        """Transpose of the upper U with P = UUᵀ: the inverse of Σ's lower Cholesky factor."""
        ops = self.ops
        lower = ops.cholesky(ops.flip(self.precision), "precision")
        return ops.transpose(ops.flip(lower))

    @cached_property
    def factor(self) -> Array:
        return self.ops.inverse_lower(self.reversed_factor)

    @property
    def inverse_factor(self) -> Array:
        return self.reversed_factor

    @cached_property
    def precision_norms(self) -> Array:
        """As `inverse_norms`, of the precision's own Cholesky factor."""
        return array_ops.column_norms_below(self.ops.inverse_lower(self.precision_factor))

    def whiten(self, x: Array) -> Array:
        return self.ops.matmul(x[..., None, :], self.precision_factor)[..., 0, :]

    def whiten_columns(self, x: Array) -> Array:
        return self.ops.matmul(self.ops.transpose(self.precision_factor), x)

    def log_det(self) -> Array:
        return -2.0 * self.ops.sum_last(self.ops.log(self.ops.diagonal(self.precision_factor)))

    def marginal(self, index: Array) -> Covariance:
        return Dense(submatrices(self.matrix(), index, self.ops))


def between_factors(p: Precision, q: Precision) -> Array:
    """tr(Σq⁻¹Σp) = tr(Pp⁻¹Pq): the divergence of the two as if Pq and Pp were covariances."""
    return factored_divergence(q.precision_factor, p.precision_factor, q.precision, p.precision, p.ops)


def _inverse_cost(p: Covariance, q: Covariance) -> str:
    if p.ops.symbolic:
        return "O(d³): the inverse of a triangular factor"
    return "O(d) after the Cholesky factor of p's precision and its inverse"


@log_det_divergences.register(Precision, AxisAligned, cost=_inverse_cost)
def precision_axis_aligned(p: Precision, q: AxisAligned) -> Array:
    """Mᵀ = Cp⁻¹ with its columns divided by q's scales."""
    ops, factor = p.ops, p.precision_factor
    if not ops.symbolic:
        below = ops.sum_of_squares_last(p.precision_norms / q.scales)
        return ops.sum_last(scale_divergence(1.0 / q.scales, ops.diagonal(factor), ops)) + 0.5 * below
    rest = ops.solve_lower(factor, ops.eye_like(factor) / q.scales[..., None, :])
    return triangular_divergence(1.0 / q.scales, ops.diagonal(factor), rest, ops)


@log_det_divergences.register(AxisAligned, Precision, cost="O(d²) after the Cholesky factor of q's precision")
def axis_aligned_precision(p: AxisAligned, q: Precision) -> Array:
    """Mᵀ = Cq with its rows multiplied by p's scales."""
    ops, factor = p.ops, q.precision_factor
    rest = factor * p.scales[..., :, None]
    return triangular_divergence(ops.diagonal(factor), 1.0 / p.scales, rest, ops)


@log_det_divergences.register(Full, Precision, cost="O(d³): a product of triangular factors")
def full_precision(p: Full, q: Precision) -> Array:
    """M = UqᵀLp."""
    ops, inverse = p.ops, q.reversed_factor
    rest = ops.matmul(inverse, p.factor)
    return triangular_divergence(ops.diagonal(p.factor), 1.0 / ops.diagonal(inverse), rest, ops)


@log_det_divergences.register(
    Precision, Full, cost="O(d³): the inverse of a triangular factor and a triangular solve"
)
def precision_full(p: Precision, q: Full) -> Array:
    """M = Lq⁻¹Lp with Lp = Up⁻ᵀ: unlike (UpᵀLq)⁻¹ it keeps its digits where p's scales differ widely."""
    return full_full(p, q)
