"""Further figures of an approximation: constrained scale, prior, full rank, the way of a fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytensor
from pymc.model import Model
from pytensor.graph.traversal import ancestors

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.dispatch import kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.estimate.moments import sd_errors
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.named import Snapshot, element_names
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.pymc.coordinates import with_coordinates
from kl_plugins.plugins.pytensor.graph import without_names
from kl_plugins.variational.evidence.importance import Importance, elbo
from kl_plugins.variational.evidence.moments import Estimate, Moments
from kl_plugins.variational.evidence.proposals import Survey, gaussian_draws, log_ratios
from kl_plugins.variational.optimum.distance import OptimumDistance
from kl_plugins.variational.optimum.draw_counts import too_large
from kl_plugins.variational.optimum.fixed_draws import elbo_gap
from kl_plugins.variational.optimum.progress import Report
from kl_plugins.variational.optimum.ranks import UNASKED_DIMENSIONS, find_full_rank
from kl_plugins.variational.optimum.scale_families import (
    TriangularScales,
    family_of,
    member_of,
    standard_deviations,
)
from kl_plugins.variational.target.density import TargetDensity
from kl_plugins.variational.target.parts import independent_part
from kl_plugins.variational.target.priors import InfiniteTermError, closed_form
from kl_plugins.variational.target.transforms import constrained


class Elements(NamedTuple):
    """Means and sds of the scalars of the model's own variables, on their constrained scale.

    Attributes
    ----------
    names : tuple of str
        Such as ``"theta[3]"``.
    raw, weighted : Moments
        Of q's draws, and of these weighted by importance.
    wide : Moments
        By draws from a proposal with wider tails.
    """

    names: tuple[str, ...]
    raw: Moments
    weighted: Moments
    wide: Moments


def elements_of(model: Model, q: Snapshot, own: Importance, points: FloatArray, survey: Survey) -> Elements:
    """Means and sds on the constrained scale."""
    count = len(points)
    values = constrained(model, q.variables, np.concatenate([points, survey.points]))
    shapes = with_coordinates(model, [(name, value.shape[1:]) for name, value in values.items()])
    flat = np.concatenate([value.reshape(len(value), -1) for value in values.values()], axis=1)
    mean, sd = flat[:count].mean(axis=0), flat[:count].std(axis=0, ddof=1)
    fourth = np.mean((flat[:count] - mean) ** 4, axis=0)
    sd_error = sd_errors(sd, fourth, count)
    wide = survey.importance.moments(flat[count:])
    return Elements(
        element_names(shapes),
        Moments(mean, sd, sd / np.sqrt(count), sd_error),
        own.moments(flat[:count]).next_to(wide),
        wide,
    )


def hierarchical(model: Model) -> bool:
    """Whether the prior of a variable depends on another variable."""
    return any(_depends(rv, model) for rv in model.free_RVs)


def _depends(rv: Any, model: Model) -> bool:
    """Whether the parameters of this variable depend on other free ones."""
    return bool(set(model.free_RVs) & set(ancestors(rv.owner.inputs)))


def information_gained(q: Snapshot, model: Model) -> dict[str, float]:
    """KL(q‖prior) of each variable by name, in nats; NaN where it has no closed form.

    It has one where its prior's parameters do not depend on other variables, and the pair of families has
    one; it is that of `kl_terms` then. Dependence within a variable counts:
    KL(q‖∏ priors) = KL(q‖∏ qᵢ) + Σ KL(qᵢ‖priorᵢ).
    """
    slices, sd = q.slices, standard_deviations(q)
    shapes = {variable.name: variable.shape for variable in q.variables}
    own = {model.rvs_to_values[rv].name: rv for rv in model.free_RVs}
    found: dict[str, float] = {own[name].name: np.nan for name in q.names}
    graphs: dict[str, Any] = {}
    for value_name, rv in own.items():
        name, transform, part = rv.name, model.rvs_to_transforms[rv], slices[value_name]
        if _depends(rv, model) or part.start == part.stop:  # the latter is a variable without elements
            continue
        mean, scale = np.asarray(q.mean[part]), sd[part]
        try:
            prior = without_names(rv)
            if transform is not None or getattr(prior.owner.op, "ndim_supp", 0) == 0:
                graphs[name] = closed_form(rv, transform, independent_part(mean, scale), shapes[value_name])
                found[name] = float(kl(_block(q, part), MultivariateNormal(mean, DiagonalScales(scale))))
            elif rv.type.ndim == 1:
                graphs[name] = kl(_block(q, part), prior)
                found[name] = 0.0
        except InfiniteTermError:
            found[name] = np.inf
        except (NoClosedFormError, TypeError):
            continue
    values = pytensor.function([], list(graphs.values()), mode="FAST_COMPILE", on_unused_input="ignore")()
    for name, value in zip(graphs, values, strict=True):
        found[name] += float(value)
    return found


def _block(q: Snapshot, part: slice) -> MultivariateNormal:
    index = np.arange(part.start, part.stop)
    return MultivariateNormal(np.asarray(q.mean)[part], q.covariance.marginal(index))


def trajectory(
    members: list[Snapshot],
    target: TargetDensity,
    goal: Snapshot,
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


GAIN_DRAWS = 512
"""Quasi-random draws, four times, for the difference of two ELBOs."""


@dataclass(frozen=True)
class FullRankOptimum:
    """The best Gaussian with all correlations, and what a fit without them throws away.

    Attributes
    ----------
    optimum : NamedMultivariateNormal
        The best full-rank Gaussian itself.
    kl_to, kl_from : Estimate
        KL(q‖optimum) and KL(optimum‖q), in nats, in closed form; the errors are what the optimum's own
        amounts to.
    elbo_gain : Estimate
        ELBO(optimum) − ELBO(q).
    """

    optimum: Snapshot = field(repr=False)
    kl_to: Estimate
    kl_from: Estimate
    elbo_gain: Estimate


def best_full_rank(
    q: Snapshot,
    target: TargetDensity,
    distance: OptimumDistance | None,
    wanted: bool | None,
    tolerance: float,
    rng: np.random.Generator,
    report: Report = lambda message: None,
    most_evaluations: int | None = None,
) -> tuple[Snapshot | None, float]:
    """The best Gaussian with all correlations, and the Jeffreys divergence within which it is known.

    The search begins around the best of the family, which was found from many places.
    """
    d = target.dimension
    family = TriangularScales(((d, True),))
    if distance is not None and (family_of(q.covariance).every_correlation or d == 1):
        return distance.optimum, distance.sampling_error
    if wanted is False or (wanted is None and d > UNASKED_DIMENSIONS) or too_large(family):
        return None, np.inf
    centre = q if distance is None else distance.optimum
    found = find_full_rank(target, member_of(family, centre), tolerance, rng, report, most_evaluations)
    return (None, np.inf) if found is None else (found.distribution, found.jeffreys)


def full_rank_loss(
    q: Snapshot,
    full: Snapshot,
    full_error: float,
    target: TargetDensity,
    rng: np.random.Generator,
) -> FullRankOptimum:
    """What the approximation throws away beside the best full-rank one."""
    family = TriangularScales(((target.dimension, True),))
    mine, best = (member_of(family, one) for one in (q, full))
    gain = Estimate(*elbo_gap(target, family, mine, best, GAIN_DRAWS, rng))

    def known(divergence: float) -> Estimate:
        # Roots of Jeffreys divergences add up like distances: (√K + √(e/2))² − K.
        return Estimate(divergence, float(np.sqrt(2.0 * divergence * full_error) + 0.5 * full_error))

    return FullRankOptimum(full, known(float(kl(q, full))), known(float(kl(full, q))), gain)
