"""The Gaussian with the moments of a posterior's draws, and how well these are known."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from kl_plugins.covariance.full import Dense
from kl_plugins.errors import EstimateWarning
from kl_plugins.estimate.moments import (
    BLOCKS,
    blocks_of,
    draws_needed,
    linearly_dependent,
    sampling_divergence,
    sd_errors,
    still,
)
from kl_plugins.families.named import NamedMultivariateNormal, element_names, some_of
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.parameters.declarations import constant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymc.model import Model

CONVERGED = 1.01
"""Above this R-hat chains have not converged: Vehtari et al. (2021), arXiv:1903.08008."""
FEWEST_DRAWS = 4
"""Of a chain, from which on ArviZ knows an effective sample size."""
DRAWS_OF_A_BLOCK = 20
"""A block is worth so many independent draws, so that its average hardly depends on that of the next."""
MOST_BLOCKS = 200
OTHER_CHOICE = "drop some with var_names (var_names=['~theta'] leaves theta out) or .sel"


@dataclass(frozen=True, eq=False)
class MonteCarloErrors:
    """How well the moments of a Gaussian are known from draws.

    Attributes
    ----------
    chains, draws : int
        The number of chains, and of draws in each.
    ess : ndarray, shape (d,)
        Effective sample sizes: of each element the smaller one of those for its mean and its variance.
    mcse_mean, mcse_sd : ndarray, shape (d,)
        Monte Carlo standard errors of means and standard deviations.
    r_hat : ndarray, shape (d,)
        Rank-normalised split R-hat. Of a single chain it is that of its two halves, which tells a drift and
        nothing of where other chains would be.
    divergence : float
        The expected Kullback-Leibler divergence, in nats, of this Gaussian from that with the posterior's own
        moments (either way, to second order), for the draws are finitely many.
    """

    chains: int
    draws: int
    ess: FloatArray = field(repr=False)
    mcse_mean: FloatArray = field(repr=False)
    mcse_sd: FloatArray = field(repr=False)
    r_hat: FloatArray = field(repr=False)
    divergence: float


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

    choice: ClassVar[str] = (
        "Choose the same elements for both by var_names, or .sel for coordinates; after their transforms, as "
        "a fit has them (tau_log__), variables are with kl_plugins.gaussian(draws, model=model)"
    )


def gaussian(
    trace: Any,
    var_names: str | Sequence[str] | None = None,
    filter_vars: Literal["like", "regex"] | None = None,
    model: Model | None = None,
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

    Returns
    -------
    GaussianSummary
        With ``mean``, ``covariance``, ``elements`` and, in ``sampling``, Monte Carlo standard errors.

    Raises
    ------
    TypeError
        If `trace` holds no draws, or some that are no real numbers.
    ValueError
        If there is no group posterior or nothing is chosen; if a variable is discrete; if draws are NaN or
        infinite; if the covariance is singular, as an element does not vary, or others determine it (in a
        simplex, unless `model` is given); if there are fewer than 2 (d + 20) draws, or 4 in a chain; if draws
        are not of the model.
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
    try:
        from kl_plugins.posteriors.elements import constrained_draws, unconstrained_draws
    except ImportError as error:
        raise ImportError(f"gaussian needs ArviZ ({error}); install it with: pip install arviz") from error
    if model is None:
        chains, variables = constrained_draws(trace, var_names, filter_vars)
    else:
        chains, variables = unconstrained_draws(trace, var_names, filter_vars, model)
    names = element_names(variables)
    _check_numbers(chains, names)
    points = chains.reshape(-1, len(names))
    with np.errstate(over="ignore", invalid="ignore"):
        mean, matrix = points.mean(axis=0), np.atleast_2d(np.cov(points, rowvar=False))
    if (bad := ~(np.isfinite(mean) & np.isfinite(np.diagonal(matrix)) & (np.diagonal(matrix) > 0.0))).any():
        raise ValueError(
            f"{_those(names, bad)}: the variance is beyond the range of floats: change the units, for which "
            "divergences do not care"
        )
    if (dependent := linearly_dependent(matrix)).any():
        raise ValueError(
            f"{_those(names, dependent)}: each follows from others, as of shares that add up to 1, so that "
            f"the covariance is singular: {OTHER_CHOICE}, or give model=, on whose unconstrained scale all "
            "numbers are free"
        )
    covariance = Dense(matrix)
    sampling = _errors_of_moments(chains, mean, np.asarray(covariance.factor))
    _warn_of_few(sampling, names)
    return GaussianSummary(mean, covariance, variables, sampling)


def _check_numbers(chains: FloatArray, names: tuple[str, ...]) -> None:
    """Raise ValueError unless there are enough draws, all finite, and every element varies."""
    count, draws, d = chains.shape
    if (bad := ~np.isfinite(chains).all(axis=(0, 1))).any():
        raise ValueError(
            f"{_those(names, bad)}: NaN or infinite in some of the draws, which have no moments then: "
            f"{OTHER_CHOICE}, or mend the sampler"
        )
    if count * draws < draws_needed(d) or draws < FEWEST_DRAWS:
        raise ValueError(
            f"{count * draws} draws, {draws} in a chain, are too few for the covariance of {d} elements: it "
            f"needs at least {draws_needed(d)}, {FEWEST_DRAWS} in a chain, better thousands. Draw more, or "
            f"{OTHER_CHOICE}"
        )
    if (constant := still(chains.reshape(-1, d))).any():
        raise ValueError(
            f"{_those(names, constant)}: the same in all draws, as the first element of a Cholesky factor of "
            f"correlations is, so that the covariance is singular: {OTHER_CHOICE}. Where nothing varies, the "
            "sampler is stuck"
        )


def _those(names: tuple[str, ...], chosen: Any) -> str:
    return some_of([name for name, one in zip(names, chosen, strict=True) if one])


def _errors_of_moments(chains: FloatArray, mean: FloatArray, factor: FloatArray) -> MonteCarloErrors:
    """The errors of moments that ArviZ's effective sample sizes amount to."""
    from kl_plugins.plugins.arviz import effective_sample_sizes, rhats

    count, draws, d = chains.shape
    squares = (chains - mean) ** 2
    of_mean, of_variance = effective_sample_sizes(chains), effective_sample_sizes(squares)
    sd = chains.reshape(-1, d).std(axis=0, ddof=1)
    ess = np.minimum(of_mean, of_variance)
    blocks = int(np.clip(ess.min() / DRAWS_OF_A_BLOCK, BLOCKS, MOST_BLOCKS))
    halves = np.array(np.split(chains[0, : draws // 2 * 2], 2)) if count == 1 else chains
    return MonteCarloErrors(
        chains=count,
        draws=draws,
        ess=ess,
        mcse_mean=sd / np.sqrt(of_mean),
        mcse_sd=sd_errors(sd, (squares**2).mean(axis=(0, 1)), of_variance),
        r_hat=rhats(halves),
        divergence=sampling_divergence(blocks_of(chains, blocks), mean, factor),
    )


def _warn_of_few(sampling: MonteCarloErrors, names: tuple[str, ...]) -> None:
    """Warn of chains that have not converged, and of dependent draws that are worth too few."""
    worst, least = int(np.argmax(sampling.r_hat)), int(np.argmin(sampling.ess))
    if not sampling.r_hat[worst] <= CONVERGED:
        beyond = int(np.sum(~(sampling.r_hat <= CONVERGED)))
        warnings.warn(
            f"the chains have not converged: R-hat of {names[worst]} is {sampling.r_hat[worst]:.4g}, and "
            f"above {CONVERGED} for {beyond} of {len(names)} elements. These moments are not those of the "
            "posterior yet: run longer chains, or mend the model",
            EstimateWarning,
            stacklevel=3,
        )
    if not sampling.ess[least] >= draws_needed(len(names)):
        warnings.warn(
            f"the draws of {names[least]} are worth {sampling.ess[least]:.0f} independent ones, and a "
            f"covariance of {len(names)} elements needs {draws_needed(len(names))}: divergences of this "
            f"Gaussian are far too large. Draw more, or {OTHER_CHOICE}",
            EstimateWarning,
            stacklevel=3,
        )
