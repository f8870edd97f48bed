"""Trapezoidal densities on (0, 1): averages of functions, and the divergence of two of them.

A trapezoid of height 1 rises from 0 to c, is flat up to d, and falls to 1. Between the kinks of two of them
both are linear. Their difference is taken from the distances of the kinks: neighbours keep their digits.
"""

from __future__ import annotations

import math
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple, cast

import numpy as np

from kl_plugins.formulas.interval_means import (
    Integrand,
    average,
    ramp,
    weighted_sum,
    whole,
)
from kl_plugins.formulas.shared import identity_minus_log1p
from kl_plugins.ops.protocol import Array, ArrayOperations, Operations
from kl_plugins.parameters.certainty import certainly_is

_PIECES, _ON_HALF = 5, 41
COUNT = _PIECES * 2 * _ON_HALF
"""Of the nodes."""
_STEEP = 2.0 * math.pi
_EXTENT = 38.0
"""Of the logarithms of the nodes."""


def _double_exponential() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Nodes on (0, ½) and weights, for functions with logarithms of what is 0 near an end or at it.

    H. Takahasi and M. Mori, Double exponential formulas for numerical integration, 1974. On (½, 1) are the
    same nodes from the other end: of what is next to 1 not all numbers would be left.
    """
    step = math.asinh(_EXTENT / _STEEP) / (_ON_HALF - 0.5)
    t = step * (np.arange(_ON_HALF) + 0.5)
    nodes = 1.0 / (1.0 + np.exp(_STEEP * np.sinh(t)))
    weights = step * _STEEP * np.cosh(t) * nodes * (1.0 - nodes)
    return tuple(map(float, nodes)), tuple(map(float, weights))


_NOTHING = 1e-25
"""Of a height, whose multiples by nodes would leave single precision."""
_NODES, _WEIGHTS = _double_exponential()


class Trapezoid(NamedTuple):
    """On (0, 1) or beyond: where the sides end that rise and fall, how far they reach below 0 and above 1."""

    rise: Array
    fall: Array
    below: Array = 0.0
    above: Array = 0.0


def trapezoid_mean(f: Integrand, c: Array, d: Array, start: Array, step: Array, ops: Operations) -> Array:
    """E f(start + step·Z), Z of such a density."""
    return whole(_mean_of(f), ops, c, d, start, step)


@cache
def _mean_of(f: Integrand) -> partial[Array]:
    """One object for each, as `elementwise` keeps what it makes of it."""
    return partial(_mean, f)


def _mean(f: Integrand, c: Array, d: Array, start: Array, step: Array, ops: Operations) -> Array:
    def part(mean: object, width: Array, start: Array, step: Array) -> Array:
        there = width > 0.0
        some = ops.where(there, width, 1.0)
        return ops.where(there, width * mean(f, start, some * step, ops), 0.0)  # type: ignore[operator]

    sides = part(ramp, c, start, step) + part(ramp, 1.0 - d, start + step, -step)
    middle = part(average, d - c, start + c * step, step)
    return (sides + 2.0 * middle) / (1.0 + d - c)


def trapezoid_divergence(p: Trapezoid, q: Trapezoid, ops: Operations) -> Array:
    """KL of p, on (0, 1), and q, whose support has that in it.

    With 1 + x = q/p it is E[x − log(1 + x)], and q's mass where p has none.
    """
    return whole(_divergence, ops, p.rise, p.fall, *q)


def _divergence(
    c: Array, d: Array, rise: Array, fall: Array, below: Array, above: Array, ops: Operations
) -> Array:
    p, q = Trapezoid(c, d), Trapezoid(rise, fall, below, above)
    total = 1.0 + (below + above) + (fall - rise)  # twice q's area
    top = (1.0 + (d - c)) / total  # of q
    excess = ((d - fall) + (rise - c) - (below + above)) / total  # top less 1
    low, high = _within(rise, ops), _within(fall, ops)
    inner, outer = ops.maximum(c, low), ops.minimum(d, high)
    kinks = ops.minimum(c, low), ops.minimum(inner, outer), ops.maximum(inner, outer), ops.maximum(d, high)
    places = [0.0 * c, *kinks, 0.0 * c + 1.0]
    value = _pieces(places, p, q, top, excess, ops)
    inside = (2.0 / (1.0 + (d - c))) * value
    if certainly_is(below, 0.0) and certainly_is(above, 0.0):
        return inside
    lost = _beyond(rise, fall, below, above, ops) + _beyond(1.0 - fall, 1.0 - rise, above, below, ops)
    return inside + (2.0 / total) * lost


def _within(place: Array, ops: Operations) -> Array:
    return ops.minimum(ops.maximum(place, 0.0), 1.0)


class _Values(NamedTuple):
    """At one place, in units of p's height: p, q and q − p."""

    p: Array
    q: Array
    more: Array


def _values(
    z: Array, inside: Array, p: Trapezoid, q: Trapezoid, top: Array, excess: Array, ops: Operations
) -> _Values:
    """At the end z of a piece that has the place `inside` in it."""
    (height_p, lacks_p), (height_q, lacks_q) = (_height_and_rest(z, inside, of, ops) for of in (p, q))
    return _Values(height_p, top * height_q, (lacks_p - lacks_q) + excess * height_q)


def _height_and_rest(z: Array, inside: Array, of: Trapezoid, ops: Operations) -> tuple[Array, Array]:
    """The height at z, and what it lacks of 1.

    The piece decides on which side of a kink that is, not z: so derivatives are right where kinks of the two
    are at one place.
    """
    rises, falls = inside < of.rise, inside > of.fall
    run = ops.where(rises, of.rise + of.below, ops.where(falls, 1.0 - of.fall + of.above, 1.0))
    height = ops.where(rises, z + of.below, ops.where(falls, 1.0 - z + of.above, 1.0)) / run
    return height, ops.where(rises, of.rise - z, ops.where(falls, z - of.fall, 0.0)) / run


def _pieces(
    places: list[Array], p: Trapezoid, q: Trapezoid, top: Array, excess: Array, ops: Operations
) -> Array:
    """The sum of those between the places, in a graph along an axis."""
    if not ops.graphs:
        return sum(_piece(low, high, p, q, top, excess, ops) for low, high in pairwise(places))
    of_arrays = cast(ArrayOperations, ops)
    expanded = of_arrays.expand_last
    along = of_arrays.concatenate(list(map(expanded, of_arrays.broadcast_arrays(*places))))
    p, q = (Trapezoid(*map(expanded, side)) for side in (p, q))
    return of_arrays.sum_last(
        _piece(along[..., :-1], along[..., 1:], p, q, expanded(top), expanded(excess), ops)
    )


def _piece(
    low: Array, high: Array, p: Trapezoid, q: Trapezoid, top: Array, excess: Array, ops: Operations
) -> Array:
    """∫ p [x − log(1 + x)] where both are linear."""

    def term(u: Array, p: Array, q: Array, more: Array, *end: Array) -> Array:
        p_end, q_end, more_end = end
        rest = 1.0 - u
        here = p * rest + p_end * u
        x, ratio = (more * rest + more_end * u) / here, (q * rest + q_end * u) / here
        near = ops.absolute(x) <= 0.2
        far = x - ops.log(ops.where(near, 1.0, ratio))
        return here * ops.where(near, identity_minus_log1p(ops.where(near, x, 0.0)), far)

    def both(u: Array, *values: Array) -> Array:
        return term(u, *values) + term(u, *values[3:], *values[:3])

    middle = 0.5 * (low + high)
    start, end = (_values(place, middle, p, q, top, excess, ops) for place in (low, high))
    # Elsewhere, on a piece of hardly any width at the end, there is nothing of p.
    there = ops.logical_and(start.p + end.p > _NOTHING, start.q + end.q > 0.0)
    values = [ops.where(there, value, 1.0) for value in (*start, *end)]
    mean = weighted_sum(_NODES, _WEIGHTS, both, ops, *values)
    return (high - low) * ops.where(there, mean, 0.5 * (start.more + end.more))


def _beyond(rise: Array, fall: Array, below: Array, above: Array, ops: Operations) -> Array:
    """The area of q's trapezoid of height 1 below 0."""
    up, down, run = ops.minimum(rise, 0.0), ops.minimum(fall, 0.0), rise + below
    height = ops.where(run > 0.0, (up + below) / ops.where(run > 0.0, run, 1.0), 1.0)
    risen = 0.5 * (up + below) * height
    return risen + (down - up) - 0.5 * down * (1.0 + (1.0 + above) / (1.0 - down + above))
