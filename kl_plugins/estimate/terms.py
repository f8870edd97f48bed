"""What sums and quadratures share: the integrand, what a tail holds beyond its last block, the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kl_plugins.estimate.density import Array, Density

_EPSILON = 2.2e-16
_SERIES = tuple(1.0 / math.factorial(k) for k in range(15, 1, -1))


def terms(log_p: Array, log_q: Array, log_slope: Array | float = 0.0) -> Array:
    """The integrand, p, q and the rounding error of the integrand, one row each, times the slope.

    The integrand is p (r − 1 − log r) = q − p + p log(p/q), r = q/p, which is nowhere negative, so nothing
    cancels where p ≈ q. Its integral over all that either side holds is the divergence, q's mass outside of
    p's support included. It is +∞ where q is zero and p is not.
    """
    with np.errstate(all="ignore"):
        p, q = np.exp(log_p + log_slope), np.exp(log_q + log_slope)
        d = log_q - log_p
        difference = np.where(abs(d) > 1.0, q - p, p * np.expm1(d))
        value = np.where(abs(d) < 0.3, p * (d * d) * np.polyval(_SERIES, d), difference - p * d)
        value = np.where(p == 0.0, q, np.maximum(value, 0.0))
        # The derivatives of the integrand by log q and log p are q − p and −p d.
        rounding = _EPSILON * ((1.0 + abs(log_q)) * abs(difference) + (1.0 + abs(log_p)) * abs(p * d))
        rounding = np.where(p == 0.0, _EPSILON * q, np.where(np.isfinite(rounding), rounding, 0.0))
    return np.stack([value, p, q, rounding])


def remainders(blocks: Sequence[Array]) -> Array:
    """What is beyond the last block, of the integrand, of p and of q."""
    return np.array([remainder([float(block[row]) for block in blocks]) for row in range(3)])


def remainder(blocks: Sequence[float]) -> float:
    """What is beyond the last block of a sum whose blocks each span the same factor; inf if it diverges.

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
    if ratio >= 0.999999:
        return math.inf if len(blocks) >= 16 else math.nan
    if ratio > 0.99:
        return math.nan
    beyond = blocks[-1] * ratio / (1.0 - ratio)
    return 2.0 * beyond if ratio < 0.9 else max(2.0 * beyond, blocks[-1] * len(blocks))


@dataclass(frozen=True)
class Outcome:
    """What a method found for one pair: `why` is empty, or says why the value is not to be relied on."""

    value: float
    error: float
    n: int
    why: str = ""


INFINITE = Outcome(math.inf, 0.0, 0)
_MASS, _SEEN = 1e-7, 0.05
"""So far may the mass that was found be from one; and so much of p's may be unseen where a tail diverges."""


def judged(sums: Array, beyond: Sequence[Array], unsettled: float, n: int, tolerance: float) -> Outcome:
    """The outcome of a sum or an integral: `sums` are those of `terms`, `beyond` what its tails leave out.

    `unsettled` is the error that refinement has left. The masses of both sides, found on the way, tell
    whether anything has been missed. That they are not quite one matters little: a relative error ε of p
    changes the result by ε times itself, one of q by ε².
    """
    value, rounding = float(sums[0]), float(sums[3])
    tails = np.sum(beyond, axis=0) if len(beyond) else np.zeros(3)
    if math.isinf(value) or (math.isinf(tails[0]) and tails[1] < _SEEN):
        return Outcome(math.inf, 0.0, n)
    for side, mass, tail in zip("pq", sums[1:3], tails[1:], strict=True):
        if not (abs(mass - 1.0) <= _MASS or 1.0 - tail <= mass < 1.0):
            return Outcome(value, math.inf, n, f"the mass found of {side} is {mass:.8g} instead of 1")
    tail = float(tails[0])
    if not math.isfinite(tail):
        return Outcome(value, math.inf, n, "a tail does not shrink fast enough to say what it holds")
    off = np.minimum(abs(sums[1:3] - 1.0), _MASS)
    error = float(unsettled + tail + rounding + off[0] * value + off @ off)
    if tail > tolerance * value:
        return Outcome(value, error, n, f"a tail that could not be followed may hold {tail:.1g}")
    if unsettled > tolerance * value + rounding:
        return Outcome(value, error, n, f"refinement ended with an error of {unsettled:.1g}")
    return Outcome(value, error, n)


LEVELS = np.array([1e-12, 1e-8, 1e-5, 1e-3, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 0.999, 1 - 1e-5, 1 - 1e-8])
_DRAWS = 4_000


def landmarks(density: Density) -> Array:
    """Places that show where the distribution lives: quantiles, or those of draws of a fixed seed."""
    with np.errstate(all="ignore"):
        if density.quantile is not None:
            found = np.asarray(density.quantile(LEVELS), np.float64)
        elif density.sample is not None:
            draws = np.asarray(density.sample(_DRAWS, np.random.default_rng(0)), np.float64)
            found = np.quantile(draws, np.concatenate([np.clip(LEVELS, 0.0, 1.0), [1.0]]))
        else:
            found = np.empty(0)
    return np.unique(found[np.isfinite(found)])


def ends(p: Density, q: Density) -> tuple[float, ...] | None:
    """The ends of p's support and of q's, equal where they differ by rounding; None if p's leaves q's."""
    everywhere = (-math.inf, math.inf)
    p_low, p_high = map(float, p.support or everywhere)
    q_low, q_high = map(float, q.support or everywhere)
    if _same(p_low, q_low):
        p_low = q_low
    if _same(p_high, q_high):
        p_high = q_high
    if p.support is not None and q.support is not None and (p_low < q_low or p_high > q_high):
        return None
    return p_low, p_high, q_low, q_high


def _same(one: float, other: float) -> bool:
    if math.isinf(one) or math.isinf(other):
        return one == other
    return abs(one - other) <= 64.0 * _EPSILON * max(abs(one), abs(other))
