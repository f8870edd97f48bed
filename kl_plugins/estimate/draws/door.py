"""Draws on either side of `estimate_kl`, or both: what they are, what they meet, and by which method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kl_plugins.errors import HasNames
from kl_plugins.estimate.batches import result_of
from kl_plugins.estimate.clock import Clock
from kl_plugins.estimate.density import Density, how_to_say
from kl_plugins.estimate.draws.continuous import Points, divergence, known_log_density
from kl_plugins.estimate.draws.counts import from_counts, from_mass_function, to_counts
from kl_plugins.estimate.draws.preparing import Prepared, check_spread, matched, prepared, refuse_whole
from kl_plugins.estimate.draws.reading import holds_draws
from kl_plugins.estimate.draws.sample import Draws, draws
from kl_plugins.estimate.result import Doubt, KLEstimate, Method
from kl_plugins.estimate.terms import Outcome, not_negative
from kl_plugins.families.named import some_of
from kl_plugins.progress import Report

_MOST_OF_P = 10_000
"""So many draws are taken of a distribution p beside draws of q, at most."""


def estimate_from_draws(
    p: object,
    q: object,
    density: Callable[[object, str], Density],
    *,
    count: int,
    rng: np.random.Generator,
    time_limit: float,
    report: Report,
) -> tuple[KLEstimate, str]:
    """The estimate, and why it is not to be relied on, if so; `density` finds that of a distribution."""
    sides = {side: _of(side, draws, obj) if holds_draws(obj) else obj for side, obj in (("p", p), ("q", q))}
    if p is q:
        sides["q"] = sides["p"]
    clock = Clock(time_limit)
    apart = [one for one in sides.values() if isinstance(one, Draws) and not one.joint]
    if not apart:
        found, method = _pair(sides["p"], sides["q"], density, count, rng, clock, report)
        return _told([found], (), method), found.why
    if (variables := apart[0].variables) is None:
        raise ValueError("joint=False is for variables with names")
    all_found, reasons, methods = [], dict[str, None](), []
    for variable in variables:
        pair = [_one(side, one, variable) for side, one in sides.items()]
        pair[1] = pair[0] if sides["p"] is sides["q"] else pair[1]
        report(f"estimating KL(p‖q) of {variable.name}")
        found, method = _pair(pair[0], pair[1], density, count, rng, clock, report)
        all_found.append(found)
        methods.append(method)
        if found.why:
            reasons[f"{variable.name}: {found.why}"] = None
    method = next((one for one in methods if one is not Method.SUPPORT), Method.SUPPORT)
    estimate = _told(all_found, (len(variables),), method)
    return _labelled(estimate, [one.name for one in variables], (p, q)), "; ".join(reasons)


def _one(side: str, one: object, variable: Any) -> object:
    """A side's draws of one variable; a distribution as it is."""
    if not isinstance(one, Draws):
        return one
    try:
        return one.of(variable)
    except KeyError:
        raise ValueError(f"{side} has no variable {variable.name!r}") from None


def _told(found: list[Outcome], shape: tuple[int, ...], method: Method) -> KLEstimate:
    """As `estimate_kl` returns it."""
    values, errors = (np.reshape([getattr(one, name) for one in found], shape) for name in ("value", "error"))
    good = np.reshape([not one.why or (one.value == np.inf and one.error == 0.0) for one in found], shape)
    return result_of(values, errors, method, sum(one.n for one in found), good)


def _labelled(estimate: KLEstimate, names: list[str], given: tuple[object, object]) -> KLEstimate:
    """With the variables' names, where draws are in objects of xarray."""
    if not any(hasattr(one, "data_vars") or hasattr(one, "groups") for one in given):
        return estimate
    import xarray as xr  # of which there is an object

    parts = [
        xr.DataArray(part, {"variable": names}, "variable", name)
        for part, name in (
            (estimate.value, "kl"),
            (estimate.error, "error"),
            (estimate.converged, "converged"),
        )
    ]
    return KLEstimate(parts[0], parts[1], estimate.method, estimate.n, parts[2])


def _pair(
    p: object,
    q: object,
    density: Callable[[object, str], Density],
    count: int,
    rng: np.random.Generator,
    clock: Clock,
    report: Report,
) -> tuple[Outcome, Method]:
    """One estimate, and by which method."""
    sides = {"p": p, "q": q}
    same = p is q
    if isinstance(p, Draws) and isinstance(q, Draws) and not same:
        sides["q"] = other = matched(p, q)
        same = p.weights is other.weights is None and np.array_equal(p.chains, other.chains)
    known = {
        side: _distribution(side, one, density) for side, one in sides.items() if not isinstance(one, Draws)
    }
    for side, one in sides.items():
        if isinstance(one, Draws) and known:
            sides[side] = _beside(one, side, next(iter(known.values())), (p, q))
    report("reading the draws")
    held = {side: _of(side, prepared, one) for side, one in sides.items() if isinstance(one, Draws)}
    discrete = [held[side].discrete if side in held else known[side].measure == "discrete" for side in sides]
    if discrete[0] != discrete[1]:
        for side, one in held.items():
            if one.whole:
                _of(side, refuse_whole, one.points, sides[side].elements)  # type: ignore[attr-defined]
        discrete_side = "pq"[discrete.index(True)]
        why = Doubt.KINDS.format(discrete=discrete_side, other="q" if discrete_side == "p" else "p")
        return Outcome(np.inf, 0.0, 0, why), Method.SUPPORT
    if same:
        method = Method.COUNTS if discrete[0] else Method.NEIGHBOURS
        return Outcome(0.0, 0.0, len(held["p"].points.values)), method
    if discrete[0]:
        return not_negative(_discrete(held, known, count, rng)), Method.COUNTS
    for side, one in held.items():
        if one.atom is not None:
            _refuse_atom(side, *one.atom)
        _of(side, check_spread, one.points, sides[side].elements)  # type: ignore[attr-defined]
    pair: list[Points | Density] = [held[side].points if side in held else known[side] for side in sides]
    found = divergence(pair[0], pair[1], count=min(count, _MOST_OF_P), rng=rng, clock=clock, report=report)
    return not_negative(found), Method.NEIGHBOURS


def _of(side: str, function: Callable[..., Any], *args: Any) -> Any:
    """What a function makes of a side, which its errors name."""
    try:
        return function(*args)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{side}: {error}") from error


def _distribution(side: str, obj: object, density: Callable[[object, str], Density]) -> Density:
    """The density of a side that is no draws, if it is one, and can be held against draws."""
    try:
        found = density(obj, side)
    except HasNames:
        raise ValueError(
            f"{side} has parameters with named dimensions, and draws go with one distribution alone"
        ) from None
    if found.batch_shape:
        raise ValueError(
            f"{side} is a batch of shape {found.batch_shape}: draws go with one distribution alone, such as "
            f"kl_plugins.independent({side}), if its elements are those of a vector"
        )
    if found.measure not in ("continuous", "discrete") or len(found.event_shape) > 1:
        raise ValueError(
            f"{side}: {found.name} is {found.measure}, of event shape {found.event_shape}: draws go with "
            "densities of numbers and vectors, and probabilities of them"
        )
    return found


def _beside(one: Draws, side: str, other: Density, pair: tuple[object, object]) -> Draws:
    """Draws in the order of a distribution's elements, where both have names, checked for their number."""
    foreign = "q" if side == "p" else "p"
    names = getattr(pair[0 if foreign == "p" else 1], "elements", None)
    if one.variables is not None and isinstance(names, tuple):
        if set(names) != set(one.elements):
            apart = sorted(set(names) ^ set(one.elements))
            raise ValueError(f"p and q have different variables: only one of them has {some_of(apart)}")
        return one.columns([one.elements.index(name) for name in names])
    if one.variables is not None and len(one.variables) > 1:
        raise ValueError(
            f"{side} has variables by name, {some_of([v.name for v in one.variables])}, and {foreign} has "
            "none, and nothing goes by position there: choose one variable, or pass an array in the order "
            f"of {other.name}"
        )
    size = other.event_shape[0] if other.event_shape else 1
    if one.chains.shape[2] != size:
        raise ValueError(
            f"p and q have different event shapes: {side} has draws of {one.chains.shape[2]} numbers, "
            f"{foreign} is {other.name} with event shape {other.event_shape}{how_to_say(other)}"
        )
    return one


def _refuse_atom(side: str, name: str, value: float) -> None:
    """Raise ValueError, as draws are partly discrete."""
    raise ValueError(
        f"{side}: {name} is {value:g} again and again, and other numbers besides: there is no estimate of "
        "what is partly discrete, and beside a density it is infinite. Take the draws with that value, and "
        "the others, by themselves"
    )


def _discrete(
    held: dict[str, Prepared], known: dict[str, Density], count: int, rng: np.random.Generator
) -> Outcome:
    """By counts."""
    if not known:
        return from_counts(held["p"].points, held["q"].points)
    ((side, other),) = known.items()
    if side == "q":
        x = held["p"].points.values
        return from_mass_function(held["p"].points, known_log_density(other, x))
    if other.sample is None:
        raise TypeError(
            f"p: {other.name} has no sampler, which it needs beside draws: a method rvs or sample"
        )
    x = np.asarray(other.sample(count, rng), float).reshape(count, -1)
    return to_counts(x, known_log_density(other, x), held["q"].points)
