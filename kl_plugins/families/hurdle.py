"""Hurdle distributions: with some probability zero, else a continuous variable."""

from __future__ import annotations

from typing import Any

from kl_plugins.errors import NoClosedFormError, no_closed_form_of_pair
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.formulas.discrete import bernoulli_divergence
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import PROBABILITY, parameter, part
from kl_plugins.rules import Rule

_INFINITY = float("inf")


class Hurdle(Univariate):
    """A variable of the continuous family `base` with probability `weight`, else zero."""

    weight: Array = parameter(PROBABILITY)
    base: Continuous = part()

    def _become_plain(self) -> bool:
        return False

    def describe(self) -> str:
        return f"Hurdle({self.base.describe()})"

    def broadcast(self, value: Array) -> Array:
        return self.base.broadcast(super().broadcast(value))

    def standard_ends(self) -> tuple[Array, Array]:
        return -_INFINITY, _INFINITY


def _continuous(side: Univariate) -> Univariate:
    return side.base if isinstance(side, Hurdle) else side


def _by_base(p: Univariate, q: Univariate) -> tuple[Rule, Any, Any]:
    rule = kl_rules.find(_continuous(p), _continuous(q))
    if rule is None:
        raise _no_closed_form(p, q)
    return rule, _continuous(p), _continuous(q)


def _no_closed_form(p: Distribution, q: Distribution) -> NoClosedFormError:
    why = "beside what is zero, there is none for the continuous variables"
    return no_closed_form_of_pair(p.describe(), q.describe(), why)


def _cost(p: Univariate, q: Univariate) -> tuple[Rule, Any, Any]:
    rule, first, second = _by_base(p, q)
    try:
        rule.explain(first, second)
    except NoClosedFormError:
        raise _no_closed_form(p, q) from None
    return rule, first, second


def _of_bases(p: Univariate, q: Univariate) -> Array:
    rule, first, second = _by_base(p, q)
    try:
        return rule(first, second)
    except NoClosedFormError:
        raise _no_closed_form(p, q) from None


@kl_rules.register(Hurdle, Hurdle, cost=_cost)
def hurdle_hurdle(p: Hurdle, q: Hurdle) -> Array:
    """That of being zero, and of the rest with its probability."""
    ops, weight = p.ops, p.weight
    of_zero = bernoulli_divergence(weight, 1.0 - weight, q.weight, 1.0 - q.weight, ops)
    return of_zero + ops.where(ops.equal(weight, 0.0), 0.0, weight * _of_bases(p, q))


@kl_rules.register(Hurdle, Continuous, cost=_cost)
def hurdle_continuous(p: Hurdle, q: Continuous) -> Array:
    """+∞ where zero has a probability."""
    return p.ops.where(p.weight < 1.0, _INFINITY, _of_bases(p, q))


@kl_rules.register(Continuous, Hurdle, cost=_cost)
def continuous_hurdle(p: Continuous, q: Hurdle) -> Array:
    """That from the base, of which only a part of the probability is left."""
    return _of_bases(p, q) - q.ops.log(q.weight)


@kl_rules.register(Hurdle, Discrete, cost="O(1)")
def hurdle_discrete(p: Hurdle, q: Discrete) -> Array:
    """+∞ but where p is nothing but zero."""
    at_zero = -q.log_prob(p.ops.asarray(0.0, "x"))
    return q.broadcast(p.broadcast(p.ops.where(p.weight > 0.0, _INFINITY, at_zero)))


@kl_rules.register(Discrete, Hurdle, cost="O(1)")
def discrete_hurdle(p: Discrete, q: Hurdle) -> Array:
    """+∞ but where p is nothing but zero."""
    ops = q.ops
    is_zero = ops.equal(p.log_prob(ops.asarray(0.0, "x")), 0.0)
    return q.broadcast(p.broadcast(ops.where(is_zero, -ops.log1p(-q.weight), _INFINITY)))
