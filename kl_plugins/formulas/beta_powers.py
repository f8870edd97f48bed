"""The divergence of two variables B^(1/c), each of a beta variable B and a power c of its own.

On y = log(−log x) a power is a change of place: t = y + log c is log s, s = −log B, whose log density is
t − a s + (b − 1) log(1 − exp(−s)) − ln B(a, b).
"""

from __future__ import annotations

from typing import NamedTuple

from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.fixed_nodes import NOTHING, Densities, Extent, divergence_by_nodes, in_double
from kl_plugins.formulas.log_odds import digamma_change, log_beta_difference, log_beta_value
from kl_plugins.ops.protocol import Array, ArrayOperations, Operations

_SMALL = -40.0
"""t below which 1 − exp(−s) is s."""

_LAST = 600.0
"""t beyond which there is nothing, and exp(t) should be a float."""


class BetaPower(NamedTuple):
    """The parameters of B, and the power."""

    a: Array
    b: Array
    power: Array


def beta_power_divergence(p: BetaPower, q: BetaPower, ops: ArrayOperations) -> Array:
    """KL of the two."""
    p, q = (BetaPower(*[in_double(x, ops) for x in side]) for side in (p, q))
    step = log_ratio(q.power, p.power, ops)
    # Where the peaks are stays where it is, when the integral is differentiated.
    apart = step + ops.stop_gradient(_place(p.a, p.b, ops)) - ops.stop_gradient(_place(q.a, q.b, ops))
    difference = log_beta_difference(p.a, p.b, q.a, q.b, ops)
    of_p, of_q = ((_extent(x, ops), (x.a, x.b, _at_place(x, ops))) for x in (p, q))
    return divergence_by_nodes(_DENSITIES, ops, of_p, of_q, apart, (step, difference))


def _middle(a: Array, b: Array, ops: Operations) -> Array:
    """About the mean of s."""
    return 1.0 / a + ops.log1p(b / (a + 1.0))


def _place(a: Array, b: Array, ops: Operations) -> Array:
    return ops.log(_middle(a, b, ops))


def _extent(x: BetaPower, ops: Operations) -> Extent:
    """The singularities are at log(2πk) ± iπ/2; the lower tail is exponential, both are normal at first."""
    total = x.a + x.b
    variance = (x.b / total) * (1.0 + 1.0 / x.a + 1.0 / total) / x.a
    width = 2.0 * ops.minimum(ops.sqrt(variance) / _middle(x.a, x.b, ops), 0.8)
    steps = NOTHING / x.b
    return Extent(width, ops.log(steps + 12.0 * width + 4.0))


def _at_place(x: BetaPower, ops: Operations) -> Array:
    """The log density at the place."""
    return ops.elementwise(_height, _height_gradient, x.a, x.b)


def _height(a: Array, b: Array, ops: Operations) -> Array:
    s = _middle(a, b, ops)
    return ops.log(s) - a * s + (b - 1.0) * _log_rest(ops.log(s), ops) - log_beta_value(a, b, ops)


def _height_gradient(a: Array, b: Array, ops: Operations) -> tuple[Array, Array]:
    """For a place that stays where it is."""
    s = _middle(a, b, ops)
    return -s - digamma_change(a, b, ops), _log_rest(ops.log(s), ops) - digamma_change(b, a, ops)


def _log_rest(t: Array, ops: Operations) -> Array:
    """log(1 − exp(−s)), the logarithm of 1 − B, which is that of s where that is small."""
    small = t < _SMALL
    return ops.where(small, t, ops.log(-ops.expm1(-_s(ops.where(small, 0.0, t), ops))))


def _rest_change(t: Array, step: Array, ops: Operations) -> Array:
    """Of `_log_rest`, from t to t + step."""
    near = ops.absolute(step) <= 1.0
    s, some = ops.exp(ops.minimum(ops.maximum(t, _SMALL), 6.0)), ops.where(near, step, 0.0)
    change = ops.log1p(-ops.expm1(-s * ops.expm1(some)) / ops.expm1(s))
    return ops.where(near, change, _log_rest(t + step, ops) - _log_rest(t, ops))


def _s(t: Array, ops: Operations) -> Array:
    return ops.exp(ops.minimum(t, _LAST))


def _log_density(
    distance: Array, beyond: Array, a: Array, b: Array, at_place: Array, ops: Operations
) -> Array:
    middle = _middle(a, b, ops)
    step = ops.minimum(distance, _LAST)
    rest = _rest_change(ops.log(middle), step, ops)
    return at_place + step - a * middle * ops.expm1(step) + (b - 1.0) * rest


def _log_density_gradient(
    distance: Array, beyond: Array, a: Array, b: Array, at_place: Array, ops: Operations
) -> tuple[Array, ...]:
    middle = _middle(a, b, ops)
    step = ops.minimum(distance, _LAST)
    t = step + ops.log(middle)
    s = _s(t, ops)
    some = ops.minimum(ops.maximum(s, 1e-20), _LAST)
    slope = 1.0 - a * s + (b - 1.0) * (some / ops.expm1(some))
    rest = _rest_change(t - step, step, ops)
    return slope, 0.0 * s, -middle * ops.expm1(step), rest, 1.0 + 0.0 * s


def _log_ratio(
    from_p: Array,
    from_q: Array,
    beyond: Array,
    p_a: Array,
    p_b: Array,
    p_at_place: Array,
    q_a: Array,
    q_b: Array,
    q_at_place: Array,
    step: Array,
    difference: Array,
    ops: Operations,
) -> Array:
    """`step` is that of t from p to q, the same for all x."""
    t = _place(p_a, p_b, ops) + from_p
    s = _s(t, ops)
    by_power = q_a * s * ops.expm1(step) - step - (q_b - 1.0) * _rest_change(t, step, ops)
    return difference + (q_a - p_a) * s + (p_b - q_b) * _log_rest(t, ops) + by_power


_DENSITIES = Densities(_log_density, _log_density_gradient, _log_ratio)
