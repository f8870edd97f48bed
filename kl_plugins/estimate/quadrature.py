"""Divergences of univariate continuous distributions by adaptive quadrature."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kl_plugins.estimate.clock import TimeIsUpError
from kl_plugins.estimate.pair import Pair
from kl_plugins.estimate.substitution import Piece, core, piece_between
from kl_plugins.estimate.tails import remainders
from kl_plugins.estimate.terms import Diagnostics, Outcome, judged, terms
from kl_plugins.ops.protocol import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(15)
_SHELL, _AT_ONCE = 2.0, 16
_NEGLIGIBLE = 1e-17
_DEEPEST = 48
_FAR = 1e100
"""So many times as far out as the landmarks a density may be zero because a square in it overflows."""
_GONE = math.log(5e-324)
"""What is smaller is none for floats."""
_ENOUGH = 17
_ROUGH, _FINE, _CLOSE = 1e-10, 1e-14, 4e-13
"""So far may the mass in a panel be off; and where some is missing; and all of it, to look no closer."""
_SOME = 1e-10
"""What a node has to hold of p for p/q there to matter."""
_GRADES = np.array([0.0, 2.0**-12, 2.0**-8, 2.0**-4, 0.5, 1.0 - 2.0**-4, 1.0 - 2.0**-8, 1.0 - 2.0**-12, 1.0])


def quadrature(pair: Pair, tolerance: float, most: int) -> Outcome:
    """The divergence to a relative `tolerance`, with at most about `most` evaluations of both log densities.

    Between the ends of the supports x is a function of t by which power laws, at a finite end or towards
    infinity, decay exponentially: x = c + s sinh t on the line, a + s eᵗ on a half-line, a logistic function
    between two ends. From where the quantiles of both sides are, panels are added outwards until they hold
    nothing, as far as floats go; then those are halved whose 15-point Gauss rule is not that of the halves.
    """
    return _Integral(pair, tolerance, most).outcome()


class _Integral:
    """The panels of an integral, and what each holds."""

    def __init__(self, pair: Pair, tolerance: float, most: int):
        self.pair, self.tolerance, self.most = pair, tolerance, most
        self.sums: FloatArray = np.zeros(6)
        self.refinement_error, self.left = math.inf, [np.full(3, math.nan)]
        self.log_ratio = -math.inf

    def outcome(self) -> Outcome:
        """Integrate, and judge what was found."""
        pair, clock = self.pair, self.pair.clock
        seen = Diagnostics((1e-12, 1e-12))
        try:
            self.integrate()
            if not pair.outside:
                p, q = (own + float(self.sums[5]) for own in pair.roundoffs())
                ratio = math.exp(min(self.log_ratio, 700.0))
                seen = Diagnostics((p, q), float(self.sums[4]), pair.zero(), pair.doubt(), ratio=ratio)
        except TimeIsUpError:
            clock.cut = True
        if pair.outside:
            return Outcome(math.inf, 0.0, pair.n)
        found = judged(self.sums, self.left, self.refinement_error, pair.n, self.tolerance, seen)
        return pair.reported(found)

    def integrate(self) -> None:
        """Find the sums, what refinement leaves of them and what the tails leave."""
        marks = [self.where_finite(found) for found in self.pair.find_landmarks()]
        if self.pair.outside:
            return
        self.marks = np.concatenate(marks)
        self.extent = float(max(abs(self.marks), default=1.0))
        cuts = sorted({*self.pair.p_ends, *self.pair.q_ends})
        low, high, inside = [], [], []
        self.pieces = pieces = [piece_between(a, b, marks) for a, b in pairwise(cuts)]
        for piece in pieces:
            edges = core(piece, self.marks, closely=not (self.pair.p.familiar and self.pair.q.familiar))
            low.append(edges[:-1])
            high.append(edges[1:])
        for piece, a, b in zip(pieces, low, high, strict=True):
            for part in self.pair.parts(len(a), len(_NODES)):
                self.sums = self.sums + self.panels(piece, a[part], b[part])[0].sum(axis=-1)
        total = self.sums
        if self.pair.outside:
            return
        beyond = []
        for i, piece in enumerate(pieces):
            for sign, edge in ((-1.0, low[i][0]), (1.0, high[i][-1])):
                edges, left = self.outwards(piece, sign, float(edge), total)
                low[i], high[i] = np.append(low[i], edges[:-1]), np.append(high[i], edges[1:])
                beyond.append(left)
                if self.pair.outside:
                    return
            inside.append(np.full(len(low[i]), i))
        self.left = beyond
        panels = np.concatenate(low), np.concatenate(high), np.concatenate(inside)
        self.refine(*panels)
        if (abs(self.sums[1:3] - 1.0) > _CLOSE + self.sums[5]).any():
            self.refine(*_closer(*panels))

    def where_finite(self, marks: FloatArray) -> FloatArray:
        """Those where q's density has not underflowed: the others are looked at from the inside."""
        kept: FloatArray = marks[~self.pair.zeros(marks, *self.pair.log_densities(marks))]
        return kept

    def panels(
        self, piece: Piece, low: FloatArray, high: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What each panel holds, shape (6, n), its outermost node, and whether p or q underflows in it.

        The rows are those of `terms`, and the rounding error of p and q, that of x included.
        """
        half = 0.5 * (high - low)
        t = (0.5 * (high + low))[:, None] + half[:, None] * _NODES
        x, slope = piece.place(t)
        pair = self.pair
        log_p, log_q = pair.log_densities(x)
        with np.errstate(all="ignore"):
            found = terms(log_p, log_q, np.log(slope))
            unit = 2.2e-16 * np.maximum(abs(x[:, 1:]), abs(x[:, :-1])) / abs(np.diff(x))
            noise = np.where(np.isfinite(unit), unit, 0.0) * abs(np.diff(found[:3], axis=-1))
            noise = np.pad(np.where(np.isfinite(noise), noise, 0.0), ((0, 0), (0, 0), (0, 1)))
            found = np.concatenate([found, (noise[1] + noise[2])[None]])
            found[3] += noise[0]
            inside = (x > pair.p_ends[0]) & (x < pair.p_ends[1]) & (pair.p.support is not None)
            # What is lost where p underflows is p log(p/q), which may underflow later.
            term = log_p + np.log(slope) + np.log(abs(log_q - log_p))
            gone = (found[1] == 0.0) & np.where(log_p > -np.inf, ~(term < _GONE), inside)
            dark = pair.zeros(x, log_p, log_q, np.log(slope * half[:, None]))
            held = (found * _WEIGHTS).sum(axis=-1) * half
            some = found[1] * (_WEIGHTS * half[:, None]) > _SOME
            self.log_ratio = max(
                self.log_ratio, float(np.max((log_p - log_q)[some & ~dark], initial=-np.inf))
            )
            return held, abs(x).max(axis=-1), np.array([gone.any(axis=-1), dark.any(axis=-1)])

    def outwards(
        self, piece: Piece, sign: float, edge: float, total: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Edges of panels from `edge` on until they hold nothing, and what is beyond where floats end."""
        limit = piece.range()[0 if sign < 0.0 else 1]
        held: list[FloatArray] = []
        edges = [edge]
        dark, hidden = False, np.zeros(3)
        while sign * (limit - edges[-1]) > 1e-9:
            steps = edges[-1] + sign * _SHELL * np.arange(_AT_ONCE + 1)
            steps = np.append(steps[sign * (limit - steps) > 0.0], limit)[: _AT_ONCE + 1]
            shells, places, gone = self.panels(piece, *np.sort([steps[:-1], steps[1:]], axis=0))
            for shell, place, (lost, cut), outer in zip(shells.T, places, gone.T, steps[1:], strict=True):
                far = place > _FAR * self.extent
                overflow = far and held and held[-1][1] > 0.0 and (shell[1] == 0.0 or cut)
                if overflow or not np.isfinite(shell[:3]).all():
                    # The last panel may have been cut by an overflow too.
                    return np.sort(edges), self.beyond(piece, edges[-1], held[:-1]) + hidden
                if cut and not dark:
                    hidden[0] = self.beyond(piece, edges[-1], held[:-1])[0]
                dark = dark or cut
                if lost and held and held[-1][0] - held[-1][2] > _NEGLIGIBLE * total[0]:
                    return np.sort(edges), self.beyond(piece, edges[-1], held[:-1]) + hidden
                edges.append(float(outer))
                held.append(shell)
                small = (shell[:3] <= _NEGLIGIBLE * total[:3]).all()
                if len(held) > 2 and small and shell[0] <= held[-2][0]:
                    return np.sort(edges), hidden
        partial = len(edges) > 1 and abs(edges[-1] - edges[-2]) < 0.999 * _SHELL
        return np.sort(edges), self.beyond(piece, edges[-1], held[:-1] if partial else held) + hidden

    def beyond(self, piece: Piece, edge: float, held: list[FloatArray]) -> FloatArray:
        """What is beyond the last panel; where few are, finer ones from the middle on tell."""
        width = _SHELL
        if len(held) < _ENOUGH:
            middle = self.middle(piece)
            edges = np.linspace(middle, edge, _ENOUGH + 9)
            found, *_ = self.panels(piece, *np.sort([edges[:-1], edges[1:]], axis=0))
            held, width = list(found.T), abs(float(edges[1] - edges[0]))
        return remainders(held[1:], width)

    def middle(self, piece: Piece) -> float:
        """Where the piece has the landmark in the middle, as a value of t."""
        here = self.marks[(self.marks > piece.low) & (self.marks < piece.high)]
        return float(piece.parameter(np.median(here))) if len(here) else 0.0

    def refine(self, low: FloatArray, high: FloatArray, inside: FloatArray) -> None:
        """Halve all panels until the halves hold what the whole does; keep the sums, and what was left.

        None stays more than twice as wide as the next: what is narrow in one reaches into the other, between
        whose few points it would be lost. Where mass of p or q is missing, each panel has to know its own.
        """
        value = self.all_panels(low, high, inside)
        error: FloatArray = np.zeros(len(low))
        blurred: FloatArray = np.zeros(len(low))
        converged: NDArray[np.bool] = np.zeros(len(low), bool)
        exact = _ROUGH
        for depth in range(_DEEPEST):
            order = np.lexsort((low, inside))
            low, high, inside, converged = low[order], high[order], inside[order], converged[order]
            value, error, blurred = value[:, order], error[order], blurred[order]
            split = ~converged | _wider_than_the_next(low, high, inside)
            if not split.any() and exact > _FINE and (abs(self.sums[1:3] - 1.0) > 1e-13).any():
                exact = _FINE
                split = blurred > exact
            if not split.any():
                break
            middle = 0.5 * (low + high)
            left = self.all_panels(low[split], middle[split], inside[split])
            right = self.all_panels(middle[split], high[split], inside[split])
            both = left + right
            difference = abs(both - value[:, split])
            self.sums = value[:, ~split].sum(axis=-1) + both.sum(axis=-1)
            share = self.tolerance / (8.0 * len(low))
            good = difference[0] <= np.maximum(share * self.sums[0], both[3])
            off = (difference[1:3] - both[5]).max(axis=0)
            good &= off <= exact
            last = depth == _DEEPEST - 1 or self.pair.n > self.most
            if last:
                good[:] = True
            low, high = [
                np.concatenate([ends[~split], first[split], second[split]])
                for ends, first, second in ((low, low, middle), (high, middle, high))
            ]
            value = np.concatenate([value[:, ~split], left, right], axis=-1)
            inside = np.concatenate([inside[~split], np.tile(inside[split], 2)])
            error = np.concatenate([error[~split], np.tile(0.5 * difference[0], 2)])
            blurred = np.concatenate([blurred[~split], np.tile(off, 2)])
            converged = np.concatenate([converged[~split], np.tile(good, 2)])
            self.refinement_error = float(error.sum())
            if last or self.pair.outside:
                break
        self.sums, self.refinement_error = value.sum(axis=-1), float(error.sum())

    def all_panels(self, low: FloatArray, high: FloatArray, inside: FloatArray) -> FloatArray:
        found = np.empty((6, len(low)))
        for i, piece in enumerate(self.pieces):
            here = inside == i
            if here.any():
                found[:, here] = self.panels(piece, low[here], high[here])[0]
        return found


def _closer(
    low: FloatArray, high: FloatArray, inside: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The panels in parts that are narrow at the edges, where a kink may lie beyond the outermost node."""
    edges = low[:, None] + (high - low)[:, None] * _GRADES
    edges[:, -1] = high
    return edges[:, :-1].ravel(), edges[:, 1:].ravel(), np.repeat(inside, len(_GRADES) - 1)


def _wider_than_the_next(low: FloatArray, high: FloatArray, inside: FloatArray) -> NDArray[np.bool]:
    """Which panels, in order, are more than twice as wide as a neighbour in their piece."""
    width = high - low
    found = np.zeros(len(width), bool)
    same = inside[1:] == inside[:-1]
    found[1:] |= same & (width[1:] > 2.01 * width[:-1])
    found[:-1] |= same & (width[:-1] > 2.01 * width[1:])
    return found
