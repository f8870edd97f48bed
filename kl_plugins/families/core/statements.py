"""Log densities as combinations of statistics, and who knows the expectations of these.

A family states its log density as a combination of statistics in its own standard variable z. Under another
family's X the variable is z = shift + ratio·Z, Z the standard variable of that family: what `At` says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kl_plugins.families.core.affine import At
from kl_plugins.families.core.statistics import Identity, Power, Square, Statistic
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import is_literal
from kl_plugins.rules import RuleTable


class LogDensity(NamedTuple):
    """A constant and pairs of a coefficient and a statistic, whose products are added up."""

    constant: Array
    terms: tuple[tuple[Array, Statistic], ...]


class UnknownExpectationError(NotImplementedError):
    """No closed form of the expectation of a statistic is known."""


_expectations = RuleTable("expectation", "kl_plugins.families")


def expects(
    family: type, statistic: type[Statistic]
) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Register a function of (distribution, statistic, At) as the expectation of the statistic.

    It returns None where it knows no closed form for the very `At`, for example because a logarithm would
    have to be taken of a shifted variable.
    """
    return _expectations.register(family, statistic, cost="O(1)")


def expectation(p: Array, statistic: Statistic, at: At) -> Array:
    """E_p of the statistic at z = shift + ratio·Z; UnknownExpectationError where no closed form is known."""
    if isinstance(statistic, Power) and is_literal(statistic.exponent):
        named: dict[float, Statistic] = {1.0: Identity(), 2.0: Square()}
        statistic = named.get(statistic.exponent, statistic)
    rule = _expectations.find(p, statistic)
    value = None if rule is None else rule.function(p, statistic, at)
    if value is None:
        raise UnknownExpectationError(statistic.text)
    return value
