"""The discrete Weibull distribution: whole numbers of a Weibull variable."""

from __future__ import annotations

from typing import ClassVar

from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.names import from_pymc
from kl_plugins.formulas.cancellation_free import log_one_less_exp
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import POSITIVE, Domain, parameter


class DiscreteWeibull(Discrete):
    """P(Z ≥ k) = q^(k^beta) for k = 0, 1, 2, ….

    T. Nakagawa and S. Osaki, The discrete Weibull distribution, 1975.
    """

    q: Array = parameter(Domain(0.0, 1.0))
    beta: Array = parameter(POSITIVE)
    ends: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    def log_pmf(self, k: Array) -> Array:
        """−r k^β + log(1 − exp(−r [(k + 1)^β − k^β])) with r = −log q."""
        ops, rate = self.ops, -self.ops.log(self.q)
        some = ops.maximum(k, 1.0)
        power = ops.exp(self.beta * ops.log(some))
        first = ops.equal(k, 0.0)
        step = ops.where(first, 1.0, power * ops.expm1(self.beta * ops.log1p(1.0 / some)))
        return log_one_less_exp(rate * step, ops) - rate * ops.where(first, 0.0, power)

    def growth(self) -> Array:
        return self.beta

    def reach(self, nats: Array) -> Array:
        """Where q^(k^β) is exp(−nats); −log q is at least 1 − q."""
        return (nats / (1.0 - self.q)) ** (1.0 / self.beta)


from_pymc("DiscreteWeibullRV")(DiscreteWeibull)
