"""The operations on symbols: a formula that runs on them says which operations it is made of.

What is known beforehand is computed at once. Where a primitive does not serve, as the logarithm of a number
near the ends of the floats, the loop has NaN, and so has all that depends on it: those numbers are left to
NumPy's operations.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from kl_plugins.ops import floats
from kl_plugins.ops.compiled.trace import Symbol, made
from kl_plugins.ops.compiled.trace import logical_and as logical_and
from kl_plugins.ops.compiled.trace import logical_not as logical_not
from kl_plugins.ops.compiled.trace import logical_or as logical_or
from kl_plugins.ops.protocol import Array

symbolic = True
graphs = False
scalar = False
_HERE = sys.modules[__name__]


def _number(operation: str) -> Callable[[Array], Array]:
    """The operation of this name: on a float it is done at once."""

    def function(x: Array) -> Array:
        return made(operation, x) if isinstance(x, Symbol) else getattr(floats, operation)(x)

    return function


sqrt = _number("sqrt")
floor = _number("floor")
absolute = abs


def where(condition: Array, yes: Array, no: Array) -> Array:
    """Either of them; NaN where what the condition compares is NaN because a primitive does not serve."""
    if not isinstance(condition, Symbol):
        return yes if condition else no
    if yes is no or (type(yes) is type(no) is float and yes == no != 0.0):
        return yes
    chosen = condition.trace.made("where", condition, _plain(yes), _plain(no))
    for value in condition.doubtful:
        chosen = condition.trace.made("within", condition.trace.made("eq", value, value), chosen)
    return chosen


def _plain(value: Array) -> Array:
    return value if isinstance(value, Symbol) else float(value)


def replace(value: Array, condition: Array, by: Array) -> Array:
    return where(condition, by, value)


def within(condition: Symbol, value: Array) -> Array:
    """The value where the condition holds, elsewhere NaN."""
    return condition.trace.made("within", condition, _plain(value))


def _extreme(operation: str) -> Callable[[Array, Array], Array]:
    """The larger or the smaller one of two; NaN where either is."""

    def function(first: Array, second: Array) -> Array:
        if not isinstance(second, Symbol):
            first, second = second, first
        if isinstance(second, Symbol):
            return made(operation, first, second)
        return getattr(floats, operation)(first, second)

    return function


maximum, minimum = _extreme("maximum"), _extreme("minimum")


def equal(first: Array, second: Array) -> Array:
    return first == second


def isnan(x: Array) -> Array:
    return logical_not(x == x) if isinstance(x, Symbol) else math.isnan(x)


def isinf(x: Array) -> Array:
    return abs(x) == math.inf


def isfinite(x: Array) -> Array:
    return abs(x) < math.inf


def sign(x: Array) -> Array:
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, x))


def select(condition: Array, yes: Callable[..., Array], no: Callable[..., Array], *args: Array) -> Array:
    """Both are computed: a loop without branches is one of vector instructions."""
    if not isinstance(condition, Symbol):
        return yes(*args) if condition else no(*args)
    return where(condition, yes(*args), no(*args))


pick = select


def choose(condition: Array, rare: Callable[..., Array], usual: Callable[..., Array], *args: Array) -> Array:
    """As `select`, of functions that take the operations as last argument."""
    return select(condition, partial(rare, ops=_HERE), partial(usual, ops=_HERE), *args)


def rarely(condition: Array, rare: Callable[..., Array], usual: Callable[..., Array], *args: Array) -> Array:
    """As `choose`; or NaN where the condition holds."""
    if not (isinstance(condition, Symbol) and condition.trace.leaves_out):
        return choose(condition, rare, usual, *args)
    condition.trace.has_left_out = True
    value = where(condition, math.nan, usual(*args, _HERE))
    value.partial = True
    return value


def elementwise(value: Callable[..., Array], gradient: Array, *args: Array) -> Array:
    return value(*args, _HERE) if any(isinstance(x, Symbol) for x in args) else value(*args, floats)


def zero_or_nan(value: Array) -> Array:
    """0; NaN where the number is."""
    return where(value == value, 0.0, value)


zeros_like = zero_or_nan


def shape(value: Array) -> tuple[int, ...]:
    return ()


def same(first: Array, second: Array) -> bool:
    """Whether the two are certainly equal, which two symbols do not say."""
    return first is second or bool(first == second)


def epsilon(value: Array) -> float:
    return sys.float_info.epsilon


def literal(value: Array) -> float | None:
    return value if type(value) is float else None


def known_log(value: Array) -> None:
    """The logarithm of a number that was computed from it: it is not known."""


def complement(probability: Array) -> Array:
    """1 less a probability."""
    return 1.0 - probability


def square(x: Array) -> Array:
    return x * x


def power(base: Array, exponent: Array) -> Array:
    """base to the exponent, of positive numbers where the exponent is not a small whole number."""
    if not isinstance(exponent, Symbol):
        if exponent == 0.5:
            return sqrt(base)
        if exponent in (1.0, 2.0, 3.0):
            return base if exponent == 1.0 else base * power(base, exponent - 1.0)
        if exponent in (-1.0, -2.0):
            return 1.0 / power(base, -exponent)
    return __getattr__("exp")(exponent * __getattr__("log")(base))


def __getattr__(name: str) -> Any:
    """Logarithms and exponentials; any other operation is one that no loop has."""
    function = import_module("kl_plugins.ops.compiled.simd_math").PRIMITIVES.get(name)
    if function is None:
        raise AttributeError(f"no operation of loops: {name}")

    def operation(x: Array) -> Array:
        return function(x) if isinstance(x, Symbol) else getattr(floats, name)(x)

    return operation
