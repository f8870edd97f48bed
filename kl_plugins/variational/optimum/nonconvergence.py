"""Why a search for the optimum of a family did not converge, and what rounding hides of it."""

from __future__ import annotations

import numpy as np

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.families.named import NamedMultivariateNormal, element_names
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.discontinuities import displacement_by_discontinuities, find_discontinuity
from kl_plugins.variational.optimum.fixed_draws import DENSE_DIMENSIONS
from kl_plugins.variational.optimum.hessians import Target, expected_hessian, resolution, whitened_target
from kl_plugins.variational.optimum.propriety import endless_direction
from kl_plugins.variational.optimum.reasons import Obstacle, Reason
from kl_plugins.variational.optimum.scale_families import Gaussian, ScaleFamily, scales_of
from kl_plugins.variational.target.density import TargetDensity

LARGE_ROUNDOFF = 1e-3
"""A rounding error of the log density, in nats, that optimisers and differences stumble over."""
MANY = 10.0
"""A longer step, in nats, than near an optimum."""


def why_not_converged(
    target: TargetDensity,
    family: ScaleFamily,
    near: Gaussian,
    goal: float,
    rng: np.random.Generator,
    finite: bool = True,
) -> Obstacle:
    """Why the optimiser did not come to rest, as far as can be told."""
    if along := _endless(target, near):
        return Reason.IMPROPER.told(along=along)
    if not finite:
        return Reason.NOT_FINITE.told()
    noise = roundoff_error(target, family, near, rng)
    if noise > LARGE_ROUNDOFF:
        return Reason.ROUNDOFF.told(noise=noise)
    hidden = hides_optimum(target, family, near, goal)
    return (Reason.COLLINEAR_WITHOUT_REST if hidden else Reason.NO_REST).told()


def _endless(target: TargetDensity, near: Gaussian) -> str:
    """Along what the density does not fall, from the model's own start as from where the search ended."""
    along = ""
    for mean, sd in ((target.initial, np.ones(target.dimension)), (near.mean, scales_of(near))):
        along = endless_direction(target, NamedMultivariateNormal(mean, DiagonalScales(sd), target.variables))
        if not along:
            break
    return along


def discontinuity_obstacle(
    target: TargetDensity, family: ScaleFamily, gaussian: Gaussian, goal: float, rng: np.random.Generator
) -> Obstacle | None:
    """Where the log density jumps, if jumps move the optimum by more than `goal` nats, or may do so."""
    jump = find_discontinuity(target, family, gaussian, rng)
    if jump is None:
        return None
    gap = displacement_by_discontinuities(target, family, gaussian, goal, rng)
    if gap.most <= goal:
        return None
    where, moved = "somewhere", f"up to {gap.most:.2g}"
    if jump.coordinate >= 0:
        name, sd = element_names(target.variables)[jump.coordinate], scales_of(gaussian)[jump.coordinate]
        place = round(jump.place[jump.coordinate], 4 - int(np.floor(np.log10(sd)))) + 0.0
        where = f"at {name} = {place:.6g}"
    if gap.value > goal:
        moved = "many" if gap.value > MANY else f"about {gap.value:.2g}"
    return Reason.DISCONTINUOUS.told(size=jump.size, where=where, moved=moved)


LINES, POINTS, LENGTH = 4, 33, 1e-3
"""Lines through the mean, points on each, and their reach in standard deviations."""
SEEN = 4.0
"""A curvature so many times the error of the Hessian is seen in it."""
LONGEST, SOFTENINGS = 1e10, 4
"""The longest step taken to see a smaller one, and how often the direction is made softer."""


def roundoff_error(
    target: Target, family: ScaleFamily, gaussian: Gaussian, rng: np.random.Generator
) -> float:
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
    hessian = expected_hessian(target, family, gaussian, np.zeros((1, d)), symmetric=False)
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
    whitened = whitened_target(target, family, gaussian)

    def along(places: FloatArray) -> tuple[FloatArray, FloatArray]:
        densities, slopes = whitened(places[:, None] * direction / scales)
        return densities, slopes / scales

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
