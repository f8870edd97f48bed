"""The ELBO over fixed draws, a deterministic function of a Gaussian, and its maximum."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from kl_plugins.variational.scale_families import Gaussian, ScaleFamily

Array = NDArray[np.float64]
Target = Callable[[Array], tuple[Array, Array]]

RESTARTS = 20
ITERATIONS = 60
LARGEST_LOG_SCALE = 4.0
"""How far one run may take the logarithm of a scale, so that no step overflows the log density."""
DENSE_DIMENSIONS = 300
"""Up to so many dimensions the means are preconditioned by the whole Hessian."""


class Minimum(NamedTuple):
    """Where a run ended: the Gaussian, −ELBO there, and the Jeffreys divergence that is left to the minimum."""

    gaussian: Gaussian
    value: float
    remaining: float


def negative_elbo(target: Target, family: ScaleFamily, gaussian: Gaussian, draws: Array) -> float:
    """−E_q[log p − log q] over the draws, in nats; infinite where the log density is −∞ or NaN at one."""
    values, _ = target(gaussian.mean + family.spread(gaussian.root, draws))
    if not np.isfinite(values).all():
        return np.inf
    dimension = len(gaussian.mean)
    return float(
        -values.mean() - family.log_det(gaussian.root) - 0.5 * dimension * (1.0 + np.log(2.0 * np.pi))
    )


def minimise(
    target: Target, family: ScaleFamily, start: Gaussian, draws: Array, accuracy: float
) -> Minimum:
    """The Gaussian of the family with the largest ELBO over fixed draws.

    L-BFGS in coordinates around a reference in which the Fisher information is constant, with the means
    rotated so that their Hessian is the identity; started again around where it ended until that no longer
    moves. The squared length of the natural gradient there is, to second order, the Jeffreys divergence that
    is left.

    Parameters
    ----------
    target : callable
        Points of shape (n, d) → log densities and gradients.
    family : ScaleFamily
    start : Gaussian
    draws : ndarray, shape (n, d)
    accuracy : float
        Jeffreys divergence, in nats, at which to stop.
    """
    gaussian, remaining, value = start, np.inf, np.inf
    for _ in range(RESTARTS):
        chart = Chart(target, family, gaussian, draws)
        if not np.isfinite(chart.origin_value):
            return Minimum(gaussian, np.inf, np.inf)
        found = chart.minimise(accuracy)
        gaussian, value, remaining = chart.gaussian(found), *chart.at(found)
        if remaining <= accuracy and chart.distance(found) <= 1.0:
            break
    return Minimum(gaussian, value, remaining)


class Chart:
    """Coordinates (v, τ) around a reference Gaussian and −ELBO as a function of them."""

    def __init__(self, target: Target, family: ScaleFamily, reference: Gaussian, draws: Array) -> None:
        self.target, self.family, self.reference, self.draws = target, family, reference, draws
        self.dimension = len(reference.mean)
        self.rotation = self._rotation()
        self.weights: Array = np.concatenate([np.ones(self.dimension), family.metric])
        self.penalty = 0.0
        self._last: tuple[Array, float, Array] | None = None
        self.origin_value, _ = self(np.zeros(len(self.weights)))
        self.offset = self.origin_value

    def __call__(self, coordinates: Array) -> tuple[float, Array]:
        """−ELBO (up to a constant) and its gradient by the coordinates, over √weights."""
        u, change = self._unpacked(coordinates)
        w = u + self.family.spread(change, self.draws)
        values, gradients = self.target(self.reference.mean + self.family.spread(self.reference.root, w))
        finite = bool(np.isfinite(values).all() and np.isfinite(gradients).all())
        if not finite:
            return np.inf, np.zeros_like(coordinates)
        pulled = -self.family.pull(self.reference.root, gradients)
        slope_u = pulled.mean(axis=0)
        slope_u = slope_u if self.rotation is None else slope_u @ self.rotation
        slope_t = self.family.slope(pulled, self.draws, change) - self.family.logarithms
        value = float(-values.mean() - self.family.log_det(change))
        return value, np.concatenate([slope_u, slope_t]) / np.sqrt(self.weights)

    def minimise(self, accuracy: float) -> Array:
        """L-BFGS from the reference; returns coordinates."""
        small = 0.5 * accuracy

        def objective(coordinates: Array) -> tuple[float, Array]:
            value, slope = self(coordinates)
            if not np.isfinite(value):  # the line search takes it for a wall, and turns back
                return 10.0 * (1.0 + abs(self.origin_value)), slope
            self._last = (coordinates.copy(), value, slope)
            return value - self.offset, slope

        def stop(intermediate_result: object) -> None:
            last = self._last
            if last is not None and np.array_equal(last[0], intermediate_result.x) and last[2] @ last[2] <= small:  # type: ignore[attr-defined]
                raise StopIteration

        limit = LARGEST_LOG_SCALE * np.sqrt(2.0)
        upper = np.full(len(self.weights), np.inf)
        upper[self.dimension :][self.family.logarithms] = limit
        result = minimize(
            objective,
            np.zeros(len(self.weights)),
            jac=True,
            method="L-BFGS-B",
            bounds=np.column_stack([-upper, upper]),
            callback=stop,
            options={"maxiter": ITERATIONS, "gtol": np.sqrt(small / len(self.weights)), "ftol": 0.0, "maxcor": 20},
        )
        found: Array = result.x
        return found

    def at(self, coordinates: Array) -> tuple[float, float]:
        """−ELBO and the squared length of its natural gradient."""
        if self._last is not None and np.array_equal(self._last[0], coordinates):
            _, value, slope = self._last
        else:
            value, slope = self(coordinates)
        constant = self.family.log_det(self.reference.root) + 0.5 * self.dimension * (1.0 + np.log(2.0 * np.pi))
        return value - constant, float(slope @ slope)

    def remaining(self) -> float:
        """About the Jeffreys divergence from the reference to the maximum over the draws."""
        value, slope = self(np.zeros(len(self.weights)))
        return float(slope @ slope) if np.isfinite(value) else np.inf

    def gaussian(self, coordinates: Array) -> Gaussian:
        u, change = self._unpacked(coordinates)
        mean = self.reference.mean + self.family.spread(self.reference.root, u)
        return Gaussian(mean, self.family.compose(self.reference.root, change))

    def distance(self, coordinates: Array) -> float:
        """About the Jeffreys divergence from the reference."""
        return float(coordinates @ coordinates)

    def _unpacked(self, coordinates: Array) -> tuple[Array, Array]:
        scaled = coordinates / np.sqrt(self.weights)
        u, t = scaled[: self.dimension], scaled[self.dimension :]
        return (u if self.rotation is None else self.rotation @ u), self.family.change(t)

    def _rotation(self) -> Array | None:
        """R with Rᵀ H R = I, H the expected Hessian by the means; None where it is near the identity.

        In the full-rank family the reference itself whitens it.
        """
        d = self.dimension
        if self.family.every_correlation or d > DENSE_DIMENSIONS:
            return None
        centres = self.draws[: int(np.clip(len(self.draws) // (2 * d), 1, 16))]
        hessian = expected_hessian(self.target, self.family, self.reference, centres)
        if hessian is None:
            return None
        vectors, roots = positive_eigen(hessian)
        return vectors / roots


def expected_hessian(
    target: Target, family: ScaleFamily, reference: Gaussian, centres: Array, step: float = 1e-4
) -> Array | None:
    """Mean of −∇² log p at the whitened points `centres`, by differences of gradients; whitened too."""
    d = len(reference.mean)
    offsets = step * np.concatenate([np.eye(d), -np.eye(d)])
    whitened = (centres[:, None, :] + offsets).reshape(-1, d)
    _, gradients = target(reference.mean + family.spread(reference.root, whitened))
    pulled = family.pull(reference.root, gradients).reshape(len(centres), 2, d, d)
    hessians = (pulled[:, 1] - pulled[:, 0]) / (2.0 * step)
    finite = np.isfinite(hessians).all(axis=(1, 2))
    if not finite.any():
        return None
    hessian = hessians[finite].mean(axis=0)
    return 0.5 * (hessian + hessian.T)


def positive_eigen(matrix: Array) -> tuple[Array, Array]:
    """Eigenvectors, and the square roots of the eigenvalues' sizes, none smaller than 10⁻⁵ of the largest."""
    values, vectors = np.linalg.eigh(matrix)
    roots = np.sqrt(np.abs(values))
    return vectors, np.maximum(roots, 1e-5 * max(float(roots.max()), 1e-300))
