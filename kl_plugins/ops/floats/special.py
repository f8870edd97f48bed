"""The special functions on Python floats; loaded when the first of them is asked for."""

from __future__ import annotations

import math

from scipy import special

from kl_plugins.ops.protocol import Array

exp = math.exp
expm1 = math.expm1
log1p = math.log1p
sin = math.sin
cos = math.cos
floor = math.floor
erf = math.erf
erfc = math.erfc
gammaln = math.lgamma
power = math.pow
maximum = max


def digamma(x: float) -> float:
    return float(special.psi(x))


def trigamma(x: float) -> float:
    return float(special.zeta(2.0, x))


def where(condition: bool, yes: Array, no: Array) -> Array:
    return yes if condition else no


def sign(x: float) -> float:
    return math.copysign(1.0, x) if x else x


def equal(first: float, second: float) -> bool:
    return first == second


def epsilon(value: float) -> float:
    return 2.220446049250313e-16


def known(value: float) -> float:
    return value


arctan = math.atan


def betainc(a: float, b: float, x: float) -> float:
    return float(special.betainc(a, b, x))


def gammainc(a: float, x: float) -> float:
    return float(special.gammainc(a, x))


def gammaincc(a: float, x: float) -> float:
    return float(special.gammaincc(a, x))


def complement(probability: float) -> float:
    return 1.0 - probability


def known_log(value: float) -> None:
    """The logarithm of a number that was computed from it: of a float it is not known."""
    return None
