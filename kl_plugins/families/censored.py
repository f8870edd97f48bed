"""Censored variables: beyond two ends only that is seen that they are beyond."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from kl_plugins.families.core.affine import same_location
from kl_plugins.families.core.closed_forms import closed_form, infinite, no_closed_form
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.discrete import Discrete, opposite
from kl_plugins.families.core.parts import DivergenceOfParts
from kl_plugins.families.core.truncations import plain_if_infinite
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.families.log_transformed import LogNormal
from kl_plugins.families.normal import Normal
from kl_plugins.formulas.censored import Piece, censored_divergence, exponential_pieces, normal_pieces
from kl_plugins.ops.protocol import Array, Conditions, Operations, SymbolicOperations
from kl_plugins.parameters.certainty import certainly_infinite, certainly_is
from kl_plugins.parameters.declarations import EXTENDED_REAL, parameter, part

_OPEN = (
    "KL(p‖q): nothing of p is beyond its {} end, which has to be known before the graph runs: make it a "
    "constant, or leave it out"
)


class Censored(Univariate):
    """min(max(X, lower), upper) of a variable X of the family `base`; an end that is infinite is none.

    https://en.wikipedia.org/wiki/Censoring_(statistics)
    """

    lower: Array = parameter(EXTENDED_REAL, typical=(-1.0, -2.0), static=True)
    upper: Array = parameter(EXTENDED_REAL, typical=(1.5, math.inf), static=True)
    base: Any = part()

    def further_conditions(self) -> Conditions:
        ops, start = self.ops, _start(self.base)
        yield opposite(self.lower >= self.upper, ops), "the lower end must be less than the upper end"
        if start is not None:
            message = "the upper end must be greater than the least value of the variable"
            yield opposite(self.upper <= start, ops), message

    def describe(self) -> str:
        return f"Censored({self.base.describe()})"


def _start(base: Univariate) -> Array | None:
    """The least value of a variable of whose family that is the location."""
    return base.loc if certainly_is(base.standard_ends()[0], 0.0) and certainly_is(base.sign, 1.0) else None


def _lower(lower: Array, start: Array | None, ops: Operations) -> Array:
    """The lower end; −∞, which is none, where the variable starts there or above."""
    if start is None:
        return lower
    known = ops.literal(lower), ops.literal(start)
    if known[0] is not None and known[1] is not None:
        return -math.inf if known[0] <= known[1] else lower
    return ops.where(lower <= start, -math.inf, lower)


@closed_form(Censored, Censored)
def censored_censored(p: Censored, q: Censored) -> Array:
    """That of the masses, and that between the ends; +∞ where the ends are not the same."""
    ops, start = p.ops, _start(p.base)
    lower, others = (_lower(side.lower, start, ops) for side in (p, q))
    same = _same([(lower, others), (p.upper, q.upper)], ops)
    if same is False:
        return infinite(p, q)
    low, high = (_stated(p, q, end) for end in (lower, p.upper))
    pieces = _pieces(p, q, low, high)
    between_ends = 0 if certainly_infinite(low) else 1
    value = censored_divergence(pieces, [i == between_ends for i in range(len(pieces))], ops)
    value = value if same is True else ops.where(same, value, math.inf)
    value = q.broadcast(p.broadcast(value))
    beyond = {
        name: ops.logical_and(ops.equal(ops.absolute(end), math.inf), same)
        for name, end in (("lower", low), ("upper", high))
        if ops.known(end) is None
    }
    return _unless(beyond, value, ops)


def _unless(beyond: dict[str, Array], value: Array, ops: Operations) -> Array:
    """The value, unless ends that only a running graph knows have nothing beyond them after all."""
    if not beyond:
        return value
    conditions = [(ops.logical_not(is_so), _OPEN.format(name)) for name, is_so in beyond.items()]
    return cast(SymbolicOperations, ops).guard(value, conditions)


def _same(pairs: Sequence[tuple[Array, Array]], ops: Operations) -> Array:
    """Whether the two of all pairs are the same: True, False or an array."""
    same: Array = True
    for first, second in pairs:
        known = ops.literal(first), ops.literal(second)
        if known[0] is None or known[1] is None:
            here = ops.equal(first, second)
            same = here if same is True else ops.logical_and(same, here)
        elif known[0] != known[1]:
            return False
    return same


def _stated(p: Censored, q: Censored, end: Array) -> Array:
    """The end as a plain number where it is infinite; NoClosedFormError where some of several are."""
    stated = plain_if_infinite(end, p.ops)
    if stated is None:
        raise no_closed_form(p, q, "some ends of a batch have nothing beyond them and others have")
    return stated


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
        ends = [] if certainly_infinite(high) else [high - first.loc]
        return exponential_pieces([0.0, *ends, math.inf], first.scale, second.scale, ops)
    raise no_closed_form(
        p, q, "there is one for two normal variables, and for log-normal and exponential ones of a common loc"
    )


def _from_one_place(p: Any, q: Any) -> bool:
    return bool(certainly_is(p.sign, 1.0) and certainly_is(q.sign, 1.0) and same_location(p, q))


def _is_exponential(x: Any) -> bool:
    return isinstance(x, GeneralizedGamma) and all(certainly_is(v, 1.0) for v in (x.concentration, x.power))


def _log_distance(end: Array, loc: Array, ops: Operations) -> Array:
    """Of the logarithm."""
    return end if certainly_infinite(end) else ops.log(end - loc)


_of_bases = DivergenceOfParts(
    lambda side: side.base if isinstance(side, Censored) else side, "nothing is censored, and there is none"
)


@closed_form(Censored, Continuous)
def censored_uncensored(p: Censored, q: Continuous) -> Array:
    """+∞ where p is at an end with some probability; that of its base where both ends have nothing beyond."""
    ops = p.ops
    lower = _lower(p.lower, _start(p.base), ops)
    free = _same([(lower, -math.inf), (p.upper, math.inf)], ops)
    numbers = free if isinstance(free, bool) else ops.known(free)
    if numbers is None:
        return _unless({"lower or upper": free}, infinite(p, q), ops)
    if np.all(numbers):
        return q.broadcast(p.broadcast(_of_bases(p, q)))
    if np.any(numbers):
        raise no_closed_form(p, q, "some of a batch are censored and others are not")
    return infinite(p, q)


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
    ops, start = base.ops, _start(base)
    known = ops.literal(lower), None if start is None else ops.literal(start)
    if known[0] is not None and known[1] is not None and known[0] <= known[1]:
        lower = -math.inf
    ends = [plain_if_infinite(end, ops) for end in (lower, upper)]
    is_free = certainly_is(ends[0], -math.inf) and certainly_is(ends[1], math.inf)
    return base if is_free else Censored(lower, upper, base)
