"""The truncated normal distribution."""

from __future__ import annotations

import math
from typing import Self

from kl_plugins.families.core.affine import AffineMap, affine_map, in_shape_of_pair, outside
from kl_plugins.families.core.closed_forms import closed_form, infinite
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.discrete import opposite
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Absolute, Exp, Square
from kl_plugins.families.normal import Normal
from kl_plugins.formulas.sums import infinite_where_undefined
from kl_plugins.formulas.truncated import (
    log_exp_mean,
    log_integral,
    truncated_divergence,
    truncated_entropy,
    truncated_mean,
    truncated_variance,
)
from kl_plugins.ops import backend_of
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.certainty import certainly_infinite
from kl_plugins.parameters.declarations import EXTENDED_REAL, POSITIVE, REAL, parameter

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_ROOT_HALF = math.sqrt(0.5)


class TruncatedNormal(Continuous):
    """X = loc + scale·Z, where Z is a standard normal variable between `low` and `high`, perhaps infinite.

    https://en.wikipedia.org/wiki/Truncated_normal_distribution
    """

    low: Array = parameter(EXTENDED_REAL, typical=(-1.0, -2.0), static=True)
    high: Array = parameter(EXTENDED_REAL, typical=(1.5, math.inf), static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)

    def mirrored(self) -> Self:
        return self.changed(low=-self.high, high=-self.low, loc=-self.loc)

    def further_conditions(self) -> Conditions:
        yield opposite(self.low >= self.high, self.ops), "the lower end must be less than the upper end"

    def standard_ends(self) -> tuple[Array, Array]:
        return self.low, self.high

    def log_density(self) -> LogDensity:
        return LogDensity(-log_integral(self.low, self.high, self.ops), ((-0.5, Square()),))

    def standard_entropy(self) -> Array:
        return truncated_entropy(self.low, self.high, self.ops)

    def standard_mean(self) -> Array:
        return truncated_mean(self.low, self.high, self.ops)

    def standard_variance(self) -> Array:
        return truncated_variance(self.low, self.high, self.ops)


@closed_form(TruncatedNormal, TruncatedNormal)
def truncated_truncated(p: TruncatedNormal, q: TruncatedNormal) -> Array:
    """The logarithm of an expectation of exp(log(q/p)); +∞ where p's interval is not inside of q's."""
    ops, at = p.ops, affine_map(p, q)
    beyond = outside(p, q, at)
    if beyond is True:
        return infinite(p, q)
    turn = (p.scale - q.scale) / q.scale
    value = truncated_divergence(p.low, p.high, q.low, q.high, at.shift, turn, ops)
    return in_shape_of_pair(p, q, infinite_where_undefined(value, ops), beyond)


@closed_form(TruncatedNormal, Normal)
def truncated_normal(p: TruncatedNormal, q: Normal) -> Array:
    """That from q between p's ends, and minus the logarithm of q's mass there, which q's tails lack of 1."""
    ops, at = p.ops, affine_map(p, q)
    low, high = (end if certainly_infinite(end) else at.shift + at.ratio * end for end in (p.low, p.high))
    between = truncated_truncated(
        p, TruncatedNormal.unchecked(ops, low=low, high=high, loc=q.mean, scale=q.scale)
    )
    tails = 0.5 * (ops.erfc(_ROOT_HALF * high) + ops.erfc(-_ROOT_HALF * low))
    mass = ops.where(
        tails < 0.5, ops.log1p(-ops.minimum(tails, 0.5)), log_integral(low, high, ops) - _HALF_LOG_2PI
    )
    return between - mass


@expects(TruncatedNormal, Exp)
def exp(p: TruncatedNormal, statistic: Exp, at: AffineMap) -> Array:
    """The moment generating function."""
    t = statistic.rate * at.ratio
    return p.ops.exp(statistic.rate * at.shift + log_exp_mean(t, p.low, p.high, p.ops))


@expects(TruncatedNormal, Absolute)
def absolute(p: TruncatedNormal, statistic: Absolute, at: AffineMap) -> Array:
    """With c = −shift/ratio: |ratio|·(E Z − c + 2 E(c − Z)₊), from the mean and the mass below c."""
    ops, kink = p.ops, -at.shift / at.ratio
    low, high = p.low, p.high
    some = kink > low
    upto = ops.where(some, ops.minimum(kink, high), high)
    mass = ops.exp(log_integral(low, upto, ops) - log_integral(low, high, ops))
    below = ops.where(some, mass * (kink - truncated_mean(low, upto, ops)), 0.0)
    return ops.absolute(at.ratio) * (p.standard_mean() - kink + 2.0 * below)


def truncated_between(mean: Array, scale: Array, lower: Array, upper: Array) -> TruncatedNormal:
    """With these ends, of a normal variable of this mean and standard deviation before it is truncated."""
    return TruncatedNormal(_standard(lower, mean, scale), _standard(upper, mean, scale), mean, scale)


def _standard(end: Array, mean: Array, scale: Array) -> Array:
    """The end in standard deviations from the mean: a plain number where all of them are."""
    ops = backend_of(end, mean, scale)
    known = [ops.literal(value) for value in (end, mean, scale)]
    if known[0] is not None and math.isinf(known[0]):
        return known[0]
    if None not in known and known[2] != 0.0:
        end, mean, scale = known
    return (end - mean) / scale


from_scipy("truncnorm")(TruncatedNormal)
from_pymc("TruncatedNormalRV")(truncated_between)
