"""What families become when their variables are restricted to an interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import singledispatch
from typing import Any, cast

import numpy as np

from kl_plugins.ops import backend_of
from kl_plugins.ops.protocol import Array, Operations, SymbolicOperations
from kl_plugins.parameters.certainty import certainly_is

_ORDER = "the lower end must be less than the upper end"
_FINITE = "ends of a truncated variable that are infinite have to be known before the graph runs"


@singledispatch
def truncated(p: Any, low: Array, high: Array) -> Any:
    """The distribution of X given low < X < high; None where it is no family.

    A function registered for a class makes its. An end that may be infinite is a plain number.
    """
    return None


def truncation(p: Any, low: Array, high: Array) -> Any:
    """The same of ends as users write them; ValueError where none is below the other."""
    p = p.to(backend_of(low, high, *p.values()))
    low, high = (plain_if_infinite(end, p.ops) for end in (low, high))
    if low is None or high is None:
        return None
    if certainly_is(low, math.inf) or certainly_is(high, -math.inf):
        raise ValueError(_ORDER)
    if certainly_is(low, -math.inf) and certainly_is(high, math.inf):
        return p
    return truncated(p, low, high)


def plain_if_infinite(end: Array, ops: Operations) -> Array | None:
    """As a float, where that is known to be infinite; None where some of several are."""
    known = ops.literal(end)
    if known is not None:
        return known
    numbers = ops.known(end)
    if numbers is None or not np.any(np.isinf(numbers)):
        return end
    numbers = np.unique(numbers)
    return float(numbers[0]) if len(numbers) == 1 else None


def higher(first: Array, second: Array, ops: Operations) -> Array:
    """The greater of two ends, a plain number where both are."""
    return _of_numbers(max, ops.maximum, first, second, ops)


def lower(first: Array, second: Array, ops: Operations) -> Array:
    """The lesser of two ends, a plain number where both are."""
    return _of_numbers(min, ops.minimum, first, second, ops)


def _of_numbers(
    of_floats: Callable[[float, float], float],
    of_arrays: Callable[[Array, Array], Array],
    first: Array,
    second: Array,
    ops: Operations,
) -> Array:
    known = ops.literal(first), ops.literal(second)
    if known[0] is not None and known[1] is not None:
        return of_floats(known[0], known[1])
    for one, other in ((0, second), (1, first)):
        if known[one] is not None and math.isinf(cast(float, known[one])):
            return other if of_floats(cast(float, known[one]), 0.0) == 0.0 else known[one]
    return of_arrays(first, second)


def distance(low: Array, high: Array, ops: Operations) -> Array:
    """high − low, which is positive: ValueError where that is not so, when a graph runs in a graph."""
    known = ops.literal(low), ops.literal(high)
    difference = high - low if None in known else cast(float, known[1]) - cast(float, known[0])
    return _where_ordered(difference, difference, ops)


def above(low: Array, high: Array, ops: Operations) -> Array:
    """`high`, which is greater than `low`: ValueError as for `distance`."""
    return _where_ordered(high, high - low, ops)


def _where_ordered(value: Array, difference: Array, ops: Operations) -> Array:
    numbers = ops.known(difference)
    if numbers is not None:
        if np.any(np.less_equal(numbers, 0.0)):
            raise ValueError(_ORDER)
        return value
    conditions = [
        (ops.logical_not(difference <= 0.0), _ORDER),
        (ops.logical_not(ops.equal(difference, math.inf)), _FINITE),
    ]
    return cast(SymbolicOperations, ops).guard(value, conditions)
