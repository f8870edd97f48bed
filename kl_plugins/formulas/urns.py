"""Probabilities of counts that grow draw by draw, as tables of their logarithms over all outcomes."""

from __future__ import annotations

import math

import numpy as np

from kl_plugins.ops.protocol import Array, ArrayOperations, Operations

_INFINITY = math.inf


def log_add(x: Array, y: Array, ops: Operations) -> Array:
    """log(exp(x) + exp(y)), where either may be −∞."""
    return ops.elementwise(_log_add, _log_add_gradient, x, y)


def _log_add(x: Array, y: Array, ops: Operations) -> Array:
    top = ops.maximum(x, y)
    finite = ops.where(ops.equal(top, -_INFINITY), 0.0, top)
    return top + ops.log1p(ops.exp(ops.minimum(x, y) - finite))


def _log_add_gradient(x: Array, y: Array, ops: Operations) -> tuple[Array, Array]:
    total = _log_add(x, y, ops)
    finite = ops.where(ops.equal(total, -_INFINITY), 0.0, total)
    return ops.exp(x - finite), ops.exp(y - finite)


def log_poisson_binomial(p: Array, failure: Array, ops: ArrayOperations) -> Array:
    """Of 0, …, n successes in n trials, each with a probability of its own, shape (..., n) → (..., n + 1).

    Trial by trial: sums of positive numbers, in logarithms, so that none is lost.
    """
    log_p, log_failure = ops.log(p), ops.log(failure)
    found = ops.concatenate([log_failure[..., :1], log_p[..., :1]])
    for trial in range(1, ops.shape(p)[-1] or 0):
        nothing = ops.zeros_like(p[..., :1]) - _INFINITY
        stays = ops.concatenate([found + log_failure[..., trial : trial + 1], nothing])
        rises = ops.concatenate([nothing, found + log_p[..., trial : trial + 1]])
        found = log_add(stays, rises, ops)
    return found


def log_wallenius(
    good: Array, bad: Array, draws: Array, odds: Array, most: int, highest: int, ops: ArrayOperations
) -> Array:
    """Of 0, …, `highest` good ones among at most `most` draws, one by one, a good one weighing `odds`.

    The parameters have a last axis of length 1. https://en.wikipedia.org/wiki/Wallenius%27_noncentral_hypergeometric_distribution
    """
    x = ops.asarray(np.arange(highest + 1.0), "x")
    start = np.full(highest + 1, -_INFINITY)
    start[0] = 0.0
    zero = 0.0 * (good + bad + draws + odds)
    found = ops.asarray(start, "start") + zero
    good_left = ops.maximum(good - x, 0.0) * odds
    nothing = zero - _INFINITY
    for draw in range(most):
        bad_left = ops.maximum(bad - (draw - x), 0.0)
        total = good_left + bad_left
        log_total = ops.log(ops.where(total > 0.0, total, 1.0))
        stays = found + _log_or_nothing(bad_left, ops) - log_total
        rises = found + _log_or_nothing(good_left, ops) - log_total
        drawn = log_add(stays, ops.concatenate([nothing, rises[..., :-1]]), ops)
        found = ops.where(draw < draws, drawn, found)
    return found


def _log_or_nothing(x: Array, ops: Operations) -> Array:
    """log x, −∞ at 0, without a derivative there."""
    some = x > 0.0
    return ops.where(some, ops.log(ops.where(some, x, 1.0)), -_INFINITY)
