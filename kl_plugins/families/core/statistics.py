"""The named statistics that log densities are combinations of, and who knows their expectations.

A family states its log density as a combination of these in its own standard variable z. Under another
family's X the variable is z = shift + ratio·Z, Z the standard variable of that family: what `At` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from kl_plugins.ops.protocol import Operations
from kl_plugins.parameters.certainty import certainly_is, is_literal
from kl_plugins.rules import RuleTable


class Statistic:
    """A function of the standard variable z; ``text`` says which."""

    text = ""

    def __call__(self, z: Any, ops: Operations) -> Any:
        raise NotImplementedError


class Identity(Statistic):
    text = "z"

    def __call__(self, z: Any, ops: Operations) -> Any:
        return z


class Square(Statistic):
    text = "z²"

    def __call__(self, z: Any, ops: Operations) -> Any:
        return z * z


class Absolute(Statistic):
    text = "|z|"

    def __call__(self, z: Any, ops: Operations) -> Any:
        return abs(z)


class Log(Statistic):
    text = "log z"

    def __call__(self, z: Any, ops: Operations) -> Any:
        return ops.log(z)


class LogSquare(Statistic):
    text = "(log z)²"

    def __call__(self, z: Any, ops: Operations) -> Any:
        return ops.log(z) ** 2


class Log1m(Statistic):
    text = "log(1 − z)"

    def __call__(self, z: Any, ops: Operations) -> Any:
        return ops.log1p(-z)


class Log1p(Statistic):
    text = "log(1 + z)"

    def __call__(self, z: Any, ops: Operations) -> Any:
        return ops.log1p(z)


class Log1pSquare(Statistic):
    text = "log(1 + z²)"

    def __call__(self, z: Any, ops: Operations) -> Any:
        return ops.log1p(z * z)


class Softplus(Statistic):
    text = "log(1 + exp(−z))"

    def __call__(self, z: Any, ops: Operations) -> Any:
        return ops.log1p(ops.exp(-z))


@dataclass(frozen=True, eq=False)
class Power(Statistic):
    exponent: Any
    text = "a power of z"

    def __call__(self, z: Any, ops: Operations) -> Any:
        return z**self.exponent


@dataclass(frozen=True, eq=False)
class Exp(Statistic):
    rate: Any
    text = "exp(rate · z)"

    def __call__(self, z: Any, ops: Operations) -> Any:
        return ops.exp(self.rate * z)


class At(NamedTuple):
    """The standard variable of q in terms of that of p: z = shift + ratio·Z."""

    ops: Operations
    shift: Any
    """The float 0.0 where it is certainly zero."""

    ratio: Any
    """The float 1.0 where p and q are the same distribution; negative where they point opposite ways."""

    upper: Any = None
    """1 − z less ratio·(1 − Z), for families on (0, 1): 0.0 where the upper ends are certainly the same."""

    @property
    def from_zero(self) -> bool:
        """Whether z is a multiple of Z."""
        return certainly_is(self.shift, 0.0)

    @property
    def from_one(self) -> bool:
        """Whether 1 − z is a multiple of 1 − Z."""
        return certainly_is(self.upper, 0.0)


def times(factor: Any, value: Any) -> Any:
    """factor·value; the value itself, without a pass over an array, where the factor is the float 1.0."""
    return value if certainly_is(factor, 1.0) else factor * value


class LogDensity(NamedTuple):
    """A constant and pairs of a coefficient and a statistic, whose products are added up."""

    constant: Any
    terms: tuple[tuple[Any, Statistic], ...]


class UnknownExpectationError(NotImplementedError):
    """No closed form of the expectation of a statistic is known."""


_expectations = RuleTable("expectation")


def expects(family: type, statistic: type[Statistic]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function of (distribution, statistic, At) as the expectation of the statistic.

    It returns None where it knows no closed form for the very `At`, for example because a logarithm would
    have to be taken of a shifted variable.
    """
    return _expectations.register(family, statistic, cost="O(1)")


def expectation(p: Any, statistic: Statistic, at: At) -> Any:
    """E_p of the statistic at z = shift + ratio·Z; UnknownExpectationError where no closed form is known."""
    if isinstance(statistic, Power) and is_literal(statistic.exponent):
        named: dict[float, Statistic] = {1.0: Identity(), 2.0: Square()}
        statistic = named.get(statistic.exponent, statistic)
    rule = _expectations.find(p, statistic)
    value = None if rule is None else rule.function(p, statistic, at)
    if value is None:
        raise UnknownExpectationError(statistic.text)
    return value
