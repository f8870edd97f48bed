"""Kronecker products of covariances: every operation goes factor by factor, and no product is made."""

from __future__ import annotations

from functools import cached_property, partial, reduce
from math import prod
from operator import add, mul
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.covariance.axis_aligned import AxisAligned, Isotropic
from kl_plugins.covariance.base import (
    Covariance,
    less_where_near,
    log_det_divergences,
    submatrices,
    triangular_divergence,
)
from kl_plugins.covariance.composite import Composite
from kl_plugins.covariance.full import Dense, full_full
from kl_plugins.formulas.shared import identity_minus_log1p, scale_divergence
from kl_plugins.ops.protocol import Array, ArrayOperations
from kl_plugins.parameters.declarations import part
from kl_plugins.parameters.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import overload

    from numpy.typing import ArrayLike


_BY_FACTORS = "O(Σ dᵢ³) for factors of dᵢ variables, O(d Σ dᵢ) in the means"


class Kronecker(Composite[Value]):
    """A Kronecker product Σ = A₁ ⊗ A₂ ⊗ … of covariances.

    It is the covariance of an array of shape (d₁, d₂, …) in row-major order, whose axis i has the
    covariance Aᵢ.

    Parameters
    ----------
    factors : sequence of Covariance or array_like
        The covariances Aᵢ of dᵢ variables, whose batch dimensions broadcast; an array of shape
        (..., dᵢ, dᵢ) is taken as `Dense`.

    Raises
    ------
    ValueError
        If there is no factor, the number of variables of one is not known, or batch shapes do not
        broadcast.
    numpy.linalg.LinAlgError
        If a factor is not positive definite.

    Notes
    -----
    Against another product of the same sizes the whitened factors are Mᵢ, of mean square tᵢ = ‖Mᵢ‖²/dᵢ,
    and the divergence is d Σᵢ KLᵢ/dᵢ + d (T − 1 − ln T)/2, T = ∏ tᵢ, where KLᵢ is that of the factors
    once p's is divided by tᵢ: a sum of terms none of which is negative. It follows from
    tr(A ⊗ B) = tr A tr B and det(A ⊗ B) = det(A)^n det(B)^m (https://en.wikipedia.org/wiki/Kronecker_product).

    Examples
    --------
    >>> from kl_plugins import Diagonal, Kronecker
    >>> Kronecker([Diagonal([1.0, 4.0]), [[2.0, 1.0], [1.0, 2.0]]]).matrix()
    array([[2., 1., 0., 0.],
           [1., 2., 0., 0.],
           [0., 0., 8., 4.],
           [0., 0., 4., 8.]])
    """

    factors: tuple[Covariance[Value], ...] = part()

    if TYPE_CHECKING:

        @overload
        def __init__(self, factors: Iterable[Covariance[Value]]) -> None: ...
        @overload
        def __init__(self, factors: Iterable[Covariance | ArrayLike]) -> None: ...
        def __init__(self, factors: Any) -> None: ...

    @property
    def dimension(self) -> int:
        return prod(self.sizes)

    @cached_property
    def factor(self) -> Array:
        return reduce(partial(_product, ops=self.ops), [a.factor for a in self.factors])

    def matrix(self) -> Array:
        return reduce(partial(_product, ops=self.ops), [a.matrix() for a in self.factors])

    def whiten_columns(self, x: Array) -> Array:
        """Each axis of the array is whitened by its own covariance."""
        ops, sizes, columns = self.ops, self.sizes, self.ops.runtime_shape(x)[-1]
        for i, a in enumerate(self.factors):
            before, own, after = prod(sizes[:i]), sizes[i], prod(sizes[i + 1 :]) * columns
            x = x.reshape((*ops.runtime_shape(x)[:-2], before, own, after)).swapaxes(-3, -2)
            x = a.whiten_columns(x.reshape((*ops.runtime_shape(x)[:-3], own, before * after)))
            x = x.reshape((*ops.runtime_shape(x)[:-2], own, before, after)).swapaxes(-3, -2)
            x = x.reshape((*ops.runtime_shape(x)[:-3], self.dimension, columns))
        return x

    def log_det(self) -> Array:
        each = [
            self.dimension // size * a.log_det() for size, a in zip(self.sizes, self.factors, strict=True)
        ]
        return reduce(add, each)

    def marginal(self, index: Array) -> Covariance:
        """The entries Σᵢⱼ are products; the marginal itself has no structure."""
        parts = np.unravel_index(np.asarray(index), self.sizes)
        taken = [submatrices(a.matrix(), part, self.ops) for a, part in zip(self.factors, parts, strict=True)]
        return Dense(reduce(mul, taken))


def _product(left: Array, right: Array, ops: ArrayOperations) -> Array:
    """The Kronecker product of square matrices."""
    entries = left[..., :, None, :, None] * right[..., None, :, None, :]
    *batch, a, b, _, _ = ops.runtime_shape(entries)
    return entries.reshape((*batch, a * b, a * b))


def _outer(left: Array, right: Array, ops: ArrayOperations) -> Array:
    """The Kronecker product of vectors."""
    entries = left[..., :, None] * right[..., None, :]
    *batch, a, b = ops.runtime_shape(entries)
    return entries.reshape((*batch, a * b))


def _pair_cost(p: Kronecker, q: Kronecker) -> str:
    if p.sizes == q.sizes:
        return _BY_FACTORS
    return "O(d³): the sizes of the factors differ, both through Cholesky factors"


@log_det_divergences.register(Kronecker, Kronecker, cost=_pair_cost)
@log_det_divergences.register(Kronecker, Isotropic, cost=_BY_FACTORS)
@log_det_divergences.register(Isotropic, Kronecker, cost=_BY_FACTORS)
def kronecker_kronecker(p: Kronecker | Isotropic, q: Kronecker | Isotropic) -> Array:
    """Factor by factor up to a multiple, then the product of the multiples."""
    p, q = _as_product(p, q), _as_product(q, p)
    if p.sizes != q.sizes:
        return full_full(p, q)
    ops = p.ops
    shapes: Array = 0.0
    excess: Array = 0.0  # T − 1 of the factors so far
    log_total: Array = 0.0
    for size, a, b in zip(p.sizes, p.factors, q.factors, strict=True):
        rest = ops.strictly_lower(ops.solve_lower(b.factor, less_where_near(a.factor, b.factor, ops)))
        one, scale = _mean_square(ops.diagonal(a.factor), ops.diagonal(b.factor), rest, ops)
        own = triangular_divergence(
            ops.diagonal(a.factor) / scale[..., None],
            ops.diagonal(b.factor),
            rest / scale[..., None, None],
            ops,
        )
        shapes = shapes + own / size
        excess = excess + one + excess * one
        log_total = log_total + 2.0 * ops.log(scale)
    is_near = ops.absolute(excess) <= 0.2
    near = identity_minus_log1p(ops.select(is_near, lambda x: x, ops.zeros_like, excess))
    multiple = ops.select(is_near, lambda: near, lambda: excess - log_total)
    return p.dimension * (shapes + 0.5 * multiple)


def _mean_square(
    p_diagonal: Array, q_diagonal: Array, rest: Array, ops: ArrayOperations
) -> tuple[Array, Array]:
    """t − 1 and √t of the mean square t = ‖M‖²/d of a triangular matrix, given as a ratio beside `rest`."""
    size = rest.shape[-1]
    excess = ((p_diagonal - q_diagonal) / q_diagonal) * ((p_diagonal + q_diagonal) / q_diagonal)
    one = (ops.sum_last(excess) + ops.sum_of_squares(rest)) / size
    # Far from 1 by the entries relative to the first, whose squares could leave the range of floats.
    ratio = p_diagonal / q_diagonal
    first = ratio[..., :1]
    squares = ops.sum_last(ops.square(ratio / first)) + ops.sum_of_squares(rest / first[..., None])
    is_near = ops.absolute(one) <= 0.2
    return one, ops.select(
        is_near,
        lambda: ops.sqrt(1.0 + ops.select(is_near, lambda x: x, ops.zeros_like, one)),
        lambda: first[..., 0] * ops.sqrt(squares / size),
    )


def _as_product(side: Kronecker | Isotropic, other: Any) -> Kronecker:
    """A multiple of the identity as a product of the other's sizes: the multiple is the first factor's."""
    if isinstance(side, Kronecker):
        return side
    ops = side.ops
    one = ops.zeros_like(side.variance) + 1.0
    factors = [
        Isotropic.unchecked(ops, variance=one if i else side.variance, dim=size)
        for i, size in enumerate(other.sizes)
    ]
    return Kronecker.unchecked(ops, factors=tuple(factors))


@log_det_divergences.register(Kronecker, AxisAligned, cost=_BY_FACTORS)
def kronecker_axis_aligned(p: Kronecker, q: AxisAligned) -> Array:
    """M is the product of the factors with its rows divided by q's scales."""
    ops, scales = p.ops, q.full_scales()
    diagonals = [ops.diagonal(a.factor) for a in p.factors]
    rest = _rows_of(diagonals, [ops.strictly_lower(a.factor) for a in p.factors], ops)
    own = scale_divergence(reduce(partial(_outer, ops=ops), diagonals), scales, ops)
    return ops.sum_last(own + 0.5 * rest / ops.square(scales))


@log_det_divergences.register(AxisAligned, Kronecker, cost=_BY_FACTORS)
def axis_aligned_kronecker(p: AxisAligned, q: Kronecker) -> Array:
    """M is the product of the inverse factors with its columns multiplied by p's scales."""
    ops, scales = p.ops, p.full_scales()
    diagonals = [ops.diagonal(a.factor) for a in q.factors]
    inverses = [ops.solve_lower(a.factor, ops.eye_like(a.factor)) for a in q.factors]
    columns = [ops.transpose(ops.strictly_lower(inverse)) for inverse in inverses]
    rest = _rows_of([1.0 / x for x in diagonals], columns, ops)
    own = scale_divergence(scales, reduce(partial(_outer, ops=ops), diagonals), ops)
    return ops.sum_last(own + 0.5 * rest * ops.square(scales))


def _rows_of(diagonals: list[Array], others: list[Array], ops: ArrayOperations) -> Array:
    """Sums of squares of each row of a product of matrices, beside those of its diagonal."""
    squares, rest = ops.square(diagonals[0]), ops.sum_of_squares_last(others[0])
    for diagonal, other in zip(diagonals[1:], others[1:], strict=True):
        own, off = ops.square(diagonal), ops.sum_of_squares_last(other)
        rest = _outer(rest, own + off, ops) + _outer(squares, off, ops)
        squares = _outer(squares, own, ops)
    return rest
