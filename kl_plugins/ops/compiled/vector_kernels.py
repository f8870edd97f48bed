"""Formulas on long vectors: one pass each, by loops that LLVM turns into vector instructions.

Every kernel states a formula a second time, for the numbers that are neither near the ends of the floats nor
special, and writes NaN for the others. A formula may have several kernels: each takes what the one before it
has left, and the formula itself what is left by the last. A kernel is compiled when its formula first meets
a long vector, once per machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from kl_plugins.formulas import cauchy as cauchy_formulas
from kl_plugins.formulas import discrete as discrete_formulas
from kl_plugins.formulas import exponential as exponential_formulas
from kl_plugins.formulas import gamma as gamma_formulas
from kl_plugins.formulas import remainders, sums
from kl_plugins.formulas import shared as formulas
from kl_plugins.ops.compiled.gamma_lanes import digamma_residue, residues, trigamma_residue
from kl_plugins.ops.compiled.jit import FUSED, cached
from kl_plugins.ops.compiled.lanes import exp, exp_minus_tangent, lane, log, log1p_and_rest

Formula = Callable[..., Any]

_kernels: dict[Formula, list[Formula]] = {}

_NOTHING = sums.NOTHING * 2.220446049250313e-16

_IN = types.Array(types.float64, 1, "C", readonly=True)
_OUT = types.float64[::1]


def kernel_of(formula: Formula) -> Callable[[Formula], Formula]:
    """Register the decorated loop over contiguous vectors, the last of which it writes to."""

    def register(loop: Formula) -> Formula:
        _kernels.setdefault(formula, []).append(loop)
        return loop

    return register


@cache
def _compiled(loop: Formula) -> Any:
    arity = loop.__code__.co_argcount
    signature = types.void(*[_IN] * (arity - 1), _OUT)
    return cached(njit, signature, fastmath=FUSED, error_model="numpy", nogil=True)(loop)


def serves(formula: Formula) -> bool:
    """Whether there is a kernel for the formula."""
    return formula in _kernels


def evaluated(formula: Formula, length: int, args: Sequence[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The formula's values at vectors of this length, and the places of those that are left to do.

    Those of `args` that hold one number stand for vectors of it.
    """
    vectors = [arg if np.size(arg) == length else np.full(length, arg) for arg in args]
    out = np.empty(length)
    left: Any = slice(None)
    for loop in _kernels[formula]:
        part = vectors if type(left) is slice else [vector[left] for vector in vectors]
        part = [np.require(vector, requirements=("C", "A")) for vector in part]
        found = out if type(left) is slice else np.empty(len(left))
        _compiled(loop)(*part, found)
        if found is not out:
            out[left] = found
        if not math.isnan(found.min()):
            return out, np.empty(0, np.intp)
        missing = np.flatnonzero(np.isnan(found))
        left = missing if type(left) is slice else left[missing]
    return out, left


@cache
def all_between() -> Any:
    """A function of a contiguous vector and two bounds: are all numbers between them, so that none is NaN?"""
    return cached(njit, types.boolean(_IN, types.float64, types.float64), nogil=True)(_all_between)


def _all_between(vector: Any, low: Any, high: Any) -> Any:
    outside = 0  # counted, as there is no vector instruction that stops at the first
    for i in range(len(vector)):
        outside += 0 if (low < vector[i]) & (vector[i] < high) else 1
    return outside == 0


@lane
def fits(x: Any) -> Any:
    """Whether it is positive and far from the ends of the floats; not so NaN."""
    return (x > 1e-150) & (x < 1e150)


@kernel_of(np.log)
def _log(x: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = log(x[i]) if fits(x[i]) else math.nan


@kernel_of(np.exp)
def _exp(x: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = exp(x[i]) if abs(x[i]) <= 700.0 else math.nan


@kernel_of(formulas._scale_divergence)
def _scale_divergence(p: Any, q: Any, out: Any) -> None:
    for i in range(len(out)):
        inverse = 1.0 / q[i]
        e = (p[i] - q[i]) * inverse
        _, rest = log1p_and_rest(e, p[i] * inverse)
        out[i] = 0.5 * e * e + rest if fits(p[i]) & fits(q[i]) else math.nan


@kernel_of(formulas._normal_divergence)
def _normal_divergence(p: Any, q: Any, step: Any, out: Any) -> None:
    for i in range(len(out)):
        inverse = 1.0 / q[i]
        e, w = (p[i] - q[i]) * inverse, step[i] * inverse
        _, rest = log1p_and_rest(e, p[i] * inverse)
        out[i] = 0.5 * e * e + rest + 0.5 * w * w if fits(p[i]) & fits(q[i]) else math.nan


@kernel_of(formulas._variance_divergence)
def _variance_divergence(p: Any, q: Any, out: Any) -> None:
    for i in range(len(out)):
        inverse = 1.0 / q[i]
        _, rest = log1p_and_rest((p[i] - q[i]) * inverse, p[i] * inverse)
        out[i] = 0.5 * rest if fits(p[i]) & fits(q[i]) else math.nan


@kernel_of(remainders._log_ratio)
def _log_ratio(p: Any, q: Any, out: Any) -> None:
    for i in range(len(out)):
        inverse = 1.0 / q[i]
        value, _ = log1p_and_rest((p[i] - q[i]) * inverse, p[i] * inverse)
        out[i] = value if fits(p[i]) & fits(q[i]) else math.nan


@kernel_of(remainders.exp_minus_tangent)
def _exp_minus_tangent(u: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = exp_minus_tangent(u[i]) if u[i] <= 700.0 else math.nan


@kernel_of(exponential_formulas._multiple_remainder)
def _multiple_remainder(p: Any, q: Any, step: Any, out: Any) -> None:
    for i in range(len(out)):
        near = p[i] * exp_minus_tangent(-step[i] / p[i])
        value = near if step[i] <= 50.0 * p[i] else step[i] - p[i]
        out[i] = value / q[i] if fits(p[i]) & fits(q[i]) & (step[i] < 1e150) else math.nan


@lane
def counts_divergence(p: Any, q: Any, step: Any) -> Any:
    inverse = 1.0 / p
    _, rest = log1p_and_rest(step * inverse, q * inverse)
    return p * rest


@kernel_of(discrete_formulas._counts_divergence)
def _counts_divergence(p: Any, q: Any, out: Any) -> None:
    for i in range(len(out)):
        value = counts_divergence(p[i], q[i], q[i] - p[i])
        out[i] = value if fits(p[i]) & fits(q[i]) else math.nan


@kernel_of(discrete_formulas._bernoulli_divergence)
def _bernoulli_divergence(p: Any, p_failure: Any, q: Any, q_failure: Any, out: Any) -> None:
    for i in range(len(out)):
        step = q[i] - p[i] if p[i] <= 0.5 else p_failure[i] - q_failure[i]
        value = counts_divergence(p[i], q[i], step) + counts_divergence(p_failure[i], q_failure[i], -step)
        inside = fits(p[i]) & fits(q[i]) & fits(p_failure[i]) & fits(q_failure[i])
        out[i] = value if inside else math.nan


@kernel_of(sums._three)
def _three(number: Any, its_size: Any, first: Any, second: Any, third: Any, out: Any) -> None:
    for i in range(len(out)):
        value = number[i] + first[i] + second[i] + third[i]
        nothing = _NOTHING * (its_size[i] + abs(first[i]) + abs(second[i]) + abs(third[i]))
        out[i] = 0.0 if value < nothing else value


@kernel_of(cauchy_formulas._cauchy_divergence)
def _cauchy_divergence(p_scale: Any, q_scale: Any, step: Any, out: Any) -> None:
    for i in range(len(out)):
        e = p_scale[i] - q_scale[i]
        squares = e * e + step[i] * step[i]
        four = 4.0 * p_scale[i] * q_scale[i]
        x = squares / four
        rho = 1.0 + x
        value, _ = log1p_and_rest(x, rho)
        # What the sum has lost of x, where that is not so small that the series takes it as it is.
        value = value if rho < 1.4 else value + (x - (rho - 1.0)) / rho
        inside = (four > 1e-150) & (four < 1e150) & (squares < 1e150)
        whole = (squares > 1e-150) | ((e == 0.0) & (step[i] == 0.0))
        out[i] = value if inside & whole else math.nan


@kernel_of(gamma_formulas._log_gamma_residue)
def _log_gamma_residue(a: Any, out: Any) -> None:
    for i in range(len(out)):
        smooth, argument, _ = residues(a[i])
        out[i] = smooth - 0.5 * log(argument) if (a[i] > 1e-60) & (a[i] < 1e60) else math.nan


@kernel_of(gamma_formulas._digamma_residue)
def _digamma_residue(a: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = digamma_residue(a[i]) if (a[i] > 1e-60) & (a[i] < 1e60) else math.nan


@kernel_of(gamma_formulas._trigamma_residue)
def _trigamma_residue(a: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = trigamma_residue(a[i]) if (a[i] > 1e-60) & (a[i] < 1e60) else math.nan
