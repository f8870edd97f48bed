"""Why a search for the optimum of a family did not converge, as far as can be told."""

from __future__ import annotations

import numpy as np

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.variational.optimum.jumps import find_jump, moved_by_jumps
from kl_plugins.variational.optimum.propriety import endless_direction
from kl_plugins.variational.optimum.reasons import Obstacle, Reason
from kl_plugins.variational.optimum.rounding import hides_optimum, roughness
from kl_plugins.variational.optimum.scale_families import Gaussian, ScaleFamily, scales_of
from kl_plugins.variational.target.log_density import LogDensity, coordinate_names

ROUGH = 1e-3
"""A rounding error of the log density, in nats, that optimisers and differences stumble over."""
MANY = 10.0
"""A longer step, in nats, than near an optimum."""


def why_not_converged(
    target: LogDensity,
    family: ScaleFamily,
    near: Gaussian,
    goal: float,
    rng: np.random.Generator,
    finite: bool = True,
) -> Obstacle:
    """Why the optimiser did not come to rest, as far as can be told."""
    if along := _endless(target, near):
        return Reason.IMPROPER.told(along=along)
    if not finite:
        return Reason.NOT_FINITE.told()
    noise = roughness(target, family, near, rng)
    if noise > ROUGH:
        return Reason.ROUNDOFF.told(noise=noise)
    hidden = hides_optimum(target, family, near, goal)
    return (Reason.COLLINEAR_WITHOUT_REST if hidden else Reason.NO_REST).told()


def _endless(target: LogDensity, near: Gaussian) -> str:
    """Along what the density does not fall, from the model's own start as from where the search ended."""
    along = ""
    for mean, sd in ((target.initial, np.ones(target.dimension)), (near.mean, scales_of(near))):
        along = endless_direction(target, NamedMultivariateNormal(mean, DiagonalScales(sd), target.variables))
        if not along:
            break
    return along


def discontinuity(
    target: LogDensity, family: ScaleFamily, gaussian: Gaussian, goal: float, rng: np.random.Generator
) -> Obstacle | None:
    """Where the log density jumps, if jumps move the optimum by more than `goal` nats, or may do so."""
    jump = find_jump(target, family, gaussian, rng)
    if jump is None:
        return None
    gap = moved_by_jumps(target, family, gaussian, goal, rng)
    if gap.most <= goal:
        return None
    where, moved = "somewhere", f"up to {gap.most:.2g}"
    if jump.coordinate >= 0:
        name, sd = coordinate_names(target.variables)[jump.coordinate], scales_of(gaussian)[jump.coordinate]
        place = round(jump.place[jump.coordinate], 4 - int(np.floor(np.log10(sd)))) + 0.0
        where = f"at {name} = {place:.6g}"
    if gap.value > goal:
        moved = "many" if gap.value > MANY else f"about {gap.value:.2g}"
    return Reason.DISCONTINUOUS.told(size=jump.size, where=where, moved=moved)
