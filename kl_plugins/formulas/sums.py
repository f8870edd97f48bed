"""Sums of terms that nearly cancel: zero where what is left of them is all rounding."""

from __future__ import annotations

from collections.abc import Sequence

from kl_plugins.ops.protocol import Array, Operations

_INFINITY = float("inf")

_NOTHING = 8.0
"""So many units of rounding of its terms a sum may be and be zero."""


def sum_beyond_roundoff(terms: Sequence[Array], ops: Operations) -> Array:
    """The sum of the terms; 0 where that is rounding or negative, +∞ where infinite terms meet."""
    value, size = terms[0], abs(terms[0])
    for term in terms[1:]:
        value, size = value + term, size + abs(term)
    nothing = _NOTHING * ops.epsilon(value) * size
    value = ops.replace(value, value < nothing, 0.0)
    # Of two infinite terms the larger one, in the tail, is that which makes q small there.
    return infinite_where_undefined(value, ops)


def infinite_where_undefined(value: Array, ops: Operations) -> Array:
    """+∞ in the place of NaN, which, of parameters that are numbers, parts beyond the floats make together.

    NaN of parameters is for `broadcast` to restore.
    """
    return ops.replace(value, ops.isnan(value), _INFINITY)
