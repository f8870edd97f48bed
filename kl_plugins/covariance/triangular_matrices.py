"""Divergences through lower triangular factors, with their derivatives in closed form.

Each is one node of a symbolic graph, whose derivatives use the factors and solves of its value. With
Σp = LpLpᵀ, Σq = LqLqᵀ and M = Lq⁻¹Lp = I + E, they are written in E, which is taken from differences of the
factors: they are exactly zero at p = q and keep their digits near it, where Σq⁻¹ − Σp⁻¹ or M Mᵀ − I do not.
"""

from __future__ import annotations

from functools import partial

from kl_plugins.covariance.base import factor_ratio_divergence, less_where_near
from kl_plugins.ops.protocol import Array, ArrayOperations


def factored_divergence(
    p_factor: Array, q_factor: Array, p_matrix: Array | None, q_matrix: Array | None, ops: ArrayOperations
) -> Array:
    """½ [tr(Σq⁻¹Σp) − d − ln|Σq⁻¹Σp|] from the Cholesky factors of Σp and Σq.

    Where a factor was computed from a matrix that was given, derivatives are taken by that matrix (its
    Cholesky factorisation has derivatives that cost more than all the rest); else by the factor.
    """
    by_p = _by_p_factor if p_matrix is None else _by_p_matrix
    by_q = _by_q_factor if q_matrix is None else _by_q_matrix
    derivatives = [partial(by_p, ops=ops), partial(by_q, ops=ops)]
    value = partial(_divergence, ops=ops)
    return ops.of_factors(value, derivatives, [p_factor, q_factor], [p_matrix, q_matrix])


def factored_quadratic_form(x: Array, factor: Array, matrix: Array | None, ops: ArrayOperations) -> Array:
    """½ xᵀΣ⁻¹x from the Cholesky factor of Σ, with derivatives as in `factored_divergence`."""
    by_factor = _quadratic_by_factor if matrix is None else _quadratic_by_matrix
    derivatives = [partial(_solved, ops=ops), partial(by_factor, ops=ops)]
    value = partial(_quadratic_form, ops=ops)
    return ops.of_factors(value, derivatives, [x, factor], [None, matrix])


def _divergence(p_factor: Array, q_factor: Array, ops: ArrayOperations) -> Array:
    return factor_ratio_divergence(p_factor, q_factor, ops)


def _below_diagonal(p_factor: Array, q_factor: Array, ops: ArrayOperations) -> Array:
    """A matrix that below its diagonal is M, and so E: the solve that the divergence makes too."""
    return ops.solve_lower(q_factor, less_where_near(p_factor, q_factor, ops))


def _excess(p_factor: Array, q_factor: Array, ops: ArrayOperations) -> Array:
    """E = Lq⁻¹(Lp − Lq)."""
    p_diagonal, q_diagonal = ops.diagonal(p_factor), ops.diagonal(q_factor)
    below = ops.strictly_lower(_below_diagonal(p_factor, q_factor, ops), like=q_factor)
    return ops.add_to_diagonal(below, (p_diagonal - q_diagonal) / q_diagonal, like=q_factor)


def _by_p_factor(p_factor: Array, q_factor: Array, ops: ArrayOperations) -> Array:
    """tril(Lq⁻ᵀM) − diag(1/Lp); the part of it that is Lq⁻ᵀ alone has diagonal 1/Lq."""
    excess = _excess(p_factor, q_factor, ops)
    solved = ops.solve_lower_transposed(q_factor, excess)
    diagonal = ops.diagonal(excess) / ops.diagonal(p_factor)
    return ops.lower(ops.add_to_diagonal(solved, diagonal, like=q_factor), like=q_factor)


def _by_q_factor(p_factor: Array, q_factor: Array, ops: ArrayOperations) -> Array:
    """−tril(Lq⁻ᵀ(MMᵀ − I)), MMᵀ − I = E + EEᵀ + Eᵀ; Lq⁻ᵀEᵀ is upper triangular with diagonal e/Lq."""
    excess = _excess(p_factor, q_factor, ops)
    solved = ops.solve_lower_transposed(q_factor, excess)
    product = ops.matmul(solved, ops.transpose(excess))
    diagonal = ops.diagonal(excess) / ops.diagonal(q_factor)
    return -ops.lower(ops.add_to_diagonal(solved + product, diagonal, like=q_factor), like=q_factor)


def _by_p_matrix(p_factor: Array, q_factor: Array, ops: ArrayOperations) -> Array:
    """½ (Σq⁻¹ − Σp⁻¹) = ½ Lp⁻ᵀ(MᵀM − I)Lp⁻¹."""
    excess = _excess(p_factor, q_factor, ops)
    return 0.5 * _unwhitened_excess(p_factor, ops.transpose(excess), ops)


def _by_q_matrix(p_factor: Array, q_factor: Array, ops: ArrayOperations) -> Array:
    """½ (Σq⁻¹ − Σq⁻¹ΣpΣq⁻¹) = −½ Lq⁻ᵀ(MMᵀ − I)Lq⁻¹."""
    excess = _excess(p_factor, q_factor, ops)
    return -0.5 * _unwhitened_excess(q_factor, excess, ops)


def _unwhitened_excess(factor: Array, excess: Array, ops: ArrayOperations) -> Array:
    """L⁻ᵀ[(I + E)(I + E)ᵀ − I]L⁻¹ = KKᵀ + L⁻ᵀKᵀ + (L⁻ᵀKᵀ)ᵀ with K = L⁻ᵀE: no difference is taken."""
    solved = ops.solve_lower_transposed(factor, excess)
    transposed = ops.transpose(solved)
    linear = ops.solve_lower_transposed(factor, transposed)
    return ops.matmul(solved, transposed) + linear + ops.transpose(linear)


def _whitened(x: Array, factor: Array, ops: ArrayOperations) -> Array:
    return ops.solve_lower(factor, x[..., None])


def _quadratic_form(x: Array, factor: Array, ops: ArrayOperations) -> Array:
    return 0.5 * ops.sum_of_squares_last(_whitened(x, factor, ops)[..., 0])


def _solved(x: Array, factor: Array, ops: ArrayOperations) -> Array:
    """u = Σ⁻¹x."""
    return ops.solve_lower_transposed(factor, _whitened(x, factor, ops))[..., 0]


def _quadratic_by_factor(x: Array, factor: Array, ops: ArrayOperations) -> Array:
    """−tril(u wᵀ), w = L⁻¹x."""
    whitened = _whitened(x, factor, ops)[..., 0]
    product = _solved(x, factor, ops)[..., :, None] * whitened[..., None, :]
    return -ops.lower(product, like=factor)


def _quadratic_by_matrix(x: Array, factor: Array, ops: ArrayOperations) -> Array:
    """−½ u uᵀ."""
    solved = _solved(x, factor, ops)
    return -0.5 * (solved[..., :, None] * solved[..., None, :])
