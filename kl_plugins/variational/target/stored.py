"""Gaussians that InferenceData and DataTrees hold: what pymc-extras' functions return beside draws."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from pymc.logprob.transforms import CircularTransform
from pymc.model import Model

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.full import Dense
from kl_plugins.errors import EstimateWarning
from kl_plugins.estimate.moments import still
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot, element_names, some_of
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.target.density import variables_in
from kl_plugins.variational.target.draws import points_of_draws
from kl_plugins.variational.target.transforms import kind_of

MEAN, COVARIANCE = "mean_vector", "covariance_matrix"
"""Of the group "fit" that a Laplace approximation adds to its draws."""
OPTIMUM = "x"
"""Of the group "optimizer_result": of deterministic ADVI all means, then all log scales."""
LOSSES = "elbo"
"""Of the group "fit" that ADVI adds to its draws, of a mean-field Gaussian."""


def stored_gaussian(approx: Any) -> Callable[[Model], Snapshot] | None:
    """What reads the Gaussian of an InferenceData or DataTree for a model; None where it holds none.

    Raises
    ------
    TypeError
        If it is the result of a fit that has no Gaussian.
    """
    fit, found = _group(approx, "fit"), _group(approx, "optimizer_result")
    if MEAN in fit:
        return partial(_laplace, fit)
    if OPTIMUM in found and _is_doubled(_labels(found[OPTIMUM])):
        return partial(_deterministic_advi, found[OPTIMUM])
    if LOSSES in fit:
        return partial(_draws_of_advi, approx)
    if _group(approx, "pathfinder"):
        raise TypeError(
            "fit_pathfinder returns draws of several Gaussians, resampled, and neither these nor a density. "
            "What can be judged is the Gaussian with the mean and the covariance of the draws: give "
            "kl_plugins.gaussian(draws, model=model)"
        )
    return None


def is_of_a_fit(draws: object) -> bool:
    """Whether InferenceData or a DataTree holds what a variational fit left beside its draws."""
    return any(len(_group(draws, name)) > 0 for name in ("fit", "optimizer_result", "pathfinder"))


def _group(approx: Any, name: str) -> Any:
    """The variables of a group; an empty mapping where there is none."""
    if type(approx).__module__.partition(".")[0] not in ("arviz", "xarray"):
        return {}
    return getattr(getattr(approx, name, None), "data_vars", {})


def _labels(array: Any) -> list[str]:
    """What the entries of a vector are called: ``name`` or ``name[place]``."""
    coordinates = array.coords
    return [str(label) for label in coordinates[array.dims[0]].values] if array.dims[0] in coordinates else []


def _is_doubled(labels: Sequence[str]) -> bool:
    half = len(labels) // 2
    return half > 0 and labels[:half] == labels[half:] and len(set(labels)) == half


def _laplace(group: Any, model: Model) -> Snapshot:
    if COVARIANCE not in group:
        raise TypeError(
            f"the group fit has a {MEAN} and no {COVARIANCE}: it is a mode, no Gaussian. Use "
            "pymc_extras.fit_laplace"
        )
    mean = np.asarray(group[MEAN], dtype=float)
    return _over_variables(
        "fit", _labels(group[MEAN]), mean, Dense(np.asarray(group[COVARIANCE], float)), model
    )


def _deterministic_advi(array: Any, model: Model) -> Snapshot:
    mean, log_scales = np.split(np.asarray(array, dtype=float), 2)
    labels = _labels(array)[: len(mean)]
    return _over_variables("optimizer_result", labels, mean, DiagonalScales(np.exp(log_scales)), model)


def _over_variables(
    group: str, labels: Sequence[str], mean: FloatArray, covariance: Covariance, model: Model
) -> Snapshot:
    """A Gaussian whose coordinates have labels, over the variables of the model."""
    owners = [label.partition("[")[0] for label in labels]
    known = {variable.name: variable for variable in variables_in(model)}
    names = [name for name, _ in groupby(owners)]
    if sorted(names) != sorted(known) or any(owners.count(name) != known[name].size for name in names):
        raise ValueError(
            f"the group {group} is over {', '.join(names)} ({len(owners)} coordinates), the model over "
            f"{', '.join(f'{variable.name} of shape {variable.shape}' for variable in known.values())}"
        )
    return NamedMultivariateNormal(mean, covariance, tuple(known[name] for name in names))


def _draws_of_advi(approx: Any, model: Model) -> Snapshot:
    """The mean-field Gaussian with the moments of its draws, and a warning of how well they tell it."""
    variables = variables_in(model)
    if any(issubclass(kind_of(one), CircularTransform) for one in model.rvs_to_transforms.values()):
        raise ValueError(
            f"fit_advi returns draws, and those of angles do not tell their Gaussian. {KEEP_THE_TRAINER}"
        )
    chains = points_of_draws(approx, model, variables, "the result of fit_advi")
    points = chains.reshape(-1, chains.shape[2])
    if (constant := still(points)).any():
        names = [name for name, one in zip(element_names(variables), constant, strict=True) if one]
        raise ValueError(f"the draws of fit_advi do not vary in {some_of(names)}: draw more than one")
    count, d = points.shape
    # Of n draws a mean is off by σ/√n, a log scale by 1/√(2n): 1/n each of the Jeffreys divergence.
    warnings.warn(
        f"fit_advi returns draws, and no parameters: the Gaussian is estimated from {count:,d} draws, and "
        f"about {2.0 * d / count:.2g} nats (Jeffreys) from the one that was fitted. {KEEP_THE_TRAINER}",
        EstimateWarning,
        stacklevel=2,
    )
    return NamedMultivariateNormal(points.mean(axis=0), DiagonalScales(points.std(axis=0, ddof=1)), variables)


KEEP_THE_TRAINER = (
    "A Trainer keeps the parameters: trainer = Trainer(); trainer.fit(n, model=model), and give the trainer"
)
