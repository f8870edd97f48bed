"""What users set, checked where it comes in: what is wrong is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeAlias

import numpy as np
from pymc.model import Model
from pytensor.graph.basic import Variable as Node

from kl_plugins.families.named import Variable
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.target.density import free_shapes, variables_in

Seed: TypeAlias = int | np.integer[Any] | Sequence[int] | np.random.Generator | None
"""What a generator of NumPy's is made of."""

Settings = ParamSpec("Settings")

LEAST = 1e-12
"""Nats below which rounding is all there is."""


def check_tolerance(value: object, name: str = "tolerance", unit: str = " of nats") -> float:
    """The value as a float, if it is a finite positive number that float64 can attain."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a positive number{unit}, got {value!r}")
    if not LEAST <= float(value) < np.inf:
        raise ValueError(
            f"{name} must be a positive number{unit}, finite and at least {LEAST}, got {value!r}"
        )
    return float(value)


def check_count(value: object, name: str, least: int = 1) -> int:
    """The value as an int, if it is a positive integer and not less than the least."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a positive integer, got {value!r}")
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return int(value)


def check_switch(value: object, name: str) -> bool:
    """The value, if it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def check_flag(value: object, name: str) -> bool | None:
    """The value, if it is True, False or None."""
    if value is not None and not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True, False or None, got {value!r}")
    return None if value is None else bool(value)


def generator(random_seed: Any) -> np.random.Generator:
    """NumPy's generator of a seed."""
    try:
        return np.random.default_rng(random_seed)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"random_seed must be None, a non-negative integer, a sequence of them or a "
            f"numpy.random.Generator, got {random_seed!r}"
        ) from None


def refusing_a_call_as_callback(init: Callable[Settings, None]) -> Callable[Settings, None]:
    """The ``__init__`` of a callback, which says so where the class was given to ``pm.fit`` itself."""

    @wraps(init)
    def checked(*args: Settings.args, **settings: Settings.kwargs) -> None:
        # itself, and what callbacks are called with: approximation, losses, iteration
        if len(args) == 4 and not isinstance(args[1], Real):
            name = type(args[0]).__name__
            raise TypeError(f"callbacks got the class {name}, not an instance: callbacks=[{name}()]")
        init(*args, **settings)

    return checked


STRATEGIES = ("prior", "support_point")


def start_values(model: Model, start: object) -> dict[str, Any] | None:
    """The values by name, broadcast to their variables' shapes; None where there are none.

    Names are those of the free variables or, as in PyMC, of their transforms (``sigma_log__``).

    Raises
    ------
    TypeError, ValueError
        Naming the variables that the model does not have, and those whose values have another shape, are not
        numbers or not finite.
    """
    if start is None:
        return None
    if not isinstance(start, Mapping):
        raise TypeError(
            f"start must be a dict of values by the variables' names, got {type(start).__name__}: "
            f"start={{{', '.join(f'{rv.name!r}: ...' for rv in model.free_RVs)}}}"
        )
    shapes = {variable.name: variable.shape for variable in variables_in(model)} | free_shapes(model)
    values, problems = {}, []
    for key, given in start.items():
        name = getattr(key, "name", key)
        if name not in shapes:
            problems.append(f"{name!r} is not a free variable of the model; there are {', '.join(shapes)}")
            continue
        try:
            values[name] = _value(given, shapes[name])
        except ValueError as error:
            problems.append(f"{name!r} {error}")
    if problems:
        raise ValueError("start does not fit the model: " + "; ".join(problems))
    return values


def check_supported(point: FloatArray, variables: Sequence[Variable]) -> None:
    """Raise ValueError naming the variables whose transformed values are not finite."""
    ends = np.cumsum([variable.size for variable in variables])
    bad = [
        v.name
        for v, end in zip(variables, ends, strict=True)
        if not np.isfinite(point[end - v.size : end]).all()
    ]
    if bad:
        raise ValueError(
            f"the start is on or beyond the bounds of {', '.join(bad)}: give values inside the support "
            "(as for pm.fit, before the transform: sigma, not log sigma)"
        )


def _value(given: object, shape: tuple[int, ...]) -> Any:
    """A start's value, broadcast to its variable; ValueError says what is wrong with it."""
    if isinstance(given, Node) or (isinstance(given, str) and given in STRATEGIES):
        return given
    try:
        array = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"has to be numbers (or one of {', '.join(STRATEGIES)}), got {given!r}") from None
    if not np.isfinite(array).all():
        raise ValueError("is not finite everywhere: give a number, or leave the variable out")
    try:
        return np.broadcast_to(array, shape).copy()
    except ValueError:
        raise ValueError(f"has shape {array.shape}, the model's variable {shape}") from None
