"""The uniform distribution, which knows the average of nearly every statistic."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

from kl_plugins.families.beta import Beta, log_of_beta, power_of_beta
from kl_plugins.families.core.affine import AffineMap, affine_map, in_shape_of_pair, outside
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.maps import Logarithm, Raised, image_of, starts_at_zero
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.overlaps import overlap_of
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import (
    Absolute,
    Exp,
    Log,
    Log1m,
    Log1p,
    Log1pSquare,
    LogSquare,
    Power,
    Statistic,
)
from kl_plugins.formulas.beta import beta_divergence
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.interval_means import (
    ABSOLUTE,
    LOG,
    LOG1P_SQUARE,
    LOG_SQUARE,
    Integrand,
    exp_uniform_mean,
    power_uniform_mean,
    uniform_mean,
)
from kl_plugins.formulas.overlaps import uniform_overlap
from kl_plugins.ops import backend_of
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter


class Uniform(Continuous):
    """X = loc + scale·U, U uniform on (0, 1): a beta variable with a = b = 1."""

    loc: Array = parameter(REAL, typical=(0.5, 0.0), meaning="the lower end", static=True)
    scale: Array = parameter(POSITIVE, meaning="upper less lower end", static=True)
    a: ClassVar[float] = 1.0
    b: ClassVar[float] = 1.0
    is_plain: ClassVar[bool] = True
    ends: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def mirrored(self) -> Self:
        return self.changed(loc=-self.loc - self.scale)

    def log_density(self) -> LogDensity:
        return LogDensity(0.0, ())

    def standard_entropy(self) -> Array:
        return 0.0

    def standard_mean(self) -> Array:
        return 0.5

    def standard_variance(self) -> Array:
        return 1.0 / 12.0


@closed_form(Uniform, Uniform)
def uniform_uniform(p: Uniform, q: Uniform) -> Array:
    """The logarithm of the ratio of the widths, if p's interval is inside of q's; else +∞."""
    ops, at = p.ops, affine_map(p, q)
    value = ops.maximum(log_ratio(q.scale, p.scale, ops), 0.0)
    return in_shape_of_pair(p, q, value, outside(p, q, at))


@overlap_of(Uniform, Uniform)
def uniform_uniform_overlap(p: Uniform, q: Uniform, s: Array, t: Array, balanced: bool) -> Array:
    return uniform_overlap(p.scale, q.scale, q.loc - p.loc, t, p.ops)


@closed_form(Beta, Uniform)
@closed_form(Uniform, Beta)
def beta_uniform(p: Beta | Uniform, q: Beta | Uniform) -> Array:
    """That of beta distributions, where both are on the same interval; else by statistics."""
    at = affine_map(p, q)
    if not (at.fixes_zero and at.fixes_one and p.is_plain and q.is_plain):
        return by_statistics(p, q)
    return q.broadcast(p.broadcast(beta_divergence(p.a, p.b, q.a, q.b, p.ops)))


def bounded_expectations(family: type, mean: Callable[[Array, Integrand, Array, Array], Array]) -> None:
    """Register what `mean`, a function of (distribution, integrand, start, step), makes known.

    It is the expectation of the integrand at start + step·Z; at a step from 1 − Z if p is told so.
    """
    for statistic, integrand in (
        (Log, LOG), (LogSquare, LOG_SQUARE), (Log1pSquare, LOG1P_SQUARE), (Absolute, ABSOLUTE),
    ):  # fmt: skip
        expects(family, statistic)(_at_z(mean, integrand))
    expects(family, Log1p)(lambda p, statistic, at: mean(p, LOG, 1.0 + at.shift, at.ratio))
    expects(family, Log1m)(lambda p, statistic, at: mean(p, LOG, at.upper + at.ratio, -at.ratio))


def _at_z(mean: Callable[..., Array], integrand: Integrand) -> Callable[..., Array]:
    def expected(p: Array, statistic: Statistic, at: AffineMap) -> Array:
        return mean(p, integrand, at.shift, at.ratio)

    return expected


bounded_expectations(Uniform, lambda p, integrand, start, step: uniform_mean(integrand, start, step, p.ops))


@expects(Uniform, Power)
def power(p: Uniform, statistic: Power, at: AffineMap) -> Array:
    return power_uniform_mean(statistic.exponent, at.shift, at.ratio, p.ops)


@expects(Uniform, Exp)
def exp(p: Uniform, statistic: Exp, at: AffineMap) -> Array:
    return exp_uniform_mean(statistic.rate * at.shift, statistic.rate * at.ratio, p.ops)


def difference(upper: Array, lower: Array) -> Array:
    """upper − lower, a plain number where a graph holds both as constants."""
    ops = backend_of(upper, lower)
    high, low = ops.literal(upper), ops.literal(lower)
    return upper - lower if high is None or low is None else high - low


from_scipy("uniform")(Uniform)
from_pymc("UniformRV")(lambda lower, upper: Uniform(lower, difference(upper, lower)))


@image_of(Uniform, Raised)
def power_of_uniform(p: Uniform, of: Raised) -> Distribution | None:
    return power_of_beta(Beta(1.0, 1.0, p.loc, p.scale), of) if starts_at_zero(p) else None


@image_of(Uniform, Logarithm)
def log_of_uniform(p: Uniform, of: Logarithm) -> Distribution | None:
    return log_of_beta(Beta(1.0, 1.0, p.loc, p.scale), of)
