"""The logit-normal distribution, Johnson's SB."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

from kl_plugins.families.beta import Beta
from kl_plugins.families.core.affine import AffineMap, affine_map
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.images import unless_common
from kl_plugins.families.core.maps import Odds, Sigmoid, image_of, is_unit
from kl_plugins.families.core.names import from_pymc, from_scipy, if_positive
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Log, Log1m, Statistic
from kl_plugins.families.log_transformed import LogNormal
from kl_plugins.families.logistic import Logistic
from kl_plugins.families.normal import Normal, normal_normal
from kl_plugins.families.uniform import Uniform
from kl_plugins.formulas.beta import digamma_difference
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True, eq=False)
class LogitSquare(Statistic):
    """((log(z/(1 − z)) − mean)/std)²."""

    mean: Array
    std: Array
    text = "(logit z)²"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return ((ops.log(z) - ops.log1p(-z) - self.mean) / self.std) ** 2


class LogitNormal(Continuous):
    """X = loc + scale·Z, Z on (0, 1), where log(Z/(1 − Z)) is normal.

    https://en.wikipedia.org/wiki/Logit-normal_distribution; with any loc and scale it is Johnson's SB.
    """

    mean: Array = parameter(REAL, static=True)
    std: Array = parameter(POSITIVE, meaning="the standard deviation", static=True)
    loc: Array = parameter(REAL, typical=(0.0,), default=0.0, static=True)
    scale: Array = parameter(POSITIVE, typical=(1.0,), default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, 1.0)
    common: ClassVar[tuple[str, ...]] = ("loc", "scale")

    def mirrored(self) -> Self:
        return self.changed(mean=-self.mean, loc=-self.loc - self.scale)

    def log_density(self) -> LogDensity:
        terms = ((-0.5, LogitSquare(self.mean, self.std)), (-1.0, Log()), (-1.0, Log1m()))
        return LogDensity(-_HALF_LOG_2PI - self.ops.log(self.std), terms)


@closed_form(LogitNormal, LogitNormal)
def logit_normal_logit_normal(p: LogitNormal, q: LogitNormal) -> Array:
    """That of the normal distributions of the logits, where both are on one interval; else by statistics."""
    at = affine_map(p, q)
    if not (at.fixes_zero and at.fixes_one):
        return unless_common(p, q)
    return q.broadcast(p.broadcast(normal_normal(_logit(p), _logit(q))))


def _logit(p: LogitNormal) -> Normal:
    return Normal.unchecked(p.ops, mean=p.mean, scale=p.std)


@expects(Beta, LogitSquare)
@expects(Uniform, LogitSquare)
def of_beta(p: Beta | Uniform, statistic: LogitSquare, at: AffineMap) -> Array:
    """The logit of a beta variable has mean ψ(a) − ψ(b) and variance ψ₁(a) + ψ₁(b)."""
    if not (p.is_plain and at.fixes_zero and at.fixes_one):
        return None
    ops = p.ops
    mean = digamma_difference(p.a, p.b, ops) - digamma_difference(p.b, p.a, ops)
    distance = (mean - statistic.mean) / statistic.std
    variance = ops.trigamma(p.a) + ops.trigamma(p.b)
    return distance * distance + variance / statistic.std / statistic.std


from_scipy("johnsonsb")(if_positive("_ b", lambda a, b, loc, scale: LogitNormal(-a / b, 1.0 / b, loc, scale)))
from_pymc("LogitNormal")(LogitNormal)


@image_of(Normal, Sigmoid)
def sigmoid_of_normal(p: Normal, of: Sigmoid) -> LogitNormal:
    return LogitNormal(p.mean, p.scale)


@image_of(Logistic, Sigmoid)
def sigmoid_of_logistic(p: Logistic, of: Sigmoid) -> Uniform | None:
    return Uniform(0.0, 1.0) if is_unit(p) else None


@image_of(LogitNormal, Odds)
def odds_of_logit_normal(p: LogitNormal, of: Odds) -> LogNormal | None:
    return LogNormal(_logit(p)) if is_unit(p) else None
