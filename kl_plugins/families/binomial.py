"""The binomial distribution; one trial of it is the Bernoulli distribution."""

from __future__ import annotations

from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.maps import Affine, image_of
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.outcomes import by_outcomes
from kl_plugins.families.core.overlaps import overlap_of
from kl_plugins.formulas.discrete import bernoulli_divergence, log_binomial
from kl_plugins.formulas.overlaps import bernoulli_overlap
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import is_literal
from kl_plugins.parameters.declarations import COUNT, PROBABILITY, REAL, parameter


class Binomial(Discrete):
    """The number of successes in n trials of probability p, plus loc."""

    n: Array = parameter(COUNT, meaning="the number of trials", static=True)
    p: Array = parameter(PROBABILITY, meaning="the probability of success")
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)

    def standard_ends(self) -> tuple[Array, Array]:
        return 0.0, self.n

    def log_pmf(self, k: Array) -> Array:
        return log_binomial(k, self.n - k, self.p, self.ops.complement(self.p), self.ops)


@closed_form(Binomial, Binomial, "O(1) for the same n, else O(n)")
def binomial_binomial(p: Binomial, q: Binomial) -> Array:
    """n times the divergence of one trial, where both have n trials; else the sum over the outcomes.

    Source: https://statproofbook.github.io/P/bin-kl, in the form without cancellation.
    """
    ops = p.ops
    if not (ops.same(p.n, q.n) and ops.same(p.loc, q.loc)):
        return by_outcomes(p, q)
    trial = bernoulli_divergence(p.p, ops.complement(p.p), q.p, ops.complement(q.p), ops)
    value = p.n * trial
    if not is_literal(p.n) or p.n == 0.0:
        value = ops.where(ops.equal(p.n, 0.0), 0.0 * p.p, value)
    return q.broadcast(p.broadcast(value))


@image_of(Binomial, Affine)
def failures(p: Binomial, of: Affine) -> Binomial | None:
    """−X is the number of failures less n, which is binomial as well."""
    if p.ops.literal(of.scale) != -1.0:
        return p.moved(of.loc, of.scale, of.sign)
    return Binomial(p.n, p.ops.complement(p.p), of.loc - p.n - p.loc)


@overlap_of(Binomial, Binomial)
def binomial_binomial_overlap(p: Binomial, q: Binomial, s: Array, t: Array, balanced: bool) -> Array:
    """n times that of one trial, where both have n trials."""
    ops = p.ops
    if not (balanced and ops.same(p.n, q.n) and ops.same(p.loc, q.loc)):
        return None
    trial = bernoulli_overlap((p.p, ops.complement(p.p)), (q.p, ops.complement(q.p)), s, t, ops)
    return p.n * trial


from_scipy("bernoulli")(lambda p, loc: Binomial(1.0, p, loc))
from_scipy("binom")(Binomial)
from_pymc("BernoulliRV")(lambda p: Binomial(1.0, p))
from_pymc("BinomialRV")(Binomial)
