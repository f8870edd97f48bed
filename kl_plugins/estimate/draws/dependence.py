"""How far draws of chains depend on each other, and how many of them are as good as independent."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from kl_plugins.ops.protocol import FloatArray

_DEPENDENT = 1.5
"""Draws with shorter times of autocorrelation are taken as they are; the error's blocks see what is left."""
_FEWEST = 10
PER_TIME = 2
"""So many draws are kept of each time of autocorrelation: one alone leaves out what others tell of tails and
spreads, which have shorter times, and of more the neighbours would be of one stretch of a chain."""


def dependence_time(chains: FloatArray) -> float:
    """How many draws of chains, of shape (chains, draws, d), are worth one that is independent.

    That is the longest time of autocorrelation of the coordinates and of their distances from the middle. It
    counts chains that disagree, too (A. Vehtari et al., 2021, arXiv:1903.08008).
    """
    count, length, _ = chains.shape
    if length < _FEWEST:
        return 1.0
    scores = _normal_scores(chains)
    times = [_time(part) for part in np.moveaxis(np.concatenate([scores, scores**2], axis=2), 2, 0)]
    longest = max(times) / (1.0 + 4.0 / math.sqrt(count * length))  # as the longest of several is by chance
    return 1.0 if longest < _DEPENDENT else min(longest, float(length))


def in_order(chain: FloatArray) -> bool:
    """Whether a coordinate of draws of shape (n, d) goes up or down all the way: sorted, and no chain."""
    steps = np.diff(chain, axis=0)
    return bool(((steps >= 0.0).all(axis=0) | (steps <= 0.0).all(axis=0)).any())


def _normal_scores(chains: FloatArray) -> FloatArray:
    """Normal quantiles of the ranks of each coordinate; equal numbers share theirs."""
    columns = []
    for column in chains.reshape(-1, chains.shape[2]).T:
        _, places, counts = np.unique(column, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(counts) - 0.5 * (counts - 1.0))[places]
        columns.append(ndtri((ranks - 0.375) / (len(column) + 0.25)))
    scores: FloatArray = np.array(columns).T.reshape(chains.shape)
    return scores


def _time(chains: FloatArray) -> float:
    """The time of autocorrelation of one figure, (chains, draws): C. J. Geyer's monotone sequence, 1992."""
    count, length = chains.shape
    centred = chains - chains.mean(axis=1, keepdims=True)
    size = 1 << (2 * length - 1).bit_length()
    spectrum = abs(np.fft.rfft(centred, size, axis=1)) ** 2
    covariances = np.fft.irfft(spectrum, size, axis=1)[:, :length].mean(axis=0) / length
    within = covariances[0] * length / (length - 1.0)
    between = chains.mean(axis=1).var(ddof=1) if count > 1 else 0.0
    total = covariances[0] + between
    if not total > 0.0:
        return 1.0
    correlations = 1.0 - (within - covariances) / total
    correlations[0] = 1.0
    pairs = correlations[: length // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0.0)
    kept = np.minimum.accumulate(pairs[: negative[0] if len(negative) else len(pairs)])
    return float(2.0 * kept.sum() - 1.0)
