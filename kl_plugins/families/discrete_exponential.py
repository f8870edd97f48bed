"""Discrete exponential families of one parameter: logarithmic series, discrete Laplace, Boltzmann."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.names import from_scipy
from kl_plugins.families.core.outcomes import by_supports, cost_at_places, same_location_where
from kl_plugins.formulas.cancellation_free import identity_minus_log, log_ratio_value, taylor_remainder
from kl_plugins.ops.protocol import Array, ArrayOperations
from kl_plugins.parameters.declarations import POSITIVE, REAL, Domain, parameter

_INFINITY = float("inf")

_NEAR = 0.05
"""Up to this relative difference a divergence is an integral of variances."""


class LogSeries(Discrete):
    """P(Z = k) = pᵏ / (−k log(1 − p)) for k = 1, 2, …; plus loc."""

    p: Array = parameter(Domain(0.0, 1.0))
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)
    ends: ClassVar[tuple[float, float]] = (1.0, _INFINITY)

    def log_pmf(self, k: Array) -> Array:
        ops, p = self.ops, self.p
        return (k - 1.0) * ops.log(p) - ops.log(k) - ops.log1p(_rest(p, 1.0 - p, ops))

    def reach(self, nats: Array) -> Array:
        """P(Z ≥ k) ≤ pᵏ/(k p (1 − p)), and pᵏ ≤ exp(−k (1 − p))."""
        return 1.0 + nats / (1.0 - self.p)


@closed_form(LogSeries, LogSeries, cost_at_places)
def log_series_log_series(p: LogSeries, q: LogSeries) -> Array:
    """That of an exponential family with log p as parameter and log(−log(1 − p)) as log-partition function.

    https://en.wikipedia.org/wiki/Logarithmic_distribution
    """
    value = p.ops.elementwise(_log_series, _log_series_gradient, p.p, q.p)
    return by_supports(p, q, value, same_location_where(p, q))


def _log_series(p: Array, q: Array, ops: ArrayOperations) -> Array:
    is_near = ops.absolute(q - p) <= _NEAR * ops.minimum(p, 1.0 - p)
    return ops.pick(is_near, partial(_log_series_near, ops=ops), partial(_log_series_far, ops=ops), p, q)


def _log_series_near(p: Array, q: Array, ops: ArrayOperations) -> Array:
    step = -log_ratio_value(p, q, ops)

    def variance(t: float) -> Array:
        growth = ops.expm1(t * step)
        return _log_series_variance(p + p * growth, (1.0 - p) - p * growth, ops)

    return step * step * taylor_remainder(variance)


def _log_series_far(p: Array, q: Array, ops: ArrayOperations) -> Array:
    """With −log(1 − p) = p (1 + r): without what both sides have in common, all at 1, for small p."""
    rest_p, rest_q = (_rest(x, 1.0 - x, ops) for x in (p, q))
    excess = (p - rest_p * (1.0 - p)) / ((1.0 - p) * (1.0 + rest_p))  # the mean, less 1
    return excess * log_ratio_value(p, q, ops) + (ops.log1p(rest_q) - ops.log1p(rest_p))


def _log_series_mean(p: Array, ops: ArrayOperations) -> Array:
    return -p / ((1.0 - p) * ops.log1p(-p))


def _log_series_variance(p: Array, failure: Array, ops: ArrayOperations) -> Array:
    """The variance, from p and from 1 − p, which may be smaller than the rounding of p."""
    rest = _rest(p, failure, ops)
    mean = 1.0 / (failure * (1.0 + rest))
    return mean * mean * rest


def _rest(p: Array, failure: Array, ops: ArrayOperations) -> Array:
    """−log(1 − p)/p − 1."""
    small = lambda p, failure: p * (0.5 + p / 3.0)  # noqa: E731
    return ops.select(p <= 1e-8, small, partial(_rest_large, ops=ops), p, failure)


def _rest_large(p: Array, failure: Array, ops: ArrayOperations) -> Array:
    return ops.select(p <= 0.5, lambda p, failure: identity_minus_log(-p, ops) / p,
                      lambda p, failure: (-ops.log(failure) - p) / p, p, failure)  # fmt: skip


def _log_series_gradient(p: Array, q: Array, ops: ArrayOperations) -> tuple[Array, Array]:
    by_p = _log_series_variance(p, 1.0 - p, ops) * log_ratio_value(p, q, ops) / p
    return by_p, (_log_series_mean(q, ops) - _log_series_mean(p, ops)) / q


class DiscreteLaplace(Discrete):
    """P(Z = k) = tanh(rate/2) exp(−rate |k|) for all whole numbers k; plus loc."""

    rate: Array = parameter(POSITIVE, meaning="a")
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)

    def log_pmf(self, k: Array) -> Array:
        return _log_tanh_half(self.rate, self.ops) - self.rate * abs(k)

    def reach(self, nats: Array) -> Array:
        return nats / self.rate

    def lower_reach(self, nats: Array) -> Array:
        return -self.reach(nats)

    def entropy(self) -> Array:
        rate, ops = self.rate, self.ops
        return self.broadcast(rate * _laplace_mean(rate, ops) - _log_tanh_half(rate, ops))


@closed_form(DiscreteLaplace, DiscreteLaplace)
def laplace_laplace(p: DiscreteLaplace, q: DiscreteLaplace) -> Array:
    """That of an exponential family with parameter rate and log-partition function −log tanh(rate/2).

    S. Inusah and T. Kozubowski, A discrete analogue of the Laplace distribution, 2006.
    """
    value = p.ops.elementwise(_laplace, _laplace_gradient, p.rate, q.rate)
    return by_supports(p, q, value, same_location_where(p, q))


def _laplace(p: Array, q: Array, ops: ArrayOperations) -> Array:
    is_near = ops.absolute(q - p) <= _NEAR * ops.minimum(p, 1.0)
    return ops.pick(is_near, partial(_laplace_near, ops=ops), partial(_laplace_far, ops=ops), p, q)


def _laplace_near(p: Array, q: Array, ops: ArrayOperations) -> Array:
    step = q - p

    def variance(t: float) -> Array:
        rate = p + t * step
        mean = _multiple_of_mean(step, rate, ops)
        return mean * (step * (1.0 + ops.exp(-2.0 * rate)) / -ops.expm1(-2.0 * rate))

    return taylor_remainder(variance)


def _laplace_far(p: Array, q: Array, ops: ArrayOperations) -> Array:
    return _multiple_of_mean(q - p, p, ops) + _log_tanh_half(p, ops) - _log_tanh_half(q, ops)


def _log_tanh_half(rate: Array, ops: ArrayOperations) -> Array:
    return ops.select(
        rate <= 1.0,
        lambda rate: ops.log(-ops.expm1(-rate)) - ops.log1p(ops.exp(-rate)),
        lambda rate: ops.log1p(-2.0 * ops.exp(-rate) / (1.0 + ops.exp(-rate))),
        rate,
    )


def _laplace_mean(rate: Array, ops: ArrayOperations) -> Array:
    """E|Z| = 1 / sinh(rate)."""
    return _multiple_of_mean(1.0, rate, ops)


def _multiple_of_mean(factor: Array, rate: Array, ops: ArrayOperations) -> Array:
    """factor / sinh(rate), finite where 1 / sinh(rate) is not."""
    return factor * (2.0 * ops.exp(-rate)) / -ops.expm1(-2.0 * rate)


def _laplace_variance(rate: Array, ops: ArrayOperations) -> Array:
    """Var|Z| = cosh(rate) / sinh²(rate)."""
    mean = _laplace_mean(rate, ops)
    return mean * (1.0 + ops.exp(-2.0 * rate)) / -ops.expm1(-2.0 * rate)


def _laplace_gradient(p: Array, q: Array, ops: ArrayOperations) -> tuple[Array, Array]:
    return -(q - p) * _laplace_variance(p, ops), _laplace_mean(p, ops) - _laplace_mean(q, ops)


class Boltzmann(Discrete):
    """P(Z = k) ∝ exp(−rate·k) for k = 0, …, n − 1; plus loc."""

    rate: Array = parameter(POSITIVE, meaning="lambda")
    n: Array = parameter(Domain(1.0, closed=True, whole=True), meaning="the number of outcomes", static=True)
    loc: Array = parameter(REAL, typical=(1.0,), default=0.0, static=True)

    def standard_ends(self) -> tuple[Array, Array]:
        return 0.0, self.n - 1.0

    def log_pmf(self, k: Array) -> Array:
        ops, rate = self.ops, self.rate
        return ops.log(-ops.expm1(-rate)) - ops.log(-ops.expm1(-rate * self.n)) - rate * k


from_scipy("logser")(LogSeries)
from_scipy("dlaplace")(DiscreteLaplace)
from_scipy("boltzmann")(Boltzmann)
