"""Standard-normal draws that stay fixed while an objective over them is minimised."""

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
    them is exact for quadratic functions, so the optimum for a Gaussian target is exact.

    Parameters
    ----------
    count : int
        An even number of draws, best a power of two.
    dimension : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (count, dimension)

    Examples
    --------
    >>> import numpy as np
    >>> from kl_plugins.variational.optimum.draws import normal_draws
    >>> draws = normal_draws(64, 3, np.random.default_rng(1))
    >>> bool(np.allclose(draws.T @ draws / 64, np.eye(3)) and np.allclose(draws.mean(axis=0), 0.0))
    True
    """
    half = count // 2
    if dimension <= MOST_DIMENSIONS:
        # The middle of the cells that Sobol's 30 bits tell apart: never 0 or 1.
        uniform = qmc.Sobol(dimension, rng=rng).random(half) + 2.0**-31
        draws = ndtri(uniform)
    else:
        draws = rng.standard_normal((half, dimension))
    if half >= 2 * dimension:
        factor = np.linalg.cholesky(draws.T @ draws / half)
        draws = solve_triangular(factor, draws.T, lower=True).T
    else:
        draws = draws / np.sqrt(np.mean(draws**2, axis=0))
    return np.concatenate([draws, -draws])
