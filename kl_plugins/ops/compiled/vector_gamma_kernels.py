"""Divergences of gamma and beta distributions on long vectors; see ``vector_kernels.py``.

Each has a kernel for what is far apart and one for neighbours, which are rare in most vectors and cost more.
"""

from __future__ import annotations

import math
from typing import Any

from kl_plugins.formulas import beta as beta_formulas
from kl_plugins.formulas import gamma as gamma_formulas
from kl_plugins.formulas.beta import _LOPSIDED
from kl_plugins.formulas.gamma import _NEAR
from kl_plugins.formulas.remainders import _NODES, _WEIGHTS
from kl_plugins.ops.compiled.gamma_lanes import residues, trigamma_residue
from kl_plugins.ops.compiled.lanes import exp, exp_minus_tangent, expm1, lane, log, log1p_and_rest
from kl_plugins.ops.compiled.vector_kernels import kernel_of

_T0, _T1, _T2, _T3 = _NODES
_W0, _W1, _W2, _W3 = _WEIGHTS


@lane
def fits(a: Any) -> Any:
    """Whether a shape is far enough from the ends of the floats for products of several; not so NaN."""
    return (a > 1e-20) & (a < 1e20)


@lane
def log_ratio(p: Any, q: Any) -> Any:
    inverse = 1.0 / q
    value, _ = log1p_and_rest((p - q) * inverse, p * inverse)
    return value


@lane
def are_near(p: Any, q: Any) -> Any:
    return abs(q - p) <= _NEAR * p


@kernel_of(gamma_formulas._gamma_divergence)
def _gamma_far(p_shape: Any, q_shape: Any, shift: Any, out: Any) -> None:
    for i in range(len(out)):
        p, q = p_shape[i], q_shape[i]
        p_smooth, p_g, p_digamma = residues(p)
        q_smooth, q_g, _ = residues(q)
        shapes = (q_smooth - p_smooth - 0.5 * log(q_g / p_g)) - p_digamma * (q - p)
        u = shift[i] + log_ratio(p, q)
        inside = fits(p) & fits(q) & (u <= 700.0)
        value = shapes + q * exp_minus_tangent(u)
        out[i] = value if inside & (not are_near(p, q)) else math.nan


@kernel_of(gamma_formulas._gamma_divergence)
def _gamma_near(p_shape: Any, q_shape: Any, shift: Any, out: Any) -> None:
    for i in range(len(out)):
        p, q = p_shape[i], q_shape[i]
        step = q - p
        shapes = _W0 * trigamma_residue(p + _T0 * step) + _W1 * trigamma_residue(p + _T1 * step)
        shapes = shapes + _W2 * trigamma_residue(p + _T2 * step) + _W3 * trigamma_residue(p + _T3 * step)
        u = shift[i] + log_ratio(p, q)
        inside = fits(p) & fits(q) & (u <= 700.0)
        value = step * step * shapes + q * exp_minus_tangent(u)
        out[i] = value if inside & are_near(p, q) else math.nan


@lane
def log_moment(p: Any, power: Any, p_smooth: Any, p_g: Any) -> Any:
    """log E[(G/p)^power] for a gamma variable G of shape p, and ψ(p + power) − ln(p + power)."""
    raised = p + power
    inverse = 1.0 / p
    growth, rest = log1p_and_rest(power * inverse, raised * inverse)
    smooth, g, digamma = residues(raised)
    return power * growth - p * rest + (smooth - p_smooth - 0.5 * log(g / p_g)), digamma


@lane
def all_near(p: Any, q: Any, level: Any, ratio: Any) -> Any:
    return are_near(p, q) & (abs(ratio - 1.0) <= _NEAR) & (abs(level) <= _NEAR)


@kernel_of(gamma_formulas._log_gamma_divergence)
def _log_gamma_far(p_shape: Any, q_shape: Any, shift: Any, ratio: Any, out: Any) -> None:
    for i in range(len(out)):
        p, q, r = p_shape[i], q_shape[i], ratio[i]
        p_smooth, p_g, p_digamma = residues(p)
        q_smooth, q_g, _ = residues(q)
        level = shift[i] + log_ratio(p, q) + (r - 1.0) * log(p)
        moment, _ = log_moment(p, r, p_smooth, p_g)
        change = (q_smooth - p_smooth - 0.5 * log(q_g / p_g)) + (p - r * q) * p_digamma
        u = level + moment
        value = change - log(r) + q * (exp_minus_tangent(u) + moment)
        inside = fits(p) & fits(q) & fits(r) & (u <= 700.0)
        out[i] = max(value, 0.0) if inside & (not all_near(p, q, level, r)) else math.nan


@lane
def second_derivative(
    t: Any, p: Any, step: Any, level: Any, turn: Any, log_p: Any, p_smooth: Any, p_g: Any, residue: Any
) -> Any:
    """That of ``gamma_formulas._log_near``."""
    shape, power = p + t * step, 1.0 + t * turn
    moment, digamma = log_moment(p, power, p_smooth, p_g)
    exponent = t * level + moment
    raised = p + power
    growth, slope = exp(exponent), log(raised) + digamma - log_p
    first = level + turn * slope
    mixed = expm1(exponent) * level + growth * turn * slope - turn * residue
    bend = first * first + turn * turn * (1.0 / raised + trigamma_residue(raised))
    share = turn / power
    both = share * share + step * step * trigamma_residue(shape)
    return both + 2.0 * step * mixed + shape * growth * bend


@kernel_of(gamma_formulas._log_gamma_divergence)
def _log_gamma_near(p_shape: Any, q_shape: Any, shift: Any, ratio: Any, out: Any) -> None:
    for i in range(len(out)):
        p, q, turn = p_shape[i], q_shape[i], ratio[i] - 1.0
        step, log_p = q - p, log(p)
        smooth, g, digamma = residues(p)
        level = shift[i] + log_ratio(p, q) + turn * log_p
        value = 0.0
        for t, weight in ((_T0, _W0), (_T1, _W1), (_T2, _W2), (_T3, _W3)):
            value += weight * second_derivative(t, p, step, level, turn, log_p, smooth, g, digamma)
        inside = fits(p) & fits(q) & all_near(p, q, level, ratio[i])
        out[i] = value if inside else math.nan


_EULER = 0.5772156649015329


@lane
def log_factorial(x: Any) -> Any:
    """ln Γ(1 + x), ψ(1 + x) and 1 + x."""
    raised = 1.0 + x
    smooth, g, digamma = residues(raised)
    growth = log(raised)
    return (smooth - 0.5 * log(g)) + (raised * growth - raised), digamma + growth, raised


@kernel_of(gamma_formulas._unit_divergence)
def _unit_far(shift: Any, ratio: Any, out: Any) -> None:
    for i in range(len(out)):
        r = ratio[i]
        moment, _, _ = log_factorial(r)
        u = shift[i] + moment
        value = _EULER * (r - 1.0) - log(r) + (exp_minus_tangent(u) + moment)
        inside = fits(r) & (u <= 700.0)
        out[i] = max(value, 0.0) if inside & (not all_near(1.0, 1.0, shift[i], r)) else math.nan


@lane
def unit_curvature(t: Any, level: Any, turn: Any) -> Any:
    power = 1.0 + t * turn
    moment, slope, raised = log_factorial(power)
    first, share = level + turn * slope, turn / power
    bend = first * first + turn * turn * (1.0 / raised + trigamma_residue(raised))
    return share * share + exp(t * level + moment) * bend


@kernel_of(gamma_formulas._unit_divergence)
def _unit_near(shift: Any, ratio: Any, out: Any) -> None:
    for i in range(len(out)):
        level, turn = shift[i], ratio[i] - 1.0
        value = _W0 * unit_curvature(_T0, level, turn) + _W1 * unit_curvature(_T1, level, turn)
        value = value + _W2 * unit_curvature(_T2, level, turn) + _W3 * unit_curvature(_T3, level, turn)
        out[i] = value if all_near(1.0, 1.0, level, ratio[i]) else math.nan


@lane
def is_lopsided(a: Any, b: Any) -> Any:
    """Whether one parameter is so much less than the other that more than four digits may be lost."""
    return min(a, b) < 0.1 * _LOPSIDED * max(a, b)


@kernel_of(beta_formulas._divergence)
def _beta_far(p_a: Any, p_b: Any, q_a: Any, q_b: Any, out: Any) -> None:
    for i in range(len(out)):
        a, b, c, d = p_a[i], p_b[i], q_a[i], q_b[i]
        p_s, q_s = a + b, c + d
        a_smooth, a_g, a_digamma = residues(a)
        b_smooth, b_g, b_digamma = residues(b)
        p_smooth, p_g, p_digamma = residues(p_s)
        c_smooth, c_g, _ = residues(c)
        d_smooth, d_g, _ = residues(d)
        q_smooth, q_g, _ = residues(q_s)
        smooth = (c_smooth - a_smooth) + (d_smooth - b_smooth) - (q_smooth - p_smooth)
        change = smooth - 0.5 * log((c_g * d_g * p_g) / (a_g * b_g * q_g))
        by_b, by_a, first, second = (d - b) / p_s, (c - a) / p_s, d / p_s, c / p_s
        smaller = a * abs(by_b) + b * abs(by_a) <= a * first + b * second
        turn = a * by_b - b * by_a if smaller else a * first - b * second
        _, first = log1p_and_rest(turn / c, (a / p_s) * (q_s / c))
        _, second = log1p_and_rest(-turn / d, (b / p_s) * (q_s / d))
        means = c * first + d * second
        value = means + change - (a_digamma - p_digamma) * (c - a) - (b_digamma - p_digamma) * (d - b)
        inside = fits(a) & fits(b) & fits(c) & fits(d) & (not (is_lopsided(a, b) & is_lopsided(c, d)))
        is_near = are_near(a, c) & are_near(b, d)
        out[i] = max(value, 0.0) if inside & (not is_near) else math.nan


@lane
def beta_curvature(t: Any, p_a: Any, p_b: Any, step_a: Any, step_b: Any) -> Any:
    """The second derivative of ``beta_formulas._near``."""
    a, b, step = p_a + t * step_a, p_b + t * step_b, step_a + step_b
    s = a + b
    turn = step_a * (p_b / s) - step_b * (p_a / s)
    rest = step_a * step_a * trigamma_residue(a) + step_b * step_b * trigamma_residue(b)
    return turn * turn * (s / a / b) + (rest - step * step * trigamma_residue(s))


@kernel_of(beta_formulas._divergence)
def _beta_near(p_a: Any, p_b: Any, q_a: Any, q_b: Any, out: Any) -> None:
    for i in range(len(out)):
        a, b = p_a[i], p_b[i]
        x, y = q_a[i] - a, q_b[i] - b
        value = _W0 * beta_curvature(_T0, a, b, x, y) + _W1 * beta_curvature(_T1, a, b, x, y)
        value = value + _W2 * beta_curvature(_T2, a, b, x, y) + _W3 * beta_curvature(_T3, a, b, x, y)
        inside = fits(a) & fits(b) & are_near(a, q_a[i]) & are_near(b, q_b[i]) & (not is_lopsided(a, b))
        out[i] = value if inside else math.nan
