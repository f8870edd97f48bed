"""The named statistics that log densities are combinations of."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from kl_plugins.ops.protocol import Array, ArrayOperations, Operations
from kl_plugins.parameters.certainty import certainly_equal
from kl_plugins.parameters.parametrised import Parametrised


class Statistic:
    """A function of the standard variable z, as ``text`` says. If it has parameters, it is a dataclass."""

    text = ""

    def is_same(self, other: Statistic, ops: ArrayOperations) -> bool:
        """Whether `other` is certainly the same function."""
        if type(self) is not type(other) or not is_dataclass(self):
            return type(self) is type(other) and self.__getstate__() is None
        names = [field.name for field in fields(self)]
        return all(_is_same(getattr(self, name), getattr(other, name), ops) for name in names)

    def __call__(self, z: Array, ops: Operations) -> Array:
        raise NotImplementedError


def _is_same(first: Any, second: Any, ops: ArrayOperations) -> bool:
    """Whether two parameters of statistics are certainly the same: numbers, statistics or distributions."""
    if isinstance(first, Statistic):
        return first.is_same(second, ops)
    if isinstance(first, Parametrised):
        return first.same_where(second) is True
    return certainly_equal(first, second, ops)


class Identity(Statistic):
    text = "z"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return z


class Square(Statistic):
    text = "z²"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return z * z


class Absolute(Statistic):
    text = "|z|"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return abs(z)


class Log(Statistic):
    text = "log z"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log(z)


class LogSquare(Statistic):
    text = "(log z)²"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log(z) ** 2


class Log1m(Statistic):
    text = "log(1 − z)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log1p(-z)


class Log1p(Statistic):
    text = "log(1 + z)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log1p(z)


class Log1pSquare(Statistic):
    text = "log(1 + z²)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log1p(z * z)


class Softplus(Statistic):
    text = "log(1 + exp(−z))"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log1p(ops.exp(-z))


@dataclass(frozen=True, eq=False)
class Power(Statistic):
    exponent: Array
    text = "a power of z"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return z**self.exponent


@dataclass(frozen=True, eq=False)
class Exp(Statistic):
    rate: Array
    text = "exp(rate · z)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.exp(self.rate * z)
