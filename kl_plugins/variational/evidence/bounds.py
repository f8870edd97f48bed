"""Bounds on the errors of posterior means and standard deviations, from variational objectives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.evidence.importance import Importance, error_factor
from kl_plugins.variational.evidence.moments import Estimate

MOST_K = 0.5
"""Ratios with a heavier tail have no second moment, so that D₂ is infinite."""
ERRORS = 2.0
"""The bounds hold for D₂ as much as so many standard errors above its estimate."""
LARGEST = 50.0
"""Of a larger D₂, in nats, the bounds are astronomical."""


@dataclass(frozen=True)
class ErrorBounds:
    """What the means and standard deviations of q can be wrong by, in the worst case.

    Attributes
    ----------
    divergence : Estimate
        2 (CUBO₂ − ELBO) ≥ D₂(posterior‖q), the 2-divergence (Rényi), in nats.
    mean, sd : ndarray, shape (d,)
        How far E_p[x] is from E_q[x] at most, and sd_p(x) from sd_q(x).

    Notes
    -----
    J. Huggins, M. Kasprzak, T. Campbell, T. Broderick (2020), arXiv:1910.04102: D₂ bounds the Wasserstein
    distances, W₁ ≤ 2 σ χ and W₂ ≤ 2 (3σ⁴ χ²)^¼ for a Gaussian coordinate of standard deviation σ, with
    χ² = exp(D₂) − 1, and these the errors. A marginal's D₂ is at most the joint one's. The Cauchy–Schwarz
    inequality abs(E_p f − E_q f) ≤ sd_q(f) χ with f = x and (x − E_q x)² is sharper for small χ; of both the
    smaller one is taken. They are rigorous if CUBO₂ is: it is an average over draws of q, which do not see
    what the posterior has beyond their reach.
    """

    divergence: Estimate
    mean: FloatArray = field(repr=False)
    sd: FloatArray = field(repr=False)


def error_bounds(importance: Importance, sd: FloatArray) -> ErrorBounds | None:
    """The bounds for an approximation with marginal standard deviations `sd`; None where there are none."""
    if not importance.k.value < MOST_K or not np.isfinite(importance.elbo.value):
        return None
    doubled = 2.0 * (importance.log_ratios - importance.elbo.value)
    largest = np.max(doubled)
    squares = np.exp(doubled - largest)
    if not (importance.equal or error_factor(squares[:, None])[0] == 1.0):
        return None
    divergence = float(largest + np.log(squares.mean()))  # 2 CUBO₂ − 2 ELBO
    # The influence of a draw on log mean w² − 2 mean log w.
    influence = squares / squares.mean() - 1.0 - doubled
    error = float(influence.std() / np.sqrt(importance.draws))
    if divergence + ERRORS * error > LARGEST:
        return None
    return bounds_from_divergence(Estimate(max(divergence, 0.0), error), sd)


def bounds_from_divergence(divergence: Estimate, sd: FloatArray) -> ErrorBounds:
    """The bounds that follow from a bound on D₂."""
    chi = float(np.sqrt(np.expm1(divergence.value + ERRORS * divergence.error)))
    wasserstein = 2.0 * 3.0**0.25 * np.sqrt(chi)
    wider = np.sqrt(1.0 + np.sqrt(2.0) * chi) - 1.0
    narrower = 1.0 - np.sqrt(max(1.0 - np.sqrt(2.0) * chi - chi**2, 0.0))
    return ErrorBounds(divergence, chi * sd, min(wasserstein, max(wider, narrower)) * sd)
