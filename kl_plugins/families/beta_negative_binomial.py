"""The beta negative binomial distribution and its case n = b = 1, the Yule–Simon distribution."""

from __future__ import annotations

from typing import ClassVar

from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.names import from_scipy
from kl_plugins.formulas.discrete import log_beta_binomial
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter


class BetaNegativeBinomial(Discrete):
    """The number of failures before the n-th success, whose probability is a beta(a, b) variable; plus loc.

    Its probabilities fall like the power k^(−a − 1): from it to another divergences have no sum here.
    """

    n: Array = parameter(POSITIVE, meaning="the number of successes")
    a: Array = parameter(POSITIVE)
    b: Array = parameter(POSITIVE)
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    def log_pmf(self, k: Array) -> Array:
        """n/(n + k) times the probability of n successes in n + k trials."""
        n, ops = self.n, self.ops
        return ops.log(n / (n + k)) + log_beta_binomial(k, n, self.b, self.a, ops)

    def reach(self, nats: Array) -> Array:
        return float("inf")


from_scipy("betanbinom")(BetaNegativeBinomial)
from_scipy("yulesimon")(lambda alpha, loc: BetaNegativeBinomial(1.0, alpha, 1.0, loc + 1.0))
