"""The Gaussian with the moments of a posterior's draws, and how well these are known."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from kl_plugins.covariance.full import Dense
from kl_plugins.errors import EstimateWarning
from kl_plugins.estimate.moments import (
    draws_needed,
    linearly_dependent,
    still,
)
from kl_plugins.families.named import NamedMultivariateNormal, element_names, some_of
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.parameters.declarations import constant
from kl_plugins.posteriors.errors import MonteCarloErrors, errors_of_moments
from kl_plugins.progress import AFTER, Report, progress_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymc.model import Model

CONVERGED = 1.01
"""Above this R-hat chains have not converged: Vehtari et al. (2021), arXiv:1903.08008."""
FEWEST_DRAWS = 4
"""Of a chain, from which on ArviZ knows an effective sample size."""
LEAST_VARIANCE = 1e-290
"""Nearer to the least and the largest number, floats have fewer digits, and sums no room."""


class GaussianSummary(NamedMultivariateNormal[np.float64, FloatArray]):
    """The Gaussian with the mean and the covariance of a posterior's draws; made by `gaussian`.

    Attributes
    ----------
    mean : ndarray, shape (d,)
    covariance : Dense
    variables : tuple of Variable
        Names, shapes and coordinates. ``elements`` are the names of the d elements as ArviZ has them.
    sampling : MonteCarloErrors
        How well mean and covariance are known. ``chains`` and ``draws`` (of each); for each element, shape
        (d,), ``ess`` (the smaller effective sample size of those for mean and variance), ``mcse_mean`` and
        ``mcse_sd`` (Monte Carlo standard errors) and ``r_hat``; and ``divergence``, the expected
        Kullback-Leibler divergence in nats between this Gaussian and that with the posterior's own moments.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from kl_plugins import gaussian
    >>> draws = np.random.default_rng(1).normal([1.0, 5.0], [1.0, 2.0], size=(4, 1000, 2))
    >>> found = gaussian(xr.Dataset({"x": (("chain", "draw", "group"), draws)}, {"group": ["a", "b"]}))
    >>> found.elements, found.mean.round(1).tolist(), found.std.round(1).tolist()
    (('x[a]', 'x[b]'), [1.0, 5.0], [1.0, 2.0])
    >>> found.sampling.chains, found.sampling.mcse_mean.round(2).tolist()
    (4, [0.02, 0.03])
    """

    sampling: MonteCarloErrors | None = constant(default=None)

    choice: ClassVar[str] = "Choose the same elements for both by var_names, or .sel for coordinates"
    other_scale: ClassVar[str] = (
        "After transforms, as a fit has them, variables are with kl_plugins.gaussian(draws, model=model)"
    )


def gaussian(
    trace: Any,
    var_names: str | Sequence[str] | None = None,
    filter_vars: Literal["like", "regex"] | None = None,
    model: Model | None = None,
    *,
    progressbar: bool = True,
) -> GaussianSummary:
    """Summarise the draws of a posterior by the Gaussian with their mean and covariance.

    `kl` and `jeffreys` compare two of them, or one with a fit, by the names and coordinates of their
    elements, whatever the order.

    Parameters
    ----------
    trace : InferenceData, DataTree or Dataset
        Draws, as of NUTS: its group "posterior", or a Dataset of variables with dimensions chain and draw.
        Dask's arrays are loaded.
    var_names : str or sequence of str, optional
        The variables to take, or with a "~" in front to leave out, as ArviZ's functions understand it.
    filter_vars : {"like", "regex"}, optional
        Whether `var_names` are parts of names, or regular expressions, as in ArviZ.
    model : pymc.Model, optional
        Takes the draws to the model's unconstrained scale, where a Gaussian suits better and where
        variational fits are. The model's free variables are then what there is to choose from; elements are
        called as its value variables are, such as ``tau_log__``.
    progressbar : bool
        Whether to show what is being done, in a terminal or notebook, once it takes two seconds.

    Returns
    -------
    GaussianSummary
        With ``mean``, ``covariance``, ``elements`` and, in ``sampling``, Monte Carlo standard errors.

    Raises
    ------
    TypeError
        If `trace` holds no draws, or some that are no real numbers; if `var_names` are no names.
    ValueError
        If there is no group posterior, or nothing or something unknown is chosen; if a variable is discrete;
        if draws are NaN or infinite; if the covariance is singular, as an element does not vary, or others
        determine it (in a simplex, unless `model` is given), or beyond the range of floats; if there are
        fewer than 2 (d + 20) draws, or 4 in a chain; if draws are not of the model.
    ImportError
        If ArviZ is not installed.

    Warns
    -----
    EstimateWarning
        If the chains have not converged (R-hat above 1.01), or the effective sample size of an element is
        below 2 (d + 20).

    See Also
    --------
    kl_plugins.variational.snapshot : the Gaussian of a variational fit

    Notes
    -----
    A divergence of two summaries is of Gaussians: it compares means, standard deviations and correlations,
    and nothing else of the posteriors. Finitely many draws make it too large. Two summaries p and q of one
    posterior are not 0 apart but about ``p.sampling.divergence + q.sampling.divergence``, which for n
    independent draws of a d-dimensional Gaussian each is (d + d(d + 1)/2)/n. Less than that is no difference.
    Effective sample sizes allow for dependence of the draws. Where they are below 2 (d + 20), it is a
    lower bound: chains that are short beside their autocorrelation do not show all of it.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from kl_plugins import gaussian, kl
    >>> rng, dims = np.random.default_rng(1), ("chain", "draw")
    >>> p = gaussian(xr.Dataset({"mu": (dims, rng.normal(0.0, 1.0, size=(4, 1000)))}))
    >>> q = gaussian(xr.Dataset({"mu": (dims, rng.normal(1.0, 1.0, size=(4, 1000)))}))
    >>> p.elements, f"{kl(p, q):.1f}"
    (('mu',), '0.5')
    """
    with progress_line(progressbar, after=AFTER) as report:
        report("reading the draws")
        return _gaussian(trace, var_names, filter_vars, model, report)


def _gaussian(
    trace: Any, var_names: Any, filter_vars: Any, model: Model | None, report: Report
) -> GaussianSummary:
    """As `gaussian`, told stage by stage to `report`."""
    try:
        from kl_plugins.posteriors.elements import constrained_draws, unconstrained_draws
    except ImportError as error:
        raise ImportError(f"gaussian needs ArviZ ({error}); install it with: pip install arviz") from error
    if model is None:
        chains, variables, choices = constrained_draws(trace, var_names, filter_vars)
        sampled = True
    else:
        from kl_plugins.variational.target.stored import is_of_a_fit

        sampled = not is_of_a_fit(trace)
        chains, variables, choices = unconstrained_draws(trace, var_names, filter_vars, model)
    elements = Elements(
        element_names(variables),
        tuple(np.repeat(choices, [variable.size for variable in variables]).tolist()),
        whole=model is not None,
    )
    _check_numbers(chains, elements)
    points = chains.reshape(-1, len(elements.names))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        mean, matrix = points.mean(axis=0), np.atleast_2d(np.cov(points, rowvar=False))
    variances = np.diagonal(matrix)
    if (
        bad := ~((variances > LEAST_VARIANCE) & (variances < 1.0 / LEAST_VARIANCE) & np.isfinite(mean))
    ).any():
        raise ValueError(
            f"{elements.those(bad)}: the variance is beyond the range of floats: change the units, for which "
            "divergences do not care"
        )
    if (dependent := linearly_dependent(matrix)).any():
        raise ValueError(
            f"{elements.those(dependent)}: each follows from others, as of shares that add up to 1, so that "
            f"the covariance is singular: {elements.regular(dependent)}, or give model=, on whose "
            "unconstrained scale all numbers are free"
        )
    covariance = Dense(matrix)
    sampling = errors_of_moments(chains, mean, np.sqrt(variances), np.asarray(covariance.factor), report)
    if sampled:  # what a variational fit draws, or resamples, makes no chains
        _warn_of_few(sampling, elements)
    return GaussianSummary(mean, covariance, variables, sampling)


@dataclass(frozen=True)
class Elements:
    """What elements are called, and the variables by which `var_names` chooses them.

    Of a model's variables these are `whole`, as its transforms need them.
    """

    names: tuple[str, ...]
    choices: tuple[str, ...]
    whole: bool = False

    @property
    def fewer(self) -> str:
        """What makes fewer elements."""
        what = "variables with var_names" if self.whole else "elements with var_names or .sel"
        return f"choose fewer {what}"

    def those(self, chosen: Any) -> str:
        """Names of some elements."""
        return some_of([name for name, one in zip(self.names, chosen, strict=True) if one])

    def without(self, chosen: Any) -> str:
        """In code how to leave out the variables of some elements."""
        bad = self._variables(chosen)
        if set(bad) == set(self.choices):
            return "choose other variables with var_names" if self.whole else "drop some elements with .sel"
        if len(bad) > 1:
            example = f"var_names={['~' + bad[-1]]} leaves {bad[-1]} out"
            return f"drop some with var_names ({example}){'' if self.whole else ' or with .sel'}"
        by_label = "" if self.whole else ", or elements of it with .sel"
        return f"leave {bad[0]} out with var_names={['~' + bad[0]]}{by_label}"

    def regular(self, chosen: Any) -> str:
        """The same where a covariance is singular: of PyMC's three variables of one matrix one stays."""
        bad = set(self._variables(chosen))
        for name in dict.fromkeys(self.choices):
            others = [f"{name}_corr", f"{name}_stds"]
            if {name, *others} <= set(self.choices) and bad & {name, *others}:
                left_out = [f"~{other}" for other in others]
                return f"{name}, {' and '.join(others)} are one matrix; keep the first, var_names={left_out}"
        return self.without(chosen)

    def _variables(self, chosen: Any) -> list[str]:
        return list(dict.fromkeys(name for name, one in zip(self.choices, chosen, strict=True) if one))


def _check_numbers(chains: FloatArray, elements: Elements) -> None:
    """Raise ValueError unless there are enough draws, all finite, and every element varies."""
    count, draws, d = chains.shape
    if (bad := ~np.isfinite(chains).all(axis=(0, 1))).any():
        raise ValueError(
            f"{elements.those(bad)}: NaN or infinite in some of the draws, which have no moments then: "
            f"{elements.without(bad)}, or mend the sampler"
        )
    if count * draws < draws_needed(d) or draws < FEWEST_DRAWS:
        raise ValueError(
            f"{count * draws} draws, {draws} in a chain, are too few for the covariance of {d} elements: it "
            f"needs at least {draws_needed(d)}, {FEWEST_DRAWS} in a chain, better thousands. Draw more, or "
            f"{elements.fewer}"
        )
    if (constant := still(chains.reshape(-1, d))).any():
        raise ValueError(
            f"{elements.those(constant)}: varies by no more than rounding, as the first element of a "
            "Cholesky factor of correlations does, so that the covariance is singular: "
            f"{elements.regular(constant)}. Where a large constant hides what varies, subtract it; where "
            "nothing varies, the sampler is stuck"
        )


def _warn_of_few(sampling: MonteCarloErrors, elements: Elements) -> None:
    """Warn of chains that have not converged, and of dependent draws that are worth too few."""
    names = elements.names
    worst, least = int(np.argmax(sampling.r_hat)), int(np.argmin(sampling.ess))
    if not sampling.r_hat[worst] <= CONVERGED:
        beyond = int(np.sum(~(sampling.r_hat <= CONVERGED)))
        warnings.warn(
            f"the chains have not converged: R-hat of {names[worst]} is {sampling.r_hat[worst]:.4f}, and "
            f"above {CONVERGED} for {beyond} of {len(names)} elements. These moments may "
            "not be those of the posterior: run longer chains, or mend the model",
            EstimateWarning,
            stacklevel=4,
        )
    if not sampling.ess[least] >= draws_needed(len(names)):
        warnings.warn(
            f"the draws of {names[least]} are worth {sampling.ess[least]:.0f} independent ones, and a "
            f"covariance of {len(names)} elements needs {draws_needed(len(names))}: divergences of this "
            f"Gaussian are far too large. Draw more, or {elements.fewer}",
            EstimateWarning,
            stacklevel=4,
        )
