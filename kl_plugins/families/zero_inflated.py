"""Zero-inflated distributions: with some probability zero, else a discrete variable."""

from __future__ import annotations

from kl_plugins.families.core.discrete import Discrete, bounded
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_infinite
from kl_plugins.parameters.declarations import PROBABILITY, parameter, part


class ZeroInflated(Discrete):
    """A variable of the discrete family `base` with probability `weight`, else zero."""

    weight: Array = parameter(PROBABILITY)
    base: Discrete = part()

    def describe(self) -> str:
        return f"ZeroInflated({self.base.describe()})"

    def standard_ends(self) -> tuple[Array, Array]:
        """Those of the base and zero."""
        low, high = self.base.located_ends()
        return bounded(low, 0.0, min, self.ops), bounded(high, 0.0, max, self.ops)

    def growth(self) -> Array:
        return self.base.growth()

    def reach(self, nats: Array) -> Array:
        """That of the base, or zero."""
        of_base = self.base.reach(nats)
        if of_base is None or certainly_infinite(of_base):
            return of_base
        return bounded(of_base + self.base.loc, 0.0, max, self.ops)

    def widened(self) -> Discrete:
        state = super().widened().__getstate__() | {"base": self.base.widened()}
        return self.unchecked(self.ops, **state)

    def log_pmf(self, k: Array) -> Array:
        raise NotImplementedError  # that of the base is asked for where it has outcomes only

    def log_masses(self, k: Array) -> Array:
        ops, loc = self.ops, self.base.loc
        weight = ops.expand_last(self.weight)
        within = self.base.log_masses(k - ops.expand_last(loc))
        total, less = weight * ops.exp(within) + (1.0 - weight), weight * ops.expm1(within)
        within = ops.log(weight) + within
        is_sum = ops.logical_and(ops.equal(k, 0.0), total > 0.0)  # which is 0 where a weight of 1 underflows
        far = ops.log(ops.where(is_sum, total, 1.0))
        at_zero = ops.where(less > -0.5, ops.log1p(ops.maximum(less, -0.5)), far)
        return ops.where(is_sum, at_zero, within)
