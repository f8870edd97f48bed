"""Covariances that work through their lower Cholesky factor: given by it, or by the whole matrix."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from kl_plugins.covariance.base import (
    Covariance,
    log_det_divergences,
    matrix_conditions,
    square_dimension,
    submatrices,
)
from kl_plugins.covariance.triangular_matrices import factored_divergence, factored_quadratic_form
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import parameter
from kl_plugins.parameters.values import Value

if TYPE_CHECKING:
    from typing import overload

    import numpy as np
    from numpy.typing import ArrayLike

    from kl_plugins.parameters.values import Labels, Matrix, Named, Symbol, Variable


_IF_SINGULAR = (
    ", as the sample covariance of fewer rows than variables is; add a ridge, "
    "covariance + 1e-6 * numpy.eye(d), or take kl_plugins.Diagonal or LowRank; if the distribution is on a "
    "subspace, scipy.stats.multivariate_normal(mean, covariance, allow_singular=True) is understood as such"
)
"""What to do instead of a Dense one."""


class Full(Covariance[Value]):
    """A covariance without structure: O(d³) for its factor, O(d²) for whitening with it."""

    def quadratic_form(self, x: Array) -> Array:
        return factored_quadratic_form(x, self.factor, self.factored, self.ops)

    def marginal(self, index: Array) -> Covariance:
        return Dense(submatrices(self.matrix(), index, self.ops))


class Cholesky(Full[Value]):
    """A covariance given by its lower Cholesky factor.

    Parameters
    ----------
    factor : array_like or TensorVariable, shape (..., d, d)
        Lower triangular L without a zero on its diagonal; the covariance is L Lᵀ. Columns whose diagonal
        entry is negative are kept with their signs changed, which leaves the covariance as it is.

    Raises
    ------
    ValueError
        If the factor is not square, finite and lower triangular, or has a zero on its diagonal.

    Examples
    --------
    >>> from kl_plugins import Cholesky
    >>> Cholesky([[2.0, 0.0], [1.0, 3.0]]).matrix()
    array([[ 4.,  2.],
           [ 2., 10.]])
    """

    factor: Array = parameter(core_ndim=2)

    if TYPE_CHECKING:

        @overload
        def __init__(self: Cholesky[np.float64], factor: Matrix) -> None: ...
        @overload
        def __init__(self: Cholesky[Labels], factor: Named) -> None: ...
        @overload
        def __init__(self: Cholesky[Symbol], factor: Variable) -> None: ...
        @overload
        def __init__(self, factor: ArrayLike) -> None: ...
        def __init__(self, factor: Any) -> None: ...

    def check_shapes(self) -> None:
        square_dimension(self.factor, "factor", self.ops)

    def further_conditions(self) -> Conditions:
        ops, factor = self.ops, self.factor
        yield ops.is_finite(factor), "factor must be finite, but holds NaN or infinity"
        upper = ops.strictly_lower(ops.transpose(factor), like=factor)
        lower = "factor must be lower triangular; pass its transpose if it is upper triangular"
        yield ops.all_last_two(ops.equal(upper, 0.0)), lower
        regular = ops.logical_not(ops.equal(ops.diagonal(factor), 0.0))
        yield ops.all_last(regular), "factor must have no zero on its diagonal, as no regular covariance has"

    def _complete(self) -> None:
        ops, factor = self.ops, self.factor
        if ops.symbolic or (ops.diagonal(factor) < 0.0).any():
            # A sum over rows, as graphs know that there are as many of these as columns.
            diagonal = (factor - ops.strictly_lower(factor, like=factor)).sum(axis=-2)
            signs = ops.stop_gradient(ops.sign(diagonal))[..., None, :]
            self._state(factor=ops.frozen(factor * signs))


class Dense(Full[Value]):
    """A covariance given by its matrix; factored once, when the object is made.

    Parameters
    ----------
    covariance : array_like or TensorVariable, shape (..., d, d)
        Symmetric positive definite matrices.

    Raises
    ------
    ValueError
        If the matrix is not square, finite and symmetric.
    numpy.linalg.LinAlgError
        If it is not positive definite.

    Examples
    --------
    >>> from kl_plugins import Dense
    >>> Dense([[4.0, 2.0], [2.0, 10.0]]).factor
    array([[2., 0.],
           [1., 3.]])
    """

    covariance: Array = parameter(core_ndim=2)

    if TYPE_CHECKING:

        @overload
        def __init__(self: Dense[np.float64], covariance: Matrix) -> None: ...
        @overload
        def __init__(self: Dense[Labels], covariance: Named) -> None: ...
        @overload
        def __init__(self: Dense[Symbol], covariance: Variable) -> None: ...
        @overload
        def __init__(self, covariance: ArrayLike) -> None: ...
        def __init__(self, covariance: Any) -> None: ...

    def check_shapes(self) -> None:
        square_dimension(self.covariance, "covariance", self.ops)

    def _complete(self) -> None:
        _ = self.factor

    def _become_plain(self) -> bool:
        if (found := array_ops.plain_covariances(self.covariance)) is None:
            return False
        matrices, factors = found
        self._state(covariance=matrices, factor=factors, ops=array_ops)
        self._state(labels=None, batch_shape=matrices.shape[:-2])
        return True

    @property
    def dimension(self) -> int | None:
        return self.ops.shape(self.covariance)[-1]

    @cached_property
    def factor(self) -> Array:
        return self.ops.cholesky(self.covariance, "covariance", _IF_SINGULAR)

    @property
    def factored(self) -> Array:
        return self.covariance

    def matrix(self) -> Array:
        return self.covariance

    def further_conditions(self) -> Conditions:
        return matrix_conditions(self, "covariance")


@log_det_divergences.register(Full, Full, cost="O(d³): a triangular solve between Cholesky factors")
@log_det_divergences.register(
    Covariance, Covariance, cost="O(d³): no path of its own, both through Cholesky factors"
)
def full_full(p: Covariance, q: Covariance) -> Array:
    """M = Lq⁻¹Lp; below the diagonal it is Lq⁻¹(Lp − Lq), which is exactly zero at p = q."""
    return factored_divergence(p.factor, q.factor, p.factored, q.factored, p.ops)
