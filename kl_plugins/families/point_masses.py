"""Distributions on finitely many points of the line, whole numbers or not, given by their probabilities."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from kl_plugins.families.categorical import sums_to_one
from kl_plugins.families.core.closed_forms import closed_form, no_closed_form
from kl_plugins.families.core.discrete import Discrete, UnknownCountError
from kl_plugins.families.core.outcomes import ROUNDING, by_supports
from kl_plugins.formulas.discrete import outcome_divergence, x_log_x
from kl_plugins.ops import array_backend_of
from kl_plugins.ops.protocol import Array, ArrayOperations, Conditions
from kl_plugins.parameters.declarations import PROBABILITY, REAL, parameter

_INFINITY = float("inf")


class PointMasses(Discrete):
    """Points with their probabilities, plus loc.

    Parameters
    ----------
    points : array_like, shape (..., K)
        Ascending.
    p : array_like, shape (..., K)
        The probability of each, which sum to 1; zeros are allowed.
    loc : array_like, shape (...)

    Raises
    ------
    ValueError
        If points do not ascend, a probability is not between 0 and 1, or they do not sum to 1.

    Examples
    --------
    >>> from kl_plugins import kl
    >>> from kl_plugins.families.point_masses import PointMasses
    >>> kl(PointMasses([0.5, 2.0], [0.5, 0.5]), PointMasses([0.5, 1.0, 2.0], [0.25, 0.5, 0.25])).round(6)
    np.float64(0.693147)
    """

    points: Array = parameter(REAL, core_ndim=1)
    p: Array = parameter(PROBABILITY, core_ndim=1)
    loc: Array = parameter(REAL, default=0.0, static=True)
    find_backend = staticmethod(array_backend_of)

    def check_shapes(self) -> None:
        lengths = [(*self.ops.shape(getattr(self, name)), 0)[-2:-1] for name in ("points", "p")]
        if lengths[0] != lengths[1] or lengths[0] in ((), (0,)):
            raise ValueError("points and p must have as many entries along their last axis, at least one")
        _ = self.batch_shape

    def further_conditions(self) -> Conditions:
        yield self.points[..., 1:] > self.points[..., :-1], "points must ascend"
        yield from sums_to_one(self.p, self.ops)

    def broadcast(self, value: Array) -> Array:
        ops = self.ops
        return value + ops.zeros_like(self.points[..., 0] + self.p[..., 0]) + ops.zero_or_nan(self.loc)

    def widened(self) -> Discrete:
        return self

    def standard_ends(self) -> tuple[Array, Array]:
        return self.points[..., 0], self.points[..., -1]

    def log_p(self) -> Array:
        ops, none = self.ops, self.ops.equal(self.p, 0.0)
        return ops.where(none, -_INFINITY, ops.log(ops.where(none, 1.0, self.p)))

    def log_masses(self, k: Array) -> Array:
        return _looked_up(self.points, self.log_p(), k, self.ops)

    def entropy(self) -> Array:
        return self.broadcast(-self.ops.sum_last(x_log_x(self.p, self.ops)))


def _looked_up(points: Array, values: Array, at: Array, ops: ArrayOperations) -> Array:
    """The value of the point that a number is equal to, −∞ where there is none; points ascend."""
    if not ops.symbolic and points.ndim == values.ndim == 1:
        i = np.minimum(np.searchsorted(points, at), len(points) - 1)
        return np.where(points[i] == at, values[i], -_INFINITY)
    same = ops.equal(at[..., :, None], points[..., None, :])
    found = ops.sum_last(ops.where(same, 1.0, 0.0)) > 0.0
    return ops.where(found, ops.sum_last(ops.where(same, values[..., None, :], 0.0)), -_INFINITY)


def _masses(side: Discrete) -> Array:
    """The points of a distribution, less its loc, and the logarithms of their probabilities.

    None where they are infinitely many.
    """
    if isinstance(side, PointMasses):
        return side.points, side.log_p()
    count = side.count_outcomes()
    if count is None:
        return None
    k = side.outcomes(0, count)
    return k, side.log_masses(k)


def _cost(p: Discrete, q: Discrete) -> str:
    return "O(n) for the n points of p and q"


@closed_form(Discrete, PointMasses, _cost)
@closed_form(PointMasses, Discrete, _cost)
@closed_form(PointMasses, PointMasses, _cost)
def by_points(p: Discrete, q: Discrete) -> Array:
    """The sum over the points of either side of q − p − p log(q/p), none of which is negative.

    Where q has infinitely many, those that p has not hold 1 less the sum of the others.
    """
    ops, of_q = p.ops, None
    try:
        of_p = _masses(p)
    except UnknownCountError as error:
        raise no_closed_form(p, q, str(error)) from None
    if of_p is None:
        return by_supports(p, q)
    with suppress(UnknownCountError):
        of_q = _masses(q)
    shift = p.loc - q.loc
    at, log_p = of_p[0] + ops.expand_last(shift), of_p[1]
    try:
        log_q = q.log_masses(at)
    except UnknownCountError as error:
        raise no_closed_form(p, q, str(error)) from None
    there = ops.logical_not(ops.equal(log_p, -_INFINITY))
    value = ops.sum_last(ops.where(there, outcome_divergence(log_p, log_q, ops), 0.0))
    if of_q is None:
        rest = 1.0 - ops.sum_last(ops.where(there, ops.exp(log_q), 0.0))
        rest = ops.where(rest > ROUNDING, rest, 0.0)
    else:
        alone = ops.equal(_looked_up(at, log_p, of_q[0], ops), -_INFINITY)
        rest = ops.sum_last(ops.where(alone, ops.exp(of_q[1]), 0.0))
    return q.broadcast(p.broadcast(value + rest))
