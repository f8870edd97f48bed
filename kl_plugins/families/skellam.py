"""The Skellam distribution: the difference of two independent Poisson variables."""

from __future__ import annotations

from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.names import from_scipy
from kl_plugins.formulas.bessel import log_skellam
from kl_plugins.formulas.discrete import bernstein_bound
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter


class Skellam(Discrete):
    """Differences of counts with the means `first` and `second`, on all whole numbers; plus loc."""

    first: Array = parameter(POSITIVE, meaning="mu1")
    second: Array = parameter(POSITIVE, meaning="mu2")
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)

    def log_pmf(self, k: Array) -> Array:
        return log_skellam(k, self.first, self.second, self.ops)

    def reach(self, nats: Array) -> Array:
        return self.first - self.second + self._spread(nats)

    def lower_reach(self, nats: Array) -> Array:
        return self.first - self.second - self._spread(nats)

    def _spread(self, nats: Array) -> Array:
        return bernstein_bound(self.first + self.second, nats, self.ops)


from_scipy("skellam")(Skellam)
