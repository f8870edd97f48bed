"""Logarithm and exponential for loops over long vectors, free of branches.

They are made of operations that LLVM does on several numbers at a time in the vector registers, which it
cannot do with calls of the C library. Where they do not serve they are NaN.
"""

from __future__ import annotations

from typing import cast

from kl_plugins.ops.compiled import symbols
from kl_plugins.ops.compiled.symbols import maximum, where, within
from kl_plugins.ops.compiled.trace import Symbol, logical_and, logical_or
from kl_plugins.ops.gamma_residues import (
    digamma_residue_value,
    log_gamma_residue_value,
    trigamma_residue_value,
)
from kl_plugins.ops.protocol import Array, Operations

_ONE = 0x3FF0000000000000
_ROOT_HALF = 0x3FE6A09E667F3BCD
_EXPONENT = -0x10000000000000  # the bits of sign and exponent
_TWO_52 = 0x4330000000000000
"""The bits of some floats: an integer below 2⁵² or-ed to those of 2⁵² is a float of that value more."""

_LOG2_HIGH, _LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LOG2 = 0.6931471805599453
_ROUND = 6755399441055744.0
"""1.5·2⁵²: added to a float it rounds that to a whole number, which is then in its lowest bits."""

_LEAST, _MOST = 1e-290, 1e290
"""Between them the reciprocal of a float is a float with all its digits, and so is the mantissa."""


def _bits(operation: str, *args: Array) -> Symbol:
    return args[0].trace.made(operation, *args)  # type: ignore[no-any-return]


def _split(x: Symbol) -> tuple[Array, Array]:
    """k and m with x = 2ᵏ m and √½ ≤ m < √2."""
    bits = _bits("bits_of", x)
    shifted = _bits("bits_add", bits, _ONE - _ROOT_HALF)
    k = (
        _bits("float_of", _bits("bits_or", _bits("bits_shift_right", shifted, 52), _TWO_52))
        - 4503599627371519.0
    )
    mantissa = _bits("bits_sub", bits, _bits("bits_and", shifted, _EXPONENT))
    return k, _bits("float_of", _bits("bits_add", mantissa, _ONE))


def _odd_part(r: Array) -> Array:
    """2 atanh(r)/r − 2 for |r| < 0.1716; coefficients of FreeBSD's e_log.c."""
    z = r * r
    w = z * z
    even = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332))
    odd = 0.6666666666666735130 + w * (
        0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591)
    )
    return even + z * odd


def _log(x: Symbol) -> Array:
    k, m = _split(x)
    f = m - 1.0
    r = f / (2.0 + f)
    half = 0.5 * f * f
    value = k * _LOG2_HIGH - ((half - (r * (half + _odd_part(r)) + k * _LOG2_LOW)) - f)
    return within(logical_and(x > _LEAST, x < _MOST), value)


def _log1p(x: Symbol) -> Array:
    """With 1 + x = 2ᵏ (1 + f), where f is x itself, without the rounding of the sum, if k is 0."""
    total = 1.0 + x
    k, m = _split(total)
    f = where(k == 0.0, x, m - 1.0)
    r = f / (2.0 + f)
    value = k * _LOG2 - (r * (f - _odd_part(r)) - f)
    return within(logical_and(total > _LEAST, total < _MOST), value)


def _exp_parts(u: Array) -> tuple[Array, Array, Array, Array]:
    """2ᵏ, r and t with exp(u) = 2ᵏ (1 + r + r² t), |r| ≤ ½ log 2."""
    rounded = u * 1.4426950408889634 + _ROUND
    whole = rounded - _ROUND
    r = (u - whole * _LOG2_HIGH) - whole * _LOG2_LOW
    s = r * r
    # 1/2! + r/3! + r²/4! + …, by pairs
    first = (1 / 2 + r * (1 / 6)) + s * (1 / 24 + r * (1 / 120))
    second = (1 / 720 + r * (1 / 5040)) + s * (1 / 40320 + r * (1 / 362880))
    third = (1 / 3628800 + r * (1 / 39916800)) + s * (1 / 479001600 + r * (1 / 6227020800))
    fourth = s * s
    power = _bits(
        "float_of", _bits("bits_add", _bits("bits_shift_left", _bits("bits_of", rounded), 52), _ONE)
    )
    return power, r, s, first + fourth * (second + fourth * third)


def _exp(u: Symbol) -> Array:
    power, r, s, tail = _exp_parts(u)
    is_zero = u < -746.0
    value = where(is_zero, 0.0, power * (1.0 + (r + s * tail)))
    return within(logical_and(u < 700.0, logical_or(u > -700.0, is_zero)), value)


def _expm1(u: Symbol) -> Array:
    power, r, s, tail = _exp_parts(maximum(u, -700.0))
    return within(u < 700.0, (power - 1.0) + power * (r + s * tail))


_OPS = cast(Operations, symbols)
"""Symbols have those operations of the contract that loops are made of."""


def _gammaln(a: Symbol) -> Array:
    return log_gamma_residue_value(a, _OPS) + (a * symbols.log(a) - a)


def _digamma(a: Symbol) -> Array:
    return digamma_residue_value(a, _OPS) + symbols.log(a)


def _trigamma(a: Symbol) -> Array:
    return trigamma_residue_value(a, _OPS) + 1.0 / a


PRIMITIVES = {
    "log": _log,
    "log1p": _log1p,
    "exp": _exp,
    "expm1": _expm1,
    "gammaln": _gammaln,
    "digamma": _digamma,
    "trigamma": _trigamma,
}
"""The functions of one number that loops have; the gamma function and its derivatives for positive ones."""
