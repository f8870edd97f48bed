"""The Pareto distribution; Lomax's is one that is shifted to zero."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kl_plugins.families.beta import Beta
from kl_plugins.families.core.affine import AffineMap, affine_map, in_shape_of_pair, outside
from kl_plugins.families.core.by_nodes import QUADRATURE, on_arrays
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import (
    Continuous,
    by_statistics,
    log_of_multiple,
    log_square_of_multiple,
    power_of_multiple,
)
from kl_plugins.families.core.log_odds import by_log_odds
from kl_plugins.families.core.maps import Exponential, Logarithm, Raised, image_of, starts_at_zero
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Exp, Log, Log1p, LogSquare, Power
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.formulas.beta import digamma_difference, log_beta
from kl_plugins.formulas.cancellation_free import identity_minus_log, log_ratio
from kl_plugins.formulas.log_odds import LogOdds
from kl_plugins.formulas.shared import variance_divergence
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal, certainly_is, is_literal
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter


class Pareto(Continuous):
    """X = loc + scale·Z, where Z has density α z^(−α−1) above 1: log Z is exponential.

    https://en.wikipedia.org/wiki/Pareto_distribution
    """

    alpha: Array = parameter(POSITIVE, meaning="the tail index", static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    ends: ClassVar[tuple[float, float]] = (1.0, float("inf"))

    def log_density(self) -> LogDensity:
        return LogDensity(self.ops.log(self.alpha), ((-1.0 - self.alpha, Log()),))

    def standard_entropy(self) -> Array:
        return 1.0 + 1.0 / self.alpha - self.ops.log(self.alpha)

    def mean_log(self) -> Array:
        return 1.0 / self.alpha

    def variance_log(self) -> Array:
        return 1.0 / self.alpha / self.alpha

    def standard_variance(self) -> Array:
        a, ops = self.alpha, self.ops
        exists = a > 2.0
        a = ops.where(exists, a, 3.0)
        return ops.where(exists, a / ((a - 1.0) * (a - 1.0) * (a - 2.0)), float("inf"))

    def moment(self, order: Array) -> Array:
        """E[Z^order], infinite where it diverges."""
        exists = order < self.alpha
        excess = self.ops.where(exists, self.alpha - order, 1.0)
        return self.ops.where(exists, self.alpha / excess, float("inf"))


def _cost(p: Pareto, q: Pareto) -> str:
    return QUADRATURE if not affine_map(p, q).fixes_zero and at_lower_end(p, q) else "O(1)"


@closed_form(Pareto, Pareto, _cost)
def pareto_pareto(p: Pareto, q: Pareto) -> Array:
    """ρ − 1 − log ρ + α_q log(scale_p/scale_q), ρ = α_q/α_p, where `loc` is common to both.

    Two non-negative terms: that of exponential distributions, and that of where p starts. q must not start
    above p. Where the two start at one place, as Lomax variables do, and are not the same, over nodes.
    """
    ops, at = p.ops, affine_map(p, q)
    if not at.fixes_zero:
        return on_arrays(lomax_lomax, p, q) if at_lower_end(p, q) else by_statistics(p, q)
    value = 2.0 * variance_divergence(q.alpha, p.alpha, ops) + q.alpha * ops.maximum(
        log_ratio(p.scale, q.scale, ops), 0.0
    )
    return in_shape_of_pair(p, q, value, outside(p, q, at))


def at_lower_end(p: Pareto, q: Pareto) -> bool:
    """Whether both certainly start at one place."""
    if p.ops.symbolic and not all(map(is_literal, (p.loc, p.scale, q.loc, q.scale))):
        return False
    ends = p.loc + p.scale, q.loc + q.scale
    rounding = 1e-14 * (abs(p.loc) + p.scale + abs(q.loc) + q.scale)
    return bool(np.all(abs(ends[0] - ends[1]) <= rounding))


def lomax_log_odds(p: Pareto) -> LogOdds:
    """The logarithm of how far p is above its lower end, in units of the scale, is that of odds."""
    return LogOdds(1.0, p.alpha, 1.0)


def lomax_lomax(p: Pareto, q: Pareto) -> Array:
    return by_log_odds(p, q, lomax_log_odds(p), lomax_log_odds(q), log_ratio(p.scale, q.scale, p.ops))


def from_lower_end(p: Pareto, at: AffineMap) -> bool:
    """Whether z is certainly a multiple of Z − 1 everywhere."""
    if at.ops.symbolic and not (is_literal(at.shift) and is_literal(at.ratio)):
        return False
    rounding = 1e-14 * (1.0 + 2.0 * abs(p.loc) / p.scale)
    return bool(np.all(abs(at.shift + at.ratio) < rounding * abs(at.ratio)))  # nor where they are infinite


@closed_form(Pareto, GeneralizedGamma)
def pareto_exponential(p: Pareto, q: GeneralizedGamma) -> Array:
    """Where it starts with p: p's divergence from the exponential distribution of its mean, and theirs.

    They are −1/α − log(1 − 1/α) and ρ − 1 − log ρ, ρ the ratio of the means. Else by statistics.
    """
    ops, at = p.ops, affine_map(p, q)
    exponential = all(certainly_is(x, 1.0) for x in (q.concentration, q.power, q.sign))
    if not (exponential and from_lower_end(p, at)):
        return by_statistics(p, q)
    exists = p.alpha > 1.0
    alpha = ops.where(exists, p.alpha, 2.0)
    ratio = at.ratio / (alpha - 1.0)
    value = identity_minus_log(-1.0 / alpha, ops) + 2.0 * variance_divergence(ratio, 1.0 + 0.0 * ratio, ops)
    return q.broadcast(p.broadcast(ops.where(exists, value, float("inf"))))


@expects(Pareto, Log)
def log(p: Pareto, statistic: Log, at: AffineMap) -> Array:
    if at.fixes_zero:
        return log_of_multiple(p, statistic, at)
    return p.ops.log(at.ratio) + _mean_log(p) if from_lower_end(p, at) else None


def _mean_log(p: Pareto) -> Array:
    """E log(Z − 1) = ψ(1) − ψ(α): Z − 1 is a beta prime variable."""
    one = 1.0
    return digamma_difference(one, p.alpha, p.ops) - digamma_difference(p.alpha, one, p.ops)


@expects(Pareto, LogSquare)
def log_square(p: Pareto, statistic: LogSquare, at: AffineMap) -> Array:
    if at.fixes_zero:
        return log_square_of_multiple(p, statistic, at)
    if from_lower_end(p, at):
        mean = p.ops.log(at.ratio) + _mean_log(p)
        return mean * mean + p.ops.trigamma(p.alpha) + 1.6449340668482264  # ψ₁(1) = π²/6
    return None


@expects(Pareto, Log1p)
def log1p(p: Pareto, statistic: Log1p, at: AffineMap) -> Array:
    """Of ratio·(Z − 1), for a ratio of 1."""
    return 1.0 / p.alpha if from_lower_end(p, at) and np.all(at.ratio == 1.0) else None


@expects(Pareto, Power)
def power(p: Pareto, statistic: Power, at: AffineMap) -> Array:
    """α/(α − k), and from the lower end α B(1 + k, α − k)."""
    ops, k = p.ops, statistic.exponent
    if at.fixes_zero:
        return power_of_multiple(p, statistic, at)
    if from_lower_end(p, at):
        exists = ops.logical_and(k < p.alpha, k > -1.0)
        k = ops.where(exists, k, 0.5 * p.alpha)
        value = at.ratio**k * p.alpha * ops.exp(log_beta(1.0 + k, p.alpha - k, ops))
        return ops.where(exists, value, float("inf"))
    return None


@expects(Pareto, Exp)
def exp(p: Pareto, statistic: Exp, at: AffineMap) -> Array:
    """+∞ where it grows: no tail of a power makes up for that."""
    rate = statistic.rate * at.ratio
    if p.ops.symbolic and not is_literal(rate):
        return None
    return p.broadcast(float("inf")) if np.all(rate > 0.0) else None


from_scipy("pareto")(lambda b, loc, scale: Pareto(b, scale, loc))
from_scipy("lomax")(lambda c, loc, scale: Pareto(c, scale, loc - scale))
from_pymc("ParetoRV")(Pareto)


@image_of(GeneralizedGamma, Exponential)
def exponential_of_exponential(p: GeneralizedGamma, of: Exponential) -> Pareto | Beta | None:
    """Of an exponential variable, and of one that goes downwards, with any location."""
    if not (certainly_equal(p.concentration, 1.0, p.ops) and certainly_equal(p.power, 1.0, p.ops)):
        return None
    rate, end = 1.0 / p.scale, p.ops.exp(p.loc)
    return Pareto(rate, end) if certainly_is(p.sign, 1.0) else Beta(rate, 1.0, 0.0, end)


@image_of(Pareto, Logarithm)
def log_of_pareto(p: Pareto, of: Logarithm) -> GeneralizedGamma | None:
    """An exponential variable from the logarithm of the lower end on."""
    if not starts_at_zero(p):
        return None
    return GeneralizedGamma(1.0, 1.0 / p.alpha, 1.0, p.ops.log(p.scale))


@image_of(Pareto, Raised)
def power_of_pareto(p: Pareto, of: Raised) -> Pareto | Beta | None:
    """A negative one is a power of a uniform variable."""
    c = p.ops.literal(of.exponent)
    if c is None or not starts_at_zero(p):
        return None
    scale = p.scale**c
    return Pareto(p.alpha / c, scale) if c > 0.0 else Beta(p.alpha / -c, 1.0, 0.0, scale)
