"""A search for modes of the posterior that an approximation does not cover."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import chi2

from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.variational.fixed_draws import expected_hessian
from kl_plugins.variational.importance import Estimate
from kl_plugins.variational.log_density import LogDensity
from kl_plugins.variational.proposals import scales
from kl_plugins.variational.scale_families import Gaussian, MeanFieldScales

Array = NDArray[np.float64]

STARTS = 12
SPREADS = (3.0, 10.0, 30.0)
ITERATIONS = 200
DIMENSIONS = 100
"""Above so many the search would cost more than it finds."""
REST = 1e-3
"""A gradient per standard deviation at which a climb has come to rest."""
OUTSIDE = 1e-6
"""The share of a Gaussian's mass beyond a point that is not one of its own."""
LEAST_SHARE = 0.02
"""A mode with less of the posterior's mass is let be."""


class Mode(NamedTuple):
    """A mode outside the approximation, and the share of the posterior that Laplace's method gives it."""

    point: Array
    share: float


def other_modes(
    target: LogDensity, q: NamedMultivariateNormal, evidence: Estimate, rng: np.random.Generator
) -> tuple[Mode, ...]:
    """Modes found by climbing from points far out of q; most massive first.

    No search finds all modes. That this one finds none is no proof that there are none.
    """
    mean, sd = np.asarray(q.mean, dtype=float), np.array(scales(q))
    d = len(mean)
    if d > DIMENSIONS:
        return ()
    spread = np.repeat(SPREADS, -(-STARTS // len(SPREADS)))[:STARTS, None]
    reached = chi2.isf(OUTSIDE, d)
    found: list[Mode] = []
    for start in spread * rng.standard_normal((STARTS, d)):
        peak = _climb(target, mean, sd, start)
        if peak is None or 2.0 * q.covariance.quadratic_form(peak - mean) <= reached:
            continue
        log_mass = _laplace(target, peak, sd)
        share = float(1.0 / (1.0 + np.exp(np.clip(evidence.value - log_mass, -50.0, 50.0))))
        near = any(np.max(abs(peak - other.point) / sd) < 0.1 for other in found)
        if share > LEAST_SHARE and not near:
            found.append(Mode(peak, share))
    return tuple(sorted(found, key=lambda mode: -mode.share))


def _climb(target: LogDensity, mean: Array, sd: Array, start: Array) -> Array | None:
    """The mode uphill of a point (in units of sd from the mean), None where the climb does not rest."""
    value, _ = target((mean + sd * start)[None])
    if not np.isfinite(value[0]):
        return None
    highest = float(value[0])

    def objective(u: Array) -> tuple[float, Array]:
        values, gradients = target((mean + sd * u)[None])
        if not (np.isfinite(values).all() and np.isfinite(gradients).all()):
            return 1e10 * (1.0 + abs(highest)), np.zeros_like(u)
        return -float(values[0]), -gradients[0] * sd

    result = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    _, slope = objective(result.x)
    if not slope.any() and result.fun >= 1e10 * (1.0 + abs(highest)):
        return None
    peak: Array = mean + sd * result.x
    return peak if np.max(abs(slope)) < REST * max(1.0, abs(result.fun)) ** 0.5 else None


def _laplace(target: LogDensity, peak: Array, sd: Array) -> float:
    """The logarithm of a mode's mass by Laplace's method; −∞ where it is no proper peak."""
    d = len(peak)
    hessian = expected_hessian(target, MeanFieldScales(d), Gaussian(peak, sd), np.zeros((1, d)))
    if hessian is None:
        return -np.inf
    values = np.linalg.eigvalsh(hessian)
    if values[0] <= 1e-8 * max(values[-1], 0.0):
        return -np.inf
    height = float(target(peak[None])[0][0])
    log_det = float(np.log(values).sum() - 2.0 * np.log(sd).sum())
    return height + 0.5 * (d * math.log(2.0 * math.pi) - log_det)
