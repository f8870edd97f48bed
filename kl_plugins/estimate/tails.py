"""What a tail holds beyond its last block, and how many moments of what was drawn exist."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kl_plugins.ops.protocol import FloatArray

_FOLLOWED = 24.0
"""So far, as the logarithm of a distance, is a tail followed before it is said to diverge."""
_LEVEL, _SLOWER, _CLEAR = 1e-9, 0.75, 5.0


def remainders(blocks: Sequence[FloatArray], width: float) -> FloatArray:
    """What is beyond the last block, of the integrand, of p and of q."""
    return np.array([remainder([float(block[row]) for block in blocks], width) for row in range(3)])


def remainder(blocks: Sequence[float], width: float) -> float:
    """What is beyond the last block of a sum whose blocks each span a factor of e^width; inf if it diverges.

    Blocks of a power law are a geometric series, of which this is twice the rest, for a logarithm may slow
    it; where it is slow anyway, at least their number times the last, the rest of a series of 1/k².
    NaN where they shrink too slowly to say, or are too few.
    """
    if len(blocks) < 2 or blocks[-1] == 0.0:
        return 0.0 if blocks and blocks[-1] == 0.0 else math.nan
    back = min(8, len(blocks) - 1)
    if blocks[-1 - back] <= 0.0:
        return math.nan
    ratio = math.exp(math.log(blocks[-1] / blocks[-1 - back]) / back)
    if ratio > 0.99:
        return math.inf if _diverges(blocks, width) else math.nan
    beyond = blocks[-1] * ratio / (1.0 - ratio)
    return 2.0 * beyond if ratio < 0.9 else max(2.0 * beyond, blocks[-1] * len(blocks))


def _diverges(blocks: Sequence[float], width: float) -> bool:
    """Whether the blocks would go on not to shrink: they do not by now, nor will their logarithm turn.

    Of a power law times a power of its logarithm, log blocks are a + b t + c log t, whose b must be clearly
    positive, unless they have become straight. Their slope falls ever more slowly, that of the tail of a
    lognormal variable as fast as ever.
    """
    first, part = len(blocks) // 4, len(blocks) // 4
    if len(blocks) * width < _FOLLOWED or part < 1 or min(blocks[first:]) <= 0.0:
        return False
    logs = np.log([blocks[-1 - k * part] for k in (3, 2, 1, 0)])
    slopes = np.diff(logs) / (part * width)
    falls = slopes[:-1] - slopes[1:]
    t = (len(blocks) - part * np.array([1.5, 0.5])) * width
    limit = (slopes[2] * t[1] - slopes[1] * t[0]) / (t[1] - t[0])
    level = falls[1] <= _LEVEL
    rises = limit * len(blocks) * width > _CLEAR and falls[1] < _SLOWER * falls[0]
    return bool(slopes[2] > -_LEVEL and (level or rises))


def tail_of(values: FloatArray) -> FloatArray:
    """The largest numbers, ascending, of which a Pareto tail is fitted to all but the first."""
    size = int(np.ceil(min(0.2 * len(values), 3.0 * np.sqrt(len(values)))))
    found: FloatArray = np.sort(np.partition(values, -size - 1)[-size - 1 :])
    return found


def pareto_khat(values: FloatArray) -> float:
    """k̂ of the Pareto tail of numbers, shape (n,): about 1/k̂ of their moments exist.

    The generalised Pareto fit of J. Zhang and M. Stephens (Technometrics 51, 2009) to the largest ones, with
    the prior of A. Vehtari et al. (2024, arXiv:1507.02646, appendix C): ArviZ's, without the smoothing.
    """
    largest = tail_of(values)
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
