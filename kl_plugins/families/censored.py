"""Censored variables: beyond two ends only that is seen that they are beyond."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kl_plugins.families.core.affine import same_location
from kl_plugins.families.core.closed_forms import closed_form, infinite, no_closed_form
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.discrete import Discrete, opposite
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.families.log_transformed import LogNormal
from kl_plugins.families.normal import Normal
from kl_plugins.formulas.censored import Piece, censored_divergence, exponential_pieces, normal_pieces
from kl_plugins.ops.protocol import Array, Conditions, Operations
from kl_plugins.parameters.certainty import certainly_infinite, certainly_is
from kl_plugins.parameters.declarations import EXTENDED_REAL, parameter, part


class Censored(Univariate):
    """min(max(X, lower), upper) of a variable X of the family `base`; an end that is infinite is none.

    https://en.wikipedia.org/wiki/Censoring_(statistics)
    """

    lower: Array = parameter(EXTENDED_REAL, typical=(-1.0, -2.0), static=True)
    upper: Array = parameter(EXTENDED_REAL, typical=(1.5, math.inf), static=True)
    base: Any = part()

    def further_conditions(self) -> Conditions:
        yield opposite(self.lower >= self.upper, self.ops), "the lower end must be less than the upper end"

    def describe(self) -> str:
        return f"Censored({self.base.describe()})"


@closed_form(Censored, Censored)
def censored_censored(p: Censored, q: Censored) -> Array:
    """That of the masses, and that between the ends; +∞ where the ends are not the same."""
    ops, same = p.ops, _same_ends(p, q)
    if same is False:
        return infinite(p, q)
    low, high = (_stated(p, q, end) for end in (p.lower, p.upper))
    pieces = _pieces(p, q, low, high)
    between_ends = 0 if certainly_infinite(low) else 1
    value = censored_divergence(pieces, [i == between_ends for i in range(len(pieces))], ops)
    value = q.broadcast(p.broadcast(value))
    return value if same is True else ops.where(same, value, math.inf)


def _same_ends(p: Censored, q: Censored) -> Array:
    """Whether both are: True, False or an array."""
    same: Array = True
    for ends in ((p.lower, q.lower), (p.upper, q.upper)):
        first, second = (_plain_if_infinite(end, p.ops) for end in ends)
        if certainly_is(first, second):
            continue
        if certainly_infinite(first) or certainly_infinite(second):
            return False
        here = p.ops.equal(first, second)
        same = here if same is True else p.ops.logical_and(same, here)
    return same


def _plain_if_infinite(end: Array, ops: Operations) -> Array:
    known = ops.literal(end)
    return known if known is not None and math.isinf(known) else end


def _stated(p: Censored, q: Censored, end: Array) -> Array:
    """The end as a plain number where it is infinite; NoClosedFormError where some of several are."""
    end = _plain_if_infinite(end, p.ops)
    if certainly_infinite(end):
        return end
    numbers = p.ops.known(end)
    if numbers is not None and np.any(np.isinf(numbers)):
        raise no_closed_form(p, q, "some ends of a batch are infinite and others are not")
    return end


def _pieces(p: Censored, q: Censored, low: Array, high: Array) -> list[Piece]:
    """Below, between and above the ends; without what is below or above an infinite one."""
    first, second, ops = p.base, q.base, p.ops
    if isinstance(first, LogNormal) and isinstance(second, LogNormal) and _from_one_place(first, second):
        low, high = (_log_distance(end, first.loc, ops) for end in (low, high))
        first, second = first.logarithm(), second.logarithm()
    if isinstance(first, Normal) and isinstance(second, Normal):
        ends = [end for end in (low, high) if not certainly_infinite(end)]
        sides = [[-math.inf, *[(end - x.mean) / x.scale for end in ends], math.inf] for x in (first, second)]
        shift = (first.mean - second.mean) / second.scale
        return normal_pieces(sides[0], sides[1], first.scale, second.scale, shift, ops)
    if _is_exponential(first) and _is_exponential(second) and _from_one_place(first, second):
        if not certainly_infinite(low):
            raise no_closed_form(p, q, "there is one for exponential variables without a lower end")
        return exponential_pieces([0.0, high - first.loc, math.inf], first.scale, second.scale, ops)
    raise no_closed_form(
        p, q, "there is one for two normal variables, and for log-normal and exponential ones of a common loc"
    )


def _from_one_place(p: Any, q: Any) -> bool:
    return bool(certainly_is(p.sign, 1.0) and certainly_is(q.sign, 1.0) and same_location(p, q))


def _is_exponential(x: Any) -> bool:
    return isinstance(x, GeneralizedGamma) and all(certainly_is(v, 1.0) for v in (x.concentration, x.power))


def _log_distance(end: Array, loc: Array, ops: Operations) -> Array:
    """Of the logarithm; no end at all where it is where the variables start."""
    known = ops.literal(end), ops.literal(loc)
    if None not in known:
        size = known[0] - known[1]  # type: ignore[operator]
        return math.log(size) if 0.0 < size < math.inf else -math.inf if size <= 0.0 else math.inf
    return ops.log(end - loc)


@closed_form(Continuous, Censored)
@closed_form(Discrete, Censored)
def uncensored_censored(p: Continuous | Discrete, q: Censored) -> Array:
    """+∞ where p has no end where q has one, beyond which q has nothing.

    Else p may have all of its mass between q's ends, which nothing here looks at, and so may counts, whose
    endless supports may have shrunk to a point.
    """
    if isinstance(p, Continuous):
        low, high = p.standard_ends()[:: 1 if p.sign == 1.0 else -1]
        for own, end in ((low, q.lower), (high, q.upper)):
            numbers = q.ops.known(end)
            if certainly_infinite(own) and numbers is not None and not np.any(np.isinf(numbers)):
                return infinite(p, q)
    raise no_closed_form(p, q, "one side is censored and the other is not")


def censored(base: Univariate, lower: Array, upper: Array) -> Univariate:
    """The distribution, which is that of the base where nothing is censored."""
    ops = base.ops
    ends = base.standard_ends()
    start = base.loc if certainly_is(ends[0], 0.0) and certainly_is(base.sign, 1.0) else None
    known = ops.literal(lower), None if start is None else ops.literal(start)
    lower, upper = (_plain_if_infinite(end, ops) for end in (lower, upper))
    if None not in known and known[0] <= known[1]:  # type: ignore[operator]
        lower = -math.inf
    if certainly_infinite(lower) and certainly_infinite(upper):
        return base
    return Censored(lower, upper, base)
