"""Low-rank covariances: a diagonal plus the square of a tall matrix. O(d k²), never a d × d array."""

from __future__ import annotations

import math
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from kl_plugins.covariance.axis_aligned import AxisAligned, needs_axis, positive_and_finite
from kl_plugins.covariance.base import Covariance, log_det_divergences, triangular_divergence
from kl_plugins.covariance.full import full_full
from kl_plugins.formulas.shared import scale_divergence
from kl_plugins.ops.protocol import Array, ArrayOperations, Conditions
from kl_plugins.parameters.declarations import parameter
from kl_plugins.parameters.values import Value

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from kl_plugins.parameters.values import Labels, Matrix, Named, Symbol, Variable, Vector


_NEAR = 0.2
"""How far from the identity the whitened covariance may be for the sums that do not cancel."""
_TERMS = 22
"""Of the series in powers of at most `_NEAR`: what follows is less than float64's precision."""


class LowRank(Covariance[Value]):
    """A covariance Σ = diag(D) + W Wᵀ of d variables, with W of few columns.

    Parameters
    ----------
    diagonal : array_like or TensorVariable, shape (..., d)
        The variances D of the part that is independent.
    factor : array_like or TensorVariable, shape (..., d, k)
        The matrix W, which need not have full rank.

    Raises
    ------
    ValueError
        If a variance is not positive and finite, the factor is not finite, or shapes do not fit.

    Notes
    -----
    By Woodbury's identity and the determinant lemma, everything follows from the *capacitance*
    C = I + Wᵀ D⁻¹ W, a k × k matrix (https://en.wikipedia.org/wiki/Woodbury_matrix_identity):
    Σ⁻¹ = D⁻¹ − D⁻¹ W C⁻¹ Wᵀ D⁻¹ and det Σ = det C ∏ D.

    Examples
    --------
    >>> from kl_plugins import LowRank
    >>> LowRank([1.0, 1.0, 2.0], [[1.0], [0.0], [2.0]]).matrix()
    array([[2., 0., 2.],
           [0., 1., 0.],
           [2., 0., 6.]])
    """

    diagonal: Array = parameter(core_ndim=1)
    loadings: Array = parameter(called="factor", core_ndim=2)
    """W, as the attribute `factor` of every covariance is its Cholesky factor."""

    @overload
    def __init__(self: LowRank[np.float64], diagonal: Vector, factor: Matrix) -> None: ...
    @overload
    def __init__(self: LowRank[Labels], diagonal: Named, factor: ArrayLike) -> None: ...
    @overload
    def __init__(self: LowRank[Symbol], diagonal: Variable, factor: ArrayLike | Variable) -> None: ...
    @overload
    def __init__(self: LowRank[Symbol], diagonal: ArrayLike, factor: Variable) -> None: ...
    @overload
    def __init__(self, diagonal: ArrayLike, factor: ArrayLike) -> None: ...
    def __init__(self, diagonal: Array, factor: Array) -> None:
        self._state(diagonal=diagonal, loadings=factor)
        self.__post_init__()

    def check_shapes(self) -> None:
        needs_axis(self.diagonal, "diagonal", self.ops)
        diagonal, factor = self.ops.shape(self.diagonal), self.ops.shape(self.loadings)
        if len(factor) < 2:
            raise ValueError(f"factor must have shape (..., d, k), got shape {factor}")
        if None not in (diagonal[-1], factor[-2]) and diagonal[-1] != factor[-2]:
            raise ValueError(f"diagonal has {diagonal[-1]} variables, factor has {factor[-2]} rows")
        try:
            _ = self.batch_shape
        except ValueError:
            raise ValueError(
                f"batch shapes of diagonal {diagonal[:-1]} and factor {factor[:-2]} do not broadcast"
            ) from None

    def further_conditions(self) -> Conditions:
        yield from positive_and_finite(self.diagonal, "diagonal", self.ops)
        yield self.ops.is_finite(self.loadings), "factor must be finite, but holds NaN or infinity"
        if not self.ops.symbolic and self.loadings.size and self.diagonal.size:
            largest = max(float(self.loadings.max()), -float(self.loadings.min()))
            limit = _root_of_largest(self.loadings) * math.sqrt(self.diagonal.min())
            yield (
                largest <= limit,
                f"factor must not exceed {_root_of_largest(self.loadings):.0e} times the smallest standard "
                "deviation of the diagonal: its square would overflow",
            )

    @property
    def dimension(self) -> int | None:
        lengths = self.ops.shape(self.diagonal)[-1], self.ops.shape(self.loadings)[-2]
        return next((length for length in lengths if length is not None), None)

    @cached_property
    def scales(self) -> Array:
        """√D, shape (..., d)."""
        return self.ops.sqrt(self.diagonal)

    @cached_property
    def capacitance(self) -> Array:
        """C = I + Wᵀ D⁻¹ W, shape (..., k, k)."""
        ops = self.ops
        given = [self.scales], [self.loadings]
        (total,) = ops.sum_over_rows(lambda d, w: (_gram(w / d[..., :, None], ops),), *given)
        return total + ops.eye_like(total)

    @cached_property
    def capacitance_factor(self) -> Array:
        return self.ops.cholesky(self.capacitance, "covariance")

    @cached_property
    def factor(self) -> Array:
        return self.ops.cholesky(self.matrix(), "covariance")

    def matrix(self) -> Array:
        ops = self.ops
        return ops.from_diagonal(self.diagonal) + ops.matmul(self.loadings, ops.transpose(self.loadings))

    def whiten(self, x: Array) -> Array:
        """With V = D^(-1/2) W and C = LLᵀ, a root of Σ⁻¹ is (I − V (I + Lᵀ)⁻¹ L⁻¹ Vᵀ) D^(-1/2)."""
        ops, scales = self.ops, self.scales
        x = x / scales
        # as a row: JAX cannot broadcast the gradient of a column whose length a graph does not know
        along = ops.matmul(x[..., None, :] / scales[..., None, :], self.loadings)
        return x - ops.matmul(self.loadings, self._inner(ops.transpose(along)))[..., 0] / scales

    def whiten_columns(self, x: Array) -> Array:
        ops, scales = self.ops, self.scales[..., :, None]
        x = x / scales
        inner = self._inner(ops.matmul(ops.transpose(self.loadings), x / scales))
        return x - ops.matmul(self.loadings, inner) / scales

    def _inner(self, along: Array) -> Array:
        """(I + Lᵀ)⁻¹ L⁻¹ Vᵀx, of `along` = Vᵀx."""
        ops, lower = self.ops, self.capacitance_factor
        eye = ops.eye_like(lower)
        return ops.matmul(ops.transpose(ops.solve_lower(lower + eye, eye)), ops.solve_lower(lower, along))

    def log_det(self) -> Array:
        ops = self.ops
        return 2.0 * ops.sum_last(ops.log(self.scales)) + _log_det(self.capacitance_factor, ops)

    def marginal(self, index: Array) -> LowRank:
        ops = self.ops
        rows = ops.transpose(ops.take(ops.transpose(self.loadings), index))
        return self.unchecked(ops, diagonal=ops.take(self.diagonal, index), loadings=rows)


WIDE_COST = "O(d³): the factors are not thin, both through Cholesky factors"


def _root_of_largest(array: Array) -> float:
    """What may still be squared and summed in the array's precision."""
    return 1e150 if array.dtype == np.float64 else 1e18


def _cost(p: Covariance, q: Covariance) -> str:
    if is_thin(p, q):
        return "O(d k²) for k columns: Woodbury's identity and the determinant lemma"
    return WIDE_COST


def is_thin(p: Covariance, q: Covariance) -> bool:
    """Whether the two factors side by side have fewer columns than rows, as far as is known."""
    columns = [side.ops.shape(side.loadings)[-1] for side in (p, q) if isinstance(side, LowRank)]
    dimension = p.dimension if p.dimension is not None else q.dimension
    known = [count for count in columns if count is not None]
    return dimension is None or len(known) < len(columns) or 2 * max(known) < dimension


@log_det_divergences.register(LowRank, LowRank, cost=_cost)
@log_det_divergences.register(LowRank, AxisAligned, cost=_cost)
@log_det_divergences.register(AxisAligned, LowRank, cost=_cost)
def low_rank_low_rank(p: LowRank | AxisAligned, q: LowRank | AxisAligned) -> Array:
    """Through k × k matrices where the factors are thin; else it is the smaller work to go densely."""
    if not is_thin(p, q):
        return full_full(p, q)
    sides = [_as_low_rank(p, q), _as_low_rank(q, p)]
    loadings = p.ops.same_columns(*[side.loadings for side in sides])
    return _thin(
        *[
            side if wide is side.loadings else LowRank.unchecked(p.ops, scales=side.scales, loadings=wide)
            for side, wide in zip(sides, loadings, strict=True)
        ]
    )


def _as_low_rank(side: LowRank | AxisAligned, other: Any) -> LowRank:
    """A diagonal covariance as one of low rank, whose factor is zero and as wide as the other side's."""
    if isinstance(side, LowRank):
        return side
    ops = side.ops
    return LowRank.unchecked(ops, scales=side.full_scales(), loadings=ops.zeros_like(other.loadings))


def _thin(p: LowRank, q: LowRank) -> Array:
    """½ [tr(Σq⁻¹Σp) − d − ln|Σq⁻¹Σp|] of equal numbers of columns.

    Everything is whitened by q's diagonal: Σq becomes I + VVᵀ, Σp becomes I + diag(ρ) + UUᵀ, and E = U − V.
    Far from p = q, with the capacitances Cp and Cq,

        Σᵢ φ(1 + ρᵢ) + ½ [tr Eᵀ(I + VVᵀ)⁻¹(U + V) − tr Cq⁻¹VᵀρV − ln|Cp| + ln|Cq|].

    Near it, the way goes through Σm = I + UUᵀ, so that one step changes only the diagonal and the other
    only the factor: KL(p‖q) = KL(p‖m) + KL(m‖q) + ½ tr (Σq⁻¹ − Σm⁻¹)(Σp − Σm), each of them of second order
    in the difference. With Cm = I + UᵀU and N = Uᵀ (ρ/(1 + ρ)) U,

        KL(p‖m) = Σᵢ φ(1 + ρᵢ) + ½ [tr Cm⁻¹N − tr Cm⁻¹UᵀρU] + KL(N(0, Cm − N) ‖ N(0, Cm)),

    and KL(m‖q) = ½ Σᵢ (gᵢ − log1p gᵢ) over the eigenvalues of G = (I + VVᵀ)⁻¹ (ESᵀ + SEᵀ)/2, S = U + V, by
    its series in tr Gⁿ, which a matrix of twice the columns has too.
    """
    ops = p.ops
    given = [p.scales, q.scales], [p.loadings, q.loadings]
    axes, far, ee, ev, n, vv = ops.sum_over_rows(partial(_sums, ops=ops), *given)
    lower = q.capacitance_factor
    eye = ops.eye_like(lower)
    inverse_root = ops.solve_lower(lower, eye)
    inverse = _gram(inverse_root, ops)
    # EᵀQE, VᵀQE and VᵀQV, where Q is the inverse of I + VVᵀ.
    part = ops.matmul(inverse_root, ops.transpose(ev))
    e_e = ee - _gram(part, ops)
    v_e = ops.matmul(ops.transpose(inverse_root), part)
    e_v = ops.transpose(v_e)
    e_s, s_e = e_e + 2.0 * e_v, e_e + 2.0 * v_e
    s_s = e_e + 2.0 * (e_v + v_e) + 4.0 * (eye - inverse)
    rows = [ops.transpose(ops.concatenate(blocks)) for blocks in ([s_e, s_s], [e_e, e_s])]
    whitened = 0.5 * ops.transpose(ops.concatenate(rows))
    is_near = ops.logical_and(ops.equal(far, 0.0), _trace(whitened, whitened, ops) <= _NEAR**2)
    along_q = _trace(inverse, vv, ops)

    def direct() -> Array:
        trace = ops.sum_last(ops.diagonal(e_s)) - along_q
        log_dets = _log_det(lower, ops) - _log_det(p.capacitance_factor, ops)
        return axes + 0.5 * (trace + log_dets)

    def near() -> Array:
        # Where the pair is far, a pair that is equal: nothing overflows, and gradients stay numbers.
        def safe(matrix: Array) -> Array:
            condition = is_near[..., None, None]
            return ops.select(condition, lambda x: x, ops.zeros_like, matrix)

        step = safe(n)
        middle = q.capacitance + safe(ev + ops.transpose(ev) + ee)
        middle_factor = ops.cholesky(middle, "covariance")
        moved_factor = ops.cholesky(middle - step, "covariance")
        root = ops.solve_lower(middle_factor, eye)
        along_middle = _trace(_gram(root, ops), step, ops)
        rest = ops.matmul(root, moved_factor - middle_factor)
        inner = triangular_divergence(ops.diagonal(moved_factor), ops.diagonal(middle_factor), rest, ops)
        return axes + 0.5 * (along_middle - along_q) + inner + _series(safe(whitened), ops)

    value = ops.maximum(ops.select(is_near, near, direct), 0.0)
    # A ratio of variances beyond all floats: the answer is infinity, and not infinity less itself.
    return ops.select(ops.isinf(axes), lambda: axes, lambda: value)


def _sums(
    p_scales: Array, q_scales: Array, p_loadings: Array, q_loadings: Array, ops: ArrayOperations
) -> tuple[Array, ...]:
    """What is summed over the variables, of some of the rows."""
    difference, total = p_scales - q_scales, p_scales + q_scales
    excess = (difference / q_scales) * (total / q_scales)  # ρ
    shrinkage = (difference / p_scales) * (total / p_scales)  # ρ / (1 + ρ)
    by = (1.0 / q_scales)[..., :, None]
    u, v, e = p_loadings * by, q_loadings * by, (p_loadings - q_loadings) * by
    return (
        ops.sum_last(scale_divergence(p_scales, q_scales, ops)),
        ops.sum_last(1.0 * (ops.absolute(excess) > _NEAR)),  # how many are far
        _gram(e, ops),
        ops.matmul(ops.transpose(e), v),
        ops.matmul(ops.transpose(u), u * shrinkage[..., :, None]),
        ops.matmul(ops.transpose(v), v * excess[..., :, None]),
    )


def _series(matrix: Array, ops: ArrayOperations) -> Array:
    """½ Σᵢ (gᵢ − log1p gᵢ) = ½ [½ tr G² − ⅓ tr G³ + …] over the eigenvalues of a small matrix G."""
    powers = [matrix]
    while 2 * len(powers) < _TERMS:
        powers.append(ops.matmul(powers[-1], matrix))
    total: Array = 0.0
    for n in reversed(range(2, _TERMS + 1)):
        trace = _trace(powers[(n + 1) // 2 - 1], powers[n // 2 - 1], ops)
        total = total + (-1.0) ** n * trace / n
    return 0.5 * total


def _trace(a: Array, b: Array, ops: ArrayOperations) -> Array:
    """The trace of AB."""
    return ops.sum_last(ops.sum_last(a * ops.transpose(b)))


def _gram(matrix: Array, ops: ArrayOperations) -> Array:
    """AᵀA."""
    return ops.matmul(ops.transpose(matrix), matrix)


def _log_det(factor: Array, ops: ArrayOperations) -> Array:
    return 2.0 * ops.sum_last(ops.log(ops.diagonal(factor)))
