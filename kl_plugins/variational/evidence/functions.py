"""Functions of the variables under the best Gaussian: their moments, and what these respond by."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.response import Curvature

STEP = 1e-4
"""Of central differences, in sds."""
MOST_NUMBERS = 2**22
"""Values of the functions that are held at once."""


class FunctionMoments(NamedTuple):
    """Of each set of draws, at its own optimum, and of each of m functions.

    Attributes
    ----------
    mean, variance : ndarray, shape (sets, m)
        Under the Gaussian.
    sides : ndarray, shape (sets, m, k)
        Derivatives of the means by the coordinates of `Curvature`.
    """

    mean: FloatArray
    variance: FloatArray
    sides: FloatArray


def function_moments(function: Callable[[FloatArray], FloatArray], curvature: Curvature) -> FunctionMoments:
    """Moments of a function of points (n, d) with values of shape (n, m), by differences along the axes."""
    found = [_over_set(function, curvature, i) for i in range(len(curvature.elbos))]
    return FunctionMoments(*(np.stack(part) for part in zip(*found, strict=True)))


def _over_set(
    function: Callable[[FloatArray], FloatArray], curvature: Curvature, one: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    elbo, family = curvature.elbos[one], curvature.elbos[one].family
    shift, change = elbo.unpacked(curvature.places[one])
    root, d = elbo.reference.root, elbo.dimension
    axes = family.spread(root, np.eye(d))
    centre = function(elbo.gaussian(curvature.places[one]).mean[None])[0]
    size = max(1, MOST_NUMBERS // max(len(centre), d))
    first, second = np.zeros((2, len(centre)))
    of_means, of_scales = np.zeros((d, len(centre))), np.zeros((len(family.metric), len(centre)))
    for start in range(0, len(elbo.draws), size):
        z = elbo.draws[start : start + size]
        points = elbo.reference.mean + family.spread(root, shift + family.spread(change, z))
        away = function(points) - centre
        first += away.sum(axis=0)
        second += (away**2).sum(axis=0)
        entries = 0
        for a in range(d):
            slope = (function(points + STEP * axes[a]) - function(points - STEP * axes[a])) / (2.0 * STEP)
            columns = family.columns(a)
            of_means[a] += slope.sum(axis=0)
            of_scales[entries : entries + len(columns)] += z[:, columns].T @ slope
            entries += len(columns)
    count = len(elbo.draws)
    of_scales[family.logarithms] *= family.diagonal(change)[:, None]
    of_means = of_means if elbo.rotation is None else elbo.rotation.T @ of_means
    sides = (np.concatenate([of_means, of_scales]) / count / np.sqrt(elbo.weights)[:, None]).T
    mean = first / count
    return centre + mean, np.maximum(second / count - mean**2, 0.0), sides
