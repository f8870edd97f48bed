"""Mixtures of members of families on the line: truths for estimates, narrow peaks among them."""

from __future__ import annotations

from dataclasses import dataclass

from flint import acb, arb, fmpq

from . import tails
from .coordinates import End, Frame, Point, rational, real
from .densities import DENSITIES
from .integrals import Density
from .terms import ONE, Growth, Sum, Term, combined


@dataclass(frozen=True)
class LogSum(Term):
    """log Σ w f, for densities f of which one outgrows the others towards each end."""

    parts: tuple[tuple[arb, Sum, Frame], ...]

    def value(self, frame: Frame, point: Point) -> acb:
        inner = [one.value(_within(frame, own), point).exp() * weight for weight, one, own in self.parts]
        return sum(inner, acb(0)).log(analytic=point.analytic)

    def growth(self, frame: Frame, end: End) -> Growth:
        """That of the largest part, and what the others add, which is largest where the end begins."""
        if not end.infinite:
            return super().growth(frame, end)
        grown = [
            combined((arb(1), one.growth(_within(frame, own), end)), (arb(1), {ONE: weight.log()}))
            for weight, one, own in self.parts
        ]
        first = max(grown, key=lambda growth: float(tails.at(growth, end.least).mid()))
        rest = arb(0)
        for growth in grown:
            if growth is not first:
                most = tails.highest(combined((arb(1), growth), (arb(-1), first)), end.least)
                if most is None:
                    return {ONE: arb.nan()}
                rest += most.exp()
        return combined((arb(1), first), (arb(1), {ONE: (1 + arb(0).union(rest)).log()}))


def _within(frame: Frame, own: Frame) -> Frame:
    """The coordinates of a part, in those that the mixture is in."""
    return Frame(frame.place(own.loc), frame.scale * own.scale)


def mixture(*components: tuple[float, str, list[float]]) -> Density:
    """Of weights, names of families on the line, and their parameters in SciPy's order."""
    parts, marks = [], []
    for weight, name, (*shapes, loc, scale) in components:
        own = Frame(rational(loc), rational(scale))
        parts.append((real(weight) / real(scale), DENSITIES[name](*shapes).log, own))
        marks += [own.place(fmpq(step)) for step in (-16, -4, 0, 4, 16)]
    return Density(Sum(arb(0), ((arb(1), LogSum(tuple(parts))),)), None, None, marks=tuple(marks))
