"""What a tail holds beyond its last block: a bound from how the blocks shrink, or that it diverges."""

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
