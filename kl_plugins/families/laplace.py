"""The Laplace distribution and the asymmetric one, and the expectation of |z| under others."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np

from kl_plugins.families.core.affine import AffineMap
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.maps import Folded, image_of
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Absolute, Exp, Identity
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.families.log_gamma import LogGamma
from kl_plugins.families.normal import Normal
from kl_plugins.formulas.cancellation_free import log_ratio, size
from kl_plugins.formulas.exponential import (
    exp_remainder,
    logit_step_divergence,
    multiple_of_exp_remainder,
    scaled_exp1,
    weighted_exp_remainder,
)
from kl_plugins.formulas.interval_means import log1p_square
from kl_plugins.formulas.shared import variance_divergence
from kl_plugins.formulas.sums import infinite_where_undefined
from kl_plugins.ops.protocol import Array, ArrayOperations
from kl_plugins.parameters.certainty import certainly_is, is_literal, known_zero
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter

_EULER = 0.5772156649015329
_ROOT_HALF = math.sqrt(0.5)
_ROOT_2_OVER_PI = math.sqrt(2.0 / math.pi)


class DoubleExponential(Continuous):
    """X = loc + scale·Z, where Z has density ∝ exp(−kappa·z) above 0 and exp(z/kappa) below.

    The probability above 0 is 1/(1 + kappa²): https://en.wikipedia.org/wiki/Asymmetric_Laplace_distribution.
    """

    kappa = 1.0

    def log_density(self) -> LogDensity:
        k = self.kappa
        if certainly_is(k, 1.0):
            return LogDensity(-math.log(2.0), ((-1.0, Absolute()),))
        inverse = 1.0 / k
        terms = ((-0.5 * (k + inverse), Absolute()), (-0.5 * (k - inverse), Identity()))
        return LogDensity(-self.ops.log(k + inverse), terms)

    def standard_mean(self) -> Array:
        return 1.0 / self.kappa - self.kappa

    def standard_variance(self) -> Array:
        return 1.0 / (self.kappa * self.kappa) + self.kappa * self.kappa

    def standard_entropy(self) -> Array:
        return 1.0 + self.ops.log(self.kappa + 1.0 / self.kappa)


class Laplace(DoubleExponential):
    """Laplace distributions with density exp(−|x − loc| / scale) / (2 scale)."""

    loc: Array = parameter(REAL, default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0)
    symmetric: ClassVar[bool] = True


class AsymmetricLaplace(DoubleExponential):
    """Asymmetric Laplace distributions; a `kappa` of 1 makes them symmetric."""

    kappa: Array = parameter(POSITIVE)
    loc: Array = parameter(REAL, default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0)

    def mirrored(self) -> Self:
        return self.changed(kappa=1.0 / self.kappa, loc=-self.loc)


@closed_form(Laplace, Laplace)
def laplace_laplace(p: Laplace, q: Laplace) -> Array:
    """(ρ − 1 − log ρ) + ρ (exp(−t) − 1 + t), ρ the ratio of the scales, t = |Δloc| / p.scale.

    https://arxiv.org/abs/1309.0238 (table of divergences), arranged as a sum of non-negative terms.
    """
    sizes = 2.0 * variance_divergence(p.scale, q.scale, p.ops)
    return sizes + multiple_of_exp_remainder(p.scale, q.scale, size(p.loc - q.loc, p.ops), p.ops)


@closed_form(DoubleExponential, DoubleExponential)
def double_exponential_double_exponential(p: DoubleExponential, q: DoubleExponential) -> Array:
    """By sides: with equal loc a coin that chooses the side and an exponential on each.

    With Δ = p.loc − q.loc ≥ 0 (else mirrored), a and b the logarithms of the ratios of the rates (q's over
    p's) above and below, t = Δ over p's scale below, P the probability below, it is larger by
    P [(κ² exp(a) + exp(b)) (exp(−t) − 1 + t) + t (exp(a) − exp(b))].
    """
    ops = p.ops
    turn, level = log_ratio(q.kappa, p.kappa, ops), log_ratio(p.scale, q.scale, ops)
    above, below = level + turn, level - turn
    inverse = 1.0 / p.kappa
    up, down = 1.0 / (1.0 + p.kappa * p.kappa), 1.0 / (1.0 + inverse * inverse)
    (log_up, log_down), (q_up, q_down) = _log_sides(p.kappa, ops), _log_sides(q.kappa, ops)
    # Where a probability may be less than any float their logarithms differ so much that nothing cancels.
    is_wide = abs(turn) > 100.0
    coin = logit_step_divergence(up, down, ops.where(is_wide, 0.0, -2.0 * turn), ops)
    sides = up * (log_up - q_up) + down * (log_down - q_down)
    centred = (
        ops.where(is_wide, sides, coin)
        + weighted_exp_remainder(up, log_up, above, ops)
        + weighted_exp_remainder(down, log_down, below, ops)
    )
    forward = p.loc >= q.loc
    a, b = ops.where(forward, above, below), ops.where(forward, below, above)
    together = ops.equal(p.loc, q.loc)
    if ops.symbolic:  # where only what the steps are multiplied with need not be finite
        a, b = (ops.where(together, ops.minimum(x, 300.0), x) for x in (a, b))
    k, side = ops.where(forward, p.kappa, inverse), ops.where(forward, down, up)
    t = size(p.loc - q.loc, ops) / p.scale / k
    far = ops.exp(b)
    near, remainder = ops.exp(a), exp_remainder(-t, ops)
    moved = ops.where(
        t > 1.0,  # the same, in terms of e^a and e^b, of which either may be much the larger
        near * (k * k * remainder + t) + far * ops.expm1(-t),
        (k * k * near + far) * remainder + t * far * ops.expm1(a - b),
    )
    # The second part may be negative; the rounding of the sum then may be, too.
    apart = infinite_where_undefined(side * moved, ops)
    value = centred + (apart if ops.symbolic else ops.where(together, 0.0, apart))
    return q.broadcast(p.broadcast(ops.where(value < 0.0, 0.0, value)))


def _log_sides(kappa: Array, ops: ArrayOperations) -> tuple[Array, Array]:
    """The logarithms of the probabilities 1/(1 + kappa²) above and 1/(1 + 1/kappa²) below zero."""
    above, is_large = -log1p_square(kappa, ops), kappa > 1.0
    inverse = 1.0 / ops.where(is_large, kappa, 1.0)
    return above, ops.where(is_large, -log1p_square(inverse, ops), above + 2.0 * ops.log(kappa))


@expects(DoubleExponential, Exp)
def exp(p: DoubleExponential, statistic: Exp, at: AffineMap) -> Array:
    """The moment generating function 1 / ((1 − t/κ) (1 + κ t))."""
    ops, t = p.ops, statistic.rate * at.ratio
    first, second = 1.0 - t / p.kappa, 1.0 + t * p.kappa
    exists = ops.logical_and(first > 0.0, second > 0.0)
    mgf = ops.exp(statistic.rate * at.shift) / ops.where(exists, first * second, 1.0)
    return ops.where(exists, mgf, math.inf)


@expects(DoubleExponential, Absolute)
def absolute(p: DoubleExponential, statistic: Absolute, at: AffineMap) -> Array:
    """|E z| and twice what lies beyond zero."""
    ops, ratio = p.ops, abs(at.ratio)
    peak = at.shift * ops.sign(at.ratio)
    k = ops.where(peak >= 0.0, p.kappa, 1.0 / p.kappa)  # zero lies below the peak of Z, or above it: mirrored
    height = size(peak, ops)
    outer = height + ratio * (1.0 / k - k)
    distance = height / ratio
    return outer + 2.0 * ratio * k * k * k / (1.0 + k * k) * ops.exp(-distance / k)


@expects(Normal, Absolute)
def absolute_of_normal(p: Normal, statistic: Absolute, at: AffineMap) -> Array:
    """The mean of a folded normal variable, https://en.wikipedia.org/wiki/Folded_normal_distribution."""
    ops, ratio = p.ops, abs(at.ratio)
    x = _ROOT_HALF * at.shift / ratio
    return ratio * _ROOT_2_OVER_PI * ops.exp(-x * x) + at.shift * ops.erf(x)


@expects(LogGamma, Absolute)
def absolute_of_gumbel(p: LogGamma, statistic: Absolute, at: AffineMap) -> Array:
    """|ratio| (2 E[max(Z + m, 0)] − E[Z + m]), where the first is E₁(exp(−m)) for Gumbel variables.

    From m = 40 on, E₁(exp(−m)) grows as m does: the rest is less than exp(−40), and exp(−m) underflows later.
    """
    if not certainly_is(p.concentration, 1.0):
        return None
    ops, m = p.ops, at.shift / at.ratio
    near = ops.minimum(m, 40.0)
    x = ops.exp(ops.minimum(-near, 6.7)) + 0.0 * at.ratio  # above it the integral is 0
    return abs(at.ratio) * (2.0 * (ops.exp(-x) * scaled_exp1(x, ops) + (m - near)) + _EULER - m)


@expects(GeneralizedGamma, Absolute)
def absolute_of_gamma(p: GeneralizedGamma, statistic: Absolute, at: AffineMap) -> Array:
    """|ratio| E|Z − t|, t where z is 0: |E[Z] − t| and twice what lies beyond t, seen from the mean.

    E[(t − Z)₊] = t P(Z < t) − E[Z; Z < t], where the second is E[Z] times the probability at the shape
    a + 1/power, https://dlmf.nist.gov/8.2.
    """
    ops, a, c, mean = p.ops, p.concentration, p.power, p.standard_mean()
    if at.fixes_zero:
        return abs(at.ratio) * mean
    kink = -at.shift / at.ratio
    inside = ops.where(kink > 0.0, kink, 1.0)
    x, moved = ops.power(inside, c), a + 1.0 / c
    moved = ops.where(moved > 0.0, moved, 1.0)  # else the mean diverges
    below, above = ops.gammainc(a, x), ops.gammaincc(a, x)
    mean_below, mean_above = mean * ops.gammainc(moved, x), mean * ops.gammaincc(moved, x)
    rising = c > 0.0
    lower = inside * ops.where(rising, below, above) - ops.where(rising, mean_below, mean_above)
    upper = ops.where(rising, mean_above, mean_below) - inside * ops.where(rising, above, below)
    is_low = kink < mean
    beyond = ops.where(kink > 0.0, ops.where(is_low, lower, upper), 0.0)
    value = abs(at.ratio) * (ops.where(is_low, mean - kink, kink - mean) + 2.0 * ops.maximum(beyond, 0.0))
    return ops.where(mean < math.inf, value, math.inf)


@expects(Continuous, Absolute)
def absolute_on_one_side(p: Continuous, statistic: Absolute, at: AffineMap) -> Array:
    """|E z| where z is certain to have one sign."""
    low, high = p.standard_ends()
    mean = p.standard_mean()
    if mean is None or not (is_literal(low) and low >= 0.0):
        return None
    if not (at.fixes_zero or (not at.ops.symbolic and _one_sided(at, high))):
        return None
    return abs(at.shift + at.ratio * mean)


def _one_sided(at: AffineMap, high: Array) -> bool:
    """Whether shift + ratio·Z has one sign for all Z from 0 to `high`."""
    first, last = at.shift, at.shift + at.ratio * high
    return bool(np.all(((first >= 0.0) & (last >= 0.0)) | ((first <= 0.0) & (last <= 0.0))))


from_scipy("laplace")(Laplace)
from_scipy("laplace_asymmetric")(AsymmetricLaplace)
from_pymc("LaplaceRV")(Laplace)
from_pymc("AsymmetricLaplaceRV")(lambda b, kappa, loc: AsymmetricLaplace(kappa, loc, 1.0 / b))


@image_of(Laplace, Folded)
def size_of_laplace(p: Laplace, of: Folded) -> GeneralizedGamma | None:
    """Around 0 it is an exponential variable."""
    return GeneralizedGamma(1.0, p.scale) if known_zero(p.loc, p.ops) else None
