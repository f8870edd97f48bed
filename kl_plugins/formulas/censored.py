"""The divergence of censored variables, of which only that is seen that they are beyond an end.

With masses m of the pieces (below, between and above the ends) it is that of the masses, the sum of
m (x − log(1 + x)), 1 + x the ratio of q's mass to p's, and p's mass between the ends times the divergence of
the two there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from kl_plugins.formulas.cancellation_free import exp_minus_tangent, log_ratio
from kl_plugins.formulas.shared import variance_divergence
from kl_plugins.formulas.truncated import (
    log_integral,
    truncated_divergence,
    truncated_mean,
    truncated_variance,
)
from kl_plugins.formulas.truncated_exponential import distance_from_end, log_mass, slopes_divergence
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.certainty import certainly_infinite

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)

_NEAR = 0.1
"""Up to this change of the logarithm of a mass it is had from the divergence between the ends."""


class Piece(NamedTuple):
    """What is between two ends.

    The logarithms of p's mass and of q's; the divergence of the two restricted to it; and the mean there
    under p of log q − log p. The logarithm of the ratio of the masses is the sum of the last two.
    """

    log_mass: Array
    q_log_mass: Array
    divergence: Array
    log_ratio: Array


def censored_divergence(pieces: Sequence[Piece], is_seen: Sequence[bool], ops: Operations) -> Array:
    """Of the pieces, in some of which the variables are seen."""
    total: Array = 0.0
    for piece, seen in zip(pieces, is_seen, strict=True):
        total = total + _of_mass(piece, ops)
        if seen:
            total = total + ops.exp(piece.log_mass) * piece.divergence
    return total


def _of_mass(piece: Piece, ops: Operations) -> Array:
    direct = piece.q_log_mass - piece.log_mass
    is_near = ops.absolute(direct) <= _NEAR
    change = ops.where(is_near, piece.divergence + piece.log_ratio, direct)
    near = ops.exp(piece.log_mass) * exp_minus_tangent(ops.where(is_near, change, 0.0), ops)
    far = ops.exp(piece.q_log_mass) - ops.exp(piece.log_mass) * (1.0 + direct)
    return ops.where(is_near, near, far)


def normal_pieces(
    p_ends: Sequence[Array],
    q_ends: Sequence[Array],
    p_scale: Array,
    q_scale: Array,
    shift: Array,
    ops: Operations,
) -> list[Piece]:
    """Between ends in standard deviations from the means; q's variable is shift + p_scale/q_scale·z."""
    turn = (p_scale - q_scale) / q_scale
    found = []
    for (low, high), (q_low, q_high) in zip(pairwise(p_ends), pairwise(q_ends), strict=True):
        mean, variance = truncated_mean(low, high, ops), truncated_variance(low, high, ops)
        square = turn * (2.0 + turn) * (variance + mean * mean)
        change = log_ratio(p_scale, q_scale, ops) - 0.5 * (
            square + shift * (2.0 * (1.0 + turn) * mean + shift)
        )
        found.append(
            Piece(
                log_integral(low, high, ops) - _HALF_LOG_2PI,
                log_integral(q_low, q_high, ops) - _HALF_LOG_2PI,
                truncated_divergence(low, high, q_low, q_high, shift, turn, ops),
                change,
            )
        )
    return found


def exponential_pieces(ends: Sequence[Array], p_scale: Array, q_scale: Array, ops: Operations) -> list[Piece]:
    """Between ends as distances from where both start, of which the last may be infinite."""
    rate = (p_scale - q_scale) / p_scale / q_scale
    found = []
    for low, high in pairwise(ends):
        if certainly_infinite(high):
            mean, masses = low + p_scale, [-low / scale for scale in (p_scale, q_scale)]
            divergence = 2.0 * variance_divergence(p_scale, q_scale, ops)
        else:
            slopes = [(high - low) / scale for scale in (p_scale, q_scale)]
            mean = low + (high - low) * distance_from_end(slopes[0], ops)
            divergence = slopes_divergence(-slopes[0], -slopes[1], ops)
            masses = [ops.log(slope) + log_mass(slope, ops) for slope in slopes]
            masses = [mass - low / scale for mass, scale in zip(masses, (p_scale, q_scale), strict=True)]
        change = log_ratio(p_scale, q_scale, ops) - rate * mean
        found.append(Piece(masses[0], masses[1], divergence, change))
    return found
