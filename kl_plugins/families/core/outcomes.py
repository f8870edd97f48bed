"""Divergences of discrete families: sums over the outcomes where they are finitely many, else by supports."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from kl_plugins.families.core.closed_forms import closed_form, no_closed_form
from kl_plugins.families.core.discrete import (
    NATS,
    Discrete,
    UnknownCountError,
    either,
    endless_range,
    limited,
)
from kl_plugins.formulas.discrete import outcome_divergence
from kl_plugins.ops import numpy as arrays
from kl_plugins.ops.deferred import deferred
from kl_plugins.ops.protocol import Array, ArrayOperations, SymbolicOperations
from kl_plugins.parameters.certainty import certainly_infinite
from kl_plugins.parameters.declarations import is_broken
from kl_plugins.parameters.shapes import broadcast_shapes

_BEYOND = 8
"""So many outcomes on either side of p's support are looked at for what q has there, in small batches:
where that is nearly nothing, 1 less the sum of the others does not show it."""

ROUNDING = 64.0 * 2.220446049250313e-16
"""Up to this a sum of probabilities is taken to be 1."""

_INFINITY = math.inf


def by_outcomes(p: Discrete, q: Discrete) -> Array:
    """The sum over all outcomes of q − p − p log(q/p), none of which is negative; +∞ by supports.

    Where p has infinitely many outcomes, what follows from the supports alone, or from equal parameters: 0.
    """
    alike = p.same_where(q)
    if alike is True:
        return q.broadcast(p.broadcast(0.0))
    if p.ops.scalar:
        return arrays.evaluate(by_outcomes, p.to_arrays(), q.to_arrays())
    try:
        count = p.count_outcomes()
        if count is not None:
            return _summed(p, q, p.standard_ends()[0], count)
    except UnknownCountError as error:
        raise no_closed_form(p, q, str(error)) from None
    return by_supports(p, q, 0.0, alike)


def _summed(p: Discrete, q: Discrete, start: Array, count: Array) -> Array:
    """The sum over so many outcomes of p from `start` on, and what q has beyond."""
    ops = p.ops
    count, few = limited(count, broadcast_shapes(p.batch_shape, q.batch_shape), ops)
    shift, extra = p.loc - q.loc, _BEYOND
    k = p.outcomes(extra, count, start)
    log_p, log_q = p.log_masses(k), q.log_masses(k + ops.expand_last(shift))
    value = ops.sum_last(outcome_divergence(log_p, log_q, ops))
    low, high, reach = q.lower_reach(NATS), q.standard_ends()[1], q.reach(NATS)
    proved = reach is not None and not certainly_infinite(reach)
    high = reach if proved and certainly_infinite(high) else high
    first = start + shift - extra
    unseen = either(ops, first > low, first + (count + 2.0 * extra - 1.0) < high)
    if unseen is not False:
        rest = _rest(log_q, extra, proved, ops)
        value = value + (rest if unseen is True else ops.where(unseen, rest, 0.0))
    value = cast(SymbolicOperations, ops).guard(value, few) if few else value
    return q.broadcast(p.broadcast(value))


def _rest(log_q: Array, first: int, proved: bool, ops: ArrayOperations) -> Array:
    """1 less the sum of probabilities, with the digits of 1 less the first of p's, which may be almost 1."""
    others = -ops.expm1(log_q[..., first])
    rest = others - ops.sum_last(ops.exp(log_q[..., :first])) - ops.sum_last(ops.exp(log_q[..., first + 1 :]))
    return ops.where(rest > ROUNDING * (others if proved else 1.0), rest, 0.0)


def by_supports(p: Discrete, q: Discrete, value: Array = 0.0, holds: Array = False) -> Array:
    """`value` where it `holds`; elsewhere −log q of p's only outcome, or +∞ as p's support is not inside q's.

    Where neither is the case, a sum over p's outcomes, until nothing is left; else NoClosedFormError.
    """
    if holds is True:
        return q.broadcast(p.broadcast(value))
    if p.ops.scalar:
        p, q = p.to_arrays(), q.to_arrays()
        return arrays.evaluate(by_supports, p, q, arrays.asarray(value, "value"), holds)
    ops, point, beyond = p.ops, p.point(), _beyond(p, q)
    nan = _has_nan(p, q)
    known = beyond if ops.symbolic else either(ops, holds, point, beyond, nan)
    other: Array = _INFINITY
    if not (known is True or (known is not False and not ops.symbolic and known.all())):
        try:
            other = _summed(p, q, *endless_range(p, q))
        except UnknownCountError as error:
            apart = type(p) is type(q) and same_location_where(p, q) is not True
            raise no_closed_form(p, q, f"{'their locations differ, and ' if apart else ''}{error}") from None
    if point is not False:
        low = p.outcomes(0, 1) + ops.expand_last(p.loc) - ops.expand_last(q.loc)
        other = ops.where(point, -ops.sum_last(q.log_masses(low)), other)
    if holds is not False:
        other = ops.where(holds, value, other)
    if nan is not False:
        other = ops.where(nan, math.nan, other)
    return q.broadcast(p.broadcast(other))


def _beyond(p: Discrete, q: Discrete) -> Array:
    """Whether p, of endless support, has outcomes that q has not: True, or an array."""
    (p_low, p_high), (q_low, q_high) = p.standard_ends(), q.standard_ends()
    ends = (p_low, q_low), (p_high, q_high)
    if any(certainly_infinite(end) and not certainly_infinite(bound) for end, bound in ends):
        return True
    shift = p.loc - q.loc
    below = False if certainly_infinite(q_low) else p_low + shift < q_low
    above = False if certainly_infinite(q_high) else p_high + shift > q_high
    return either(p.ops, is_broken(shift, p.ops), below, above)


def _has_nan(p: Discrete, q: Discrete) -> Array:
    """Which pairs of numbers have a parameter that is NaN."""
    if p.ops.symbolic:
        return False
    return np.isnan(q.broadcast(p.broadcast(0.0)) + sum(_trace(side) for side in (p, q)))


def _trace(side: Discrete) -> Array:
    """0, NaN where a parameter is NaN."""
    own = [np.where(np.isnan(getattr(side, name)), math.nan, 0.0) for name in side.parameters]
    own = [x.sum(-1) if core else x for x, (_, core) in zip(own, side.cores(), strict=True)]
    return sum(own) + sum(_trace(getattr(side, name)) for name in side.parts)


def same_location_where(p: Discrete, q: Discrete) -> Array:
    """Whether the two are not shifted against each other: True or False, or an array of numbers."""
    if p.ops.same(p.loc, q.loc):
        return True
    return False if p.ops.symbolic else np.equal(p.loc, q.loc)


def cost_at_places(p: Discrete, q: Discrete) -> str:
    """Of members of one family with a closed form where they are not shifted against each other."""
    return "O(1)" if same_location_where(p, q) is True else _cost(p, q)


def _cost(p: Discrete, q: Discrete) -> str:
    if not any(map(certainly_infinite, p.standard_ends())):
        return "O(n) for the n outcomes of p"
    (p,) = deferred(p.for_decisions())
    slow = certainly_infinite(p.reach(NATS))
    endless = any(map(certainly_infinite, q.standard_ends())) and not slow
    return "O(n) for n outcomes of p, until it has less than exp(−90)" if endless else "O(1)"


closed_form(Discrete, Discrete, _cost)(by_outcomes)
