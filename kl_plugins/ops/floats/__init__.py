"""The operations on Python floats: a scalar pair should not pay for arrays."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.errors import Requirement
from kl_plugins.ops.protocol import Array
from kl_plugins.ops.special_functions import loaded_when_asked_for

symbolic = False
scalar = True
graphs = False

log = math.log
sqrt = math.sqrt
isnan = math.isnan
isinf = math.isinf
isfinite = math.isfinite
absolute = abs
minimum = min


def asarray(value: Array, name: str, beside: Sequence[Array] = ()) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError(Requirement(name, f"is too large for a float: {str(value)[:20]}…")) from None


def literal(value: Array) -> float | None:
    return float(value)


def logical_and(first: bool, second: bool) -> bool:
    return first and second


def logical_or(first: bool, second: bool) -> bool:
    return first or second


def logical_not(value: bool) -> bool:
    return not value


def replace(value: float, condition: bool, by: float) -> float:
    return by if condition else value


def select(condition: bool, yes: Callable[..., Array], no: Callable[..., Array], *args: float) -> Array:
    return yes(*args) if condition else no(*args)


pick = select


def choose(condition: bool, rare: Callable[..., Array], usual: Callable[..., Array], *args: float) -> Array:
    return rare(*args, _HERE) if condition else usual(*args, _HERE)


rarely = choose


def same(first: float, second: float) -> bool:
    return first == second or first != first or second != second


def inside(value: float, low: float, high: float) -> bool:
    return low < value < high


def zeros_like(value: float) -> float:
    return 0.0


def zero_or_nan(value: float) -> float:
    return 0.0 if value == value else value


def elementwise(value: Callable[..., Array], gradient: Callable[..., Array] | None, *args: float) -> Array:
    return value(*args, _HERE)


_HERE = sys.modules[__name__]


def shape(value: float) -> tuple[int, ...]:
    return ()


def require(conditions: Iterable[tuple[bool, str]]) -> None:
    for holds, message in conditions:
        if not holds:
            raise ValueError(message)


def evaluate(formula: Callable[..., Any], *sides: Any) -> np.float64:
    """Return ``formula(*sides)``, by arrays where a float would raise instead of being infinite.

    The functions of `math` raise ValueError there, which is not always theirs: `checked` tells.
    """
    try:
        try:
            return np.float64(formula(*sides))
        except ValueError:
            checked = import_module("kl_plugins.ops.checked")
            return np.float64(formula(*map(checked.on_checked, sides)))
    except ArithmeticError:
        arrays = import_module("kl_plugins.ops.numpy")
        return arrays.evaluate(formula, *[side.to_arrays() for side in sides])  # type: ignore[no-any-return]


if TYPE_CHECKING:
    from kl_plugins.ops.floats.special import *  # noqa: F403
else:
    __getattr__ = loaded_when_asked_for(__name__)
