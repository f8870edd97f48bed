"""The operations on Python floats: a scalar pair should not pay for arrays."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

symbolic = False

log = math.log
sqrt = math.sqrt
isnan = math.isnan
isinf = math.isinf
isfinite = math.isfinite
absolute = abs
minimum = min


def asarray(value: Any, name: str, beside: Sequence[Any] = ()) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is too large for a float: {str(value)[:20]}…") from None


def logical_and(first: bool, second: bool) -> bool:
    return first and second


def logical_or(first: bool, second: bool) -> bool:
    return first or second


def logical_not(value: bool) -> bool:
    return not value


def select(condition: bool, yes: Callable[..., Any], no: Callable[..., Any], *args: float) -> Any:
    """Return ``yes(*args)`` where `condition` holds and ``no(*args)`` elsewhere."""
    return yes(*args) if condition else no(*args)


def zeros_like(value: float) -> float:
    return 0.0


def elementwise(value: Callable[..., Any], gradient: Callable[..., Any], *args: float) -> Any:
    """Return ``value(*args, ops)``; symbolic backends take derivatives from `gradient`."""
    return value(*args, _HERE)


_HERE = sys.modules[__name__]


def shape(value: float) -> tuple[int, ...]:
    return ()


def require(conditions: Iterable[tuple[bool, str]]) -> None:
    """Raise ValueError with the message of the first condition that does not hold."""
    for holds, message in conditions:
        if not holds:
            raise ValueError(message)


def numbers(formula: Callable[..., Any], *sides: Any) -> np.float64:
    """Return ``formula(*sides)``; Python floats overflow to infinity without a warning."""
    return np.float64(formula(*sides))
