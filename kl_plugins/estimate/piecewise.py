"""Divergences from or to a density that jumps at known places: bin by bin, where everything is smooth."""

from __future__ import annotations

import math

import numpy as np

from kl_plugins.estimate.clock import TimeIsUpError
from kl_plugins.estimate.density import Density
from kl_plugins.estimate.pair import Pair
from kl_plugins.estimate.result import Doubt
from kl_plugins.estimate.terms import INFINITE, Outcome
from kl_plugins.ops.protocol import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_DEEPEST = 60
_EPSILON = 2.2e-16
_MASS = 1e-7
"""So far may the mass that was found of p be from one."""


def serves(p: Density, q: Density) -> bool:
    """Whether a side has known breaks, and p ends."""
    return (p.breaks is not None or q.breaks is not None) and bool(np.isfinite(p.support or np.inf).all())


def piecewise(pair: Pair, tolerance: float, most: int) -> Outcome:
    """The integral of p log(p/q) over the bins of both sides, each halved until the halves say the same.

    What q holds outside of p's support, where bins end, does not matter to it.
    """
    try:
        return pair.reported(_refined(pair, tolerance, most))
    except TimeIsUpError:
        return Outcome(math.nan, math.inf, pair.n, pair.clock.why)


def _refined(pair: Pair, tolerance: float, most: int) -> Outcome:
    """What the halves of all panels come to."""
    edges = _edges(pair)
    low, high = edges[:-1], edges[1:]
    whole, refinement_error = _panels(pair, low, high), 0.0
    total, converged = np.zeros(3), 0.0
    for depth in range(_DEEPEST):
        middle = 0.5 * (low + high)
        left, right = _panels(pair, low, middle), _panels(pair, middle, high)
        both = left + right
        if np.isposinf(both[0]).any():
            pair.find_landmarks()
            if pair.outside or pair.q.breaks is not None or pair.zero():
                return INFINITE
            return Outcome(math.inf, math.inf, pair.n, Doubt.UNDERFLOW)
        difference = abs(both - whole)
        size = abs(total[0]) + abs(both[0]).sum()
        good = difference[0] <= np.maximum(tolerance * size / (8.0 * len(edges)), both[2])
        good &= difference[1] <= 1e-12
        if depth == _DEEPEST - 1 or pair.n > most:
            refinement_error, good[:] = float(difference[0, ~good].sum()), True
        total += both[:, good].sum(axis=-1)
        converged += float(difference[0, good].sum())
        low, high = (np.concatenate(halves)[np.tile(~good, 2)] for halves in ((low, middle), (middle, high)))
        whole = np.concatenate([left, right], axis=-1)[:, np.tile(~good, 2)]
        if not len(low):
            break
    value, error = max(float(total[0]), 0.0), float(max(refinement_error, converged) + total[2])
    if not abs(total[1] - 1.0) <= _MASS:
        return Outcome(value, math.inf, pair.n, Doubt.MASS.format(side="p", mass=f"{total[1]:.8g}"))
    if refinement_error > tolerance * value + total[2]:
        return Outcome(value, error, pair.n, Doubt.REFINEMENT.format(error=refinement_error))
    return Outcome(value, error, pair.n)


def _edges(pair: Pair) -> FloatArray:
    """The ends of p's support and the breaks between them; those that rounding has moved apart once."""
    low, high = pair.p_ends
    inner = [side.breaks for side in (pair.p, pair.q) if side.breaks is not None]
    edges = np.unique(np.concatenate([pair.p_ends, pair.q_ends, *inner]))
    edges = edges[(edges >= low) & (edges <= high)]
    apart = np.diff(edges) > 64.0 * _EPSILON * np.maximum(abs(edges[1:]), abs(edges[:-1]))
    kept: FloatArray = edges[np.concatenate([[True], apart])]
    kept[-1] = high
    return kept


def _panels(pair: Pair, low: FloatArray, high: FloatArray) -> FloatArray:
    """The integrals of p log(p/q) and p over panels, and the rounding error of the first."""
    half = 0.5 * (high - low)
    x = (0.5 * (low + high) + half * _NODES[:, None]).ravel()
    with np.errstate(all="ignore"):
        log_p, log_q = pair.log_densities(x)
        pair.zeros(x, log_p, log_q)
        mass = np.exp(log_p)
        term = np.where(mass == 0.0, 0.0, mass * (log_p - log_q))
        size = np.where(mass == 0.0, 0.0, mass * (1.0 + abs(log_p) + abs(log_q)))
        found = np.stack([term, mass, _EPSILON * size]).reshape(3, len(_NODES), len(low))
        return np.asarray(np.einsum("rnk,n->rk", found, _WEIGHTS) * half)
