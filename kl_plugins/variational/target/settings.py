"""Settings of the diagnostics, checked where they come in: what is wrong is named."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

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
