"""Integrals of exp(−z²/2) over an interval, and the divergence of normal distributions that live on one.

Differences of error functions lose their digits in the tails and over narrow intervals. Here everything is
an integral over y = z − m, m the place of the greatest density, of exp(−m y − y²/2) by Gauss's quadrature
over as much of the interval as matters: sums of positive terms, to rounding wherever the interval is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kl_plugins.formulas.cancellation_free import log_ratio_value
from kl_plugins.formulas.interval_means import gauss_legendre, weighted_sum, whole
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.certainty import certainly_infinite

_CUT = 76.0
"""Where the density is exp(−38) of its maximum the integrals end."""

_NEAR = 0.1
"""Up to this change of the log density over all that matters, the divergence is a sum of positive terms."""

_ENDS = 32.0 * 2.220446049250313e-16
"""Ends that differ by so much of their size are the same."""


_NODES, _WEIGHTS = gauss_legendre(44)


class _Kernel(NamedTuple):
    """The interval seen from the place of the greatest density."""

    mode: Array
    start: Array
    width: Array
    mass: Array
    """∫ exp(−m y − y²/2) dy, over the width."""

    first: Array
    """E y."""

    second: Array
    """E y²."""

    @property
    def total(self) -> Array:
        return self.width * self.mass

    @property
    def variance(self) -> Array:
        return self.second - self.first * self.first

    def integral(self, function: Callable[..., Array], ops: Operations, *args: Array) -> Array:
        """∫ exp(−m y − y²/2) function(y, *args) dy, over the width."""

        def weighted(u: Array, mode: Array, start: Array, width: Array, *rest: Array) -> Array:
            y = start + width * u
            return ops.exp(-y * (mode + 0.5 * y)) * function(y, *rest)

        return weighted_sum(_NODES, _WEIGHTS, weighted, ops, self.mode, self.start, self.width, *args)


def _kernel(low: Array, high: Array, ops: Operations) -> _Kernel:
    mode = ops.minimum(ops.maximum(low, 0.0), high)
    return _kernel_from(low, high, mode, mode, ops)


def _kernel_from(low: Array, high: Array, place: Array, mode: Array, ops: Operations) -> _Kernel:
    """That of the normal density whose mean is `mode` below `place`, where it is greatest."""
    reach = _CUT / (ops.sqrt(mode * mode + _CUT) + ops.absolute(mode))
    start = ops.maximum(low - place, -reach)
    width = ops.minimum(high - place, reach) - start
    k = _Kernel(mode, start, width, None, None, None)
    mass = k.integral(lambda y: 1.0, ops)
    first = k.integral(lambda y: y, ops) / mass
    return k._replace(mass=mass, first=first, second=k.integral(lambda y: y * y, ops) / mass)


def log_integral(low: Array, high: Array, ops: Operations) -> Array:
    """log ∫ exp(−z²/2) dz."""
    return whole(_log_integral, ops, low, high)


def _log_integral(low: Array, high: Array, ops: Operations) -> Array:
    k = _kernel(low, high, ops)
    return ops.log(k.total) - 0.5 * k.mode * k.mode


def log_exp_mean(t: Array, low: Array, high: Array, ops: Operations) -> Array:
    """log E exp(tz)."""
    return whole(_log_exp_mean, ops, t, low, high)


def _log_exp_mean(t: Array, low: Array, high: Array, ops: Operations) -> Array:
    """By the normal density around t and its top c: tz − z²/2 = c (t − c/2) − (c − t) y − y²/2, z = c + y."""
    c, k = ops.minimum(ops.maximum(low, t), high), _kernel(low, high, ops)
    turned = _kernel_from(low, high, c, c - t, ops)
    return ops.log(turned.total / k.total) + (c * (t - 0.5 * c) + 0.5 * k.mode * k.mode)


def truncated_mean(low: Array, high: Array, ops: Operations) -> Array:
    """E z."""
    return whole(_mean, ops, low, high)


def _mean(low: Array, high: Array, ops: Operations) -> Array:
    k = _kernel(low, high, ops)
    return k.mode + k.first


def truncated_variance(low: Array, high: Array, ops: Operations) -> Array:
    """The variance of z."""
    return whole(_variance, ops, low, high)


def _variance(low: Array, high: Array, ops: Operations) -> Array:
    return _kernel(low, high, ops).variance


def truncated_entropy(low: Array, high: Array, ops: Operations) -> Array:
    """The entropy of z: log ∫ exp(−m y − y²/2) dy + m E y + ½ E y²."""
    return whole(_entropy, ops, low, high)


def _entropy(low: Array, high: Array, ops: Operations) -> Array:
    k = _kernel(low, high, ops)
    return ops.log(k.total) + k.mode * k.first + 0.5 * k.second


def truncated_divergence(
    p_low: Array, p_high: Array, q_low: Array, q_high: Array, shift: Array, turn: Array, ops: Operations
) -> Array:
    """KL of truncated normals, p's interval inside of q's: q's variable is shift + (1 + turn)·z.

    With d = log(q/p) less its expectation, both without their constants, it is log E exp(d): log(1 +
    E[exp(d) − 1 − d]) where the ends are the same and d is small. The ends are in p's and in q's standard
    deviations from the means.
    """
    return whole(_divergence, ops, p_low, p_high, q_low, q_high, shift, turn)


def _divergence(
    p_low: Array, p_high: Array, q_low: Array, q_high: Array, shift: Array, turn: Array, ops: Operations
) -> Array:
    k = _kernel(p_low, p_high, ops)
    linear, bend = _change(k, shift, turn)
    extent = ops.maximum(ops.absolute(k.start), ops.absolute(k.start + k.width))
    change = (ops.absolute(linear) + ops.absolute(bend) * extent) * extent
    same = ops.logical_and(
        _same_end(p_low, q_low, shift, turn, ops), _same_end(p_high, q_high, shift, turn, ops)
    )
    return ops.select(
        ops.logical_and(change <= _NEAR, same),
        lambda linear, bend, q_low, q_high, shift, turn, *k: _near(_Kernel(*k), linear, bend, ops),
        lambda linear, bend, q_low, q_high, shift, turn, *k: _far(
            _Kernel(*k), ops, linear, bend, q_low, q_high, shift, turn
        ),
        linear, bend, q_low, q_high, shift, turn, *k,
    )  # fmt: skip


def _change(k: _Kernel, shift: Array, turn: Array) -> tuple[Array, Array]:
    """log(q/p) is linear·y + bend·y² more than at y = 0."""
    bend = -turn * (2.0 + turn)
    return bend * k.mode - (1.0 + turn) * shift, 0.5 * bend


def _same_end(p_end: Array, q_end: Array, shift: Array, turn: Array, ops: Operations) -> Array:
    if certainly_infinite(p_end):
        return ops.equal(q_end, p_end)
    place = (1.0 + turn) * p_end
    size = ops.absolute(shift) + ops.absolute(place) + ops.absolute(q_end)
    # An infinite end is only the same as another one: strictly less, as infinity is not than itself.
    return ops.logical_or(ops.equal(place, q_end), ops.absolute(shift + place - q_end) < _ENDS * size)


def _near(k: _Kernel, linear: Array, bend: Array, ops: Operations) -> Array:
    centre = linear * k.first + bend * k.second

    def excess(y: Array, linear: Array, bend: Array, centre: Array) -> Array:
        """exp(d) − 1 − d by its series."""
        d = y * (linear + bend * y) - centre
        return (
            0.5
            * d
            * d
            * (1.0 + d / 3.0 * (1.0 + d / 4.0 * (1.0 + d / 5.0 * (1.0 + d / 6.0 * (1.0 + d / 7.0)))))
        )

    return ops.log1p(k.integral(excess, ops, linear, bend, centre) / k.mass)


def _far(
    k: _Kernel,
    ops: Operations,
    linear: Array,
    bend: Array,
    q_low: Array,
    q_high: Array,
    shift: Array,
    turn: Array,
) -> Array:
    of_q = _kernel(q_low, q_high, ops)
    place = shift + (1.0 + turn) * k.mode
    # Where both densities are greatest at the same end, rounding alone would tell the places apart.
    gap = place - of_q.mode
    gap = ops.where(ops.absolute(gap) <= _ENDS * (ops.absolute(place) + ops.absolute(shift)), 0.0, gap)
    change = log_ratio_value(of_q.total, k.total, ops) + 0.5 * gap * (place + of_q.mode)
    value = change - ops.log1p(turn) - linear * k.first - bend * k.second
    return ops.maximum(value, 0.0)
