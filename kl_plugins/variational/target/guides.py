"""Guides of pymc-extras and their parameters, as Gaussians over a model's variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytensor
import pytensor.tensor as pt
from pymc.model import Model
from pymc_extras.inference.advi import (
    AutoDiagonalNormal,
    AutoGuideModel,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
)

from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot, Variable, some_of
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.target.coordinates import (
    FullRankCoordinates,
    LowRankCoordinates,
    MeanFieldCoordinates,
    independent_scales,
)
from kl_plugins.variational.target.density import variables_in

Values: TypeAlias = Mapping[str, Any]
"""The values of a guide's parameters by name, as `SVIState.params` holds them."""

CENTRE, TRIANGLE = "loc", "L_packed"
FACTOR, LOG_SCALES = "cov_factor", "cov_diag_unconstrained"
OWN_GUIDES = "AutoDiagonalNormal, AutoMultivariateNormal or AutoLowRankMultivariateNormal"
BY_HAND = "(mean, covariance) over the model's unconstrained variables"


class MeanFieldGuide(MeanFieldCoordinates):
    """The parameters of an AutoDiagonalNormal: of every variable its means and its log scales."""

    def __init__(self, variables: Sequence[Variable], owners: Sequence[str]) -> None:
        self.variables, self.owners = variables, owners
        super().__init__(sum(variable.size for variable in variables))
        shapes = [variable.shape for variable in variables]
        self.shapes = {
            **{f"{owner}_loc": shape for owner, shape in zip(owners, shapes, strict=True)},
            **{f"{owner}_scale": shape for owner, shape in zip(owners, shapes, strict=True)},
        }

    def coordinates(self, raw: FloatArray) -> FloatArray:
        """Rows of parameters, shape (n, size), in the coordinates that are averaged."""
        return raw

    def raw(self, mean: FloatArray, covariance: Covariance) -> FloatArray:
        """The row of parameters of a Gaussian."""
        return np.concatenate([mean, np.log(independent_scales(covariance))])


class FullRankGuide(FullRankCoordinates):
    """The parameters of an AutoMultivariateNormal: means, a factor with logarithms of its diagonal."""

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self.shapes = {CENTRE: (dimension,), TRIANGLE: (self.size - dimension,)}

    def coordinates(self, raw: FloatArray) -> FloatArray:
        found = raw.copy()
        found[:, self.diagonal] = np.exp(raw[:, self.diagonal])
        return found

    def raw(self, mean: FloatArray, covariance: Covariance) -> FloatArray:
        found = np.concatenate([mean, np.asarray(covariance.factor)[self.triangle]])
        found[self.diagonal] = np.log(found[self.diagonal])
        return found


class LowRankGuide(LowRankCoordinates):
    """The parameters of an AutoLowRankMultivariateNormal: means, the factor, log scales of the rest."""

    def __init__(self, dimension: int, rank: int) -> None:
        super().__init__(dimension, rank)
        self.shapes = {CENTRE: (dimension,), FACTOR: (dimension, rank), LOG_SCALES: (dimension,)}

    def coordinates(self, raw: FloatArray) -> FloatArray:
        return raw

    def raw(self, mean: FloatArray, covariance: Covariance) -> FloatArray:
        if not isinstance(covariance, LowRank) or np.shape(covariance.loadings)[-1] > self.rank:
            raise ValueError(
                f"the guide has a covariance of rank {self.rank} and a diagonal, "
                f"{type(covariance).__name__} is none"
            )
        factor = np.zeros((self.dimension, self.rank))
        factor[:, : np.shape(covariance.loadings)[-1]] = covariance.loadings
        return np.concatenate([mean, factor.ravel(), 0.5 * np.log(covariance.diagonal)])


GuideLayout: TypeAlias = MeanFieldGuide | FullRankGuide | LowRankGuide


class GuideParameters:
    """What the parameters of a guide mean over the unconstrained variables of a model.

    Parameters
    ----------
    values : mapping of str to array
        Parameters of the guide, by name.
    model : pymc.Model
    guide : AutoGuideModel, optional
        By default that of pymc-extras which has parameters of these names.

    Raises
    ------
    ValueError
        If the parameters or the guide are of another model, or the guide is none of pymc-extras' own: its
        density is compared with that of the Gaussian that the parameters are taken for.
    """

    def __init__(self, values: Values, model: Model, guide: AutoGuideModel | None = None) -> None:
        known = {variable.name: variable for variable in variables_in(model)}
        owners = {rv.name: known[model.rvs_to_values[rv].name] for rv in model.free_RVs}
        self.guide = _own_guide(values, model, owners) if guide is None else guide
        order = [variable.name for variable in self.guide.model.deterministics]
        if set(order) != set(owners):
            raise ValueError(
                f"the guide is over {some_of(order)}, the model over {some_of(list(owners))}: give the model "
                "that was fitted; of what was observed through a stream of batches, pm.observe(model, "
                "{name: data}) is it"
            )
        self._order = order
        self.variables = tuple(owners[name] for name in order)
        self.layout = self._layout(values, order)
        self.size = self.layout.size
        self._check_values(values)
        self._check_density(values)

    def row(self, values: Values) -> FloatArray:
        """Values of the parameters one after another, shape (size,)."""
        return np.concatenate([np.ravel(values[name]) for name in self.layout.shapes], dtype=float)

    def values(self, distribution: Snapshot, like: Values) -> dict[str, Any]:
        """The values that a Gaussian of the family has, in the types of other ones."""
        distribution = distribution.reorder(self.variables)
        row = self.layout.raw(np.asarray(distribution.mean), distribution.covariance)
        shapes = self.layout.shapes
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
        parts = zip(shapes.items(), np.split(row, ends), strict=True)
        return {
            name: part.reshape(shape).astype(np.asarray(like[name]).dtype) for (name, shape), part in parts
        }

    def distribution(self, centre: FloatArray) -> Snapshot:
        """The Gaussian at a point given by its coordinates, shape (size,)."""
        return NamedMultivariateNormal(*self.layout.mean_and_covariance(centre), self.variables)

    def gaussian(self, values: Values) -> Snapshot:
        """The Gaussian of values of the parameters."""
        (centre,) = self.layout.coordinates(self.row(values)[None])
        return self.distribution(centre)

    def _layout(self, values: Values, order: Sequence[str]) -> GuideLayout:
        own = [parameter.name for parameter in self.guide.params]
        if set(own) != set(values):
            raise ValueError(
                f"the guide has the parameters {some_of(sorted(own))}, given are {some_of(sorted(values))}"
            )
        d = sum(variable.size for variable in self.variables)
        layouts: list[GuideLayout] = [MeanFieldGuide(self.variables, order), FullRankGuide(d)]
        if FACTOR in values and np.ndim(values[FACTOR]) == 2:
            layouts.append(LowRankGuide(d, np.shape(values[FACTOR])[1]))
        for layout in layouts:
            if set(layout.shapes) == set(values):
                return layout
        raise ValueError(
            f"the parameters {some_of(sorted(values))} are none of pymc-extras' guides over the model "
            f"({OWN_GUIDES}); of other guides give {BY_HAND}"
        )

    def _check_values(self, values: Values) -> None:
        for name, shape in self.layout.shapes.items():
            if np.shape(values[name]) != shape:
                raise ValueError(
                    f"{name} has shape {np.shape(values[name])}, of the model's guide it has {shape}: the "
                    "parameters are of another model"
                )
        if broken := [name for name in self.layout.shapes if not np.isfinite(values[name]).all()]:
            raise ValueError(
                f"the parameters {some_of(broken)} are not finite: the fit diverged; try a smaller learning "
                "rate, or fit by kl_plugins.variational.fit"
            )

    def _check_density(self, values: Values) -> None:
        """ValueError unless the guide's density, at a draw of its own, is that of the Gaussian."""
        point = pt.concatenate([self.guide.model[rv].ravel() for rv in self._order])
        density = self.guide.stochastic_logq(path_derivative_gradient=False)
        inputs = list(self.guide.params)
        function = pytensor.function(inputs, [point, density], mode="FAST_COMPILE", on_unused_input="ignore")
        x, found = function(*[np.asarray(values[one.name], dtype=one.type.dtype) for one in inputs])
        q = self.gaussian(values)
        x = np.asarray(x, dtype=float)
        expected = float(q.log_prob(x))
        rounding = np.finfo(np.asarray(found).dtype).eps * (1.0 + np.abs(x) / q.std)
        if not abs(float(found) - expected) <= 1e3 * len(x) * float(rounding.max()) + 1e-6 * abs(expected):
            raise ValueError(
                f"the guide's parameters mean something else than those of {OWN_GUIDES} in pymc-extras 0.15: "
                f"its density is not that of the Gaussian they would be. Give {BY_HAND}"
            )


def _own_guide(values: Values, model: Model, owners: Mapping[str, Variable]) -> AutoGuideModel:
    """The guide of pymc-extras that has parameters of these names."""
    if set(values) == {CENTRE, TRIANGLE}:
        return AutoMultivariateNormal(model)
    if set(values) == {CENTRE, FACTOR, LOG_SCALES}:
        return AutoLowRankMultivariateNormal(model, rank=np.shape(values[FACTOR])[-1])
    if set(values) == {f"{name}_{what}" for name in owners for what in ("loc", "scale")}:
        return AutoDiagonalNormal(model)
    raise ValueError(
        f"the parameters {some_of(sorted(values))} are not those that {OWN_GUIDES} has over the model's "
        f"variables {some_of(list(owners))}: give the model that was fitted, or of a guide of your own "
        f"{BY_HAND}"
    )
