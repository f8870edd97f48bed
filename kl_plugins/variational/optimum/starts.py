"""Where to start a search from: at modes, near the model's own start, far out, and at mirror images."""

from __future__ import annotations

from itertools import permutations
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pymc import draw
from pymc.model import Model
from pytensor.graph.traversal import ancestors
from scipy.optimize import minimize

from kl_plugins.families.named import Variable
from kl_plugins.interrupts import answer_interrupt
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.draw_counts import COARSE_DRAWS, FIRST_DRAWS, draws_for_covariances
from kl_plugins.variational.optimum.fixed_draws import DENSE_DIMENSIONS, minimise
from kl_plugins.variational.optimum.hessians import Target, expected_hessian, positive_eigen
from kl_plugins.variational.optimum.scale_families import (
    Gaussian,
    MeanFieldScales,
    ScaleFamily,
    normal_draws,
    scales_of,
)
from kl_plugins.variational.optimum.search import NO_FURTHER_STARTS, FurtherStarts
from kl_plugins.variational.target.density import TargetDensity
from kl_plugins.variational.target.transforms import unconstrained

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


SPREADS = (3.0, 10.0, 30.0)
FAR_STARTS = 12
PRIOR_STARTS = 8
IMAGES = 12
"""So many sign flips at most, and so many relabelings."""


def overdispersed_points(mean: FloatArray, sd: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Points at random up to 30 sd away."""
    spread = np.repeat(SPREADS, FAR_STARTS // len(SPREADS))[:, None]
    points: FloatArray = mean + sd * spread * rng.standard_normal((FAR_STARTS, len(mean)))
    return points


def prior_points(model: Model, variables: tuple[Variable, ...], rng: np.random.Generator) -> FloatArray:
    """Draws of the prior in the unconstrained space; none where it cannot be drawn from."""
    nothing = np.empty((0, sum(variable.size for variable in variables)))
    if any(_is_flat(node) for node in ancestors(model.free_RVs)):
        return nothing
    try:
        # Compiling for speed would take longer than the few draws.
        values = draw(model.free_RVs, PRIOR_STARTS, random_seed=int(rng.integers(2**31)), mode="FAST_COMPILE")
        named = {rv.name: np.asarray(value) for rv, value in zip(model.free_RVs, values, strict=True)}
        points = unconstrained(model, variables, named)
    # Somebody's distribution without draws, or with parameters outside their domain: its code raises what it
    # likes, and the search begins elsewhere.
    except Exception:
        answer_interrupt()
        return nothing
    return points[np.isfinite(points).all(axis=1)]


def symmetric_images(
    point: FloatArray, variables: tuple[Variable, ...], rng: np.random.Generator
) -> FloatArray:
    """The point with signs flipped, and with the elements of vectors exchanged.

    The signs of all, of each variable and of single elements; along each axis of the variables, in one of
    them and in all that have an axis as long (labels of a mixture are shared by its means and weights).
    """
    parts = _parts(point, variables)
    return np.concatenate([_flipped(point, parts, rng), _relabelled(parts, rng)])


def _parts(point: FloatArray, variables: tuple[Variable, ...]) -> list[FloatArray]:
    ends = np.cumsum([variable.size for variable in variables])[:-1]
    return [part.reshape(v.shape) for part, v in zip(np.split(point, ends), variables, strict=True)]


def _flipped(point: FloatArray, parts: list[FloatArray], rng: np.random.Generator) -> FloatArray:
    blocks = np.repeat(np.arange(len(parts)), [part.size for part in parts])
    masks = [np.ones(len(point), dtype=bool)]
    masks += [blocks == i for i in range(len(parts)) if len(parts) > 1][:IMAGES]
    masks += [np.arange(len(point)) == i for i in rng.permutation(len(point)) if parts[blocks[i]].size > 1]
    return np.where(masks[:IMAGES], -point, point)


def _relabelled(parts: list[FloatArray], rng: np.random.Generator) -> FloatArray:
    """Points with the elements of one variable, or of all with an axis as long, exchanged."""
    axes = [(i, axis, length) for i, part in enumerate(parts) for axis, length in enumerate(part.shape)]
    groups = [[(i, axis)] for i, axis, length in axes if length > 1]
    for length in {length for *_, length in axes if length > 1}:
        together = [(i, axis) for i, axis, other in axes if other == length]
        if len(together) > 1:
            groups.append(together)
    found = []
    each = max(1, IMAGES // max(1, len(groups)))
    for group in groups[:IMAGES]:
        length = parts[group[0][0]].shape[group[0][1]]
        for order in _orders(length, each, rng):
            moved = list(parts)
            for i, axis in group:
                moved[i] = np.take(moved[i], order, axis=axis)
            found.append(np.concatenate([part.ravel() for part in moved]))
    return np.reshape(found, (len(found), sum(part.size for part in parts)))


def _orders(length: int, most: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Permutations other than the identity: all of them, or reversal, a cycle and others at random."""
    if factorial(min(length, 6)) - 1 <= most:
        return [np.array(order) for order in list(permutations(range(length)))[1:]]
    orders = [np.arange(length)[::-1], np.roll(np.arange(length), 1)]
    orders += [rng.permutation(length) for _ in range(most)]
    return orders[:most]


def _is_flat(node: object) -> bool:
    operation = getattr(getattr(node, "owner", None), "op", None)
    return str(getattr(operation, "name", "")).lower() in ("flat", "halfflat", "half_flat")
