"""The named statistics that log densities are combinations of."""

from __future__ import annotations

from dataclasses import dataclass

from kl_plugins.ops.protocol import Array, Operations


class Statistic:
    """A function of the standard variable z; ``text`` says which."""

    text = ""

    def __call__(self, z: Array, ops: Operations) -> Array:
        raise NotImplementedError


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
