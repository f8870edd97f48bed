"""The iterates of a fit: which are kept, and whether they have come to rest, in nats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import arviz
import numpy as np

from kl_plugins.ops.protocol import FloatArray

MOST_NUMBERS = 2**24
"""Numbers that are kept of all iterates (128 MB)."""
MOST_ROWS, FEWEST_ROWS = 256, 64
QUARTERS = 4
BATCHES = 16
"""Averages of consecutive iterates that a first estimate of the error of the whole average comes from."""
MOVING = 1.1
"""Split-R̂ from which a coordinate is taken to move still."""
COORDINATES = 6
"""So many coordinates, those with the largest error, have it estimated by ArviZ."""


class Iterates:
    """Evenly spaced iterates of a run, in bounded memory.

    When the memory is full every second one is dropped, and from then on the spacing is twice as wide. The
    window is the second half of what is kept: the last half of the run, however long it is.

    Parameters
    ----------
    size : int
        Numbers in an iterate.
    spacing : int
        Iterations between the iterates that are kept at first.

    Attributes
    ----------
    due : int
        The iteration whose iterate is to be kept next.

    Examples
    --------
    >>> import numpy as np
    >>> from kl_plugins.variational.optimum.iterates import Iterates
    >>> kept = Iterates(size=1, spacing=10)
    >>> for iteration in range(1, 20_001):
    ...     if iteration >= kept.due:
    ...         kept.next_row[:] = iteration
    ...         kept.keep(iteration)
    >>> kept.spacing, kept.window().shape, kept.window()[0, 0] // 1000
    (80, (112, 1), np.float64(11.0))
    """

    def __init__(self, size: int, spacing: int) -> None:
        self.spacing = self.due = spacing
        capacity = int(np.clip(MOST_NUMBERS // size, FEWEST_ROWS, MOST_ROWS)) // 2 * 2
        self._rows = np.empty((capacity, size))
        self._count = 0

    @property
    def next_row(self) -> FloatArray:
        """Where the next iterate is to be written, before it is kept."""
        row: FloatArray = self._rows[self._count]
        return row

    def keep(self, iteration: int) -> None:
        """Keep what `next_row` holds."""
        self._count += 1
        if self._count == len(self._rows):
            self._count //= 2
            self._rows[: self._count] = self._rows[1::2].copy()
            self.spacing *= 2
        self.due = iteration + self.spacing

    def window(self) -> FloatArray:
        """The iterates of the last half of the run; their number is a multiple of 16."""
        length = (self._count - self._count // 2) // BATCHES * BATCHES
        return self._rows[self._count - length : self._count]


@dataclass(frozen=True)
class Window:
    """Iterates in coordinates, with what they say about their average.

    Attributes
    ----------
    average : ndarray, shape (k,)
    rhat : ndarray, shape (k,)
        Split-R̂ of every coordinate, over the quarters of the window. It does not depend on units.
    drift : float
        The largest Jeffreys divergence, in nats, between the averages over two of the quarters, of the
        coordinates that move still (R̂ above 1.1) alone.
    jeffreys : float
        Expected Jeffreys divergence, in nats, of the average from its limit, from the spread of the averages
        of 16 batches.
    """

    coordinates: FloatArray
    average: FloatArray
    rhat: FloatArray
    drift: float
    jeffreys: float
    whiten: Callable[[FloatArray, FloatArray], FloatArray]
    _errors: FloatArray

    @classmethod
    def of(cls, coordinates: FloatArray, whiten: Callable[[FloatArray, FloatArray], FloatArray]) -> Window:
        """The window of iterates given by their coordinates, shape (n, k), n a multiple of 16.

        `whiten` takes deviations from an average and the average; the sum of squares of what it gives
        is a Jeffreys divergence, to second order in the deviations: a mean counts (Δμ/σ)², a log
        scale 2 (Δ log σ)², and correlated coordinates the squares of L⁻¹Δμ and L⁻¹ΔL (twice those of the
        diagonal).
        """
        average = coordinates.mean(axis=0)
        rhat = split_rhat(coordinates)
        quarters = _averages(coordinates, QUARTERS)
        moving, drift = rhat > MOVING, 0.0
        if moving.any():
            moves = whiten(np.where(moving, quarters - average, 0.0), average)
            drift = max(float(np.max(np.sum((move - moves) ** 2, axis=1))) for move in moves)
        batches = whiten(_averages(coordinates, BATCHES) - average, average)
        errors = np.sum(batches**2, axis=0) / (BATCHES * (BATCHES - 1))
        return cls(coordinates, average, rhat, drift, float(errors.sum()), whiten, errors)

    def halves(self) -> FloatArray:
        """Averages over the first and the second half, shape (2, k)."""
        return _averages(self.coordinates, 2)

    def careful_jeffreys(self) -> float:
        """`jeffreys` by ArviZ's Monte Carlo standard errors, which see longer correlations than batches.

        For the few coordinates with the largest errors; the others' errors are taken to be wrong by as much.
        """
        worst = np.argsort(self._errors)[-COORDINATES:]
        series = self.whiten(self.coordinates - self.average, self.average)[:, worst]
        varies = np.ptp(series, axis=0) > 0.0
        errors = [
            float(np.squeeze(arviz.mcse(column.reshape(2, -1), method="mean"))) ** 2
            for column in series.T[varies]
        ]
        first_estimate = float(self._errors[worst].sum())
        return self.jeffreys * max(sum(errors) / first_estimate, 1.0) if first_estimate else 0.0


def split_rhat(coordinates: FloatArray) -> FloatArray:
    """Split-R̂ over the quarters of a series, of every column; 1 for one that does not vary.

    ArviZ's ``rhat(..., method="split")`` of the two halves as chains, for all columns at once. Source:
    A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Bürkner (2021), arXiv:1903.08008.
    """
    length = len(coordinates) // QUARTERS
    parts = coordinates.reshape(QUARTERS, length, -1)
    between = parts.mean(axis=1).var(axis=0, ddof=1)
    within = parts.var(axis=1, ddof=1).mean(axis=0)
    # A coordinate that only rounding moves is at rest.
    still = between + within <= (1e-12 * np.abs(coordinates).max(axis=0)) ** 2
    with np.errstate(divide="ignore"):
        ratio = np.divide(between, within, out=np.full_like(within, np.inf), where=within > 0.0)
    rhat: FloatArray = np.where(still, 1.0, np.sqrt((length - 1) / length + ratio))
    return rhat


def _averages(coordinates: FloatArray, parts: int) -> FloatArray:
    averages: FloatArray = coordinates.reshape(parts, len(coordinates) // parts, -1).mean(axis=1)
    return averages
