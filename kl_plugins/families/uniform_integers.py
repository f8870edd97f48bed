"""The uniform distribution on consecutive whole numbers, and on a single number."""

from __future__ import annotations

from typing import ClassVar

from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.discrete import Discrete, either
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import REAL, Domain, is_broken, parameter


class DiscreteUniform(Discrete):
    """The whole numbers from loc on, n of them, each as probable as the other."""

    n: Array = parameter(Domain(1.0, closed=True, whole=True), meaning="the number of outcomes", static=True)
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)

    def standard_ends(self) -> tuple[Array, Array]:
        return 0.0, self.n - 1.0

    def log_pmf(self, k: Array) -> Array:
        return 0.0 * k - self.ops.log(self.n)

    def entropy(self) -> Array:
        return self.broadcast(self.ops.log(self.ops.asarray(self.n, "n")))


@closed_form(DiscreteUniform, DiscreteUniform)
def uniform_uniform(p: DiscreteUniform, q: DiscreteUniform) -> Array:
    """log(n_q / n_p), +∞ where p has outcomes that q has not; https://statproofbook.github.io/P/duni-kl."""
    ops, shift = p.ops, p.loc - q.loc
    beyond = either(ops, is_broken(shift, ops), shift < 0.0, shift + p.n > q.n)
    value = log_ratio(q.n, p.n, ops)
    if isinstance(beyond, bool):
        value = float("inf") if beyond else value
    else:
        value = ops.where(beyond, float("inf"), value)
    return q.broadcast(p.broadcast(value))


class Dirac(Discrete):
    """All at loc, which need not be a whole number."""

    loc: Array = parameter(REAL)
    ends: ClassVar[tuple[float, float]] = (0.0, 0.0)

    def log_pmf(self, k: Array) -> Array:
        return 0.0 * k


from_scipy("randint")(lambda low, high, loc: DiscreteUniform(high - low, low + loc))
from_pymc("DiscreteUniformRV")(lambda lower, upper: DiscreteUniform(upper - lower + 1.0, lower))
from_pymc("DiracDeltaRV")(Dirac)
