"""What is known of parameters before any graph runs: the only questions that mathematics asks of their types.

A *literal* is one number for all members, known at once; an array or a variable may hold many, or none yet.
"""

from __future__ import annotations

import math
from typing import TypeGuard

import numpy as np

from kl_plugins.ops.protocol import Array, ArrayOperations, Operations


def is_literal(value: Array) -> TypeGuard[float]:
    """Whether the value is one number for all, known before any graph runs."""
    return type(value) is float


def certainly_is(first: Array, second: Array) -> bool:
    """Whether both are literals, and the same: ``certainly_is(loc, 0.0)``."""
    return type(first) is type(second) is float and first == second


def certainly_infinite(value: Array) -> bool:
    """Whether it is an infinite literal."""
    return type(value) is float and math.isinf(value)


def certainly_not_negative(value: Array) -> bool:
    """Whether no number is negative or NaN, which only numbers show: no graph, nothing that was put off."""
    if type(value) is float:
        return value >= 0.0
    return isinstance(value, np.ndarray | np.floating) and bool(value.min(initial=0.0) >= 0.0)


def certainly_equal(first: Array, second: Array, ops: Operations) -> bool:
    """Whether two parameters are certainly equal everywhere, but for NaN; numbers are looked at."""
    found = equal_where(first, second, ops)
    return found if isinstance(found, bool) else bool(np.all(found))


def equal_where(first: Array, second: Array, ops: Operations) -> Array:
    """Where two parameters are certainly equal, or NaN: True or False, or an array of numbers."""
    if first is second:
        return True
    if is_literal(first) and is_literal(second):
        return bool(first == second or first != first or second != second)
    if not ops.graphs:
        return (first == second) | (first != first) | (second != second)
    return ops.same(first, second)


def certainly_zero(value: Array, ops: Operations) -> bool:
    """Whether a parameter is one number for all, a literal or in an array, and that is zero."""
    if type(value) is float:
        return value == 0.0
    return not ops.symbolic and np.ndim(value) == 0 and bool(value == 0.0)


def known_zero(value: Array, ops: ArrayOperations) -> bool:
    """The same, which also looks at the constants of a graph."""
    return certainly_zero(value, ops) or ops.literal(value) == 0.0
