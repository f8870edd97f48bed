"""Logarithms of gamma variables: Gumbel and Moyal are some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from kl_plugins.backends.domains import Domain
from kl_plugins.backends.gamma_formulas import (
    digamma_residue,
    log_gamma_divergence,
    log_gamma_residue,
    log_moment,
)
from kl_plugins.families.names import from_pymc, from_scipy
from kl_plugins.families.statistics import At, Exp, Identity, LogDensity, expects
from kl_plugins.families.univariate import Continuous, by_statistics, closed_form, standing


@dataclass(frozen=True, eq=False)
class LogGamma(Continuous):
    """X = loc + sign·scale·log G, where G has density x^(a−1) exp(−x)/Γ(a), a the concentration."""

    concentration: Any
    loc: Any = 0.0
    scale: Any = 1.0
    sign: Any = 1.0
    arrays: ClassVar[tuple[str, ...]] = ("concentration", "loc", "scale", "sign")
    domains: ClassVar[tuple[Domain, ...]] = (Domain(0.0), Domain(), Domain(0.0), Domain())

    def log_density(self) -> LogDensity:
        a = self.concentration
        return LogDensity(-self.ops.gammaln(a), ((a, Identity()), (-1.0, Exp(1.0))))

    def standard_entropy(self) -> Any:
        """a + ln Γ(a) − a ψ(a), without the large parts of ln Γ and ψ."""
        a = self.concentration
        return log_gamma_residue(a, self.ops) - a * digamma_residue(a, self.ops)

    def standard_mean(self) -> Any:
        return self.ops.digamma(self.concentration)

    def standard_variance(self) -> Any:
        return self.ops.trigamma(self.concentration)


@closed_form(LogGamma, LogGamma)
def log_gamma_log_gamma(p: LogGamma, q: LogGamma) -> Any:
    """In terms of p's logarithm of a gamma variable, if both point the same way; else by statistics."""
    if p.sign != q.sign:
        return by_statistics(p, q)
    at = standing(p, q)
    value = log_gamma_divergence(p.concentration, q.concentration, at.shift, at.ratio, p.ops)
    return q.full(p.full(value))


@expects(LogGamma, Exp)
def exp(p: LogGamma, statistic: Exp, at: At) -> Any:
    a, power = p.concentration, statistic.rate * at.ratio
    exponent = statistic.rate * at.shift + power * p.ops.log(a) + log_moment(a, power, p.ops)
    return p.ops.exp(exponent)


from_scipy("loggamma")(lambda c, loc, scale: LogGamma(c, loc, scale))
from_scipy("gumbel_l")(lambda loc, scale: LogGamma(1.0, loc, scale))
from_scipy("gumbel_r")(lambda loc, scale: LogGamma(1.0, loc, scale, -1.0))
# exp(−X) of a standard Moyal variable is χ² of one degree of freedom, twice a gamma variable.
from_scipy("moyal")(lambda loc, scale: LogGamma(0.5, loc - 0.6931471805599453 * scale, scale, -1.0))

from_pymc("GumbelRV")(lambda loc, scale: LogGamma(1.0, loc, scale, -1.0))
from_pymc("MoyalRV")(lambda loc, scale: LogGamma(0.5, loc - 0.6931471805599453 * scale, scale, -1.0))
