"""The operations on floats once more, for when a ValueError came: these tell domain errors from others."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from kl_plugins.ops import floats
from kl_plugins.ops.protocol import Array

symbolic = False
scalar = True
graphs = False

_DOMAINS = frozenset({"log", "sqrt", "log1p", "sin", "cos", "floor", "gammaln", "power"})
"""What raises a ValueError outside of its domain, where an array holds infinity or NaN."""

_HERE = sys.modules[__name__]


class FloatDomainError(ArithmeticError):
    """A float outside of a function's domain."""


def choose(condition: bool, rare: Callable[..., Array], usual: Callable[..., Array], *args: float) -> Array:
    return rare(*args, _HERE) if condition else usual(*args, _HERE)


rarely = choose


def elementwise(value: Callable[..., Array], gradient: Callable[..., Array], *args: float) -> Array:
    return value(*args, _HERE)


def on_checked(side: Any) -> Any:
    """The same object on these operations."""
    parts = {name: on_checked(getattr(side, name)) for name in side.parts}
    return side.unchecked(_HERE, **(side.__getstate__() | parts))


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    function = getattr(floats, name)
    if name not in _DOMAINS:
        return function

    def checked(*args: float) -> Array:
        try:
            return function(*args)
        except ValueError:
            raise FloatDomainError(name) from None

    return checked
