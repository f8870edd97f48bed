"""Quasi-random draws of the standard normal distribution, whose first moments are exact."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import ndtri
from scipy.stats import qmc

from kl_plugins.ops.protocol import FloatArray

MOST_DIMENSIONS: int = qmc.Sobol.MAXDIM
"""In more dimensions than this the draws are independent instead of quasi-random."""


def normal_draws(count: int, dimension: int, rng: np.random.Generator) -> FloatArray:
    """Quasi-random standard-normal draws whose first two moments (and all odd ones) are exact.

    Scrambled Sobol points through the normal quantile function, each with its mirror image, so that every
    odd moment is zero; then scaled so that the second moments are those of the standard normal: all of
    them where there are at least four draws per dimension, else the variances alone. An average over
    them is exact for quadratic functions, so the optimum for a Gaussian target is exact. Their count is even,
    best a power of two.

    Examples
    --------
    >>> import numpy as np
    >>> from kl_plugins.variational.optimum.quasi_random import normal_draws
    >>> draws = normal_draws(64, 3, np.random.default_rng(1))
    >>> bool(np.allclose(draws.T @ draws / 64, np.eye(3)) and np.allclose(draws.mean(axis=0), 0.0))
    True
    """
    (draws,) = draws_in_sets(1, count, dimension, rng)
    return draws


def draws_in_sets(sets: int, count: int, dimension: int, rng: np.random.Generator) -> list[FloatArray]:
    """Independent sets of such draws, of which all together have the exact moments.

    Single sets have not: matched one by one they would all be wrong by as much where tails matter, and their
    differences would not show it.
    """
    draws = np.concatenate([half_of_draws(count // 2, dimension, rng) for _ in range(sets)])
    return [mirrored(half) for half in np.split(with_exact_moments(draws), sets)]


def mirrored(draws: FloatArray) -> FloatArray:
    """The draws, and after them their mirror images."""
    return np.concatenate([draws, -draws])


def with_exact_moments(draws: FloatArray, ratios: FloatArray | None = None) -> FloatArray:
    """The draws scaled so that with their mirror images they have the second moments of the standard normal.

    All of them where there are at least two draws per dimension, else the variances alone. Weighted by
    `ratios`, whose mean is 1.
    """
    count, dimension = draws.shape
    weighted = draws if ratios is None else draws * ratios[:, None]
    if count < 2 * dimension:
        return np.asarray(draws / np.sqrt(np.mean(weighted * draws, axis=0)))
    factor = np.linalg.cholesky(weighted.T @ draws / count)
    return np.asarray(solve_triangular(factor, draws.T, lower=True).T)


def half_of_draws(count: int, dimension: int, rng: np.random.Generator) -> FloatArray:
    """Quasi-random draws, without their mirror images."""
    if dimension > MOST_DIMENSIONS:
        return rng.standard_normal((count, dimension))
    # The middle of the cells that Sobol's 30 bits tell apart: never 0 or 1.
    return np.asarray(ndtri(qmc.Sobol(dimension, rng=rng).random(count) + 2.0**-31))
