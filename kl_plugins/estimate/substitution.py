"""Pieces of the line between the ends of supports, as functions of a variable in which tails are short."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kl_plugins.ops.protocol import FloatArray


@dataclass(frozen=True)
class Piece:
    """A piece of the line, from `low` to `high`, as a function of t."""

    low: float
    high: float
    centre: float
    scale: float

    def range(self) -> tuple[float, float]:
        """The values of t that floats can tell from the ends."""
        least, largest = (max(64.0 * 2.2e-16 * abs(end), 1e-300) for end in (self.low, self.high))
        scale = math.log(self.scale)  # a ratio may underflow
        far = math.log(1e300) - max(scale, math.log(1e-8))
        lower = -far if math.isinf(self.low) else math.log(least) - scale
        upper = far if math.isinf(self.high) else scale - math.log(largest)
        return lower, upper

    def place(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """x and dx/dt."""
        low, high, s = self.low, self.high, self.scale
        if math.isinf(low) and math.isinf(high):
            return self.centre + s * np.sinh(t), s * np.cosh(t)
        if math.isinf(high):
            return low + s * np.exp(t), s * np.exp(t)
        if math.isinf(low):
            return high - s * np.exp(-t), s * np.exp(-t)
        small = np.exp(-abs(t)) / (1.0 + np.exp(-abs(t)))
        x = np.where(t < 0.0, low + s * small, high - s * small)
        return x, s * small * (1.0 - small)

    def parameter(self, x: FloatArray) -> FloatArray:
        """The t of places inside."""
        low, high, s = self.low, self.high, self.scale
        if math.isinf(low) and math.isinf(high):
            t: FloatArray = np.arcsinh((x - self.centre) / s)
        elif math.isinf(high):
            t = np.log((x - low) / s)
        elif math.isinf(low):
            t = -np.log((high - x) / s)
        else:
            t = np.log(x - low) - np.log(high - x)
        return t


def piece_between(low: float, high: float, marks: list[FloatArray]) -> Piece:
    """The scale is that of the distances from the ends, or of the side that has landmarks there."""
    if math.isfinite(low) and math.isfinite(high):
        return Piece(low, high, 0.0, high - low)
    for found in marks:
        here = found[(found > low) & (found < high)]
        if len(here) < 3:
            continue
        centre = float(np.median(here))
        quarter = here[3 * len(here) // 4] - here[len(here) // 4]
        scale = (
            quarter if math.isinf(low) and math.isinf(high) else min(abs(centre - low), abs(centre - high))
        )
        if scale > 0.0:
            return Piece(low, high, centre, float(scale))
    return Piece(low, high, 0.0, 1.0)


_CLOSELY = 2048
"""So many panels at least, where there may be steps that are narrow."""


def core(piece: Piece, marks: FloatArray, *, closely: bool = False) -> FloatArray:
    """Edges of panels no wider than 1, or much narrower ones, around the landmarks, and at them."""
    lower, upper = piece.range()
    here = marks[(marks > piece.low) & (marks < piece.high)]
    with np.errstate(all="ignore"):
        t = piece.parameter(here)
    t = np.clip(t[np.isfinite(t)], lower, upper)
    ends = (t.min(), t.max()) if len(t) else (-1.0, 1.0)
    start, stop = max(ends[0], lower), min(ends[1], upper)
    if not start < stop:
        start, stop = max(start - 1.0, lower), min(start + 1.0, upper)
    grid = np.linspace(start, stop, max(_CLOSELY if closely else 2, math.ceil(stop - start) + 1))
    return np.unique(np.concatenate([grid, t]))
