"""Covariances of Markov series: each variable is regressed on a few before it. O(d), and no matrix."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from kl_plugins.covariance.axis_aligned import AxisAligned, positive_and_finite
from kl_plugins.covariance.base import (
    Covariance,
    log_det_divergences,
    submatrices,
    triangular_divergence,
)
from kl_plugins.covariance.full import Dense
from kl_plugins.errors import Requirement
from kl_plugins.formulas.recursions import ahead, mean_squares, residuals, windows
from kl_plugins.formulas.shared import scale_divergence
from kl_plugins.formulas.sums import infinite_where_undefined
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import parameter
from kl_plugins.parameters.values import Value

if TYPE_CHECKING:
    from typing import overload

    import numpy as np
    from numpy.typing import ArrayLike

    from kl_plugins.parameters.values import Labels, Matrix, Named, Symbol, Variable, Vector


class Markov(Covariance[Value]):
    """A covariance whose precision is banded: xₜ = Σₖ φₖ(t) xₜ₋ₖ + σ(t) εₜ, the sum over b lags k.

    Its precision is AᵀA, with A lower triangular of b diagonals below the main one, the inverse of the
    covariance's Cholesky factor (M. Pourahmadi, Joint mean-covariance models, 1999).
    """

    @cached_property
    def scales(self) -> Array:
        """Standard deviations σ of the innovations, shape (..., d)."""
        raise NotImplementedError

    @cached_property
    def regressions(self) -> Array:
        """The coefficients φ, shape (..., d, b); zero where there is no variable so far back."""
        raise NotImplementedError

    @property
    def lags(self) -> int:
        """How many variables before it one is regressed on at most, b."""
        return int(self.ops.shape(self.regressions)[-1] or 0)

    @property
    def dimension(self) -> int | None:
        return self.ops.shape(self.scales)[-1]

    def runtime_dimension(self) -> Array:
        return self.ops.runtime_shape(self.scales)[-1]

    @cached_property
    def inverse_factor(self) -> Array:
        """A, lower triangular."""
        return self.whiten_columns(self.ops.eye_like(self.ops.from_diagonal(self.scales)))

    @cached_property
    def factor(self) -> Array:
        return self.ops.inverse_lower(self.inverse_factor)

    def whiten(self, x: Array) -> Array:
        """The innovations that make x, in units of their standard deviations."""
        return residuals(x, self.regressions, self.ops) / self.scales

    def whiten_columns(self, x: Array) -> Array:
        ops = self.ops
        rows = residuals(ops.transpose(x), self.regressions[..., None, :, :], ops)
        return ops.transpose(rows / self.scales[..., None, :])

    @cached_property
    def inverse_band(self) -> Array:
        """The diagonals of A, as `solve_lower_band` takes them, shape (..., b + 1, d)."""
        ops, reciprocals = self.ops, 1.0 / self.scales
        below = -self.regressions * reciprocals[..., None]
        diagonals = [reciprocals, *[ahead(below[..., k], k + 1, ops) for k in range(self.lags)]]
        return ops.transpose(ops.concatenate([x[..., None] for x in ops.broadcast_arrays(*diagonals)]))

    def unwhiten_transposed(self, rows: Array) -> Array:
        """A⁻ᵀ of each row, which has shape (..., n, d): the row times Σ's Cholesky factor."""
        return self.ops.solve_lower_band_transposed(self.inverse_band[..., None, :, :], rows)

    def series_of(self, levels: Array) -> Array:
        """The numbers xₜ = Σₖ φₖ(t) xₜ₋ₖ + cₜ of the given c, shape (..., d)."""
        return self.ops.solve_lower_band(self.inverse_band, levels / self.scales)

    def log_det(self) -> Array:
        batch = self.ops.zeros_like(self.regressions.sum(axis=(-2, -1)))
        return 2.0 * self.ops.sum_last(self.ops.log(self.scales)) + batch

    def marginal(self, index: Array) -> Covariance:
        return Dense(submatrices(self.matrix(), index, self.ops))


class Autoregressive(Markov[Value]):
    """The covariance of a series, each variable of which is regressed on those before it.

    Variable t is xₜ = Σₖ φₖ(t) xₜ₋ₖ + σ(t) εₜ with independent standard normal εₜ. So are random walks,
    autoregressive processes and whatever else has a banded precision.

    Parameters
    ----------
    coefficients : array_like or TensorVariable, shape (..., d, b)
        φₖ(t) in row t and column k − 1, for b lags; what there is no variable before t for is not looked at.
    scales : array_like or TensorVariable, shape (..., d)
        The standard deviations σ(t) of what is new in a variable, given those before it.

    Raises
    ------
    ValueError
        If a scale is not positive and finite, a coefficient is not finite, shapes do not fit, or a graph does
        not know the number of lags.

    See Also
    --------
    Banded : the same by the band of the precision matrix.

    Examples
    --------
    A random walk of three steps:

    >>> from kl_plugins import Autoregressive
    >>> Autoregressive([[0.0], [1.0], [1.0]], [1.0, 1.0, 1.0]).matrix()
    array([[1., 1., 1.],
           [1., 2., 2.],
           [1., 2., 3.]])
    """

    coefficients: Array = parameter(core_ndim=2)
    scales: Array = parameter(core_ndim=1)

    if TYPE_CHECKING:

        @overload
        def __init__(self: Autoregressive[np.float64], coefficients: Matrix, scales: Vector) -> None: ...
        @overload
        def __init__(self: Autoregressive[Labels], coefficients: Named, scales: ArrayLike) -> None: ...
        @overload
        def __init__(
            self: Autoregressive[Symbol], coefficients: Variable, scales: ArrayLike | Variable
        ) -> None: ...
        @overload
        def __init__(self: Autoregressive[Symbol], coefficients: ArrayLike, scales: Variable) -> None: ...
        @overload
        def __init__(self, coefficients: ArrayLike, scales: ArrayLike) -> None: ...
        def __init__(self, coefficients: Any, scales: Any) -> None: ...

    def check_shapes(self) -> None:
        rows, scales = self.ops.shape(self.coefficients), self.ops.shape(self.scales)
        if len(rows) < 2:
            raise ValueError(f"coefficients must have shape (..., d, b), got shape {rows}")
        if rows[-1] is None:
            raise ValueError(
                "coefficients must have a known number of lags: give it with pytensor.tensor.specify_shape"
            )
        if not scales or scales[-1] == 0:
            raise ValueError(f"scales must have shape (..., d) with d ≥ 1, got shape {scales}")
        if None not in (rows[-2], scales[-1]) and rows[-2] != scales[-1]:
            raise ValueError(f"coefficients have {rows[-2]} rows, scales are of {scales[-1]} variables")
        try:
            _ = self.batch_shape
        except ValueError:
            raise ValueError(
                f"batch shapes of coefficients {rows[:-2]} and scales {scales[:-1]} do not broadcast"
            ) from None

    def further_conditions(self) -> Conditions:
        ops, finite = self.ops, "must be finite, but holds NaN or infinity"
        yield ops.all_finite(self.regressions, 2), Requirement("coefficients", finite)
        yield from positive_and_finite(self.scales, "scales", ops)

    @cached_property
    def regressions(self) -> Array:
        return self.ops.below_diagonal(self.coefficients)


SERIES_COST = "O(d b³) for b lags: each variable given those before it"


@log_det_divergences.register(Markov, Markov, cost=SERIES_COST)
def markov_markov(p: Markov, q: Markov) -> Array:
    """The chain rule: each variable given those before it, averaged over these by p.

    Their conditional means differ by Σₖ (φpₖ − φqₖ) xₜ₋ₖ.
    """
    ops = p.ops
    first, second = ops.same_columns(p.regressions, q.regressions)
    weights = (first - second) / q.scales[..., None]
    return _by_variable(p, q, mean_squares(weights, first, ops.square(p.scales), ops))


@log_det_divergences.register(Markov, AxisAligned, cost="O(d b³) for b lags: the variance of each variable")
def markov_axis_aligned(p: Markov, q: AxisAligned) -> Array:
    """What the variables before explain of the variance of each, beside that of its innovation."""
    ops = p.ops
    weights = p.regressions / q.scales[..., None]
    return _by_variable(p, q, mean_squares(weights, p.regressions, ops.square(p.scales), ops))


@log_det_divergences.register(AxisAligned, Markov, cost="O(d b) for b lags")
def axis_aligned_markov(p: AxisAligned, q: Markov) -> Array:
    """The variables before are independent, so that their squares are all."""
    ops = p.ops
    if not q.lags:
        return _by_variable(p, q, ops.zeros_like(q.scales))
    before = windows(p.full_scales(), q.lags, ops)
    return _by_variable(p, q, ops.sum_of_squares_last(q.regressions / q.scales[..., None] * before))


def _by_variable(p: Markov | AxisAligned, q: Markov | AxisAligned, squares: Array) -> Array:
    """Half the mean squares, and the divergences of the innovations."""
    ops = p.ops
    terms = scale_divergence(p.scales, q.scales, ops) + 0.5 * ops.maximum(squares, 0.0)
    return ops.sum_last(infinite_where_undefined(terms, ops))


@log_det_divergences.register(Covariance, Markov, cost="O(d² b) for b lags, after the Cholesky factor of p")
def any_markov(p: Covariance, q: Markov) -> Array:
    """M = AqLp, row by row from the rows of Lp."""
    ops = p.ops
    return triangular_divergence(ops.diagonal(p.factor), q.scales, q.whiten_columns(p.factor), ops)
