"""The beta function without its large parts, and the divergence of beta distributions."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from kl_plugins.backends.formulas import identity_minus_log1p
from kl_plugins.backends.gamma_formulas import (
    _NEAR,
    _digamma_residue,
    _log_gamma_residue,
    _trigamma_residue,
    digamma_residue,
    log_gamma_residue,
)
from kl_plugins.backends.remainders import _log_ratio, taylor_remainder


def log_beta(a: Any, b: Any, ops: ModuleType) -> Any:
    """ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b), of which nothing is lost where a or b is large."""
    return log_beta_residue(a, b, ops) - a * ops.log1p(b / a) - b * ops.log1p(a / b)


def log_beta_residue(a: Any, b: Any, ops: ModuleType) -> Any:
    """ln B(a, b) − a ln(a/(a + b)) − b ln(b/(a + b))."""
    f = partial(log_gamma_residue, ops=ops)
    return f(a) + f(b) - f(a + b)


def digamma_difference(a: Any, b: Any, ops: ModuleType) -> Any:
    """ψ(a) − ψ(a + b): the expectation of log Z for Z beta distributed."""
    return digamma_residue(a, ops) - digamma_residue(a + b, ops) - ops.log1p(b / a)


def beta_entropy(a: Any, b: Any, ops: ModuleType) -> Any:
    """ln B(a, b) − (a − 1)[ψ(a) − ψ(a + b)] − (b − 1)[ψ(b) − ψ(a + b)], whose large parts cancel.

    Source: https://en.wikipedia.org/wiki/Beta_distribution#Quantities_of_information_(entropy)
    """
    r, of_sum = partial(digamma_residue, ops=ops), digamma_residue(a + b, ops)
    known = (a - 1.0) * (r(a) - of_sum) + (b - 1.0) * (r(b) - of_sum)
    return log_beta_residue(a, b, ops) - ops.log1p(b / a) - ops.log1p(a / b) - known


def beta_divergence(p_a: Any, p_b: Any, q_a: Any, q_b: Any, ops: ModuleType) -> Any:
    """KL of beta distributions, ln B(q) − ln B(p) − Δa ∂ₐ ln B(p) − Δb ∂ᵦ ln B(p), without cancellation.

    The part of ln B that is homogeneous, a ln(a/s) + b ln(b/s) with s = a + b, gives q's s times the
    divergence of Bernoulli distributions; what is left is of the size of log s. Near p = q it is the
    integral of the second derivative, in which Δa²/a + Δb²/b − Δs²/s = (Δa b − Δb a)²/(a b s).

    Source: https://en.wikipedia.org/wiki/Beta_distribution#Quantities_of_information_(entropy)
    """
    return ops.elementwise(_divergence, _divergence_gradient, p_a, p_b, q_a, q_b)


def _divergence(p_a: Any, p_b: Any, q_a: Any, q_b: Any, ops: ModuleType) -> Any:
    near_a = ops.absolute(q_a - p_a) <= _NEAR * p_a
    near_b = ops.absolute(q_b - p_b) <= _NEAR * p_b
    return ops.pick(
        ops.logical_and(near_a, near_b), partial(_near, ops=ops), partial(_far, ops=ops), p_a, p_b, q_a, q_b
    )


def _near(p_a: Any, p_b: Any, q_a: Any, q_b: Any, ops: ModuleType) -> Any:
    step_a, step_b = q_a - p_a, q_b - p_b
    step = step_a + step_b
    t = partial(_trigamma_residue, ops=ops)

    def second_derivative(x: float) -> Any:
        a, b = p_a + x * step_a, p_b + x * step_b
        s = a + b
        turn = step_a * (p_b / s) - step_b * (p_a / s)
        rest = step_a * step_a * t(a) + step_b * step_b * t(b) - step * step * t(s)
        return turn * turn * (s / a / b) + rest

    return taylor_remainder(second_derivative)


def _far(p_a: Any, p_b: Any, q_a: Any, q_b: Any, ops: ModuleType) -> Any:
    f, r = partial(_log_gamma_residue, ops=ops), partial(_digamma_residue, ops=ops)
    p_s, q_s = p_a + p_b, q_a + q_b
    p_mean, p_rest = p_a / p_s, p_b / p_s
    turn = p_mean * (q_b - p_b) - p_rest * (q_a - p_a)
    means = q_a * _excess(turn / q_a, p_mean, q_a / q_s, ops) + q_b * _excess(
        -turn / q_b, p_rest, q_b / q_s, ops
    )
    of_sum = r(p_s)
    change = f(q_a) + f(q_b) - f(q_s) - f(p_a) - f(p_b) + f(p_s)
    value = means + change - (r(p_a) - of_sum) * (q_a - p_a) - (r(p_b) - of_sum) * (q_b - p_b)
    return ops.maximum(value, 0.0)


def _excess(x: Any, p_share: Any, q_share: Any, ops: ModuleType) -> Any:
    """x − log(1 + x), where 1 + x is the ratio of the shares."""
    return ops.pick(
        ops.absolute(x) <= 0.2,
        lambda x, p, q: identity_minus_log1p(x),
        lambda x, p, q: x - _log_ratio(p, q, ops),
        x, p_share, q_share,
    )  # fmt: skip


def _divergence_gradient(p_a: Any, p_b: Any, q_a: Any, q_b: Any, ops: ModuleType) -> tuple[Any, ...]:
    r, t = partial(_digamma_residue, ops=ops), partial(_trigamma_residue, ops=ops)
    step_a, step_b = q_a - p_a, q_b - p_b
    p_s, q_s = p_a + p_b, q_a + q_b
    turn = step_a * (p_b / p_s) - step_b * (p_a / p_s)
    of_sum = (step_a + step_b) * t(p_s)
    by_p_a = of_sum - step_a * t(p_a) - turn / p_a
    by_p_b = of_sum - step_b * t(p_b) + turn / p_b
    change = r(q_s) - r(p_s) + _log_ratio(q_s, p_s, ops)
    by_q_a = r(q_a) - r(p_a) + _log_ratio(q_a, p_a, ops) - change
    by_q_b = r(q_b) - r(p_b) + _log_ratio(q_b, p_b, ops) - change
    return by_p_a, by_p_b, by_q_a, by_q_b
