"""Logarithm, exponential and what is left of them without their tangents, for loops over long vectors.

Compiled by Numba and free of branches, so that LLVM works on several numbers at a time in the vector
registers, which it cannot do with calls of the C library. Each function takes one normal float64, far enough
from the ends of its range for the reciprocal to be one, too; the kernels leave out what is not.

Numba keeps what it has compiled for as long as the file of the kernel does not change: after a change here or
in ``gamma_lanes.py`` touch the files of the kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from kl_plugins.ops.compiled.jit import FUSED

lane: Callable[[Any], Any] = njit(fastmath=FUSED, error_model="numpy", forceinline=True)

_ONE = np.uint64(0x3FF0000000000000)
_ROOT_HALF = np.uint64(0x3FE6A09E667F3BCD)
_EXPONENT = np.uint64(0xFFF0000000000000)
_MANTISSA_BITS = np.uint64(52)
_TWO_52 = np.uint64(0x4330000000000000)
"""The bits of some floats: an integer below 2⁵² or-ed to those of 2⁵² is a float of that value more."""

_LOG2_HIGH, _LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LOG2 = 0.6931471805599453
_ROUND = 6755399441055744.0
"""1.5·2⁵²: added to a float it rounds that to a whole number, which is then in its lowest bits."""


@intrinsic
def bits_of(typing_context, x):  # type: ignore[no-untyped-def]
    """The bits of a float64 as an integer."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.uint64(types.float64), generate


@intrinsic
def float_of(typing_context, bits):  # type: ignore[no-untyped-def]
    """The float64 of these bits."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.uint64), generate


@lane
def split(x: Any) -> Any:
    """k and m with x = 2ᵏ m and √½ ≤ m < √2."""
    shifted = bits_of(x) - _ROOT_HALF + _ONE
    k = float_of((shifted >> _MANTISSA_BITS) | _TWO_52) - 4503599627371519.0
    return k, float_of(bits_of(x) - (shifted & _EXPONENT) + _ONE)


@lane
def odd_part(r: Any) -> Any:
    """2 atanh(r)/r − 2 for |r| < 0.1716; coefficients of FreeBSD's e_log.c."""
    z = r * r
    w = z * z
    even = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332))
    odd = 0.6666666666666735130 + w * (
        0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591)
    )
    return even + z * odd


@lane
def log(x: Any) -> Any:
    k, m = split(x)
    f = m - 1.0
    r = f / (2.0 + f)
    half = 0.5 * f * f
    return k * _LOG2_HIGH - ((half - (r * (half + odd_part(r)) + k * _LOG2_LOW)) - f)


@lane
def log1p_and_rest(e: Any, rho: Any) -> Any:
    """log(1 + e) and e − log(1 + e), where rho is 1 + e as far as that is a float.

    With rho = 2ᵏ (1 + f) and r = f/(2 + f) the latter is (e − f − k log 2) + r (f − (2 atanh(r) − 2 r)). For
    rho near 1, where f is e, there is nothing before the product, whose two terms do not cancel.
    """
    k, m = split(rho)
    f = e if k == 0.0 else m - 1.0
    r = f / (2.0 + f)
    excess = r * (f - odd_part(r))
    return k * _LOG2 - (excess - f), ((e - f) - k * _LOG2) + excess


@lane
def power_of_2(rounded: Any) -> Any:
    """2ᵏ, where `rounded` is `_ROUND` + k and −1022 ≤ k ≤ 1023."""
    return float_of((bits_of(rounded) << _MANTISSA_BITS) + _ONE)


@lane
def exp_parts(u: Any) -> Any:
    """k, 2ᵏ, r and t with exp(u) = 2ᵏ (1 + r + r² t), |r| ≤ ½ log 2."""
    rounded = u * 1.4426950408889634 + _ROUND
    k = rounded - _ROUND
    r = (u - k * _LOG2_HIGH) - k * _LOG2_LOW
    s = r * r
    # 1/2! + r/3! + r²/4! + …, by pairs
    first = (1 / 2 + r * (1 / 6)) + s * (1 / 24 + r * (1 / 120))
    second = (1 / 720 + r * (1 / 5040)) + s * (1 / 40320 + r * (1 / 362880))
    third = (1 / 3628800 + r * (1 / 39916800)) + s * (1 / 479001600 + r * (1 / 6227020800))
    fourth = s * s
    return k, power_of_2(rounded), r, first + fourth * (second + fourth * third)


@lane
def exp(u: Any) -> Any:
    """For |u| ≤ 700."""
    _, power, r, tail = exp_parts(u)
    return power * (1.0 + (r + r * r * tail))


@lane
def exp_minus_tangent(u: Any) -> Any:
    """exp(u) − 1 − u for u ≤ 700."""
    bounded = max(u, -700.0)
    k, power, r, tail = exp_parts(bounded)
    rest = power * (r * r * tail)
    return rest if k == 0.0 else ((power - 1.0 - u) + power * r) + rest


@lane
def expm1(u: Any) -> Any:
    """For |u| ≤ 700."""
    _, power, r, tail = exp_parts(u)
    return (power - 1.0) + power * (r + r * r * tail)
