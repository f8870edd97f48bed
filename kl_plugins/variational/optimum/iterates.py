"""The iterates of a fit: whether they have come to rest, and how far their average is from the optimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, nan, sqrt

import arviz
import numpy as np
from numpy.typing import ArrayLike
from pymc.model import Model

from kl_plugins.dispatch import kl
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.distance import OptimumDistance, distance_to_optimum
from kl_plugins.variational.optimum.progress import say_above_bar
from kl_plugins.variational.target.contents import contents
from kl_plugins.variational.target.parameters import WatchedParameters
from kl_plugins.variational.target.settings import Seed

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
    ...         kept.keep(iteration, iteration)
    >>> kept.spacing, kept.window().shape, kept.window()[0, 0] // 1000
    (80, (112, 1), np.float64(11.0))
    """

    def __init__(self, size: int, spacing: int) -> None:
        self.spacing = self.due = spacing
        capacity = int(np.clip(MOST_NUMBERS // size, FEWEST_ROWS, MOST_ROWS)) // 2 * 2
        self._rows = np.empty((capacity, size))
        self._count = 0

    def keep(self, iterate: ArrayLike, iteration: int) -> None:
        self._rows[self._count] = iterate
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


WITHOUT_MODEL = "its data came in batches: give whole=, a model of the same variables with all of them"
DATA_CHANGE = (
    "its data change during the fit: give all rows to pm.Minibatch with total_size, and not a batch of them "
    "to pm.Data. distance_to_optimum compares a snapshot with a model of all the data"
)
OPTIMUM_SHARE = 0.1
"""How much of the tolerance the error of the optimum may take up."""


class OptimumComparison:
    """Averages of iterates against the best Gaussian of their family.

    Without a model, as of a fit of batches, there is none to be found. Nor is there where the model's data
    change during the fit.

    Attributes
    ----------
    tried : bool
        Whether the optimum was looked for.
    reason : str
        Why it was not found to within the tolerance, after it was looked for; else empty.
    distance : OptimumDistance or None
        Of the average that was compared last; its ELBO gap is NaN unless that was the first.
    """

    def __init__(self, model: Model | None, parameters: WatchedParameters, tolerance: float) -> None:
        self.model, self.parameters, self.tolerance = model, parameters, tolerance
        self.tried = False
        self.reason = ""
        self.distance: OptimumDistance | None = None
        self._data = None if model is None else contents(model)

    def forgotten(self) -> bool:
        """Whether the data are not those of the beginning: an optimum is then of a batch, and is lost."""
        if self.model is None or contents(self.model) == self._data:
            return False
        self.model, self.tried, self.reason, self.distance = None, True, DATA_CHANGE, None
        return True

    @property
    def is_known(self) -> bool:
        """Whether the optimum is known within the tolerance."""
        return self.distance is not None and self.distance.reached

    def find(self, average: FloatArray, random_seed: Seed) -> None:
        """Look for the optimum from an average, given by its coordinates."""
        self.tried = True
        if self.model is None:
            self.reason = WITHOUT_MODEL
            return
        say_above_bar("KLConvergence: computing the optimum of the family to compare with, once per fit")
        try:
            self.distance = distance_to_optimum(
                self.parameters.distribution(average),
                self.model,
                tolerance=OPTIMUM_SHARE * self.tolerance,
                random_seed=random_seed,
                progressbar=False,  # pm.fit has its own
            )
        except (ValueError, ArithmeticError, NotImplementedError) as error:  # the fit itself must not be lost
            self.reason = str(error)
            return
        if not self.distance.reached:
            self.reason = f"the optimum was not found to within the tolerance: {self.distance.reason}"

    def jeffreys_of(self, average: FloatArray) -> float:
        """Jeffreys divergence of an average from the optimum, in nats; NaN where there is no optimum.

        With the optimum's own error on top, where it is known well, so that a claim holds in spite of it.
        `distance` is that of the average from here on.
        """
        if self.distance is None or not self.distance.known:
            return nan
        there, back = self._divergences(average)
        if there + back != self.distance.jeffreys:
            self.distance = replace(
                self.distance,
                jeffreys=there + back,
                kl_to_optimum=there,
                kl_from_optimum=back,
                elbo_gap=nan,
                elbo_gap_error=nan,
            )
        return self.jeffreys_at_most(there + back)

    def jeffreys_of_each(self, averages: list[FloatArray]) -> list[float]:
        """The same of several averages, after which `distance` is what it was."""
        if self.distance is None or not self.distance.known:
            return [nan] * len(averages)
        return [self.jeffreys_at_most(self.jeffreys_to(average)) for average in averages]

    def jeffreys_to(self, coordinates: FloatArray) -> float:
        """Jeffreys divergence of any Gaussian, given by its coordinates, from the optimum that was found."""
        return sum(self._divergences(coordinates))

    def jeffreys_at_most(self, divergence: float) -> float:
        """A Jeffreys divergence from the optimum that was found, with the optimum's error on top."""
        assert self.distance is not None
        error = self.distance.sampling_error if self.is_known else 0.0
        return (sqrt(divergence) + sqrt(error)) ** 2

    def iterations_to(self, window: Window, spacing: int) -> float:
        """Iterations until the optimum is within the tolerance, at the speed of a window's halves.

        The root of the Jeffreys divergence is a distance near the optimum; infinite where it grows, 0 where
        the second half has arrived.
        """
        halves = _averages(window.coordinates, 2)
        before, now = (sqrt(self.jeffreys_at_most(self.jeffreys_to(half))) for half in halves)
        if now <= sqrt(self.tolerance):
            return 0.0
        if not now < before:
            return inf
        apart = 0.5 * len(window.coordinates) * spacing
        return float((now - np.sqrt(self.tolerance)) / (before - now) * apart)

    def _divergences(self, average: FloatArray) -> tuple[float, float]:
        assert self.distance is not None
        p, q = self.parameters.distribution(average), self.distance.optimum
        return float(kl(p, q)), float(kl(q, p))
