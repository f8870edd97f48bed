"""Banded precisions that are nearly equal: the divergence from the difference of the bands themselves."""

from __future__ import annotations

import numpy as np

from kl_plugins.covariance.banded import Banded
from kl_plugins.covariance.base import MOST_REFINED, log_det_divergences
from kl_plugins.covariance.markov import SERIES_COST, markov_markov
from kl_plugins.formulas.recursions import mean_squares
from kl_plugins.formulas.shared import identity_minus_log1p
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.protocol import Array, FloatArray

_NEAR = 1e-2
"""Share of the diagonal of a factor up to which steps converge fast."""


@log_det_divergences.register(Banded, Banded, cost=SERIES_COST)
def banded_banded(p: Banded, q: Banded) -> Array:
    """As between series; numbers that are nearly equal by the difference of their Cholesky factors.

    That is found from the difference of the bands, which has no rounding at all (Sterbenz). The factors
    themselves are off by ε times the condition number, which is not small beside it.
    """
    ops, value = p.ops, markov_markov(p, q)
    if ops.symbolic or not np.any(value < MOST_REFINED):
        return value
    sides = ops.same_columns(*(ops.transpose(side.reversed_band) for side in (p, q)))
    first, second = map(ops.transpose, np.broadcast_arrays(*sides))
    out = np.array(value)
    for index in np.ndindex(*out.shape):
        if out[index] < MOST_REFINED:
            out[index] = _refined(first[index], second[index], p, out[index])
    return out[()]


def _refined(first: FloatArray, second: FloatArray, side: Banded, otherwise: Array) -> Array:
    """The divergence of one pair of bands; `otherwise` where they are too far apart, or too many."""
    ops = side.ops
    factor = ops.cholesky_band(first, "precision")
    step = array_ops.cholesky_band_step(factor, second - first, _NEAR)
    if step is None:
        return otherwise
    rows, change = factor[:, ::-1], step[:, ::-1]
    share = change[0] / rows[0]
    coefficients = ops.below_diagonal(-(rows[1:] / rows[0]).T)
    weights = ops.below_diagonal((change[1:] - rows[1:] * share).T)
    squares = mean_squares(weights, coefficients, 1.0 / np.square(rows[0]), ops)
    own = 0.5 * share * share + identity_minus_log1p(share)
    return ops.sum_last(own + 0.5 * np.maximum(squares, 0.0))
