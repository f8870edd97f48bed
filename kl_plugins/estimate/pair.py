"""Both sides of a univariate pair, evaluated together, and what is seen of where they live and end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kl_plugins.estimate.clock import Clock
from kl_plugins.estimate.density import Density
from kl_plugins.estimate.landmarks import landmarks, mass_roundoff
from kl_plugins.estimate.result import Doubt
from kl_plugins.estimate.substitution import piece_between
from kl_plugins.estimate.terms import Outcome
from kl_plugins.ops.protocol import FloatArray

_ROUNDED = 64.0 * 2.2e-16


class Pair:
    """Two densities between the ends of their supports, as these are declared.

    Attributes
    ----------
    outside : bool
        Whether p was seen where q's support, as it is declared, does not reach.
    unknown : bool
        Whether a log density was not a number inside its support.
    n : int
        How often both were evaluated.
    """

    def __init__(self, p: Density, q: Density, clock: Clock):
        self.p, self.q, self.clock, self.n = p, q, clock, 0
        everywhere = (-math.inf, math.inf)
        p_ends, self.q_ends = (tuple(map(float, side.support or everywhere)) for side in (p, q))
        # Ends that differ by rounding are equal.
        self.p_ends = tuple(
            b if a == b or bool(abs(a - b) <= _ROUNDED * max(abs(a), abs(b)) < math.inf) else a
            for a, b in zip(p_ends, self.q_ends, strict=True)
        )
        self.outside = self.unknown = clock.cut = False
        self.dark = (-math.inf, math.nan)
        self.marks: tuple[FloatArray, FloatArray] = (np.empty(0), np.empty(0))

    def find_landmarks(self) -> tuple[FloatArray, FloatArray]:
        """Find the landmarks of both."""
        self.marks = landmarks(self.p, self.clock), landmarks(self.q, self.clock)
        return self.marks

    def log_densities(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of p and q, of places of any shape; where one is infinite, which may be at single places, −∞."""
        self.n += x.size
        log_p, log_q = self._log_density(self.p, x, *self.p_ends), self._log_density(self.q, x, *self.q_ends)
        poles = np.isposinf(log_p) | np.isposinf(log_q)
        if poles.any():
            log_p[poles] = log_q[poles] = -np.inf
        return log_p, log_q

    def parts(self, count: int, points: int) -> list[slice]:
        """So many groups of points in parts that do not take long, for the sake of what is found in time."""
        size = min(self.clock.size(side.log_density, count * points) for side in (self.p, self.q))
        step = max(1, size // points)
        return [slice(start, start + step) for start in range(0, count, step)]

    def _log_density(self, side: Density, x: FloatArray, low: float, high: float) -> FloatArray:
        """The log density, −∞ outside of the support and where it is not a number."""
        out = np.full(x.size, -np.inf)
        flat = x.ravel()
        inside = (flat >= low) & (flat <= high)
        if inside.any():
            with np.errstate(all="ignore"):
                out[inside] = self.clock.evaluate(side.log_density, flat[inside])
        unknown = np.isnan(out)
        if unknown.any():
            self.unknown = True
            out[unknown] = -np.inf
        return out.reshape(x.shape)

    def zeros(
        self, x: FloatArray, log_p: FloatArray, log_q: FloatArray, log_width: FloatArray | float = 0.0
    ) -> NDArray[np.bool_]:
        """Where q is given as zero and p is not; noted, best of all that which stands for most mass of p."""
        dark: NDArray[np.bool_] = (log_q == -np.inf) & (log_p > -np.inf)
        if dark.any():
            low, high = self.q_ends
            places, log_mass = x[dark], (log_p + log_width)[dark]
            self.outside = self.outside or bool((_before(places, low) | _before(-places, -high)).any())
            best = int(np.argmax(log_mass))
            self.dark = max(self.dark, (float(log_mass[best]), float(places[best])))
        return dark

    def roundoffs(self) -> tuple[float, float]:
        """What the masses may lack because of rounding."""
        p, q = (mass_roundoff(s, m, self.clock) for s, m in zip((self.p, self.q), self.marks, strict=True))
        return p, q

    def zero(self) -> bool:
        """Whether q is zero indeed where it is given as zero inside of its support."""
        return not math.isnan(self.dark[1]) and self._ends(1, self.dark[1])

    def doubt(self) -> str:
        """Why p may live beyond q's support although it was not seen there; empty where it doesn't."""
        for k, sign in enumerate((-1.0, 1.0)):
            end, further = self.q_ends[k], self.p_ends[k]
            if not math.isfinite(end) or not _before(-sign * np.array([further]), -sign * end)[0]:
                continue
            unit = (
                1.0 if self.p.measure == "discrete" else 1e-9 * max([abs(end), 1e-300, *abs(self.marks[0])])
            )
            if not self._ends(0, end + sign * unit):
                return Doubt.BEYOND_SUPPORT.format(end=end)
        return ""

    def reported(self, found: Outcome) -> Outcome:
        """The outcome, with what else may be the reason that it is not to be relied on."""
        if self.clock.cut:
            return replace(found, n=self.n, why=self.clock.why)
        unknown = Doubt.NOT_A_NUMBER if found.why and self.unknown else ""
        return replace(found, n=self.n, why=found.why + unknown)

    def _ends(self, which: int, dark: float) -> bool:
        """Whether a side has an end between its bulk and a place where it is given as zero."""
        side, ends, marks = (self.p, self.q)[which], (self.p_ends, self.q_ends)[which], self.marks[which]
        lit = marks[(marks >= ends[0]) & (marks <= ends[1])]
        if len(lit) == 0:
            return False
        if side.measure == "discrete":
            if side.logarithmic:
                return bool(np.isneginf(side.log_density(np.array([dark])))[0])
            lit = np.unique(dark + np.round(lit - dark))
            return ends_before(lambda x: self._log_density(side, x, *ends), dark, lit, whole=True)[0]
        piece = piece_between(ends[0], ends[1], [marks])

        def log_density(t: FloatArray) -> FloatArray:
            x, slope = piece.place(t)
            return self._log_density(side, x, *ends) + np.log(slope)

        with np.errstate(all="ignore"):
            t = piece.parameter(np.concatenate([[dark], lit]))
            t = t[np.isfinite(t)]
            if len(t) < 2:
                return False
            found, last = ends_before(log_density, float(t[0]), t[1:])
            edge = float(piece.place(np.array([last]))[0][0])
        return found and abs(edge - dark) > _ROUNDED * max(abs(dark), *abs(lit))


def _before(x: FloatArray, end: float) -> NDArray[np.bool_]:
    """Which places are below an end by more than rounding."""
    size = np.minimum(np.maximum(abs(x), abs(end)), 1e300)  # places may be infinite
    return x < end - _ROUNDED * size if math.isfinite(end) else x < end


_SECTIONS, _ROUNDS = 16, 16
_DEEP, _STEEP, _NEAR = 600.0, 18.0, 0.1


def ends_before(
    log_density: Callable[[FloatArray], FloatArray], dark: float, lit: FloatArray, *, whole: bool = False
) -> tuple[bool, float]:
    """Whether a density that is given as zero at `dark` has an end between there and the places `lit`.

    The other number returned is the last place where it is not zero.
    What decays until it underflows does so gradually: its logarithm is far down at a tenth of the way from
    there to the bulk, or at least before it is gone. A density that jumps to zero, or falls to it by a power
    of the distance, is still near its bulk there. `whole`: places are consecutive integers.
    """
    heights = log_density(lit)
    if np.isnan(heights).any() or not np.isfinite(heights).any():
        return False, dark
    best = int(np.argmax(heights))
    peak, bulk = float(heights[best]), float(lit[best])
    edge, gone = bulk, dark
    for _ in range(_ROUNDS):
        x = np.linspace(edge, gone, _SECTIONS + 1)
        x = np.unique(np.round(x)) if whole else np.unique(x)
        x = x if gone > edge else x[::-1]
        zero = ~(log_density(x) > -np.inf)
        first = int(np.argmax(zero)) if zero.any() else len(x)
        if not 0 < first < len(x):
            return False, dark
        if len(x) < 3 or (edge, gone) == (x[first - 1], x[first]):
            break
        edge, gone = float(x[first - 1]), float(x[first])
    inwards = edge + _NEAR * (bulk - edge)
    last, near = log_density(np.array([edge, np.round(inwards) if whole else inwards]))
    if whole:
        before = float(log_density(np.array([edge + np.sign(edge - gone)]))[0])
        return bool(abs(before - last) < _STEEP and last > peak - _DEEP and near > peak - _STEEP), edge
    return bool(last > peak - _DEEP and near > peak - _STEEP), edge
