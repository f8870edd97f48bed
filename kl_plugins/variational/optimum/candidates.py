"""Coarse optima from every start, of which the search for the best Gaussian takes the best one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from kl_plugins.dispatch import jeffreys
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.budget import OutOfEvaluationsError
from kl_plugins.variational.optimum.fixed_draws import minimise, negative_elbo
from kl_plugins.variational.optimum.hessians import Target
from kl_plugins.variational.optimum.propriety import wraps_around
from kl_plugins.variational.optimum.scale_families import Gaussian, ScaleFamily
from kl_plugins.variational.target.density import TargetDensity

ALIKE = 0.1
"""Nats by which the ELBO of an earlier start's optimum may be lower for it to be taken all the same."""
SAME = 0.1
"""Nats (Jeffreys) up to which optima over some of the rows are one."""


class Candidate(NamedTuple):
    """A coarse optimum: what `Minimum` says, and from which start it was reached."""

    gaussian: Gaussian
    value: float
    remaining: float
    start: int


def coarse_optima(
    target: TargetDensity,
    density: Target,
    family: ScaleFamily,
    starts: list[Gaussian],
    draws: FloatArray,
    accuracy: float,
) -> list[Candidate]:
    """The optima that the starts lead to, best first; of about equal ones the earliest.

    Of many rows some are enough to see which starts lead to one optimum, and only one of these goes on.
    `density` is the target's, which may run out of evaluations. Before the first optimum the start itself
    stands for it then.
    """
    chosen = list(enumerate(starts))
    if target.sketch is not target and len(starts) > 1:
        chosen = _one_of_each(target, family, starts, draws, accuracy)
    found = _finite_optima(density, family, chosen, draws, accuracy)
    # Turns apart an angle's density is the same: beyond one the entropy grows, and nothing else changes.
    found = [one for one in found if not wraps_around(target, one.gaussian)] or found[:1]
    least = min((one.value for one in found), default=0.0)
    return sorted(found, key=lambda one: (one.value > least + ALIKE, one.value * (one.value > least + ALIKE)))


def _finite_optima(
    target: Target,
    family: ScaleFamily,
    starts: Iterable[tuple[int, Gaussian]],
    draws: FloatArray,
    accuracy: float,
) -> list[Candidate]:
    """Where numbered starts lead, as far as the ELBO is finite there."""
    found: list[Candidate] = []
    for i, start in starts:
        try:
            found.append(Candidate(*minimise(target, family, start, draws, accuracy), i))
        except OutOfEvaluationsError:
            found = found or [Candidate(start, 0.0, np.inf, i)]
            break
    return [one for one in found if np.isfinite(one.value)]


def _one_of_each(
    target: TargetDensity, family: ScaleFamily, starts: list[Gaussian], draws: FloatArray, accuracy: float
) -> list[tuple[int, Gaussian]]:
    """Starts that lead to different optima over some of the rows, numbered by the earliest that does.

    Each is the one of those that lead there, and of that optimum itself, with the best ELBO over all rows.
    All starts where none leads anywhere.
    """
    groups: list[list[Candidate]] = []
    for one in _finite_optima(target.sketch, family, enumerate(starts), draws, accuracy):
        for group in groups:
            if jeffreys(_gaussian(family, group[0]), _gaussian(family, one)) <= SAME:
                group.append(one)
                break
        else:
            groups.append([one])
    found = []
    for group in groups:
        members = [group[0].gaussian, *(starts[one.start] for one in group)]
        values = [negative_elbo(target, family, member, draws) for member in members]
        found.append((group[0].start, members[int(np.argmin(values))]))
    return found or list(enumerate(starts))


def _gaussian(family: ScaleFamily, candidate: Candidate) -> MultivariateNormal:
    return MultivariateNormal(candidate.gaussian.mean, family.covariance(candidate.gaussian.root))
