"""The shape of a tail: how many moments of what was drawn exist."""

from __future__ import annotations

import numpy as np

from kl_plugins.ops.protocol import FloatArray


def pareto_khat(values: FloatArray) -> float:
    """k̂ of the Pareto tail of numbers, shape (n,): about 1/k̂ of their moments exist.

    The generalised Pareto fit of J. Zhang and M. Stephens (Technometrics 51, 2009) to the largest ones, with
    the prior of A. Vehtari et al. (2024, arXiv:1507.02646, appendix C): ArviZ's, without the smoothing.
    """
    size = int(np.ceil(min(0.2 * len(values), 3.0 * np.sqrt(len(values)))))
    largest = np.sort(np.partition(values, -size - 1)[-size - 1 :])
    excess = largest[1:] - largest[0]
    excess = excess[excess > 1e-12 * abs(largest[-1])]
    count = len(excess)
    if count < 5:  # a bound that many of them reach is no tail
        return 0.0
    grid = 30 + int(np.sqrt(count))
    b = 1.0 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))
    b = b / (3.0 * excess[int(count / 4 + 0.5) - 1]) + 1.0 / excess[-1]
    k = np.log1p(-b[:, None] * excess).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_likelihood = count * (np.log(-b / k) - k - 1.0)
    known = np.isfinite(log_likelihood)
    weights = np.exp(log_likelihood[known] - log_likelihood[known].max())
    best = weights @ b[known] / weights.sum()
    return float((count * np.log1p(-best * excess).mean() + 5.0) / (count + 10.0))
