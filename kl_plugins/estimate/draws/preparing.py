"""From what a caller hands in to points: as good as independent, weighted, with nothing wrong about them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kl_plugins.estimate.draws.continuous import Points
from kl_plugins.estimate.draws.dependence import PER_TIME, dependence_time, in_order
from kl_plugins.estimate.draws.sample import Draws
from kl_plugins.estimate.moments import draws_needed, linearly_dependent, still
from kl_plugins.families.named import some_of
from kl_plugins.ops.protocol import FloatArray

_ATOM, _TIMES, _OFTENER = 0.01, 6, 3
"""A value that comes so often, in share and number, and so much more often than others, is an atom."""
_OFF_LATTICE, _FINEST = 1e-4, 1e-12
_LEAST_VARIANCE = 1e-290
_MOST = 10_000
"""More draws of a side take longer, and leave an error that hardly matters."""


@dataclass(frozen=True)
class Prepared:
    """The points of a side, whether they count or measure, and a value that comes again and again.

    `whole`: whether they are taken for counts though they are floats.
    """

    points: Points
    discrete: bool
    whole: bool = False
    atom: tuple[str, float] | None = None


def prepared(given: Draws) -> Prepared:
    """What is known of a side's draws; ValueError where nothing can be made of them."""
    chains = np.asarray(given.chains, float)
    _check_finite(chains, given.elements)
    if len(set(given.counting)) > 1:
        raise ValueError(
            f"{_those(given.elements, given.counting)}: integers, and the others are floats, of which there "
            "is no estimate together. Take variables by themselves, kl_plugins.draws(x, joint=False), or "
            "give counts that are large as floats"
        )
    counting = any(given.counting)
    discrete = counting or _counts(chains)
    if not discrete and chains.shape[0] * chains.shape[1] > 1:  # one draw is too few
        _check_constant(chains.reshape(-1, chains.shape[2]), given.elements)
    time = 1.0
    if not given.independent and (given.chained or not in_order(chains[0])):
        time = dependence_time(chains)
    step = max(math.ceil(time / PER_TIME), math.ceil(chains.shape[0] * chains.shape[1] / _MOST))
    thinned = chains[:, ::step]
    weights = np.full(chains.shape[:2], 1.0) if given.weights is None else given.weights
    kept = weights[:, ::step]
    if discrete:
        values, weight = thinned.reshape(-1, thinned.shape[2]), kept.ravel()
    else:
        values, weight = _merged(thinned, kept)
    values, weight = values[weight > 0.0], weight[weight > 0.0]
    if not len(values):
        raise ValueError("no draws of weight are left")
    atom = None
    if not discrete:
        values, weight, atom = _without_repeats(values, weight, given.elements)
    points = Points(values, weight / weight.sum(), min(step / time, 1.0))
    _check_number(points, chains, time, given.weights is not None)
    return Prepared(points, discrete, discrete and not counting, atom)


def refuse_whole(points: Points, elements: tuple[str, ...]) -> None:
    """Raise ValueError, as floats that are whole numbers meet a density."""
    _check_constant(points.values, elements)
    raise ValueError(
        "the draws are whole numbers that come again and again, as rounded measurements and counts do, and "
        "no density is that of such, which the other side has: give the digits; what counts is compared with "
        "counts"
    )


def _check_constant(values: FloatArray, elements: tuple[str, ...]) -> None:
    """Raise ValueError where an element does not vary."""
    if (constant := still(values)).any():
        raise ValueError(
            f"{_those(elements, constant)}: all draws are the same, up to rounding, and a density has no "
            "such: leave it out, on both sides"
        )


def check_spread(points: Points, elements: tuple[str, ...]) -> None:
    """Raise ValueError unless the covariance of draws that measure is regular."""
    with np.errstate(over="ignore", invalid="ignore"):
        centred = points.values - points.weights @ points.values
        covariance = (centred * points.weights[:, None]).T @ centred
    variances = np.diagonal(covariance)
    if (bad := ~((variances > _LEAST_VARIANCE) & (variances < 1.0 / _LEAST_VARIANCE))).any():
        raise ValueError(
            f"{_those(elements, bad)}: the variance is beyond the range of floats: change the units"
        )
    if (dependent := linearly_dependent(covariance)).any():
        raise ValueError(
            f"{_those(elements, dependent)}: each follows from others, as of shares that add up to 1, so "
            "that there is no density: leave one of them out, on both sides"
        )


def _those(elements: tuple[str, ...], chosen: Any) -> str:
    return some_of([name for name, one in zip(elements, chosen, strict=True) if one])


def _check_finite(chains: FloatArray, elements: tuple[str, ...]) -> None:
    if (bad := ~np.isfinite(chains).all(axis=(0, 1))).any():
        raise ValueError(
            f"{_those(elements, bad)}: NaN or infinite in some of the draws. Leave these draws out, if they "
            "are missing at random"
        )


def _counts(chains: FloatArray) -> bool:
    """Whether floats are counts: whole numbers of which at least half come more than once."""
    flat = chains.reshape(-1, chains.shape[2])
    return bool((flat == np.round(flat)).all()) and 2 * len(np.unique(flat, axis=0)) < len(flat)


def _merged(chains: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Draws of chains that stay where they are, as where a proposal is rejected, as one of more weight."""
    values, merged = [], []
    for chain, own in zip(chains, weights, strict=True):
        starts = np.flatnonzero(np.concatenate([[True], (chain[1:] != chain[:-1]).any(axis=1)]))
        values.append(chain[starts])
        merged.append(np.add.reduceat(own, starts))
    return np.concatenate(values), np.concatenate(merged)


def _check_number(points: Points, chains: FloatArray, time: float, weighted: bool) -> None:
    """Raise ValueError where draws are too few for anything."""
    d, needed = chains.shape[2], draws_needed(chains.shape[2])
    worth = points.worth
    if 2.0 * worth >= needed:
        return
    given = chains.shape[0] * chains.shape[1]
    why = " by their weights" if weighted else " as they follow each other" if time > 1.0 else ""
    remedy = " (kl_plugins.draws(x, independent=True), if they do not)" if time > 1.0 else ""
    said = f", worth {worth:.0f} independent ones{why}{remedy}" if worth < given - 0.5 else ""
    along = _ALONG if d > given else ""
    raise ValueError(
        f"too few draws for {d} {'dimension' if d == 1 else 'dimensions'}: {given}{said}. An estimate needs "
        f"at least {needed // 2}, better thousands: draw more, or choose fewer variables{along}"
    )


_ALONG = (
    ". Draws are along the first axis: pass x.T, if they are along the other one, and "
    "kl_plugins.draws(x, chain_dim=0), if the first is of chains"
)


def _atom(values: FloatArray, elements: tuple[str, ...]) -> tuple[str, float] | None:
    """A value of one element that has a probability: it comes often, and much more often than the others.

    Where numbers are rounded, or drawn with replacement, the most frequent ones have neighbours in frequency.
    """
    for name, column in zip(elements, values.T, strict=True):
        found, counts = np.unique(column, return_counts=True)
        often = counts >= max(_TIMES, _ATOM * len(column))
        if often.any() and counts[often].min() > _OFTENER * max(counts[~often], default=1):
            return name, float(found[np.argmax(counts)])
    return None


def _without_repeats(
    values: FloatArray, weights: FloatArray, elements: tuple[str, ...]
) -> tuple[FloatArray, FloatArray, tuple[str, float] | None]:
    """Different draws, their weights, and an atom; ValueError where numbers are rounded too far.

    Draws that come again are one of more weight; rounded ones are spread over what was rounded to them.
    """
    single = values.shape[1] == 1
    atom = _atom(values, elements) if single else None  # elsewhere equal rows are no sign of one
    least = _lattice(values[:, 0]) if single else 0.0
    if atom is None and not least:
        values, weights = _each_once(values, weights)
    atom = atom or _atom(values, elements)
    _check_digits(values, elements, atom)
    if atom is None and least:
        values = _spread(values[:, 0], least)[:, None]
    return values, weights, atom


def _lattice(column: FloatArray) -> float:
    """The least distance of numbers, if all are multiples of it from the first on, as rounded ones; or 0."""
    found = np.unique(column)
    least = float(np.diff(found).min(initial=np.inf))
    if len(found) < 3 or least <= _FINEST * np.max(abs(found)):
        return 0.0
    steps = (found - found[0]) / least
    return least if (abs(steps - np.round(steps)) < _OFF_LATTICE).all() else 0.0


def _spread(column: FloatArray, least: float) -> FloatArray:
    """Equal numbers evenly over the numbers that are rounded to them, none beyond the first and the last."""
    values, places, counts = np.unique(column, return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    ranks = np.empty(len(column))
    ranks[np.argsort(places, kind="stable")] = np.arange(len(column)) - np.repeat(starts, counts)
    shares = (ranks + 0.5) / counts[places] - 0.5
    shares[places == 0] = 0.5 * shares[places == 0] + 0.25
    shares[places == len(values) - 1] = 0.5 * shares[places == len(values) - 1] - 0.25
    shares[counts[places] == 1] = 0.0
    found: FloatArray = column + least * shares
    return found


def _each_once(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Draws that come again, as when drawn with replacement, once, with the sum of their weights."""
    _, first, places = np.unique(values, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(values):
        return values, weights
    order = np.argsort(first)
    merged: FloatArray = np.bincount(places.ravel(), weights).astype(float)
    return values[first[order]], merged[order]


def _check_digits(values: FloatArray, elements: tuple[str, ...], atom: tuple[str, float] | None) -> None:
    """Raise ValueError where an element of different draws has few different values."""
    for name, column in zip(elements, values.T, strict=True):
        count = len(np.unique(column))
        if 2 * count < len(column) and (atom is None or name != atom[0]):
            raise ValueError(
                f"{name}: {len(column)} draws have only {count} different values, as rounded ones have, and "
                "no density is that of repeated numbers. Give the digits; what counts is given as integers"
            )


def matched(p: Draws, q: Draws) -> Draws:
    """q's draws with their elements in the order of p's."""
    sizes = p.chains.shape[2], q.chains.shape[2]
    if p.variables is not None and q.variables is not None:
        only = [[name for name in a.elements if name not in b.elements] for a, b in ((p, q), (q, p))]
        if any(only):
            said = " and ".join(
                f"only {side} has {some_of(o)}" for side, o in zip("pq", only, strict=True) if o
            )
            raise ValueError(
                f"p and q have different variables: {said}. Choose the same, as idata.posterior[names] does"
            )
        return q.columns([q.elements.index(name) for name in p.elements])
    named = [side for side in (p, q) if side.variables is not None and len(side.variables) > 1]
    if named:
        side, other = ("p", "q") if named[0] is p else ("q", "p")
        raise ValueError(
            f"{side} has variables by name, {some_of([one.name for one in named[0].variables or ()])}, and "
            f"{other} draws without names, and nothing goes by position there: give both names, or neither"
        )
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"p and q have different event shapes: draws of {sizes[0]} against draws of {sizes[1]} numbers"
        )
    return q
