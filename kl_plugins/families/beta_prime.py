"""The beta prime distribution: the odds of a beta variable; F is one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kl_plugins.families.beta import Beta
from kl_plugins.families.core.affine import AffineMap, affine_map
from kl_plugins.families.core.by_nodes import QUADRATURE, on_arrays
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.log_odds import by_log_odds
from kl_plugins.families.core.maps import Odds, Raised, image_of, is_unit, starts_at_zero
from kl_plugins.families.core.names import from_scipy, if_positive
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Log, Log1p
from kl_plugins.families.half_student_t import HalfCauchy, HalfStudentT, Halved
from kl_plugins.families.pareto import Pareto, from_lower_end, lomax_log_odds
from kl_plugins.families.uniform import Uniform
from kl_plugins.formulas.beta import (
    beta_divergence,
    beta_negentropy,
    digamma_difference,
    log1p_ratio,
    log_beta,
)
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.log_odds import LogOdds
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal, is_literal
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter


class BetaPrime(Continuous):
    """X = loc + scale·B/(1 − B), where B is a beta variable with parameters a and b.

    https://en.wikipedia.org/wiki/Beta_prime_distribution
    """

    a: Array = parameter(POSITIVE, static=True)
    b: Array = parameter(POSITIVE, static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    def log_density(self) -> LogDensity:
        a, b = self.a, self.b
        return LogDensity(-log_beta(a, b, self.ops), ((a - 1.0, Log()), (-a - b, Log1p())))

    def standard_mean(self) -> Array:
        exists = self.b > 1.0
        return self.ops.where(exists, self.a / self.ops.where(exists, self.b - 1.0, 1.0), float("inf"))

    def standard_variance(self) -> Array:
        a, b, ops = self.a, self.b, self.ops
        exists = b > 2.0
        b = ops.where(exists, b, 3.0)
        variance = a / (b - 1.0) * ((a + b - 1.0) / ((b - 1.0) * (b - 2.0)))
        return ops.where(exists, variance, float("inf"))

    def comes_near_normal(self) -> bool:
        return True

    def negentropy(self) -> Array:
        """That of the beta variable, and what its odds have other than it: half the logarithm of the variance
        and twice E log(1 − B), less −2 log(b/(a + b)) and 2 log(b/(a + b))."""
        a, b, ops = self.a, self.b, self.ops
        exists = b > 2.0
        b = ops.where(exists, b, 3.0)
        inverse, total = 1.0 / b, a + b
        variances = ops.log1p(-1.0 / total / total) - 2.0 * ops.log1p(-inverse) - ops.log1p(-2.0 * inverse)
        mean_logs = digamma_difference(b, a, ops) + log1p_ratio(a, b, ops)
        value = beta_negentropy(a, b, ops) + 0.5 * variances + 2.0 * mean_logs
        return ops.where(exists, ops.maximum(value, 0.0), float("inf"))

    def moment(self, order: Array) -> Array:
        """E[Z^order] = B(a + k, b − k)/B(a, b), infinite where it diverges."""
        a, b, ops = self.a, self.b, self.ops
        exists = ops.logical_and(order < b, order > -a)
        k = ops.where(exists, order, 0.0)
        value = log_beta(a + k, b - k, ops) - log_beta(a, b, ops)
        return ops.where(exists, ops.exp(value), float("inf"))

    def mean_log(self) -> Array:
        a, b, ops = self.a, self.b, self.ops
        return digamma_difference(a, b, ops) - digamma_difference(b, a, ops)

    def variance_log(self) -> Array:
        return self.ops.trigamma(self.a) + self.ops.trigamma(self.b)


def _cost(p: BetaPrime, q: BetaPrime) -> str:
    at = affine_map(p, q)
    return QUADRATURE if at.fixes_zero and not certainly_equal(at.ratio, 1.0, p.ops) else "O(1)"


@closed_form(BetaPrime, BetaPrime, _cost)
def beta_prime_beta_prime(p: BetaPrime, q: BetaPrime) -> Array:
    """That of the beta variables, where both have the same origin and scale.

    Of one origin and other scales, over nodes; else by statistics.
    """
    at = affine_map(p, q)
    if not at.fixes_zero:
        return by_statistics(p, q)
    if not certainly_equal(at.ratio, 1.0, p.ops):
        return on_arrays(_of_other_scales, p, q)
    return q.broadcast(p.broadcast(beta_divergence(p.a, p.b, q.a, q.b, p.ops)))


def _lomax_cost(p: BetaPrime | Pareto, q: BetaPrime | Pareto) -> str:
    return "O(1)" if certainly_equal(p.scale, q.scale, p.ops) else QUADRATURE


def _of_other_scales(p: BetaPrime | Pareto, q: BetaPrime | Pareto) -> Array:
    return by_log_odds(p, q, _log_odds(p), _log_odds(q), log_ratio(p.scale, q.scale, p.ops))


def _log_odds(x: BetaPrime | Pareto) -> LogOdds:
    return LogOdds(x.a, x.b, 1.0) if isinstance(x, BetaPrime) else lomax_log_odds(x)


@closed_form(Pareto, BetaPrime, _lomax_cost)
def pareto_beta_prime(p: Pareto, q: BetaPrime) -> Array:
    """A Pareto variable that starts where q does is a beta prime variable with a = 1; else by statistics."""
    at = affine_map(p, q)
    if not from_lower_end(p, at):
        return by_statistics(p, q)
    if not certainly_equal(at.ratio, 1.0, p.ops):
        return on_arrays(_of_other_scales, p, q)
    return q.broadcast(p.broadcast(beta_divergence(1.0, p.alpha, q.a, q.b, p.ops)))


@closed_form(BetaPrime, Pareto, _lomax_cost)
def beta_prime_pareto(p: BetaPrime, q: Pareto) -> Array:
    """A Pareto variable that starts where p does is a beta prime variable with a = 1."""
    at = affine_map(p, q)
    rounding = 1e-14 * (1.0 + 2.0 * abs(q.loc) / q.scale)
    starts_there = not p.ops.symbolic or is_literal(at.shift)
    starts_there = starts_there and bool(np.all(abs(at.shift - 1.0) <= rounding))
    if not starts_there:
        return by_statistics(p, q)
    if not certainly_equal(at.ratio, 1.0, p.ops):
        return on_arrays(_of_other_scales, p, q)
    return q.broadcast(p.broadcast(beta_divergence(p.a, p.b, 1.0, q.alpha, p.ops)))


@expects(BetaPrime, Log1p)
def log1p(p: BetaPrime, statistic: Log1p, at: AffineMap) -> Array:
    """−E log(1 − B), for a ratio of 1."""
    known = at.fixes_zero and certainly_equal(at.ratio, 1.0, p.ops)
    return -digamma_difference(p.b, p.a, p.ops) if known else None


from_scipy("betaprime")(BetaPrime)
from_scipy("f")(
    if_positive(
        "dfn dfd", lambda dfn, dfd, loc, scale: BetaPrime(0.5 * dfn, 0.5 * dfd, loc, scale * (dfd / dfn))
    )
)


@image_of(Beta, Odds)
@image_of(Uniform, Odds)
def odds_of_beta(p: Beta | Uniform, of: Odds) -> BetaPrime | None:
    """Between 0 and 1."""
    return BetaPrime(p.a, p.b) if p.is_plain and is_unit(p) else None


@image_of(BetaPrime, Raised)
def reciprocal_of_beta_prime(p: BetaPrime, of: Raised) -> BetaPrime | None:
    is_known = p.ops.literal(of.exponent) == -1.0 and starts_at_zero(p)
    return BetaPrime(p.b, p.a, 0.0, 1.0 / p.scale) if is_known else None


@image_of(Halved, Raised)
def square_of_half_t(p: HalfCauchy | HalfStudentT, of: Raised) -> Distribution | None:
    """The square of Z is a ratio of gamma variables of shapes ½ and df/2; a reciprocal may be Cauchy."""
    if isinstance(p, HalfCauchy) and p.ops.literal(of.exponent) == -1.0 and starts_at_zero(p):
        return HalfCauchy(0.0, 1.0 / p.scale)
    is_known = p.ops.literal(of.exponent) == 2.0 and starts_at_zero(p)
    if not is_known:
        return None
    square = p.sigma * p.sigma * p.df if isinstance(p, HalfStudentT) else p.scale * p.scale
    return BetaPrime(0.5, 0.5 * p.df, 0.0, square)
