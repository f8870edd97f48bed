"""Angles: a Gaussian over more than one turn of them is no approximation of anything."""

from __future__ import annotations

import numpy as np

from kl_plugins.variational.optimum.fixed_draws import scales_of
from kl_plugins.variational.optimum.scale_families import Gaussian
from kl_plugins.variational.target.log_density import TURN, LogDensity, coordinate_names

TURN_SD = TURN / np.sqrt(12.0)
"""The standard deviation of an angle that is anywhere."""
TURNS = "the density of an angle is the same a turn further"


def spun(target: LogDensity, gaussian: Gaussian) -> str:
    """Which angle a Gaussian has on more than one turn, as a reason; empty where it has none."""
    if not target.angles.any():
        return ""
    sd = scales_of(gaussian)
    wide = np.flatnonzero(target.angles & (sd > TURN_SD))
    if not len(wide):
        return ""
    name = coordinate_names(target.variables)[wide[0]]
    return (
        f"{TURNS}, so that it is not normalisable over all of them, and {name} is too little known to stay "
        "within one: the ELBO grows with its sd without bound. The fit is kept to one turn"
    )


def within_turn(target: LogDensity, gaussian: Gaussian) -> Gaussian:
    """The Gaussian with its angles no wider than the uniform distribution of a turn, near the start."""
    sd = scales_of(gaussian)
    share = np.where(target.angles, np.minimum(1.0, TURN_SD / sd), 1.0)
    root = gaussian.root * (share if gaussian.root.ndim == 1 else share[:, None])
    return Gaussian(target.folded(gaussian.mean[None], target.initial)[0], root)
