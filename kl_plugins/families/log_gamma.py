"""Logarithms of gamma variables: Gumbel and Moyal are some."""

from __future__ import annotations

import math

from kl_plugins.families.core.affine import AffineMap, affine_map
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Exp, Identity
from kl_plugins.families.normal import Normal
from kl_plugins.formulas.exponential import weighted_exp_remainder
from kl_plugins.formulas.gamma import log_gamma_divergence, log_moment
from kl_plugins.formulas.shared import scale_divergence, variance_divergence
from kl_plugins.formulas.sums import infinite_where_undefined
from kl_plugins.ops.gamma_residues import (
    digamma_residue,
    digamma_rest,
    log_gamma_residue,
    scaled_trigamma,
    stirling_rest,
)
from kl_plugins.ops.protocol import Array, ArrayOperations
from kl_plugins.parameters.declarations import POSITIVE, REAL, constant, parameter


class LogGamma(Continuous):
    """X = loc + sign·scale·(log G + level), where G has density x^(a−1) exp(−x)/Γ(a), a the concentration.

    The level is a constant of the family, which would lose its digits beside a large loc.
    """

    concentration: Array = parameter(POSITIVE, static=True)
    loc: Array = parameter(REAL, default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0)
    sign: Array = parameter(REAL, typical=(-1.0,), default=1.0, static=True)
    level: float = constant(default=0.0)

    def log_density(self) -> LogDensity:
        a = self.concentration
        constant = -self.ops.gammaln(a) - a * self.level
        return LogDensity(constant, ((a, Identity()), (-math.exp(-self.level), Exp(1.0))))

    def standard_entropy(self) -> Array:
        """a + ln Γ(a) − a ψ(a), without the large parts of ln Γ and ψ."""
        a = self.concentration
        return log_gamma_residue(a, self.ops) - a * digamma_residue(a, self.ops)

    def comes_near_normal(self) -> bool:
        return True

    def negentropy(self) -> Array:
        return log_gamma_negentropy(self.concentration, self.ops)

    def standard_mean(self) -> Array:
        return self.ops.digamma(self.concentration) + self.level

    def standard_variance(self) -> Array:
        return self.ops.trigamma(self.concentration)


def log_gamma_negentropy(a: Array, ops: ArrayOperations) -> Array:
    """The divergence of the logarithm of a gamma variable from a normal one, about 1/(12a)."""
    return 0.5 * ops.log1p(scaled_trigamma(a, ops) / a) - stirling_rest(a, ops) - digamma_rest(a, ops)


@closed_form(LogGamma, LogGamma)
def log_gamma_log_gamma(p: LogGamma, q: LogGamma) -> Array:
    """In terms of p's logarithm of a gamma variable, if both point the same way; else by normal ones."""
    at = affine_map(p, q)
    shift = at.shift + (at.ratio - 1.0) * p.level + (p.level - q.level)
    if p.sign != q.sign:
        return q.broadcast(p.broadcast(_opposite_divergence(p, q, shift, at.ratio)))
    return q.broadcast(
        p.broadcast(log_gamma_divergence(p.concentration, q.concentration, shift, at.ratio, p.ops))
    )


def _opposite_divergence(p: LogGamma, q: LogGamma, shift: Array, ratio: Array) -> Array:
    """As `normal_log_gamma`, with p's divergence from a normal distribution on top.

    The logarithm of E exp(z) is then no longer E z + ½ Var z.
    """
    ops, a, b = p.ops, q.concentration, p.concentration
    moment = log_moment(b, ratio, ops)
    exists = moment < math.inf
    moment = ops.where(exists, moment, 0.0)
    variance = ratio * ratio * ops.trigamma(b)
    beyond = moment - ratio * digamma_residue(b, ops) - 0.5 * variance
    level = shift + ratio * ops.log(b) - ops.log(a) + moment
    value = variance_divergence(variance, 1.0 / a, ops) + p.negentropy() + stirling_rest(a, ops)
    value = value + weighted_exp_remainder(a, ops.log(a), level, ops) + a * beyond
    return ops.where(exists, infinite_where_undefined(ops.maximum(value, 0.0), ops), math.inf)


@closed_form(Normal, LogGamma)
def normal_log_gamma(p: Normal, q: LogGamma) -> Array:
    """With log q = −ln Γ(a) + a ln a − a − a [exp(w) − 1 − w], w = z − ln a, normal under p with variance v.

    E exp(w) is exp(u), u = E w + ½ v: the rest of Stirling's formula, the divergence of normal distributions
    of variance v and 1/a, and a [exp(u) − 1 − u], none of which is negative.
    """
    ops, a, at = p.ops, q.concentration, affine_map(p, q)
    log_a = ops.log(a)
    u = at.shift - q.level - log_a + 0.5 * at.ratio * at.ratio
    scales = scale_divergence(p.scale, q.scale / ops.sqrt(a), ops)
    value = scales + stirling_rest(a, ops) + weighted_exp_remainder(a, log_a, u, ops)
    return q.broadcast(p.broadcast(infinite_where_undefined(value, ops)))


@expects(LogGamma, Exp)
def exp(p: LogGamma, statistic: Exp, at: AffineMap) -> Array:
    a, power = p.concentration, statistic.rate * at.ratio
    exponent = statistic.rate * at.shift + power * (p.level + p.ops.log(a)) + log_moment(a, power, p.ops)
    return p.ops.exp(exponent)


_LOG_2 = 0.6931471805599453

from_scipy("loggamma")(lambda c, loc, scale: LogGamma(c, loc, scale))
from_scipy("gumbel_l")(lambda loc, scale: LogGamma(1.0, loc, scale))
from_scipy("gumbel_r")(lambda loc, scale: LogGamma(1.0, loc, scale, -1.0))
# exp(−X) of a standard Moyal variable is χ² of one degree of freedom, twice a gamma variable.
from_scipy("moyal")(lambda loc, scale: LogGamma(0.5, loc, scale, -1.0, _LOG_2))

from_pymc("GumbelRV")(lambda loc, scale: LogGamma(1.0, loc, scale, -1.0))
from_pymc("MoyalRV")(lambda loc, scale: LogGamma(0.5, loc, scale, -1.0, _LOG_2))
