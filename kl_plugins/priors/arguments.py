"""What is handed to `pc_prior`, as the numbers and functions that it has to be; errors say what to change."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import pymc as pm
from pytensor.graph.basic import Variable


def is_number(value: object) -> bool:
    """Whether it is one number, of Python or of NumPy; a truth value is none."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def plain(value: Any) -> Any:
    """The number in an array without dimensions; everything else as it is."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def number(value: Any, name: str) -> float:
    """The argument, if it is a number."""
    if isinstance(value, Variable):
        raise TypeError(
            f"{name} must be a plain Python number, got the symbolic variable {value}: the prior is measured "
            "once, when it is made"
        )
    if not is_number(plain(value)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return float(plain(value))


def checked_bounds(bounds: Any) -> tuple[float, float]:
    """The two numbers, if the first is the lower one."""
    try:
        lower, upper = bounds
    except (TypeError, ValueError):
        raise TypeError(f"bounds must be two numbers, (lower, upper), got {bounds!r}") from None
    lower, upper = number(lower, "the lower of bounds"), number(upper, "the upper of bounds")
    if not lower < upper:
        raise ValueError(f"bounds must be a lower and a higher number, got {bounds!r}")
    return lower, upper


def check_probability(probability: float) -> None:
    if 0.0 < probability < 1.0:
        return
    percent = f": {probability:g} % is {probability / 100:g}" if 1.0 < probability < 100.0 else ""
    raise ValueError(f"probability must be between 0 and 1, got {probability!r}{percent}")


def check_places(base: Any, at: float, bounds: tuple[float, float]) -> None:
    """Raise where the base, if it is a number, or `at` is where it cannot be."""
    lower, upper = bounds
    if is_number(base):
        if not lower <= base <= upper:
            raise ValueError(
                f"base must be inside of bounds=({lower:g}, {upper:g}) or one of them, got {base!r}"
            )
        if base == at and math.isfinite(at):
            raise ValueError(
                f"at={at!r} is the base itself, whose distance is 0: choose a value of the parameter that is "
                "rather too far from it"
            )
    if not lower < at < upper:
        raise ValueError(f"at must be inside of bounds=({lower:g}, {upper:g}), got {at!r}")


def check_shape(shape: Any) -> None:
    """Raise where a length is negative; what is symbolic is left to PyMC."""
    lengths = shape if isinstance(shape, Sequence) else [shape]
    if any(isinstance(length, Integral) and length < 0 for length in lengths):
        raise ValueError(f"shape must have no negative lengths, got {shape!r}")


def check_family(family: Any) -> None:
    """Raise where it cannot be called with one argument."""
    if isinstance(family, type) and issubclass(family, pm.Distribution):
        kind = f"{family.__module__.partition('.')[0].replace('pymc', 'pm')}.{family.__qualname__}"
        raise TypeError(
            f"family must be a function of the parameter that returns a distribution, got the class {kind}, "
            f"which adds variables to a model: pass {kind}.dist"
        )
    if not callable(family):
        raise TypeError(
            f"family must be a function of the parameter that returns a distribution, got {family!r}"
        )
    try:
        signature = inspect.signature(family)
    except (TypeError, ValueError):  # of some callables it is not known
        return
    try:
        signature.bind(0.0)
    except TypeError:
        raise TypeError(
            f"family is called with one argument, the parameter, but takes {signature}: give other arguments "
            "their values, as lambda sigma: pm.Normal.dist(0, sigma) does"
        ) from None


def check_named(arguments: Sequence[Any], settings: Mapping[str, Any]) -> None:
    """Raise where `pc_prior` gets no name first, or there is no model to add a variable to."""
    name = arguments[0] if arguments else settings.get("name")
    if not isinstance(name, str):
        given = f"got {name!r}" if arguments or "name" in settings else "and there is none"
        raise TypeError(
            f"pc_prior takes the name of the variable first, {given}: pc_prior(name, family, base, ...); "
            "pc_prior.dist(family, base, ...) takes none"
        )
    try:
        pm.modelcontext(None)
    except TypeError:
        raise TypeError(
            "pc_prior adds a variable to a model, and there is none in context: call it inside of "
            "`with pm.Model():`, or pc_prior.dist(family, base, ...) outside of one"
        ) from None


def check_unnamed(arguments: Sequence[Any], settings: Mapping[str, Any]) -> None:
    """Raise where `pc_prior.dist` gets a name."""
    name = arguments[0] if arguments else settings.get("name")
    if isinstance(name, str):
        raise TypeError(
            f"pc_prior.dist takes no name, got {name!r}: pc_prior.dist(family, base, ...), or "
            "pc_prior(name, family, base, ...) in a model"
        )
