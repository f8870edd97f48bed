"""Divergences of univariate discrete distributions by summation."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from kl_plugins.estimate.clock import TimeIsUpError
from kl_plugins.estimate.density import Density
from kl_plugins.estimate.pair import Pair
from kl_plugins.estimate.tails import remainders
from kl_plugins.estimate.terms import LEAST_LACK, Diagnostics, Outcome, judged, terms
from kl_plugins.ops.protocol import FloatArray

_SMALL = 1 << 20
_LONG = 1 << 13
"""From so many consecutive points on a polynomial may be summed instead."""
_EXACT = 2.0**52
"""Beyond, floats are no longer consecutive integers."""
_NEGLIGIBLE = 1e-17
_NOISE = 0.25
"""The noise of a log density, as a share of what a mass may lack because of it."""


def summation(pair: Pair, tolerance: float, most: int) -> Outcome:
    """The divergence, summed over all that either side holds, or outwards from there until nothing is left.

    Blocks outside of the bulk double in length; what is beyond the last one is bounded as if the blocks went
    on to shrink as they did, and is part of the error.
    """
    return _Sum(pair, tolerance, most).outcome()


def _offset(side: Density, marks: FloatArray) -> float:
    """A point of the lattice."""
    known = [end for end in (side.support or ()) if math.isfinite(end)]
    if known:
        return float(known[0])
    return float(marks[len(marks) // 2]) if side.support is not None and len(marks) else 0.0


class _Sum:
    """Sums over blocks of consecutive points."""

    def __init__(self, pair: Pair, tolerance: float, most: int):
        self.pair, self.tolerance, self.most = pair, tolerance, most
        self.refinement_error = self.offset = 0.0
        self.sums: FloatArray = np.zeros(5)
        self.left, self.blur = [np.full(3, math.nan)], np.zeros(2)

    def outcome(self) -> Outcome:
        """Sum, and judge what was found."""
        pair = self.pair
        seen = Diagnostics((1e-12, 1e-12))
        try:
            self.add_up()
            if not pair.outside:
                p, q = pair.roundoffs()
                lacks = p + float(self.blur[0]), q + float(self.blur[1])
                noise = _NOISE * (p - LEAST_LACK), _NOISE * (q - LEAST_LACK)
                seen = Diagnostics(lacks, float(self.sums[4]), pair.zero(), pair.doubt(), noise)
        except TimeIsUpError:
            pair.clock.cut = True
        if pair.outside:
            return Outcome(math.inf, 0.0, pair.n)
        return pair.reported(
            judged(self.sums, self.left, self.refinement_error, pair.n, self.tolerance, seen)
        )

    def add_up(self) -> None:
        """Find the sums, and what the tails leave."""
        p, q, marks = self.pair.p, self.pair.q, self.pair.find_landmarks()
        ends = self.pair.p_ends, self.pair.q_ends
        if p.points is not None or q.points is not None:
            x = [np.asarray(found) for found in (p.points, q.points, *marks) if found is not None]
            if p.points is None and ends[0][1] - ends[0][0] < _SMALL:
                x.append(np.arange(ends[0][0], ends[0][1] + 1.0))
            return self.over_points(np.concatenate(x))
        offset, other = (_offset(side, found) for side, found in zip((p, q), marks, strict=True))
        if abs(math.remainder(offset - other, 1.0)) > 1e-9:
            # The points of one lie between those of the other.
            return self.over_points(offset + np.round(marks[0] - offset))
        low, high = min(ends[0][0], ends[1][0]), max(ends[0][1], ends[1][1])
        places: FloatArray = np.concatenate(marks) if any(map(len, marks)) else np.zeros(1)
        if high - low < _SMALL:
            places = np.array([low, high])
        self.offset = offset
        inner = np.unique(offset + np.round(np.clip(places, low, high) - offset))
        start, stop = float(inner[0]), float(inner[-1])
        self.sums = self.block(start, start, np.ones(5))
        for edge, following in pairwise(map(float, inner)):
            self.sums = self.sums + self.block(edge + 1.0, following, self.sums)
        beyond = []
        for sign, edge, limit in ((-1.0, start, low), (1.0, stop, high)):
            tail, left = self.outwards(sign, edge, limit, max(stop - start, 64.0), self.sums)
            self.sums = self.sums + tail
            beyond.append(left)
        self.left = beyond

    def over_points(self, x: FloatArray) -> None:
        """Sum over finitely many points; what q holds elsewhere is q's, or p was seen there."""
        self.sums, self.left = self.terms(np.unique(x), certain=True).sum(axis=-1), []
        if self.pair.q.points is None:
            elsewhere = max(1.0 - self.sums[2], 0.0)
            self.sums = self.sums + np.array([elsewhere, 0.0, elsewhere, 2.2e-16, 0.0])

    def outwards(
        self, sign: float, edge: float, limit: float, width: float, total: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """The sum from beyond `edge` on, by blocks that double, and what the last of them leaves."""
        held: list[FloatArray] = []
        sums = np.zeros(5)
        while sign * (limit - edge) > 0.5:
            if abs(edge) + width > _EXACT:
                return sums, remainders(self.dyadic(sign), math.log(2.0))
            first, last = edge + sign, edge + sign * width
            last = sign * min(sign * last, sign * limit)
            block = self.block(min(first, last), max(first, last), total + sums)
            if self.pair.outside or not np.isfinite(block).all():
                return sums + block, np.zeros(3)
            sums, edge, width = sums + block, last, 2.0 * width
            held.append(block)
            if len(held) > 1 and (block <= _NEGLIGIBLE * (total + sums))[:3].all():
                break
        return sums, np.zeros(3)

    def dyadic(self, sign: float) -> list[FloatArray]:
        """Blocks that double in length from the middle of the bulk on, as far as floats are whole numbers."""
        marks = self.pair.marks[0] if len(self.pair.marks[0]) else np.zeros(1)
        middle = self.offset + round(float(marks[len(marks) // 2]) - self.offset)
        edges = middle + sign * 2.0 ** np.arange(3.0, 52.0)
        edges = edges[abs(edges) < _EXACT]
        spans = [sorted((a + sign, b)) for a, b in pairwise(edges)]
        return [self.block(first, last, np.full(5, math.inf)) for first, last in spans]

    def block(self, first: float, last: float, total: FloatArray) -> FloatArray:
        """The sum over the points from `first` to `last`, both included."""
        count = round(last - first) + 1
        if count > _LONG:
            few, many = (self.interpolated(first, count, nodes) for nodes in (24, 40))
            off = abs(few - many)
            exact = (off <= 0.01 * self.tolerance * np.maximum(total, many))[:3].all()
            if exact or self.pair.n > self.most:
                self.blur += off[1:3]
                self.refinement_error += float(off[0])
                return many
            middle = first + count // 2
            left = self.block(first, middle - 1.0, total)
            return left + self.block(middle, last, total + left)
        return np.asarray(self.terms(first + np.arange(count)).sum(axis=-1))

    def interpolated(self, first: float, count: int, nodes: int) -> FloatArray:
        """The sum over many consecutive points of the polynomial through some of them."""
        u = np.polynomial.legendre.leggauss(nodes)[0]
        steps = np.round(0.5 * (u + 1.0) * count - 0.5)
        basis = np.polynomial.legendre.legvander((2.0 * steps + 1.0) / count - 1.0, nodes - 1)
        weights = np.linalg.solve(basis.T, _legendre_sums(nodes, count))
        found: FloatArray = self.terms(first + steps) @ weights
        return found

    def terms(self, x: FloatArray, certain: bool = False) -> FloatArray:
        """Those of points; `certain`: where q is given as zero it is."""
        log_p, log_q = self.pair.log_densities(x)
        if self.pair.zeros(x, log_p, log_q).any():
            self.pair.outside = self.pair.outside or certain
        return terms(log_p, log_q)


def _legendre_sums(degrees: int, count: int) -> FloatArray:
    """Sums of the Legendre polynomials Pₖ over the middles of `count` equal parts of [−1, 1], k < `degrees`.

    By the Euler–Maclaurin formula of the midpoint rule; the derivatives at 1 are
    Pₖ⁽ᵐ⁾(1) = (k + m)! / (2ᵐ m! (k − m)!). https://dlmf.nist.gov/2.10.i
    """
    k, width = np.arange(degrees, dtype=float), 2.0 / count
    derivative, found = np.ones(degrees), np.where(k == 0.0, 2.0, 0.0)
    coefficients = {1: -1.0 / 24.0, 3: 7.0 / 5760.0, 5: -31.0 / 967680.0}
    for m in range(1, 6):
        derivative = derivative * (k - m + 1.0) * (k + m) / (2.0 * m)
        if m in coefficients:
            found = found + coefficients[m] * width ** (m + 1) * 2.0 * derivative
    sums: FloatArray = np.where(k % 2.0 == 0.0, found, 0.0) / width
    return sums
