"""Approximations of anybody's as Gaussians over the variables of a model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch

import numpy as np
from pymc.model import Model
from pymc.variational.opvi import Approximation

from kl_plugins.covariance.axis_aligned import Diagonal
from kl_plugins.covariance.full import Dense
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot, some_of
from kl_plugins.plugins.pymc.coordinates import with_coordinates
from kl_plugins.recognition import load_plugins_of
from kl_plugins.variational.target.density import model_given_or_in_context, variables_in
from kl_plugins.variational.target.parameters import Parameters, told
from kl_plugins.variational.target.stored import stored_gaussian


def snapshot(approximation: object, model: Model | None = None) -> Snapshot:
    """Freeze a fitted approximation to numbers, with the names and slices of its variables.

    Parameters
    ----------
    approximation : pymc.MeanField, pymc.FullRank, an approximation of such groups, or of pymc-extras
        As ``pm.fit`` returns it, or as it stands in the middle of a fit. Of pymc-extras a Trainer that was
        fitted, its state, a tuple ``(guide, state)``, or what ``fit_dadvi``, ``fit_laplace`` and ``fit_advi``
        return.
    model : pymc.Model, optional
        The model approximated, where `approximation` does not know it and it is not in context. Only PyMC's
        own approximations do.

    Returns
    -------
    NamedMultivariateNormal
        A Gaussian over the unconstrained space: ``mean`` and ``std`` of shape (d,), ``variables``
        (names and shapes in order), ``names`` and ``slices``. `kl` and `jeffreys` take it like any
        distribution, against another snapshot by variable name.

    Raises
    ------
    TypeError
        If the approximation has a group that is not Gaussian (such as ``pm.Empirical``), or is none.
    ValueError
        If the parameters are not finite, as the fit diverged; if they are of another model; if nothing was
        fitted.

    Warns
    -----
    EstimateWarning
        Of what ``fit_advi`` returns: it holds draws, and the Gaussian is known as well as they tell.

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
    if isinstance(approximation, Approximation):
        _check_own_model(approximation, model)
        return _of_pymc(approximation)
    _refuse_strangers(
        approximation,
        "snapshot",
        "snapshot(approximation, model=model)",
        "; of a sampler's draws, use kl_plugins.gaussian(draws, model=model)",
    )
    model = model_given_or_in_context(model, "snapshot(approximation, model=model)")
    return gaussian_of(approximation, model)


def _of_pymc(approximation: Approximation) -> Snapshot:
    parameters = Parameters(approximation)
    with np.errstate(invalid="ignore"):  # NaN of a diverged fit is refused by name, further on
        (row,) = parameters.coordinates(parameters.read()[None])
    return parameters.distribution(row)


def _check_own_model(approximation: Approximation, model: Model | None) -> None:
    if model is not None and model is not approximation.model:
        raise ValueError(
            "the approximation is of another model than the one given as model. If this one has the same "
            "variables (as for a fit with minibatches the model on the full data has), give the Gaussian "
            "alone: snapshot(approximation)"
        )


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
        _check_own_model(approx, model)
        model = approx.model
        try:
            q = _of_pymc(approx)
        except ValueError as error:
            raise ValueError(f"{DIVERGED} ({error})") from error
    else:
        call = f"{caller}(approx, model=model)"
        _refuse_strangers(
            approx, caller, call, "; draws of NUTS go into reference=: diagnose(approx, reference=draws)"
        )
        model = model_given_or_in_context(model, call)
        q = gaussian_of(approx, model)
        check_compared(approx, model)
    if q.batch_shape:
        raise ValueError(f"one approximation at a time, got a batch of shape {q.batch_shape}")
    if not np.isfinite(q.mean).all():
        raise ValueError(f"{DIVERGED} (its mean is not finite)")
    return model, q


EXPECTED = (
    "{} takes what pm.fit or variational.fit returns (also a MultivariateNormal, (mean, covariance), a "
    "fitted Trainer of pymc-extras, or what its fit_laplace, fit_dadvi and fit_advi return), got {}"
)
DIVERGED = "the approximation diverged; fit it with a smaller learning rate or by kl_plugins.variational.fit"


@singledispatch
def gaussian_of(approx: object, model: Model) -> Snapshot:
    """An approximation from elsewhere over the variables of the model; plugins register theirs here."""
    read = stored_gaussian(approx)
    if read is None:
        raise TypeError(EXPECTED.format("the call", told(approx)))
    return read(model)


@singledispatch
def gaussian_of_pair(first: object, second: object, model: Model) -> Snapshot:
    """An approximation in two parts: mean and covariance, unless somebody registers something else."""
    mean, covariance = (np.asarray(part, dtype=float) for part in (first, second))
    structure = Diagonal(covariance) if covariance.ndim == 1 else Dense(covariance)
    return NamedMultivariateNormal(mean, structure, variables_in(model))


@singledispatch
def check_compared(approx: object, model: Model) -> None:
    """ValueError where the model is one that the approximation must not be compared with."""


def _refuse_strangers(approx: object, caller: str, call: str, draws: str) -> None:
    """Say what was given instead of an approximation, before anything is said of the model.

    `call` is how it is called with a model, `draws` what is said of draws.
    """
    load_plugins_of(type(approx))
    if gaussian_of.dispatch(type(approx)) is not gaussian_of.dispatch(object) or stored_gaussian(approx):
        return
    hint = ""
    if hasattr(approx, "free_RVs"):
        hint = f"; the model goes by name: {call}"
    elif isinstance(approx, Mapping):  # InferenceData, DataTree, Dataset or dict
        hint = draws
    raise TypeError(EXPECTED.format(caller, told(approx)) + hint)


@gaussian_of.register(NamedMultivariateNormal)
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


@gaussian_of.register
def _(approx: MultivariateNormal, model: Model) -> Snapshot:
    return NamedMultivariateNormal(approx.mean, approx.covariance, variables_in(model))


@gaussian_of.register
def _(approx: tuple, model: Model) -> Snapshot:  # type: ignore[type-arg]
    if len(approx) != 2:
        raise TypeError(f"expected (mean, covariance), got a tuple of {len(approx)}")
    load_plugins_of(type(approx[0]))
    return gaussian_of_pair(*approx, model)
