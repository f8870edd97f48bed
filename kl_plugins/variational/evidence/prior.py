"""How much an approximation has learned: its divergence from the prior, where that has a closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
from pymc.model import Model
from pytensor.graph.traversal import ancestors

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.dispatch import kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.families.normal import Normal
from kl_plugins.variational.optimum.scale_families import standard_deviations


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
