"""Divergences by Monte Carlo, with their standard errors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kl_plugins.estimate.clock import Clock, TimeIsUpError
from kl_plugins.estimate.density import Density
from kl_plugins.estimate.result import Doubt
from kl_plugins.estimate.tails import pareto_khat
from kl_plugins.estimate.terms import Outcome, not_negative
from kl_plugins.ops.protocol import FloatArray

_AT_ONCE = 1 << 21
"""So many numbers are drawn at once."""
_HEAVY = 0.7
"""From this k̂ of the terms on, draws tell neither their mean nor its error in any feasible number."""
_FEWEST, _SHARE = 100, 0.01
"""Fewer terms say nothing; and a term of less than this share of the spread does not dominate."""


def monte_carlo(
    p: Density, q: Density, draws: int, rng: np.random.Generator, clock: Clock
) -> tuple[FloatArray, FloatArray, int, NDArray[np.bool], str]:
    """The estimates of a batch, their standard errors, the number of evaluations, which are good, why not.

    Half of the draws are from p and half from q, and the mean is that of the integrand
    q − p + p log(p/q) over the density (p + q)/2 of both together: 2 (r − 1 − log r)/(1 + r), r = q/p.
    Like (r − 1) − log r over draws of p (J. Schulman, Approximating KL divergence, 2020,
    http://joschu.net/blog/kl-approx.html) it is never negative and nearly without variance where p ≈ q; but
    it stays bounded where r is large, which draws of p hardly ever show as soon as q is wider than p, so that
    the mean of r over them is wrong; and it sees q's mass outside of p's support. Sampling from both is the
    balance heuristic of E. Veach and L. Guibas, Optimally combining sampling techniques, 1995.

    Where q cannot be drawn from: the mean of −log r over draws of p. When time is up the draws so far count.
    """
    batch = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    if p.sample is None:
        raise TypeError(f"p: {p.name} has no sampler: Monte Carlo needs a method rvs or sample")
    from_both = q.sample is not None
    halves = [_log_ratios(p, q, which, draws, batch, rng, clock) for which in range(1 + from_both)]
    terms = [_balanced(d) for d in halves] if from_both else [-halves[0]]
    n = sum(map(len, halves))
    if min(map(len, halves)) < 2:
        return np.full(batch, np.nan), np.full(batch, np.inf), n, np.zeros(batch, bool), clock.why
    value: FloatArray = np.mean([term.mean(axis=0) for term in terms], axis=0)
    with np.errstate(invalid="ignore"):
        variance = np.sum([term.var(axis=0, ddof=1) / len(term) for term in terms], axis=0)
        error = np.sqrt(variance) / len(terms)
    infinite = np.isposinf(value)
    error = np.where(infinite, 0.0, error)
    value, error, good = np.array(value), np.array(error), np.array(infinite)
    whys: dict[str, None] = {}
    for index in np.ndindex(batch):
        known = good[index] or mean_is_known(terms[0][(slice(None), *index)])
        why = "" if known else Doubt.NAN_AT_DRAWS if np.isnan(value[index]) else Doubt.DOMINATED
        found = not_negative(Outcome(float(value[index]), float(error[index]), n, why))
        value[index], error[index], good[index] = found.value, found.error, not found.why
        whys[found.why] = None
    if n < draws * len(halves):
        return value, error, n, np.zeros(batch, bool), clock.why
    return value, error, n, good, "; ".join(filter(None, whys))


def _balanced(d: FloatArray) -> FloatArray:
    """2 (r − 1 − log r)/(1 + r) of d = log r."""
    with np.errstate(over="ignore", invalid="ignore"):
        r = np.exp(np.minimum(d, 40.0))
        small = np.where(abs(d) < 1e-4, d * d * (0.5 + d / 6.0), np.expm1(np.minimum(d, 40.0)) - d)
        return np.where(d >= 40.0, 2.0, 2.0 * small / (1.0 + r))


def _log_ratios(
    p: Density,
    q: Density,
    which: int,
    draws: int,
    batch: tuple[int, ...],
    rng: np.random.Generator,
    clock: Clock,
) -> FloatArray:
    """log q − log p at draws of p (`which` is 0) or of q (1), (draws, *batch); fewer when time is up."""
    side, share = (p, q)[which], 0.5 if which == 0 and q.sample is not None else 1.0
    assert side.sample is not None
    numbers = math.prod(batch) * math.prod(side.event_shape)
    step = max(1, _AT_ONCE // max(numbers, 1))
    atoms = [_atoms(one, clock) for one in (p, q)] if "mixed" in (p.measure, q.measure) else None
    out = np.empty((draws, *batch))
    done = 0
    while done < draws:
        drawn, _ = clock.drawn(side.sample, min(step, draws - done), rng)
        shape = (len(drawn), *(1,) * (len(batch) - len(side.batch_shape)), *drawn.shape[1:])
        drawn = np.broadcast_to(drawn.reshape(shape), (len(drawn), *batch, *side.event_shape))
        while len(drawn):
            size = min(clock.size(one.log_density, len(drawn)) for one in (p, q))
            x, drawn = drawn[:size], drawn[size:]
            try:
                clock.check(share)
                with np.errstate(all="ignore"):
                    log_p, log_q = (_log_density(one, x, batch, clock) for one in (p, q))
            except TimeIsUpError:
                return out[:done]
            if atoms is not None:  # where one side has an atom the other's density counts for nothing
                on_p, on_q = (np.isin(x, found) for found in atoms)
                log_p = np.where(on_q & ~on_p, -np.inf, log_p)
                log_q = np.where(on_p & ~on_q, -np.inf, log_q)
            with np.errstate(all="ignore"):
                out[done : done + size] = np.where(log_p == log_q, 0.0, log_q - log_p)
            done += size
    return out


def _log_density(side: Density, x: FloatArray, batch: tuple[int, ...], clock: Clock) -> FloatArray:
    """The log density of a side, broadcast over the batch of the pair, −∞ outside of its support."""
    value = clock.evaluate(side.log_density, x)
    if side.support is not None and not side.event_shape:
        low, high = side.support
        value = np.where((x < low) | (x > high), -np.inf, value)
    return np.broadcast_to(value, (len(x), *batch))


def _atoms(side: Density, clock: Clock) -> FloatArray:
    """The values that come more than once among draws of a fixed seed."""
    if side.measure != "mixed" or side.sample is None:
        return np.empty(0)
    drawn, _ = clock.drawn(side.sample, 20_000, np.random.default_rng(0))
    values, counts = np.unique(drawn, return_counts=True)
    return values[counts > 1]


def mean_is_known(values: FloatArray) -> bool:
    """Whether the mean of the values says something about that of their distribution."""
    finite = values[np.isfinite(values)]
    if len(finite) < _FEWEST or np.ptp(finite) == 0.0:
        return len(finite) == len(values) and (len(finite) >= _FEWEST or np.ptp(finite) == 0.0)
    squares = (finite - finite.mean()) ** 2
    return bool(squares.max() < _SHARE * squares.sum()) or pareto_khat(finite) < _HEAVY
