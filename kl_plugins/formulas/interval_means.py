"""Averages of elementary functions over an interval, with constant and with linear weights.

A wide interval has its average from antiderivatives, F' = f and G' = F; their differences would cancel over
a narrow one, far from where f is singular, for which Gauss's quadrature is exact to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple, cast

import numpy as np
from numpy.polynomial import legendre

from kl_plugins.ops.protocol import Array, ArrayOperations, Operations
from kl_plugins.parameters.certainty import is_literal

Function = Callable[[Array, Operations], Array]
Antiderivative = Callable[[Array, Array, Array, Operations], Array]

_WIDTH = 0.25
"""Up to this many times the distance of its middle from a singularity an interval is narrow."""

# Gauss–Legendre on (0, 1).
_NODES = (0.01985507175123188, 0.10166676129318664, 0.2372337950418355, 0.4082826787521751,
          0.5917173212478249, 0.7627662049581645, 0.8983332387068134, 0.9801449282487681)  # fmt: skip
_WEIGHTS = (0.05061426814518813, 0.11119051722668724, 0.15685332293894366, 0.18134189168918100,
            0.18134189168918100, 0.15685332293894366, 0.11119051722668724, 0.05061426814518813)  # fmt: skip


def gauss_legendre(count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Nodes and weights on (0, 1), polished: those of NumPy would leave errors of 10⁻¹⁴ in the integrals."""
    polynomial = np.zeros(count + 1, np.longdouble)
    polynomial[-1] = 1.0
    slope = legendre.legder(polynomial)
    x = legendre.leggauss(count)[0].astype(np.longdouble)
    for _ in range(2):
        x = x - legendre.legval(x, polynomial) / legendre.legval(x, slope)
    weights = 2.0 / ((1.0 - x * x) * legendre.legval(x, slope) ** 2)
    return tuple(map(float, 0.5 * (x + 1.0))), tuple(map(float, 0.5 * weights))


class Integrand(NamedTuple):
    """A function with its first and second antiderivative, and its distance from a singularity.

    The antiderivatives are in units of a step, F(z)/step and G(z)/step², functions of z, z/step, step and
    operations: squares of wide intervals are beyond the floats.
    """

    value: Function
    first: Antiderivative
    second: Antiderivative
    distance: Function


def whole(function: Callable[..., Array], ops: Operations, *args: Array) -> Array:
    """Return ``function(*args, ops)``, where the function takes sums over nodes of a quadrature.

    In a graph these are sums along an axis: written out, they would take a minute to compile.
    """
    if not ops.symbolic or all(map(is_literal, args)):
        return ops.elementwise(function, None, *args)
    return function(*args, ops)


def weighted_sum(
    nodes: tuple[float, ...],
    weights: tuple[float, ...],
    function: Callable[..., Array],
    ops: Operations,
    *args: Array,
) -> Array:
    """Σ weight · function(node, *args), of arrays and of graphs along a new last axis."""
    if all(map(is_literal, args)) or (ops.symbolic and not ops.graphs):
        total = 0.0
        for node, weight in zip(nodes, weights, strict=True):
            total = total + weight * function(node, *args)
        return total
    dtype = next(arg.dtype for arg in args if not is_literal(arg))
    of_arrays = cast(ArrayOperations, ops)
    along = [of_arrays.expand_last(arg) for arg in args]
    return of_arrays.sum_last(np.asarray(weights, dtype) * function(np.asarray(nodes, dtype), *along))


def quadrature(
    function: Callable[..., Array], ops: Operations, start: Array, step: Array, *args: Array
) -> Array:
    """∫₀¹ function(start + step·u, *args) du for a smooth function."""
    return weighted_sum(
        _NODES, _WEIGHTS, lambda u, x, h, *rest: function(x + h * u, *rest), ops, start, step, *args
    )


def ramp_quadrature(
    function: Callable[..., Array], ops: Operations, start: Array, step: Array, *args: Array
) -> Array:
    """∫₀¹ 2u function(start + step·u, *args) du."""
    return weighted_sum(
        _NODES, _WEIGHTS, lambda u, x, h, *rest: 2.0 * u * function(x + h * u, *rest), ops, start, step, *args
    )


def average(f: Integrand, start: Array, step: Array, ops: Operations) -> Array:
    """∫₀¹ f(start + step·u) du."""

    def narrow(start: Array, step: Array) -> Array:
        return quadrature(lambda z: f.value(z, ops), ops, start, step)

    def wide(start: Array, step: Array) -> Array:
        end = start + step
        return f.first(end, end / step, step, ops) - f.first(start, start / step, step, ops)

    return ops.select(_is_narrow(f, start, step, ops), narrow, wide, start, step)


def ramp(f: Integrand, start: Array, step: Array, ops: Operations) -> Array:
    """∫₀¹ 2u f(start + step·u) du."""

    def narrow(start: Array, step: Array) -> Array:
        return ramp_quadrature(lambda z: f.value(z, ops), ops, start, step)

    def wide(start: Array, step: Array) -> Array:
        end = start + step
        low, high = start / step, end / step
        rise = f.second(end, high, step, ops) - f.second(start, low, step, ops)
        return 2.0 * (f.first(end, high, step, ops) - rise)

    return ops.select(_is_narrow(f, start, step, ops), narrow, wide, start, step)


def _is_narrow(f: Integrand, start: Array, step: Array, ops: Operations) -> Array:
    return ops.absolute(step) <= _WIDTH * f.distance(start + 0.5 * step, ops)


def _log_or_zero(z: Array, ops: Operations) -> Array:
    """log z, and 0 at z = 0 (or where rounding put it below), where it is multiplied by a power of z."""
    return ops.log(ops.where(z > 0.0, z, 1.0))


def _log_square_first(z: Array, r: Array, step: Array, ops: Operations) -> Array:
    x = _log_or_zero(z, ops)
    return r * (x * (x - 2.0) + 2.0)


def _log_square_second(z: Array, r: Array, step: Array, ops: Operations) -> Array:
    x = _log_or_zero(z, ops)
    return r * r * (0.5 * x * (x - 3.0) + 1.75)


def _log1p_square_first(z: Array, r: Array, step: Array, ops: Operations) -> Array:
    return r * (log1p_square(z, ops) - 2.0) + 2.0 * ops.arctan(z) / step


def _log1p_square_second(z: Array, r: Array, step: Array, ops: Operations) -> Array:
    unit = 1.0 / step
    return 0.5 * (r * r - unit * unit) * log1p_square(z, ops) - 1.5 * r * r + 2.0 * r * (ops.arctan(z) * unit)


def _distance_from_zero(z: Array, ops: Operations) -> Array:
    return ops.absolute(z)


def log1p_square(z: Array, ops: Operations) -> Array:
    """log(1 + z²), finite where z² is not."""
    return ops.select(
        ops.absolute(z) <= 1e8, lambda z: ops.log1p(z * z), lambda z: 2.0 * ops.log(ops.absolute(z)), z
    )


LOG = Integrand(
    lambda z, ops: ops.log(z),
    lambda z, r, step, ops: r * (_log_or_zero(z, ops) - 1.0),
    lambda z, r, step, ops: 0.5 * r * r * (_log_or_zero(z, ops) - 1.5),
    _distance_from_zero,
)
LOG_SQUARE = Integrand(
    lambda z, ops: ops.log(z) * ops.log(z), _log_square_first, _log_square_second, _distance_from_zero
)
LOG1P_SQUARE = Integrand(
    log1p_square,
    _log1p_square_first,
    _log1p_square_second,
    lambda z, ops: 0.7 * (1.0 + ops.absolute(z)),  # from i
)
ABSOLUTE = Integrand(
    lambda z, ops: ops.absolute(z),
    lambda z, r, step, ops: 0.5 * r * ops.absolute(z),
    lambda z, r, step, ops: r * r * ops.absolute(z) / 6.0,
    _distance_from_zero,
)


def uniform_mean(f: Integrand, start: Array, step: Array, ops: Operations) -> Array:
    """E f(start + step·U), U uniform on (0, 1)."""
    return whole(_node(average, f), ops, start, step)


def triangular_mean(f: Integrand, mode: Array, start: Array, step: Array, ops: Operations) -> Array:
    """E f(start + step·T), T triangular on (0, 1) with the given mode."""
    return whole(_node(_triangular_mean, f), ops, mode, start, step)


@cache
def _node(function: Callable[..., Array], f: Integrand) -> Callable[..., Array]:
    """One object for each, as `elementwise` keeps what it makes of it."""
    return partial(function, f)


def _triangular_mean(f: Integrand, mode: Array, start: Array, step: Array, ops: Operations) -> Array:
    return on_both_sides(partial(ramp, f, ops=ops), mode, start, step, ops)


def on_both_sides(
    ramp: Callable[..., Array], mode: Array, start: Array, step: Array, ops: Operations
) -> Array:
    """The mean over the triangle, of which the part below the mode has the mass `mode`."""

    def part(start: Array, step: Array, mass: Array) -> Array:
        # Where there is none the other branch must be finite all the same, for the sake of its derivative.
        return ops.select(
            mass > 0.0,
            lambda start, step, mass: mass * ramp(start, mass * step),
            lambda start, step, mass: 0.0 * mass,
            start, step, ops.where(mass > 0.0, mass, 1.0),
        )  # fmt: skip

    return part(start, step, mode) + part(start + step, -step, 1.0 - mode)


def power_uniform_mean(exponent: Array, start: Array, step: Array, ops: Operations) -> Array:
    """E (start + step·U)^exponent, +∞ where it diverges."""
    return ops.elementwise(_power_average, None, exponent, start, step)


def _power_average(exponent: Array, start: Array, step: Array, ops: Operations) -> Array:
    """With m = exponent + 1 and L = log(high/low): high^m [1 − exp(−m L)]/m, and high^m/m from zero.

    For negative m the same from the lower end, so that no power overflows that another should undo.
    """
    end, m = start + step, exponent + 1.0
    low, high = ops.minimum(start, end), ops.maximum(start, end)
    width = ops.absolute(step)

    def above(low: Array, high: Array, width: Array, m: Array) -> Array:
        growth, falls = ops.log1p(width / low), m < 0.0
        largest = ops.where(falls, low, high)
        decay = _decay_mean(ops.where(falls, -m, m) * growth, ops)
        return ops.power(largest, exponent) * decay * (growth * (largest / width))

    def from_zero(low: Array, high: Array, width: Array, m: Array) -> Array:
        converges = m > 0.0
        return ops.where(converges, ops.power(high, exponent) / ops.where(converges, m, 1.0), float("inf"))

    some_low = ops.where(low > 0.0, low, high)  # finite in the branch that is not taken, as is its derivative
    return ops.select(low > 0.0, above, from_zero, some_low, high, width, m)


def _decay_mean(x: Array, ops: Operations) -> Array:
    """[1 − exp(−x)]/x."""
    return ops.select(
        ops.absolute(x) <= 1e-5, lambda x: 1.0 - 0.5 * x * (1.0 - x / 3.0), lambda x: -ops.expm1(-x) / x, x
    )


def power_triangular_mean(exponent: Array, mode: Array, start: Array, step: Array, ops: Operations) -> Array:
    """E (start + step·T)^exponent, +∞ where it diverges."""
    return whole(_power_triangular_mean, ops, exponent, mode, start, step)


def _power_triangular_mean(exponent: Array, mode: Array, start: Array, step: Array, ops: Operations) -> Array:
    flat = partial(_power_average, ops=ops)

    def narrow(start: Array, step: Array) -> Array:
        return ramp_quadrature(lambda z, k: ops.power(z, k), ops, start, step, exponent)

    def wide(start: Array, step: Array) -> Array:
        unit, sign = ops.absolute(step), ops.sign(step)
        start = start / unit
        first = flat(exponent + 1.0, start, sign)
        # From zero the second part is none, though it may be zero times infinity.
        second = ops.select(
            start > 0.0, lambda s, h: s * flat(exponent, s, h), lambda s, h: 0.0 * s, start, sign
        )
        return 2.0 * ((first - second) * sign) * ops.power(unit, exponent)

    def ramp(start: Array, step: Array) -> Array:
        bends = 1.0 + 0.1 * ops.absolute(exponent)
        is_narrow = ops.absolute(step) * bends <= _WIDTH * ops.absolute(start + 0.5 * step)
        return ops.select(is_narrow, narrow, wide, start, step)

    return on_both_sides(ramp, mode, start, step, ops)


def exp_uniform_mean(start: Array, step: Array, ops: Operations) -> Array:
    """E exp(start + step·U)."""
    return ops.elementwise(_exp_uniform_mean, None, start, step)


def _exp_uniform_mean(start: Array, step: Array, ops: Operations) -> Array:
    return ops.exp(ops.maximum(start, start + step)) * _decay_mean(ops.absolute(step), ops)


def exp_triangular_mean(mode: Array, start: Array, step: Array, ops: Operations) -> Array:
    """E exp(start + step·T)."""
    return whole(_exp_triangular_mean, ops, mode, start, step)


def _exp_triangular_mean(mode: Array, start: Array, step: Array, ops: Operations) -> Array:
    def narrow(start: Array, step: Array) -> Array:
        return ramp_quadrature(ops.exp, ops, start, step)

    def wide(start: Array, step: Array) -> Array:
        return 2.0 * ((ops.exp(start + step) * (step - 1.0) + ops.exp(start)) / step / step)

    def ramp(start: Array, step: Array) -> Array:
        return ops.select(ops.absolute(step) <= 2.0, narrow, wide, start, step)

    return on_both_sides(ramp, mode, start, step, ops)
