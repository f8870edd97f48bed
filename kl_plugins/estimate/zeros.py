"""Where a density is zero indeed: told from underflow by how it gets there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kl_plugins.ops.protocol import FloatArray

_SECTIONS, _ROUNDS = 16, 16
_DEEP, _STEEP, _NEAR = 600.0, 18.0, 0.1


def ends_before(
    log_density: Callable[[FloatArray], FloatArray], dark: float, lit: FloatArray, *, whole: bool = False
) -> tuple[bool, float]:
    """Whether a density that is given as zero at `dark` has an end between there and the places `lit`.

    The other number returned is the last place where it is not zero.
    What decays until it underflows does so gradually: its logarithm is far down at a tenth of the way from
    there to the bulk, or at least before it is gone. A density that jumps to zero, or falls to it by a power
    of the distance, is still near its bulk there. `whole`: places are consecutive integers.
    """
    heights = log_density(lit)
    if np.isnan(heights).any() or not np.isfinite(heights).any():
        return False, dark
    best = int(np.argmax(heights))
    peak, bulk = float(heights[best]), float(lit[best])
    edge, gone = bulk, dark
    for _ in range(_ROUNDS):
        x = np.linspace(edge, gone, _SECTIONS + 1)
        x = np.unique(np.round(x)) if whole else np.unique(x)
        x = x if gone > edge else x[::-1]
        zero = ~(log_density(x) > -np.inf)
        first = int(np.argmax(zero)) if zero.any() else len(x)
        if not 0 < first < len(x):
            return False, dark
        if len(x) < 3 or (edge, gone) == (x[first - 1], x[first]):
            break
        edge, gone = float(x[first - 1]), float(x[first])
    inwards = edge + _NEAR * (bulk - edge)
    last, near = log_density(np.array([edge, np.round(inwards) if whole else inwards]))
    if whole:
        before = float(log_density(np.array([edge + np.sign(edge - gone)]))[0])
        return bool(abs(before - last) < _STEEP and last > peak - _DEEP and near > peak - _STEEP), edge
    return bool(last > peak - _DEEP and near > peak - _STEEP), edge
