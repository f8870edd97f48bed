"""Zipf's distributions: probabilities proportional to powers, of all numbers (zeta) or of the first n."""

from __future__ import annotations

from typing import ClassVar

from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.names import from_scipy
from kl_plugins.families.core.outcomes import by_supports, same_location_where
from kl_plugins.formulas.zeta import log_harmonic, zeta_divergence, zeta_entropy, zeta_moments
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import NON_NEGATIVE, REAL, Domain, parameter

_INFINITY = float("inf")


class Zipf(Discrete):
    """P(Z = k) = k^(−a)/ζ(a) for k = 1, 2, …; plus loc."""

    a: Array = parameter(Domain(1.0), typical=(2.5, 4.0))
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)
    ends: ClassVar[tuple[float, float]] = (1.0, _INFINITY)

    def log_pmf(self, k: Array) -> Array:
        ops = self.ops
        return -self.a * ops.log(k) - ops.log1p(zeta_moments(self.a, ops)[0])

    def reach(self, nats: Array) -> Array:
        return _INFINITY

    def entropy(self) -> Array:
        return self.broadcast(zeta_entropy(self.a, self.ops))


@closed_form(Zipf, Zipf)
def zipf_zipf(p: Zipf, q: Zipf) -> Array:
    """That of an exponential family with parameter a and log-partition function log ζ(a)."""
    return by_supports(p, q, zeta_divergence(p.a, q.a, p.ops), same_location_where(p, q))


class Zipfian(Discrete):
    """P(Z = k) ∝ k^(−a) for k = 1, …, n; plus loc."""

    a: Array = parameter(NON_NEGATIVE)
    n: Array = parameter(Domain(1.0, closed=True, whole=True), meaning="the number of outcomes", static=True)
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)

    def standard_ends(self) -> tuple[Array, Array]:
        return 1.0, self.n

    def log_pmf(self, k: Array) -> Array:
        ops = self.ops
        return -self.a * ops.log(k) - log_harmonic(self.a, ops.asarray(self.n, "n"), ops)


from_scipy("zipf")(Zipf)
from_scipy("zipfian")(Zipfian)
