"""Modified Bessel functions of the first kind as normalisers: accurate for every order and argument.

The uniform expansion https://dlmf.nist.gov/10.41.E3 serves where √(ν² + x²) is large, for large arguments as
well as for large orders. From an order that is large enough, recurrences in which errors shrink lead down.
Nothing here under- or overflows, and all of it is made of arithmetic, square roots and logarithms.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache, partial
from typing import NamedTuple

from kl_plugins.formulas.cancellation_free import taylor_remainder
from kl_plugins.formulas.discrete import counts_divergence, log_poisson
from kl_plugins.ops.protocol import Array, Operations

_ORDERS = 20
"""So many orders above the one asked for the expansion is used."""

_TERMS = 8
"""Terms of the expansion."""

_LARGE, _POWERS = 64.0, 76
"""From this √(ν² + x²) on the expansion has all digits; else so many terms of the power series."""

_HUGE = 1e15
"""Up to here arguments may be squared; beyond, the first term of their expansion is all there is."""

_NEAR = 0.05
"""Up to this difference, in units of p + ν + 1, divergences are integrals of positive terms."""


class Bessel(NamedTuple):
    """With A(x) = ln I_ν(x) − ν ln x: what families of exponents x cos θ need of it."""

    log_normaliser: Array
    """A(x) − x."""

    slope_by_x: Array
    """A'(x)/x = I_{ν+1}(x)/(x I_ν(x))."""

    shortfall: Array
    """1 − A'(x)."""

    curvature: Array
    """A''(x)."""


def bessel(x: Array, order: Array, ops: Operations) -> Bessel:
    """A and its derivatives at x ≥ 0, for orders ν ≥ 0."""
    beyond = 1.0 / ops.maximum(x / _HUGE, 1.0)  # there A(x) − x is −(ν + ½) ln x
    x = ops.minimum(x, _HUGE)
    value, slope, shortfall, curvature = _expansion(x, order + float(_ORDERS), ops)
    square = x * x
    for i in range(_ORDERS, 0, -1):
        twice = 2.0 * (order + float(i))
        # I_{ν−1} = I_{ν+1} + (2ν/x) I_ν, its derivative, and both less what they are for large x
        whole = twice + square * slope
        slope = 1.0 / whole
        shortfall = (twice - x * shortfall) * slope
        curvature = (twice - square * curvature) * slope * slope
        value = value + ops.log(whole)
    value = value + (order + 0.5) * ops.log(beyond)
    return Bessel(value, slope * beyond, shortfall * beyond, curvature * beyond * beyond)


def _expansion(x: Array, order: Array, ops: Operations) -> Bessel:
    """ln I_ν(x) = s + ν ln(x/(ν + s)) − ½ ln(2πs) + Σₖ Eₖ(ν²/s²)/sᵏ with s² = ν² + x², and derivatives."""
    s = ops.sqrt(order * order + x * x)
    y = 1.0 / s
    square = (order * y) * (order * y)
    plain, first, second = (_series(y, square, which) for which in range(3))
    total = order + s
    excess = order * order / (s + x)  # s − x
    value = excess - order * ops.log(total) - 0.5 * ops.log(2.0 * math.pi * s) + plain
    tail = y * y * (0.5 + first)
    curvature = order * y / total + y * y * (0.5 - square + second)
    return Bessel(value, 1.0 / total - tail, (order + excess) / total + x * tail, curvature)


def _series(y: Array, square: Array, which: int) -> Array:
    """Σₖ Eₖ(ν²/s²)/sᵏ from 1/s and ν²/s², or what its first or second derivatives have in its place."""
    value: Array = 0.0
    for polynomials in reversed(_polynomials()):
        value = value * y + _at(square, polynomials[which])
    return value * y


def _at(square: Array, coefficients: tuple[float, ...]) -> Array:
    value: Array = 0.0
    for c in reversed(coefficients):
        value = value * square + c
    return value


@cache
def _polynomials() -> list[tuple[tuple[float, ...], ...]]:
    """The coefficients of Eₖ(P), and of what the derivatives by x of Eₖ(P)/sᵏ have in its place.

    Of the series with the polynomials of https://dlmf.nist.gov/10.41.E9 it is the logarithm. With P = ν²/s²
    the derivative of Pʲ/sᵏ by x is −x (k + 2j) Pʲ/sᵏ⁺².
    """
    u = [[Fraction(1)]]
    for _ in range(_TERMS):
        following = [Fraction(0)] * (len(u[-1]) + 3)
        for j, c in enumerate(u[-1]):
            following[j + 1] += c * (Fraction(j, 2) + Fraction(1, 8 * (j + 1)))
            following[j + 3] -= c * (Fraction(j, 2) + Fraction(5, 8 * (j + 3)))
        u.append(following)
    logs: list[list[Fraction]] = [[]]
    for k in range(1, _TERMS + 1):
        term = list(u[k])
        for j in range(1, k):
            for i, c in enumerate(_product(logs[j], u[k - j])):
                term[i] -= Fraction(j, k) * c
        logs.append(term)
    made = []
    for k in range(1, _TERMS + 1):
        plain = [logs[k][k + 2 * j] for j in range(k + 1)]
        first = [(k + 2 * j) * c for j, c in enumerate(plain)]
        again = [(k + 2 + 2 * j) * c for j, c in enumerate(first)]
        padded, lowered = [*again, Fraction(0)], [Fraction(0), *again]
        second = [a - b for a, b in zip(padded, lowered, strict=True)]
        second = [a - b for a, b in zip(second, [*first, Fraction(0)], strict=True)]
        made.append(tuple(tuple(map(float, row)) for row in (plain, first, second)))
    return made


def _product(left: list[Fraction], right: list[Fraction]) -> list[Fraction]:
    out = [Fraction(0)] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            out[i + j] += a * b
    return out


def log_skellam(k: Array, first: Array, second: Array, ops: Operations) -> Array:
    """The logarithm of the probability that Poisson variables of two positive means have the difference k.

    (m/n)^(k/2) exp(−m − n) I_|k|(2√(mn)), https://en.wikipedia.org/wiki/Skellam_distribution.
    """
    return ops.elementwise(_log_skellam, _log_skellam_gradient, k, first, second)


def _log_skellam(k: Array, first: Array, second: Array, ops: Operations) -> Array:
    order, above = ops.absolute(k), k >= 0.0
    mean, other = ops.where(above, first, second), ops.where(above, second, first)
    root = ops.sqrt(first) * ops.sqrt(second)
    largest = ops.maximum(order, root)
    u, v = order / largest, 2.0 * root / largest
    s = largest * ops.sqrt(u * u + v * v)
    return ops.choose(s < _LARGE, _log_skellam_near, _log_skellam_far, order, mean, other, root, s)


def _log_skellam_near(
    order: Array, mean: Array, other: Array, root: Array, s: Array, ops: Operations
) -> Array:
    """That the other count is 0, and by the power series, https://dlmf.nist.gov/10.25.E2, that it is not."""
    root = ops.minimum(root, 0.5 * _LARGE)
    square, series = root * root, 1.0
    for j in range(_POWERS, 1, -1):
        series = 1.0 + square / (float(j) * (order + float(j))) * series
    return log_poisson(order, mean, ops) - other + ops.log1p(square / (order + 1.0) * series)


def _log_skellam_far(
    order: Array, mean: Array, other: Array, root: Array, s: Array, ops: Operations
) -> Array:
    """By the expansion: the likeliest counts of that difference, (s ± |k|)/2, may be far from their means."""
    s = ops.maximum(s, _LARGE)
    larger = 0.5 * (order + s)
    apart = counts_divergence(larger, mean, ops) + counts_divergence(root / larger * root, other, ops)
    y = 1.0 / s
    return _series(y, (order * y) * (order * y), 0) - apart - 0.5 * ops.log(2.0 * math.pi * s)


def _log_skellam_gradient(
    k: Array, first: Array, second: Array, ops: Operations
) -> tuple[Array, Array, Array]:
    """P(k − 1)/P(k) − 1 and P(k + 1)/P(k) − 1. The difference k is a constant."""
    here = log_skellam(k, first, second, ops)
    before, after = (log_skellam(k + step, first, second, ops) - here for step in (-1.0, 1.0))
    return 0.0 * k, ops.expm1(before), ops.expm1(after)


def log_normaliser(x: Array, order: Array, ops: Operations) -> Array:
    """A(x) − x."""
    return ops.elementwise(_log_normaliser, _log_normaliser_gradient, x, order)


def _log_normaliser(x: Array, order: Array, ops: Operations) -> Array:
    return bessel(x, order, ops).log_normaliser


def _log_normaliser_gradient(x: Array, order: Array, ops: Operations) -> tuple[Array, Array]:
    return -bessel(x, order, ops).shortfall, 0.0 * x


def shortfall(x: Array, order: Array, ops: Operations) -> Array:
    """1 − A'(x)."""
    return ops.elementwise(_shortfall, _shortfall_gradient, x, order)


def _shortfall(x: Array, order: Array, ops: Operations) -> Array:
    return bessel(x, order, ops).shortfall


def _shortfall_gradient(x: Array, order: Array, ops: Operations) -> tuple[Array, Array]:
    return -bessel(x, order, ops).curvature, 0.0 * x


def slope(x: Array, order: Array, ops: Operations) -> Array:
    """A'(x) = I_{ν+1}(x)/I_ν(x)."""
    return ops.elementwise(_slope, _slope_gradient, x, order)


def _slope(x: Array, order: Array, ops: Operations) -> Array:
    return x * bessel(x, order, ops).slope_by_x


def _slope_gradient(x: Array, order: Array, ops: Operations) -> tuple[Array, Array]:
    return bessel(x, order, ops).curvature, 0.0 * x


def bessel_divergence(p: Array, q: Array, order: Array, ops: Operations) -> Array:
    """A(q) − A(p) − A'(p) (q − p) ≥ 0. The order is a constant: no derivative is taken by it."""
    return ops.elementwise(_bessel_divergence, _bessel_divergence_gradient, p, q, order)


def _bessel_divergence(p: Array, q: Array, order: Array, ops: Operations) -> Array:
    beyond = 1.0 / ops.maximum(ops.minimum(p, q) / _HUGE, 1.0)
    p, q = p * beyond, q * beyond  # which changes nothing where both are huge
    is_near = ops.absolute(q - p) <= _NEAR * (p + order + 1.0)
    return ops.pick(is_near, partial(_near, ops=ops), partial(_far, ops=ops), p, q, order)


def _near(p: Array, q: Array, order: Array, ops: Operations) -> Array:
    step = q - p
    return step * step * taylor_remainder(lambda t: bessel(p + t * step, order, ops).curvature)


def _far(p: Array, q: Array, order: Array, ops: Operations) -> Array:
    at_p, at_q = bessel(p, order, ops), bessel(q, order, ops)
    return at_q.log_normaliser - at_p.log_normaliser + at_p.shortfall * (q - p)


def _bessel_divergence_gradient(
    p: Array, q: Array, order: Array, ops: Operations
) -> tuple[Array, Array, Array]:
    at_p, at_q = bessel(p, order, ops), bessel(q, order, ops)
    return at_p.curvature * (p - q), at_p.shortfall - at_q.shortfall, 0.0 * p
