"""Covariances of conditional autoregressions: a sparse precision, of neighbours, by its eigenvalues."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.covariance.axis_aligned import AxisAligned, positive_and_finite
from kl_plugins.covariance.base import (
    Covariance,
    divergence_rule,
    log_det_divergence,
    log_det_divergences,
)
from kl_plugins.covariance.neighbours import Neighbours
from kl_plugins.covariance.precision import Precision
from kl_plugins.errors import Requirement
from kl_plugins.formulas.cancellation_free import identity_minus_log
from kl_plugins.formulas.shared import identity_minus_log1p, scale_divergence, variance_divergence
from kl_plugins.ops.protocol import Array, Conditions, FloatArray
from kl_plugins.parameters.declarations import constant, parameter
from kl_plugins.parameters.values import Value
from kl_plugins.rules import Rule

if TYPE_CHECKING:
    from typing import overload

    from numpy.typing import ArrayLike

    from kl_plugins.parameters.values import Labels, Named, Symbol, Variable


class ConditionalAutoregressive(Covariance[Value]):
    """The covariance of a conditional autoregression (CAR), whose precision is tau (D − alpha W).

    Given all others, a place has the mean alpha Σⱼ wᵢⱼ xⱼ / dᵢ of its neighbours and the variance
    1 / (tau dᵢ), with dᵢ = Σⱼ wᵢⱼ (J. Besag, Spatial interaction and the statistical analysis of lattice
    systems, 1974). So is ``pm.CAR``.

    Parameters
    ----------
    weights : array_like or scipy.sparse array, shape (d, d)
        The symmetric weights W of neighbours, none of which is negative: numbers, one matrix for a batch.
        The diagonal is 0, and each place has a neighbour.
    alpha : array_like or TensorVariable, shape (...)
        How much places depend on their neighbours, between −1 and 1.
    tau : array_like or TensorVariable, shape (...)
        The precision of a place given the others, for each unit of its weights.

    Raises
    ------
    ValueError
        If alpha is not between −1 and 1, tau not positive and finite, or the weights are not those of
        neighbours.

    Notes
    -----
    With λ the eigenvalues of D^(-1/2) W D^(-1/2), which are computed once for the weights, the determinant of
    the precision is ∏ tau dᵢ (1 − alpha λᵢ), and the divergence of two with the same weights follows from
    these alone. Against all but independent p the whole precision matrix is made.

    See Also
    --------
    Precision : any other precision matrix.

    Examples
    --------
    >>> from kl_plugins import ConditionalAutoregressive, MultivariateNormal, kl
    >>> chain = [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    >>> near, apart = (ConditionalAutoregressive(chain, alpha, 1.0) for alpha in (0.5, 0.0))
    >>> kl(MultivariateNormal([0.0] * 3, near), MultivariateNormal([0.0] * 3, apart)).round(6)
    np.float64(0.189492)
    """

    weights: Neighbours = constant()
    alpha: Array = parameter()
    tau: Array = parameter()

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: ConditionalAutoregressive[np.float64], weights: Any, alpha: float, tau: float
        ) -> None: ...
        @overload
        def __init__(
            self: ConditionalAutoregressive[Labels], weights: Any, alpha: Named, tau: ArrayLike
        ) -> None: ...
        @overload
        def __init__(
            self: ConditionalAutoregressive[Symbol], weights: Any, alpha: Variable, tau: ArrayLike | Variable
        ) -> None: ...
        @overload
        def __init__(
            self: ConditionalAutoregressive[Symbol], weights: Any, alpha: ArrayLike, tau: Variable
        ) -> None: ...
        @overload
        def __init__(self, weights: Any, alpha: ArrayLike, tau: ArrayLike) -> None: ...
        def __init__(self, weights: Any, alpha: Any, tau: Any) -> None: ...

    def __post_init__(self) -> None:
        if not isinstance(self.weights, Neighbours):
            self._state(weights=Neighbours(self.weights))
        super().__post_init__()

    def check_shapes(self) -> None:
        try:
            _ = self.batch_shape
        except ValueError:
            shapes = [self.ops.shape(x) for x in (self.alpha, self.tau)]
            raise ValueError(f"shapes of alpha {shapes[0]} and tau {shapes[1]} do not broadcast") from None

    def further_conditions(self) -> Conditions:
        inside = self.ops.absolute(self.alpha) < 1.0
        yield inside, Requirement("alpha", "must be greater than -1 and less than 1")
        yield from positive_and_finite(self.tau, "tau", self.ops, core_ndim=0)

    @property
    def dimension(self) -> int:
        return self.weights.size

    @cached_property
    def conditional_scales(self) -> Array:
        """The standard deviation of each place given all others, shape (..., d)."""
        return 1.0 / self.ops.sqrt(self.tau[..., None] * self._constant(self.weights.degrees))

    @cached_property
    def shares(self) -> Array:
        """alpha λ, shape (..., d)."""
        return self.alpha[..., None] * self.eigenvalues

    @cached_property
    def eigenvalues(self) -> Array:
        """The λ, shape (d,)."""
        return self._constant(self.weights.eigenvalues)

    def _constant(self, values: FloatArray) -> FloatArray:
        """Numbers of the weights, in the precision of the parameters."""
        return values.astype(str(self.alpha.dtype))

    @cached_property
    def by_matrix(self) -> Precision:
        """The same by its whole precision matrix."""
        degrees, weights = map(self._constant, (self.weights.degrees, self.weights.matrix))
        matrix = np.diag(degrees) - self.alpha[..., None, None] * weights
        return Precision.unchecked(self.ops, precision=self.tau[..., None, None] * matrix)

    @property
    def factor(self) -> Array:
        return self.by_matrix.factor

    @property
    def inverse_factor(self) -> Array:
        return self.by_matrix.inverse_factor

    def whiten(self, x: Array) -> Array:
        return self.by_matrix.whiten(x)

    def whiten_columns(self, x: Array) -> Array:
        return self.by_matrix.whiten_columns(x)

    def quadratic_form(self, x: Array) -> Array:
        """½ tau [(1 − alpha) Σ dᵢ xᵢ² + alpha Σ wᵢⱼ (xᵢ − xⱼ)²], the latter over pairs of neighbours."""
        ops, places = self.ops, self.weights
        steps = ops.take(x, places.first) - ops.take(x, places.second)
        own = ops.sum_last(self._constant(places.degrees) * ops.square(x))
        between = ops.sum_last(self._constant(places.weights) * ops.square(steps))
        return 0.5 * self.tau * ((1.0 - self.alpha) * own + self.alpha * between)

    def log_det(self) -> Array:
        ops = self.ops
        return ops.sum_last(2.0 * ops.log(self.conditional_scales) - ops.log1p(-self.shares))

    def marginal(self, index: Array) -> Covariance:
        return self.by_matrix.marginal(index)


_EIGENVALUES = "after the eigenvalues of the weights, once and O(d² b) for a band of b diagonals"


def _pair_cost(p: ConditionalAutoregressive, q: ConditionalAutoregressive) -> str | tuple[Rule, Any, Any]:
    return f"O(d) {_EIGENVALUES}" if p.weights == q.weights else _by_matrix(p, q)


@log_det_divergences.register(ConditionalAutoregressive, ConditionalAutoregressive, cost=_pair_cost)
def conditional_conditional(p: ConditionalAutoregressive, q: ConditionalAutoregressive) -> Array:
    """Of the same weights the sum over the eigenvalues of the precisions, in units of D.

    Where two are close their difference is taken before they are rounded.
    """
    if p.weights != q.weights:
        return log_det_divergence(p.by_matrix, q)
    ops = p.ops
    first, second = (1.0 - side.shares for side in (p, q))
    step = (q.alpha - p.alpha)[..., None] * p.eigenvalues
    excess = (((q.tau - p.tau) / p.tau)[..., None] * second - step) / first
    values = (p.tau[..., None] * first, q.tau[..., None] * second)
    terms = ops.select(
        ops.absolute(excess) <= 0.2,
        lambda excess, first, second: 0.5 * identity_minus_log1p(excess),
        lambda excess, first, second: variance_divergence(second, first, ops),
        *(excess, *values),
    )
    return ops.sum_last(terms)


@log_det_divergences.register(AxisAligned, ConditionalAutoregressive, cost=f"O(d) {_EIGENVALUES}")
def axis_aligned_conditional(p: AxisAligned, q: ConditionalAutoregressive) -> Array:
    """From each place given the others, and −½ ln ∏ (1 − alpha λ), where the sum of the λ is 0.

    So no term is negative.
    """
    ops = p.ops
    own = ops.sum_last(scale_divergence(p.full_scales(), q.conditional_scales, ops))
    return own + 0.5 * ops.sum_last(identity_minus_log(-q.shares, ops))


def _by_matrix(p: Covariance, q: Covariance) -> tuple[Rule, Any, Any]:
    """The rule for the pair with the whole precision matrix of a side."""
    first, second = (
        Precision.unchecked(side.ops, precision=None) if isinstance(side, ConditionalAutoregressive) else side
        for side in (p, q)
    )
    return divergence_rule(first, second), first, second


@log_det_divergences.register(ConditionalAutoregressive, Covariance, cost=_by_matrix, precedence=-1)
@log_det_divergences.register(Covariance, ConditionalAutoregressive, cost=_by_matrix, precedence=-1)
def by_matrix(p: Covariance, q: Covariance) -> Array:
    """Of all other pairs the whole precision matrix is made."""
    first, second = (
        side.by_matrix if isinstance(side, ConditionalAutoregressive) else side for side in (p, q)
    )
    return log_det_divergence(first, second)
