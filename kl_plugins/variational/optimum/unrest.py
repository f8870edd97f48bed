"""Why the optimum of a family was not found, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.variational.optimum.fixed_draws import scales_of
from kl_plugins.variational.optimum.jumps import find_jump, moved_by_jumps
from kl_plugins.variational.optimum.rounding import hides_optimum, roughness
from kl_plugins.variational.optimum.scale_families import Gaussian, ScaleFamily
from kl_plugins.variational.optimum.support import endless_direction
from kl_plugins.variational.target.log_density import LogDensity, coordinate_names

Array = NDArray[np.float64]

ROUGH = 1e-3
"""A rounding error of the log density, in nats, that optimisers and differences stumble over."""
MANY = 10.0
"""A longer step, in nats, than near an optimum."""

NOT_FINITE = "the log density was not finite at some of the draws"
DETERMINED = (
    "variables determine each other so closely that rounding hides where along them the optimum is; centre "
    "predictors (subtract their means), or use method='fullrank_advi'"
)
JUMPS = "the log density jumps"
NO_REST = "the optimiser did not come to rest"
NO_MAXIMUM = f"{NO_REST}: the ELBO has no maximum, as"
SMOOTHER = (
    "Make it smooth, such as pm.math.sigmoid((x - c) / width) for switch(x > c, 1, 0), marginalise what "
    "takes steps, or use MCMC"
)


def unrest(
    target: LogDensity,
    family: ScaleFamily,
    near: Gaussian,
    goal: float,
    rng: np.random.Generator,
    finite: bool = True,
) -> str:
    """Why the optimiser did not come to rest, as far as can be told."""
    if along := _endless(target, near):
        return (
            f"{NO_MAXIMUM} the log density does not fall along {along}, however far: it is that of an "
            "improper posterior. Give pm.Flat and the like a proper prior"
        )
    if not finite:
        return NOT_FINITE
    noise = roughness(target, family, near, rng)
    if noise > ROUGH:
        return (
            f"{NO_REST}: the log density is known to {noise:.1g} nats only, by rounding. Variables or data "
            "are too far from zero beside their spread: centre them (subtract a constant), or rescale them"
        )
    if hides_optimum(target, family, near, goal):
        return f"{NO_REST}: {DETERMINED}"
    return f"{NO_REST}: the ELBO may have no maximum (an improper posterior?)"


def _endless(target: LogDensity, near: Gaussian) -> str:
    """Along what the density does not fall, from the model's own start as from where the search ended."""
    along = ""
    for mean, sd in ((target.initial, np.ones(target.dimension)), (near.mean, scales_of(near))):
        along = endless_direction(target, NamedMultivariateNormal(mean, DiagonalScales(sd), target.variables))
        if not along:
            break
    return along


def jumping(
    target: LogDensity, family: ScaleFamily, gaussian: Gaussian, goal: float, rng: np.random.Generator
) -> str:
    """Where the log density jumps, if jumps move the optimum by more than `goal` nats, or may do so."""
    jump = find_jump(target, family, gaussian, rng)
    if jump is None:
        return ""
    gap = moved_by_jumps(target, family, gaussian, goal, rng)
    if gap.most <= goal:
        return ""
    where, moved = "somewhere", f"up to {gap.most:.2g}"
    if jump.coordinate >= 0:
        name, sd = coordinate_names(target.variables)[jump.coordinate], scales_of(gaussian)[jump.coordinate]
        place = round(jump.place[jump.coordinate], 4 - int(np.floor(np.log10(sd)))) + 0.0
        where = f"at {name} = {place:.6g}"
    if gap.value > goal:
        moved = "many" if gap.value > MANY else f"about {gap.value:.2g}"
    return (
        f"{JUMPS}, by {jump.size:.2g} nats {where} (switch, comparisons, floor, rounding). Gradients do "
        f"not see that, and so miss a step of {moved} nats (Jeffreys). {SMOOTHER}"
    )
