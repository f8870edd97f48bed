"""Divergences of univariate discrete distributions by summation."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from kl_plugins.estimate.density import Array, Density
from kl_plugins.estimate.terms import INFINITE, Outcome, ends, judged, landmarks, remainders, terms

_SMALL = 1 << 20
_LONG = 1 << 13
"""From so many consecutive points on a polynomial may be summed instead."""
_LARGE = 1e4
"""No log ratio where a density has just underflowed is larger."""
_EXACT = 2.0**52
"""Beyond, floats are no longer consecutive integers."""
_NEGLIGIBLE = 1e-17


def summation(p: Density, q: Density, tolerance: float, most: int) -> Outcome:
    """KL(p‖q), summed over all that either side holds, or outwards from there until nothing is left.

    Blocks outside of the bulk double in length; what is beyond the last one is bounded as if the blocks went
    on to shrink as they did, and is part of the error.
    """
    supports = ends(p, q)
    if supports is None:
        return INFINITE
    if any(map(math.isnan, supports)):
        return Outcome(math.nan, math.nan, 0)
    if p.points is not None or q.points is not None:
        return _over_points(p, q, tolerance)
    marks = [landmarks(p), landmarks(q)]
    offsets = [_offset(side, found) for side, found in zip((p, q), marks, strict=True)]
    if abs(math.remainder(offsets[0] - offsets[1], 1.0)) > 1e-9:
        return INFINITE  # the points of one lie between those of the other
    return _Sum(p, q, offsets[0], tolerance, most).outcome(supports[2:], np.concatenate(marks))


def _over_points(p: Density, q: Density, tolerance: float) -> Outcome:
    """Where one side lives on finitely many points: over those, and the mass of q elsewhere."""
    if p.points is None:
        p_low, p_high = map(float, p.support or (-math.inf, math.inf))
        if not p_high - p_low < _SMALL:
            return INFINITE
        x = np.union1d(np.arange(p_low, p_high + 1.0), np.asarray(q.points))
    else:
        x = p.points if q.points is None else np.union1d(p.points, q.points)
    sums = terms(p.log_density(x), q.log_density(x)).sum(axis=-1)
    if q.points is None:
        elsewhere = max(1.0 - sums[2], 0.0)
        sums = sums + np.array([elsewhere, 0.0, elsewhere, 2.2e-16])
    return judged(sums, [], 0.0, len(x), tolerance)


def _offset(side: Density, marks: Array) -> float:
    """A point of the lattice."""
    known = [end for end in (side.support or ()) if math.isfinite(end)]
    if known:
        return float(known[0])
    return float(marks[len(marks) // 2]) if side.support is not None and len(marks) else 0.0


class _Sum:
    """Sums over blocks of consecutive points."""

    def __init__(self, p: Density, q: Density, offset: float, tolerance: float, most: int):
        self.p, self.q, self.offset, self.n = p, q, offset, 0
        self.tolerance, self.most, self.lost, self.unsettled = tolerance, most, 0.0, 0.0

    def outcome(self, support: tuple[float, ...], marks: Array) -> Outcome:
        low, high = support
        if not len(marks):
            marks = np.zeros(1)
        if high - low < _SMALL:
            marks = np.array([low, high])
        inner = np.unique(self.offset + np.round(np.clip(marks, low, high) - self.offset))
        start, stop = float(inner[0]), float(inner[-1])
        sums = self.block(start, start, np.ones(4))
        for edge, following in pairwise(map(float, inner)):
            sums = sums + self.block(edge + 1.0, following, sums)
        beyond = []
        for sign, edge, limit in ((-1.0, start, low), (1.0, stop, high)):
            tail, left = self.outwards(sign, edge, limit, max(stop - start, 64.0), sums)
            sums = sums + tail
            beyond.append(left)
        if np.isnan(sums).any():
            return Outcome(math.nan, math.nan, self.n, "a log density is not a number inside its support")
        found = judged(sums, beyond, self.unsettled, self.n, self.tolerance)
        if self.lost * _LARGE <= self.tolerance * found.value or found.why:
            return replace(found, error=found.error + self.lost * _LARGE)
        why = f"q is zero inside of its support, where p holds {self.lost:.1g} (or it underflows)"
        return Outcome(math.inf, 0.0, self.n, why)

    def outwards(
        self, sign: float, edge: float, limit: float, width: float, total: Array
    ) -> tuple[Array, Array]:
        """The sum from beyond `edge` on, by blocks that double, and what the last of them leaves."""
        held: list[Array] = []
        sums = np.zeros(4)
        while sign * (limit - edge) > 0.5:
            if abs(edge) + width > _EXACT:
                return sums, remainders(held)
            first, last = edge + sign, edge + sign * width
            last = sign * min(sign * last, sign * limit)
            block = self.block(min(first, last), max(first, last), total + sums)
            if not np.isfinite(block).all():
                return sums + block, np.zeros(3)
            sums, edge, width = sums + block, last, 2.0 * width
            held.append(block)
            if len(held) > 1 and (block <= _NEGLIGIBLE * (total + sums))[:3].all():
                break
        return sums, np.zeros(3)

    def block(self, first: float, last: float, total: Array) -> Array:
        """The sum over the points from `first` to `last`, both included."""
        count = round(last - first) + 1
        if count > _LONG:
            few, many = (self.interpolated(first, count, nodes) for nodes in (24, 40))
            off = abs(few - many)
            if (off <= 0.01 * self.tolerance * np.maximum(total, many))[:3].all():
                return many
            if self.n > self.most:
                self.unsettled += float(off[0])
                return many
            middle = first + count // 2
            left = self.block(first, middle - 1.0, total)
            return left + self.block(middle, last, total + left)
        return np.asarray(self.terms(first + np.arange(count)).sum(axis=-1))

    def interpolated(self, first: float, count: int, nodes: int) -> Array:
        """The sum over many consecutive points of the polynomial through some of them.

        The sum of a polynomial over n points is its integral over n units but for O(1/n²).
        """
        u = np.polynomial.legendre.leggauss(nodes)[0]
        steps = np.round(0.5 * (u + 1.0) * count - 0.5)
        basis = np.polynomial.legendre.legvander((2.0 * steps + 1.0) / count - 1.0, nodes - 1)
        weights = np.linalg.solve(basis.T, np.eye(nodes)[0] * count)
        found: Array = self.terms(first + steps) @ weights
        return found

    def terms(self, x: Array) -> Array:
        """Those of points; what p holds where q has underflowed is set aside."""
        self.n += len(x)
        with np.errstate(all="ignore"):
            found = terms(self.p.log_density(x), self.q.log_density(x))
        if self.q.support is not None and np.isposinf(found[0]).any():
            lost = np.isposinf(found[0])
            self.lost += float(found[1, lost].sum())
            found[0, lost] = found[3, lost] = 0.0
        return found
