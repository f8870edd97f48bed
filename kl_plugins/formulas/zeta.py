"""Sums of powers k^(−a): Riemann's zeta function, its derivatives, and generalised harmonic numbers."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from kl_plugins.formulas.cancellation_free import taylor_remainder
from kl_plugins.ops.protocol import Array, ArrayOperations, Operations

_FIRST = 17
"""From this number on the sum is that of Euler and Maclaurin."""

_COEFFICIENTS = (
    *(1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160),
    *(-691 / 1307674368000, 1 / 74724249600),
)
"""B₂ⱼ/(2j)!, https://dlmf.nist.gov/2.10.i."""

_NOTHING_LEFT = 400.0
"""From this exponent on powers of 17 and more are zero, and products of it are not to overflow."""

_NEAR = 0.05
"""Up to this difference, relative to the distance from the pole at 1, a divergence is an integral."""


def log_harmonic(a: Array, n: Array, ops: ArrayOperations) -> Array:
    """log Σ k^(−a) over k = 1, …, n for a ≥ 0: by terms up to 16, then by Euler and Maclaurin's formula."""
    k = ops.asarray(np.arange(1.0, _FIRST), "k")
    counted = ops.where(k <= ops.expand_last(n), 1.0, 0.0)
    total = ops.sum_last(counted * ops.exp(-ops.expand_last(a) * np.log(np.arange(1.0, _FIRST))))
    last = ops.maximum(n, float(_FIRST))
    rest = _between(a, last, ops)
    return ops.log(total + ops.where(n >= float(_FIRST), rest, 0.0))


def _between(a: Array, last: Array, ops: Operations) -> Array:
    """Σ k^(−a) from 17 to `last`."""
    width = ops.log(last / _FIRST)
    u = (1.0 - a) * width
    mean = ops.select(
        ops.absolute(u) <= 1e-4,
        lambda u: 1.0 + u * (0.5 + u * (1.0 / 6.0 + u / 24.0)),
        lambda u: ops.expm1(u) / u,
        u,
    )
    start, stop = ops.exp(-a * math.log(_FIRST)), ops.exp(-a * ops.log(last))
    value = start * _FIRST * width * mean + 0.5 * (start + stop)
    a = ops.minimum(a, _NOTHING_LEFT)
    rising, first, end = a, start / _FIRST, stop / last
    for j, coefficient in enumerate(_COEFFICIENTS):
        value = value + coefficient * rising * (first - end)
        rising = rising * (a + (2.0 * j + 1.0)) * (a + (2.0 * j + 2.0))
        first, end = first / _FIRST**2, end / (last * last)
    return value


def zeta_moments(a: Array, ops: Operations) -> tuple[Array, Array, Array]:
    """ζ(a) − 1, −ζ'(a) and ζ''(a) for a > 1: Σ k^(−a) (log k)^m over k = 2, 3, …"""
    zeroth = first = second = 0.0
    for k in range(2, _FIRST):
        log_k = math.log(k)
        power = ops.exp(-a * log_k)
        zeroth, first, second = zeroth + power, first + log_k * power, second + log_k * log_k * power
    log_n, start = math.log(_FIRST), ops.exp(-a * math.log(_FIRST))
    away = 1.0 / (a - 1.0)
    tail, slope = start * _FIRST * away, log_n + away
    zeroth = zeroth + (tail + 0.5 * start)
    first = first + (tail * slope + 0.5 * log_n * start)
    second = second + (tail * (slope * slope + away * away) + 0.5 * log_n * log_n * start)
    a = ops.minimum(a, _NOTHING_LEFT)
    power, rising, inverses, squares = start / _FIRST, a, 1.0 / a, 1.0 / (a * a)
    for j, coefficient in enumerate(_COEFFICIENTS):
        term, slope = coefficient * rising * power, log_n - inverses
        zeroth, first = zeroth + term, first + term * slope
        second = second + term * (slope * slope - squares)
        for factor in (a + (2.0 * j + 1.0), a + (2.0 * j + 2.0)):
            rising, inverses = rising * factor, inverses + 1.0 / factor
            squares = squares + 1.0 / (factor * factor)
        power = power / _FIRST**2
    return zeroth, first, second


def zeta_divergence(p: Array, q: Array, ops: Operations) -> Array:
    """KL of distributions with probabilities k^(−a)/ζ(a): log ζ at q above its tangent at p."""
    return ops.elementwise(_zeta_divergence, _zeta_divergence_gradient, p, q)


def _zeta_divergence(p: Array, q: Array, ops: Operations) -> Array:
    is_near = ops.absolute(q - p) <= _NEAR * ops.minimum(p - 1.0, 1.0)
    return ops.pick(is_near, partial(_near, ops=ops), partial(_far, ops=ops), p, q)


def _near(p: Array, q: Array, ops: Operations) -> Array:
    step = q - p
    return step * step * taylor_remainder(lambda t: log_moments(p + t * step, ops)[1])


def _far(p: Array, q: Array, ops: Operations) -> Array:
    of_p, of_q = zeta_moments(p, ops), zeta_moments(q, ops)
    return (ops.log1p(of_q[0]) - ops.log1p(of_p[0])) + (q - p) * (of_p[1] / (1.0 + of_p[0]))


def _zeta_divergence_gradient(p: Array, q: Array, ops: Operations) -> tuple[Array, Array]:
    (mean_p, variance), (mean_q, _) = log_moments(p, ops), log_moments(q, ops)
    return -variance * (q - p), mean_p - mean_q


def log_moments(a: Array, ops: Operations) -> tuple[Array, Array]:
    """The mean and the variance of log k."""
    zeroth, first, second = zeta_moments(a, ops)
    mean = first / (1.0 + zeroth)
    return mean, second / (1.0 + zeroth) - mean * mean


def zeta_entropy(a: Array, ops: Operations) -> Array:
    """log ζ(a) + a E[log k]."""
    return ops.elementwise(_zeta_entropy, _zeta_entropy_gradient, a)


def _zeta_entropy(a: Array, ops: Operations) -> Array:
    zeroth, first, _ = zeta_moments(a, ops)
    return ops.log1p(zeroth) + a * (first / (1.0 + zeroth))


def _zeta_entropy_gradient(a: Array, ops: Operations) -> tuple[Array]:
    return (-a * log_moments(a, ops)[1],)
