"""How well the moments of draws are known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import solve_triangular

from kl_plugins.estimate.moments import BLOCKS, blocks_of, sampling_divergence, sd_errors
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.progress import Report

DRAWS_OF_A_BLOCK = 20
"""A block is worth so many independent draws, so that its average hardly depends on that of the next."""
MOST_BLOCKS = 200


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


def errors_of_moments(
    chains: FloatArray, mean: FloatArray, sd: FloatArray, factor: FloatArray, report: Report
) -> MonteCarloErrors:
    """The errors of moments that ArviZ's effective sample sizes amount to."""
    from kl_plugins.plugins.arviz import effective_sample_sizes, rhats

    count, draws, d = chains.shape
    report(f"effective sample sizes of {d:,d} elements")
    centred = chains - mean
    standard, white = centred / sd, np.empty_like(centred)
    for of_chain, one in zip(white, centred, strict=True):
        of_chain[:] = solve_triangular(factor, one.T, lower=True).T
    of_mean, of_variance = effective_sample_sizes(standard), effective_sample_sizes(standard**2)
    ess = np.minimum(of_mean, of_variance)
    blocks = int(np.clip(ess.min() / DRAWS_OF_A_BLOCK, BLOCKS, MOST_BLOCKS))
    halves = np.array(np.split(standard[0, : draws // 2 * 2], 2)) if count == 1 else standard
    report(f"R-hat and errors of {d:,d} elements")
    return MonteCarloErrors(
        chains=count,
        draws=draws,
        ess=ess,
        mcse_mean=sd / np.sqrt(of_mean),
        mcse_sd=sd * sd_errors(np.ones(d), (standard**4).mean(axis=(0, 1)), of_variance),
        r_hat=rhats(halves),
        divergence=sampling_divergence(
            blocks_of(white, blocks), effective_sample_sizes(white), effective_sample_sizes(white**2)
        ),
    )
