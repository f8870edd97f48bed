"""A ladder of learning rates after RABVI, for comparison: stochastic steps that know when to stop.

M. Welandawe, M. R. Andersen, A. Vehtari, J. H. Huggins (2022), arXiv:2203.15945, with the settings of the
authors' package viabel 0.5.1, which imports PyStan 2 and so cannot be used with a current Python. At a fixed
learning rate until split-R̂ of the iterates is below 1.1; their average until its Monte Carlo error is
small; then half the rate, from the average. RMSProp at the first rate, averaged Adam at the others, ten draws
a step. The symmetrised KL divergences between the averages, C γ² at the rate γ, predict what remains. It
stops, and claims the tolerance, once that is within it. Without the paper's second reason to stop, that more
accuracy is not worth its cost.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks.common import processor_time
from kl_plugins import Cholesky, jeffreys
from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.variational.target.density import TargetDensity

FIRST_RATE, FACTOR, DRAWS = 0.3, 0.5, 10
LEAST_WINDOW, MOST_RHAT, FIRST_ERROR = 200, 1.1, 0.1
LEAST_SIZE = LEAST_WINDOW // 8


class Fit(NamedTuple):
    """Where the ladder ended: whether it claims the tolerance, and what it took."""

    distribution: NamedMultivariateNormal
    claimed: bool
    seconds: float
    steps: int


class MeanField:
    """Means and logarithms of standard deviations."""

    def __init__(self, dimension: int) -> None:
        self.dimension, self.size = dimension, 2 * dimension

    def start(self, point: Any) -> Any:
        return np.concatenate([point, np.full(self.dimension, np.log(np.log(2.0)))])  # PyMC's

    def points(self, row: Any, z: Any) -> Any:
        return row[: self.dimension] + z * np.exp(row[self.dimension :])

    def slope(self, row: Any, gradients: Any, z: Any) -> Any:
        scales = -np.mean(gradients * z, axis=0) * np.exp(row[self.dimension :]) - 1.0
        return np.concatenate([-gradients.mean(axis=0), scales])

    def units(self, row: Any) -> Any:
        """What Monte Carlo errors of the parameters are measured in."""
        return np.concatenate([np.exp(row[self.dimension :]), np.ones(self.dimension)])

    def covariance(self, row: Any) -> Any:
        return DiagonalScales(np.exp(row[self.dimension :]))


class FullRank:
    """Means and Cholesky factor, with logarithms of its diagonal."""

    def __init__(self, dimension: int) -> None:
        self.dimension, self.triangle = dimension, np.tril_indices(dimension)
        self.size = dimension + len(self.triangle[0])
        self.diagonal = dimension + np.flatnonzero(self.triangle[0] == self.triangle[1])

    def start(self, point: Any) -> Any:
        row = np.zeros(self.size)
        row[: self.dimension], row[self.diagonal] = point, np.log(np.log(2.0))
        return row

    def factor(self, row: Any) -> Any:
        values = row.copy()
        values[self.diagonal] = np.exp(row[self.diagonal])
        matrix = np.zeros((self.dimension, self.dimension))
        matrix[self.triangle] = values[self.dimension :]
        return matrix

    def points(self, row: Any, z: Any) -> Any:
        return row[: self.dimension] + z @ self.factor(row).T

    def slope(self, row: Any, gradients: Any, z: Any) -> Any:
        matrix = -(gradients.T @ z / len(z))[self.triangle]
        slopes = np.concatenate([-gradients.mean(axis=0), matrix])
        slopes[self.diagonal] = slopes[self.diagonal] * np.exp(row[self.diagonal]) - 1.0
        return slopes

    def units(self, row: Any) -> Any:
        scales = np.linalg.norm(self.factor(row), axis=1)
        units = np.concatenate([scales, scales[self.triangle[0]]])
        units[self.diagonal] = 1.0
        return units

    def covariance(self, row: Any) -> Any:
        return Cholesky(self.factor(row))


def rabvi(model: Any, method: str, tolerance: float, seed: int, steps: int) -> Fit:
    """Climb down the ladder for at most so many steps."""
    began, rng = processor_time(), np.random.default_rng(seed)
    target = TargetDensity(model)
    family = (MeanField if method == "advi" else FullRank)(target.dimension)

    def slope(row: Any) -> Any:
        z = rng.standard_normal((DRAWS, target.dimension))
        _, gradients = target(family.points(row, z))
        return family.slope(row, gradients, z)

    def distribution(row: Any) -> NamedMultivariateNormal:
        return NamedMultivariateNormal(row[: target.dimension], family.covariance(row), target.variables)

    average, rate, error, left = family.start(target.initial), FIRST_RATE, FIRST_ERROR, steps
    divergences: list[float] = []
    rates: list[float] = []
    claimed, before = False, None
    while left > 0 and not claimed:
        step = RMSProp() if before is None else AveragedAdam()
        average, used, settled = at_one_rate(slope, step, family, average, rate, error, left)
        left -= used
        if not settled:
            break
        if before is not None:
            divergences.append(float(jeffreys(distribution(before), distribution(average))))
            rates.append(rate)
            claimed = len(rates) > 1 and predicted(divergences, rates) <= tolerance
        before, rate, error = average, FACTOR * rate, FACTOR * error
    return Fit(distribution(average), claimed, processor_time() - began, steps - left)


def predicted(divergences: list[float], rates: list[float]) -> float:
    """C γ² at the last rate γ, by divergences C (γ' − γ)² between successive rates; later ones count more."""
    age = np.arange(len(rates))[::-1]
    weights = (1.0 + age**2 / 9.0) ** -0.25
    scaled = np.log(divergences) - 2.0 * np.log((1.0 / FACTOR - 1.0) * np.array(rates))
    return float(np.exp(np.average(scaled, weights=weights)) * rates[-1] ** 2)


def at_one_rate(
    slope: Any, step: Any, family: Any, row: Any, rate: float, error: float, most: int
) -> tuple[Any, int, bool]:
    """The average of the iterates at rest, the number of steps, and whether they did come to rest."""
    history = np.empty((min(most, 2**14), family.size))
    began, due = None, 0
    for k in range(most):
        row = row - rate * step(slope(row))
        if not np.isfinite(row).all():
            break
        if k == len(history):
            history = np.concatenate([history, np.empty_like(history)])
        history[k] = row
        if began is None and k % LEAST_WINDOW == 0 and int(0.95 * k) > LEAST_WINDOW:
            windows = np.linspace(LEAST_WINDOW, int(0.95 * k), 5).astype(int)
            rhats = [split_rhat(history[k + 1 - window : k + 1]) for window in windows]
            if min(rhats) <= MOST_RHAT:
                due = int(windows[np.argmin(rhats)])
                began = k - due
        if began is not None and k - began == due:
            kept = history[began + 1 : k + 1]
            average, sizes = kept.mean(axis=0), effective_sizes(kept)
            errors = kept.std(axis=0, ddof=1) / np.sqrt(sizes) / family.units(average)
            if errors.max() < error and sizes.min() > LEAST_SIZE:
                return average, k + 1, True
            due = int(1.1 * due + 1)
    k += 1
    return history[max(0, k // 2) : max(k - 1, 1)].mean(axis=0), k, False


def split_rhat(rows: Any) -> float:
    half = len(rows) // 2
    parts = rows[: 2 * half].reshape(2, half, -1)
    within = parts.var(axis=1, ddof=1).mean(axis=0) + 1e-8
    between = parts.mean(axis=1).var(axis=0, ddof=1)
    return float(np.sqrt((half - 1) / half + between / within).max())


def effective_sizes(rows: Any) -> Any:
    """By Geyer's initial positive sequence, of every column."""
    n = len(rows)
    spectrum = np.fft.rfft(rows - rows.mean(axis=0), n=2 * n, axis=0)
    covariances = np.fft.irfft(abs(spectrum) ** 2, axis=0)[:n] / n
    correlations = covariances / np.maximum(covariances[0], 1e-300)
    pairs = correlations[: 2 * (n // 2)].reshape(n // 2, 2, -1).sum(axis=1)
    positive = np.minimum.accumulate(pairs > 0.0, axis=0)
    times = np.maximum(2.0 * np.sum(pairs * positive, axis=0) - 1.0, 1.0 / np.log10(n))
    return n / times


class RMSProp:
    squares: Any = None

    def __call__(self, slope: Any) -> Any:
        self.squares = slope**2 if self.squares is None else 0.9 * self.squares + 0.1 * slope**2
        return slope / np.sqrt(1e-8 + self.squares)


class AveragedAdam:
    """Its normaliser is the mean of all squared gradients: the bias is proportional to the rate."""

    momentum: Any = 0.0
    squares: Any = 0.0
    count = 0

    def __call__(self, slope: Any) -> Any:
        self.count += 1
        self.momentum = slope if self.count == 1 else 0.9 * self.momentum + 0.1 * slope
        self.squares = self.squares + (slope**2 - self.squares) / self.count
        return self.momentum / np.sqrt(1e-8 + self.squares)
