"""Divergences of univariate continuous distributions by adaptive quadrature."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from kl_plugins.estimate.density import Array, Density
from kl_plugins.estimate.line import Piece, core, piece_between
from kl_plugins.estimate.terms import INFINITE, Outcome, ends, judged, landmarks, remainders, terms

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(15)
_SHELL, _AT_ONCE = 2.0, 16
_NEGLIGIBLE = 1e-17
_DEEPEST = 48
_FAR = 1e100
"""So many times as far out as the landmarks a density may be zero because a square in it overflows."""
_NO_MASS, _LARGE, _ENOUGH = 1e-6, 1e4, 17


def quadrature(p: Density, q: Density, tolerance: float, most: int) -> Outcome:
    """KL(p‖q) to a relative `tolerance`, with at most about `most` evaluations of both log densities.

    Between the ends of the supports x is a function of t by which power laws, at a finite end or towards
    infinity, decay exponentially: x = c + s sinh t on the line, a + s eᵗ on a half-line, a logistic function
    between two ends. From where the quantiles of both sides are, panels are added outwards until they hold
    nothing, as far as floats go; then those are halved whose 15-point Gauss rule is not that of the halves.
    """
    supports = ends(p, q)
    if supports is None:
        return INFINITE
    if any(map(math.isnan, supports)):
        return Outcome(math.nan, math.nan, 0)
    return _Integral(p, q, supports, tolerance, most).outcome()


class _Integral:
    """The panels of an integral, and what each holds."""

    def __init__(self, p: Density, q: Density, supports: tuple[float, ...], tolerance: float, most: int):
        self.p, self.q, self.supports = p, q, supports
        self.tolerance, self.most, self.n = tolerance, most, 0
        self.why, self.outside = "", False

    def outcome(self) -> Outcome:
        marks = [self.where_finite(landmarks(side)) for side in (self.p, self.q)]
        self.marks = np.concatenate(marks)
        self.extent = float(max(abs(self.marks), default=1.0))
        cuts = sorted(set(self.supports))
        low, high, inside = [], [], []
        pieces = [piece_between(a, b, marks) for a, b in pairwise(cuts)]
        for piece in pieces:
            edges = core(piece, self.marks)
            low.append(edges[:-1])
            high.append(edges[1:])
        inner = [self.panels(piece, a, b)[0] for piece, a, b in zip(pieces, low, high, strict=True)]
        total = np.sum([part.sum(axis=-1) for part in inner], axis=0)
        if not np.isfinite(total).all():
            return self.broken(total)
        beyond = []
        for i, piece in enumerate(pieces):
            for sign, edge in ((-1.0, low[i][0]), (1.0, high[i][-1])):
                edges, left = self.outwards(piece, sign, float(edge), total)
                low[i], high[i] = np.append(low[i], edges[:-1]), np.append(high[i], edges[1:])
                beyond.append(left)
            inside.append(np.full(len(low[i]), i))
        sums, unsettled = self.refined(
            pieces, np.concatenate(low), np.concatenate(high), np.concatenate(inside)
        )
        if not np.isfinite(sums).all():
            return self.broken(sums)
        found = judged(sums, beyond, unsettled, self.n, self.tolerance)
        return Outcome(found.value, found.error, self.n, self.why) if self.why else found

    def where_finite(self, marks: Array) -> Array:
        """Those where q's density has not underflowed: the others are looked at from the inside."""
        if self.q.support is None or not len(marks):
            return marks
        p_low, p_high, q_low, q_high = self.supports
        log_p, log_q = _log_density(self.p, marks, p_low, p_high), _log_density(self.q, marks, q_low, q_high)
        kept: Array = marks[(log_q > -np.inf) | (log_p == -np.inf)]
        return kept

    def broken(self, total: Array) -> Outcome:
        """The outcome where the integrand is not finite among the places where the distributions live."""
        if np.isnan(total[:3]).any():
            return Outcome(math.nan, math.nan, self.n, "a log density is not a number inside its support")
        if np.isinf(total[1:3]).any():
            return Outcome(math.inf, math.inf, self.n, "a density is infinite inside its support")
        if self.q.support is None or self.outside:
            return Outcome(math.inf, 0.0, self.n)
        why = "q's log density is −∞ inside of its support, where p's is not (or it underflows)"
        return Outcome(math.inf, 0.0, self.n, why)

    def panels(self, piece: Piece, low: Array, high: Array) -> tuple[Array, Array, Array]:
        """What each panel holds, shape (5, n), its outermost node, and whether p underflows in it.

        The last two rows are the rounding error of the integrand and that of p and q, that of x included.
        """
        half = 0.5 * (high - low)
        t = (0.5 * (high + low))[:, None] + half[:, None] * _NODES
        x, slope = piece.place(t)
        p_low, p_high, q_low, q_high = self.supports
        log_p = _log_density(self.p, x, p_low, p_high)
        log_q = _log_density(self.q, x, q_low, q_high)
        self.n += x.size
        beyond = (x < q_low) | (x > q_high)
        self.outside = self.outside or bool((beyond & (log_p > -np.inf)).any())
        with np.errstate(all="ignore"):
            found = terms(log_p, log_q, np.log(slope))
            unit = 2.2e-16 * np.maximum(abs(x[:, 1:]), abs(x[:, :-1])) / abs(np.diff(x))
            noise = np.where(np.isfinite(unit), unit, 0.0) * abs(np.diff(found[:3], axis=-1))
            noise = np.pad(np.where(np.isfinite(noise), noise, 0.0), ((0, 0), (0, 0), (0, 1)))
            found = np.concatenate([found, (noise[1] + noise[2])[None]])
            found[3] += noise[0]
            gone = (log_p == -np.inf) & (x > p_low) & (x < p_high) & (self.p.support is not None)
            return (found * _WEIGHTS).sum(axis=-1) * half, abs(x).max(axis=-1), gone.any(axis=-1)

    def outwards(self, piece: Piece, sign: float, edge: float, total: Array) -> tuple[Array, Array]:
        """Edges of panels from `edge` on until they hold nothing, and what is beyond where floats end."""
        limit = piece.range()[0 if sign < 0.0 else 1]
        held: list[Array] = []
        edges = [edge]
        while sign * (limit - edges[-1]) > 1e-9:
            steps = edges[-1] + sign * _SHELL * np.arange(_AT_ONCE + 1)
            steps = np.append(steps[sign * (limit - steps) > 0.0], limit)[: _AT_ONCE + 1]
            shells, places, gone = self.panels(piece, *np.sort([steps[:-1], steps[1:]], axis=0))
            for shell, place, lost, outer in zip(shells.T, places, gone, steps[1:], strict=True):
                far = place > _FAR * self.extent
                if not np.isfinite(shell[:3]).all() or (
                    far and shell[1] == 0.0 and held and held[-1][1] > 0.0
                ):
                    # The last panel may have been cut by an overflow too.
                    left = self.beyond(piece, edges[-1], held[:-1])
                    return np.sort(edges), left if far else self.cut(shell, float(place), left, total)
                if lost and held and held[-1][0] - held[-1][2] > _NEGLIGIBLE * total[0]:
                    return np.sort(edges), self.beyond(piece, edges[-1], held[:-1])
                edges.append(float(outer))
                held.append(shell)
                small = (shell[:3] <= _NEGLIGIBLE * total[:3]).all()
                if len(held) > 2 and small and shell[0] <= held[-2][0]:
                    return np.sort(edges), np.zeros(3)
        left = self.beyond(piece, edges[-1], held)
        if len(held) < _ENOUGH and math.isinf(left[0]):
            left[0] = math.nan  # the logarithm of a power looks the same for so short a way
        return np.sort(edges), left

    def beyond(self, piece: Piece, edge: float, held: list[Array]) -> Array:
        """What is beyond the last panel; where few are, finer ones from the middle on tell."""
        if len(held) < _ENOUGH:
            middle = self.middle(piece)
            edges = np.linspace(middle, edge, _ENOUGH + 9)
            found, *_ = self.panels(piece, *np.sort([edges[:-1], edges[1:]], axis=0))
            held = list(found.T)
        return remainders(held[1:])

    def middle(self, piece: Piece) -> float:
        """Where the piece has the landmark in the middle, as a value of t."""
        here = self.marks[(self.marks > piece.low) & (self.marks < piece.high)]
        return float(piece.parameter(np.median(here))) if len(here) else 0.0

    def cut(self, shell: Array, place: float, left: Array, total: Array) -> Array:
        """What is left beyond a panel where the integrand is not finite."""
        if not np.isfinite(shell[1:3]).all():
            return left
        certain = self.q.support is None or self.outside
        if not certain and shell[1] * _LARGE <= self.tolerance * total[0]:
            return left
        if not certain:
            self.why = f"q's log density is −∞ near {place:.3g}, inside of its support, where p's is not"
        if certain or shell[1] > _NO_MASS:
            left[0] = math.inf
        return left

    def refined(self, pieces: list[Piece], low: Array, high: Array, inside: Array) -> tuple[Array, float]:
        """The sums over all panels, halved until the halves hold what the whole does; and what was left.

        None stays more than twice as wide as the next: what is narrow in one reaches into the other, between
        whose few points it would be lost.
        """
        value = self.all_panels(pieces, low, high, inside)
        error, settled = np.zeros(len(low)), np.zeros(len(low), bool)
        for depth in range(_DEEPEST):
            order = np.lexsort((low, inside))
            low, high, inside, settled = low[order], high[order], inside[order], settled[order]
            value, error = value[:, order], error[order]
            split = ~settled | _wider_than_the_next(low, high, inside)
            if not split.any():
                break
            middle = 0.5 * (low + high)
            left = self.all_panels(pieces, low[split], middle[split], inside[split])
            right = self.all_panels(pieces, middle[split], high[split], inside[split])
            both = left + right
            difference = abs(both - value[:, split])
            broken = np.zeros(both.shape[1], bool)
            if self.q.support is not None and not self.outside:  # q may underflow at the end of a panel
                broken = ~np.isfinite(both).all(axis=0)
                both[:, broken] = difference[:, broken] = value[:, split][:, broken]
            whole = value[:, ~split].sum(axis=-1) + both.sum(axis=-1)
            share = self.tolerance / (8.0 * len(low))
            good = difference[0] <= np.maximum(share * whole[0], both[3])
            good &= (difference[1:3] <= np.maximum(1e-10, both[4])).all(axis=0)
            last = depth == _DEEPEST - 1 or self.n > self.most
            if last:
                good[:] = True
            # A broken panel that holds next to nothing stays as it is.
            kept, halved = np.array(~split), np.nonzero(split)[0]
            kept[halved[broken & good]] = True
            error[halved], settled[halved] = difference[0], True
            halves = ~(broken & good)
            halved = halved[halves]
            low, high = [
                np.concatenate([ends[kept], first[halved], second[halved]])
                for ends, first, second in ((low, low, middle), (high, middle, high))
            ]
            value = np.concatenate([value[:, kept], left[:, halves], right[:, halves]], axis=-1)
            inside = np.concatenate([inside[kept], np.tile(inside[halved], 2)])
            error = np.concatenate([error[kept], np.tile(0.5 * difference[0][halves], 2)])
            settled = np.concatenate([settled[kept], np.tile(good[halves], 2)])
            if last:
                break
        return value.sum(axis=-1), float(error.sum())

    def all_panels(self, pieces: list[Piece], low: Array, high: Array, inside: Array) -> Array:
        found = np.empty((5, len(low)))
        for i, piece in enumerate(pieces):
            here = inside == i
            if here.any():
                found[:, here] = self.panels(piece, low[here], high[here])[0]
        return found


def _wider_than_the_next(low: Array, high: Array, inside: Array) -> Array:
    """Which panels, in order, are more than twice as wide as a neighbour in their piece."""
    width = high - low
    found = np.zeros(len(width), bool)
    same = inside[1:] == inside[:-1]
    found[1:] |= same & (width[1:] > 2.01 * width[:-1])
    found[:-1] |= same & (width[:-1] > 2.01 * width[1:])
    return found


def _log_density(side: Density, x: Array, low: float, high: float) -> Array:
    """The log density, −∞ outside of the support."""
    out = np.full(x.size, -np.inf)
    flat = x.ravel()
    inside = (flat >= low) & (flat <= high)
    if inside.any():
        with np.errstate(all="ignore"):
            out[inside] = side.log_density(flat[inside])
    return out.reshape(x.shape)
