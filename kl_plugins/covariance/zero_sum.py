"""Covariances of arrays that sum to zero along each of their axes: singular, at O(d), and no matrix."""

from __future__ import annotations

from functools import reduce
from math import prod
from numbers import Integral
from operator import mul
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.covariance.axis_aligned import DiagonalScales, positive_and_finite
from kl_plugins.covariance.base import (
    Covariance,
    log_det_divergence,
    log_det_divergences,
    submatrices,
)
from kl_plugins.covariance.full import Dense
from kl_plugins.covariance.singular import (
    P_IS_SINGULAR,
    Q_IS_SINGULAR,
    TOLERANCE,
    Singular,
    and_outside,
    different_subspaces,
)
from kl_plugins.formulas.shared import scale_divergence
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import constant, parameter
from kl_plugins.parameters.shapes import Shape
from kl_plugins.parameters.values import Value

if TYPE_CHECKING:
    from typing import overload

    from numpy.typing import ArrayLike

    from kl_plugins.parameters.values import Labels, Named, Symbol, Variable


class ZeroSum(Covariance[Value]):
    """The covariance of independent normal variables less their means along each axis of an array.

    It is scale² (I − J/n₁) ⊗ (I − J/n₂) ⊗ …, with J of ones: that of ``pm.ZeroSumNormal``, whose arrays of
    d = n₁ n₂ … entries sum to zero along each axis, and live on a subspace of (n₁ − 1)(n₂ − 1)… dimensions.

    Parameters
    ----------
    scale : array_like or TensorVariable, shape (...)
        The standard deviation of each variable before the means are taken off.
    sizes : int, scalar TensorVariable, or a sequence of these
        The lengths n₁, n₂, … of the axes, of an array in row-major order.

    Raises
    ------
    ValueError
        If a scale is not positive and finite, or a length is not a positive integer.

    Examples
    --------
    >>> from kl_plugins import MultivariateNormal, ZeroSum, kl
    >>> ZeroSum(3.0, 3).matrix()
    array([[ 6., -3., -3.],
           [-3.,  6., -3.],
           [-3., -3.,  6.]])
    >>> narrow, wide = (MultivariateNormal([0.0, 0.0, 0.0], ZeroSum(scale, 3)) for scale in (1.0, 2.0))
    >>> kl(narrow, wide).round(6)
    np.float64(0.636294)
    """

    scale: Array = parameter()
    sizes: tuple[Array, ...] = constant()

    if TYPE_CHECKING:

        @overload
        def __init__(self: ZeroSum[np.float64], scale: float, sizes: Any) -> None: ...
        @overload
        def __init__(self: ZeroSum[Labels], scale: Named, sizes: Any) -> None: ...
        @overload
        def __init__(self: ZeroSum[Symbol], scale: Variable, sizes: Any) -> None: ...
        @overload
        def __init__(self, scale: ArrayLike, sizes: Any) -> None: ...
        def __init__(self, scale: Any, sizes: Any) -> None: ...

    def __post_init__(self) -> None:
        given = self.sizes
        self._state(sizes=tuple(given) if isinstance(given, tuple | list | np.ndarray) else (given,))
        super().__post_init__()

    def check_shapes(self) -> None:
        if not self.sizes:
            raise ValueError("sizes must hold the length of at least one axis")
        for size in self.sizes:
            known = not hasattr(size, "owner")
            if known and not (isinstance(size, Integral) and int(size) >= 1):
                raise ValueError(f"sizes must be positive integers, got {size!r}")

    def further_conditions(self) -> Conditions:
        yield from positive_and_finite(self.scale, "scale", self.ops, core_ndim=0)

    @property
    def lengths(self) -> Shape:
        """The sizes as far as they are known: None where one is a variable of a graph."""
        return tuple(None if hasattr(size, "owner") else int(size) for size in self.sizes)

    @property
    def dimension(self) -> int | None:
        return None if None in self.lengths else prod(self.sizes)

    def runtime_dimension(self) -> Array:
        return reduce(mul, self.sizes)

    @property
    def rank(self) -> Array:
        return reduce(mul, [size - 1 for size in self.sizes])

    def projected(self, x: Array) -> Array:
        """What is left of x, shape (..., d), when the means along each axis are taken off."""
        if len(self.sizes) == 1:
            return x - x.mean(axis=-1, keepdims=True)
        shape = self.ops.runtime_shape(x)
        x = x.reshape((*shape[:-1], *self.sizes))
        for axis in range(-len(self.sizes), 0):
            x = x - x.mean(axis=axis, keepdims=True)
        return x.reshape(shape)

    def matrix(self) -> Array:
        ops, length = self.ops, self.runtime_dimension()
        shape = (*ops.runtime_shape(self.scale), length, length)
        variances = ops.broadcast_to(ops.square(self.scale)[..., None, None], shape)
        return variances * self.projected(ops.eye_like(variances))

    def whiten(self, x: Array) -> Array:
        """The part within the subspace in units of the scale, and one more: infinite where x is outside."""
        within = self.projected(x)
        return and_outside(within / self.scale[..., None], x - within, x, self.scale, self.ops)

    def log_det(self) -> Array:
        return 2.0 * self.rank * self.ops.log(self.scale)

    def marginal(self, index: Array) -> Covariance:
        if len(self.sizes) > 1 or len(set(index)) == self.dimension:
            raise ValueError("a marginal is that of fewer variables, which sum to zero along one axis")
        return Dense(submatrices(self.matrix(), index, self.ops))


log_det_divergences.register(ZeroSum, Covariance, cost=P_IS_SINGULAR, precedence=1)(different_subspaces)
log_det_divergences.register(Covariance, ZeroSum, cost=Q_IS_SINGULAR, precedence=1)(different_subspaces)


@log_det_divergences.register(
    ZeroSum, ZeroSum, cost="O(1) in the covariances, O(d) in the means", precedence=2
)
def zero_sum_zero_sum(p: ZeroSum, q: ZeroSum) -> Array:
    """That of as many independent variables as the subspace has dimensions."""
    same = _have_same_axes(p, q)
    if same is False:
        return different_subspaces(p, q)
    value = p.rank * scale_divergence(p.scale, q.scale, p.ops)
    return value if same is True else p.ops.where(same, value, np.inf)


def _have_same_axes(p: ZeroSum, q: ZeroSum) -> Array:
    """Whether the axes are of the same lengths: True or False, or a variable that only a graph knows."""
    pairs = [*zip(p.lengths, q.lengths, strict=False)]
    if len(p.sizes) != len(q.sizes) or any(a != b for a, b in pairs if None not in (a, b)):
        return False
    open_ones = [
        p.ops.equal(first, second)
        for first, second, known in zip(p.sizes, q.sizes, pairs, strict=True)
        if None in known and first is not second
    ]
    return reduce(p.ops.logical_and, open_ones, True)


_IN_COMMON = "O(d r): on the common subspace of dimension r"


@log_det_divergences.register(ZeroSum, Singular, cost=_IN_COMMON, precedence=2)
def zero_sum_singular(p: ZeroSum, q: Singular) -> Array:
    """In the basis of the other side independent variables of one scale are such again."""
    return _within(p, q, log_det_divergence(_in_basis(p, q), q.inner))


@log_det_divergences.register(Singular, ZeroSum, cost=_IN_COMMON, precedence=2)
def singular_zero_sum(p: Singular, q: ZeroSum) -> Array:
    return _within(q, p, log_det_divergence(p.inner, _in_basis(q, p)))


def _in_basis(side: ZeroSum, other: Singular) -> DiagonalScales:
    shape = (*side.ops.runtime_shape(side.scale), other.rank)
    return DiagonalScales.unchecked(side.ops, scales=side.ops.broadcast_to(side.scale[..., None], shape))


def _within(side: ZeroSum, other: Singular, value: Array) -> Array:
    """The value where the other side's basis is of the same subspace, else infinity."""
    ops, columns = side.ops, side.ops.transpose(other.basis)
    inside = ops.all_last_two(ops.absolute(columns - side.projected(columns)) <= TOLERANCE)
    return ops.where(ops.logical_and(inside, ops.equal(side.rank, other.rank)), value, np.inf)
