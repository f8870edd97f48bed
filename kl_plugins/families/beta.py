"""The beta distribution and its powers: arcsine, Kumaraswamy and Wigner's semicircle are some."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Self

from kl_plugins.families.core.affine import AffineMap, affine_map
from kl_plugins.families.core.by_nodes import QUADRATURE, between, on_arrays, within
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.maps import Logarithm, Raised, image_of, starts_at_zero
from kl_plugins.families.core.names import from_pymc, from_scipy, if_positive
from kl_plugins.families.core.overlaps import overlap_of
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Absolute, Log, Log1m, Statistic
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.formulas.beta import (
    beta_beyond_gamma,
    beta_divergence,
    beta_entropy,
    beta_negentropy,
    digamma_difference,
    log_beta,
)
from kl_plugins.formulas.beta_powers import BetaPower, beta_power_divergence
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.exponential import weighted_exp_remainder
from kl_plugins.formulas.gamma import log_moment
from kl_plugins.formulas.gamma_ratios import residue_divergence
from kl_plugins.formulas.overlaps import beta_overlap
from kl_plugins.formulas.sums import infinite_where_undefined
from kl_plugins.ops.protocol import Array, ArrayOperations, Operations
from kl_plugins.parameters.certainty import certainly_equal, certainly_is
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter


@dataclass(frozen=True, eq=False)
class Log1mPower(Statistic):
    exponent: Array
    text = "log(1 − zᶜ)"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ops.log1p(-(z**self.exponent))


class Beta(Continuous):
    """X = loc + scale·B^(1/power), where B has density x^(a−1) (1 − x)^(b−1) / B(a, b); power is positive.

    https://en.wikipedia.org/wiki/Generalized_beta_distribution#Generalized_beta_of_first_kind_(GB1)
    """

    a: Array = parameter(POSITIVE, static=True)
    b: Array = parameter(POSITIVE, static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    power: Array = parameter(POSITIVE, default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def mirrored(self) -> Self | None:
        return self.changed(a=self.b, b=self.a, loc=-self.loc - self.scale) if self.is_plain else None

    @property
    def is_plain(self) -> bool:
        """Whether it is certainly a beta distribution itself."""
        return certainly_equal(self.power, 1.0, self.ops)

    def log_density(self) -> LogDensity:
        a, b, c, ops = self.a, self.b, self.power, self.ops
        rest = Log1m() if self.is_plain else Log1mPower(c)
        constant = ops.log(c) - log_beta(a, b, ops)
        return LogDensity(constant, ((a * c - 1.0, Log()), (b - 1.0, rest)))

    def standard_entropy(self) -> Array:
        """That of the beta variable, less that of its logarithm times the power."""
        value = beta_entropy(self.a, self.b, self.ops)
        if self.is_plain:
            return value
        c, mean_log = self.power, digamma_difference(self.a, self.b, self.ops)
        return value - self.ops.log(c) + (1.0 / c - 1.0) * mean_log

    def standard_mean(self) -> Array:
        return self.a / (self.a + self.b) if self.is_plain else self.moment(1.0)

    def standard_variance(self) -> Array:
        if self.is_plain:
            s = self.a + self.b
            return (self.a / s) * (self.b / s) / (s + 1.0)
        return super().standard_variance()

    def comes_near_normal(self) -> bool:
        return self.is_plain

    def negentropy(self) -> Array:
        return beta_negentropy(self.a, self.b, self.ops) if self.is_plain else super().negentropy()

    def moment(self, order: Array) -> Array:
        """E[Z^order] = B(a + k, b)/B(a, b), k = order/power; infinite where it diverges."""
        a, b, ops = self.a, self.b, self.ops
        k = order / self.power
        exists = a + k > 0.0
        k = ops.where(exists, k, 0.0)
        value = log_moment(a, k, ops) - log_moment(a + b, k, ops) - k * ops.log1p(b / a)
        return ops.where(exists, ops.exp(value), float("inf"))

    def mean_log(self) -> Array:
        return digamma_difference(self.a, self.b, self.ops) / self.power

    def variance_log(self) -> Array:
        ops = self.ops
        return (ops.trigamma(self.a) - ops.trigamma(self.a + self.b)) / self.power / self.power


def _cost(p: Beta, q: Beta) -> str:
    at = affine_map(p, q)
    return QUADRATURE if at.fixes_zero and at.fixes_one and _needs_nodes(p, q) else "O(1)"


def _needs_nodes(p: Beta, q: Beta) -> bool:
    """Whether powers differ, and log(1 − z^power) is in q's density."""
    return not (certainly_equal(p.power, q.power, p.ops) or certainly_is(q.b, 1.0))


@closed_form(Beta, Beta, _cost)
def beta_beta(p: Beta, q: Beta) -> Array:
    """That of the beta variables, where both are the same power on the same interval.

    Of other powers on the same interval, over nodes; else by statistics.
    """
    at = affine_map(p, q)
    if not (at.fixes_zero and at.fixes_one):
        return by_statistics(p, q)
    if _needs_nodes(p, q):
        return on_arrays(_of_other_powers, p, q)
    if not certainly_equal(p.power, q.power, p.ops):
        return by_statistics(p, q)
    return q.broadcast(p.broadcast(beta_divergence(p.a, p.b, q.a, q.b, p.ops)))


_LEAST, _MOST = 0.001, 1e6
"""The least shapes whose tails the nodes resolve, and the largest."""


def _of_other_powers(p: Beta, q: Beta) -> Array:
    value = beta_power_divergence(BetaPower(p.a, p.b, p.power), BetaPower(q.a, q.b, q.power), p.ops)
    shapes = p.a, p.b, q.a, q.b, p.power, q.power
    return within(p, q, value, between(_LEAST, _MOST, "shapes", shapes, p.ops))


@closed_form(Beta, GeneralizedGamma)
def beta_gamma(p: Beta, q: GeneralizedGamma) -> Array:
    """That of gamma distributions of the same shapes and means, and what the upper end adds.

    Where they start at different places, or are powers, by statistics.
    """
    ops, at = p.ops, affine_map(p, q)
    plain = p.is_plain and at.fixes_zero and certainly_equal(q.power, 1.0, ops)
    if not (plain and certainly_equal(p.sign, q.sign, ops)):
        return by_statistics(p, q)
    c = q.concentration
    level = log_ratio(at.ratio * (p.a / (p.a + p.b)), c, ops)
    value = weighted_exp_remainder(c, ops.log(c), level, ops) + residue_divergence(p.a, c, c - p.a, ops)
    value = ops.maximum(value + beta_beyond_gamma(p.a, p.b, c, ops), 0.0)
    return q.broadcast(p.broadcast(infinite_where_undefined(value, ops)))


@expects(Beta, Log1m)
def log1m(p: Beta, statistic: Log1m, at: AffineMap) -> Array:
    if not (at.fixes_one and p.is_plain):
        return None
    return p.ops.log(at.ratio) + digamma_difference(p.b, p.a, p.ops)


@expects(Beta, Log1mPower)
def log1m_power(p: Beta, statistic: Log1mPower, at: AffineMap) -> Array:
    if not (at.fixes_zero and at.fixes_one and certainly_equal(p.power, statistic.exponent, p.ops)):
        return None
    return digamma_difference(p.b, p.a, p.ops)


@expects(Beta, Absolute)
def absolute(p: Beta, statistic: Absolute, at: AffineMap) -> Array:
    """With c = −shift/ratio, ratio·(E Z − c + 2 E(c − Z)₊), E(c − Z)₊ = c I_c(a, b) − E Z I_c(a + 1, b).

    Outside of the support |E Z − c|: there the integrals have no derivatives by a and b.
    """
    if not p.is_plain:
        return None
    ops, mean = p.ops, p.standard_mean()
    if at.fixes_zero:
        return ops.absolute(at.ratio) * mean
    kink = -at.shift / at.ratio
    inside = ops.logical_and(kink > 0.0, kink < 1.0)
    size = ops.select(
        inside,
        partial(_on_both_sides, ops=ops),
        lambda a, b, kink, mean: abs(mean - kink),
        p.a,
        p.b,
        kink,
        mean,
    )
    return ops.absolute(at.ratio) * size


def _around(shape: Array, loc: Array, scale: Array) -> Beta:
    """On (loc − scale, loc + scale), of a density ∝ (1 − z²)^(shape − 1)."""
    return Beta(shape, shape, loc - scale, 2.0 * scale)


def _on_both_sides(a: Array, b: Array, kink: Array, mean: Array, ops: ArrayOperations) -> Array:
    below = kink * ops.betainc(a, b, kink) - mean * ops.betainc(a + 1.0, b, kink)
    return mean - kink + 2.0 * below


from_scipy("beta")(lambda a, b, loc, scale: Beta(a, b, loc, scale))
from_scipy("arcsine")(lambda loc, scale: Beta(0.5, 0.5, loc, scale))
from_scipy("powerlaw")(lambda a, loc, scale: Beta(a, 1.0, loc, scale))
from_scipy("rdist")(if_positive("c", lambda c, loc, scale: _around(0.5 * c, loc, scale)))
from_scipy("semicircular")(lambda loc, scale: _around(1.5, loc, scale))

from_pymc("BetaRV")(Beta)
from_pymc("KumaraswamyRV")(lambda a, b: Beta(1.0, b, power=a))


@overlap_of(Beta, Beta)
def beta_beta_overlap(p: Beta, q: Beta, s: Array, t: Array, balanced: bool) -> Array:
    """Of those on one interval, of one power."""
    alike = all(p.ops.same(getattr(p, name), getattr(q, name)) for name in ("loc", "scale", "power"))
    return beta_overlap((p.a, p.b), (q.a, q.b), s, t, p.ops) if alike and balanced else None


@image_of(Beta, Raised)
def power_of_beta(p: Beta, of: Raised) -> Beta | None:
    """A positive one, of those that start at 0."""
    c = p.ops.literal(of.exponent)
    if c is None or c < 0.0 or not starts_at_zero(p):
        return None
    return Beta(p.a, p.b, 0.0, p.scale**c, p.power / c)


@image_of(Beta, Logarithm)
def log_of_beta(p: Beta, of: Logarithm) -> GeneralizedGamma | None:
    """Of a power of a uniform variable minus an exponential one."""
    if not (starts_at_zero(p) and certainly_equal(p.b, 1.0, p.ops)):
        return None
    return GeneralizedGamma(1.0, 1.0 / (p.a * p.power), 1.0, p.ops.log(p.scale), -1.0)
