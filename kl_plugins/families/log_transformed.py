"""Exponentials of variables on the real line: log-normal, log-logistic and log-Laplace."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kl_plugins.families.core.affine import AffineMap, identity_map, same_location
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.images import Image, cost_of_bases, of_bases
from kl_plugins.families.core.maps import Exponential, Logarithm, Raised, image_of, starts_at_zero
from kl_plugins.families.core.names import from_pymc, from_scipy, if_positive
from kl_plugins.families.core.statements import LogDensity, expectation, expects
from kl_plugins.families.core.statistics import Exp, Identity, Log, LogSquare, Power, Square, Statistic
from kl_plugins.families.core.univariate import EVERYWHERE
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.families.laplace import Laplace
from kl_plugins.families.log_gamma import LogGamma, log_gamma_negentropy
from kl_plugins.families.logistic import Logistic
from kl_plugins.families.normal import Normal
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.exponential import log_normal_negentropy
from kl_plugins.formulas.shared import normal_divergence
from kl_plugins.formulas.sums import infinite_where_undefined
from kl_plugins.ops.deferred import deferred, of_floats
from kl_plugins.ops.gamma_residues import digamma_residue
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.certainty import certainly_is, certainly_zero, is_literal


class LogTransformed(Image):
    """X = loc + sign·scale·exp(B), B of the family `base` on the whole real line.

    Where both sides start at the same place a divergence is that of the bases, which stays in the floats
    where exp(B) does not.
    """

    ends: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def has_map_of(self, other: Image) -> bool:
        return isinstance(other, LogTransformed)

    def base_in(self, scale: Array) -> Continuous:
        return self.logarithm(scale)

    def logarithm(self, scale: Array = 1.0) -> Continuous:
        """The distribution of log(sign·(X − loc) / scale)."""
        plain = is_literal(self.scale) and is_literal(scale)  # which must not widen arrays of float32
        if plain and self.scale == scale:
            return self.base  # type: ignore[no-any-return]
        by = log_ratio(self.scale, scale, of_floats(self.ops) if plain else self.ops)
        state, name = self.base.__getstate__(), "loc" if "loc" in self.base.parameters else "mean"
        place = self.base.loc
        moved = by if certainly_zero(place, self.ops) else place + by
        return self.base.unchecked(self.ops, **(state | {name: moved}))  # type: ignore[no-any-return]

    def log_density(self) -> LogDensity:
        """That of the base at log z, and −log z for the change of the variable."""
        ops, base = self.ops, self.base
        constant, terms = base.log_density()
        rate, place = base.sign / base.scale, base.loc
        found: list[tuple[Array, Statistic]] = [(-1.0, Log())]
        for c, statistic in terms:
            if isinstance(statistic, Square):
                weight = c * rate * rate
                found += [(weight, LogSquare()), (-2.0 * weight * place, Log())]
                constant = constant + weight * place * place
            elif isinstance(statistic, Identity):
                found.append((c * rate, Log()))
                constant = constant - c * rate * place
            else:
                found.append((c, OfLog(statistic, base)))
        return LogDensity(constant - ops.log(base.scale), tuple(found))

    def mean_log_stretch(self) -> Array:
        return self.base.loc + self.base.sign * self.base.scale * self.base.standard_mean()

    def moment(self, order: Array) -> Array:
        """E[exp(order·B)], infinite where it diverges."""
        return expectation(self.base, Exp(order), _log_at(self, identity_map(self.ops)))


@dataclass(frozen=True, eq=False)
class OfLog(Statistic):
    """A statistic of the base's standard variable, which is (log z − loc) / scale."""

    statistic: Statistic
    base: Any

    @property
    def text(self) -> str:  # type: ignore[override]
        return f"{self.statistic.text} at a multiple of log z"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return self.statistic(self.base.sign * (ops.log(z) - self.base.loc) / self.base.scale, ops)


def _cost(p: Any, q: Any) -> str:
    """That of the logarithms."""
    p, q = deferred(p, q)
    if not _from_one_place(p, q):
        return "O(1)"
    if isinstance(q, GeneralizedGamma):
        return cost_of_bases(p.logarithm(q.scale), _log_gamma(q))
    return cost_of_bases(_log_gamma(p), q.logarithm(p.scale))


@closed_form(LogTransformed, GeneralizedGamma, _cost)
def log_transformed_gamma(p: LogTransformed, q: GeneralizedGamma) -> Array:
    """The divergence of the logarithms, where both start at the same place; else by statistics."""
    q_log = _log_gamma(q)
    if q_log is None or not _from_one_place(p, q):
        return by_statistics(p, q)
    return of_bases(p, q, p.logarithm(q.scale), q_log)


@closed_form(GeneralizedGamma, LogTransformed, _cost)
def gamma_log_transformed(p: GeneralizedGamma, q: LogTransformed) -> Array:
    """The divergence of the logarithms, where both start at the same place; else by statistics."""
    p_log = _log_gamma(p)
    if p_log is None or not _from_one_place(p, q):
        return by_statistics(p, q)
    return of_bases(p, q, p_log, q.logarithm(p.scale))


def _from_one_place(p: Continuous, q: Continuous) -> bool:
    return p.sign == q.sign and same_location(p, q)


def _log_gamma(x: GeneralizedGamma) -> LogGamma | None:
    """The distribution of log((X − loc) / scale), if it points one way."""
    power = x.power
    if x.ops.symbolic and not is_literal(power):
        return None
    positive = np.greater(power, 0.0)
    if not (positive.all() or not positive.any()):
        return None
    sign = 1.0 if positive.all() else -1.0
    state = {"concentration": x.concentration, "loc": 0.0, "scale": sign / power, "sign": sign, "level": 0.0}
    return LogGamma.unchecked(x.ops, **state)


def _log_at(p: LogTransformed, at: AffineMap) -> AffineMap:
    """log z in terms of the base's standard variable, where z is a multiple of exp(B)."""
    base = p.base
    by = 0.0 if certainly_is(at.ratio, 1.0) else p.ops.log(at.ratio)
    return AffineMap(p.ops, base.loc + by, base.sign * base.scale)


@expects(LogTransformed, Log)
def log(p: LogTransformed, statistic: Log, at: AffineMap) -> Array:
    return expectation(p.base, Identity(), _log_at(p, at)) if at.fixes_zero else None


@expects(LogTransformed, LogSquare)
def log_square(p: LogTransformed, statistic: LogSquare, at: AffineMap) -> Array:
    return expectation(p.base, Square(), _log_at(p, at)) if at.fixes_zero else None


@expects(LogTransformed, Power)
def power(p: LogTransformed, statistic: Power, at: AffineMap) -> Array:
    return expectation(p.base, Exp(statistic.exponent), _log_at(p, at)) if at.fixes_zero else None


@expects(LogTransformed, OfLog)
def of_log(p: LogTransformed, statistic: OfLog, at: AffineMap) -> Array:
    if not at.fixes_zero:
        return None
    q, (ops, shift, ratio, _) = statistic.base, _log_at(p, at)
    rate = q.sign / q.scale
    return expectation(p.base, statistic.statistic, AffineMap(ops, rate * (shift - q.loc), rate * ratio))


@expects(LogTransformed, Exp)
def exp(p: LogTransformed, statistic: Exp, at: AffineMap) -> Array:
    """+∞ on the side of the heavy tail; there is no closed form on the other."""
    t = statistic.rate * at.ratio
    return math.inf if not p.ops.symbolic and np.all(t > 0.0) else None


class LogNormal(LogTransformed):
    """X = loc + scale·exp(B), B normal."""

    def comes_near_normal(self) -> bool:
        return True

    def negentropy(self) -> Array:
        return log_normal_negentropy(self.base.scale * self.base.scale, self.ops)

    def standard_variance(self) -> Array:
        mean = self.standard_mean()
        return mean * mean * self.ops.expm1(self.base.scale * self.base.scale)


class LogLogistic(LogTransformed):
    """X = loc + scale·exp(B), B logistic."""


class LogLaplace(LogTransformed):
    """X = loc + scale·exp(B), B a Laplace variable."""


@closed_form(GeneralizedGamma, LogNormal)
def gamma_log_normal(p: GeneralizedGamma, q: LogNormal) -> Array:
    """That of the normal distribution of log X, and log X's from that, where both start at the same place.

    log X has the mean ln(scale·aᵏ) + k (ψ(a) − ln a), k = 1/power; scale·aᵏ is compared with q's scale before
    a logarithm is taken.
    """
    if not _from_one_place(p, q):
        return by_statistics(p, q)
    ops, a = p.ops, p.concentration
    order = 1.0 / p.power
    step = log_ratio(p.scale, q.scale, ops) + order * ops.log(a)
    if is_literal(order) and abs(order) == 1.0:
        middle = p.scale * a if order > 0.0 else p.scale / a
        is_float = ops.logical_and(middle > 1e-290, 1e-290 * middle < 1.0)
        step = ops.where(is_float, log_ratio(ops.where(is_float, middle, q.scale), q.scale, ops), step)
    step = step + order * digamma_residue(a, ops) - q.base.mean
    scale = abs(order) * ops.sqrt(ops.trigamma(a))
    value = normal_divergence(scale, q.base.scale, step, ops) + log_gamma_negentropy(a, ops)
    return q.broadcast(p.broadcast(infinite_where_undefined(value, ops)))


from_scipy("lognorm")(if_positive("s", lambda s, loc, scale: LogNormal(Normal(0.0, s), scale, loc)))
from_scipy("fisk")(if_positive("c", lambda c, loc, scale: LogLogistic(Logistic(0.0, 1.0 / c), scale, loc)))
from_scipy("loglaplace")(
    if_positive("c", lambda c, loc, scale: LogLaplace(Laplace(0.0, 1.0 / c), scale, loc))
)
from_scipy("gibrat")(lambda loc, scale: LogNormal(Normal(0.0, 1.0), scale, loc))
from_pymc("LogNormalRV")(lambda mean, scale: LogNormal(Normal(mean, scale)))


@image_of(Continuous, Exponential)
def exponential(p: Continuous, of: Exponential) -> LogTransformed | None:
    """Of whatever is everywhere."""
    return LogTransformed(p) if p.ends == EVERYWHERE and p.standard_ends() == EVERYWHERE else None


for _base, _family in ((Normal, LogNormal), (Logistic, LogLogistic), (Laplace, LogLaplace)):
    image_of(_base, Exponential)(lambda p, of, family=_family: family(p))


@image_of(LogTransformed, Logarithm)
def logarithm(p: LogTransformed, of: Logarithm) -> Continuous | None:
    return p.logarithm() if starts_at_zero(p) else None


@image_of(LogTransformed, Raised)
def power_of_exponential(p: LogTransformed, of: Raised) -> LogTransformed | None:
    """The exponential of a multiple of the base."""
    c = p.ops.literal(of.exponent)
    multiple = p.base.moved(0.0, of.exponent, None if c is None else np.sign(c))
    return type(p)(multiple, p.scale**of.exponent) if multiple is not None and starts_at_zero(p) else None
