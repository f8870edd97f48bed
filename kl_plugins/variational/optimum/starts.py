"""Where to start a search from: at modes, at the model's own start, and at other modes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pymc.model import Model
from scipy.optimize import minimize

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.draw_counts import COARSE_DRAWS, FIRST_DRAWS, draws_for_covariances
from kl_plugins.variational.optimum.fixed_draws import DENSE_DIMENSIONS, minimise
from kl_plugins.variational.optimum.hessians import Target, expected_hessian, positive_eigen
from kl_plugins.variational.optimum.quasi_random import normal_draws
from kl_plugins.variational.optimum.scale_families import Gaussian, MeanFieldScales, ScaleFamily, scales_of
from kl_plugins.variational.optimum.search import NO_FURTHER_STARTS, FurtherStarts
from kl_plugins.variational.optimum.start_points import prior_points
from kl_plugins.variational.target.density import TargetDensity

STEPS = 60
CENTRES = 16
"""Draws over which the curvature of a log density is averaged."""
LENGTHS = 2.0 ** np.arange(2.0, -28.0, -1.0)
ITERATIONS = 200
REST = 1e-3
"""A gradient per standard deviation at which a climb has come to rest."""
DECREMENT = 1e-3
"""Nats below the mode at which the search for it may stop."""
JITTERED = 4
"""Starts about the model's initial point, each coordinate off by up to 1, as PyMC starts its chains."""
NUMBERS = 400
"""So many dimensions, over all climbs, are climbed in, but at least by `FEWEST` of them."""
FEWEST = 3
MOST_MODES = 4
"""So many other modes are fitted."""
SAME = 0.1
"""Nats by which the density at one mode may be below its height at the place of another that is the same."""


class LocalMode(NamedTuple):
    """Where a climb ended, its log density, −∇² log p made positive there, and whether it came to rest."""

    point: FloatArray
    height: float
    hessian: FloatArray
    rests: bool


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # of a density that rises without bound
def at_mode(target: Target, family: ScaleFamily, point: FloatArray) -> Gaussian:
    """The family's Gaussian of the curvature at the mode of the log density uphill of a point."""
    mode = climb(target, point)
    return Gaussian(mode.point, family.from_hessian(mode.hessian))


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def at_average_curvature(
    target: Target, family: ScaleFamily, reference: Gaussian, rng: np.random.Generator
) -> Gaussian:
    """The family's Gaussian of the curvature that the log density has on average over another Gaussian.

    Of the best Gaussian with all correlations Σ⁻¹ = E_q[−∇² log p] (M. Opper, C. Archambeau 2009): this is
    a step towards it, from independent coordinates with the scales of the reference.
    """
    axes, scales = MeanFieldScales(len(reference.mean)), scales_of(reference)
    centres = normal_draws(CENTRES, axes.dimension, rng)
    hessian = expected_hessian(target, axes, Gaussian(reference.mean, scales), centres)
    if hessian is None:
        return reference
    vectors, roots = positive_eigen(hessian)
    positive = (vectors * roots**2) @ vectors.T / np.outer(scales, scales)
    return Gaussian(reference.mean, family.from_hessian(positive))


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def climb(target: Target, point: FloatArray, scales: FloatArray | float = 1.0) -> LocalMode:
    """The mode of the log density uphill of a point; `scales` are those of the first step.

    Newton's method with the Hessian by differences of gradients and its eigenvalues made positive, all
    lengths of a step tried in one call. Where there is no mode (the density of a hierarchical model often
    rises without bound) the search ends after some steps: it is a start, nothing more.
    """
    d = len(point)
    axes = MeanFieldScales(d)
    here = Gaussian(point, np.broadcast_to(scales, d))
    best = float(target(point[None])[0][0])
    hessian, rests = np.eye(d), False
    for _ in range(STEPS):
        found = expected_hessian(target, axes, here, np.zeros((1, d)))
        _, gradients = target(here.mean[None])
        if found is None or not np.isfinite(gradients).all():
            break
        vectors, roots = positive_eigen(found)
        hessian = (vectors * roots**2) @ vectors.T / np.outer(here.root, here.root)
        slope = gradients[0] * here.root
        step = (vectors / roots**2) @ (vectors.T @ slope)
        candidates = here.mean + LENGTHS[:, None] * step * here.root
        values, _ = target(candidates)
        values = np.where(np.isfinite(values), values, -np.inf)
        chosen = int(np.argmax(values))
        rests = bool(0.5 * slope @ step < DECREMENT)
        if not values[chosen] > best:
            break
        scales = 1.0 / np.sqrt(np.diagonal(hessian))
        here = Gaussian(candidates[chosen], scales)
        best = float(values[chosen])
        if rests:
            break
    return LocalMode(here.mean, best, hessian, rests)


def ascend(target: Target, point: FloatArray, scales: FloatArray) -> FloatArray | None:
    """The mode of the log density uphill of a point, of whose scales something is known; None without rest.

    By L-BFGS: of many climbs each costs a fraction of Newton's method, which needs to know nothing.
    """
    value, _ = target(point[None])
    if not np.isfinite(value[0]):
        return None
    wall = 1e10 * (1.0 + abs(float(value[0])))

    def objective(u: FloatArray) -> tuple[float, FloatArray]:
        values, gradients = target((point + scales * u)[None])
        if not (np.isfinite(values).all() and np.isfinite(gradients).all()):
            return wall, np.zeros_like(u)
        return -float(values[0]), -gradients[0] * scales

    start = np.zeros_like(point)
    result = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    _, slope = objective(result.x)
    if not slope.any() and result.fun >= wall:
        return None
    mode: FloatArray = point + scales * result.x
    return mode if np.max(abs(slope)) < REST * max(1.0, abs(result.fun)) ** 0.5 else None


def starts_from(
    target: Target, family: ScaleFamily, point: FloatArray, rng: np.random.Generator
) -> list[Gaussian]:
    """The mode, up to `DENSE_DIMENSIONS`, and where PyMC starts, with unit scales around the point.

    Of many correlated coordinates each step from there would take thousands of draws. Independent ones take
    few: where these lead, with the curvature on average over them, is the start then.
    """
    d = len(point)
    begin = Gaussian(point, family.from_hessian(np.eye(d)))
    if draws_for_covariances(family) > FIRST_DRAWS:
        axes = MeanFieldScales(d)
        draws = normal_draws(COARSE_DRAWS, d, rng)
        independent = minimise(target, axes, Gaussian(point, np.ones(d)), draws, SAME)
        if np.isfinite(independent.value):
            begin = at_average_curvature(target, family, independent.gaussian, rng)
    return [begin] if d > DENSE_DIMENSIONS else [at_mode(target, family, point), begin]


def starts_at_other_modes(
    target: TargetDensity, model: Model, family: ScaleFamily, point: FloatArray, rng: np.random.Generator
) -> FurtherStarts:
    """Gaussians at other modes than the one uphill of a point.

    The model's own start is often where a symmetry leaves nothing to choose: labels with equal means, the
    factors of a product at zero. An optimum found from there is one of the ELBO and may be far from the best.
    So climbs begin where nothing is symmetric: near the start, and at draws of the prior. Above
    `DENSE_DIMENSIONS` dimensions none do.
    """
    d = target.dimension
    if d > DENSE_DIMENSIONS:
        return NO_FURTHER_STARTS
    jittered = target.initial + rng.uniform(-1.0, 1.0, size=(JITTERED, d))
    places = np.concatenate([jittered, prior_points(model, target.variables, rng)])
    order = rng.permutation(len(places))[: max(FEWEST, NUMBERS // d)]
    home = climb(target, point)
    scales = 1.0 / np.sqrt(np.diagonal(home.hessian))
    modes: list[LocalMode] = []
    endless = 0
    for place in places[order]:
        if not np.isfinite(target(place[None])[0][0]):
            continue
        if endless == FEWEST:  # the density rises without bound: its modes say nothing
            break
        above = ascend(target, place, scales)
        mode = climb(target, place if above is None else above, scales)
        endless += not mode.rests
        mode = mode._replace(point=target.folded(mode.point[None], home.point)[0])
        if mode.rests and not any(_same(mode, other) for other in (home, *modes)):
            modes.append(mode)
    # by Laplace's evidence, but for a constant
    modes.sort(key=lambda mode: mode.height - 0.5 * float(np.linalg.slogdet(mode.hessian)[1]), reverse=True)
    found = [Gaussian(mode.point, family.from_hessian(mode.hessian)) for mode in modes[:MOST_MODES]]
    return FurtherStarts(found, len(order))


def _same(one: LocalMode, other: LocalMode) -> bool:
    step = one.point - other.point
    with np.errstate(over="ignore", invalid="ignore"):
        below = 0.5 * step @ other.hessian @ step
    return bool(below < SAME and abs(one.height - other.height) < SAME)
