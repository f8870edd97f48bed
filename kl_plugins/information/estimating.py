"""The gains of a variable's elements, of a variable, and of all variables together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from kl_plugins.estimate.batches import result_of
from kl_plugins.estimate.draws.sample import draws
from kl_plugins.estimate.estimation import estimate
from kl_plugins.estimate.result import KLEstimate
from kl_plugins.families.named import Variable, some_of
from kl_plugins.information.marginal_priors import DRAWS, FEW, exact, marginal_prior
from kl_plugins.information.posteriors import Posterior, Tabulated
from kl_plugins.information.priors import Priors
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.target.transforms import constrained

FEW_PARENTS = (
    "on average {worth:.1f} draws of the parents have a say in its prior density, so that this is not known"
)

SIDES = "of which p is the posterior and q the prior"
"""For what estimates say of their sides."""


class PriorKnown(StrEnum):
    """How a variable's prior density is known."""

    CLOSED_FORM = "closed form"
    AVERAGE = "average over parents"
    DRAWS = "draws"


@dataclass(frozen=True)
class Gains:
    """Of a variable the gains of its elements, or one of all its elements together.

    `own` is the variable as the model has it, `parts` what its gains are of: one for each element, or one.
    """

    own: Variable
    parts: tuple[str, ...]
    prior: PriorKnown
    found: tuple[KLEstimate, ...]
    whys: tuple[str, ...]
    total: KLEstimate | None = None


def gains_of(priors: Priors, posterior: Posterior, name: str, rng: np.random.Generator) -> Gains:
    """The gains of one variable, by whatever way its prior is known."""
    own = priors.own(name)
    if priors.bounded_by_others(name):
        return _from_draws(priors, posterior, own, rng)
    with_parents = bool(priors.parents(name))
    posterior = posterior.thinned(DRAWS) if with_parents else posterior
    columns = posterior.columns([name])
    points = posterior.points(columns)
    table = priors.log_density(name, priors.filled([name], points))
    whole = not table.shape[1] == len(columns) == own.size
    discrete = priors.is_discrete(name)
    if with_parents:
        marginal = marginal_prior(priors, name, points, whole, rng)
    else:
        marginal = exact(table.sum(axis=1, keepdims=True) if whole else table)
    elements = tuple(f"{name}[{i}]" for i in range(len(columns)))
    found, whys, parts = [], [], (name,) if whole else own.elements
    for j, part in enumerate(parts):
        chosen = slice(None) if whole else slice(j, j + 1)
        log_prior = Tabulated(points[:, chosen], marginal.log_density[:, j])
        called = elements if whole else (part,)
        with _told(name, part):
            one, why = posterior.divergence(columns[chosen], log_prior, called, discrete, rng)
        if marginal.worth[j] < FEW:
            why = FEW_PARENTS.format(worth=marginal.worth[j])
        value = max(float(one.value) + float(marginal.bias[j]), 0.0)
        error = float(np.hypot(one.error, marginal.error[j]))
        found.append(result_of(value, error, one.method, one.n, one.converged and not why))
        whys.append(why)
    total = None
    if not (with_parents or whole) and len(parts) > 1:
        total, _ = joint_gain(priors, posterior, [name], rng)
    prior = PriorKnown.AVERAGE if with_parents else PriorKnown.CLOSED_FORM
    return Gains(own, parts, prior, tuple(found), tuple(whys), total)


@contextmanager
def _told(name: str, part: str) -> Iterator[None]:
    """Errors of an estimate say of which part of a variable it is, and how to go on without."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{part}, {SIDES}: {error}. var_names={['~' + name]} leaves it out") from error


def joint_gain(
    priors: Priors, posterior: Posterior, names: Sequence[str], rng: np.random.Generator
) -> tuple[KLEstimate | None, str]:
    """That of all these variables together, and why it is not there, or not to be relied on."""
    open_ones = [name for name in names if not set(priors.parents(name)) <= set(names)]
    if open_ones:
        return None, f"the prior of {some_of(open_ones)} depends on variables that were not chosen"
    kinds = {priors.is_discrete(name) for name in names}
    if len(kinds) > 1:
        return None, "some variables are discrete and others are not"

    def log_prior(points: FloatArray) -> FloatArray:
        whole = priors.filled(names, np.asarray(points, float))
        total = sum(priors.log_density(name, whole).sum(axis=1) for name in names)
        return np.asarray(total)

    elements = tuple(f"{name}[{i}]" for name in names for i in range(priors.variables[name].size))
    try:
        return posterior.divergence(posterior.columns(names), log_prior, elements, kinds.pop(), rng)
    except ValueError as error:  # too few draws for so many dimensions, or such as lie in a plane
        return None, f"{SIDES}, {error}"


def _from_draws(priors: Priors, posterior: Posterior, own: Variable, rng: np.random.Generator) -> Gains:
    """Draws against draws, of a variable whose bounds are random, element by element."""
    name = own.name
    rvs, every = [priors.free[name]], tuple(priors.variables.values())

    def values(points: FloatArray) -> FloatArray:
        found = constrained(priors.model, every, points, rvs)[name]
        return found.reshape(len(points), -1)

    drawn = posterior.points(posterior.columns(posterior.names))
    of_posterior = posterior.in_chains(values(priors.filled(posterior.names, drawn)))
    of_prior = values(priors.draws([*priors.ancestors(name), name], 4 * DRAWS, rng))
    found, whys = [], []
    for j, part in enumerate(own.elements):
        with _told(name, part):
            one, why = estimate(
                draws(of_posterior[..., j : j + 1], chain_dim=0),
                draws(of_prior[:, j], independent=True),
                random_state=rng,
            )
        found.append(one)
        whys.append(why)
    return Gains(own, own.elements, PriorKnown.DRAWS, tuple(found), tuple(whys))
