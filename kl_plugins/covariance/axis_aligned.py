"""Isotropic and diagonal covariances: their axes are the coordinates. O(d), and no matrix."""

from __future__ import annotations

from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, cast

from kl_plugins.covariance.base import (
    Covariance,
    by_variable,
    log_det_divergences,
    triangular_divergence,
)
from kl_plugins.covariance.full import Full
from kl_plugins.errors import Requirement
from kl_plugins.formulas.shared import (
    divergence_of_variances,
    normal_divergence,
    scale_divergence,
    variance_divergence,
)
from kl_plugins.ops.protocol import Array, ArrayOperations, Conditions, SymbolicOperations
from kl_plugins.parameters.declarations import constant, parameter
from kl_plugins.parameters.values import Value

if TYPE_CHECKING:
    from typing import overload

    import numpy as np
    from numpy.typing import ArrayLike

    from kl_plugins.parameters.values import Labels, Named, Symbol, Variable, Vector


class AxisAligned(Covariance[Value]):
    """A diagonal covariance."""

    @cached_property
    def scales(self) -> Array:
        """The standard deviations, shape (..., d) or (..., 1)."""
        raise NotImplementedError

    @property
    def dimension(self) -> int | None:
        return self.ops.shape(self.scales)[-1]

    @cached_property
    def factor(self) -> Array:
        return self.ops.from_diagonal(self.full_scales())

    def full_scales(self) -> Array:
        """The standard deviation of each variable, shape (..., d)."""
        return self.scales

    def whiten(self, x: Array) -> Array:
        return x / self.scales

    def whiten_columns(self, x: Array) -> Array:
        return x / self.scales[..., :, None]

    def log_det(self) -> Array:
        return 2.0 * self.ops.sum_last(self.ops.log(self.full_scales()))


class _ByVariable(AxisAligned[Value]):
    """One given by a number for each variable, its only parameter."""

    def check_shapes(self) -> None:
        (name,) = self.parameters
        needs_axis(getattr(self, name), name, self.ops)

    def further_conditions(self) -> Conditions:
        (name,) = self.parameters
        yield from positive_and_finite(getattr(self, name), name, self.ops)

    def marginal(self, index: Array) -> _ByVariable:
        (name,) = self.parameters
        return self.unchecked(self.ops, **{name: self.ops.take(getattr(self, name), index)})


class Isotropic(AxisAligned[Value]):
    """A multiple of the identity.

    Parameters
    ----------
    variance : array_like or TensorVariable, shape (...)
        The variance of every variable.
    dim : int or scalar TensorVariable
        The number of variables d.

    Raises
    ------
    ValueError
        If a variance is not positive and finite, or `dim` is not a positive integer.

    Examples
    --------
    >>> from kl_plugins import Isotropic
    >>> Isotropic(4.0, dim=2).matrix()
    array([[4., 0.],
           [0., 4.]])
    """

    variance: Array = parameter()
    dim: Array = constant()

    if TYPE_CHECKING:

        @overload
        def __init__(self: Isotropic[np.float64], variance: float, dim: Any) -> None: ...
        @overload
        def __init__(self: Isotropic[Labels], variance: Named, dim: Any) -> None: ...
        @overload
        def __init__(self: Isotropic[Symbol], variance: Variable, dim: Any) -> None: ...
        @overload
        def __init__(self, variance: ArrayLike, dim: Any) -> None: ...
        def __init__(self, variance: Any, dim: Any) -> None: ...

    def check_shapes(self) -> None:
        known = not hasattr(self.dim, "owner")  # else it is a variable of a graph
        if known and not (isinstance(self.dim, Integral) and int(self.dim) >= 1):
            raise ValueError(f"dim must be a positive integer, got {self.dim!r}")

    def further_conditions(self) -> Conditions:
        yield from positive_and_finite(self.variance, "variance", self.ops, core_ndim=0)

    @property
    def dimension(self) -> int | None:
        return None if hasattr(self.dim, "owner") else int(self.dim)

    def runtime_dimension(self) -> Array:
        return self.dim

    @property
    def variances(self) -> Array:
        return self.ops.expand_last(self.variance)

    @cached_property
    def scales(self) -> Array:
        return self.ops.expand_last(self.ops.sqrt(self.variance))

    def full_scales(self) -> Array:
        batch = self.ops.runtime_shape(self.scales)[:-1]
        return self.ops.broadcast_to(self.scales, (*batch, self.dim))

    def log_det(self) -> Array:
        return self.dim * self.ops.log(self.variance)

    def marginal(self, index: Array) -> Isotropic:
        return self.unchecked(self.ops, variance=self.variance, dim=len(index))


class Diagonal(_ByVariable[Value]):
    """A diagonal covariance given by its variances.

    Parameters
    ----------
    variances : array_like or TensorVariable, shape (..., d)
        The variance of each variable.

    Raises
    ------
    ValueError
        If a variance is not positive and finite, or `variances` has no axis.

    Examples
    --------
    >>> from kl_plugins import Diagonal
    >>> Diagonal([4.0, 9.0]).matrix()
    array([[4., 0.],
           [0., 9.]])
    """

    variances: Array = parameter(core_ndim=1)

    if TYPE_CHECKING:

        @overload
        def __init__(self: Diagonal[np.float64], variances: Vector) -> None: ...
        @overload
        def __init__(self: Diagonal[Labels], variances: Named) -> None: ...
        @overload
        def __init__(self: Diagonal[Symbol], variances: Variable) -> None: ...
        @overload
        def __init__(self, variances: ArrayLike) -> None: ...
        def __init__(self, variances: Any) -> None: ...

    @cached_property
    def scales(self) -> Array:
        return self.ops.sqrt(self.variances)


class DiagonalScales(_ByVariable):
    """A diagonal covariance given by its standard deviations, which are not squared on the way.

    Parameters
    ----------
    scales : array_like or TensorVariable, shape (..., d)
        The standard deviation of each variable.
    """

    scales: Array = parameter(core_ndim=1)
    name: ClassVar[str] = "Diagonal"


def needs_axis(values: Array, name: str, ops: ArrayOperations) -> None:
    shape = ops.shape(values)
    if not shape:
        raise ValueError(f"{name} must have shape (..., d), got a scalar; for one variable pass [value]")
    if shape[-1] == 0:
        raise ValueError(f"{name} must be those of at least one variable, got shape {shape}")


def positive_and_finite(values: Array, name: str, ops: ArrayOperations, core_ndim: int = 1) -> Conditions:
    yield ops.all_finite(values, core_ndim), Requirement(name, "must be finite, but holds NaN or infinity")
    yield ops.all_positive(values, core_ndim), Requirement(name, "must be positive")


@log_det_divergences.register(Isotropic, Isotropic, cost="O(1) in the covariances, O(d) in the means")
def isotropic_isotropic(p: Isotropic, q: Isotropic) -> Array:
    return p.dim * variance_divergence(p.variance, q.variance, p.ops)


@log_det_divergences.register(Isotropic, Diagonal, cost="O(d)")
@log_det_divergences.register(Diagonal, Isotropic, cost="O(d)")
@log_det_divergences.register(Diagonal, Diagonal, cost="O(d)")
def diagonal_diagonal(p: Isotropic | Diagonal, q: Isotropic | Diagonal) -> Array:
    return p.ops.sum_last(variance_divergence(p.variances, q.variances, p.ops))


@log_det_divergences.register(AxisAligned, AxisAligned, cost="O(d)")
def axis_aligned_axis_aligned(p: AxisAligned, q: AxisAligned) -> Array:
    return p.ops.sum_last(scale_divergence(p.scales, q.scales, p.ops))


def _of_variances(p: Isotropic | Diagonal, q: Isotropic | Diagonal, step: Array) -> Array:
    variances = _as_many(p.variances, p, q, step)
    return p.ops.sum_last(divergence_of_variances(variances, q.variances, step, p.ops))


def _of_scales(p: AxisAligned, q: AxisAligned, step: Array) -> Array:
    return p.ops.sum_last(normal_divergence(_as_many(p.scales, p, q, step), q.scales, step, p.ops))


def _as_many(values: Array, p: AxisAligned, q: AxisAligned, step: Array) -> Array:
    """Those of p, which raise when a graph runs where there are not as many as of the means."""
    ops = cast(SymbolicOperations, p.ops)
    if isinstance(p, Isotropic) or None not in (ops.shape(values)[-1], ops.shape(step)[-1]):
        return values
    names = p.name or type(p).__name__, q.name or type(q).__name__
    return ops.of_same_lengths(values, values.shape[-1:], step.shape[-1:], names)


by_variable[diagonal_diagonal] = _of_variances
by_variable[axis_aligned_axis_aligned] = _of_scales


@log_det_divergences.register(Full, AxisAligned, cost="O(d²) after the Cholesky factor of p")
def full_axis_aligned(p: Full, q: AxisAligned) -> Array:
    """M = Lp with its rows divided by q's scales."""
    ops = p.ops
    rest = p.factor / q.scales[..., :, None]
    return triangular_divergence(ops.diagonal(p.factor), q.scales, rest, ops)


def _inverse_cost(p: Covariance, q: Covariance) -> str:
    if p.ops.symbolic:
        return "O(d³): the inverse of q's Cholesky factor"
    return "O(d) after q's Cholesky factor and its inverse"


@log_det_divergences.register(AxisAligned, Full, cost=_inverse_cost)
def axis_aligned_full(p: AxisAligned, q: Covariance) -> Array:
    """M = Lq⁻¹ with its columns multiplied by p's scales: their norms are all that is kept of Lq⁻¹."""
    ops = p.ops
    if ops.symbolic:
        rest = ops.solve_lower(q.factor, ops.eye_like(q.factor) * p.scales[..., None, :])
        return triangular_divergence(p.scales, ops.diagonal(q.factor), rest, ops)
    below = ops.sum_of_squares_last(q.inverse_norms * p.scales)
    return ops.sum_last(scale_divergence(p.scales, ops.diagonal(q.factor), ops)) + 0.5 * below
