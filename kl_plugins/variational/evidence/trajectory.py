"""A sequence of approximations, such as snapshots of a fit: how they went to the optimum."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from kl_plugins.dispatch import kl
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.variational.evidence.importance import elbo
from kl_plugins.variational.evidence.proposals import gaussian_draws, log_ratios
from kl_plugins.variational.target.log_density import LogDensity


def trajectory(
    members: list[NamedMultivariateNormal],
    target: LogDensity,
    goal: NamedMultivariateNormal,
    rng: np.random.Generator,
    draws: int = 1_000,
) -> Any:
    """Distance to the optimum `goal`, length of the last step and ELBO of each, as an xarray.Dataset."""
    import xarray as xr

    to_goal = [float(kl(one, goal) + kl(goal, one)) for one in members]
    steps = [np.nan, *(float(kl(a, b) + kl(b, a)) for a, b in pairwise(members))]
    elbos = []
    for one in members:
        aligned = one.reorder(target.variables)
        points, densities = gaussian_draws(aligned, draws, rng)
        elbos.append(elbo(log_ratios(target, points, densities)))
    return xr.Dataset(
        {
            "jeffreys_to_optimum": ("snapshot", to_goal),
            "jeffreys_of_step": ("snapshot", steps),
            "elbo": ("snapshot", [one.value for one in elbos]),
            "elbo_error": ("snapshot", [one.error for one in elbos]),
        },
        coords={"snapshot": np.arange(len(members))},
    )
