"""The triangular distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from kl_plugins.families.core.affine import AffineMap, affine_map, in_shape_of_pair, outside
from kl_plugins.families.core.closed_forms import closed_form, infinite
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Exp, Power, Statistic
from kl_plugins.families.uniform import Uniform, bounded_expectations, difference
from kl_plugins.formulas.interval_means import exp_triangular_mean, power_triangular_mean, triangular_mean
from kl_plugins.formulas.sums import infinite_where_undefined
from kl_plugins.formulas.triangular import (
    log_triangular_triangular_mean,
    log_triangular_uniform_mean,
    near_triangular_divergence,
    triangular_divergence,
)
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.declarations import POSITIVE, PROBABILITY, REAL, parameter


@dataclass(frozen=True, eq=False)
class LogTriangle(Statistic):
    """The logarithm of the triangle of height 1 with its top at `mode`."""

    mode: Array
    text = "log min(z/c, (1 − z)/(1 − c))"

    def __call__(self, z: Array, ops: Operations) -> Array:
        below = z < self.mode
        return ops.log(ops.where(below, z, 1.0 - z) / ops.where(below, self.mode, 1.0 - self.mode))


class Triangular(Continuous):
    """X = loc + scale·T, where T has a density on (0, 1) that rises to 2 at `mode` and falls again.

    https://en.wikipedia.org/wiki/Triangular_distribution; the mode may be 0 or 1.
    """

    mode: Array = parameter(
        PROBABILITY, meaning="its place between the lower end, 0, and the upper end, 1", static=True
    )
    loc: Array = parameter(REAL, typical=(0.5,), meaning="the lower end", default=0.0, static=True)
    scale: Array = parameter(POSITIVE, meaning="upper less lower end", default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def mirrored(self) -> Self:
        return self.changed(mode=1.0 - self.mode, loc=-self.loc - self.scale)

    def log_density(self) -> LogDensity:
        return LogDensity(_LOG_2, ((1.0, LogTriangle(self.mode)),))

    def standard_entropy(self) -> Array:
        return 0.5 - _LOG_2

    def standard_mean(self) -> Array:
        return (1.0 + self.mode) / 3.0

    def standard_variance(self) -> Array:
        return (1.0 - self.mode * (1.0 - self.mode)) / 18.0


@closed_form(Triangular, Triangular)
def triangular_triangular(p: Triangular, q: Triangular) -> Array:
    """From what the densities' ratio lacks of 1, where the ends or nearly the modes are the same.

    Else by statistics.
    """
    ops, at = p.ops, affine_map(p, q)
    if at.fixes_zero and at.fixes_one:
        return q.broadcast(p.broadcast(triangular_divergence(p.mode, q.mode, ops)))
    beyond = outside(p, q, at)
    if beyond is True:
        return infinite(p, q)
    start, wider = p.loc - q.loc, q.scale - p.scale
    below, above = ops.maximum(start / p.scale, 0.0), ops.maximum((wider - start) / p.scale, 0.0)
    step = ((q.mode - p.mode) * q.scale + p.mode * wider - start) / p.scale
    close, value = near_triangular_divergence(p.mode, 1.0 - p.mode, step, below, above, ops)
    if ops.symbolic or not np.all(close):
        value = ops.where(close, value, by_statistics(p, q))
    return in_shape_of_pair(p, q, infinite_where_undefined(value, ops), beyond)


@expects(Uniform, LogTriangle)
def of_uniform(p: Uniform, statistic: LogTriangle, at: AffineMap) -> Array:
    return log_triangular_uniform_mean(statistic.mode, at.shift, at.ratio, at.upper, p.ops)


@expects(Triangular, LogTriangle)
def of_triangular(p: Triangular, statistic: LogTriangle, at: AffineMap) -> Array:
    return log_triangular_triangular_mean(statistic.mode, p.mode, at.shift, at.ratio, at.upper, p.ops)


bounded_expectations(Triangular, lambda p, f, start, step: triangular_mean(f, p.mode, start, step, p.ops))


@expects(Triangular, Power)
def power(p: Triangular, statistic: Power, at: AffineMap) -> Array:
    return power_triangular_mean(statistic.exponent, p.mode, at.shift, at.ratio, p.ops)


@expects(Triangular, Exp)
def exp(p: Triangular, statistic: Exp, at: AffineMap) -> Array:
    return exp_triangular_mean(p.mode, statistic.rate * at.shift, statistic.rate * at.ratio, p.ops)


def _between(lower: Array, mode: Array, upper: Array) -> Triangular:
    width, offset = difference(upper, lower), difference(mode, lower)
    return Triangular(offset / width, lower, width)


_LOG_2 = 0.6931471805599453

from_scipy("triang")(Triangular)
from_pymc("TriangularRV")(_between)
