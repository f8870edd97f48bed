"""What rounding leaves of a log density: how rough it is, and whether an optimum can be seen through it."""

from __future__ import annotations

import numpy as np

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.fixed_draws import (
    DENSE_DIMENSIONS,
    Target,
    hessian_by_differences,
    resolution,
)
from kl_plugins.variational.optimum.scale_families import Gaussian, ScaleFamily

LINES, POINTS, LENGTH = 4, 33, 1e-3
"""Lines through the mean, points on each, and their reach in standard deviations."""
SEEN = 4.0
"""A curvature so many times the error of the Hessian is seen in it."""
LONGEST, SOFTENINGS = 1e10, 4
"""The longest step taken to see a smaller one, and how often the direction is made softer."""


def roughness(target: Target, family: ScaleFamily, gaussian: Gaussian, rng: np.random.Generator) -> float:
    """Rounding error of the log density near a Gaussian's mean, in nats; NaN where it is not finite there.

    What is left of it, on short lines through the mean, beside the parabola through the points.
    """
    places = np.linspace(-1.0, 1.0, POINTS) * max(LENGTH, resolution(gaussian))
    parabola = np.polynomial.polynomial.polyvander(places / places[-1], 2)
    found = []
    for direction in rng.standard_normal((LINES, len(gaussian.mean))):
        along = np.outer(places, direction / np.linalg.norm(direction))
        values, _ = target(gaussian.mean + family.spread(gaussian.root, along))
        if not np.isfinite(values).all():
            return np.nan
        values = values - values[0]
        rest = values - parabola @ np.linalg.lstsq(parabola, values)[0]
        found.append(float(np.max(abs(rest))))
    return max(found)


def hides_optimum(target: Target, family: ScaleFamily, gaussian: Gaussian, goal: float) -> bool:
    """Whether rounding hides where the optimum is, to `goal` nats (Jeffreys), along the softest direction.

    Where coordinates determine each other closely a curvature may be within the error of the Hessian, which
    its asymmetry shows. Gradients there may be rounding error, and optima over different draws agree because
    nothing moves them. Steps long enough to see the curvature tell, beside the scatter of close gradients.
    """
    d = len(gaussian.mean)
    if not 1 < d <= DENSE_DIMENSIONS:
        return False
    hessian = hessian_by_differences(target, family, gaussian, np.zeros((1, d)))
    if hessian is None or not (np.diagonal(hessian) > 0.0).all():
        return False
    scales = np.sqrt(np.diagonal(hessian))
    scaled = hessian / np.outer(scales, scales)
    values, vectors = np.linalg.eigh(0.5 * (scaled + scaled.T))
    softest = int(np.argmin(abs(values)))
    error = np.linalg.norm(scaled - scaled.T) + d * np.finfo(float).eps
    if abs(values[softest]) > SEEN * error:
        return False
    direction, stiff = vectors[:, softest], abs(values) > SEEN * error

    def along(places: FloatArray) -> tuple[FloatArray, FloatArray]:
        points = gaussian.mean + family.spread(gaussian.root, places[:, None] * direction / scales)
        densities, gradients = target(points)
        return densities, family.pull(gaussian.root, gradients) / scales

    for _ in range(SOFTENINGS):
        for length in np.geomspace(1.0, LONGEST, 21):
            densities, slopes = along(length * np.array([-1.0, 0.0, 1.0]))
            fall = 2.0 * densities[1] - densities[0] - densities[2]
            if not abs(fall) < 1.0:  # it bends here, or ends
                break
        image = (slopes[0] - slopes[2]) / (2.0 * length)
        curvature = image @ direction
        # What is left of stiff directions in this one bends first: take it out, and look farther.
        rest = vectors.T @ (image - curvature * direction)
        direction = direction - vectors[:, stiff] @ (rest[stiff] / values[stiff])
        direction = direction / np.linalg.norm(direction)
    places = np.linspace(-1.0, 1.0, POINTS)
    _, slopes = along(places)
    slopes = slopes @ direction
    scatter = float(np.std(slopes - np.polyval(np.polyfit(places, slopes, 1), places)))
    return not scatter <= curvature * np.sqrt(goal) * np.min(scales)
