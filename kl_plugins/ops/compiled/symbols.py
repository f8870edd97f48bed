"""The operations on symbols: a formula that runs on them says which operations it is made of.

What is the same is one symbol, and what is known beforehand is computed at once. A symbol stands for a
float64 or for a condition. Where a primitive does not serve, as the logarithm of a number near the ends of
the floats, the loop has NaN, and so has all that depends on it: those are left to NumPy's operations.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import Any

from kl_plugins.ops import floats
from kl_plugins.ops.protocol import Array

symbolic = True
graphs = False
scalar = False
_HERE = sys.modules[__name__]

Argument = Any
"""A symbol or a float; an integer that is bits of a float."""

leaves_out: ContextVar[bool] = ContextVar("leaves_out", default=False)
"""Whether what a formula marks as rare is left out of the loop."""


class UntraceableError(TypeError):
    """A formula that decides by the values of its arguments, or has an operation that no loop has."""


class Trace:
    """The symbols of one formula, in an order in which they can be computed."""

    def __init__(self) -> None:
        self.symbols: list[Symbol] = []
        self.rare = False
        """Whether something has been left out."""
        self._known: dict[Any, Symbol] = {}

    def made(self, operation: str, *args: Argument) -> Symbol:
        key = operation, *[("symbol", x.index) if isinstance(x, Symbol) else (type(x), repr(x)) for x in args]
        if key not in self._known:
            self._known[key] = Symbol(self, operation, args)
            self.symbols.append(self._known[key])
        return self._known[key]

    def needed(self, value: Symbol) -> list[Symbol]:
        """The symbols that the value is made of, in order."""
        wanted = {value.index}
        for symbol in reversed(self.symbols):
            if symbol.index in wanted:
                wanted |= {x.index for x in symbol.args if isinstance(x, Symbol)}
        return [symbol for symbol in self.symbols if symbol.index in wanted]


class Symbol:
    """A number or a condition: an operation with its arguments."""

    __array_ufunc__ = None  # NumPy leaves its numbers' operators to ours

    def __init__(self, trace: Trace, operation: str, args: tuple[Argument, ...]) -> None:
        self.trace, self.operation, self.args = trace, operation, args
        self.index = len(trace.symbols)
        parts = [x for x in args if isinstance(x, Symbol)]
        self.partial: bool = operation == "within" or any(x.partial for x in parts)
        """Whether it may be NaN because a primitive does not serve."""
        self.doubtful: tuple[Symbol, ...] = ()
        """The numbers that a condition compares and that may be NaN so."""
        if operation in COMPARISONS:
            self.doubtful = tuple(x for x in parts if x.partial)
        elif operation in ("and", "or", "not"):
            self.doubtful = tuple(dict.fromkeys(d for x in parts for d in x.doubtful))

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise UntraceableError("a decision by a value")

    def __float__(self) -> float:
        raise UntraceableError("a number of a value")

    def __add__(self, other: Array) -> Array:
        return self if _is(other, 0.0) else made("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Array) -> Array:
        return self if _is(other, 0.0) else made("sub", self, other)

    def __rsub__(self, other: Array) -> Array:
        return made("neg", self) if _is(other, 0.0) else made("sub", other, self)

    def __mul__(self, other: Array) -> Array:
        if _is(other, 1.0):
            return self
        return -self if _is(other, -1.0) else made("mul", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Array) -> Array:
        return self if _is(other, 1.0) else made("div", self, other)

    def __rtruediv__(self, other: Array) -> Array:
        return made("div", other, self)

    def __pow__(self, exponent: Array) -> Array:
        return power(self, exponent)

    def __rpow__(self, base: Array) -> Array:
        return power(base, self)

    def __neg__(self) -> Array:
        return self.args[0] if self.operation == "neg" else made("neg", self)

    def __abs__(self) -> Array:
        return made("abs", self)

    def __and__(self, other: Array) -> Array:
        return logical_and(self, other)

    def __or__(self, other: Array) -> Array:
        return logical_or(self, other)

    __rand__ = __and__
    __ror__ = __or__

    def __lt__(self, other: Array) -> Array:
        return made("lt", self, other)

    def __le__(self, other: Array) -> Array:
        return made("le", self, other)

    def __gt__(self, other: Array) -> Array:
        return made("lt", other, self)

    def __ge__(self, other: Array) -> Array:
        return made("le", other, self)

    def __eq__(self, other: Array) -> Array:
        return made("eq", self, other)

    def __ne__(self, other: Array) -> Array:
        return logical_not(made("eq", self, other))


COMPARISONS = {"lt": "<", "le": "<=", "eq": "=="}


def _is(value: Array, number: float) -> bool:
    return not isinstance(value, Symbol) and value == number


def made(operation: str, *args: Array) -> Symbol:
    """The symbol of an operation on symbols and numbers, one at least of them a symbol."""
    args = tuple(x if isinstance(x, Symbol) else float(x) for x in args)
    return next(x for x in args if isinstance(x, Symbol)).trace.made(operation, *args)


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


def within(condition: Symbol, value: Array) -> Array:
    """The value where the condition holds, elsewhere NaN."""
    return condition.trace.made("within", condition, _plain(value))


def maximum(first: Array, second: Array) -> Array:
    """The larger one; NaN where either is."""
    return _extreme("maximum", first, second)


def minimum(first: Array, second: Array) -> Array:
    """The smaller one; NaN where either is."""
    return _extreme("minimum", first, second)


def _extreme(operation: str, first: Array, second: Array) -> Array:
    if not isinstance(second, Symbol):
        first, second = second, first
    return (
        made(operation, first, second)
        if isinstance(second, Symbol)
        else getattr(floats, operation)(first, second)
    )


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


def logical_and(first: Array, second: Array) -> Array:
    if isinstance(first, Symbol) and isinstance(second, Symbol):
        return made("and", first, second)
    first, second = (second, first) if isinstance(first, Symbol) else (first, second)
    return second if first else False


def logical_or(first: Array, second: Array) -> Array:
    if isinstance(first, Symbol) and isinstance(second, Symbol):
        return made("or", first, second)
    first, second = (second, first) if isinstance(first, Symbol) else (first, second)
    return True if first else second


def logical_not(value: Array) -> Array:
    if not isinstance(value, Symbol):
        return not value
    return value.args[0] if value.operation == "not" else made("not", value)


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
    if not (isinstance(condition, Symbol) and leaves_out.get()):
        return choose(condition, rare, usual, *args)
    condition.trace.rare = True
    value = where(condition, math.nan, usual(*args, _HERE))
    value.partial = True
    return value


def elementwise(value: Callable[..., Array], gradient: Array, *args: Array) -> Array:
    return value(*args, _HERE) if any(isinstance(x, Symbol) for x in args) else value(*args, floats)


def zeros_like(value: Array) -> Array:
    """0; NaN where the number is."""
    return where(value == value, 0.0, value)


def shape(value: Array) -> tuple[int, ...]:
    return ()


def same(first: Array, second: Array) -> bool:
    """Whether the two are certainly equal, which two symbols do not say."""
    if first is second:
        return True
    return bool(first == second)


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
