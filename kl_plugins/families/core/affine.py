"""The affine map between the standard variables of two families, and what it says of their supports."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kl_plugins.families.core.univariate import EVERYWHERE, Univariate
from kl_plugins.ops.deferred import decided, put_off
from kl_plugins.ops.protocol import Array, ArrayOperations
from kl_plugins.parameters.certainty import (
    certainly_infinite,
    certainly_is,
    certainly_not_negative,
    is_literal,
)

_EPSILON = 32.0 * 2.220446049250313e-16
"""So much, relative to their sizes, two ends may differ by and be the same."""


class AffineMap(NamedTuple):
    """The standard variable of q in terms of that of p: z = shift + ratio·Z.

    Attributes
    ----------
    ops : ArrayOperations
        The operations that the parameters are in.
    shift : array or float
        The location of p less that of q, in units of q's scale: the float 0.0 where it is certainly zero.
    ratio : array or float
        The scale of p in units of q's; negative where they point opposite ways. ``ops.same(ratio, 1.0)``
        tells whether the scales certainly agree.
    upper : array, float or None
        1 − z less ratio·(1 − Z), for families on (0, 1): the float 0.0 where the upper ends are certainly the
        same. None where q does not end at 1.
    fixes_zero : bool
        Whether z is certainly a multiple of Z.
    fixes_one : bool
        Whether 1 − z is certainly a multiple of 1 − Z.

    Examples
    --------
    A function that knows E[z] of its family, under `expects`:

    >>> from kl_plugins import kl
    >>> from kl_plugins.extend import POSITIVE, Continuous, Identity, LogDensity, expects, parameter
    >>> class Waiting(Continuous):
    ...     scale: float = parameter(POSITIVE)
    ...     ends = (0.0, float("inf"))
    ...     def log_density(self):
    ...         return LogDensity(0.0, ((-1.0, Identity()),))
    >>> @expects(Waiting, Identity)
    ... def mean(p, statistic, at):
    ...     return at.shift + at.ratio  # E[shift + ratio·Z], as E[Z] = 1
    >>> round(float(kl(Waiting(1.0), Waiting(2.0))), 6)
    0.193147
    """

    ops: ArrayOperations
    shift: Array
    ratio: Array
    upper: Array = None

    @property
    def fixes_zero(self) -> bool:
        """Whether it certainly maps 0 to 0: z is a multiple of Z."""
        return certainly_is(decided(self.shift), 0.0)

    @property
    def fixes_one(self) -> bool:
        """Whether it certainly maps 1 to 1: 1 − z is a multiple of 1 − Z."""
        return certainly_is(decided(self.upper), 0.0)


def identity_map(ops: ArrayOperations) -> AffineMap:
    """The map of a standard variable to itself."""
    return AffineMap(ops, 0.0, 1.0, 0.0)


def times(factor: Array, value: Array) -> Array:
    """factor·value; the value itself, without a pass over an array, where the factor is the float 1.0."""
    return value if certainly_is(factor, 1.0) else factor * value


def affine_map(p: Univariate, q: Univariate) -> AffineMap:
    """How the standard variable of q depends on that of p."""
    ops, sign = p.ops, p.sign * q.sign
    ratio = p.scale / q.scale
    upper = None
    if q.ends[1] == 1.0:
        upper = _offset(q.loc + q.sign * q.scale, p.loc + p.sign * p.scale, q)
    return AffineMap(ops, _offset(p.loc, q.loc, q), ratio if sign == 1.0 else sign * ratio, upper)


def _offset(first: Array, second: Array, q: Univariate) -> Array:
    """(first − second) in units of q's scale; the float 0.0 where that is all rounding."""
    if first is second or certainly_is(first, second):
        return 0.0
    literal = is_literal(first) and is_literal(second)
    if not (literal or q.ops.symbolic):
        return put_off(q.ops, _step, first, second, q)  # which takes passes over arrays
    difference = first - second
    # Where q is everywhere nothing depends on whether two ends are the same.
    if literal and q.ends != EVERYWHERE and not abs(difference) > _EPSILON * (abs(first) + abs(second)):
        return 0.0
    return times(q.sign, difference) / q.scale


def _step(first: Array, second: Array, q: Univariate) -> Array:
    """`_offset` of arrays, of which some may have turned out to be numbers."""
    difference = np.asarray(first - second)
    if q.ends == EVERYWHERE:
        if not np.any(difference):
            return 0.0
    elif not _are_apart(first, second, difference):
        differs = abs(difference) > _EPSILON * (abs(first) + abs(second))
        if not differs.any():
            return 0.0
        difference = difference if np.all(differs) else difference * differs
    return times(q.sign, difference) / q.scale


def _are_apart(first: Array, second: Array, difference: Array) -> bool:
    """Whether no difference is rounding even of the largest numbers, which takes fewer passes to see."""
    rounding = _EPSILON * (_largest(first) + _largest(second))
    return bool(difference.size and abs(difference).min() > rounding)


def _largest(value: Array) -> Array:
    return abs(value) if is_literal(value) else max(value.max(initial=0.0), -value.min(initial=0.0))


def same_location(p: Univariate, q: Univariate) -> bool:
    """Whether p and q certainly have the same location."""
    return certainly_is(decided(_offset(p.loc, q.loc, q)), 0.0)


def in_shape_of_pair(p: Univariate, q: Univariate, value: Array, beyond: Array = False) -> Array:
    """The value of each pair; +∞ where p has mass `beyond` q's support, NaN where a parameter is NaN."""
    value = value if beyond is False else p.ops.where(beyond, math.inf, value)
    return q.broadcast(p.broadcast(value))


def outside(p: Univariate, q: Univariate, at: AffineMap) -> Array:
    """Whether p has mass where q has none: True or False, or an array."""
    p_low, p_high = p.standard_ends()
    q_low, q_high = q.standard_ends()
    if p.sign * q.sign == -1.0:
        p_low, p_high = p_high, p_low
    found: Array = False
    for direction, end, bound in ((1.0, p_low, q_low), (-1.0, p_high, q_high)):
        if certainly_infinite(bound):
            continue
        if certainly_infinite(end):
            numbers = at.ops.known(bound)
            endless = numbers is not None and np.isinf(numbers)
            if not np.any(endless):
                return True
            found = at.ops.logical_or(np.logical_not(endless), found)
            continue
        place = 0.0 if certainly_is(end, 0.0) else at.ratio * end
        gap = direction * (at.shift + place - bound)
        if certainly_not_negative(gap):
            continue  # nowhere, and there is no NaN
        origins = (abs(p.loc) + abs(q.loc)) / q.scale  # whose difference may be rounding
        slack = _EPSILON * (abs(bound) + abs(at.shift) + abs(place) + origins)
        # An end may be infinite, or its distance in q's scale be beyond the floats.
        slack = at.ops.where(at.ops.isinf(slack), 1.0, slack)
        beyond = gap < -slack
        found = beyond if found is False else at.ops.logical_or(found, beyond)
    return found
