"""What every structure of a covariance matrix can do, and the table of divergences between structures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, ClassVar, Generic

import numpy as np

from kl_plugins.errors import Requirement
from kl_plugins.formulas.shared import scale_divergence
from kl_plugins.ops import array_backend_of
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.protocol import Array, ArrayOperations, Conditions
from kl_plugins.parameters.parametrised import Parametrised
from kl_plugins.parameters.values import Value
from kl_plugins.rules import Rule, RuleTable

NEARLY_EQUAL = 1e-10
"""Nats below which the best Cholesky factors no longer tell two matrices apart to nine digits."""

MOST_REFINED = 0.1
"""Nats from which on the difference of two matrices has no more digits than their factors have."""


def nearly_equal_below(least_pivot: Array) -> Array:
    """Nats below which the difference of the matrices is called for, not their Cholesky factors.

    `least_pivot` is the least share of a variable's variance that the ones before it leave: the condition
    number κ is at least its reciprocal. The factors are off by εκ, and the divergence by that over its root.
    """
    with np.errstate(all="ignore"):
        limit = np.clip(5e-14 / np.square(least_pivot), NEARLY_EQUAL, MOST_REFINED)
    return np.where(least_pivot > 0.0, limit, MOST_REFINED)


log_det_divergences = RuleTable(
    "log_det_divergences",
    "kl_plugins.covariance",
    """Rules for ½ [tr(Σq⁻¹Σp) − d − ln det(Σq⁻¹Σp)], the KL divergence of two centred Gaussians.

    ``@log_det_divergences.register(P, Q, cost="O(d)")`` registers the decorated function of (p, q) for two
    classes of covariances, p's first, q's second. It receives both in one backend, ``p.ops``, of one
    dimension d, and returns that number for each pair, of the broadcast batch shape. `cost` is what `explain`
    says; it may be a function of the pair. The rule for the nearest classes serves. One that declines a pair
    returns what triangular factors say: ``log_det_divergences.find(a, b)(a, b)``, where a and b are
    ``Cholesky(p.factor)`` and ``Cholesky(q.factor)``.

    Examples
    --------
    >>> from kl_plugins import Diagonal, MultivariateNormal, kl
    >>> from kl_plugins.extend import log_det_divergences
    >>> class Variances(Diagonal):
    ...     pass
    >>> @log_det_divergences.register(Variances, Variances, cost="O(d)")
    ... def variances_variances(p, q):
    ...     ratio = p.variances / q.variances
    ...     return 0.5 * (ratio - 1.0 - p.ops.log(ratio)).sum(-1)
    >>> p, q = (MultivariateNormal([0.0, 0.0], Variances(v)) for v in ([1.0, 2.0], [1.0, 1.0]))
    >>> kl(p, q).round(6)
    np.float64(0.153426)
    """,
)


class Covariance(Parametrised, Generic[Value]):
    """A covariance matrix, or a batch of them, of known structure.

    Every structure has the same few operations, each at the best cost that the structure allows:
    ``dimension``, ``batch_shape``, ``factor``, ``matrix``, ``whiten``, ``log_det`` and ``marginal``. All but
    the last follow from its factor where it does not state them. What its parameters must satisfy, beside
    their domains, is in ``further_conditions``.

    Attributes
    ----------
    factor : array, shape (..., d, d)
        The lower Cholesky factor L of Σ = LLᵀ: what a class under this one states.
    dimension : int or None
        The number of variables d; None where a graph does not know it before it runs.
    batch_shape : tuple of (int or None)

    Examples
    --------
    >>> from functools import cached_property
    >>> from kl_plugins import Isotropic, MultivariateNormal, kl
    >>> from kl_plugins.extend import POSITIVE, Covariance, constant, parameter
    >>> class Ramp(Covariance):  # variances slope, 2 slope, …, d slope
    ...     slope: float = parameter(POSITIVE)
    ...     size: int = constant()
    ...     @cached_property
    ...     def factor(self):
    ...         steps = self.ops.asarray([1.0 + i for i in range(self.size)], "size")
    ...         return self.ops.from_diagonal(self.ops.sqrt(self.slope[..., None] * steps))
    >>> p = MultivariateNormal([0.0, 0.0], Ramp(1.0, 2))
    >>> kl(p, MultivariateNormal([0.0, 0.0], Isotropic(1.0, 2))).round(6)
    np.float64(0.153426)
    """

    name: ClassVar[str] = ""
    """What `explain` calls the structure; the class's name where empty."""

    find_backend: ClassVar[Callable[..., ArrayOperations]] = staticmethod(array_backend_of)

    @cached_property
    def factor(self) -> Array:
        """Lower Cholesky factor L of Σ = LLᵀ, shape (..., d, d)."""
        raise NotImplementedError(f"{type(self).__name__} states no factor: the lower Cholesky factor of Σ")

    @property
    def factored(self) -> Array:
        """The matrix whose Cholesky factorisation gave `factor`, where it was given; else None."""
        return None

    def converted(self, ops: ArrayOperations, beside: Sequence[Array] = ()) -> dict[str, Any]:
        state = super().converted(ops, beside)
        # factors are kept: nobody may change what they came from
        return state | {name: ops.frozen(state[name]) for name in self.parameters}

    @property
    def dimension(self) -> int | None:
        """Number of variables d; None where a graph does not know it before it runs."""
        return self.ops.shape(self.factor)[-1]

    def runtime_dimension(self) -> Array:
        """Number of variables d, as a graph knows it when it runs."""
        return self.ops.runtime_shape(self.values()[0])[-1] if self.dimension is None else self.dimension

    @property
    def rank(self) -> Array:
        """Rank of Σ: the dimension, except of singular covariances."""
        return self.dimension

    @property
    def is_singular(self) -> bool:
        """Whether it is known to have no density in all its dimensions."""
        return self.rank is not self.dimension and self.rank != self.dimension

    def matrix(self) -> Array:
        """The covariance matrix Σ, shape (..., d, d)."""
        return self.ops.matmul(self.factor, self.ops.transpose(self.factor))

    def whiten(self, x: Array) -> Array:
        """Return A⁻¹x for some square root A of Σ = AAᵀ; `x` has shape (..., d)."""
        return self.whiten_columns(x[..., None])[..., 0]

    def whiten_columns(self, x: Array) -> Array:
        """`whiten` of each column of `x`, which has shape (..., d, n)."""
        return self.ops.solve_lower(self.factor, x)

    def quadratic_form(self, x: Array) -> Array:
        """Return ½ xᵀΣ⁻¹x; `x` has shape (..., d)."""
        return 0.5 * self.ops.sum_of_squares_last(self.whiten(x))

    @cached_property
    def inverse_factor(self) -> Array:
        """L⁻¹, lower triangular; made once, at O(d³)."""
        return self.ops.inverse_lower(self.factor)

    @cached_property
    def inverse_norms(self) -> Array:
        """Norm of each column of L⁻¹ below its diagonal, shape (..., d); numbers only.

        Made once, at O(d³), and kept without the inverse: it is all that a diagonal covariance needs of it.
        """
        held = vars(self).get("inverse_factor")
        return array_ops.column_norms_below(self.ops.inverse_lower(self.factor) if held is None else held)

    def log_det(self) -> Array:
        """Logarithm of the determinant (of singular covariances: of its positive part)."""
        return 2.0 * self.ops.sum_last(self.ops.log(self.ops.diagonal(self.factor)))

    def marginal(self, index: Array) -> Covariance:
        """The covariance of the variables `index` (integers, each once), in that order."""
        raise NotImplementedError(f"{type(self).__name__} states no marginal: that of some variables")


def divergence_rule(p: Covariance, q: Covariance) -> Rule:
    rule = log_det_divergences.find(p, q)
    if rule is None:
        raise TypeError(f"not covariance structures: {type(p).__name__} and {type(q).__name__}")
    return rule


def log_det_divergence(p: Covariance, q: Covariance) -> Array:
    """KL divergence of two centred Gaussians, ½ [tr(Σq⁻¹Σp) − d − ln|Σq⁻¹Σp|]."""
    return divergence_rule(p, q)(p, q)


by_variable: dict[Callable[..., Any], Callable[..., Any]] = {}
"""Rules that are sums over variables, and the same of (p, q, step) with the whole divergence of each one."""


def gaussian_divergence(p: Covariance, q: Covariance, step: Array) -> Array:
    """KL divergence of two Gaussians whose means differ by `step`: that of the centred ones, plus ½ wᵀw.

    In a graph variables that are independent are summed once: that is half as many nodes to compile.
    """
    rule = divergence_rule(p, q)
    if p.ops.symbolic and rule.function in by_variable:
        return by_variable[rule.function](p, q, step)
    quadratic = q.quadratic_form(step)
    return rule(p, q) + quadratic


def triangular_divergence(
    p_diagonal: Array, q_diagonal: Array, rest: Array, ops: ArrayOperations, like: Array | None = None
) -> Array:
    """Sum over a triangular factor M of the whitened covariance: ½ [Σᵢ φ(Mᵢᵢ) + Σ_{i≠j} Mᵢⱼ²].

    M's diagonal is given as the ratio ``p_diagonal / q_diagonal``, because the difference of the two
    keeps the digits that Mᵢᵢ − 1 loses. `rest` is M, of which only what is below the diagonal counts;
    `like` is a matrix of its size, which a graph would otherwise deduce.
    """
    diagonal = ops.sum_last(scale_divergence(p_diagonal, q_diagonal, ops))
    below = ops.strictly_lower(rest, like=rest if like is None else like)
    return diagonal + 0.5 * ops.sum_of_squares(below)


def factor_ratio_divergence(p_factor: Array, q_factor: Array, ops: ArrayOperations) -> Array:
    """`triangular_divergence` of M = Lq⁻¹Lp, Lp and Lq lower triangular.

    In the columns where the diagonals are close, M below the diagonal comes from Lp − Lq: that is exactly
    zero at p = q and keeps its digits near it; far from it, it would lose Lp's digits next to a much
    larger Lq.
    """
    diagonals = ops.diagonal(p_factor), ops.diagonal(q_factor)
    squares = ops.triangular_ratio_squares(q_factor, p_factor, _nearby(*diagonals, ops))
    return ops.sum_last(scale_divergence(*diagonals, ops)) + 0.5 * squares


def _nearby(p_diagonal: Array, q_diagonal: Array, ops: ArrayOperations) -> Array:
    """In which columns the diagonals of two triangular factors are close."""
    return ops.absolute(p_diagonal - q_diagonal) <= 0.2 * q_diagonal


def less_where_near(p_factor: Array, q_factor: Array, ops: ArrayOperations) -> Array:
    """Lp − Lq in the columns where their diagonals are close, Lp in the others.

    Either way Lq⁻¹ times it is M = Lq⁻¹Lp below the diagonal.
    """
    near = _nearby(ops.diagonal(p_factor), ops.diagonal(q_factor), ops)[..., None, :]
    return ops.where(near, p_factor - q_factor, p_factor)


def submatrices(matrix: Array, index: Array, ops: ArrayOperations) -> Array:
    """Rows and columns `index` of matrices."""
    return ops.take(ops.transpose(ops.take(ops.transpose(matrix), index)), index)


def square_dimension(matrix: Array, name: str, ops: ArrayOperations) -> None:
    """Raise ValueError unless `matrix` has shape (..., d, d), as far as is known."""
    shape = ops.shape(matrix)
    if len(shape) < 2 or (None not in shape[-2:] and shape[-1] != shape[-2]):
        raise ValueError(f"{name} must be square matrices of shape (..., d, d), got shape {shape}")
    if 0 in shape[-2:]:
        raise ValueError(f"{name} must be that of at least one variable, got shape {shape}")


def _instead_of_asymmetry(matrix: Array, symmetric: Array, ops: ArrayOperations) -> str:
    """What is meant, perhaps, by a matrix that is known not to be symmetric, as a part of the error."""
    with np.errstate(all="ignore"):
        known = ops.known(symmetric)
    if known is not None and not np.all(known):
        numbers = np.asarray(ops.known(matrix))
        for triangle, kept in (("lower", np.tril), ("upper", np.triu)):
            if np.array_equal(numbers, kept(numbers)):
                transposed = ", transposed" if triangle == "upper" else ""
                return (
                    f", but is {triangle} triangular: a Cholesky factor{transposed} is given as chol= to "
                    "pm.MvNormal, as kl_plugins.Cholesky(factor) elsewhere"
                )
    return "; symmetrise it with (A + A.T) / 2 if that is what is meant"


def matrix_conditions(side: Parametrised, name: str, factor: str = "factor") -> Conditions:
    """Conditions of a positive definite matrix; rounding may leave it slightly asymmetric.

    Of numbers there is no factor, the attribute of that name, where one is not positive definite.
    """
    ops, matrix = side.ops, getattr(side, name)
    yield ops.is_finite(matrix), Requirement(name, "must be finite, but holds NaN or infinity")
    symmetric = ops.is_symmetric(matrix)
    yield symmetric, Requirement(name, f"must be symmetric{_instead_of_asymmetry(matrix, symmetric, ops)}")
    if ops.symbolic:
        yield (
            ops.all_last(ops.diagonal(getattr(side, factor)) > 0.0),
            Requirement(name, "must be positive definite"),
        )
