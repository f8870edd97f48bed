"""The Poisson distribution."""

from __future__ import annotations

from typing import ClassVar

from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.outcomes import by_supports, cost_at_places, same_location_where
from kl_plugins.families.core.overlaps import overlap_of
from kl_plugins.formulas.discrete import bernstein_bound, counts_divergence, log_poisson
from kl_plugins.formulas.overlaps import poisson_overlap
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import NON_NEGATIVE, REAL, parameter


class Poisson(Discrete):
    """Counts with P(Z = k) = exp(−mean) meanᵏ / k!, plus loc; all at zero where the mean is 0."""

    mean: Array = parameter(NON_NEGATIVE, meaning="mu")
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    def log_pmf(self, k: Array) -> Array:
        return log_poisson(k, self.mean, self.ops)

    def reach(self, nats: Array) -> Array:
        return self.mean + bernstein_bound(self.mean, nats, self.ops)

    def point(self) -> Array:
        return self.ops.equal(self.mean, 0.0)


@closed_form(Poisson, Poisson, cost_at_places)
def poisson_poisson(p: Poisson, q: Poisson) -> Array:
    """mean_q − mean_p − mean_p log(mean_q / mean_p), https://statproofbook.github.io/P/poiss-kl."""
    value = counts_divergence(p.mean, q.mean, p.ops)
    return by_supports(p, q, value, same_location_where(p, q))


@overlap_of(Poisson, Poisson)
def poisson_poisson_overlap(p: Poisson, q: Poisson, s: Array, t: Array, balanced: bool) -> Array:
    if not balanced or same_location_where(p, q) is not True:
        return None
    return poisson_overlap(p.mean, q.mean, s, t, p.ops)


from_scipy("poisson")(Poisson)
from_pymc("PoissonRV")(Poisson)
