"""The ELBO over fixed draws, a deterministic function of a Gaussian, and its maximum."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.conjugate_gradients import conjugate_gradients
from kl_plugins.variational.optimum.draw_counts import draws_for_curvature
from kl_plugins.variational.optimum.hessians import (
    Target,
    expected_hessian,
    positive_eigen,
    ratios_or_ones,
    resolution,
)
from kl_plugins.variational.optimum.quasi_random import mirrored, normal_draws, with_exact_moments
from kl_plugins.variational.optimum.scale_families import ConstantMetric, Gaussian, ScaleFamily

RESTARTS = 30
ITERATIONS = 60
NEAR = 1.0
"""Jeffreys divergence, in nats, below which Newton's method takes over from L-BFGS."""
LARGEST_LOG_SCALE = 4.0
"""How far one run may take the logarithm of a scale, so that no step overflows the log density."""
DENSE_DIMENSIONS = 300
"""Up to so many dimensions the means are preconditioned by the whole Hessian."""
SHORTEST_STEP = 1e-5
"""Of one-sided differences of gradients, in sds; longer near the resolution of floats."""
SOLVER_STEPS = 80
SOLVER_ACCURACY = 1e-3
NOISE = 1e-9
"""Nats that are rounding."""
GAP_DRAWS, SMALL_ERROR = 128, 1e-3
"""A difference of ELBOs over so many draws is enough if its relative error is no more than this."""


class Minimum(NamedTuple):
    """Where a run ended: the Gaussian, −ELBO there, and the Jeffreys divergence left to the minimum."""

    gaussian: Gaussian
    value: float
    remaining: float


def negative_elbo(target: Target, family: ScaleFamily, gaussian: Gaussian, draws: FloatArray) -> float:
    """−E_q[log p − log q] over the draws, in nats; infinite where the log density is −∞ or NaN at one."""
    values, _ = target(gaussian.mean + family.spread(gaussian.root, draws))
    if not np.isfinite(values).all():
        return np.inf
    dimension = len(gaussian.mean)
    return float(
        -values.mean() - family.log_det(gaussian.root) - 0.5 * dimension * (1.0 + np.log(2.0 * np.pi))
    )


def elbo_gap(
    target: Target, family: ScaleFamily, q: Gaussian, best: Gaussian, count: int, rng: np.random.Generator
) -> tuple[float, float]:
    """ELBO(best) − ELBO(q) over fresh draws, common to both, and its standard error, in nats.

    Over four sets of so many draws, or as few as leave an error that is nothing. The gap is not negative, so
    that a negative estimate within its noise counts as 0.
    """
    few = min(count, GAP_DRAWS)
    while True:
        gaps = []
        for _ in range(4):
            draws = normal_draws(few, family.dimension, rng)
            gaps.append(negative_elbo(target, family, q, draws) - negative_elbo(target, family, best, draws))
        finite = bool(np.isfinite(gaps).all())
        gap, error = float(np.mean(gaps)), float(np.std(gaps, ddof=1) / 2.0) if finite else np.inf
        if few == count or not finite or error <= max(SMALL_ERROR * abs(gap), NOISE):
            return 0.0 if finite and -max(3.0 * error, NOISE) <= gap < 0.0 else gap, error
        few = count


@np.errstate(over="ignore", invalid="ignore")
def minimise(
    target: Target,
    family: ScaleFamily,
    start: Gaussian,
    draws: FloatArray,
    accuracy: float,
    ratios: FloatArray | None = None,
) -> Minimum:
    """The Gaussian of the family with the largest ELBO over fixed draws, shape (n, d), weighted by `ratios`.

    In coordinates around a reference in which the Fisher information is constant, with the means rotated so
    that their Hessian is the identity: L-BFGS while far, Newton's method (conjugate gradients, with products
    of the Hessian by differences of gradients) when near; then again around where that ended. The squared
    length of Newton's step is, to second order, the Jeffreys divergence that is left. The gradient's
    would not do: where means and scales trade off, as in a funnel, it is thousands of times smaller. A step
    within `accuracy` is the last one, and leaves less than its own length.
    """
    gaussian, remaining = start, np.inf
    for _ in range(RESTARTS):
        whitened = WhitenedELBO(target, family, gaussian, draws, ratios=ratios)
        if not np.isfinite(whitened.value):
            return Minimum(gaussian, np.inf, np.inf)
        if resolution(gaussian) > 1.0:  # its draws are no more than rounding
            break
        step, remaining = whitened.newton_step(accuracy)
        if remaining <= accuracy:
            gained = -0.5 * float(whitened.slope @ step)
            return Minimum(whitened.gaussian(step), whitened.elbo_loss() - gained, remaining)
        found = whitened.lowered(step, remaining) if remaining <= NEAR else None
        found = whitened.far_minimum() if found is None else found
        if not found.any() and np.isfinite(remaining):  # L-BFGS was stuck
            found = whitened.lowered(step, remaining)
        if found is None or not found.any():
            break
        gaussian = whitened.gaussian(found)
    return Minimum(gaussian, whitened.elbo_loss(), remaining)


class WhitenedELBO:
    """Coordinates (v, τ) around a reference Gaussian and −ELBO as a function of them."""

    def __init__(
        self,
        target: Target,
        family: ScaleFamily,
        reference: Gaussian,
        draws: FloatArray,
        dense_dimensions: int = DENSE_DIMENSIONS,
        ratios: FloatArray | None = None,
    ) -> None:
        self.target, self.family, self.reference, self.draws = target, family, reference, draws
        self.ratios = ratios_or_ones(draws, ratios)
        self.dimension = len(reference.mean)
        self.rotation = None if self.dimension > dense_dimensions else self._rotation()
        self.chart = family.around(reference.root)
        self.weights: FloatArray = np.concatenate([np.ones(self.dimension), self.chart.metric])
        self.value, self.slope = self(np.zeros(len(self.weights)))

    def over(self, draws: FloatArray, ratios: FloatArray | None = None) -> WhitenedELBO:
        """The same coordinates, and −ELBO over other draws."""
        part = copy(self)
        part.draws, part.ratios = draws, ratios_or_ones(draws, ratios)
        part.value, part.slope = part(np.zeros(len(self.weights)))
        return part

    def around(self, coordinates: FloatArray) -> WhitenedELBO:
        """The same around a Gaussian close by, of which the coordinates are given."""
        part = copy(self)
        part.reference = self.gaussian(coordinates)
        part.chart = self.family.around(part.reference.root)
        part.value, part.slope = part(np.zeros(len(self.weights)))
        return part

    def __call__(self, coordinates: FloatArray) -> tuple[float, FloatArray]:
        """−ELBO (up to a constant) and its gradient by the coordinates, over √weights."""
        value, slopes = self.of_sets(coordinates, 1)
        return value, slopes[0]

    def of_sets(self, coordinates: FloatArray, sets: int) -> tuple[float, FloatArray]:
        """−ELBO over all draws, and its gradients over that many sets of them, shape (sets, k)."""
        u, change = self.unpacked(coordinates)
        w = u + self.chart.spread(change, self.draws)
        values, gradients = self.target(self.reference.mean + self.family.spread(self.reference.root, w))
        if not (np.isfinite(values).all() and np.isfinite(gradients).all()):
            return np.inf, np.zeros((sets, len(coordinates)))
        pulled = -self.family.pull(self.reference.root, gradients) * self.ratios[:, None]
        slopes = []
        for some, draws in zip(np.split(pulled, sets), np.split(self.draws, sets), strict=True):
            slope_u = some.mean(axis=0)
            slope_u = slope_u if self.rotation is None else slope_u @ self.rotation
            slope_t = self.chart.slope(some, draws, change) - self.chart.log_det_slope(change)
            slopes.append(np.concatenate([slope_u, slope_t]) / np.sqrt(self.weights))
        return float(-np.mean(values * self.ratios) - self.chart.log_det(change)), np.stack(slopes)

    def far_minimum(self) -> FloatArray:
        """Coordinates where L-BFGS ends."""
        last: list[Any] = []
        enough = 1e-3 * min(NEAR, float(self.slope @ self.slope))

        def objective(coordinates: FloatArray) -> tuple[float, FloatArray]:
            value, slope = self(coordinates)
            last[:] = [coordinates.copy(), slope]
            if not np.isfinite(value):  # the line search takes it for a wall, and turns back
                return 10.0 * (1.0 + abs(self.value)), slope
            return value - self.value, slope

        def stop(intermediate_result: Any) -> None:
            if np.array_equal(last[0], intermediate_result.x) and last[1] @ last[1] <= enough:
                raise StopIteration

        upper = np.full(len(self.weights), np.inf)
        upper[self.dimension :] = np.where(self.chart.logarithms, LARGEST_LOG_SCALE, np.inf)
        upper = upper * np.sqrt(self.weights)
        options = {"maxiter": ITERATIONS, "gtol": 0.0, "ftol": 0.0, "maxcor": 20}
        bounds = np.column_stack([-upper, upper])
        start = np.zeros_like(upper)
        result = minimize(
            objective, start, jac=True, method="L-BFGS-B", bounds=bounds, callback=stop, options=options
        )
        found: FloatArray = result.x
        return found

    def newton_step(self, accuracy: float) -> tuple[FloatArray, float]:
        """Newton's step from the reference and its squared length; infinite where that is no minimum's.

        It is a rough one where its squared length is above `accuracy`.
        """
        step = np.zeros_like(self.slope)
        if self.slope @ self.slope > NEAR:
            return step, np.inf
        few, longest = draws_for_curvature(self.family), accuracy
        counts = [few]
        if not isinstance(self.chart, ConstantMetric):
            # A long step may change little. And over all draws there is curvature where some have none.
            longest = np.inf
            counts += [len(self.draws)] * (few < len(self.draws))
        found = None
        for count in counts:
            if found is None:
                products = self.hessian_products(count)
                found = conjugate_gradients(products, -self.slope, SOLVER_ACCURACY, SOLVER_STEPS, longest)
        return (step, np.inf) if found is None else (found, self.squared_length(found))

    def squared_length(self, step: FloatArray) -> float:
        """The Jeffreys divergence of a small step."""
        means, scales = np.split(step / np.sqrt(self.weights), [self.dimension])
        return float(means @ means) + self.chart.squared_length(scales)

    def lowered(self, step: FloatArray, squared_length: float) -> FloatArray | None:
        """The step, shortened to where the reference's geometry holds, if it lowers −ELBO; else None."""
        longest = min(1.0, float(np.sqrt(NEAR / squared_length)))
        for length in (longest, 0.25 * longest):
            value, _ = self(length * step)
            if value < self.value:
                return length * step
        return None

    def elbo_loss(self) -> float:
        """−ELBO at the reference, in nats."""
        constant = 0.5 * self.dimension * (1.0 + np.log(2.0 * np.pi))
        return float(self.value - self.family.log_det(self.reference.root) - constant)

    def hessian_products(self, most: int) -> Callable[[FloatArray], FloatArray]:
        """Hessian times vector at the reference, by differences of gradients over so many of the draws."""
        half, enough = len(self.draws) // 2, most // 2
        part = self
        # The Hessian changes the steps, not where they end: that over fewer draws will do.
        if enough < half:
            ratios = self.ratios[:enough] / self.ratios[:enough].mean()
            some = mirrored(with_exact_moments(self.draws[:enough], ratios))
            part = self.over(some, np.concatenate([ratios, ratios]))
        base = part.slope

        length = max(SHORTEST_STEP, float(np.sqrt(resolution(self.reference))))

        def product(direction: FloatArray) -> FloatArray:
            step = length / np.sqrt(direction @ direction)
            value, slope = part(step * direction)
            if not np.isfinite(value):
                return np.full_like(direction, np.nan)
            image: FloatArray = (slope - base) / step
            image[self.dimension :] += self.chart.support(direction[self.dimension :])
            return image

        return product

    def gaussian(self, coordinates: FloatArray) -> Gaussian:
        u, change = self.unpacked(coordinates)
        mean = self.reference.mean + self.family.spread(self.reference.root, u)
        return Gaussian(mean, self.chart.compose(self.reference.root, change))

    def unpacked(self, coordinates: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(u, T), so that the draws of the Gaussian at these coordinates are m₀ + C₀ (u + T z)."""
        scaled = coordinates / np.sqrt(self.weights)
        u, t = scaled[: self.dimension], scaled[self.dimension :]
        return (u if self.rotation is None else self.rotation @ u), self.chart.change(t)

    def _rotation(self) -> FloatArray | None:
        """R with Rᵀ H R = I, H the expected Hessian by the means; None where it is near the identity.

        In the full-rank family the reference itself whitens it.
        """
        d = self.dimension
        if self.family.every_correlation:
            return None
        count = int(np.clip(len(self.draws) // (2 * d), 1, 16))
        centres, ratios = self.draws[:count], self.ratios[:count]
        hessian = expected_hessian(self.target, self.family, self.reference, centres, ratios=ratios)
        if hessian is None:
            return None
        vectors, roots = positive_eigen(hessian)
        return vectors / roots
