"""The named statistics that log densities are combinations of."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from kl_plugins.ops.protocol import Array, ArrayOperations, Operations
from kl_plugins.parameters.certainty import certainly_equal
from kl_plugins.parameters.parametrised import Parametrised


class Statistic:
    """A function of the standard variable z, for log densities to be combinations of.

    One of one's own is a subclass with ``text``, what messages call it, and ``__call__(z, ops)``, its value
    at arrays z in the operations ``ops``. If it has parameters, it is a dataclass:
    ``@dataclass(frozen=True, eq=False)``. Who knows its expectation registers that with `expects`.

    Attributes
    ----------
    text : str
        What messages call it.

    Examples
    --------
    >>> from kl_plugins.extend import POSITIVE, Continuous, LogDensity, Statistic, parameter
    >>> class LogCosh(Statistic):
    ...     text = "log cosh z"
    ...     def __call__(self, z, ops):
    ...         return abs(z) + ops.log1p(ops.exp(-2.0 * abs(z))) - ops.log(2.0)
    >>> class Secant(Continuous):
    ...     scale: float = parameter(POSITIVE)
    ...     def log_density(self):
    ...         return LogDensity(-self.ops.log(3.141592653589793), ((-1.0, LogCosh()),))
    >>> round(float(Secant(2.0).log_prob(2.0)), 6)  # −log(π cosh 1) − log 2
    -2.271658
    """

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
    """The statistic z."""

    text = "z"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return z


class Square(Statistic):
    """The statistic z²."""

    text = "z²"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return z * z


class Absolute(Statistic):
    """The statistic |z|."""

    text = "|z|"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return abs(z)


class Log(Statistic):
    """The statistic log z."""

    text = "log z"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log(z)


class LogSquare(Statistic):
    """The statistic (log z)²."""

    text = "(log z)²"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log(z) ** 2


class Log1m(Statistic):
    """The statistic log(1 − z)."""

    text = "log(1 − z)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log1p(-z)


class Log1p(Statistic):
    """The statistic log(1 + z)."""

    text = "log(1 + z)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log1p(z)


class Log1pSquare(Statistic):
    """The statistic log(1 + z²)."""

    text = "log(1 + z²)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log1p(z * z)


class Softplus(Statistic):
    """The statistic log(1 + exp(−z))."""

    text = "log(1 + exp(−z))"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log1p(ops.exp(-z))


@dataclass(frozen=True, eq=False)
class Power(Statistic):
    """The statistic z to the power of `exponent`.

    Parameters
    ----------
    exponent : float or array

    Examples
    --------
    >>> from kl_plugins.extend import Power
    >>> Power(3.0).exponent, Power(3.0).text
    (3.0, 'a power of z')
    """

    exponent: Array
    text = "a power of z"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return z**self.exponent


@dataclass(frozen=True, eq=False)
class Exp(Statistic):
    """The statistic exp(rate · z).

    Parameters
    ----------
    rate : float or array

    Examples
    --------
    >>> from kl_plugins.extend import Exp
    >>> Exp(-1.0).rate, Exp(-1.0).text
    (-1.0, 'exp(rate · z)')
    """

    rate: Array
    text = "exp(rate · z)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.exp(self.rate * z)
