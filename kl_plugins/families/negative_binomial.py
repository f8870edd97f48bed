"""The negative binomial distribution and its case n = 1, the geometric distribution."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.discrete import Discrete, opposite, plain
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.outcomes import by_supports, same_location_where
from kl_plugins.formulas.discrete import (
    bernoulli_divergence,
    counts_divergence,
    log_binomial,
    trial_entropy,
)
from kl_plugins.ops import numpy as arrays
from kl_plugins.ops.protocol import Array, ArrayOperations, Conditions
from kl_plugins.parameters.certainty import is_literal
from kl_plugins.parameters.declarations import POSITIVE, PROBABILITY, REAL, parameter


class NegativeBinomial(Discrete):
    """The number of failures before the n-th success, each of probability p; plus loc.

    `failure` is 1 − p, kept by itself because it may be smaller than the rounding of p.
    """

    n: Array = parameter(POSITIVE, meaning="the number of successes", static=True)
    p: Array = parameter(PROBABILITY, meaning="the probability of success")
    failure: Array = parameter(PROBABILITY, typical=(0.7, 0.4), meaning="1 − p")
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    def further_conditions(self) -> Conditions:
        if not self.is_between("p", 0.0, 2.0):
            yield opposite(self.p <= 0.0, self.ops), "p must be positive"

    def log_pmf(self, k: Array) -> Array:
        """n/(n + k) times the probability of n successes in n + k trials."""
        n, ops = self.n, self.ops
        return ops.log(n / (n + k)) + log_binomial(k, n, self.failure, self.p, ops)

    def reach(self, nats: Array) -> Array:
        """Bernstein's inequality: cumulants are at most r!/2 v c^(r−2), v the variance and c = 1/p.

        S. Boucheron, G. Lugosi, P. Massart, Concentration Inequalities, 2013, section 2.4 (sub-gamma).
        """
        mean = self.n * (self.failure / self.p)
        return mean + self.ops.sqrt(2.0 * nats * (mean / self.p)) + nats / self.p

    def point(self) -> Array:
        return self.ops.equal(self.failure, 0.0)

    def entropy(self) -> Array:
        """Of a geometric distribution: the entropy of one trial, over p."""
        if not self.ops.same(self.n, 1.0):
            return super().entropy()
        return self.broadcast(trial_entropy(self.p, self.failure, self.ops) / self.p)


@closed_form(NegativeBinomial, NegativeBinomial, "O(1) for the same n, else O(n) for n outcomes")
def negative_binomial_negative_binomial(p: NegativeBinomial, q: NegativeBinomial) -> Array:
    """n/p trials' divergence for the same n; geometric ones may also be shifted against each other.

    Others are sums over the outcomes.
    """
    if p.ops.scalar and not (p.n == q.n and p.loc == q.loc):
        p, q = p.to_arrays(), q.to_arrays()
        return arrays.evaluate(negative_binomial_negative_binomial, p, q)
    ops = p.ops
    value = p.n * ops.choose(p.p < _TINY, _trials_of_tiny, _trials, p.p, p.failure, q.p, q.failure)
    together = same_location_where(p, q)
    same = ops.same(p.n, q.n)
    if same and together is True:
        return q.broadcast(p.broadcast(value))
    if ops.symbolic:
        geometric = ops.same(p.n, 1.0) and ops.same(q.n, 1.0)
        holds = geometric and is_literal(p.loc) and is_literal(q.loc)
        holds = holds and p.loc >= q.loc and (p.loc - q.loc) % 1.0 == 0.0
    else:
        shift = np.asarray(p.loc - q.loc)
        later = (p.n == 1.0) & (shift >= 0.0) & (shift % 1.0 == 0.0)
        holds = (p.n == q.n) & (together | later)
    if holds is not False:
        # The probability of every failure more is a factor of q's.
        value = value - ops.where(together, 0.0, (p.loc - q.loc) * ops.log(q.failure))
    return by_supports(p, q, value, holds)


_TINY = 1e-150


def _trials(p: Array, p_failure: Array, q: Array, q_failure: Array, ops: ArrayOperations) -> Array:
    """1/p times the divergence of one trial."""
    return bernoulli_divergence(p, p_failure, q, q_failure, ops) / p


def _trials_of_tiny(p: Array, p_failure: Array, q: Array, q_failure: Array, ops: ArrayOperations) -> Array:
    """The same, where the divergence of one trial may be less than any float: in other units."""
    lift = 2.0**100
    successes = counts_divergence(p * lift, q * lift, ops) / (p * lift)
    return successes + counts_divergence(p_failure, q_failure, ops) / p


def _planck(rate: Array, loc: Array) -> NegativeBinomial:
    """P(Z = k) ∝ exp(−rate·k): geometric, from zero."""
    if np.any(np.asarray(rate) <= 0.0):
        raise ValueError("lambda must be positive")
    if np.any(np.exp(-np.asarray(rate)) == 0.0):
        raise ValueError("lambda must be less than 745: beyond, exp(−lambda) is less than every float")
    return NegativeBinomial(1.0, plain(-np.expm1(-rate)), plain(np.exp(-rate)), loc)


from_scipy("nbinom")(lambda n, p, loc: NegativeBinomial(n, p, 1.0 - p, loc))
from_scipy("geom")(lambda p, loc: NegativeBinomial(1.0, p, 1.0 - p, loc + 1.0))
from_scipy("planck")(_planck)
from_pymc("NegBinomialRV")(lambda n, p: NegativeBinomial(n, p, 1.0 - p))
from_pymc("GeometricRV")(lambda p: NegativeBinomial(1.0, p, 1.0 - p, 1.0))
