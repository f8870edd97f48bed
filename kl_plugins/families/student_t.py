"""Student's t distribution and the Cauchy distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kl_plugins.errors import no_closed_form_of_one
from kl_plugins.families.core.affine import AffineMap
from kl_plugins.families.core.by_nodes import between, by_nodes, not_far_apart, within
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.maps import Raised, image_of
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Absolute, Exp, Log1pSquare, Softplus
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.families.normal import Normal
from kl_plugins.formulas.beta import log1p_ratio
from kl_plugins.formulas.cauchy import cauchy_divergence
from kl_plugins.formulas.gamma import log_moment
from kl_plugins.formulas.student_t import student_t_divergence
from kl_plugins.ops import backend_of
from kl_plugins.ops.gamma_residues import digamma_residue, digamma_rest, log_gamma_residue, stirling_rest
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal, certainly_is, known_zero
from kl_plugins.parameters.declarations import POSITIVE, REAL, Domain, parameter

_LOG_PI = math.log(math.pi)
_ROOT_HALF = math.sqrt(0.5)
HALVABLE = Domain(5e-324)
"""Half of the smallest float is zero."""


class HeavyTailed(Continuous):
    """X = loc + scale·Z, where Z has density ∝ (1 + z²)^(−(df + 1)/2): Student's t over √df.

    https://en.wikipedia.org/wiki/Student%27s_t-distribution.
    """

    df = 1.0

    def log_density(self) -> LogDensity:
        return LogDensity(self._constant(), ((-0.5 * (self.df + 1.0), Log1pSquare()),))

    def _constant(self) -> Array:
        if certainly_is(self.df, 1.0):
            return -_LOG_PI
        half, ops = 0.5 * self.df, self.ops
        change = log_gamma_residue(half + 0.5, ops) - log_gamma_residue(half, ops)
        return change + half * log1p_ratio(0.5, half, ops) + 0.5 * ops.log(half + 0.5) - 0.5 - 0.5 * _LOG_PI

    def standard_mean(self) -> Array:
        """The centre of symmetry. Where there is no mean E|z| is infinite, and that decides."""
        return 0.0

    def standard_variance(self) -> Array:
        df, ops = self.df, self.ops
        exists = df > 2.0
        return ops.where(exists, 1.0 / (ops.where(exists, df, 3.0) - 2.0), math.inf)

    def standard_entropy(self) -> Array:
        return 0.5 * (self.df + 1.0) * self.log1p_square() - self._constant()

    def comes_near_normal(self) -> bool:
        return True

    def negentropy(self) -> Array:
        """Where there is a variance; about 3/(4 df²) for large `df`."""
        if certainly_is(self.df, 1.0):
            return math.inf
        exists, ops = self.df > 2.0, self.ops
        half = 0.5 * ops.where(exists, self.df, 4.0)
        raised = half + 0.5
        value = 0.5 * ops.log1p(1.5 / (half - 1.0)) - ops.log1p(0.5 / half)
        value = value - (0.5 + digamma_rest(half, ops)) / (2.0 * half)
        value = value + (digamma_rest(raised, ops) - digamma_rest(half, ops))
        value = value + (stirling_rest(raised, ops) - stirling_rest(half, ops))
        return ops.where(exists, ops.maximum(value, 0.0), math.inf)

    def log1p_square(self) -> Array:
        """E[log(1 + Z²)]."""
        if certainly_is(self.df, 1.0):
            return 2.0 * math.log(2.0)
        half, ops = 0.5 * self.df, self.ops
        return digamma_residue(half + 0.5, ops) - digamma_residue(half, ops) + log1p_ratio(0.5, half, ops)

    def absolute_moment(self, order: Array) -> Array:
        """E[|Z|^order], infinite where it diverges: Z² is a ratio of gamma variables of shapes ½ and df/2."""
        ops, order = self.ops, 0.5 * order
        logs = log_moment(0.5, order, ops) + log_moment(0.5 * self.df, -order, ops)
        return ops.exp(logs - order * ops.log(self.df))


class Cauchy(HeavyTailed):
    """Cauchy distributions."""

    loc: Array = parameter(REAL, default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0)
    symmetric: ClassVar[bool] = True


class StudentT(HeavyTailed):
    """Student's t distributions: loc + sigma·T, T with `df` degrees of freedom."""

    df: Array = parameter(HALVABLE, static=True)
    loc: Array = parameter(REAL, default=0.0, static=True)
    sigma: Array = parameter(POSITIVE, default=1.0, static=True)
    width: ClassVar[str] = "sigma"
    symmetric: ClassVar[bool] = True

    @property
    def scale(self) -> Array:  # type: ignore[override]
        return self.sigma * self.ops.sqrt(self.df)


@closed_form(Cauchy, Cauchy)
def cauchy_cauchy(p: Cauchy, q: Cauchy) -> Array:
    """log(1 + ((s − t)² + Δ²) / (4 s t)), https://arxiv.org/abs/1905.10965 (Chyzak and Nielsen, 2019)."""
    return cauchy_divergence(p.scale, q.scale, p.loc - q.loc, p.ops)


@by_nodes(StudentT, StudentT)
def student_t_student_t(p: StudentT | Normal, q: StudentT | Cauchy) -> Array:
    """E_p[q/p − 1 − log(q/p)] over nodes around both."""
    return t_over_nodes(p, q, p.loc - q.loc)


by_nodes(StudentT, Cauchy)(student_t_student_t)
by_nodes(Normal, StudentT)(student_t_student_t)
by_nodes(Normal, Cauchy)(student_t_student_t)


LEAST_DF, MOST_DF = 0.01, 1e8
"""The least degrees of freedom whose tails the nodes resolve, and the most."""
BEYOND_DF = " (the limit of more, a normal distribution, has infinitely many)"

NORMAL_DF = 1e30
"""With so many a t variable is a normal one, to rounding of more than the floats."""


def t_over_nodes(p: Any, q: HeavyTailed, step: Array) -> Array:
    """The divergence of t variables, normal ones included, whose places are `step` apart."""
    of_p, of_q, ops = (df_of(p), sigma_of(p)), (q.df, sigma_of(q)), p.ops
    stated = [x.df for x in (p, q) if isinstance(x, HeavyTailed)]
    conditions = between(LEAST_DF, MOST_DF, "degrees of freedom", stated, ops, BEYOND_DF)
    conditions |= not_far_apart(of_p[1], of_q[1], step, ops)
    return within(p, q, student_t_divergence(of_p, of_q, step, ops), conditions)


def df_of(x: Any) -> Array:
    """Of a normal distribution, whole or halved, `NORMAL_DF`."""
    return x.df if isinstance(x, HeavyTailed) else NORMAL_DF


def sigma_of(x: Any) -> Array:
    """The scale of the t variable."""
    if isinstance(x, GeneralizedGamma):
        return _ROOT_HALF * x.scale
    return x.sigma if hasattr(x, "sigma") else x.scale


@expects(HeavyTailed, Log1pSquare)
def log1p_square(p: HeavyTailed, statistic: Log1pSquare, at: AffineMap) -> Array:
    """For Cauchy variables log((1 + |ratio|)² + shift²); else known where the scales of Z are the same."""
    ops = p.ops
    if is_cauchy(p):
        widened = 1.0 + abs(at.ratio)
        distance = at.shift / widened
        return 2.0 * ops.log1p(abs(at.ratio)) + ops.log1p(distance * distance)
    return p.log1p_square() if at.fixes_zero and certainly_equal(abs(at.ratio), 1.0, ops) else None


@expects(HeavyTailed, Absolute)
def absolute(p: HeavyTailed, statistic: Absolute, at: AffineMap) -> Array:
    """About k, where z is 0, E|Z − k| = |k| (2 F(|k|) − 1) + (1 + k²) 2 f(k)/(df − 1), f the density.

    As df f E[|Z|; |Z| > k] is an integral of its derivative; https://dlmf.nist.gov/8.17 is F.
    """
    if is_cauchy(p):
        return math.inf
    if at.fixes_zero:
        return abs(at.ratio) * p.absolute_moment(1.0)
    ops, kink = p.ops, abs(at.shift / at.ratio)
    square = kink * kink
    within_kink = ops.betainc(0.5, 0.5 * p.df, square / (1.0 + square))
    beyond = p.absolute_moment(1.0) * ops.exp(-0.5 * (p.df - 1.0) * ops.log1p(square))
    return abs(at.ratio) * (kink * within_kink + beyond)


@expects(HeavyTailed, Exp)
def exp(p: HeavyTailed, statistic: Exp, at: AffineMap) -> Array:
    return math.inf


@expects(HeavyTailed, Softplus)
def softplus(p: HeavyTailed, statistic: Softplus, at: AffineMap) -> Array:
    return math.inf if is_cauchy(p) else None


def is_cauchy(p: HeavyTailed) -> bool:
    return certainly_is(p.df, 1.0)


def _student_t(df: Array, loc: Array, scale: Array) -> HeavyTailed | Normal:
    """With 1 degree of freedom Cauchy variables, with infinitely many normal ones, where that is known."""
    known = backend_of(df).literal(df)
    if known is not None and known == math.inf:
        return Normal(loc, scale)
    numbers = backend_of(df).known(df)
    if numbers is not None and np.any(np.isposinf(numbers)):
        raise no_closed_form_of_one(
            "a batch of Student t distributions of which some have infinitely many degrees of freedom, which "
            "are normal; take them apart"
        )
    return Cauchy(loc, scale) if known == 1.0 else StudentT(df, loc, scale)


from_scipy("cauchy")(Cauchy)
from_scipy("t")(_student_t)
from_pymc("CauchyRV")(Cauchy)
from_pymc("StudentTRV")(_student_t)


@image_of(Cauchy, Raised)
def reciprocal_of_cauchy(p: Cauchy, of: Raised) -> Cauchy | None:
    """https://en.wikipedia.org/wiki/Cauchy_distribution#Transformation_properties."""
    if p.ops.literal(of.exponent) != -1.0:
        return None
    if known_zero(p.loc, p.ops):
        return Cauchy(0.0, 1.0 / p.scale)
    size = p.loc * p.loc + p.scale * p.scale
    return Cauchy(p.loc / size, p.scale / size)
