"""The multivariate normal distribution, with a covariance of any structure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Generic

from kl_plugins.covariance.axis_aligned import AxisAligned, DiagonalScales
from kl_plugins.covariance.base import Covariance, divergence_rule, gaussian_divergence
from kl_plugins.covariance.full import Dense
from kl_plugins.errors import Requirement
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.core.overlaps import overlap_of, ratio_mean_of, references_of
from kl_plugins.formulas.overlaps import bounded, moments, normal_overlap, normal_ratio_mean
from kl_plugins.ops import array_backend_of
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import constant, parameter, part
from kl_plugins.parameters.labels import has_names
from kl_plugins.parameters.shapes import Shape
from kl_plugins.parameters.values import Value, Vectors
from kl_plugins.rules import Rule

if TYPE_CHECKING:
    from typing import overload

    import numpy as np
    from numpy.typing import ArrayLike

    from kl_plugins.parameters.values import Doubles, Labels, Named, Symbol, Variable, Vector


class MultivariateNormal(Distribution[Value], Generic[Value, Vectors]):
    """Multivariate normal distributions of d variables.

    Parameters
    ----------
    mean : array_like or TensorVariable, shape (..., d)
    covariance : Isotropic, Diagonal, Dense, Cholesky, Precision, Banded, Autoregressive, \
            ConditionalAutoregressive, LowRank, Kronecker, BlockDiagonal or ZeroSum
        The covariance and its structure; leading (batch) dimensions broadcast against the mean's.
    dims : hashable or sequence of hashable, optional
        Of parameters with named dimensions: the name of the dimension of the variables, and of that of the
        columns of a matrix. Needed only where it is not certain from the parameters.

    Raises
    ------
    ValueError
        If the dimensions of mean and covariance differ, or a mean is infinite.
    TypeError
        If `covariance` is a bare array: its structure has to be said.

    Examples
    --------
    >>> from kl_plugins import Diagonal, Isotropic, MultivariateNormal, kl
    >>> p = MultivariateNormal([0.0, 1.0], Diagonal([1.0, 4.0]))
    >>> q = MultivariateNormal([0.0, 0.0], Isotropic(4.0, dim=2))
    >>> round(float(kl(p, q)), 6)
    0.443147
    """

    mean: Vectors = parameter(core_ndim=1)
    covariance: Covariance = part()
    dims: tuple[Hashable, ...] | None = constant(default=None, shown=False, kw_only=True)
    find_backend = staticmethod(array_backend_of)

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: MultivariateNormal[np.float64, Doubles], mean: Vector, covariance: Covariance[np.float64]
        ) -> None: ...
        @overload
        def __init__(
            self: MultivariateNormal[Labels, Labels],
            mean: Named,
            covariance: Covariance,
            *,
            dims: Hashable | Sequence[Hashable] | None = None,
        ) -> None: ...
        @overload
        def __init__(
            self: MultivariateNormal[Symbol, Symbol], mean: Variable, covariance: Covariance
        ) -> None: ...
        @overload
        def __init__(
            self: MultivariateNormal[Symbol, Symbol], mean: ArrayLike, covariance: Covariance[Symbol]
        ) -> None: ...
        @overload
        def __init__(
            self,
            mean: ArrayLike,
            covariance: Covariance,
            *,
            dims: Hashable | Sequence[Hashable] | None = None,
        ) -> None: ...
        def __init__(self, mean: Any, covariance: Covariance, *, dims: Any = None) -> None: ...

    def __post_init__(self) -> None:
        if not isinstance(self.covariance, Covariance):
            raise TypeError(
                "covariance must say its structure: a plain covariance matrix is Dense(matrix); others are "
                "Diagonal(variances), Isotropic(variance, dim), Cholesky(factor), Precision(matrix), "
                "Banded(precision), Autoregressive(coefficients, scales), "
                "ConditionalAutoregressive(weights, alpha, tau), LowRank(diagonal, factor), "
                "Kronecker(factors), BlockDiagonal(blocks) or ZeroSum(scale, sizes), got "
                f"{type(self.covariance).__name__}"
            )
        if self.dims is not None:
            self._state(dims=self._checked_dims(self.dims))
        super().__post_init__()

    def _checked_dims(self, given: Any) -> tuple[Hashable, ...]:
        """The names of the dimension of the variables, and of that of the columns, as a tuple."""
        listed = isinstance(given, Sequence) and not isinstance(given, str)
        dims: tuple[Hashable, ...] = tuple(given) if listed else (given,)
        if not 1 <= len(dims) == len(set(dims)) <= 2:
            raise ValueError(f"dims must be one name or two different ones, (row, column), got {dims}")
        if not has_names(self.values()):
            raise ValueError(
                "dims names dimensions of labelled parameters, but mean and covariance have no names"
            )
        return dims

    def _become_plain(self) -> bool:
        covariance = self.covariance
        if type(self) is not MultivariateNormal or covariance.ops is not array_ops:
            return False
        batch = covariance.batch_shape
        if array_ops.plain_means(self.mean, covariance.dimension, batch) is None:
            return False
        self._state(ops=array_ops, labels=covariance.labels, batch_shape=batch)
        return True

    def check_shapes(self) -> None:
        shape, dimension = self.ops.shape(self.mean), self.covariance.dimension
        if not shape:
            raise ValueError("mean must have shape (..., d), got a scalar")
        if shape[-1] == 0:
            raise ValueError(f"mean must have at least one variable, got shape {shape}")
        if None not in (shape[-1], dimension) and shape[-1] != dimension:
            raise ValueError(f"mean has {shape[-1]} variables, covariance has {dimension}")
        try:
            _ = self.batch_shape
        except ValueError:
            raise ValueError(
                f"batch shapes of mean {shape[:-1]} and covariance "
                f"{self.covariance.batch_shape} do not broadcast"
            ) from None

    def further_conditions(self) -> Conditions:
        finite = self.ops.all_last(self.ops.logical_not(self.ops.isinf(self.mean)))
        yield finite, Requirement("mean", "must be finite")
        if None in (self.ops.shape(self.mean)[-1], self.covariance.dimension):
            same = self.ops.equal(self.mean.shape[-1], self.covariance.runtime_dimension())
            yield same, "mean and covariance must have the same number of variables"

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return (self.mean.shape[-1],)

    @property
    def event_shape(self) -> Shape:
        known = self.covariance.dimension
        return (self.ops.shape(self.mean)[-1] if known is None else known,)

    def describe(self) -> str:
        structure = self.covariance.name or type(self.covariance).__name__
        return f"{type(self).__name__}({structure})"

    def log_prob(self, x: Array) -> Array:
        """log p(x), −½ [r ln 2π + ln|Σ| + (x − μ)ᵀΣ⁻¹(x − μ)]; `x` has shape (..., d).

        Where Σ, of rank r, is singular it is the density on the subspace that the distribution lives on.
        """
        normaliser = 0.5 * (self._rank() * math.log(2.0 * math.pi) + self.covariance.log_det())
        return -self.covariance.quadratic_form(x - self.mean) - normaliser

    def entropy(self) -> Value:
        """½ [r ln(2πe) + ln|Σ|], shape ``batch_shape``; r is the rank of Σ.

        Source: https://statproofbook.github.io/P/mvn-dent. Where Σ is singular it is, as in SciPy, the
        entropy on the subspace that the distribution lives on.
        """
        constant = math.log(2.0 * math.pi * math.e)
        one = 0.5 * (self._rank() * constant + self.covariance.log_det())
        value: Value = one + self.ops.zeros_like(self.mean[..., 0])
        return value

    def _rank(self) -> Array:
        """The number of dimensions that the distribution lives in."""
        return self.mean.shape[-1] if self.covariance.rank is None else self.covariance.rank


def _by_covariance(p: MultivariateNormal, q: MultivariateNormal) -> tuple[Rule, Any, Any]:
    return divergence_rule(p.covariance, q.covariance), p.covariance, q.covariance


@kl_rules.register(MultivariateNormal, MultivariateNormal, cost=_by_covariance)
def multivariate_normal_multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Array:
    """The divergence of the centred distributions plus ½ wᵀw, w = Lq⁻¹(μp − μq).

    Source: https://statproofbook.github.io/P/mvn-kl, in the form without cancellation.
    """
    return gaussian_divergence(p.covariance, q.covariance, p.mean - q.mean)


@overlap_of(MultivariateNormal, MultivariateNormal)
def overlap(p: MultivariateNormal, q: MultivariateNormal, s: Array, t: Array, balanced: bool) -> Array:
    """By the covariance tΣp + sΣq; variable by variable, where both are diagonal. Not of singular ones."""
    ops, step, first, second = p.ops, p.mean - q.mean, p.covariance, q.covariance
    if first.is_singular or second.is_singular:
        return None
    if isinstance(first, AxisAligned) and isinstance(second, AxisAligned):
        scales = first.full_scales(), second.full_scales()
        return ops.sum_last(normal_overlap(*scales, step, s[..., None], t[..., None], ops))
    both = Dense.unchecked(ops, covariance=_times(t, first.matrix()) + _times(s, second.matrix()))
    dimension = 0.5 * (s + t - 1.0) * ops.asarray(p.mean.shape[-1], "dimension")
    sizes = [0.5 * t * first.log_det(), 0.5 * (1.0 - t) * second.log_det(), -0.5 * both.log_det()]
    return bounded([-s * t * both.quadratic_form(step), *sizes, dimension], ops)


def _times(exponents: Array, matrices: Array) -> Array:
    return exponents[..., None, None] * matrices


@ratio_mean_of(MultivariateNormal, MultivariateNormal)
def ratio_mean(p: MultivariateNormal, c: MultivariateNormal, b: MultivariateNormal, power: Array) -> Array:
    """Variable by variable, where all are diagonal; else of two components that share one covariance."""
    ops, steps = p.ops, (p.mean - c.mean, p.mean - b.mean)
    own, shared, other = p.covariance, c.covariance, b.covariance
    if any(covariance.is_singular for covariance in (own, shared, other)):
        return None
    if isinstance(own, AxisAligned) and isinstance(shared, AxisAligned) and isinstance(other, AxisAligned):
        scales = own.full_scales(), shared.full_scales(), other.full_scales()
        return ops.sum_last(normal_ratio_mean(scales, steps, power[..., None], ops))
    if any(length != 1 for length in shared.batch_shape):
        return None
    whitened = [shared.whiten(step) for step in steps]
    slope = power[..., None] * (whitened[0] - whitened[1])
    spread = ops.matmul(ops.transpose(shared.whiten_columns(own.factor)), slope[..., None])[..., 0]
    along = ops.sum_last(slope * (whitened[0] + whitened[1]))
    return bounded([0.5 * ops.sum_of_squares_last(spread), -0.5 * along], ops)


@references_of(MultivariateNormal, MultivariateNormal)
def gaussians_of_mixtures(
    p: MultivariateNormal, w: Array, q: MultivariateNormal, v: Array
) -> tuple[MultivariateNormal, MultivariateNormal] | None:
    """Of the mixtures' means, with the variances of each where all are diagonal; else with q's covariance."""
    ops = p.ops
    if isinstance(p.covariance, AxisAligned) and isinstance(q.covariance, AxisAligned):
        return _like(p, p.covariance.full_scales(), w), _like(q, q.covariance.full_scales(), v)
    if p.covariance.is_singular or q.covariance.is_singular:
        return None
    means = [ops.matmul(weights[..., None, :], side.mean) for side, weights in ((p, w), (q, v))]
    step, share = q.mean - means[1], v[..., None]
    within = (share[..., None] * q.covariance.matrix()).sum(axis=-3)
    between = ops.matmul(ops.transpose(share * step), step)
    shared = Dense.unchecked(ops, covariance=(within + between)[..., None, :, :])
    first, second = (MultivariateNormal.unchecked(ops, mean=mean, covariance=shared) for mean in means)
    return first, second


def _like(group: MultivariateNormal, scales: Array, weights: Array) -> MultivariateNormal:
    """The diagonal one of the means and variances of a mixture, as a group of one component."""
    ops = group.ops
    means, spreads = ops.broadcast_arrays(group.mean, scales)
    mean, scale = moments(ops.transpose(means), ops.transpose(spreads), weights[..., None, :], ops)
    covariance = DiagonalScales.unchecked(ops, scales=scale[..., None, :])
    return MultivariateNormal.unchecked(ops, mean=mean[..., None, :], covariance=covariance)
