"""How far multivariate t variables are from normal ones."""

from __future__ import annotations

from kl_plugins.formulas.cancellation_free import identity_minus_log
from kl_plugins.ops.gamma_residues import digamma_rest, stirling_rest
from kl_plugins.ops.protocol import Array, Operations


def negentropy(df: Array, dimension: Array, ops: Operations) -> Array:
    """The divergence from the normal distribution of the same mean and covariance, for df > 2.

    With h = df/2 and r = h + d/2 it is −½ d [log(1 − 1/h) + 1/h] + ½ [d/(2h) − log(r/h)] and the change from
    h to r of what ln Γ and ψ have beside their large parts: about d (d + 2)/(4 df²) for large df.
    """
    half, share = 0.5 * df, dimension / df
    spread = 0.5 * dimension * identity_minus_log(-1.0 / half, ops)
    value = spread + 0.5 * identity_minus_log(share, ops) + _rests(half, dimension, ops)
    return ops.maximum(value - share * digamma_rest(half, ops), 0.0)


def entropy_beyond_normal(df: Array, dimension: Array, ops: Operations) -> Array:
    """The entropy less that of the normal distribution whose covariance is the scale matrix."""
    half, share = 0.5 * df, dimension / df
    known = 0.5 * ops.log1p(share) - _rests(half, dimension, ops)
    return known + share * (0.5 + digamma_rest(half, ops))


def _rests(half: Array, dimension: Array, ops: Operations) -> Array:
    raised = half + 0.5 * dimension
    of_psi = digamma_rest(raised, ops) - digamma_rest(half, ops)
    return (stirling_rest(raised, ops) - stirling_rest(half, ops)) + of_psi


def excess_of_scale(df: Array, dimension: Array, ops: Operations) -> Array:
    """d/2 (c − 1 − ln c), c = df/(df − 2) what the covariance is of the scale matrix, for df > 2."""
    return 0.5 * dimension * identity_minus_log(2.0 / (df - 2.0), ops)
