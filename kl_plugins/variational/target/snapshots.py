"""Fitted approximations frozen to numbers."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
from pymc.variational.approximations import FullRankGroup, MeanFieldGroup
from pymc.variational.inference import Inference
from pymc.variational.opvi import Approximation

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.block_diagonal import BlockDiagonal
from kl_plugins.covariance.full import Cholesky
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.pymc.approximations import not_gaussian, variables_of


def snapshot(approximation: Approximation) -> NamedMultivariateNormal:
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
        raise TypeError(f"snapshot takes a PyMC approximation, got {told(approximation)}")
    frozen = [_numbers(group) for group in approximation.groups]
    covariances = tuple(covariance for _, covariance in frozen)
    return NamedMultivariateNormal(
        np.concatenate([mean for mean, _ in frozen]),
        covariances[0] if len(covariances) == 1 else BlockDiagonal(covariances),
        variables_of(approximation),
    )


def told(stranger: object) -> str:
    """What was given instead of an approximation, and where that is to be had."""
    if isinstance(stranger, Inference):
        return f"{type(stranger).__name__}, which fits one: give its attribute approx"
    if isinstance(stranger, type):
        return f"the class {stranger.__name__}: give what pm.fit returns"
    return type(stranger).__name__


@singledispatch
def _numbers(group: object) -> tuple[FloatArray, Covariance]:
    """Mean and covariance of a group of variables."""
    raise TypeError(not_gaussian(group))


@_numbers.register
def _(group: MeanFieldGroup) -> tuple[FloatArray, Covariance]:
    return _value(group.params_dict["mu"]), DiagonalScales(_softplus(_value(group.params_dict["rho"])))


@_numbers.register
def _(group: FullRankGroup) -> tuple[FloatArray, Covariance]:
    packed, d = _value(group.params_dict["L_tril"]), group.ddim
    factor = np.zeros((d, d), dtype=packed.dtype)
    factor[np.tril_indices(d)] = packed
    diagonal = np.arange(d)
    factor[diagonal, diagonal] = _softplus(factor[diagonal, diagonal])
    return _value(group.params_dict["mu"]), Cholesky(factor)


def _value(parameter: Any) -> FloatArray:
    """A parameter's value; only one that the user built from a graph needs a compilation."""
    read = getattr(parameter, "get_value", parameter.eval)
    return np.array(read())


def _softplus(x: FloatArray) -> FloatArray:
    """log(1 + exp(x)), PyMC's map from a free parameter to a standard deviation."""
    with np.errstate(invalid="ignore"):  # NaN of a diverged fit is refused by name, further on
        positive: FloatArray = np.logaddexp(np.zeros_like(x), x)
    return positive
