"""Student's t distribution and the Cauchy distribution, halved."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from kl_plugins.families.core.affine import AffineMap, same_location
from kl_plugins.families.core.by_nodes import by_nodes
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import by_statistics
from kl_plugins.families.core.maps import Exponential, Folded, Logarithm, image_of, starts_at_zero
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import expects
from kl_plugins.families.core.statistics import Absolute, Exp, Log1pSquare, Softplus
from kl_plugins.families.gamma import GeneralizedGamma, half_normal
from kl_plugins.families.laplace import absolute_on_one_side
from kl_plugins.families.logistic import HyperbolicSecant
from kl_plugins.families.student_t import (
    HALVABLE,
    Cauchy,
    HeavyTailed,
    StudentT,
    is_cauchy,
    log1p_square,
    t_over_nodes,
)
from kl_plugins.formulas.cauchy import cauchy_divergence
from kl_plugins.ops import backend_of
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal, certainly_is, known_zero
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter

_PSI_HALF_LESS = 1.9635100260214235
"""−ψ(½), https://dlmf.nist.gov/5.4.13."""


class Halved(HeavyTailed):
    """X = loc + sign·scale·|Z|."""

    def comes_near_normal(self) -> bool:
        return False

    ends: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def _constant(self) -> Array:
        return math.log(2.0) + super()._constant()

    def moment(self, order: Array) -> Array:
        return self.absolute_moment(order)

    def mean_log(self) -> Array:
        """(ψ(½) − ψ(df/2)) / 2: Z² is a ratio of gamma variables."""
        return -0.5 * (_PSI_HALF_LESS + self.ops.digamma(0.5 * self.df))

    def variance_log(self) -> Array:
        return 0.25 * (0.5 * math.pi**2 + self.ops.trigamma(0.5 * self.df))

    def standard_mean(self) -> Array:
        return self.moment(1.0)

    def standard_variance(self) -> Array:
        """E[Z²] less the square of the mean."""
        second, mean = super().standard_variance(), self.moment(1.0)
        return self.ops.where(second < math.inf, second - mean * mean, math.inf)


class HalfCauchy(Halved):
    """The absolute values of Cauchy variables around zero, moved by loc."""

    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0)
    sign: Array = parameter(REAL, typical=(-1.0,), default=1.0, static=True)


class HalfStudentT(Halved):
    """The absolute values of Student's t variables around zero, moved by loc."""

    df: Array = parameter(HALVABLE, static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    sigma: Array = parameter(POSITIVE, default=1.0, static=True)
    sign: Array = parameter(REAL, typical=(-1.0,), default=1.0, static=True)
    width: ClassVar[str] = "sigma"

    @property
    def scale(self) -> Array:  # type: ignore[override]
        return self.sigma * self.ops.sqrt(self.df)


@closed_form(HalfCauchy, HalfCauchy)
def half_cauchy_half_cauchy(p: HalfCauchy, q: HalfCauchy) -> Array:
    """That of the whole distributions, where both start at the same place; else by statistics."""
    if not (same_location(p, q) and p.sign == q.sign):
        return by_statistics(p, q)
    return q.broadcast(p.broadcast(cauchy_divergence(p.scale, q.scale, 0.0 * p.scale, p.ops)))


@by_nodes(HalfStudentT, HalfStudentT)
def half_student_t_half_student_t(p: HalfStudentT, q: HalfStudentT | HalfCauchy) -> Array:
    """That of the whole distributions, where both start at the same place; else by statistics."""
    if not (same_location(p, q) and p.sign == q.sign):
        return by_statistics(p, q)
    return t_over_nodes(p, q, 0.0 * p.sigma)


by_nodes(HalfStudentT, HalfCauchy)(half_student_t_half_student_t)


@by_nodes(GeneralizedGamma, Halved)
def half_normal_half_student_t(p: GeneralizedGamma, q: Halved) -> Array:
    """That of the whole distributions, where both start at the same place; else by statistics."""
    is_half_normal = certainly_is(p.concentration, 0.5) and certainly_is(p.power, 2.0)
    if not (is_half_normal and same_location(p, q) and p.sign == q.sign):
        return by_statistics(p, q)
    return t_over_nodes(p, q, 0.0 * p.scale)


@expects(Halved, Log1pSquare)
def log1p_square_halved(p: Halved, statistic: Log1pSquare, at: AffineMap) -> Array:
    return log1p_square(p, statistic, at) if at.fixes_zero else None


@expects(Halved, Absolute)
def absolute_halved(p: Halved, statistic: Absolute, at: AffineMap) -> Array:
    if is_cauchy(p):
        return math.inf
    return absolute_on_one_side(p, statistic, at)


@expects(Halved, Exp)
def exp_halved(p: Halved, statistic: Exp, at: AffineMap) -> Array:
    """+∞ on the side of the heavy tail; there is no closed form on the other."""
    t = statistic.rate * at.ratio
    return math.inf if not p.ops.symbolic and np.all(t > 0.0) else None


@expects(Halved, Softplus)
def softplus_halved(p: Halved, statistic: Softplus, at: AffineMap) -> Array:
    """+∞ on the side of the heavy tail; there is no closed form on the other."""
    return math.inf if is_cauchy(p) and not p.ops.symbolic and np.all(at.ratio < 0.0) else None


def _half_student_t(df: Array, scale: Array) -> Halved | GeneralizedGamma:
    known = backend_of(df).literal(df)
    if known is not None and known == math.inf:
        return half_normal(0.0, scale)
    return HalfCauchy(0.0, scale) if known == 1.0 else HalfStudentT(df, 0.0, scale)


from_scipy("halfcauchy")(HalfCauchy)
from_pymc("HalfCauchyRV")(lambda scale: HalfCauchy(0.0, scale))
from_pymc("HalfStudentTRV")(_half_student_t)


@image_of(Cauchy, Folded)
def size_of_cauchy(p: Cauchy, of: Folded) -> HalfCauchy | None:
    return HalfCauchy(0.0, p.scale) if known_zero(p.loc, p.ops) else None


@image_of(StudentT, Folded)
def size_of_student_t(p: StudentT, of: Folded) -> HalfStudentT | None:
    return HalfStudentT(p.df, 0.0, p.sigma) if known_zero(p.loc, p.ops) else None


@image_of(HalfCauchy, Logarithm)
def log_of_half_cauchy(p: HalfCauchy, of: Logarithm) -> HyperbolicSecant | None:
    return HyperbolicSecant(p.ops.log(p.scale)) if starts_at_zero(p) else None


@image_of(HyperbolicSecant, Exponential)
def exponential_of_secant(p: HyperbolicSecant, of: Exponential) -> HalfCauchy | None:
    is_known = certainly_equal(p.scale, 1.0, p.ops)
    return HalfCauchy(0.0, p.ops.exp(p.loc)) if is_known else None
