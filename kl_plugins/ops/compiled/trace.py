"""What a formula is made of when it runs on symbols: operations, each with its arguments.

A symbol stands for a float64 or for a condition; what is the same is one symbol.
"""

from __future__ import annotations

from typing import Any

from kl_plugins.ops.protocol import Array

Argument = Any
"""A symbol or a float; an integer that is bits of a float."""


class UntraceableError(TypeError):
    """A formula that decides by the values of its arguments, or has an operation that no loop has."""


class Trace:
    """The symbols of one formula, in an order in which they can be computed."""

    def __init__(self, operations: Any, leaves_out: bool) -> None:
        self.operations = operations
        self.leaves_out = leaves_out
        """Whether what the formula marks as rare is to be left out."""
        self.has_left_out = False
        self.symbols: list[Symbol] = []
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
        return self.trace.operations.power(self, exponent)

    def __rpow__(self, base: Array) -> Array:
        return self.trace.operations.power(base, self)

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
