"""The divergence of Student's t distributions with any degrees of freedom, places and scales."""

from __future__ import annotations

import math

from kl_plugins.formulas.cancellation_free import identity_minus_log, log_ratio
from kl_plugins.formulas.fixed_nodes import (
    GAUSS,
    NOTHING,
    Densities,
    Extent,
    Side,
    divergence_by_nodes,
    in_double,
)
from kl_plugins.formulas.gamma import NEAR
from kl_plugins.formulas.shared import identity_minus_log1p
from kl_plugins.ops.gamma_residues import digamma_rest_value, stirling_rest_value
from kl_plugins.ops.protocol import Array, ArrayOperations, Operations

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def student_t_divergence(
    p: tuple[Array, Array], q: tuple[Array, Array], step: Array, ops: ArrayOperations
) -> Array:
    """KL of t variables with these (df, sigma), the place of p less that of q being `step`."""
    (p_df, p_sigma), (q_df, q_sigma) = ([in_double(x, ops) for x in side] for side in (p, q))
    step = in_double(step, ops)
    # Light tails and such as hardly end: these are never close to each other.
    one_sided = ops.where(ops.logical_and(q_df < 0.5, q_df < 0.25 * p_df), 1.0, 0.0)
    at_0 = log_ratio(q_sigma, p_sigma, ops) + normaliser_difference(p_df, q_df, ops)
    # r may be as large as q's degrees of freedom where p has hardly anything left.
    of_p = _extent(p_df, p_sigma, NOTHING + ops.log1p(q_df), ops), _parameters(p_df, p_sigma, ops)
    of_q = _extent(q_df, q_sigma, NOTHING, ops), _parameters(q_df, q_sigma, ops)
    return divergence_by_nodes(_DENSITIES, ops, of_p, of_q, step, (step, at_0), one_sided)


def student_t_side(df: Array, sigma: Array, moments: float, ops: ArrayOperations) -> Side:
    """A t variable beside those of other families, whose log densities grow like so many moments."""
    df, sigma = (in_double(x, ops) for x in (df, sigma))
    nothing = NOTHING * df / (df - moments) if moments else NOTHING + 0.0 * df
    return Side(
        _extent(df, sigma, nothing, ops), _parameters(df, sigma, ops), _log_density, _log_density_gradient
    )


def _parameters(df: Array, sigma: Array, ops: Operations) -> tuple[Array, Array, Array]:
    """Those of `_log_density`, with the log density at 0."""
    return df, sigma, normaliser(df, ops) - ops.log(sigma) - _HALF_LOG_2PI


def _extent(df: Array, sigma: Array, nothing: Array, ops: Operations) -> Extent:
    """The density has its singularities at ±i √df; P(|T| > t) is about (1 + t²/df)^(−df/2)."""
    width = sigma * ops.minimum(ops.sqrt(df), 2.0)
    power = 2.0 * nothing / df
    far = ops.select(power > 300.0, lambda x: x, lambda x: ops.log(ops.expm1(x)), power)
    return Extent(width, ops.log(sigma) + 0.5 * (ops.log(df) + far))


def normaliser(df: Array, ops: Operations) -> Array:
    """log [Γ((df + 1)/2) / Γ(df/2)] − ½ log(df/2), about −1/(4 df)."""
    return ops.elementwise(_normaliser, _normaliser_gradient, df)


def _normaliser(df: Array, ops: Operations) -> Array:
    half = 0.5 * df
    rests = stirling_rest_value(half + 0.5, ops) - stirling_rest_value(half, ops)
    return rests - half * identity_minus_log(0.5 / half, ops)


def _normaliser_gradient(df: Array, ops: Operations) -> tuple[Array]:
    return (_normaliser_slope(df, ops),)


def _normaliser_slope(df: Array, ops: Operations) -> Array:
    """½ [ψ(a + ½) − ψ(a) − 1/(2a)], a = df/2: about 1/(4 df²)."""
    half = 0.5 * df
    raised = half + 0.5
    rests = digamma_rest_value(half, ops) / half - digamma_rest_value(raised, ops) / raised
    return 0.5 * (_log1p_minus_share(0.5 / half, ops) + rests)


def _log1p_minus_share(x: Array, ops: Operations) -> Array:
    """log(1 + x) − x/(1 + x) ≥ 0, for x ≥ 0."""
    return ops.select(
        x <= 0.2,
        lambda x: identity_minus_log1p(-x / (1.0 + x)),
        lambda x: ops.log1p(x) - x / (1.0 + x),
        x,
    )


def normaliser_difference(p_df: Array, q_df: Array, ops: Operations) -> Array:
    """`normaliser` of p less that of q: for neighbours an integral of its slope."""
    return ops.elementwise(_normaliser_difference, _normaliser_difference_gradient, p_df, q_df)


def _normaliser_difference(p_df: Array, q_df: Array, ops: Operations) -> Array:
    def near(p_df: Array, q_df: Array) -> Array:
        step = q_df - p_df
        return -step * sum(weight * _normaliser_slope(p_df + t * step, ops) for t, weight in GAUSS)

    def far(p_df: Array, q_df: Array) -> Array:
        return _normaliser(p_df, ops) - _normaliser(q_df, ops)

    return ops.select(ops.absolute(q_df - p_df) <= NEAR * p_df, near, far, p_df, q_df)


def _normaliser_difference_gradient(p_df: Array, q_df: Array, ops: Operations) -> tuple[Array, Array]:
    return _normaliser_slope(p_df, ops), -_normaliser_slope(q_df, ops)


def _log_density(
    distance: Array, beyond: Array, df: Array, sigma: Array, at_0: Array, ops: Operations
) -> Array:
    z = distance / sigma
    return at_0 - 0.5 * (df + 1.0) * ops.log1p(z * (z / df)) - df * beyond


def _log_density_gradient(
    distance: Array, beyond: Array, df: Array, sigma: Array, at_0: Array, ops: Operations
) -> tuple[Array, Array, Array, Array, Array]:
    """Without what the value at 0 changes by itself."""
    z = distance / sigma
    x = z * (z / df)
    share = x / (1.0 + x)
    slope = (df + 1.0) * (z / (df * (1.0 + x))) / sigma
    by_df = 0.5 * ((1.0 + 1.0 / df) * share - ops.log1p(x)) - beyond
    return -slope, -df + 0.0 * x, by_df, slope * z, 1.0 + 0.0 * x


def _log_ratio(
    from_p: Array,
    from_q: Array,
    beyond: Array,
    p_df: Array,
    p_sigma: Array,
    p_at_0: Array,
    q_df: Array,
    q_sigma: Array,
    q_at_0: Array,
    step: Array,
    at_0: Array,
    ops: Operations,
) -> Array:
    """With y = z² of p's z, y' = z'² of q's: r has ½ (df' + 1) log[(df' + y')/(df' + y)], the change of place
    and scale, and what a change of df makes of ½ (df + 1) log(1 + y/df)."""
    z, w = from_p / p_sigma, from_q / q_sigma
    moved = ((p_sigma - q_sigma) / q_sigma) * z + step / q_sigma
    moved = ops.where(ops.absolute(moved) <= 0.5 * ops.absolute(z), moved, w - z)
    y, change = z * z, moved * (w + z)
    x, x_q = y / p_df, y / q_df
    # log[(df' + y')/(df' + y)], of which the larger one is the denominator
    turned = ops.log1p(ops.absolute(change) / (q_df + ops.where(change >= 0.0, y, w * w)))
    turned = ops.where(change >= 0.0, turned, -turned)
    share = x / (1.0 + x)
    by_df = -share * ((q_df - p_df) / q_df)
    r = at_0 + 0.5 * (q_df + 1.0) * turned + 0.5 * ops.log1p(by_df)
    return r + _change_of_df(p_df, q_df, x, x_q, share, by_df, ops) + (q_df - p_df) * beyond


def _change_of_df(
    p_df: Array, q_df: Array, x: Array, x_q: Array, share: Array, by_df: Array, ops: Operations
) -> Array:
    """½ [df' log(1 + y/df') − df log(1 + y/df)], which is about y² (1/df − 1/df')/4 for large ones.

    For neighbours it is ½ (df' − df) [log(1 + x') − x' (1 − s)] − ½ df [e − log(1 + e)], x' = y/df',
    s = x/(1 + x), e = −s (df' − df)/df': the first is positive, the second of second order.
    """

    def near(p_df: Array, q_df: Array, x: Array, x_q: Array, share: Array, by_df: Array) -> Array:
        slope = ops.select(
            x_q <= 0.2,
            lambda x, x_q, share: x_q * share - identity_minus_log1p(x_q),
            lambda x, x_q, share: ops.log1p(x_q) - x_q / (1.0 + x),
            x, x_q, share,
        )  # fmt: skip
        return 0.5 * ((q_df - p_df) * slope - p_df * identity_minus_log(by_df, ops))

    def far(p_df: Array, q_df: Array, x: Array, x_q: Array, share: Array, by_df: Array) -> Array:
        return 0.5 * ops.select(
            ops.maximum(x, x_q) <= 1.0,
            lambda p, q, x, x_q: p * identity_minus_log(x, ops) - q * identity_minus_log(x_q, ops),
            lambda p, q, x, x_q: q * ops.log1p(x_q) - p * ops.log1p(x),
            p_df, q_df, x, x_q,
        )  # fmt: skip

    is_near = ops.absolute(q_df - p_df) <= 0.25 * p_df
    return ops.select(is_near, near, far, p_df, q_df, x, x_q, share, by_df)


_DENSITIES = Densities(_log_density, _log_density_gradient, _log_ratio)
