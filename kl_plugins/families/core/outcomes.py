"""Divergences of discrete families: sums over the outcomes where they are finitely many, else by supports."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kl_plugins.families.core.closed_forms import closed_form, no_closed_form
from kl_plugins.families.core.discrete import MOST_TERMS, Discrete, either, is_broken, is_infinite
from kl_plugins.formulas.discrete import outcome_divergence
from kl_plugins.ops import numpy as arrays
from kl_plugins.ops.checked import on_floats
from kl_plugins.parameters.certainty import alike_where
from kl_plugins.parameters.parametrised import broadcast_shapes

_BEYOND = 8
"""So many outcomes on either side of p's support are looked at for what q has there, in small batches:
where that is nearly nothing, 1 less the sum of the others does not show it."""

ROUNDING = 64.0 * 2.220446049250313e-16
"""Up to this a sum of probabilities is taken to be 1."""

_INFINITY = math.inf


def by_outcomes(p: Discrete, q: Discrete) -> Any:
    """The sum over all outcomes of q − p − p log(q/p), none of which is negative; +∞ by supports.

    Where p has infinitely many outcomes, what follows from the supports alone, or from equal parameters: 0.
    """
    alike = alike_where(p, q)
    if alike is True:
        return q.full(p.full(0.0))
    if on_floats(p.ops):
        return arrays.numbers(by_outcomes, p.to_arrays(), q.to_arrays())
    ops, count = p.ops, p.count_outcomes()
    if count is None:
        return by_supports(p, q, 0.0, alike)
    batch = broadcast_shapes(p.batch_shape, q.batch_shape)
    size = math.prod(length or 1 for length in batch)
    if not isinstance(count, str) and count * size > MOST_TERMS:
        count = f"{count} outcomes times {size} pairs are more than {MOST_TERMS} terms to sum"
    if isinstance(count, str):
        raise no_closed_form(p, q, count)
    shift = p.loc - q.loc
    extra = _BEYOND if (count + 2 * _BEYOND) * size <= MOST_TERMS else 0
    k = p.outcomes(extra, count)
    log_p = p.log_masses(k)
    log_q = q.log_masses(k + (shift if type(shift) is float else ops.expand_last(shift)))
    value = ops.sum_last(outcome_divergence(log_p, log_q, ops))
    low, high = q.standard_ends()
    first = p.standard_ends()[0] + shift - extra
    unseen = either(ops, first > low, first + (count + 2.0 * extra - 1.0) < high)
    if unseen is not False:
        rest = 1.0 - ops.sum_last(ops.exp(log_q))
        rest = ops.where(rest > ROUNDING, rest, 0.0)
        value = value + (rest if unseen is True else ops.where(unseen, rest, 0.0))
    return _narrowed(q.full(p.full(value)), p, q)


def _narrowed(value: Any, p: Discrete, q: Discrete) -> Any:
    """float32 where the parameters are, though the sum was taken in float64."""
    if p.ops.symbolic:
        return value
    given = [x.dtype for x in [*p.values(), *q.values()] if type(x) is not float]
    return value.astype(np.result_type(*given)) if given else value


def by_supports(p: Discrete, q: Discrete, value: Any = 0.0, holds: Any = False) -> Any:
    """`value` where it `holds`; elsewhere −log q of p's only outcome, or +∞ as p's support is not inside q's.

    NoClosedFormError where neither is the case.
    """
    if on_floats(p.ops):
        p, q = p.to_arrays(), q.to_arrays()
        return arrays.numbers(by_supports, p, q, arrays.asarray(value, "value"), holds)
    if holds is True:
        return q.full(p.full(value))
    ops, point, beyond = p.ops, p.point(), _beyond(p, q)
    nan = _has_nan(p, q)
    known = beyond if ops.symbolic else either(ops, holds, point, beyond, nan)
    if not (known is True or (known is not False and not ops.symbolic and known.all())):
        apart = type(p) is type(q) and starts_together(p, q) is not True
        moved = "their locations differ, and " if apart else ""
        raise no_closed_form(p, q, f"{moved}{p.describe()} has infinitely many outcomes to sum over")
    other: Any = _INFINITY
    if point is not False:
        low = p.outcomes(0, 1) + _last(p.loc, ops) - _last(q.loc, ops)
        other = ops.where(point, -ops.sum_last(q.log_masses(low)), other)
    if holds is not False:
        other = ops.where(holds, value, other)
    if nan is not False:
        other = ops.where(nan, math.nan, other)
    return q.full(p.full(other))


def _last(value: Any, ops: Any) -> Any:
    return value if type(value) is float else ops.expand_last(value)


def _beyond(p: Discrete, q: Discrete) -> Any:
    """Whether p, of endless support, has outcomes that q has not: True, or an array."""
    (p_low, p_high), (q_low, q_high) = p.standard_ends(), q.standard_ends()
    if is_infinite(p_low) > is_infinite(q_low) or is_infinite(p_high) > is_infinite(q_high):
        return True
    shift = p.loc - q.loc
    below = False if is_infinite(q_low) else p_low + shift < q_low
    above = False if is_infinite(q_high) else p_high + shift > q_high
    return either(p.ops, is_broken(shift, p.ops), below, above)


def _has_nan(p: Discrete, q: Discrete) -> Any:
    """Which pairs of numbers have a parameter that is NaN."""
    if p.ops.symbolic:
        return False
    return np.isnan(q.full(p.full(0.0)) + sum(_trace(side) for side in (p, q)))


def _trace(side: Discrete) -> Any:
    """0, NaN where a parameter is NaN."""
    own = [0.0 * side.__dict__[name] for name in side.arrays]
    own = [x.sum(-1) if core else x for x, (_, core) in zip(own, side.cores(), strict=True)]
    return sum(own) + sum(_trace(side.__dict__[name]) for name in side.parts)


def starts_together(p: Discrete, q: Discrete) -> Any:
    """Whether the two are not shifted against each other: True or False, or an array of numbers."""
    if p.ops.same(p.loc, q.loc):
        return True
    return False if p.ops.symbolic else np.equal(p.loc, q.loc)


def _cost(p: Discrete, q: Discrete) -> str:
    return "O(1)" if any(map(is_infinite, p.standard_ends())) else "O(n) for the n outcomes of p"


closed_form(Discrete, Discrete, _cost)(by_outcomes)
