"""The gamma distribution and its powers: exponential, χ², χ, Weibull, half-normal, inverse gamma and more."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kl_plugins.families.core.affine import AffineMap, same_location
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.names import from_pymc, from_scipy, if_positive
from kl_plugins.families.core.overlaps import overlap_of
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Exp, Log, Power
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.gamma import log_gamma_divergence, log_moment
from kl_plugins.formulas.overlaps import gamma_overlap
from kl_plugins.formulas.shared import scale_divergence, variance_divergence
from kl_plugins.old_names import old_names
from kl_plugins.ops.gamma_residues import digamma_residue, digamma_rest, log_gamma_residue, stirling_rest
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_is, is_literal
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter


class GeneralizedGamma(Continuous):
    """X = loc + sign·scale·G^(1/power), where G has density x^(a−1) exp(−x)/Γ(a), a the concentration.

    https://en.wikipedia.org/wiki/Generalized_gamma_distribution; a negative power makes inverse gammas.
    """

    concentration: Array = parameter(POSITIVE, static=True)
    scale: Array = parameter(POSITIVE, default=1.0)
    power: Array = parameter(REAL, typical=(1.0, 2.0), default=1.0, static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    sign: Array = parameter(REAL, typical=(-1.0,), default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    def log_density(self) -> LogDensity:
        a, c, ops = self.concentration, self.power, self.ops
        constant = ops.log(abs(c)) - ops.gammaln(a)
        return LogDensity(constant, ((a * c - 1.0, Log()), (-1.0, Power(c))))

    def standard_entropy(self) -> Array:
        """a + ln Γ(a) − (a − 1/c) ψ(a) − ln|c|, without the large parts of ln Γ and ψ."""
        a, ops = self.concentration, self.ops
        inverse = 1.0 / self.power
        residue = digamma_residue(a, ops)
        log_a = ops.log(a)
        return (
            log_gamma_residue(a, ops) - (a - inverse) * residue + inverse * log_a - ops.log(abs(self.power))
        )

    def standard_variance(self) -> Array:
        if certainly_is(self.power, 1.0):
            return self.concentration
        ops, a, order = self.ops, self.concentration, 1.0 / self.power
        mean, second = self.standard_mean(), log_moment(a, 2.0 * order, ops)
        # Where the mean diverges so does the second moment, and infinity less infinity is no number.
        exists = second < float("inf")
        spread = ops.where(exists, second - 2.0 * log_moment(a, order, ops), 1.0)
        return ops.where(exists, mean * (mean * ops.expm1(spread)), float("inf"))

    def comes_near_normal(self) -> bool:
        """For moderate powers, whose variances have their digits."""
        power, steep = self.power, 4.0
        if self.ops.graphs and not is_literal(power):
            return False
        return bool(np.all(np.abs(power) <= steep))

    def negentropy(self) -> Array:
        """Of Gᵏ, k = 1/power: (3k − 1)²/(12a) and terms in 1/a², which large a leave out unless k = 1."""
        a, ops, k = self.concentration, self.ops, 1.0 / self.power
        rests = stirling_rest(a, ops) + digamma_rest(a, ops)
        bend = (0.5 + digamma_rest(a, ops)) / a
        if certainly_is(self.power, 1.0):
            return bend - rests
        large = a > 1e7 * (1.0 + k * k)
        some = ops.where(large, 1.0 + 2.0 * abs(k), a)  # where the logarithm is of something
        first, second = log_moment(some, k, ops), log_moment(some, 2.0 * k, ops)
        exists = second < float("inf")
        spread = ops.expm1(ops.where(exists, second - 2.0 * first, 1.0))
        value = first + 0.5 * ops.log(spread * some * self.power * self.power) + k * bend - rests
        value = ops.where(exists, ops.maximum(value, 0.0), float("inf"))
        skewness = 3.0 * k - 1.0
        return ops.where(large, skewness * skewness / a / 12.0, value)

    def moment(self, order: Array) -> Array:
        """E[Z^order] = E[G^k], k = order/power."""
        a, order = self.concentration, order / self.power
        if certainly_is(order, 1.0):
            return a
        ops = self.ops
        exponent, rest = order * ops.log(a), log_moment(a, order, ops)
        is_moderate = ops.logical_and(ops.absolute(exponent) < 300.0, ops.absolute(rest) < 300.0)
        return ops.select(
            is_moderate,  # where the power itself has no rounding of a logarithm
            lambda a, order, exponent, rest: ops.power(a, order) * ops.exp(rest),
            lambda a, order, exponent, rest: ops.exp(exponent + rest),
            a, order, exponent, rest,
        )  # fmt: skip

    def mean_log(self) -> Array:
        return self.ops.digamma(self.concentration) / self.power

    def variance_log(self) -> Array:
        return self.ops.trigamma(self.concentration) / self.power / self.power

    def describe(self) -> str:
        """A gamma distribution itself is called so."""
        named = (
            type(self) is GeneralizedGamma and certainly_is(self.power, 1.0) and certainly_is(self.sign, 1.0)
        )
        return "Gamma" if named else super().describe()


class Weibull(GeneralizedGamma):
    """X = loc + sign·scale·E^(1/power) of an exponential variable E, the power positive: the shape."""


@closed_form(GeneralizedGamma, GeneralizedGamma)
def gamma_gamma(p: GeneralizedGamma, q: GeneralizedGamma) -> Array:
    """That of the logarithms of gamma variables, where both start at the same place; else by statistics."""
    if p.sign != q.sign or not same_location(p, q):
        return by_statistics(p, q)
    if certainly_is(p.power, q.power) and certainly_is(p.concentration, q.concentration):
        alike = _scales_only(p, q)
        if alike is not None:
            return q.broadcast(p.broadcast(alike))
    shift = q.power * log_ratio(p.scale, q.scale, p.ops)
    ratio = q.power / p.power
    return q.broadcast(
        p.broadcast(log_gamma_divergence(p.concentration, q.concentration, shift, ratio, p.ops))
    )


def _scales_only(p: GeneralizedGamma, q: GeneralizedGamma) -> Array:
    """a (ρ − 1 − ln ρ), ρ the power of the ratio of the scales, where a and the power are the same floats."""
    if abs(p.power) not in (1.0, 2.0) or p.concentration < 1e-12:  # times it, more ratios stay in the floats
        return None
    first, second = (p.scale, q.scale) if p.power > 0.0 else (q.scale, p.scale)
    divergence = variance_divergence if abs(p.power) == 1.0 else scale_divergence
    return p.concentration * (2.0 * divergence(first, second, p.ops))


@expects(GeneralizedGamma, Exp)
def exp(p: GeneralizedGamma, statistic: Exp, at: AffineMap) -> Array:
    """The moment generating function, which is known for the gamma distribution itself."""
    if not certainly_is(p.power, 1.0):
        return None
    ops, t = p.ops, statistic.rate * at.ratio
    exists = t < 1.0
    log_mgf = statistic.rate * at.shift - p.concentration * ops.log1p(-ops.where(exists, t, 0.0))
    return ops.where(exists, ops.exp(log_mgf), float("inf"))


def _square_root(df: Array, loc: Array, scale: Array) -> GeneralizedGamma:
    """χ: the square root of a χ² variable."""
    return GeneralizedGamma(0.5 * df, _ROOT_2 * scale, 2.0, loc)


def half_normal(loc: Array, scale: Array) -> GeneralizedGamma:
    """Absolute values of normal variables around zero, moved by loc."""
    return _square_root(1.0, loc, scale)


_ROOT_2 = 1.4142135623730951

from_scipy("gamma", "erlang")(lambda a, loc, scale: GeneralizedGamma(a, scale, loc=loc))
from_scipy("expon")(lambda loc, scale: GeneralizedGamma(1.0, scale, loc=loc))
from_scipy("chi2")(lambda df, loc, scale: GeneralizedGamma(0.5 * df, 2.0 * scale, loc=loc))
from_scipy("invgamma")(lambda a, loc, scale: GeneralizedGamma(a, scale, -1.0, loc))


@from_scipy("gengamma")
def _generalised(a: Array, c: Array, loc: Array, scale: Array) -> GeneralizedGamma:
    if np.any(np.equal(c, 0.0)):
        raise ValueError("c must not be 0")
    return GeneralizedGamma(a, scale, c, loc)


from_scipy("weibull_min")(if_positive("c", lambda c, loc, scale: Weibull(1.0, scale, c, loc)))
from_scipy("weibull_max")(if_positive("c", lambda c, loc, scale: Weibull(1.0, scale, c, loc, -1.0)))
from_scipy("invweibull")(if_positive("c", lambda c, loc, scale: GeneralizedGamma(1.0, scale, -c, loc)))
from_scipy("halfgennorm")(
    if_positive("beta", lambda beta, loc, scale: GeneralizedGamma(1.0 / beta, scale, beta, loc))
)
from_scipy("nakagami")(
    if_positive("nu", lambda nu, loc, scale: GeneralizedGamma(nu, scale / nu**0.5, 2.0, loc))
)
from_scipy("chi")(_square_root)
from_scipy("halfnorm")(half_normal)
from_scipy("rayleigh")(lambda loc, scale: _square_root(2.0, loc, scale))
from_scipy("maxwell")(lambda loc, scale: _square_root(3.0, loc, scale))

from_pymc("GammaRV")(GeneralizedGamma)
from_pymc("ExponentialRV")(lambda scale: GeneralizedGamma(1.0, scale))
from_pymc("InvGammaRV")(lambda a, scale: GeneralizedGamma(a, scale, -1.0))
from_pymc("WeibullBetaRV")(lambda c, scale: Weibull(1.0, scale, c))
from_pymc("HalfNormalRV")(half_normal)

__getattr__ = old_names(__name__, {"Gamma": f"{__name__}.GeneralizedGamma"})


@overlap_of(GeneralizedGamma, GeneralizedGamma)
def gamma_gamma_overlap(
    p: GeneralizedGamma, q: GeneralizedGamma, s: Array, t: Array, balanced: bool
) -> Array:
    """That of the gamma variables, of which both are the same power."""
    ops = p.ops
    alike = all(ops.same(getattr(p, name), getattr(q, name)) for name in ("loc", "power", "sign"))
    if not (alike and balanced):
        return None
    shift = p.power * log_ratio(p.scale, q.scale, ops)
    return gamma_overlap(p.concentration, q.concentration, shift, s, t, ops)
