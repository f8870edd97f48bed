"""A search for modes of the posterior that an approximation does not cover."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pymc.model import Model
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from scipy.stats import chi2

from kl_plugins.covariance.full import Cholesky
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.evidence.moments import Estimate
from kl_plugins.variational.evidence.proposals import draws_of
from kl_plugins.variational.optimum.hessians import expected_hessian
from kl_plugins.variational.optimum.scale_families import Gaussian, MeanFieldScales, standard_deviations
from kl_plugins.variational.optimum.start_points import overdispersed_points, prior_points, symmetric_images
from kl_plugins.variational.optimum.starts import ascend
from kl_plugins.variational.target.density import TargetDensity

EVALUATIONS = 8_000
"""No further climb begins after so many evaluations of the log density."""
DIMENSIONS = 300
"""Above so many the search would cost more than it finds."""
OUTSIDE = 1e-6
"""The share of a Gaussian's mass beyond a point that is not one of its own."""
LEAST_SHARE = 0.02
"""A mode with less of the posterior's mass is let be."""
MASS_DRAWS = 400
UPWARDS = 1e-4
"""Curvature upwards, as a share of the largest downwards, that may be an error of differences."""
WIDEST = 30.0
"""In sds: as wide as a peak without curvature is taken for before it is seen to fall."""
HALVINGS = 20
STEEP = 1.0
"""Nats that the density may fall by within a width; a Gaussian's falls by half a nat."""
ALIKE = 1e-3
"""Nats by which the heights of a mode and of its mirror image may differ."""


class Mode(NamedTuple):
    """A mode outside the approximation.

    Attributes
    ----------
    point : ndarray, shape (d,)
    share : float
        About how much of the posterior it has, by draws from the Gaussian of its curvature, among what is
        known of the posterior.
    height : float
        Its log density over that of the approximation's own mode, in nats.
    copy : bool
        Whether it is as high as the approximation's own and was found by exchanging signs or labels.
    """

    point: FloatArray
    share: float
    height: float = 0.0
    copy: bool = False


class Peak(NamedTuple):
    """Where a climb came to rest, the factor of the covariance that its curvature gives, its mass."""

    point: FloatArray
    height: float
    factor: FloatArray | None
    log_mass: float
    image: bool

    def holds(self, point: FloatArray) -> bool:
        """Whether a point is in the reach of the Gaussian at this peak."""
        if self.factor is None:
            return bool(np.allclose(point, self.point, rtol=1e-3, atol=1e-6))
        z = solve_triangular(self.factor, point - self.point, lower=True)
        return bool(z @ z <= chi2.isf(OUTSIDE, len(point)))


def other_modes(
    target: TargetDensity,
    model: Model,
    q: Snapshot,
    evidence: Estimate,
    approximation: FloatArray,
    rng: np.random.Generator,
) -> tuple[Mode, ...]:
    """Distinct modes that are reached by climbing from elsewhere; most massive first.

    Other ones than that around the point `approximation`.

    From far out of q, from draws of the prior, and from the mirror images of q's own mode: with signs flipped
    and labels exchanged. No search finds all modes. That this one finds none is no proof that there are none.
    """
    if target.dimension > DIMENSIONS:
        return ()
    mean, sd = np.asarray(q.mean, dtype=float), np.array(standard_deviations(q))
    reached = chi2.isf(OUTSIDE, len(mean))
    enough = target.evaluations + EVALUATIONS
    own = ascend(target, mean, sd)
    home = _peak(target, q, mean if own is None else own, sd, rng, False)
    mirrored = symmetric_images(home.point, target.variables, rng)
    starts = np.concatenate(
        [mirrored, prior_points(model, q.variables, rng), overdispersed_points(mean, sd, rng)]
    )
    peaks: list[Peak] = []
    for i, start in enumerate(target.folded(starts, mean)):
        if target.evaluations > enough:
            break
        mode = ascend(target, start, sd)
        if mode is None:
            continue
        mode = target.folded(mode[None], mean)[0]
        inside = 2.0 * q.covariance.quadratic_form(mode - mean) <= reached
        if inside or any(peak.holds(mode) for peak in (home, *peaks)):
            continue
        peak = _peak(target, q, mode, sd, rng, i < len(mirrored))
        # As wide as both together: the way back, from a narrow peak into a wide one's reach.
        if np.isfinite(peak.log_mass) and not any(peak.holds(other.point) for other in (home, *peaks)):
            peaks.append(peak)
    every = [home._replace(log_mass=evidence.value), *peaks]
    shares = np.exp([peak.log_mass for peak in every] - logsumexp([peak.log_mass for peak in every]))
    # q may be the best Gaussian, and the approximation at another mode than it.
    base = next((peak for peak in every if peak.holds(approximation)), home)
    modes = [
        Mode(
            peak.point,
            float(share),
            peak.height - base.height,
            peak.image and abs(peak.height - base.height) < ALIKE,
        )
        for peak, share in zip(every, shares, strict=True)
        if peak.point is not base.point
    ]
    return tuple(sorted((m for m in modes if m.share > LEAST_SHARE), key=lambda mode: -mode.share))


def _peak(
    target: TargetDensity,
    q: Snapshot,
    mode: FloatArray,
    sd: FloatArray,
    rng: np.random.Generator,
    image: bool,
) -> Peak:
    """What is around a mode; of mass −∞ where the density curves upwards there, which is no peak."""
    height = float(target(mode[None])[0][0])
    d = len(mode)
    hessian = expected_hessian(target, MeanFieldScales(d), Gaussian(mode, sd), np.zeros((1, d)))
    values, vectors = np.linalg.eigh(np.zeros((d, d)) if hessian is None else hessian)
    if hessian is None or values[0] < -UPWARDS * max(values[-1], 1.0):
        return Peak(mode, height, None, -np.inf, image)
    whitened = vectors * _widths(target, mode, height, sd, values, vectors)
    factor = sd[:, None] * np.linalg.cholesky(whitened @ whitened.T)
    gaussian: Snapshot = NamedMultivariateNormal(mode, Cholesky(factor), q.variables)
    _, ratios = draws_of(target, gaussian, MASS_DRAWS, rng)
    return Peak(mode, height, factor, float(logsumexp(ratios)) - np.log(MASS_DRAWS), image)


def _widths(
    target: TargetDensity,
    mode: FloatArray,
    height: float,
    sd: FloatArray,
    values: FloatArray,
    vectors: FloatArray,
) -> FloatArray:
    """How wide a peak is along the eigenvectors of its curvature, in units of sd.

    The curvature says it, unless the top is flatter than the peak (like that of exp(−x⁴)): then it is halved
    until the density falls by no more than `STEEP` within it.
    """
    widths: FloatArray = 1.0 / np.sqrt(np.maximum(values, WIDEST**-2.0))
    steep = np.arange(len(mode))
    for _ in range(HALVINGS):
        steps = (vectors[:, steep] * widths[steep]).T * sd
        around = np.concatenate([mode + steps, mode - steps])
        around_heights = target.values(around).reshape(2, -1)
        with np.errstate(invalid="ignore"):
            falls = height - around_heights.mean(axis=0)
        steep = steep[~(falls <= STEEP)]
        if not len(steep):
            break
        widths[steep] *= 0.5
    return widths
