"""Densities ∝ x √(1 − x²) exp(κ x²) on (0, 1), κ = χ²/2: their normaliser, moments and divergence.

With x = cos t that of y = 1 − x² = sin² t is ∝ √y exp(−κ y), an exponential family, and everything is entire
in t: Gauss's nodes do, up to where nothing is left of the mass. They are drawn towards both ends, where the
log density has logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kl_plugins.formulas.cancellation_free import exp_minus_tangent, log_ratio_value
from kl_plugins.formulas.interval_means import gauss_legendre, weighted_sum, whole
from kl_plugins.ops.protocol import Array, Operations

COUNT = 72
"""Of the nodes."""


def _drawn_to_both_ends(count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Gauss's nodes under u³ (10 − 15 u + 6 u²), which is flat at 0 and 1, and twice their weights."""
    nodes, weights = map(np.asarray, gauss_legendre(count))
    slopes = 30.0 * (nodes * (1.0 - nodes)) ** 2
    places = nodes**3 * (10.0 - nodes * (15.0 - 6.0 * nodes))
    return tuple(map(float, places)), tuple(map(float, 2.0 * weights * slopes))


_NODES, _WEIGHTS = _drawn_to_both_ends(COUNT)

_HALF_PI = 0.5 * math.pi
_LOG_2 = math.log(2.0)

_EXTENT = 10.0
"""The nodes reach to this multiple of 1/√κ, beyond which there are less than exp(−40)."""

_WHOLE = (_EXTENT / _HALF_PI) ** 2
"""Up to this κ they reach to t = π/2, the end."""


def log_mass(chi: Array, ops: Operations) -> Array:
    """log ∫₀¹ √y exp(−κ y) dy."""
    return whole(_log_mass, ops, chi)


def _log_mass(chi: Array, ops: Operations) -> Array:
    kappa = _kappa(chi)
    reach = _reach(kappa, ops)
    return 3.0 * ops.log(reach) + ops.log(_mean_sum(_one, kappa, reach, ops))


def mean_on_unit(chi: Array, ops: Operations) -> Array:
    """E X."""
    return whole(_mean, ops, chi)


def _mean(chi: Array, ops: Operations) -> Array:
    kappa = _kappa(chi)
    reach = _reach(kappa, ops)
    return 1.0 - _mean_sum(_shortfall, kappa, reach, ops) / _mean_sum(_one, kappa, reach, ops)


def variance_on_unit(chi: Array, ops: Operations) -> Array:
    """That of X, as that of 1 − X."""
    return whole(_variance, ops, chi)


def _variance(chi: Array, ops: Operations) -> Array:
    kappa = _kappa(chi)
    reach = _reach(kappa, ops)
    mass = _mean_sum(_one, kappa, reach, ops)
    centre = _mean_sum(_shortfall, kappa, reach, ops) / mass

    def square(at: _Place, ops: Operations, centre: Array) -> Array:
        lacks = _shortfall(at, ops) - centre
        return lacks * lacks

    return _mean_sum(square, kappa, reach, ops, centre) / mass


def entropy_on_unit(chi: Array, ops: Operations) -> Array:
    """That of X."""
    return whole(_entropy, ops, chi)


def _entropy(chi: Array, ops: Operations) -> Array:
    """−E log f(X), with log f = log 2 − log M + log x + ½ log y − κ y."""
    kappa = _kappa(chi)
    reach = _reach(kappa, ops)
    mass = _mean_sum(_one, kappa, reach, ops)

    def rest(at: _Place, ops: Operations, kappa: Array) -> Array:
        return kappa * at.y - ops.log(at.x) - ops.log(at.share)

    log_mass_by_reach = 2.0 * ops.log(reach) + ops.log(mass)
    return log_mass_by_reach - _LOG_2 + _mean_sum(rest, kappa, reach, ops, kappa) / mass


class _Place(NamedTuple):
    """A node, with √y in units of the reach as `share`."""

    t: Array
    x: Array
    y: Array
    share: Array


def _one(at: _Place, ops: Operations) -> Array:
    return 1.0


def _y(at: _Place, ops: Operations) -> Array:
    return at.y


def _shortfall(at: _Place, ops: Operations) -> Array:
    """1 − x."""
    half = ops.sin(0.5 * at.t)
    return 2.0 * half * half


def _kappa(chi: Array) -> Array:
    return 0.5 * chi * chi


def _reach(kappa: Array, ops: Operations) -> Array:
    """The last t."""
    return _EXTENT / ops.sqrt(ops.maximum(kappa, _WHOLE))


def _mean_sum(
    function: Callable[..., Array], kappa: Array, reach: Array, ops: Operations, *args: Array
) -> Array:
    """∫₀¹ function √y exp(−κ y) dy in units of reach³."""

    def term(u: Array, kappa: Array, reach: Array, *args: Array) -> Array:
        t = reach * u
        sine = ops.sin(t)
        at = _Place(t, ops.cos(t), sine * sine, sine / reach)
        return at.share * at.share * at.x * ops.exp(-kappa * at.y) * function(at, ops, *args)

    return weighted_sum(_NODES, _WEIGHTS, term, ops, kappa, reach, *args)


def argus_divergence(p: Array, q: Array, ops: Operations) -> Array:
    """KL on one interval, with p and q as χ."""
    return whole(_divergence, ops, p, q)


def _divergence(p: Array, q: Array, ops: Operations) -> Array:
    """log E_p exp(−δ(y − E_p y)), δ = κ_q − κ_p: of neighbours by what is left of exp without its tangent."""
    first, second, step = _kappa(p), _kappa(q), 0.5 * (q - p) * (q + p)
    wider = ops.minimum(first, second)
    near = ops.maximum(first, second) <= 1.5 * ops.maximum(wider, _WHOLE)
    reach, other = _reach(ops.where(near, wider, first), ops), _reach(second, ops)
    mass = _mean_sum(_one, first, reach, ops)
    centre = _mean_sum(_y, first, reach, ops) / mass

    def excess(at: _Place, ops: Operations, step: Array, centre: Array) -> Array:
        return exp_minus_tangent(step * (centre - at.y), ops)

    close = _mean_sum(excess, first, reach, ops, ops.where(near, step, 0.0), centre) / mass
    change = log_ratio_value(_mean_sum(_one, second, other, ops), mass, ops)
    far = step * centre + change + 3.0 * log_ratio_value(other, reach, ops)
    return ops.where(near, ops.log1p(close), far)
