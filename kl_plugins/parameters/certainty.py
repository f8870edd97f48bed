"""What is known of parameters before any graph runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from kl_plugins.ops.protocol import Operations


def certainly_equal(first: Any, second: Any, ops: Operations) -> bool:
    """Whether two parameters are certainly equal everywhere, but for NaN."""
    if first is second:
        return True
    if ops.symbolic and not type(first) is type(second) is float:
        plain = type(first) is float or type(second) is float
        return not plain and ops.undressed(first) is ops.undressed(second)
    return bool(np.all((first == second) | (first != first) | (second != second)))


def certainly_zero(value: Any, ops: Operations) -> bool:
    """Whether a parameter is one number for all, and that is certainly zero."""
    if type(value) is float:
        return value == 0.0
    return not ops.symbolic and np.ndim(value) == 0 and bool(value == 0.0)
