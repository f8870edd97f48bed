"""Densities c/(log(1 + c)·(1 + c x)) on (0, 1): their normaliser, moments, masses and divergence.

log(1 + c X) is uniform between 0 and L = log(1 + c). With c = 0 the density is 1.
"""

from __future__ import annotations

from kl_plugins.formulas.cancellation_free import exp_minus_tangent
from kl_plugins.formulas.fixed_nodes import GAUSS
from kl_plugins.formulas.interval_means import gauss_legendre, weighted_sum, whole
from kl_plugins.formulas.truncated_exponential import bend, distance_from_end, distance_value, log_mass_value
from kl_plugins.ops.protocol import Array, Operations

COUNT = 64
"""Of the nodes, which resolve a change of log(1 + c X) by some 25."""

_NODES, _WEIGHTS = gauss_legendre(COUNT)


def log_height(c: Array, ops: Operations) -> Array:
    """The logarithm of the density at 0, log(c/L)."""
    return ops.elementwise(_log_height, _log_height_gradient, c)


def _log_height(c: Array, ops: Operations) -> Array:
    length = ops.log1p(c)
    return length + log_mass_value(length, ops)


def _log_height_gradient(c: Array, ops: Operations) -> tuple[Array]:
    return ((1.0 - distance_value(ops.log1p(c), ops)) / (1.0 + c),)


def mean_on_unit(c: Array, ops: Operations) -> Array:
    """1/L − 1/c, as c = exp(L) − 1."""
    return distance_from_end(ops.log1p(c), ops)


def variance_on_unit(c: Array, ops: Operations) -> Array:
    """(½ − E X)/L."""
    return ops.elementwise(bend, None, ops.log1p(c))


def bradford_divergence(p: Array, q: Array, ops: Operations) -> Array:
    """KL on one interval, with p and q as c: E[exp(−r) − 1 + r], r = log p − log q, a sum over nodes."""
    change = ops.elementwise(_change, _change_gradient, p, q)
    return whole(_divergence, ops, p, q, change)


def _change(p: Array, q: Array, ops: Operations) -> Array:
    """`log_height` of p less that of q: of neighbours an integral of its slope."""
    first, second = ops.log1p(p), ops.log1p(q)
    step = ops.log1p((q - p) / (1.0 + p))

    def near(step: Array, first: Array, second: Array) -> Array:
        return -step * sum(w * (1.0 - distance_value(first + t * step, ops)) for t, w in GAUSS)

    def far(step: Array, first: Array, second: Array) -> Array:
        return first - second + (log_mass_value(first, ops) - log_mass_value(second, ops))

    return ops.select(ops.absolute(step) <= 0.25, near, far, step, first, second)


def _change_gradient(p: Array, q: Array, ops: Operations) -> tuple[Array, Array]:
    return _log_height_gradient(p, ops)[0], -_log_height_gradient(q, ops)[0]


def _divergence(p: Array, q: Array, change: Array, ops: Operations) -> Array:
    """Over log(1 + b x), b the larger of the two."""

    def term(u: Array, p: Array, q: Array, change: Array, larger: Array, length: Array) -> Array:
        x = ops.expm1(length * u) / larger
        below, beyond = 1.0 + p * x, (q - p) * x
        near = ops.absolute(beyond) <= 0.5 * below
        by_x = ops.where(
            near, ops.log1p(ops.where(near, beyond / below, 0.0)), ops.log1p(q * x) - ops.log1p(p * x)
        )
        mass = ops.exp(ops.minimum(ops.where(q > p, change, 0.0), 0.0)) * ((1.0 + larger * x) / below)
        return mass * exp_minus_tangent(-(change + by_x), ops)

    larger = ops.maximum(p, q)
    return weighted_sum(_NODES, _WEIGHTS, term, ops, p, q, change, larger, ops.log1p(larger))


def mass_outside(c: Array, below: Array, above: Array, ops: Operations) -> Array:
    """The probability of less than `below`, and of what is nearer than `above` to 1."""
    return (ops.log1p(c * below) + ops.log1p(c * above / (1.0 + c * (1.0 - above)))) / ops.log1p(c)


def mass_inside(c: Array, below: Array, width: Array, ops: Operations) -> Array:
    """The probability between `below` and as much more as the width."""
    return ops.log1p(c * width / (1.0 + c * below)) / ops.log1p(c)
