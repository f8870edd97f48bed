"""Where to start: the Gaussian at the mode, found by Newton's method whatever the units of the variables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kl_plugins.variational.fixed_draws import DENSE_DIMENSIONS, Target, expected_hessian, positive_eigen
from kl_plugins.variational.scale_families import Gaussian, MeanFieldScales, ScaleFamily

Array = NDArray[np.float64]

STEPS = 60
LENGTHS = 2.0 ** np.arange(2.0, -28.0, -1.0)
DECREMENT = 1e-3
"""Nats below the mode at which the search for it may stop."""


def at_mode(target: Target, family: ScaleFamily, point: Array) -> Gaussian:
    """The family's Gaussian of the curvature at the mode of the log density uphill of a point.

    Newton's method with the Hessian by differences of gradients and its eigenvalues made positive, all
    lengths of a step tried in one call. Where there is no mode (the density of a hierarchical model often
    rises without bound) the search ends after some steps: it is a start, nothing more.
    """
    d = len(point)
    if d > DENSE_DIMENSIONS:
        return Gaussian(point, family.from_hessian(np.eye(d)))
    axes = MeanFieldScales(d)
    here = Gaussian(point, np.full(d, 1.0))
    best = float(target(point[None])[0][0])
    hessian = np.eye(d)
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
        if not values[chosen] > best:
            break
        scales = 1.0 / np.sqrt(np.diagonal(hessian))
        here = Gaussian(candidates[chosen], scales)
        best = float(values[chosen])
        if 0.5 * slope @ step < DECREMENT:
            break
    return Gaussian(here.mean, family.from_hessian(hessian))


def starts_from(target: Target, family: ScaleFamily, point: Array) -> list[Gaussian]:
    """The starts that need no fit: the mode, and where PyMC starts, with unit scales around the point."""
    return [at_mode(target, family, point), Gaussian(point, family.from_hessian(np.eye(len(point))))]
