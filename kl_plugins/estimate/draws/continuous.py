"""Divergences where one side or both are draws of a density."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kl_plugins.estimate.clock import Clock
from kl_plugins.estimate.density import Density
from kl_plugins.estimate.draws.gaussianising import Map, likeliest_map, log_normal_density
from kl_plugins.estimate.draws.margins import Logarithms
from kl_plugins.estimate.draws.neighbours import Remainder, remainder
from kl_plugins.estimate.draws.weighted import effective_number
from kl_plugins.estimate.moments import BLOCKS, draws_needed, jackknife_errors
from kl_plugins.estimate.result import Doubt
from kl_plugins.estimate.tails import pareto_khat
from kl_plugins.estimate.terms import Outcome
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.progress import Report

_UNSEEN = 0.5
"""Of the part of the remainder that neighbours do not show, so much again is taken for possible."""
_ALL_UNSEEN = 4
"""From so many dimensions on as much as they show of either side, which may not cancel."""
_APART = 0.5
"""From this share of p's draws on that are further out than all of q's, q's log density is a guess."""
_GUESSED = 2.0 / 3.0
"""And so is the divergence, if more than this of it comes from there."""
_DOMINANT, _HEAVY = 0.4, 0.6
_NO_VARIANCE = 0.5
"""From this k̂ on terms have no variance, and what is beyond the largest counts for more than their spread."""
_SHARE = 2.0
"""What is more than so many errors is no chance."""


@dataclass(frozen=True)
class Points:
    """Draws, shape (n, d), and weights that add up to 1.

    They are independent, as far as they can be told from such, or each is worth this share of one that is.
    """

    values: FloatArray
    weights: FloatArray
    share: float = 1.0

    @property
    def worth(self) -> float:
        """So many independent draws of equal weight are worth as much."""
        return self.share * effective_number(self.weights)

    def blocks_left_out(self) -> Iterator[tuple[FloatArray, FloatArray, NDArray[np.intp]]]:
        """The draws without each of some blocks of consecutive ones, their weights, and which these are."""
        for block in np.array_split(np.arange(len(self.values)), BLOCKS):
            kept = np.delete(np.arange(len(self.values), dtype=np.intp), block)
            weights = self.weights[kept]
            yield self.values[kept], weights / weights.sum(), kept


def divergence(
    p: Points | Density,
    q: Points | Density,
    *,
    count: int,
    rng: np.random.Generator,
    clock: Clock,
    report: Report,
) -> Outcome:
    """KL(p‖q) of draws, or draws and a density, by maps to normals and nearest neighbours.

    Each side of draws gets a map T that makes them normal as nearly as they tell. Its log density is that of
    T's image plus log |T′|; nearest neighbours in the image find what T has missed. The bias of both is that
    of as many normal draws: so that what T explains has none, in any dimension, and what is left over is
    small. The error is the jackknife's of T, the spread of the neighbours over normal draws, half of what
    they found, or from some dimensions on all that they found of either side, as they are slow to find it
    there, and beside a density q what is beyond the largest of terms that have no variance.
    """
    own = p if isinstance(p, Points) else _sampled(p, count, rng, clock)
    sides = [side for side in (p, q) if isinstance(side, Points)]
    logarithms = Logarithms(
        np.concatenate([side.values for side in sides]),
        np.concatenate([side.weights for side in sides]) / len(sides),
    )
    of_q: FloatArray | None = None
    if not isinstance(q, Points):  # before anything is timed, as it may compile
        of_q, _ = clock.timed(partial(known_log_density, q, own.values), counts=False)
        if (outside := np.isneginf(of_q)).any():
            return infinite(own, outside, "density")
    report("maps to normal draws")
    maps = [likeliest_map(s.values, s.weights, logarithms) if isinstance(s, Points) else None for s in (p, q)]
    if maps[0] is not None:
        terms_of_p: FloatArray = maps[0].log_density
    else:
        terms_of_p, _ = clock.timed(partial(known_log_density, p, own.values), counts=False)
    beyond, outside = 0.0, np.zeros(len(own.values), bool)
    if maps[1] is None:
        assert of_q is not None
        terms_of_q: FloatArray = of_q
    else:
        z, log_det = maps[1](own.values)
        terms_of_q = log_normal_density(z) + log_det
        furthest = np.max(np.sum(maps[1].z ** 2, axis=1))
        outside = np.sum(z**2, axis=1) > furthest
        beyond = float(own.weights @ outside)
    report("nearest neighbours")
    remainders: list[Remainder | None] = [None, None]
    if maps[0] is not None:
        remainders[0] = remainder(maps[0], own.weights, None, rng, clock)
    if maps[1] is not None and isinstance(q, Points):
        remainders[1] = remainder(maps[1], q.weights, (z, own.weights), rng, clock)
    report("errors")
    value = float(own.weights @ (terms_of_p - terms_of_q))
    left, variance = 0.0, 0.0
    spread: Any = 0.0
    for sign, part in zip((1.0, -1.0), remainders, strict=True):
        if part is not None:
            value -= sign * part.map_bias
            left += sign * part.value
            variance += part.variance
            spread = spread + sign * part.terms
    bias_variance = sum(part.bias_variance for part in remainders if part is not None)
    over = next(part.weights for part in remainders if part is not None)
    by_terms = float(over @ (spread - over @ spread) ** 2 * np.sum(over**2))
    of_map = _jackknife(own, q, maps, terms_of_p, terms_of_q) ** 2 + bias_variance
    of_neighbours = max(variance, by_terms)
    doubtful = _UNSEEN * abs(left)
    if own.values.shape[1] >= _ALL_UNSEEN:
        shown = sum(
            max(abs(one.value) - math.sqrt(one.variance), 0.0) for one in remainders if one is not None
        )
        doubtful = max(doubtful, shown)
    terms = terms_of_p - terms_of_q
    of_tail = _beyond_the_largest(terms, own.weights) if maps[1] is None else 0.0
    error = math.sqrt(of_map + of_neighbours + doubtful**2 + of_tail**2)
    guessed = float((own.weights * terms) @ outside)
    apart = beyond > _APART or guessed > max(_GUESSED * (value + left), _SHARE * error)
    if apart:
        why = Doubt.APART.format(share=beyond)
    else:
        why = _doubt(sides, doubtful, math.sqrt(of_map + of_neighbours), clock)
    if not why and maps[1] is None and _dominated(terms, own.weights):
        why = Doubt.DOMINATED
    return Outcome(value + left, math.inf if apart else error, len(own.values), why)


def infinite(p: Points, outside: NDArray[np.bool_], what: str) -> Outcome:
    """What it is where some of p's draws are outside of q's support."""
    why = Doubt.OUTSIDE.format(share=float(p.weights @ outside), what=what)
    return Outcome(math.inf, 0.0, len(p.values), why)


def _beyond_the_largest(terms: FloatArray, weights: FloatArray) -> float:
    """About what a tail of terms without a variance holds beyond the largest of them, or as much as that."""
    k = pareto_khat(terms)
    if k < _NO_VARIANCE:
        return 0.0
    largest = int(np.argmax(terms))
    return float(weights[largest] * (terms[largest] - weights @ terms))


def _dominated(terms: FloatArray, weights: FloatArray) -> bool:
    """Whether one draw makes up much of the spread of the terms, which have a tail without a mean."""
    squares = weights * (terms - weights @ terms) ** 2
    return bool(squares.max() > _DOMINANT * squares.sum()) and pareto_khat(terms) > _HEAVY


def _doubt(sides: list[Points], doubtful: float, error: float, clock: Clock) -> str:
    """Why the estimate is not to be relied on, if so."""
    d = sides[0].values.shape[1]
    worth = min(side.worth for side in sides)
    if worth < draws_needed(d):
        return Doubt.FEW_DRAWS.format(worth=worth, d=d, needed=draws_needed(d))
    if doubtful > _SHARE * error and d > 2:
        return Doubt.SHAPE.format(d=d)
    return clock.why if clock.cut else ""


def _sampled(p: Density, count: int, rng: np.random.Generator, clock: Clock) -> Points:
    """Draws of a distribution that has a sampler."""
    if p.sample is None:
        raise TypeError(f"p: {p.name} has no sampler, which it needs beside draws: a method rvs or sample")
    taken, _ = clock.timed(partial(p.sample, count, rng), counts=False)
    drawn = np.asarray(taken, float).reshape(count, -1)
    return Points(drawn, np.full(count, 1.0 / count))


def known_log_density(side: Points | Density, points: FloatArray) -> FloatArray:
    """The log density of a distribution at points."""
    assert isinstance(side, Density)
    with np.errstate(all="ignore"):
        found = side.log_density(points.reshape(len(points), *side.event_shape))
        if side.support is not None and not side.event_shape:
            x = points[:, 0]
            found = np.where((x < side.support[0]) | (x > side.support[1]), -np.inf, found)
    if (np.isnan(found) | np.isposinf(found)).any():
        raise ValueError(f"the log density of {side.name} is NaN or infinite at some of the draws")
    return found


def _jackknife(
    own: Points,
    q: Points | Density,
    maps: list[Map | None],
    terms_of_p: FloatArray,
    terms_of_q: FloatArray,
) -> float:
    """The standard error of what the maps tell, by leaving out blocks of consecutive draws of each side."""
    of_p, of_q = [], []
    for values, weights, kept in own.blocks_left_out():
        terms = maps[0].refitted(values, weights).log_density if maps[0] is not None else terms_of_p[kept]
        of_p.append(weights @ (terms - terms_of_q[kept]))
    if maps[1] is not None and isinstance(q, Points):
        for values, weights, _ in q.blocks_left_out():
            z, log_det = maps[1].refitted(values, weights)(own.values)
            of_q.append(own.weights @ (log_normal_density(z) + log_det))
    return math.hypot(*(float(jackknife_errors(np.array(one))) for one in (of_p, of_q) if one))
