"""Where to start: Gaussians at modes, found by Newton's method whatever the units of the variables."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pymc.model import Model

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.afar import prior_points
from kl_plugins.variational.optimum.fixed_draws import (
    DENSE_DIMENSIONS,
    Target,
    expected_hessian,
    positive_eigen,
)
from kl_plugins.variational.optimum.scale_families import Gaussian, MeanFieldScales, ScaleFamily
from kl_plugins.variational.optimum.search import ALONE, Elsewhere
from kl_plugins.variational.target.log_density import LogDensity

STEPS = 60
LENGTHS = 2.0 ** np.arange(2.0, -28.0, -1.0)
DECREMENT = 1e-3
"""Nats below the mode at which the search for it may stop."""
JITTERED = 4
"""Starts about the model's initial point, each coordinate off by up to 1, as PyMC starts its chains."""
NUMBERS = 400
"""So many dimensions, over all climbs, are climbed in, but at least by `FEWEST` of them."""
FEWEST = 3
MOST_TOPS = 4
"""So many other modes are fitted."""
SAME = 0.1
"""Nats by which the density at one mode may be below its top at the place of another that is the same."""


class Top(NamedTuple):
    """Where a climb ended, its log density, −∇² log p made positive there, and whether it came to rest."""

    point: FloatArray
    height: float
    hessian: FloatArray
    rests: bool


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # of a density that rises without bound
def at_mode(target: Target, family: ScaleFamily, point: FloatArray) -> Gaussian:
    """The family's Gaussian of the curvature at the mode of the log density uphill of a point."""
    d = len(point)
    if d > DENSE_DIMENSIONS:
        return Gaussian(point, family.from_hessian(np.eye(d)))
    top = climb(target, point)
    return Gaussian(top.point, family.from_hessian(top.hessian))


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def climb(target: Target, point: FloatArray) -> Top:
    """The mode of the log density uphill of a point.

    Newton's method with the Hessian by differences of gradients and its eigenvalues made positive, all
    lengths of a step tried in one call. Where there is no mode (the density of a hierarchical model often
    rises without bound) the search ends after some steps: it is a start, nothing more.
    """
    d = len(point)
    axes = MeanFieldScales(d)
    here = Gaussian(point, np.full(d, 1.0))
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
    return Top(here.mean, best, hessian, rests)


def starts_from(target: Target, family: ScaleFamily, point: FloatArray) -> list[Gaussian]:
    """The starts that need no fit: the mode, and where PyMC starts, with unit scales around the point."""
    return [at_mode(target, family, point), Gaussian(point, family.from_hessian(np.eye(len(point))))]


def starts_elsewhere(
    target: LogDensity, model: Model, family: ScaleFamily, point: FloatArray, rng: np.random.Generator
) -> Elsewhere:
    """Gaussians at other modes than the one uphill of a point.

    The model's own start is often where a symmetry leaves nothing to choose: labels with equal means, the
    factors of a product at zero. An optimum found from there is one of the ELBO and may be far from the best.
    So climbs begin where nothing is symmetric: near the start, and at draws of the prior. Above
    `DENSE_DIMENSIONS` dimensions none do.
    """
    d = target.dimension
    if d > DENSE_DIMENSIONS:
        return ALONE
    jittered = target.initial + rng.uniform(-1.0, 1.0, size=(JITTERED, d))
    places = np.concatenate([jittered, prior_points(model, target.variables, rng)])
    order = rng.permutation(len(places))[: max(FEWEST, NUMBERS // d)]
    home = climb(target, point)
    tops: list[Top] = []
    endless = 0
    for place in places[order]:
        if not np.isfinite(target(place[None])[0][0]):
            continue
        if endless == FEWEST:  # the density rises without bound: its modes say nothing
            break
        top = climb(target, place)
        endless += not top.rests
        top = top._replace(point=target.folded(top.point[None], home.point)[0])
        if top.rests and not any(_same(top, other) for other in (home, *tops)):
            tops.append(top)
    tops.sort(key=_evidence, reverse=True)
    found = [Gaussian(top.point, family.from_hessian(top.hessian)) for top in tops[:MOST_TOPS]]
    return Elsewhere(found, len(order))


def _same(one: Top, other: Top) -> bool:
    step = one.point - other.point
    with np.errstate(over="ignore", invalid="ignore"):
        below = 0.5 * step @ other.hessian @ step
    return bool(below < SAME and abs(one.height - other.height) < SAME)


def _evidence(top: Top) -> float:
    """Laplace's, but for a constant."""
    return top.height - 0.5 * float(np.linalg.slogdet(top.hessian)[1])
