"""The hypergeometric distribution, and the beta-binomial: draws from an urn, and from Pólya's."""

from __future__ import annotations

import numpy as np

from kl_plugins.errors import Requirement
from kl_plugins.families.core.discrete import Discrete, opposite, plain
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.formulas.discrete import failures, log_beta_binomial, log_binomial
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import COUNT, POSITIVE, REAL, parameter


class Hypergeometric(Discrete):
    """The number of good ones among draws without replacement from good and bad ones; plus loc."""

    good: Array = parameter(COUNT)
    bad: Array = parameter(COUNT)
    draws: Array = parameter(COUNT)
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)

    def further_conditions(self) -> Conditions:
        excess = self.draws > self.good + self.bad
        too_many = Requirement("draws", "must not be more than good and bad together")
        yield opposite(excess, self.ops), too_many

    def standard_ends(self) -> tuple[Array, Array]:
        maximum, minimum = self.ops.maximum, self.ops.minimum
        return maximum(self.draws - self.bad, 0.0), minimum(self.good, self.draws)

    def log_pmf(self, k: Array) -> Array:
        """As R does: from three binomial distributions with the probability draws/(good + bad)."""
        ops, total = self.ops, self.good + self.bad
        some = ops.maximum(total, 1.0)
        p, failure = self.draws / some, (total - self.draws) / some
        others = self.draws - k
        drawn = log_binomial(k, self.good - k, p, failure, ops)
        rest = log_binomial(others, self.bad - others, p, failure, ops)
        return drawn + rest - log_binomial(self.draws, total - self.draws, p, failure, ops)


class BetaBinomial(Discrete):
    """The number of successes in n trials, whose probability is a beta(alpha, beta) variable; plus loc."""

    n: Array = parameter(COUNT, static=True)
    alpha: Array = parameter(POSITIVE)
    beta: Array = parameter(POSITIVE)
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)

    def standard_ends(self) -> tuple[Array, Array]:
        return 0.0, self.n

    def log_pmf(self, k: Array) -> Array:
        ops = self.ops
        return log_beta_binomial(k, failures(self.n, k, ops), self.alpha, self.beta, ops)


@from_scipy("nhypergeom")
def _negative_hypergeometric(total: Array, n: Array, r: Array, loc: Array) -> BetaBinomial:
    """Successes, of n among `total`, that are drawn before the r-th failure: none where r is 0."""
    failures, none = total - n, np.equal(r, 0.0)
    if np.any((r < 0.0) | (r > failures) | (r % 1.0 > 0.0)):
        raise ValueError("r must be a whole number, not negative and not more than M − n")
    some, rest = np.where(none, 1.0, r), np.where(none, 1.0, failures - r + 1.0)
    return BetaBinomial(plain(np.where(none, 0.0, n)), plain(some), plain(rest), loc)


from_scipy("hypergeom")(lambda M, n, N, loc: Hypergeometric(n, M - n, N, loc))  # noqa: N803
from_scipy("betabinom")(BetaBinomial)
from_pymc("HyperGeometricRV")(Hypergeometric)
from_pymc("BetaBinomialRV")(BetaBinomial)
