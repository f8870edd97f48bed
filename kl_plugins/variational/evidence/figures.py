"""Further figures of an approximation: on the constrained scale, beside the prior, along a fit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytensor
from pymc.model import Model
from pytensor.graph.traversal import ancestors

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.dispatch import kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.named import NamedMultivariateNormal, Variable
from kl_plugins.families.normal import Normal
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.evidence.importance import Importance, elbo
from kl_plugins.variational.evidence.moments import Moments
from kl_plugins.variational.evidence.proposals import Survey, gaussian_draws, log_ratios
from kl_plugins.variational.optimum.scale_families import standard_deviations
from kl_plugins.variational.target.density import TargetDensity, coordinate_names
from kl_plugins.variational.target.transforms import constrained


class Elements(NamedTuple):
    """Means and sds of the scalars of the model's own variables, on their constrained scale."""

    names: tuple[str, ...]
    raw: Moments
    weighted: Moments
    wide: Moments


def elements_of(
    model: Model, q: NamedMultivariateNormal, own: Importance, points: FloatArray, survey: Survey
) -> Elements:
    """Means and sds on the constrained scale."""
    count = len(points)
    values = constrained(model, q.variables, np.concatenate([points, survey.points]))
    shapes = [Variable(name, value.shape[1:]) for name, value in values.items()]
    flat = np.concatenate([value.reshape(len(value), -1) for value in values.values()], axis=1)
    mean, sd = flat[:count].mean(axis=0), flat[:count].std(axis=0, ddof=1)
    fourth = np.mean((flat[:count] - mean) ** 4, axis=0)
    sd_error = np.sqrt(np.maximum(fourth - sd**4, 0.0) / count) / (2.0 * np.maximum(sd, 1e-300))
    wide = survey.importance.moments(flat[count:])
    return Elements(
        coordinate_names(shapes),
        Moments(mean, sd, sd / np.sqrt(count), sd_error),
        own.moments(flat[:count]).next_to(wide),
        wide,
    )


def information_gained(q: NamedMultivariateNormal, model: Model) -> dict[str, float]:
    """KL(q‖prior) of each variable by name, in nats; NaN where it has no closed form.

    It has one where the variable is not transformed, its prior's parameters do not depend on other
    variables, and the pair of families has one. Dependence within a variable counts:
    KL(q‖∏ priors) = KL(q‖∏ qᵢ) + Σ KL(qᵢ‖priorᵢ).
    """
    slices, sd = q.slices, standard_deviations(q)
    shapes = dict(q.variables)
    found: dict[str, float] = dict.fromkeys(q.names, np.nan)
    graphs: dict[str, Any] = {}
    free = set(model.free_RVs)
    for rv in model.free_RVs:
        if model.rvs_to_transforms[rv] is not None or free & set(ancestors(rv.owner.inputs)):
            continue
        name = model.rvs_to_values[rv].name
        part = slices[name]
        if part.start == part.stop:
            continue  # a variable without elements
        mean, scale = np.asarray(q.mean[part]), sd[part]
        try:
            if rv.owner.op.ndim_supp == 0:
                shape = shapes[name]
                graphs[name] = kl(Normal(mean.reshape(shape), scale.reshape(shape)), rv).sum()
                dependence = _block(q, part), MultivariateNormal(mean, DiagonalScales(scale))
                found[name] = float(kl(*dependence))
            elif rv.type.ndim == 1:
                graphs[name] = kl(_block(q, part), rv)
                found[name] = 0.0
        except (NoClosedFormError, TypeError):
            continue
    values = pytensor.function([], list(graphs.values()), mode="FAST_COMPILE", on_unused_input="ignore")()
    for name, value in zip(graphs, values, strict=True):
        found[name] += float(value)
    return found


def _block(q: NamedMultivariateNormal, part: slice) -> MultivariateNormal:
    index = np.arange(part.start, part.stop)
    return MultivariateNormal(np.asarray(q.mean)[part], q.covariance.marginal(index))


def trajectory(
    members: list[NamedMultivariateNormal],
    target: TargetDensity,
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
