"""The relative error of the Gaussian divergence against the divergence itself.

One dense Gaussian of eight dimensions and condition number 100, and others that move away from it in one
direction: their means are so many standard deviations off, their covariances Lp exp(step S) Lpᵀ with one
symmetric S. The judge is mpmath with 60 digits on the exact float64 inputs.
"""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy import Pair, covariance, relative_errors
from benchmarks.common import Row, alone

DIMENSION, CONDITION = 8, 100.0
QUICK = {"count": 5}


def moved(step: float) -> Pair:
    """The Gaussian, and the one that is so many standard deviations away."""
    rng = np.random.default_rng(1)
    sigma = covariance(rng, DIMENSION, CONDITION)
    root = np.linalg.cholesky(sigma)
    change = rng.normal(size=(DIMENSION, DIMENSION))
    values, vectors = np.linalg.eigh((change + change.T) / 2.0)
    other = root @ (vectors * np.exp(step * values)) @ vectors.T @ root.T
    mean, direction = rng.normal(size=(2, DIMENSION))
    return mean, sigma, mean + step * root @ direction, (other + other.T) / 2.0


def rows(smallest: float = 3e-11, largest: float = 1.2, count: int = 64) -> list[Row]:
    """The exact divergence and everybody's relative error, by steps of a geometric progression."""
    exact, errors = relative_errors([moved(step) for step in np.geomspace(smallest, largest, count)])
    return [{"kl": kl, "relative_error": error} for kl, error in zip(exact, errors, strict=True)]


if __name__ == "__main__":
    alone("accuracy_by_kl", rows, QUICK, __doc__)
