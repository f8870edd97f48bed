"""Approximations of anybody's as Gaussians over the variables of a model: PyMC's, numbers, pymc-extras'."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from itertools import groupby
from typing import Any

import numpy as np
from pymc.model import Model
from pymc.variational.opvi import Approximation

from kl_plugins.covariance.axis_aligned import Diagonal
from kl_plugins.covariance.full import Dense
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot, some_of
from kl_plugins.plugins.pymc.coordinates import with_coordinates
from kl_plugins.variational.target.density import model_given_or_in_context, variables_in
from kl_plugins.variational.target.parameters import Parameters, told


def snapshot(approximation: Approximation) -> Snapshot:
    """Freeze a fitted approximation to numbers, with the names and slices of its variables.

    Parameters
    ----------
    approximation : pymc.MeanField, pymc.FullRank or an approximation of such groups
        As ``pm.fit`` returns it, or as it stands in the middle of a fit.

    Returns
    -------
    NamedMultivariateNormal
        A Gaussian over the unconstrained space: ``mean`` and ``std`` of shape (d,), ``variables``
        (names and shapes in order), ``names`` and ``slices``. `kl` and `jeffreys` take it like any
        distribution, against another snapshot by variable name.

    Raises
    ------
    TypeError
        If the approximation has a group that is not Gaussian (such as ``pm.Empirical``).
    ValueError
        If the parameters are not finite: the fit diverged.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins import kl
    >>> from kl_plugins.variational import snapshot
    >>> with pm.Model():
    ...     slope = pm.Normal("slope", shape=2)
    ...     noise = pm.HalfNormal("noise")
    ...     approximation = pm.MeanField()
    >>> frozen = snapshot(approximation)
    >>> frozen.names, frozen.slices["noise_log__"]
    (('slope', 'noise_log__'), slice(2, 3, None))
    >>> kl(frozen, frozen)
    np.float64(0.0)
    """
    if not isinstance(approximation, Approximation):
        draws = isinstance(approximation, Mapping)  # InferenceData, DataTree or Dataset
        hint = "; of a sampler's draws, use kl_plugins.gaussian(draws, model=model)" if draws else ""
        raise TypeError(f"snapshot takes a PyMC approximation, got {told(approximation)}{hint}")
    parameters = Parameters(approximation)
    with np.errstate(invalid="ignore"):  # NaN of a diverged fit is refused by name, further on
        (row,) = parameters.coordinates(parameters.read()[None])
    return parameters.distribution(row)


MEAN, COVARIANCE = "mean_vector", "covariance_matrix"
"""Of the group "fit" that pymc-extras' Laplace approximation adds to its draws."""


def model_and_distribution(approx: object, model: Model | None, caller: str) -> tuple[Model, Snapshot]:
    """The model of an approximation and the approximation in numbers; `caller` is who asks, for messages.

    Raises
    ------
    TypeError
        If there is no model, or `approx` is no Gaussian approximation.
    ValueError
        If it is of another model, diverged, a batch, or over other variables.
    """
    if isinstance(approx, Approximation):
        if model is not None and model is not approx.model:
            raise ValueError(
                "the approximation is of another model than the one given as model. If this one has the same "
                "variables (as for a fit with minibatches the model on the full data has), give the Gaussian "
                "alone: snapshot(approximation)"
            )
        model = approx.model
        try:
            q = snapshot(approx)
        except ValueError as error:
            raise ValueError(f"{DIVERGED} ({error})") from error
    else:
        _refuse_strangers(approx, caller)
        model = model_given_or_in_context(model, f"{caller}(approx, model=model)")
        q = _named(approx, model)
    if q.batch_shape:
        raise ValueError(f"one approximation at a time, got a batch of shape {q.batch_shape}")
    if not np.isfinite(q.mean).all():
        raise ValueError(f"{DIVERGED} (its mean is not finite)")
    return model, q


EXPECTED = (
    "{} takes what pm.fit or variational.fit returns (also a MultivariateNormal, (mean, covariance) or what "
    "pymc_extras.fit_laplace returns), got {}"
)
DIVERGED = "the approximation diverged; fit it with a smaller learning rate or by kl_plugins.variational.fit"


@singledispatch
def _named(approx: object, model: Model) -> Snapshot:
    """An approximation from elsewhere over the variables of the model."""
    return _stored(_fit_group(approx), model)


def _fit_group(approx: Any) -> Any:
    """The group of an InferenceData or DataTree that holds a Gaussian; None where there is none."""
    group = getattr(approx, "fit", None)
    return group if MEAN in getattr(group, "data_vars", ()) else None


def _refuse_strangers(approx: object, caller: str) -> None:
    """Say what was given instead of an approximation, before anything is said of the model."""
    if _named.dispatch(type(approx)) is not _named.dispatch(object) or _fit_group(approx) is not None:
        return
    hint = ""
    if hasattr(approx, "free_RVs"):
        hint = f"; the model goes by name: {caller}(approx, model=model)"
    elif isinstance(approx, Mapping):  # InferenceData, DataTree, Dataset or dict
        hint = "; draws of NUTS go into reference=: diagnose(approx, reference=draws)"
    raise TypeError(EXPECTED.format(caller, told(approx)) + hint)


def _stored(group: Any, model: Model) -> Snapshot:
    """The Gaussian of a group of InferenceData; its rows are labelled ``name`` or ``name[place]``."""
    if COVARIANCE not in group.data_vars:
        raise TypeError(
            f"the group fit has a {MEAN} and no {COVARIANCE}: it is a mode, no Gaussian. Use "
            "pymc_extras.fit_laplace"
        )
    mean, covariance = group[MEAN], group[COVARIANCE]
    owners = [str(label).partition("[")[0] for label in mean.coords[mean.dims[0]].values]
    known = {variable.name: variable for variable in variables_in(model)}
    names = [name for name, _ in groupby(owners)]
    if sorted(names) != sorted(known) or any(owners.count(name) != known[name].size for name in names):
        raise ValueError(
            f"the group fit is over {', '.join(names)} ({len(owners)} coordinates), the model over "
            f"{', '.join(f'{variable.name} of shape {variable.shape}' for variable in known.values())}"
        )
    return NamedMultivariateNormal(
        np.asarray(mean, dtype=float),
        Dense(np.asarray(covariance, dtype=float)),
        tuple(known[name] for name in names),
    )


@_named.register(NamedMultivariateNormal)
def _(approx: Snapshot, model: Model) -> Snapshot:
    """With the names and the order that the elements have in the model."""
    own = with_coordinates(model, [(variable.name, variable.shape) for variable in approx.variables])
    for given, known in zip(approx.variables, own, strict=True):
        if given.positions_of(known) is None:
            raise ValueError(
                f"the approximation is over {some_of(given.elements)}, the model over "
                f"{some_of(known.elements)}"
            )
    return approx.reorder(own)


@_named.register
def _(approx: MultivariateNormal, model: Model) -> Snapshot:
    return NamedMultivariateNormal(approx.mean, approx.covariance, variables_in(model))


@_named.register
def _(approx: tuple, model: Model) -> Snapshot:  # type: ignore[type-arg]
    if len(approx) != 2:
        raise TypeError(f"expected (mean, covariance), got a tuple of {len(approx)}")
    mean, covariance = (np.asarray(part, dtype=float) for part in approx)
    structure = Diagonal(covariance) if covariance.ndim == 1 else Dense(covariance)
    return NamedMultivariateNormal(mean, structure, variables_in(model))
