"""Draws that reach farther than normal ones, and have weights, for what a log density does far out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.hessians import Target, whitened_target
from kl_plugins.variational.optimum.quasi_random import (
    half_of_draws,
    mirrored,
    normal_draws,
    with_exact_moments,
)
from kl_plugins.variational.optimum.scale_families import Gaussian, ScaleFamily

PARTS = 4
"""One part of the draws is standard normal, each of the others reaches farther along a direction."""
REACH = 2.0
"""How much farther."""
SEEN_WITH = 512
"""Draws that show along which directions a log density is least like a Gaussian's."""
MOST_DIMENSIONS = 128
"""A quarter of these draws. In more dimensions they do not show it, and weights cost more than they tell."""
POWERS = 10
"""Steps of the power method for these directions, which need not be exact."""


class WeightedDraws(NamedTuple):
    """Draws, shape (n, d), and their ratios of densities, standard normal to their own, shape (n,)."""

    draws: FloatArray
    ratios: FloatArray


def farther_draws(
    target: Target, family: ScaleFamily, gaussian: Gaussian, count: int, rng: np.random.Generator
) -> WeightedDraws:
    """Quasi-random draws of a mixture of normals, weighted so that averages are a standard normal's.

    What rare draws decide, as that of exp(4 x) is by draws 4 sds from the mean, sets of normal draws miss
    together, and agree. These are scaled up along the directions in which the gradient of the log density is
    least linear. Ratios of densities are by the whole mixture, so that none is more than its number of parts
    (A. Owen, Y. Zhou, J. American Statistical Association 95, 2000). Odd moments are zero, the second ones
    exact, as those of `normal_draws` are.
    """
    along = _bent_directions(target, family, gaussian, rng)
    size = count // (2 * PARTS)
    parts = [half_of_draws(size, family.dimension, rng) for _ in range(PARTS)]
    wide = [along[k % len(along)] for k in range(PARTS - 1)]
    for part, direction in zip(parts[1:], wide, strict=True):
        part += (REACH - 1.0) * np.outer(part @ direction, direction)
    # In turn, so that the first ones are of all parts, too.
    half = np.stack(parts, axis=1).reshape(PARTS * size, family.dimension)
    squares = (half @ np.transpose(wide)) ** 2
    ratios = PARTS / (1.0 + np.sum(np.exp(0.5 * (1.0 - REACH**-2) * squares) / REACH, axis=1))
    ratios = ratios / ratios.mean()
    return WeightedDraws(mirrored(with_exact_moments(half, ratios)), np.concatenate([ratios, ratios]))


def _bent_directions(
    target: Target, family: ScaleFamily, gaussian: Gaussian, rng: np.random.Generator
) -> FloatArray:
    """Unit vectors, one per row, along which gradients vary most beside what is linear in the draws."""
    d = family.dimension
    along = np.linalg.qr(rng.standard_normal((d, min(d, PARTS - 1))))[0]
    z = normal_draws(SEEN_WITH, d, rng)
    _, slopes = whitened_target(target, family, gaussian)(z)
    finite = np.isfinite(slopes).all(axis=1)
    if not finite.any():
        return np.asarray(along.T)
    z, slopes = z[finite], slopes[finite] / max(float(np.max(abs(slopes[finite]))), 1e-300)
    slopes = slopes - slopes.mean(axis=0)
    rest = slopes - z @ np.linalg.lstsq(z, slopes)[0]
    for _ in range(POWERS):
        along = np.linalg.qr(rest.T @ (rest @ along))[0]
    return np.asarray(along.T)
