"""Objects of PyMC that are not random variables: fitted variational approximations."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import pytensor.tensor as pt
from pymc.variational.approximations import FullRankGroup, MeanFieldGroup
from pymc.variational.opvi import Approximation, Group

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.block_diagonal import BlockDiagonal
from kl_plugins.covariance.full import Cholesky
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.named import NamedMultivariateNormal, Variable
from kl_plugins.plugins.pymc.coordinates import with_coordinates
from kl_plugins.recognition import recognise


@recognise.register(Approximation)
def _(approximation: Any) -> Distribution:
    """Symbolic in the approximation's parameters; over the variables of the unconstrained space."""
    groups = approximation.groups
    covariances = [covariance(group) for group in groups]
    means = [pt.specify_shape(group.params_dict["mu"], (group.ddim,)) for group in groups]
    return NamedMultivariateNormal(
        means[0] if len(means) == 1 else pt.concatenate(means),
        covariances[0] if len(covariances) == 1 else BlockDiagonal(tuple(covariances)),
        variables_of(approximation),
    )


def variables_of(approximation: Any) -> tuple[Variable, ...]:
    """The variables of an approximation in the order of its coordinates, group after group."""
    found = []
    for group in approximation.groups:
        entries = sorted(group.ordering.values(), key=lambda entry: entry[1].start)
        found += [(name, tuple(int(n) for n in shape)) for name, _, shape, _ in entries]
    return with_coordinates(approximation.model, found)


@singledispatch
def covariance(group: Group) -> Covariance:
    """The covariance of a group of variables, symbolic in its parameters."""
    raise TypeError(not_gaussian(group))


def not_gaussian(group: Group) -> str:
    """Message for a group of variables that has no closed form."""
    return (
        f"{type(group).__name__} is not a Gaussian group of variables (pm.MeanField or pm.FullRank), "
        "so its divergence has no closed form: fit one of these (method='advi' or 'fullrank_advi')"
    )


@covariance.register(MeanFieldGroup)
def _(group: Any) -> Covariance:
    return DiagonalScales(pt.specify_shape(group.std, (group.ddim,)))


@covariance.register(FullRankGroup)
def _(group: Any) -> Covariance:
    return Cholesky(pt.specify_shape(group.L, (group.ddim, group.ddim)))
