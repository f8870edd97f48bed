"""KL(p‖q) = ∫ p (log p − log q) as a ball: `acb.integral` between break points, `tails` beyond the last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from flint import acb, arb, fmpq

from . import tails
from .coordinates import End, Frame, Point, real
from .terms import ONE, Sided, Sum, combined

STANDARD = Frame(fmpq(0), fmpq(1))
RELATIVE = arb(2) ** -58
"""The radius that is asked for, beside the value: more digits than a double has."""
LEAST = arb(2) ** -170
"""A tolerance that no integral needs."""


@dataclass(frozen=True)
class Density:
    """The log density of a standard variable on (low, high), where None is infinite.

    On the circle it is taken over one `turn`, and is smooth where its ends meet. At marks the integral is
    cut, to be quick; at poles the log density is infinite, and what is on either side has an end there.
    """

    log: Sum
    low: fmpq | None
    high: fmpq | None
    turn: tuple[arb, arb] | None = None
    marks: tuple[fmpq, ...] = ()
    poles: tuple[fmpq, ...] = ()

    def kinks(self) -> Iterator[fmpq]:
        yield from self.marks
        yield from self.poles
        for _, term in self.log.terms:
            if isinstance(term, Sided):
                yield term.kink


@dataclass(frozen=True)
class Member:
    """A density with location and scale."""

    density: Density
    loc: fmpq
    scale: fmpq


class OutsideError(ValueError):
    """p has mass where q has none."""


def divergence(p: Member, q: Member) -> arb:
    """KL(p‖q), with a radius of `RELATIVE` of it."""
    pair = _Pair(p.density, q.density, Frame((q.loc - p.loc) / p.scale, q.scale / p.scale))
    if not pair.inside():
        raise OutsideError
    return _enclosed(pair)


def mass(density: Density) -> arb:
    """∫ p, which is 1: a check of the constant, of the terms and of the tails."""
    return _enclosed(_Pair(density, None, STANDARD))


@dataclass(frozen=True)
class _Pair:
    """In coordinates where p is the standard member of its family; without q the integrand is p."""

    p: Density
    q: Density | None
    frame: Frame

    def inside(self) -> bool:
        """Whether the support of p is within that of q, which may be one turn from an end on."""
        assert self.q is not None
        if self.q.turn is not None and self.q.low is not None and self.frame.scale <= 1:
            return self.frame.loc == 0 and self.frame.scale == 1
        ends = (self.p.low, self.q.low, -1), (self.p.high, self.q.high, 1)
        return all(
            theirs is None or (ours is not None and sign * (self.frame.place(theirs) - ours) >= 0)
            for ours, theirs, sign in ends
        )

    def log_ratio(self, point: Point, log_p: acb) -> acb:
        if self.q is None:
            return acb(1)
        return log_p - self.q.log.value(self.frame, point) + real(self.frame.scale).log()

    def tail(self, end: End) -> arb | None:
        log_p = self.p.log.growth(STANDARD, end)
        ratio = {ONE: arb(1)}
        if self.q is not None:
            log_q = self.q.log.growth(self.frame, end)
            scale = {ONE: real(self.frame.scale).log()}
            ratio = combined((arb(1), log_p), (arb(-1), log_q), (arb(1), scale))
        return tails.bound(log_p, ratio, end)

    def ends(self) -> set[fmpq | None]:
        """The finite ends of p, and the poles of both, of which some may be outside."""
        poles = {*self.p.poles, *(self.frame.place(pole) for pole in (self.q.poles if self.q else ()))}
        return {self.p.low, self.p.high, *poles} - {None}

    def breaks(self) -> list[fmpq | None]:
        """The ends of p, and between them the kinks of both; with one break at least between two ends."""
        low, high = self.p.low, self.p.high
        kinks = set(self.p.kinks())
        if self.q is not None:
            kinks |= {self.frame.place(kink) for kink in self.q.kinks()}
        if low is None:
            kinks.add((fmpq(0) if high is None else high) - 1)
        if low is None and high is None:
            kinks.add(fmpq(1))
        within = [one for one in kinks if (low is None or one > low) and (high is None or one < high)]
        places = [low, *sorted(within), high]
        middles = [(a + b) / 2 for a, b in pairwise(places) if self.ends() >= {a, b}]
        return [low, *sorted([*within, *middles]), high]


def _enclosed(pair: _Pair) -> arb:
    """With a tolerance that follows the value, which is not known beforehand."""
    tolerance, relative = arb(2) ** -72, arb(2) ** -72
    for _ in range(4):
        value = _integrated(pair, tolerance, relative)
        size = abs(value).lower()
        if value.rad() <= size * RELATIVE:
            return value
        tolerance, relative = ((size * RELATIVE / 32).mid() if size > 0 else tolerance * arb(2) ** -40), LEAST
    raise ArithmeticError(f"not enclosed: {value}")


def _integrated(pair: _Pair, tolerance: arb, relative: arb) -> arb:
    if pair.p.turn is not None:
        return _piece(pair, STANDARD.loc, 1, False, None, None, pair.p.turn, tolerance, relative)
    total = arb(0)
    for low, high in pairwise(pair.breaks()):
        if low is not None and high is not None and not pair.ends() & {low, high}:
            total += _piece(pair, fmpq(0), 1, False, low, high, (real(low), real(high)), tolerance, relative)
            continue
        total += _outer(pair, low, high, tolerance, relative)
    return total


def _outer(pair: _Pair, low: fmpq | None, high: fmpq | None, tolerance: arb, relative: arb) -> arb:
    """A piece at an end or a pole, or all of p's support where that is a half-line: x = base ± e^t."""
    ends = pair.ends()
    if low in ends:
        base, sign = low, 1
    elif high in ends:
        base, sign = high, -1
    else:  # an infinite end; the centre is the other end, or 0
        base, sign = (pair.p.high if low is None else pair.p.low) or fmpq(0), -1 if low is None else 1
    near, far = (low, high) if sign > 0 else (high, low)
    total = arb(0)
    limits = []
    for place, infinite in ((near, False), (far, True)):
        if place is None or place == base:
            end, tail = _end(pair, End(base, sign, infinite and place is None, arb(4), low, high), tolerance)
            total += arb(0).union(tail).union(-tail)
            limits.append(end.least.log() if end.infinite else -end.least.log())
        else:
            limits.append(real(sign * (place - base)).log())
    return total + _piece(pair, base, sign, True, low, high, tuple(limits), tolerance, relative)


def _end(pair: _Pair, end: End, tolerance: arb) -> tuple[End, arb]:
    """Where to stop: log₂ η grows until the tail is below the tolerance."""
    exponent = 2
    while exponent < 2**24:
        here = End(end.base, end.sign, end.infinite, arb(2) ** exponent, end.low, end.high)
        tail = pair.tail(here)
        if tail is not None and tail < tolerance / 16:
            return here, tail.upper()
        exponent = exponent + 1 + exponent // 4
    raise ArithmeticError(f"no bound of the tail at {end}")


def _piece(
    pair: _Pair,
    base: fmpq,
    sign: int,
    logarithmic: bool,
    low: fmpq | None,
    high: fmpq | None,
    limits: tuple[arb, arb],
    tolerance: arb,
    relative: arb,
) -> arb:
    def integrand(t: acb, analytic: bool) -> acb:
        point = Point(t, base, sign, logarithmic, low, high, analytic)
        log_p = pair.p.log.value(STANDARD, point)
        ratio = pair.log_ratio(point, log_p)
        return (log_p + t if logarithmic else log_p).exp() * ratio

    first, last = map(acb, limits)
    value = acb.integral(integrand, first, last, abs_tol=tolerance / 16, rel_tol=relative)
    return value.real
