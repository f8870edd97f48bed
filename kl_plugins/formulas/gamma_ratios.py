"""Divergences of families that ratios of gamma functions normalise, as sums of non-negative terms.

With ln Γ(a) = (a ln a − a) + R(a) every such normaliser is a part that is that of proportions, and what is
left of R: the Bregman divergence of either keeps its digits where those of ln Γ cancel.
"""

from __future__ import annotations

from kl_plugins.formulas.cancellation_free import (
    identity_minus_log,
    log_ratio_value,
    multiple_of_exp_minus_tangent,
)
from kl_plugins.formulas.gamma import NEAR, residues_far, residues_near
from kl_plugins.formulas.shared import identity_minus_log1p
from kl_plugins.ops.gamma_residues import digamma_residue_value, trigamma_residue_value
from kl_plugins.ops.protocol import Array, Operations

# Where a difference of two arguments is an argument too, it has digits that theirs no longer hold (the sum
# of many differences, say). Derivatives are then taken by the two, and not by their difference.


def residue_divergence(p: Array, q: Array, step: Array, ops: Operations) -> Array:
    """R(q) − R(p) − R'(p) (q − p) ≥ 0, with `step` = q − p."""
    return ops.elementwise(residue_divergence_value, _residue_divergence_gradient, p, q, step)


def residue_divergence_value(p: Array, q: Array, step: Array, ops: Operations) -> Array:
    is_near = ops.absolute(step) <= NEAR * p
    near = lambda p, q, step: residues_near(p, step, ops)  # noqa: E731
    return ops.select(is_near, near, lambda p, q, step: residues_far(p, q, ops), p, q, step)


def _residue_divergence_gradient(
    p: Array, q: Array, step: Array, ops: Operations
) -> tuple[Array, Array, Array]:
    by_q = digamma_residue_value(q, ops) - digamma_residue_value(p, ops)
    return -trigamma_residue_value(p, ops) * step, by_q, 0.0 * step


def log_ratio_by_step(p: Array, q: Array, step: Array, ops: Operations) -> Array:
    """log(p / q) of positive numbers, with `step` = q − p."""
    return ops.elementwise(_log_ratio_by_step, _log_ratio_by_step_gradient, p, q, step)


def _log_ratio_by_step(p: Array, q: Array, step: Array, ops: Operations) -> Array:
    is_near = ops.absolute(step) <= 0.2 * q
    near = lambda p, q, step: ops.log1p(-ops.minimum(step / q, 0.5))  # noqa: E731
    return ops.pick(is_near, near, lambda p, q, step: log_ratio_value(p, q, ops), p, q, step)


def _log_ratio_by_step_gradient(
    p: Array, q: Array, step: Array, ops: Operations
) -> tuple[Array, Array, Array]:
    return 1.0 / p, -1.0 / q, 0.0 * step


def proportion_divergence(p: Array, q: Array, level: Array, ops: Operations) -> Array:
    """One category's part in the divergence of Dirichlet distributions; `level` is log(Σp / Σq).

    q [exp(u) − 1 − u] with u = log(p/q) − level, of which the sum over the categories is that of q log(q/p)
    but for the sums, plus the divergence of R from p to q.
    """
    return ops.elementwise(_proportion_divergence, _proportion_divergence_gradient, p, q, level)


def _proportion_divergence(p: Array, q: Array, level: Array, ops: Operations) -> Array:
    u = log_ratio_value(p, q, ops) - level
    return multiple_of_exp_minus_tangent(q, u, ops) + residue_divergence_value(p, q, q - p, ops)


def _proportion_divergence_gradient(
    p: Array, q: Array, level: Array, ops: Operations
) -> tuple[Array, Array, Array]:
    u = log_ratio_value(p, q, ops) - level
    growth = q * ops.expm1(u)
    by_p = growth / p - trigamma_residue_value(p, ops) * (q - p)
    by_q = digamma_residue_value(q, ops) - digamma_residue_value(p, ops) - u
    return by_p, by_q, -growth


def shifted_divergence(p: Array, q: Array, step: Array, shift: Array, ops: Operations) -> Array:
    """The Bregman divergence from p to q of ln Γ(x) − (y ln y − y), y = x + shift; `step` = q − p.

    That of x ln x − y ln y is q [x₁ − log(1 + x₁)] + shift [x₂ − log(1 + x₂)] with 1 + x₁ = (p/q) / (P/Q),
    1 + x₂ = Q/P, P = p + shift, Q = q + shift; and that of R comes on top. The shift is a constant, ≥ 0.
    """
    return ops.elementwise(_shifted_divergence, _shifted_divergence_gradient, p, q, step, shift)


def _shifted_divergence(p: Array, q: Array, step: Array, shift: Array, ops: Operations) -> Array:
    change = -(shift / (p + shift)) * (step / q)  # the x₁ above
    first = ops.select(
        ops.absolute(change) <= 0.2,
        lambda p, q, change, shift: identity_minus_log1p(change),
        lambda p, q, change, shift: change - _log_change(p, q, shift, ops),
        p, q, change, shift,
    )  # fmt: skip
    second = identity_minus_log(step / (p + shift), ops)
    return q * first + shift * second + residue_divergence_value(p, q, step, ops)


def _log_change(p: Array, q: Array, shift: Array, ops: Operations) -> Array:
    """log(1 + x₁)."""
    return log_ratio_value(p, q, ops) - log_ratio_value(p + shift, q + shift, ops)


def _shifted_divergence_gradient(
    p: Array, q: Array, step: Array, shift: Array, ops: Operations
) -> tuple[Array, Array, Array, Array]:
    by_p = -(trigamma_residue_value(p, ops) + (shift / (p + shift)) / p) * step
    by_q = digamma_residue_value(q, ops) - digamma_residue_value(p, ops) - _log_change(p, q, shift, ops)
    return by_p, by_q, 0.0 * step, 0.0 * step
