"""The divergence of two variables loc + scale·log(B/(1 − B)), each of a beta variable B of its own.

They are the logistic and the hyperbolic secant variables, and the logarithms of Lomax, log-logistic and beta
prime ones: https://en.wikipedia.org/wiki/Generalized_logistic_distribution (type IV).
"""

from __future__ import annotations

from typing import NamedTuple

from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.fixed_nodes import (
    GAUSS,
    NOTHING,
    Densities,
    Extent,
    Side,
    divergence_by_nodes,
    in_double,
)
from kl_plugins.formulas.gamma import NEAR
from kl_plugins.ops.gamma_residues import digamma_residue_value, log_gamma_residue_value
from kl_plugins.ops.protocol import Array, ArrayOperations, Operations


class LogOdds(NamedTuple):
    """The parameters of B, and the scale."""

    a: Array
    b: Array
    scale: Array


def log_odds_divergence(p: LogOdds, q: LogOdds, step: Array, ops: ArrayOperations) -> Array:
    """KL of the two, the loc of p less that of q being `step`."""
    p, q = (LogOdds(*[in_double(x, ops) for x in side]) for side in (p, q))
    step = in_double(step, ops)
    # Where the peaks are stays where it is, when the integral is differentiated.
    apart = step + ops.stop_gradient(_place(p.a, p.b, ops) * p.scale)
    apart = apart - ops.stop_gradient(_place(q.a, q.b, ops) * q.scale)
    difference = log_ratio(q.scale, p.scale, ops) + log_beta_difference(p.a, p.b, q.a, q.b, ops)
    of_p, of_q = ((_extent(x, ops), (*x, _at_place(x, ops))) for x in (p, q))
    return divergence_by_nodes(_DENSITIES, ops, of_p, of_q, apart, (step, difference))


def symmetric_side(a: float, scale: Array, ops: ArrayOperations) -> Side:
    """A variable with b = a, such as a logistic one, beside those of other families."""
    scale = in_double(scale, ops)
    x = LogOdds(a + 0.0 * scale, a + 0.0 * scale, scale)
    return Side(_extent(x, ops), (*x, _at_place(x, ops)), _far_log_density, _far_log_density_gradient)


def _far_log_density(distance: Array, beyond: Array, *rest: Array) -> Array:
    """With tails that are exponential where others are powers."""
    further = rest[-1].exp(beyond)
    return _log_density(distance * further, beyond, *rest) + beyond


def _far_log_density_gradient(distance: Array, beyond: Array, *rest: Array) -> tuple[Array, ...]:
    further = rest[-1].exp(beyond)
    slope, _, *others = _log_density_gradient(distance * further, beyond, *rest)
    by_distance = slope * further
    return by_distance, by_distance * distance + 1.0, *others


def _place(a: Array, b: Array, ops: Operations) -> Array:
    """Near the peak of the log-odds, and where it is no longer a power of B or of 1 − B if one of them is."""
    return ops.log((a + 1.0) / (b + 1.0))


def _extent(x: LogOdds, ops: Operations) -> Extent:
    """The singularities are at ±iπ scale; tails are exponential, those of large a and b at first normal."""
    width = 2.0 * x.scale * ops.sqrt(1.0 / (x.a + 1.0) + 1.0 / (x.b + 1.0))
    steps = NOTHING / ops.minimum(x.a, x.b)
    return Extent(width, ops.log(x.scale) + ops.log(steps + 2.0 * ops.sqrt(2.0 * steps)))


def _at_place(x: LogOdds, ops: Operations) -> Array:
    """The log density at the place."""
    return ops.elementwise(_log_height, _log_height_gradient, x.a, x.b) - ops.log(x.scale)


def _log_height(a: Array, b: Array, ops: Operations) -> Array:
    """a log B + b log(1 − B) − ln B(a, b) at the place, of which the large parts cancel."""
    total, difference = a + b + 2.0, b - a
    residues = log_gamma_residue_value(a, ops) + log_gamma_residue_value(b, ops)
    residues = residues - log_gamma_residue_value(a + b, ops)
    first = a * ops.log1p(difference / total / a)
    return first + b * ops.log1p(-difference / total / b) - residues


def _log_height_gradient(a: Array, b: Array, ops: Operations) -> tuple[Array, Array]:
    """For a place that stays where it is."""
    up, down = -ops.log1p((b + 1.0) / (a + 1.0)), -ops.log1p((a + 1.0) / (b + 1.0))
    return up - digamma_change(a, b, ops), down - digamma_change(b, a, ops)


def digamma_change(a: Array, b: Array, ops: Operations) -> Array:
    """ψ(a) − ψ(a + b)."""
    residues = digamma_residue_value(a, ops) - digamma_residue_value(a + b, ops)
    return residues - ops.log1p(b / a)


def log_beta_difference(p_a: Array, p_b: Array, q_a: Array, q_b: Array, ops: Operations) -> Array:
    """ln B of q less that of p: of neighbours an integral of its slope."""
    return ops.elementwise(_log_beta_difference, _log_beta_difference_gradient, p_a, p_b, q_a, q_b)


def _log_beta_difference(p_a: Array, p_b: Array, q_a: Array, q_b: Array, ops: Operations) -> Array:

    def near(p_a: Array, p_b: Array, q_a: Array, q_b: Array) -> Array:
        total = 0.0
        for t, weight in GAUSS:
            a, b = p_a + t * (q_a - p_a), p_b + t * (q_b - p_b)
            slope = (q_a - p_a) * digamma_change(a, b, ops) + (q_b - p_b) * digamma_change(b, a, ops)
            total = total + weight * slope
        return total

    def far(p_a: Array, p_b: Array, q_a: Array, q_b: Array) -> Array:
        return log_beta_value(q_a, q_b, ops) - log_beta_value(p_a, p_b, ops)

    near_a = ops.absolute(q_a - p_a) <= NEAR * p_a
    is_near = ops.logical_and(near_a, ops.absolute(q_b - p_b) <= NEAR * p_b)
    return ops.select(is_near, near, far, p_a, p_b, q_a, q_b)


def log_beta_value(a: Array, b: Array, ops: Operations) -> Array:
    """ln B(a, b)."""
    residues = log_gamma_residue_value(a, ops) + log_gamma_residue_value(b, ops)
    residues = residues - log_gamma_residue_value(a + b, ops)
    return residues - a * ops.log1p(b / a) - b * ops.log1p(a / b)


def _log_beta_difference_gradient(
    p_a: Array, p_b: Array, q_a: Array, q_b: Array, ops: Operations
) -> tuple[Array, Array, Array, Array]:
    of_p = digamma_change(p_a, p_b, ops), digamma_change(p_b, p_a, ops)
    return -of_p[0], -of_p[1], digamma_change(q_a, q_b, ops), digamma_change(q_b, q_a, ops)


def _shares(t: Array, ops: Operations) -> tuple[Array, Array]:
    """B and 1 − B of the log-odds t."""
    small = ops.exp(-ops.absolute(t))
    more, less = 1.0 / (1.0 + small), small / (1.0 + small)
    return ops.where(t >= 0.0, more, less), ops.where(t >= 0.0, less, more)


def _logs(t: Array, ops: Operations) -> tuple[Array, Array]:
    """log B and log(1 − B)."""
    rest = ops.log1p(ops.exp(-ops.absolute(t)))
    return ops.minimum(t, 0.0) - rest, ops.minimum(-t, 0.0) - rest


def _changes(t: Array, step: Array, ops: Operations) -> tuple[Array, Array]:
    """Of log B and of log(1 − B), from t to t + step."""
    near = ops.absolute(step) <= 1.0
    some = ops.where(near, step, 0.0)
    yes, no = _shares(t, ops)
    up, down = -ops.log1p(no * ops.expm1(-some)), -ops.log1p(yes * ops.expm1(some))
    (to_yes, to_no), (from_yes, from_no) = _logs(t + step, ops), _logs(t, ops)
    return ops.where(near, up, to_yes - from_yes), ops.where(near, down, to_no - from_no)


def _log_density(
    distance: Array, beyond: Array, a: Array, b: Array, scale: Array, at_place: Array, ops: Operations
) -> Array:
    up, down = _changes(_place(a, b, ops), distance / scale, ops)
    return at_place + a * up + b * down


def _log_density_gradient(
    distance: Array, beyond: Array, a: Array, b: Array, scale: Array, at_place: Array, ops: Operations
) -> tuple[Array, ...]:
    place, step = _place(a, b, ops), distance / scale
    up, down = _changes(place, step, ops)
    yes, no = _shares(place + step, ops)
    slope = (a * no - b * yes) / scale
    return slope, 0.0 * slope, up, down, -slope * (place + step), 1.0 + 0.0 * slope


def _log_ratio(
    from_p: Array,
    from_q: Array,
    beyond: Array,
    p_a: Array,
    p_b: Array,
    p_scale: Array,
    p_at_place: Array,
    q_a: Array,
    q_b: Array,
    q_scale: Array,
    q_at_place: Array,
    step: Array,
    difference: Array,
    ops: Operations,
) -> Array:
    t, t_q = _place(p_a, p_b, ops) + from_p / p_scale, _place(q_a, q_b, ops) + from_q / q_scale
    by_scale, by_place = ((p_scale - q_scale) / q_scale) * t, step / q_scale
    is_near = ops.absolute(by_scale) + ops.absolute(by_place) <= 1.0
    up, down = _changes(t, ops.where(is_near, by_scale + by_place, t_q - t), ops)
    yes, no = _logs(t, ops)
    return difference + (p_a - q_a) * yes + (p_b - q_b) * no - q_a * up - q_b * down


_DENSITIES = Densities(_log_density, _log_density_gradient, _log_ratio)
