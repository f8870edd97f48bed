"""Points to look for other modes from: far out, of the prior, and the mirror images of a point."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import NDArray
from pymc import draw
from pymc.model import Model
from pytensor.graph.traversal import ancestors

from kl_plugins.families.named import Variable
from kl_plugins.interrupts import answer_interrupt
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.target.transforms import unconstrained

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
