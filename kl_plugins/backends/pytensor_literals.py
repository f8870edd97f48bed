"""Functions of PyTensor variables that take Python's floats as well, which stay floats."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytensor.tensor as pt

from kl_plugins.backends import scalar


def beside_literals(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, or that of `scalar` of this name where there are only floats.

    PyTensor would store 0.5 in half precision, and compute ψ(0.5) in it.
    """

    @wraps(function, assigned=("__doc__",), updated=())
    def either(*args: Any) -> Any:
        if any(type(arg) is not float for arg in args):
            return function(*args)
        try:
            return getattr(scalar, name)(*args)
        except (ArithmeticError, ValueError):  # where a float is an error, a graph holds infinity or NaN
            return function(*[pt.constant(arg, dtype="float64") for arg in args])

    return either
