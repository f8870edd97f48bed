"""Draws from Gaussians, and from ones with wider tails that look beyond their reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import gammaln, logsumexp

from kl_plugins.covariance.axis_aligned import AxisAligned
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.block_diagonal import BlockDiagonal
from kl_plugins.covariance.full import Dense, Full
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.evidence.importance import Importance, importance
from kl_plugins.variational.evidence.moments import Estimate, Moments
from kl_plugins.variational.optimum.scale_families import standard_deviations
from kl_plugins.variational.target.density import TargetDensity

FREEDOM = 3.0
"""Degrees of freedom of the wide tails: a posterior's are seldom as wide, so that weights stay bounded."""
HALF = np.log(0.5)
CUTS = (0.005, 0.02, 0.1)
"""Shares of the posterior beyond each of the quantiles that bounds of standard deviations rest on."""


def factored(q: Snapshot) -> Snapshot:
    """The same Gaussian, its covariance axis-aligned, low-rank, with a Cholesky factor, or of such blocks."""
    return NamedMultivariateNormal(q.mean, _factored(q.covariance), q.variables)


def _factored(covariance: Covariance) -> Covariance:
    if isinstance(covariance, AxisAligned | Full | LowRank):
        return covariance
    if isinstance(covariance, BlockDiagonal):
        return BlockDiagonal(tuple(_factored(block) for block in covariance.blocks))
    return Dense(covariance.matrix())


def gaussian_draws(q: Snapshot, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Independent draws of q, shape (count, d), and their log densities."""
    z = rng.standard_normal((count, len(q.mean)))
    if isinstance(q.covariance, AxisAligned):
        points = q.mean + z * standard_deviations(q)
    else:
        points = q.mean + z @ np.asarray(q.covariance.factor).T
    return points, q.log_prob(points)


def draws_of(
    target: TargetDensity, q: Snapshot, count: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Independent draws of q, shape (count, d), and log p − log q; angles within half a turn of the mean.

    A turn further the posterior is the same, and only the nearest copy of q counts there.
    """
    points, densities = gaussian_draws(q, count, rng)
    if target.angles.any():
        points = target.folded(points, np.asarray(q.mean))
        densities = q.log_prob(points)
    return points, log_ratios(target, points, densities)


def wide_draws(q: Snapshot, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Half of the draws from q, half with the tails of one coordinate widened; with the log densities.

    A wide draw replaces one coordinate's marginal, chosen at random, by Student's t and keeps q's
    conditional distribution of the others given it. The density is q's times the mean over coordinates of
    t(sᵢ)/φ(sᵢ), sᵢ = (xᵢ − μᵢ)/σᵢ, which costs O(d). Unlike one with all coordinates widened at once, such a
    proposal stays efficient in many dimensions: its ratios p/proposal are at most twice p/q.
    """
    points, _ = gaussian_draws(q, count, rng)
    mean, sd = np.asarray(q.mean), standard_deviations(q)
    wide = np.flatnonzero(rng.random(count) < 0.5)
    axes = rng.integers(len(mean), size=len(wide))
    shifts = rng.standard_t(FREEDOM, size=len(wide)) - (points[wide, axes] - mean[axes]) / sd[axes]
    if isinstance(q.covariance, AxisAligned):
        points[wide, axes] += shifts * sd[axes]
    else:
        slopes = np.asarray(q.covariance.matrix()) / sd[:, None]
        points[wide] += shifts[:, None] * slopes[axes]
    return points, wide_log_density(q, points)


def wide_log_density(q: Snapshot, points: FloatArray) -> FloatArray:
    """Log density of `wide_draws` at the rows of `points`."""
    s = (points - q.mean) / standard_deviations(q)
    ratios = _log_student(s) + 0.5 * s**2 + 0.5 * np.log(2.0 * np.pi)
    widened = logsumexp(ratios, axis=1) - np.log(s.shape[1])
    values: FloatArray = q.log_prob(points) + np.logaddexp(HALF, HALF + widened)
    return values


def log_ratios(target: TargetDensity, points: FloatArray, log_densities: FloatArray) -> FloatArray:
    """log p − log q at draws of q; −∞ where the model's log density is −∞ or not a number."""
    values = target.values(points)
    return np.where(np.isnan(values), -np.inf, values) - log_densities


class Survey:
    """What wide draws around a Gaussian say of the posterior: moments that reach beyond the Gaussian's.

    Attributes
    ----------
    importance : Importance
        Of the wide draws, their weights not smoothed. Its ELBO is the wide proposal's.
    points : ndarray, shape (S, d)
    moments : Moments
        Their errors are infinite where the draws do not tell them.
    reliable : bool
        Whether the weights can be trusted as far as the draws reach.
    sd_floor : ndarray, shape (d,)
        What the standard deviations are at least: those of the coordinates cut off at quantiles, less two
        standard errors. A cut makes a variance smaller, and its average has no tail.
    """

    def __init__(self, target: TargetDensity, q: Snapshot, count: int, rng: np.random.Generator):
        points, densities = wide_draws(q, count, rng)
        self.points = target.folded(points, np.asarray(q.mean))
        if target.angles.any():
            densities = wide_log_density(q, self.points)
        smoothed = importance(log_ratios(target, self.points, densities), rng)
        # Raw weights: smoothing takes a few large ratios for a tail, and they may be another mode.
        raw = smoothed.log_ratios - logsumexp(smoothed.log_ratios)
        ess = float(np.exp(-logsumexp(2.0 * raw)))
        self.importance: Importance = replace(smoothed, log_weights=raw, ess=ess)
        self.moments: Moments = self.importance.moments(self.points)
        self.sd_floor: FloatArray = self._sd_floor()

    @property
    def reliable(self) -> bool:
        return bool(np.isfinite(self.importance.log_evidence.error))

    def evidence_missed(self, own: Importance) -> Estimate:
        """By how much log p(data) is larger than what the approximation's own draws say, in nats."""
        wide = self.importance.log_evidence
        return Estimate(
            wide.value - own.log_evidence.value, float(np.hypot(wide.error, own.log_evidence.error))
        )

    def _sd_floor(self) -> FloatArray:
        """What the standard deviations are at least, see the class."""
        floor = np.maximum(self.moments.sd - 2.0 * self.moments.sd_error, 0.0)
        weights = np.exp(self.importance.log_weights)
        for i in np.flatnonzero(np.isinf(self.moments.sd_error)) if self.reliable else ():
            column = self.points[:, i]
            order = np.argsort(column)
            mass = np.cumsum(weights[order])
            for cut in CUTS:
                low, high = column[order[np.searchsorted(mass, (cut, 1.0 - cut))]]
                cut_off = self.importance.bounded_moments(np.clip(column, low, high)[:, None])
                floor[i] = max(floor[i], cut_off.sd[0] - 2.0 * cut_off.sd_error[0])
        return floor


def _log_student(s: FloatArray) -> FloatArray:
    constant = gammaln(0.5 * (FREEDOM + 1.0)) - gammaln(0.5 * FREEDOM) - 0.5 * np.log(FREEDOM * np.pi)
    values: FloatArray = constant - 0.5 * (FREEDOM + 1.0) * np.log1p(s**2 / FREEDOM)
    return values
