"""Functions of PyTensor variables that take Python's floats as well, which stay floats."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import numpy as np
from pytensor.scalar.basic import Cast
from pytensor.tensor.elemwise import DimShuffle

from kl_plugins.ops import floats
from kl_plugins.ops import numpy as arrays
from kl_plugins.ops.protocol import Array


def of_floats(function: Callable[..., Array], *args: float) -> Array:
    """Return ``function(*args, ops)``, infinite or NaN where Python's floats raise instead."""
    try:
        return function(*args, floats)
    except (ArithmeticError, ValueError):
        with np.errstate(all="ignore"):
            return float(function(*map(np.asarray, args), arrays))


def beside_literals(name: str, function: Callable[..., Array]) -> Callable[..., Array]:
    """`function`, or that of `scalar` of this name where there are only floats.

    PyTensor would store 0.5 in half precision, and compute ψ(0.5) in it.
    """

    @wraps(function, assigned=("__doc__",), updated=())
    def either(*args: Array) -> Array:
        if any(type(arg) is not float for arg in args):
            return function(*args)
        return of_floats(lambda *args: getattr(args[-1], name)(*args[:-1]), *args)

    return either


def undressed(value: Array) -> Array:
    """What was given leading dimensions of length 1, and cast to floats, to make the variable."""
    while value.owner is not None and value.type.numpy_dtype.kind == "f":
        op, source = value.owner.op, value.owner.inputs[0]
        if isinstance(op, DimShuffle):
            leading = ("x",) * (value.ndim - source.ndim)
            same_values = tuple(op.new_order) == (*leading, *range(source.ndim))
        else:
            same_values = isinstance(getattr(op, "scalar_op", None), Cast)
        if not same_values:
            break
        value = source
    return value
