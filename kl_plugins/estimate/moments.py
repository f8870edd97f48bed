"""Moments of draws: how well they are known, and what is needed for them to be known at all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from kl_plugins.ops.protocol import FloatArray

BLOCKS = 20
"""Draws are taken in at least so many blocks of consecutive ones, whose differences show their dependence."""
STILL = 1e-12
"""A coordinate that varies by less than this, relatively, does so by rounding."""
DEPENDENT = 1e-4
"""Where others say a coordinate to this share of its standard deviation, rounding may be all that is left."""
RIDGE = 1e-11
"""Added to variances of 1, where it makes no difference, so that singular matrices have a factor, too."""


def draws_needed(dimension: int) -> int:
    """How many independent draws the covariance of so many coordinates needs at least; better thousands."""
    return 2 * (dimension + BLOCKS)


def blocks_of(chains: FloatArray, count: int = BLOCKS) -> list[FloatArray]:
    """At least `count` blocks of consecutive draws, where there are so many, all within a chain.

    `chains` has shape (chains, draws, d), each block (draws, d).
    """
    pieces = max(1, -(-count // len(chains)))
    edges = np.linspace(0, chains.shape[1], pieces + 1).astype(int)
    return [chain[start:stop] for chain in chains for start, stop in pairwise(edges) if stop > start]


def still(points: FloatArray) -> NDArray[np.bool_]:
    """Which coordinates of points of shape (n, d) do not vary."""
    constant: NDArray[np.bool_] = np.ptp(points, axis=0) <= STILL * np.max(abs(points), axis=0)
    return constant


def linearly_dependent(covariance: FloatArray) -> NDArray[np.bool_]:
    """Which coordinates are certain given the others, of a covariance matrix of any scales."""
    scale = np.sqrt(np.diagonal(covariance))
    identity = np.eye(len(scale))
    factor = np.linalg.cholesky(covariance / scale / scale[:, None] + RIDGE * identity)
    precisions = np.sum(solve_triangular(factor, identity, lower=True) ** 2, axis=0)
    dependent: NDArray[np.bool_] = precisions > DEPENDENT**-2
    return dependent


def sd_errors(sd: FloatArray, fourth: FloatArray, count: float | FloatArray) -> FloatArray:
    """Standard errors of standard deviations, of central fourth moments and so many independent draws."""
    errors: FloatArray = np.sqrt(np.maximum(fourth - sd**4, 0.0) / count) / (2.0 * np.maximum(sd, 1e-300))
    return errors


def sampling_divergence(blocks: list[FloatArray], mean: FloatArray, factor: FloatArray) -> float:
    """The expected divergence, in nats, of the Gaussian with the draws' moments from that with the true ones.

    To second order in the errors of the moments it is ½ Σᵢ Var z̄ᵢ + ¼ Σᵢⱼ Var (zᵢzⱼ)‾ with z = L⁻¹(x − μ), L
    the Cholesky factor of the covariance, whichever way the divergence goes. The variances are those of
    averages over blocks, which allows for dependence of the draws and for any distribution of theirs. For n
    independent draws of a Gaussian it is (d + d(d + 1)/2) / 2n.
    """
    d, count, total = len(mean), len(blocks), 0.0
    for block in blocks:
        z = solve_triangular(factor, (block - mean).T, lower=True)
        n = z.shape[1]
        products = (z.T @ z if n < d else z @ z.T) / n  # of the same norm and trace
        from_identity = np.sum(products**2) - 2.0 * np.trace(products) + d
        total += 0.5 * np.sum(z.mean(axis=1) ** 2) + 0.25 * from_identity
    return float(total / (count * (count - 1)))
