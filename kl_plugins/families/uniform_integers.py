"""The uniform distribution on consecutive whole numbers, and on a single number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.discrete import Discrete, either, is_broken
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.formulas.remainders import log_ratio
from kl_plugins.parameters.domains import Domain


@dataclass(frozen=True, eq=False)
class DiscreteUniform(Discrete):
    """The whole numbers from loc on, n of them, each as probable as the other."""

    n: Any
    loc: Any = 0.0
    arrays: ClassVar[tuple[str, ...]] = ("n", "loc")
    integers: ClassVar[tuple[str, ...]] = ("n",)
    domains: ClassVar[tuple[Domain, ...]] = (
        Domain(1.0, meaning="the number of outcomes", closed=True),
        Domain(),
    )

    def standard_ends(self) -> tuple[Any, Any]:
        return 0.0, self.n - 1.0

    def log_pmf(self, k: Any) -> Any:
        return 0.0 * k - self.ops.log(self.n)

    def entropy(self) -> Any:
        return self.full(self.ops.log(self.ops.asarray(self.n, "n")))


@closed_form(DiscreteUniform, DiscreteUniform)
def uniform_uniform(p: DiscreteUniform, q: DiscreteUniform) -> Any:
    """log(n_q / n_p), +∞ where p has outcomes that q has not; https://statproofbook.github.io/P/duni-kl."""
    ops, shift = p.ops, p.loc - q.loc
    beyond = either(ops, is_broken(shift, ops), shift < 0.0, shift + p.n > q.n)
    value = log_ratio(q.n, p.n, ops)
    if isinstance(beyond, bool):
        value = float("inf") if beyond else value
    else:
        value = ops.where(beyond, float("inf"), value)
    return q.full(p.full(value))


@dataclass(frozen=True, eq=False)
class Dirac(Discrete):
    """All at loc, which need not be a whole number."""

    loc: Any
    literals: ClassVar[frozenset[str]] = frozenset()
    ends: ClassVar[tuple[float, float]] = (0.0, 0.0)
    arrays: ClassVar[tuple[str, ...]] = ("loc",)
    domains: ClassVar[tuple[Domain, ...]] = (Domain(),)

    def log_pmf(self, k: Any) -> Any:
        return 0.0 * k


from_scipy("randint")(lambda low, high, loc: DiscreteUniform(high - low, low + loc))
from_pymc("DiscreteUniformRV")(lambda lower, upper: DiscreteUniform(upper - lower + 1.0, lower))
from_pymc("DiracDeltaRV")(Dirac)
