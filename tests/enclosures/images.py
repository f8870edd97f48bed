"""Log densities of images of normal, exponential and logistic variables, and the terms that they are made of.

Images under hyperbolic sines, and powers of distribution functions; as in `terms.py` and `densities.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from flint import acb, arb, fmpq

from . import tails
from .coordinates import End, Frame, Point, rational, real
from .densities import DENSITIES, LOG_2PI, half_line, line, log_beta, named, total
from .integrals import Density
from .terms import (
    LOG,
    LOG_SQUARE,
    ONE,
    UNIT,
    ZERO,
    Growth,
    Linear,
    Log,
    Log1pSquare,
    LogSquare,
    Power,
    Sided,
    Square,
    Term,
    combined,
)

__all__ = ["DENSITIES"]

UNKNOWN: Growth = {ONE: arb.nan()}
"""Of an end that begins too early for a bound."""

# Hyperbolic sines


@dataclass(frozen=True)
class Asinh(Term):
    """asinh(z/√n)."""

    n: arb

    def value(self, frame: Frame, point: Point) -> acb:
        z = Linear().value(frame, point) / self.n.sqrt()
        sign = -1 if z.real.mid() < 0 else 1
        inside = sign * z + (1 + z**2).sqrt(analytic=point.analytic)
        return sign * inside.log(analytic=point.analytic)

    def growth(self, frame: Frame, end: End) -> Growth:
        """±(log 2|z| + d) with 0 ≤ d = log(½ + ½√(1 + 1/z²)) ≤ 1/(4z²)."""
        if not end.infinite:
            return super().growth(frame, end)
        ratio = frame.ratio(end, ZERO) / self.n.sqrt()
        if not ratio > 0:
            return UNKNOWN
        rest = arb(0).union(1 / (2 * ratio * end.least) ** 2)
        return {LOG: arb(end.sign), ONE: end.sign * ((2 * ratio).log() + rest)}


@dataclass(frozen=True)
class AsinhSquare(Term):
    """(asinh z − m)²."""

    mean: arb

    def value(self, frame: Frame, point: Point) -> acb:
        return (Asinh(arb(1)).value(frame, point) - self.mean) ** 2

    def growth(self, frame: Frame, end: End) -> Growth:
        if not end.infinite:
            return super().growth(frame, end)
        whole = Asinh(arb(1)).growth(frame, end)
        slope, rest = whole.get(LOG, arb(0)), whole[ONE] - self.mean
        return {LOG_SQUARE: slope**2, LOG: 2 * slope * rest, ONE: rest**2}


@named("johnsonsu")
def johnsonsu(a: float, b: float) -> Density:
    a, b = real(a), real(b)
    return line(b.log() - LOG_2PI / 2, (-0.5, Log1pSquare(arb(1))), (-(b**2) / 2, AsinhSquare(-a / b)))


@named("jf_skew_t")
def jf_skew_t(a: float, b: float) -> Density:
    """(1 + w)^(a + ½) (1 − w)^(b + ½), w = z/√(n + z²), which is tanh s: log(1 ± w) = ±s − log cosh s."""
    a, b = real(a), real(b)
    n = a + b
    constant = (1 - n) * arb.const_log2() - log_beta(a, b) - n.log() / 2
    return line(constant, (a - b, Asinh(n)), (-(n + 1) / 2, Log1pSquare(n)))


# Powers of distribution functions


def log_survival(z: acb, point: Point) -> acb:
    """log Φ(−z); by erfc w = e^(−w²) U(½, ½, w²)/√π, w = z/√2, where balls may be wide.

    Both are real for real z, and analytic on a ball that is within the sector, or away from the cut.
    """
    plain = (z / arb(2).sqrt()).erfc().log(analytic=point.analytic) - arb.const_log2()
    square = z**2 / 2
    if plain.is_finite() or not (z.real > 1 and square.real > 0):
        return plain
    scaled = square.hypgeom_u(acb(0.5), acb(0.5)) / (2 * arb.pi().sqrt())
    return scaled.log(analytic=point.analytic) - square


def little(z: arb) -> arb:
    """log Φ(−y) for all y ≤ z < 0."""
    return (1 - arb(0).union((-z / arb(2).sqrt()).erfc() / 2)).log()


def mills(z: arb) -> arb:
    """log(Φ(−y)·y/φ(y)) for all y ≥ z > 1: Mills' ratio is between 1/y − 1/y³ and 1/y."""
    return (1 - arb(0).union(1 / z**2)).log()


@dataclass(frozen=True)
class LogSurvival(Term):
    """log Φ(−z)."""

    def value(self, frame: Frame, point: Point) -> acb:
        return log_survival(Linear().value(frame, point), point)

    def growth(self, frame: Frame, end: End) -> Growth:
        """−z²/2 − log z − ½ log 2π and what `mills` bounds, above."""
        if not end.infinite:
            return super().growth(frame, end)
        least = tails.at(Linear().growth(frame, end), end.least)
        if not end.sign * least > 1:
            return UNKNOWN
        if end.sign < 0:
            return {ONE: little(least)}
        square, log = Square().growth(frame, end), Log().growth(frame, end)
        return combined((arb(-0.5), square), (arb(-1), log), (arb(1), {ONE: mills(least) - LOG_2PI / 2}))


@dataclass(frozen=True)
class LogSurvivalOfLog(Term):
    """log Φ(−L) with L = log z/s, of a positive variable."""

    s: arb

    def value(self, frame: Frame, point: Point) -> acb:
        return log_survival(Log().value(frame, point) / self.s, point)

    def growth(self, frame: Frame, end: End) -> Growth:
        """As of `LogSurvival`; log L is concave: 0 ≤ log L − log L₀ ≤ (L − L₀)/L₀ from L₀ on."""
        if not (end.infinite or frame.is_end(end, ZERO)):
            return super().growth(frame, end)
        log = Log().growth(frame, end)
        least = tails.at(log, end.least) / self.s
        if not abs(least) > 1:
            return UNKNOWN
        if least < 0:
            return {ONE: little(least)}
        square = LogSquare().growth(frame, end)
        slope = arb(0).union(log[LOG] / (self.s * least))
        rest = mills(least) - LOG_2PI / 2 - least.log() + slope * end.least.log()
        return combined((-1 / (2 * self.s**2), square), (arb(1), {LOG: -slope, ONE: rest}))


@named("powernorm")
def powernorm(c: float) -> Density:
    return line(real(c).log() - LOG_2PI / 2, (-0.5, Square()), (real(c) - 1, LogSurvival()))


@named("powerlognorm")
def powerlognorm(c: float, s: float) -> Density:
    c, s = real(c), real(s)
    terms = (-1, Log()), (-1 / (2 * s**2), LogSquare()), (c - 1, LogSurvivalOfLog(s))
    return half_line(c.log() - s.log() - LOG_2PI / 2, *terms)


@dataclass(frozen=True)
class Log1mExpPower(Term):
    """log(1 − exp(−z^k)), k > 0, of a positive variable."""

    k: fmpq

    def value(self, frame: Frame, point: Point) -> acb:
        """log y + log((1 − e^(−y))/y) where y = z^k is small."""
        log = real(self.k) * Log().value(frame, point)
        y = log.exp()
        if y.real.mid() > 1:
            return (1 - (-y).exp()).log(analytic=point.analytic)
        return log + (-(-y).expm1() / y).log(analytic=point.analytic)

    def growth(self, frame: Frame, end: End) -> Growth:
        """It rises; log((1 − e^(−y))/y) falls."""
        if not (end.infinite or frame.is_end(end, ZERO)):
            return super().growth(frame, end)
        log = combined((real(self.k), Log().growth(frame, end)))
        y = tails.at(log, end.least).exp()
        if end.infinite:
            return {ONE: arb(0).union((1 - (-y).exp()).log())}
        return combined((arb(1), log), (arb(1), {ONE: arb(0).union((-(-y).expm1() / y).log())}))


@named("exponweib")
def exponweib(a: float, c: float) -> Density:
    terms = (real(c) - 1, Log()), (-1, Power(rational(c))), (real(a) - 1, Log1mExpPower(rational(c)))
    return half_line(real(a).log() + real(c).log(), *terms)


# Random signs


def two_sided(a: arb, c: fmpq) -> Density:
    """A density of |z|, c z^(ca − 1) exp(−z^c)/Γ(a), on either side of 0, by half."""
    constant = real(c).log() - a.lgamma() - arb.const_log2()
    below, above = (
        total(constant, (real(c) * a - 1, Log(ZERO, sign)), (-1, Power(c, ZERO, sign))) for sign in (-1, 1)
    )
    return Density(total(0, (1, Sided(ZERO, below, above))), None, None, poles=(ZERO,))


@named("gennorm")
def gennorm(beta: float) -> Density:
    return two_sided(1 / real(beta), rational(beta))


@named("dgamma")
def dgamma(a: float) -> Density:
    return two_sided(real(a), UNIT)


@named("dweibull")
def dweibull(c: float) -> Density:
    return two_sided(arb(1), rational(c))


# On the circle


@dataclass(frozen=True)
class LogDistance(Term):
    """log |1 − c e^(iz)|²."""

    c: arb

    def value(self, frame: Frame, point: Point) -> acb:
        half = (Linear().value(frame, point) / 2).sin()
        return ((1 - self.c) ** 2 + 4 * self.c * half**2).log(analytic=point.analytic)


@named("wrapcauchy")
def wrapcauchy(c: float) -> Density:
    """From 0 on, for once around."""
    c = real(c)
    log = total((1 - c**2).log() - LOG_2PI, (-1, LogDistance(c)))
    return Density(log, ZERO, None, turn=(arb(0), 2 * arb.pi()))
