"""Discrete families between two bounds; without zero they are what hurdle models have beside it."""

from __future__ import annotations

import math
from typing import Self, cast

import numpy as np

from kl_plugins.families.core.discrete import Discrete, bounded, either, endless_range, limited, opposite
from kl_plugins.families.core.truncations import truncated
from kl_plugins.formulas.cancellation_free import log_one_less_exp
from kl_plugins.formulas.mixtures import log_sum
from kl_plugins.ops.protocol import Array, Conditions, SymbolicOperations
from kl_plugins.parameters.certainty import certainly_infinite, certainly_is, is_literal
from kl_plugins.parameters.declarations import EXTENDED_REAL, parameter, part


class TruncatedCounts(Discrete):
    """A variable of the discrete family `base`, given that it is from `low` to `high`, perhaps infinite."""

    low: Array = parameter(EXTENDED_REAL, called="lower", static=True)
    high: Array = parameter(EXTENDED_REAL, called="upper", static=True)
    base: Discrete = part()

    def describe(self) -> str:
        return f"TruncatedCounts({self.base.describe()})"

    def expand(self, batch: tuple[Array, ...]) -> Self:
        """Plain bounds stay plain."""
        return self.unchecked(self.ops, **(self.__getstate__() | {"base": self.base.expand(batch)}))

    def further_conditions(self) -> Conditions:
        message = "the distribution must have outcomes from lower to upper"
        (first, last), low, point = self.standard_ends(), self.base.located_ends()[0], self.base.point()
        yield opposite(either(self.ops, first > last, first >= math.inf), self.ops), message
        cut = first > low
        if point is not False and cut is not False:
            yield self.ops.logical_not(point if cut is True else self.ops.logical_and(point, cut)), message

    def standard_ends(self) -> tuple[Array, Array]:
        low, high = self.base.located_ends()
        first, last = -self._floor(-self.low), self._floor(self.high)
        return bounded(low, first, max, self.ops), bounded(high, last, min, self.ops)

    def _floor(self, x: Array) -> Array:
        return float(np.floor(x)) if is_literal(x) else self.ops.floor(x)

    def growth(self) -> Array:
        return self.base.growth()

    def reach(self, nats: Array) -> Array:
        """That of the base, of a smaller probability by what is known to be inside: of the first outcome."""
        ops, base = self.ops, self.base
        of_base = base.reach(nats)
        if of_base is None or certainly_infinite(of_base):
            return of_base
        if self._is_without_first():
            inside = self.log_inside()
        else:
            inside = base.log_masses(self.outcomes(0, 1) - ops.expand_last(base.loc))[..., 0]
        return base.reach(nats - inside) + base.loc

    def _is_without_first(self) -> bool:
        """Whether all that is missing is one outcome of the base, its first."""
        (first, last), (low, _) = self.standard_ends(), self.base.located_ends()
        return certainly_infinite(last) and is_literal(low) and certainly_is(first, low + 1.0)

    def log_inside(self) -> Array:
        """The logarithm of the base's probability between the bounds."""
        ops, base = self.ops, self.base
        loc, (first, last) = ops.expand_last(base.loc), self.standard_ends()
        if all(map(certainly_is, (first, last), base.located_ends())):
            return 0.0
        if self._is_without_first():
            missing = base.log_masses(ops.asarray(np.array([first - 1.0]), "k") - loc)[..., 0]
            return log_one_less_exp(-missing, ops)
        count = self.count_outcomes()
        count = endless_range(self, self)[1] if count is None else count
        count, few = limited(count, self.batch_shape, ops)
        k = self.outcomes(0, count)
        beyond = k > ops.expand_last(last)
        values = ops.where(beyond, -float("inf"), base.log_masses(k - loc))
        value = log_sum(values, ops.where(beyond, 0.0, 1.0), ops)
        return cast(SymbolicOperations, ops).guard(value, few) if few else value

    def log_pmf(self, k: Array) -> Array:
        raise NotImplementedError  # that of the base is asked for where it has outcomes only

    def log_masses(self, k: Array) -> Array:
        ops = self.ops
        first, last = map(ops.expand_last, self.standard_ends())
        value = self.base.log_masses(k - ops.expand_last(self.base.loc)) - ops.expand_last(self.log_inside())
        return ops.where(either(ops, k < first, k > last), -float("inf"), value)


@truncated.register
def _(p: Discrete, low: Array, high: Array) -> TruncatedCounts:
    return TruncatedCounts(low, high, p)
