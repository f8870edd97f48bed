"""The logistic distribution and the hyperbolic secant distribution."""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar

from kl_plugins.families.core.affine import AffineMap
from kl_plugins.families.core.by_nodes import QUADRATURE, by_nodes, on_arrays
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.log_odds import by_log_odds
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import LogDensity, expects
from kl_plugins.families.core.statistics import Absolute, Exp, Identity, Softplus, Statistic
from kl_plugins.families.log_gamma import LogGamma
from kl_plugins.formulas.cancellation_free import size
from kl_plugins.formulas.exponential import scaled_exp1
from kl_plugins.formulas.log_odds import LogOdds
from kl_plugins.ops.protocol import Array, ArrayOperations, Operations
from kl_plugins.parameters.certainty import certainly_equal, certainly_is
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter

_EULER = 0.5772156649015329


class Logistic(Continuous):
    """Logistic distributions, with cumulative distribution function 1 / (1 + exp(−(x − loc) / scale))."""

    loc: Array = parameter(REAL, default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    symmetric: ClassVar[bool] = True

    def log_density(self) -> LogDensity:
        return LogDensity(0.0, ((-1.0, Identity()), (-2.0, Softplus())))

    def standard_mean(self) -> Array:
        return 0.0

    def standard_variance(self) -> Array:
        return math.pi**2 / 3.0

    def standard_entropy(self) -> Array:
        return 2.0


def _unless_of_one_scale(p: Continuous, q: Continuous) -> str:
    return "O(1)" if certainly_equal(p.scale, q.scale, p.ops) else QUADRATURE


@closed_form(Logistic, Logistic, _unless_of_one_scale)
def logistic_logistic(p: Logistic, q: Logistic) -> Array:
    """δ coth(δ/2) − 2 with δ = |Δloc| / scale, where the scales are the same; else over nodes."""
    if not certainly_equal(p.scale, q.scale, p.ops):
        return on_arrays(logistic_or_secant, p, q)
    scale = p.scale + 0.0 * q.scale  # NaN where either is
    value = p.ops.elementwise(_shift_divergence, _shift_gradient, (p.loc - q.loc) / scale)
    return q.broadcast(p.broadcast(value))


def _shift_divergence(step: Array, ops: ArrayOperations) -> Array:
    x = ops.absolute(step)
    return ops.select(x <= 0.5, _shift_near, partial(_shift_far, ops=ops), x)


def _shift_far(x: Array, ops: ArrayOperations) -> Array:
    some = ops.minimum(x, 700.0)  # beyond, what it is for is nothing
    return x - 2.0 + 2.0 * some / ops.expm1(some)


def _shift_near(size: Array) -> Array:
    """The series of x coth x, https://dlmf.nist.gov/4.33.2 (in terms of Bernoulli numbers), x = size/2."""
    y = 0.25 * size * size
    series = y * (2 / 93555 - y * (1382 / 638512875 - y * (4 / 18243225)))
    return 2.0 * y * (1 / 3 - y * (1 / 45 - y * (2 / 945 - y * (1 / 4725 - series))))


def _shift_gradient(step: Array, ops: ArrayOperations) -> tuple[Array]:
    """sign · (1 + 2 / (eˣ − 1) − 2x eˣ / (eˣ − 1)²) of the size x, which is x/3 − x³/90 + … near 0."""
    x = size(step, ops)
    slope = ops.select(x <= 0.5, _slope_near, lambda x: _slope_far(x, ops), x)
    return (ops.where(step >= 0.0, slope, -slope),)


def _slope_near(size: Array) -> Array:
    y = 0.25 * size * size
    series = y * (10 / 93555 - y * (8292 / 638512875 - y * (28 / 18243225)))
    return size * (1 / 3 - y * (2 / 45 - y * (6 / 945 - y * (4 / 4725 - series))))


def _slope_far(x: Array, ops: ArrayOperations) -> Array:
    small = ops.exp(-x)
    return 1.0 + 2.0 * small / (1.0 - small) - 2.0 * x * small / ((1.0 - small) * (1.0 - small))


@expects(Logistic, Softplus)
def softplus(p: Logistic, statistic: Softplus, at: AffineMap) -> Array:
    """a / (exp(a) − 1), a the shift, where the scales are the same."""
    if not certainly_equal(abs(at.ratio), 1.0, p.ops):
        return None
    ops = p.ops
    nearly = abs(at.shift) < 1e-8
    a = ops.where(nearly, 1.0, at.shift)
    return ops.where(nearly, 1.0 - 0.5 * at.shift, a / ops.expm1(a))


@expects(LogGamma, Softplus)
def softplus_of_gumbel(p: LogGamma, statistic: Softplus, at: AffineMap) -> Array:
    """E[log(1 + c G)] = exp(1/c) E₁(1/c), G exponential, where the scales are the same."""
    ops = p.ops
    if not (certainly_is(p.concentration, 1.0) and certainly_equal(abs(at.ratio), 1.0, ops)):
        return None
    forward = at.ratio > 0.0
    tail = scaled_exp1(ops.exp(ops.where(forward, -1.0, 1.0) * at.shift), ops)
    return tail + ops.where(forward, _EULER - at.shift, 0.0)


@expects(Logistic, Exp)
def exp(p: Logistic, statistic: Exp, at: AffineMap) -> Array:
    """The moment generating function πt / sin(πt), https://en.wikipedia.org/wiki/Logistic_distribution."""
    ops, size = p.ops, abs(statistic.rate * at.ratio)
    exists = size < 1.0
    x = ops.where(exists, size, 0.5)
    # sin(πt) = sin(π(1 − t)), of which the smaller angle keeps its digits
    angle = math.pi * ops.where(x > 0.5, 1.0 - x, x)
    return ops.where(exists, ops.exp(statistic.rate * at.shift) * (math.pi * x / ops.sin(angle)), math.inf)


@expects(Logistic, Absolute)
def absolute(p: Logistic, statistic: Absolute, at: AffineMap) -> Array:
    """The integrals of both tails."""
    ops, ratio, height = p.ops, abs(at.ratio), size(at.shift, p.ops)
    return height + 2.0 * ratio * ops.log1p(ops.exp(-height / ratio))


class LogCosh(Statistic):
    text = "log cosh z"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return abs(z) + ops.log1p(ops.exp(-2.0 * abs(z))) - math.log(2.0)


class HyperbolicSecant(Continuous):
    """Hyperbolic secant distributions: Z has density 1 / (π cosh z)."""

    loc: Array = parameter(REAL, default=0.0, static=True)
    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    symmetric: ClassVar[bool] = True

    def log_density(self) -> LogDensity:
        return LogDensity(-math.log(math.pi), ((-1.0, LogCosh()),))

    def standard_mean(self) -> Array:
        return 0.0

    def standard_variance(self) -> Array:
        return math.pi**2 / 4.0

    def standard_entropy(self) -> Array:
        return math.log(2.0 * math.pi)


def _log_odds(x: Logistic | HyperbolicSecant) -> LogOdds:
    """Logistic variables are log-odds of uniform ones, hyperbolic secant ones half those of Beta(½, ½)."""
    if isinstance(x, Logistic):
        return LogOdds(1.0, 1.0, x.scale)
    return LogOdds(0.5, 0.5, 0.5 * x.scale)


@by_nodes(Logistic, HyperbolicSecant)
def logistic_or_secant(p: Logistic | HyperbolicSecant, q: Logistic | HyperbolicSecant) -> Array:
    """E_p[q/p − 1 − log(q/p)] over nodes around both."""
    return by_log_odds(p, q, _log_odds(p), _log_odds(q), p.loc - q.loc)


by_nodes(HyperbolicSecant, Logistic)(logistic_or_secant)
by_nodes(HyperbolicSecant, HyperbolicSecant)(logistic_or_secant)


@expects(HyperbolicSecant, LogCosh)
def log_cosh(p: HyperbolicSecant, statistic: LogCosh, at: AffineMap) -> Array:
    """log 2, where nothing is shifted or scaled."""
    return math.log(2.0) if at.fixes_zero and certainly_equal(abs(at.ratio), 1.0, p.ops) else None


@expects(HyperbolicSecant, Exp)
def exp_of_secant(p: HyperbolicSecant, statistic: Exp, at: AffineMap) -> Array:
    """The moment generating function 1 / cos(πt/2)."""
    ops, size = p.ops, abs(statistic.rate * at.ratio)
    exists = size < 1.0
    mgf = 1.0 / ops.sin(0.5 * math.pi * (1.0 - ops.where(exists, size, 0.0)))
    return ops.where(exists, ops.exp(statistic.rate * at.shift) * mgf, math.inf)


from_scipy("logistic")(Logistic)
from_scipy("hypsecant")(HyperbolicSecant)
from_pymc("LogisticRV")(Logistic)
