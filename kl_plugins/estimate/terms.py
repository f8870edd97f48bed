"""What sums and quadratures share: the integrand, what a tail holds beyond its last block, the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kl_plugins.estimate.result import Doubt
from kl_plugins.ops.protocol import FloatArray

_EPSILON = 2.2e-16
_SERIES = tuple(1.0 / math.factorial(k) for k in range(15, 1, -1))


def terms(log_p: FloatArray, log_q: FloatArray, log_slope: FloatArray | float = 0.0) -> FloatArray:
    """The integrand, p, q, the rounding error of the integrand, and p where q is zero, times the slope.

    The integrand is p (r − 1 − log r) = q − p + p log(p/q), r = q/p, which is nowhere negative, so nothing
    cancels where p ≈ q. Its integral over all that either side holds is the divergence, q's mass outside of
    p's support included. It is left out where q is zero and p is not.
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
        dark = (log_q == -np.inf) & (log_p > -np.inf)
    return np.stack([np.where(dark, 0.0, value), p, q, np.where(dark, 0.0, rounding), np.where(dark, p, 0.0)])


@dataclass(frozen=True)
class Outcome:
    """What a method found for one pair: `why` is empty, or says why the value is not to be relied on."""

    value: float
    error: float
    n: int
    why: str = ""


def not_negative(found: Outcome) -> Outcome:
    """What is below zero by chance is zero; what is so by more is as wrong as that, and doubtful."""
    if found.value >= 0.0 or math.isnan(found.value):
        return found
    if found.value >= -(_BY_CHANCE * found.error + _ROUNDING):
        return replace(found, value=0.0)
    why = found.why or Doubt.NEGATIVE.format(value=found.value, error=found.error)
    return replace(found, value=0.0, error=max(found.error, -found.value), why=why)


INFINITE = Outcome(math.inf, 0.0, 0)
_OFF, _HELD, _SEEN = 1e-7, 1e-9, 0.05
"""So far may a mass be off where it does little harm, and where q is said to end; and so much of p's may be
unseen where a tail diverges."""
_MANY, _LITTLE = 10.0, 1e-4
"""Where p is so many times q, what q lacks may change the divergence by so much of it and no more."""
_BY_CHANCE, _ROUNDING = 5.0, 1e-9
"""By so many errors, and by so much more, an estimate may be below zero."""
LEAST_LACK = 4e-13
"""So much of a mass may be lacking whatever its log density is like."""
_HIDDEN = 1e4
"""No log ratio where q has just underflowed is larger."""


@dataclass(frozen=True)
class Diagnostics:
    """What was seen on the way to a sum, apart from its terms.

    Attributes
    ----------
    rounding : pair of floats
        What the masses of p and q may lack because of rounding.
    lost : float
        The mass of p where q's density is given as zero inside of its support.
    zero : bool
        Whether it is zero there indeed.
    doubt : str
        Why the masses tell nothing, if they don't.
    noise : pair of floats
        How far the log densities of p and q may be off, all along, because of rounding.
    ratio : float
        The largest p/q where p holds something.
    """

    rounding: tuple[float, float]
    lost: float = 0.0
    zero: bool = False
    doubt: str = ""
    noise: tuple[float, float] = (0.0, 0.0)
    ratio: float = 0.0


def judged(
    sums: FloatArray,
    beyond: Sequence[FloatArray],
    refinement_error: float,
    n: int,
    tolerance: float,
    seen: Diagnostics,
) -> Outcome:
    """The outcome of a sum or an integral: `sums` are those of `terms`, `beyond` what its tails leave out.

    `refinement_error` is the error that refinement has left. The masses of both sides, found on the way, tell
    whether anything has been missed: mass of p that was not found may hold any divergence, that of q no more
    than itself, and p/q times itself where it is. Where they are too large, a relative error ε of p changes
    the result by ε times itself, one of q by ε² if it is the same everywhere.
    """
    value = float(sums[0])
    rounding = float(sums[3]) + _by_noise(value, seen)
    tails = _tails(beyond, sums, seen)
    for side, mass, tail, lack in zip(
        "pq", sums[1:3], tails[1:], (min(seen.rounding[0], _OFF), _OFF), strict=True
    ):
        if not (mass <= 1.0 + _OFF and mass + max(tail, lack) >= 1.0):
            return Outcome(value, math.inf, n, Doubt.MASS.format(side=side, mass=_mass(mass)))
    if seen.zero and abs(sums[2] - 1.0) <= _HELD:
        return Outcome(math.inf, 0.0, n)
    if math.isinf(tails[0]) and tails[1] < _SEEN:
        return Outcome(math.inf, 0.0, n)
    if seen.doubt:
        return Outcome(value, math.inf, n, seen.doubt)
    if not seen.lost * _HIDDEN <= tolerance * value:
        return Outcome(value, math.inf, n, Doubt.ZERO_OR_UNDERFLOW.format(mass=seen.lost))
    tail = float(tails[0])
    if not math.isfinite(tail):
        return Outcome(value, math.inf, n, Doubt.SLOW_TAIL)
    off = abs(sums[1:3] - 1.0)
    astray = off[1] * (1.0 + seen.ratio) if off[1] > seen.rounding[1] else off[1] ** 2
    error = refinement_error + tail + rounding + off[0] * value + astray + seen.lost * _HIDDEN
    if seen.ratio > _MANY and _LITTLE * value < astray > off[1]:
        return Outcome(value, float(error), n, Doubt.MASS.format(side="q", mass=_mass(sums[2])))
    if tail > tolerance * value:
        return Outcome(value, float(error), n, Doubt.TAIL.format(tail=tail))
    if refinement_error > tolerance * value + rounding:
        return Outcome(value, float(error), n, Doubt.REFINEMENT.format(error=refinement_error))
    return Outcome(value, float(error), n)


def _tails(beyond: Sequence[FloatArray], sums: FloatArray, seen: Diagnostics) -> FloatArray:
    """What all tails hold of the integrand, of p and of q, those that blocks did not tell by the masses.

    What is beyond is at most what the mass that was found lacks of one. Where p holds next to nothing, and q
    does not vanish, the integrand is q; where q vanishes, too, log(p/q) may be anything.
    """
    unknown = [max(1.0 - float(sums[1 + k]), 0.0) + seen.rounding[k] for k in range(2)]
    total = np.zeros(3)
    for tail in beyond:
        p = unknown[0] if math.isnan(tail[1]) else float(tail[1])
        q = unknown[1] if math.isnan(tail[2]) else float(tail[2])
        left_to_q = math.isnan(tail[0]) and math.isnan(tail[2]) and p * _HIDDEN <= _EPSILON * float(sums[0])
        total += [q + p * _HIDDEN if left_to_q else tail[0], p, q]
    return total


def _by_noise(value: float, seen: Diagnostics) -> float:
    """What noise of the log densities may change a divergence by.

    By the derivatives of the integrand it counts ∫ |q − p| times that of log q and ∫ p |log(p/q)| times that
    of log p: at most √(2 KL) and KL + √(2 KL), by Pinsker's inequality.
    """
    apart = math.sqrt(2.0 * max(value, 0.0))
    return seen.noise[0] * (value + apart) + seen.noise[1] * min(apart, 2.0)


def _mass(mass: float) -> str:
    """A mass in digits that tell it from one."""
    off = mass - 1.0
    return f"{mass:.8g}" if not abs(off) < 1e-6 else f"1 {'-' if off < 0.0 else '+'} {abs(off):.2g}"
