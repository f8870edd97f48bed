"""Divergences of discrete draws, by how often each value comes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from kl_plugins.estimate.draws.continuous import Points, infinite
from kl_plugins.estimate.draws.weighted import effective_number
from kl_plugins.estimate.moments import jackknife_errors
from kl_plugins.estimate.result import Doubt
from kl_plugins.estimate.terms import Outcome
from kl_plugins.ops.protocol import FloatArray

_UNSEEN = 0.05
"""With more of p's draws than this at values that q's lack, the divergence may be infinite."""
_GUESSED = 0.5
"""Such a share of what is taken off on account of values that were not drawn may be wrong."""
_SLOWEST = 0.25
"""The least power by which the probability of what was not drawn is taken to fall."""


def from_counts(p: Points, q: Points) -> Outcome:
    """KL(p‖q) of draws of both: Z. Zhang and M. Grabchak, Neural Computation 26, 2014.

    Their sum over differences of ψ, less what values beyond the draws leave of its bias. Where q was never
    seen it takes 1/q for as large as one draw less would have shown; what p holds there adds to the error.
    """
    values, places = np.unique(np.concatenate([p.values, q.values]), axis=0, return_inverse=True)
    of_p, of_q = np.split(places.ravel(), [len(p.values)])
    size = len(values)

    def value(
        p_places: NDArray[np.intp],
        p_weights: FloatArray,
        q_places: NDArray[np.intp],
        q_weights: FloatArray,
    ) -> float:
        share, logs = _logs(p_places, p_weights, size)
        log_q = _logs_of_other(q_places, q_weights, size)
        return float(share @ (logs - log_q)) - _beyond(p_places, p_weights)

    found = value(of_p, p.weights, of_q, q.weights)
    without_p = [value(of_p[kept], w, of_q, q.weights) for kept, w in _left_out(p)]
    without_q = [value(of_p, p.weights, of_q[kept], w) for kept, w in _left_out(q)]
    error = math.hypot(*(float(jackknife_errors(np.array(one))) for one in (without_p, without_q)))
    seen = np.bincount(of_q, minlength=size) > 0
    unseen = float(p.weights @ ~seen[of_p])
    why = Doubt.UNSEEN.format(share=unseen) if unseen > _UNSEEN else ""
    error = math.hypot(error, unseen, _GUESSED * _beyond(of_p, p.weights))
    return Outcome(found, math.inf if why else error, len(p.values), why)


def from_mass_function(p: Points, log_q: FloatArray) -> Outcome:
    """KL(p‖q) of draws of p and the log probabilities of q at them."""
    if (outside := np.isneginf(log_q)).any():
        return infinite(p, outside, "probability")
    values, places = np.unique(p.values, axis=0, return_inverse=True)
    places = places.ravel()

    def value(kept: NDArray[np.intp], weights: FloatArray) -> float:
        share, logs = _logs(places[kept], weights, len(values))
        return float(share @ logs - weights @ log_q[kept]) - _beyond(places[kept], weights)

    found = value(np.arange(len(places)), p.weights)
    error = float(jackknife_errors(np.array([value(*one) for one in _left_out(p)])))
    return Outcome(found, math.hypot(error, _GUESSED * _beyond(places, p.weights)), len(places))


def to_counts(x: FloatArray, log_p: FloatArray, q: Points) -> Outcome:
    """KL(p‖q) of draws x of p, whose log probabilities are known, and draws of q."""
    _, places = np.unique(np.concatenate([x, q.values]), axis=0, return_inverse=True)
    of_p, of_q = np.split(places.ravel(), [len(x)])
    size = int(places.max()) + 1

    def terms(kept: NDArray[np.intp], weights: FloatArray) -> FloatArray:
        found: FloatArray = log_p - _logs_of_other(of_q[kept], weights, size)[of_p]
        return found

    now = terms(np.arange(len(of_q)), q.weights)
    of_blocks = jackknife_errors(np.array([terms(*one).mean() for one in _left_out(q)]))
    unseen = float(np.mean(np.bincount(of_q, minlength=size)[of_p] == 0))
    why = Doubt.UNSEEN.format(share=unseen) if unseen > _UNSEEN else ""
    error = math.hypot(float(of_blocks), float(now.std(ddof=1)) / math.sqrt(len(x)), unseen)
    return Outcome(float(now.mean()), math.inf if why else error, len(x), why)


def _left_out(side: Points) -> list[tuple[NDArray[np.intp], FloatArray]]:
    """Which draws are kept, and their weights, without each of some blocks."""
    return [(kept, weights) for _, weights, kept in side.blocks_left_out()]


def _beyond(places: NDArray[np.intp], weights: FloatArray) -> float:
    """By how much the sum over differences of ψ is too large on account of values that were not drawn.

    Its bias is Σ m(v)/v over v ≥ n, where m(v) is the probability of what v draws do not show (Zhang and
    Grabchak). Of n draws it is that of values that came once (I. J. Good, Biometrika 40, 1953), and falls
    with v by the power 2 f₂/f₁, for f₁ values that came once and f₂ twice: so it is m(n) over this power.
    """
    counts = np.bincount(places)
    once = float(weights @ (counts[places] == 1))
    power = float((2.0 * np.sum(counts == 2) + 1.0) / (np.sum(counts == 1) + 1.0))
    return once / max(power, _SLOWEST)


def _logs(places: NDArray[np.intp], weights: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """The share of each value, and its logarithm, ψ(count) − ψ(n): hardly biased in a mean over draws."""
    worth = effective_number(weights)
    share: FloatArray = np.bincount(places, weights, minlength=size).astype(float)
    logs = np.where(share > 0.0, digamma(np.maximum(share * worth, 1e-9)) - digamma(worth), 0.0)
    return share, logs


def _logs_of_other(places: NDArray[np.intp], weights: FloatArray, size: int) -> FloatArray:
    """The logarithms of shares of values that others have drawn: ψ(count + 1) − ψ(n + 1)."""
    worth = effective_number(weights)
    counts = np.bincount(places, weights, minlength=size) * worth
    found: FloatArray = digamma(counts + 1.0) - digamma(worth + 1.0)
    return found
