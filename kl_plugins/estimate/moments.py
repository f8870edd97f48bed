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


def jackknife_errors(without: FloatArray) -> FloatArray:
    """Standard errors of figures, shape (...), given them without each of n parts of the data, (n, ...)."""
    count = len(without)
    errors: FloatArray = np.sqrt((count - 1) / count * np.sum((without - without.mean(axis=0)) ** 2, axis=0))
    return errors


def sampling_divergence(blocks: list[FloatArray], of_means: FloatArray, of_squares: FloatArray) -> float:
    """The expected divergence, in nats, of the Gaussian with the draws' moments from that with the true ones.

    `blocks` are of draws z = L⁻¹(x − μ), L the Cholesky factor of their covariance; the others are effective
    sample sizes, shape (d,), of the means of z and of z². To second order in the errors of the moments it is
    ½ Σᵢ Var z̄ᵢ + ¼ Σᵢⱼ Var (zᵢzⱼ)‾, whichever way the divergence goes. For n independent draws of a Gaussian
    this is (d + d(d + 1)/2) / 2n. Sample sizes of all products would be too dear: their variances are those
    of averages over blocks, all multiplied by what those of squares are too small by, as blocks that are
    short beside the autocorrelation time are not independent.
    """
    d, count = len(of_means), len(blocks)
    products, squares, fourth = 0.0, 0.0, np.zeros(d)
    for block in blocks:
        n = len(block)
        product = (block @ block.T if n < d else block.T @ block) / n  # of the same norm and trace
        products += np.sum(product**2) - 2.0 * np.trace(product) + d
        squares += np.sum((np.mean(block**2, axis=0) - 1.0) ** 2)
        fourth += np.sum(block**4, axis=0)
    of_blocks = squares / (count * (count - 1))
    variances = fourth / sum(map(len, blocks)) - 1.0
    ratio = np.sum(variances / of_squares) / of_blocks if of_blocks > 0.0 else 1.0
    return float(0.5 * np.sum(1.0 / of_means) + 0.25 * ratio * products / (count * (count - 1)))
