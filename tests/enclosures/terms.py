"""Terms of log densities: their values at complex points, and how they grow towards an end of a support.

`growth` of a term at an end is exact: coefficients of 1, log η, (log η)², powers η^k and exponentials
e^(kη), k > 0, which hold for all η ≥ end.least. Coefficients are balls; what stays bounded is in that of 1.
Orders are rational numbers, so that equal ones are one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flint import acb, arb, fmpq

from .coordinates import End, Frame, Point, real

ZERO, UNIT = fmpq(0), fmpq(1)
Function = tuple[str, fmpq]
"""Of η: a power of it, of its logarithm, or an exponential, and the order."""

ONE, LOG, LOG_SQUARE = [("log", fmpq(order)) for order in range(3)]
FIRST, SECOND = [("power", fmpq(order)) for order in (1, 2)]

Growth = dict[Function, arb]


def combined(*weighted: tuple[arb, Growth]) -> Growth:
    """A linear combination."""
    total: Growth = {}
    for weight, growth in weighted:
        for function, value in growth.items():
            total[function] = total.get(function, arb(0)) + weight * value
    return {function: value for function, value in total.items() if not value.is_zero()}


def _from_zero_to(bound: arb) -> arb:
    return arb(0).union(bound)


class Term:
    """A function of z."""

    def value(self, frame: Frame, point: Point) -> acb:
        raise NotImplementedError

    def growth(self, frame: Frame, end: End) -> Growth:
        """Bounded at a finite end, if nothing else is said: the ball of its values there."""
        assert not end.infinite, type(self).__name__
        return {ONE: self.value(frame, end.ball()).real}


@dataclass(frozen=True)
class Log(Term):
    """log(sign·(z − a))."""

    a: fmpq = ZERO
    sign: int = 1

    def value(self, frame: Frame, point: Point) -> acb:
        return frame.log_distance(point, self.a, self.sign)

    def growth(self, frame: Frame, end: End) -> Growth:
        if end.infinite:
            return {LOG: arb(1), ONE: frame.ratio(end, self.a).log()}
        if frame.is_end(end, self.a):
            return {LOG: arb(-1), ONE: -real(frame.scale).log()}
        return super().growth(frame, end)


@dataclass(frozen=True)
class LogSquare(Term):
    """(log z)²."""

    def value(self, frame: Frame, point: Point) -> acb:
        return Log().value(frame, point) ** 2

    def growth(self, frame: Frame, end: End) -> Growth:
        log = Log().growth(frame, end)
        slope, rest = log.get(LOG, arb(0)), log.get(ONE, arb(0))
        return {LOG_SQUARE: slope**2, LOG: 2 * slope * rest, ONE: rest**2}


@dataclass(frozen=True)
class Power(Term):
    """(sign·(z − a))^k."""

    k: fmpq
    a: fmpq = ZERO
    sign: int = 1

    def value(self, frame: Frame, point: Point) -> acb:
        if self.k == 1:
            return frame.distance(point, self.a, self.sign)
        return (real(self.k) * frame.log_distance(point, self.a, self.sign)).exp()

    def growth(self, frame: Frame, end: End) -> Growth:
        if end.infinite:
            ratio, order = frame.ratio(end, self.a), self.k
        elif frame.is_end(end, self.a):
            ratio, order = 1 / real(frame.scale), -self.k
        else:
            return super().growth(frame, end)
        if order > 0:
            return {("power", order): ratio ** real(self.k)}
        return {ONE: ratio ** real(self.k) * _from_zero_to(end.least ** real(order))}


@dataclass(frozen=True)
class Linear(Term):
    """z."""

    def value(self, frame: Frame, point: Point) -> acb:
        return frame.distance(point, ZERO, 1)

    def growth(self, frame: Frame, end: End) -> Growth:
        if not end.infinite:
            return super().growth(frame, end)
        scale = real(frame.scale)
        return {FIRST: end.sign / scale, ONE: real(end.base - frame.loc) / scale}


@dataclass(frozen=True)
class Square(Term):
    """z²."""

    def value(self, frame: Frame, point: Point) -> acb:
        return Linear().value(frame, point) ** 2

    def growth(self, frame: Frame, end: End) -> Growth:
        if not end.infinite:
            return super().growth(frame, end)
        line = Linear().growth(frame, end)
        slope, rest = line[FIRST], line[ONE]
        return {SECOND: slope**2, FIRST: 2 * slope * rest, ONE: rest**2}


@dataclass(frozen=True)
class Exp(Term):
    """e^(kz)."""

    k: fmpq

    def value(self, frame: Frame, point: Point) -> acb:
        return (real(self.k) * Linear().value(frame, point)).exp()

    def growth(self, frame: Frame, end: End) -> Growth:
        if not end.infinite:
            return super().growth(frame, end)
        rate = self.k * end.sign / frame.scale
        factor = (real(self.k) * Linear().growth(frame, end)[ONE]).exp()
        if rate > 0:
            return {("exp", rate): factor}
        return {ONE: factor * _from_zero_to((real(rate) * end.least).exp())}


@dataclass(frozen=True)
class Log1pPower(Term):
    """log(1 + f z^k), k > 0; f is positive, or z below |f|^(−1/k)."""

    k: fmpq
    factor: arb = field(default_factory=lambda: arb(1))

    def value(self, frame: Frame, point: Point) -> acb:
        log = real(self.k) * frame.log_distance(point, ZERO, 1)
        if log.real.mid() > 0:  # the power itself may be too large
            return log + (self.factor + (-log).exp()).log(analytic=point.analytic)
        return (1 + self.factor * log.exp()).log(analytic=point.analytic)

    def growth(self, frame: Frame, end: End) -> Growth:
        k = real(self.k)
        if end.infinite:
            ratio = frame.ratio(end, ZERO)
            rest = _from_zero_to((ratio * end.least) ** -k / self.factor)
            return {LOG: k, ONE: self.factor.log() + k * ratio.log() + (1 + rest).log()}
        if frame.is_end(end, ZERO):
            return {ONE: (1 + self.factor * _from_zero_to((end.least * real(frame.scale)) ** -k)).log()}
        return super().growth(frame, end)


@dataclass(frozen=True)
class Log1pSquare(Term):
    """log(1 + z²/n)."""

    n: arb

    def value(self, frame: Frame, point: Point) -> acb:
        return (1 + Square().value(frame, point) / self.n).log(analytic=point.analytic)

    def growth(self, frame: Frame, end: End) -> Growth:
        if not end.infinite:
            return super().growth(frame, end)
        square = frame.ratio(end, ZERO) ** 2 / self.n
        rest = _from_zero_to(1 / (square * end.least**2))
        return {LOG: arb(2), ONE: square.log() + (1 + rest).log()}


@dataclass(frozen=True)
class Softplus(Term):
    """log(1 + e^(−z)), as −z + log(1 + e^z) where z is negative."""

    def value(self, frame: Frame, point: Point) -> acb:
        z = Linear().value(frame, point)
        if z.real.mid() < 0:
            return -z + (1 + z.exp()).log(analytic=point.analytic)
        return (1 + (-z).exp()).log(analytic=point.analytic)

    def growth(self, frame: Frame, end: End) -> Growth:
        if not end.infinite:
            return super().growth(frame, end)
        small = Exp(fmpq(-end.sign)).growth(frame, end)[ONE]
        rest = (1 + _from_zero_to(small.upper())).log()
        if end.sign > 0:
            return {ONE: rest}
        return combined((arb(-1), Linear().growth(frame, end)), (arb(1), {ONE: rest}))


@dataclass(frozen=True)
class LogCosh(Term):
    """log cosh z = |z| − log 2 + log(1 + e^(−2|z|))."""

    def value(self, frame: Frame, point: Point) -> acb:
        z = Linear().value(frame, point)
        size = -z if z.real.mid() < 0 else z
        return size - arb.const_log2() + (1 + (-2 * size).exp()).log(analytic=point.analytic)

    def growth(self, frame: Frame, end: End) -> Growth:
        if not end.infinite:
            return super().growth(frame, end)
        small = Exp(fmpq(-2 * end.sign)).growth(frame, end)[ONE]
        rest = (1 + _from_zero_to(small.upper())).log() - arb.const_log2()
        return combined((arb(end.sign), Linear().growth(frame, end)), (arb(1), {ONE: rest}))


@dataclass(frozen=True)
class Log1mPower(Term):
    """log(1 − z^k) on (0, 1).

    (1 − (1 − y)^k)/y is the slope of a chord of a convex or concave function: between k, the derivative at
    y = 0, and 1, the slope of the longest one.
    """

    k: fmpq

    def value(self, frame: Frame, point: Point) -> acb:
        if point.logarithmic and point.sign < 0 and frame.place(UNIT) == point.base:
            y = frame.distance(point, UNIT, -1)
            ratio = -(real(self.k) * (-y).log1p()).expm1() / y
            valid = not point.analytic or (1 - y).real > 0
            log = ratio.log(analytic=point.analytic) if valid else acb(float("nan"))
            return log + frame.log_distance(point, UNIT, -1)
        return (1 - Power(self.k).value(frame, point)).log(analytic=point.analytic)

    def growth(self, frame: Frame, end: End) -> Growth:
        if frame.is_end(end, UNIT):
            return {LOG: arb(-1), ONE: _from_zero_to(real(self.k).log()) - real(frame.scale).log()}
        if frame.is_end(end, ZERO):
            return {ONE: (1 - _from_zero_to((end.least * real(frame.scale)) ** -real(self.k))).log()}
        return super().growth(frame, end)


@dataclass(frozen=True)
class LogitSquare(Term):
    """(log z − log(1 − z) − μ)², with ends at 0 and 1."""

    mean: arb

    def value(self, frame: Frame, point: Point) -> acb:
        return (Log().value(frame, point) - Log(UNIT, -1).value(frame, point) - self.mean) ** 2

    def growth(self, frame: Frame, end: End) -> Growth:
        """With d = −log(1 − y), y = 1/(s η), it is (log η + log s − d ± μ)².

        d·log η ≤ y·log η/(1 − y) falls from η = e on.
        """
        if not (frame.is_end(end, ZERO) or frame.is_end(end, UNIT)):
            return super().growth(frame, end)
        least, scale = end.least, real(frame.scale)
        assert least > 3
        mean = self.mean if frame.is_end(end, ZERO) else -self.mean
        y = 1 / (scale * least)
        small, product = _from_zero_to(-(1 - y).log()), _from_zero_to(y * least.log() / (1 - y))
        rest = scale.log() + mean - small
        return {LOG_SQUARE: arb(1), LOG: 2 * (scale.log() + mean), ONE: rest**2 - 2 * product}


@dataclass(frozen=True)
class Cos(Term):
    """cos z, of a variable on the circle."""

    def value(self, frame: Frame, point: Point) -> acb:
        return Linear().value(frame, point).cos()


@dataclass(frozen=True)
class Sided(Term):
    """One sum of terms below a break point, another above it."""

    kink: fmpq
    below: Sum
    above: Sum

    def value(self, frame: Frame, point: Point) -> acb:
        return (self.above if frame.above(point, self.kink) else self.below).value(frame, point)

    def growth(self, frame: Frame, end: End) -> Growth:
        return (self.above if frame.above(end, self.kink) else self.below).growth(frame, end)


@dataclass(frozen=True)
class Sum(Term):
    """A constant and terms with coefficients."""

    constant: arb
    terms: tuple[tuple[arb, Term], ...] = field(default=())

    def value(self, frame: Frame, point: Point) -> acb:
        total = acb(self.constant)
        for weight, term in self.terms:
            total += weight * term.value(frame, point)
        return total

    def growth(self, frame: Frame, end: End) -> Growth:
        parts = [(weight, term.growth(frame, end)) for weight, term in self.terms]
        return combined((arb(1), {ONE: self.constant}), *parts)
