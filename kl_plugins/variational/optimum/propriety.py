"""What leaves a family without a best Gaussian: densities that end, never fall, run off or repeat."""

from __future__ import annotations

import numpy as np

from kl_plugins.covariance.axis_aligned import AxisAligned
from kl_plugins.families.named import Snapshot, element_names
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.hessians import expected_hessian
from kl_plugins.variational.optimum.reasons import REMEDIES, Obstacle, Reason, Whereabouts
from kl_plugins.variational.optimum.scale_families import (
    Gaussian,
    MeanFieldScales,
    scales_of,
    standard_deviations,
)
from kl_plugins.variational.target.density import TURN, TargetDensity

REACH = (4.0, 6.0)
"""So many sds out along every coordinate the log density should be finite."""
MOST_COORDINATES = 500
FAR = 10.0 ** np.arange(2, 9, 2)
"""Distances, in sds, over which a log density has to fall."""
FALL = 1.05
"""A density that falls along a line like its distance to this power or slower has no finite integral."""
FLAT = 1e-5
"""Curvature, as a share of the largest, of directions that may be free of any."""
FARTHEST = 100.0
"""A logarithm (or log-odds) beyond this is of no number that anybody means: e¹⁰⁰ is 10⁴³."""
TURN_SD = TURN / np.sqrt(12.0)
"""The standard deviation of an angle that is anywhere."""


def outside_support(target: TargetDensity, q: Snapshot) -> str:
    """Where along q's coordinates the log density is not finite; empty if it is everywhere.

    A coordinate takes the others along as q correlates them.
    """
    mean, sd = np.asarray(q.mean, dtype=float), standard_deviations(q)
    chosen = np.unique(np.linspace(0, len(mean) - 1, min(len(mean), MOST_COORDINATES)).astype(int))
    if isinstance(q.covariance, AxisAligned):
        slopes = np.eye(len(mean))[chosen] * sd
    else:
        slopes = np.asarray(q.covariance.matrix())[chosen] / sd[chosen, None]
    for out in REACH:
        for sign in (1.0, -1.0):
            values, _ = target(mean + sign * out * slopes)
            if len(missing := np.flatnonzero(~np.isfinite(values))):
                i = chosen[missing[0]]
                where = f"{element_names(target.variables)[i]} = {mean[i] + sign * out * sd[i]:.4g}"
                return Whereabouts.OUTSIDE_AT_POINT.told(where=where, out=out)
    return ""


def endless_direction(target: TargetDensity, q: Snapshot) -> str:
    """Along what the density seems not to be normalisable, in words; empty where nothing speaks for it.

    The log density is followed along the coordinates, and along combinations of them without curvature, to
    10⁸ standard deviations. A direction with curved contours around it is not seen.
    """
    mean = np.asarray(q.mean, dtype=float)
    sd = np.clip(standard_deviations(q), 1e-50, 1e50)
    names = element_names(target.variables)
    direction: FloatArray
    for i in np.flatnonzero(~target.angles)[:MOST_COORDINATES]:
        direction = np.zeros(len(mean))
        direction[i] = sd[i]
        if any(_endless(target, mean + sign * FAR[:, None] * direction) for sign in (1.0, -1.0)):
            return str(names[i])
    if not 1 < len(mean) <= MOST_COORDINATES:
        return ""
    hessian = expected_hessian(
        target, MeanFieldScales(len(mean)), Gaussian(mean, sd), np.zeros((1, len(mean)))
    )
    if hessian is None:
        return ""
    hessian[target.angles] = hessian[:, target.angles] = 0.0
    hessian[target.angles, target.angles] = np.max(np.abs(hessian))
    values, vectors = np.linalg.eigh(hessian)
    curved = np.abs(values) > FLAT * np.max(np.abs(values))
    solve = vectors[:, curved] / values[curved] @ vectors[:, curved].T
    for i in np.flatnonzero(~curved)[:5]:
        for direction in (vectors[:, i], -vectors[:, i]):
            points = mean + FAR[:, None] * direction * sd
            _, gradients = target(points)
            with np.errstate(invalid="ignore", over="ignore"):  # back to the ridge, off which rounding led
                points = points + (gradients * sd) @ solve * sd
            if np.isfinite(points).all() and _endless(target, points):
                return " with ".join(names[j] for j in np.flatnonzero(abs(direction) > 0.1)[:5])
    return ""


def _endless(target: TargetDensity, points: FloatArray) -> bool:
    values, _ = target(points)
    falls = values[:-1] - values[1:] if np.isfinite(values).all() else np.array([np.inf])
    return bool((falls[-2:] < FALL * np.log(FAR[1] / FAR[0])).all())


def collapse(target: TargetDensity, gaussian: Gaussian) -> str:
    """Where a search for the best Gaussian ran off to, in words; empty where it did not."""
    mean, names = gaussian.mean, element_names(target.variables)
    far = np.flatnonzero(target.logarithms & (abs(mean) > FARTHEST))
    if len(far):
        i = far[np.argmax(abs(mean[far]))]
        where = "−∞" if mean[i] < 0.0 else "∞"
        return Whereabouts.RAN_OFF.told(name=names[i], limit=where, end=mean[i])
    sd = scales_of(gaussian)
    i = np.argmax(np.spacing(abs(mean)) / sd)
    if sd[i] > np.spacing(abs(mean[i])) or not target.bounded:
        return ""
    return Whereabouts.TOO_NARROW.told(name=names[i], sd=sd[i], end=mean[i])


def wraps_around(target: TargetDensity, gaussian: Gaussian) -> Obstacle | None:
    """That a Gaussian has an angle on more than one turn: it is no approximation of anything then."""
    wide = np.flatnonzero(target.angles & (scales_of(gaussian) > TURN_SD))
    if not len(wide):
        return None
    return Reason.PERIODIC.told(name=element_names(target.variables)[wide[0]])


def within_turn(target: TargetDensity, gaussian: Gaussian) -> Gaussian:
    """The Gaussian with its angles no wider than the uniform distribution of a turn, near the start."""
    sd = scales_of(gaussian)
    share = np.where(target.angles, np.minimum(1.0, TURN_SD / sd), 1.0)
    root = gaussian.root * (share if gaussian.root.ndim == 1 else share[:, None])
    return Gaussian(target.folded(gaussian.mean[None], target.initial)[0], root)


IMPROPER = (
    "the posterior seems to be improper (not normalisable): {}. There is no posterior to compare with, and "
    "no evidence. {}"
)
FLAT_ALONG = "its log density does not fall along {}, however far"


def refuse_improper(target: TargetDensity, q: Snapshot) -> None:
    """Raise ValueError where the density does not fall along some direction."""
    if along := endless_direction(target, q):
        raise ValueError(IMPROPER.format(FLAT_ALONG.format(along), REMEDIES[Reason.IMPROPER]))


def refuse_collapsed(target: TargetDensity, best: Snapshot | None) -> None:
    """Raise ValueError where the search for the best Gaussian ran off."""
    if best is None:
        return
    if gone := collapse(target, Gaussian(np.asarray(best.mean, dtype=float), standard_deviations(best))):
        raise ValueError(IMPROPER.format(gone, REMEDIES[Reason.UNBOUNDED_ELBO]))


def mass_outside_support(target: TargetDensity, q: Snapshot, ratios: FloatArray) -> str:
    """Where q has mass and the posterior has none, as far as draws and a look along the axes tell."""
    if missing := int(np.sum(ratios == -np.inf)):
        return Whereabouts.OUTSIDE_AT_DRAWS.told(missing=missing, draws=len(ratios))
    return outside_support(target, q)
