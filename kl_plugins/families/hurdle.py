"""Hurdle distributions: with some probability zero, else a continuous variable."""

from __future__ import annotations

from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.distribution import kl_rules
from kl_plugins.families.core.parts import DivergenceOfParts
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.formulas.discrete import bernoulli_divergence
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import PROBABILITY, parameter, part

_INFINITY = float("inf")


class Hurdle(Univariate):
    """A variable of the continuous family `base` with probability `weight`, else zero."""

    weight: Array = parameter(PROBABILITY)
    base: Continuous = part()

    def describe(self) -> str:
        return f"Hurdle({self.base.describe()})"

    def standard_ends(self) -> tuple[Array, Array]:
        return -_INFINITY, _INFINITY


def _continuous(side: Univariate) -> Univariate:
    return side.base if isinstance(side, Hurdle) else side


_of_continuous = DivergenceOfParts(
    _continuous, "beside what is zero, there is none for the continuous variables"
)


@kl_rules.register(Hurdle, Hurdle, cost=_of_continuous.cost)
def hurdle_hurdle(p: Hurdle, q: Hurdle) -> Array:
    """That of being zero, and of the rest with its probability."""
    ops, weight = p.ops, p.weight
    of_zero = bernoulli_divergence(weight, 1.0 - weight, q.weight, 1.0 - q.weight, ops)
    return of_zero + ops.where(ops.equal(weight, 0.0), 0.0, weight * _of_continuous(p, q))


@kl_rules.register(Hurdle, Continuous, cost=_of_continuous.cost)
def hurdle_continuous(p: Hurdle, q: Continuous) -> Array:
    """+∞ where zero has a probability."""
    return p.ops.where(p.weight < 1.0, _INFINITY, _of_continuous(p, q))


@kl_rules.register(Continuous, Hurdle, cost=_of_continuous.cost)
def continuous_hurdle(p: Continuous, q: Hurdle) -> Array:
    """That from the base, of which only a part of the probability is left."""
    return _of_continuous(p, q) - q.ops.log(q.weight)


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
