"""What is known of parameters before any graph runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from kl_plugins.ops.protocol import Operations
from kl_plugins.parameters.parametrised import Parametrised


def certainly_equal(first: Any, second: Any, ops: Operations) -> bool:
    """Whether two parameters are certainly equal everywhere, but for NaN."""
    found = equal_where(first, second, ops)
    return found is True or (found is not False and bool(np.all(found)))


def equal_where(first: Any, second: Any, ops: Operations) -> Any:
    """Where two parameters are certainly equal, NaN to everything: True or False, or an array of numbers."""
    if first is second:
        return True
    if type(first) is type(second) is float:
        return first == second or first != first or second != second
    if not ops.symbolic:
        return (first == second) | (first != first) | (second != second)
    known = ops.literal(first), ops.literal(second)
    if None not in known:
        return known[0] == known[1]
    return not {type(first), type(second)} & {float} and ops.same(*map(ops.undressed, (first, second)))


def alike_where(first: Parametrised, second: Parametrised) -> Any:
    """Where all parameters of two objects of one backend are certainly equal, as `equal_where`."""
    if type(first) is not type(second):
        return False
    found: Any = True
    for name in (*first.arrays, *first.parts):
        pair = first.__dict__[name], second.__dict__[name]
        found = found & (alike_where(*pair) if name in first.parts else equal_where(*pair, first.ops))
        if found is False:
            return False
    return bool(np.all(found)) or found


def certainly_zero(value: Any, ops: Operations) -> bool:
    """Whether a parameter is one number for all, and that is certainly zero."""
    if type(value) is float:
        return value == 0.0
    return not ops.symbolic and np.ndim(value) == 0 and bool(value == 0.0)
