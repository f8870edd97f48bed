"""Discrete families: X = loc + Z, Z a whole number, by the logarithms of their probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Self, cast

import numpy as np

from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.ops import numpy as arrays
from kl_plugins.ops.protocol import Array, ArrayOperations, SymbolicOperations
from kl_plugins.parameters.certainty import certainly_infinite, is_literal
from kl_plugins.parameters.declarations import is_broken
from kl_plugins.parameters.shapes import Shape, broadcast_shapes

MOST_TERMS = 10_000_000
"""So many terms are summed at most, the members of a batch counted together."""

NATS, _NATS_PER_POWER = 90.0, 2.0
"""Of endlessly many outcomes those are summed beyond which p has no more than exp(−90), 10⁻³⁹.

Where −log q grows like t^m, beyond T where p has exp(−t) left, they hold about T^m exp(−T) of what is summed,
in units of (m/e)^m. With T = 90 + 2 m that is less than 10⁻¹⁶ for any m.
"""

_MORE, _FURTHER = 4.0, 1000.0
"""Up to so many times p's outcomes, and more, those of q are summed too; beyond, they are 1 less the sum."""

MATHEMATICS = (
    "write its mathematics in self.ops (self.ops.log, self.ops.where), not in math, int(), float() or if"
)
"""What to do where a family's own formulas fail on arrays or in graphs."""

_INFINITY = math.inf


class UnknownCountError(NotImplementedError):
    """How many outcomes there are is not known, or they are too many to be summed."""


class Discrete(Univariate):
    """A family of distributions of whole numbers, shifted by ``loc``.

    A subclass states the logarithm of the probability of each outcome of Z, and the ends of its support.
    Its entropy and its divergence from every other discrete family follow where its outcomes are finitely
    many. Where they are not, it needs rules of its own.

    Attributes
    ----------
    ends : tuple of (float, float)
        Of the support of Z; a method ``standard_ends`` where they depend on parameters.
    loc : float or array
        A parameter of this name shifts the outcomes; 0 where the family has none.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import kl
    >>> from kl_plugins.extend import PROBABILITY, Discrete, parameter
    >>> class Coin(Discrete):
    ...     heads: float = parameter(PROBABILITY)
    ...     ends = (0.0, 1.0)
    ...     def log_pmf(self, k):
    ...         ops = self.ops
    ...         return ops.log(ops.where(ops.equal(k, 1.0), self.heads, 1.0 - self.heads))
    >>> kl(Coin(0.5), stats.bernoulli(0.25)).round(6)
    np.float64(0.143841)
    """

    def for_decisions(self) -> Self:
        """Outcomes are arrays."""
        return self.to_arrays() if self.ops.scalar else self

    def log_pmf(self, k: Array) -> Array:
        """The logarithm of the probability that Z is `k`, a whole number inside the support."""
        raise NotImplementedError(f"{type(self).__name__} states no log_pmf: the logarithm of P(Z = k)")

    def point(self) -> Array:
        """Where an endless support has shrunk to its lower end: False, or an array."""
        return False

    def located_ends(self) -> tuple[Array, Array]:
        """The ends of the support of loc + Z; floats where they are infinite."""
        low, high = self.standard_ends()
        loc = self.loc
        return low if certainly_infinite(low) else low + loc, high if certainly_infinite(high) else high + loc

    def growth(self) -> Array:
        """The power of k with which −log P(Z > k) grows, where outcomes are endlessly many."""
        return 1.0

    def reach(self, nats: Array) -> Array:
        """A number that Z, of endlessly many outcomes, exceeds with a probability of at most exp(−nats).

        ∞ where probabilities fall like a power; None where it is not known, or where −log P(Z = k) may grow
        faster than any power of k. Divergences from and of what states it are sums.
        """
        return None

    def lower_reach(self, nats: Array) -> Array:
        """A number that Z falls below with a probability of at most exp(−nats): its lower end, if it has one.

        As `reach`; −∞ where it is not known.
        """
        return self.standard_ends()[0]

    def widened(self) -> Discrete:
        """The same with one more batch dimension, the last, of length 1."""
        state, ops = self.__getstate__(), self.ops
        for name in self.parameters:
            if not is_literal(state[name]):
                state[name] = ops.expand_last(state[name])
            elif ops.symbolic:  # where functions of a lone number would be computed in float32
                state[name] = ops.asarray(state[name], name)
        return self.unchecked(self.ops, **state)

    def log_masses(self, k: Array) -> Array:
        """`log_pmf` at any numbers, −∞ where there is no outcome; `k` has one more dimension, the last."""
        ops, made = self.ops, self.widened()
        low, high = made.standard_ends()
        # Stated so that NaN is not outside: it comes out where it went in.
        outside = either(ops, is_broken(k, ops), k < low, k > high)
        some = 0.0 if certainly_infinite(low) else low
        inside = ops.where(outside, some, k)
        try:
            value = made.log_pmf(inside)
        except TypeError as error:
            name = type(self).__name__
            raise TypeError(
                f"{name}.log_pmf fails on arrays of parameters ({error}): {MATHEMATICS}"
            ) from error
        return ops.where(outside, -_INFINITY, value)

    def log_prob(self, x: Array) -> Array:
        """The logarithm of the probability of `x`, −∞ where that is no outcome."""
        return self.log_masses((x - self.loc)[..., None])[..., 0]

    def entropy(self) -> Array:
        """−Σ P log P, shape ``batch_shape``."""
        if self.ops.scalar:
            return arrays.evaluate(type(self).entropy, self.to_arrays())
        try:
            first, count = self.standard_ends()[0], self.count_outcomes()
            if count is None:
                if self.reach(NATS) is None:
                    raise NoClosedFormError(f"the entropy of {self.describe()} has no closed form")
                first, count = endless_range(self, self)
            count, few = limited(count, self.batch_shape, self.ops)
            log_p = self.log_masses(self.outcomes(0, count, first))
        except UnknownCountError as error:
            raise NoClosedFormError(f"the entropy of {self.describe()} is not known: {error}") from None
        ops = self.ops
        missing = ops.equal(log_p, -_INFINITY)
        value = 0.0 - ops.sum_last(ops.exp(log_p) * ops.where(missing, 0.0, log_p))
        return cast(SymbolicOperations, ops).guard(value, few) if few else value

    def count_outcomes(self) -> int | None:
        """The largest number in a batch; None where there is no end."""
        low, high = self.standard_ends()
        if certainly_infinite(low) or certainly_infinite(high):
            return None
        width = self.ops.known(high - low)
        if width is None:
            raise UnknownCountError(
                f"the number of outcomes of {self.describe()} must be known before the graph runs: make the "
                "parameters that decide it constants"
            )
        widths = np.asarray(width, np.float64)
        widest = np.max(widths, initial=0.0, where=np.isfinite(widths))
        count: int = limited(int(widest) + 1, self.batch_shape, self.ops)[0]
        return count

    def outcomes(self, extra: int, count: Array, first: Array = None) -> Array:
        """`count` outcomes of Z from `first` on, and `extra` numbers on either side, along a last axis.

        Without a `first` they are from the lower end on.
        """
        low, ops = self.standard_ends()[0] if first is None else first, self.ops
        if isinstance(count, int):
            steps = ops.asarray(np.arange(-float(extra), float(count + extra)), "k")
        else:
            steps = ops.steps(count + 2.0 * extra) - float(extra)
        return ops.expand_last(low) + steps


def endless_range(p: Discrete, q: Discrete) -> tuple[Array, Array]:
    """From where on p's endlessly many outcomes are summed, and how many: one number, or that of a graph.

    UnknownCountError where that is not known, or they are too many.
    """
    ops, nats, shift = p.ops, NATS + _NATS_PER_POWER * (q.growth() / p.growth()), q.loc - p.loc
    low, own, other = p.lower_reach(nats), p.reach(nats), q.reach(NATS)
    if own is None or other is None or certainly_infinite(low):
        raise UnknownCountError("p has infinitely many outcomes to sum over")
    if certainly_infinite(own):
        raise UnknownCountError("p has infinitely many outcomes to sum over, whose probabilities fall slowly")
    count = own - low + 1.0
    most, first = _MORE * count + _FURTHER, low
    if certainly_infinite(p.standard_ends()[0]):
        of_q = q.lower_reach(NATS)
        if not certainly_infinite(of_q):
            first = ops.minimum(low, ops.maximum(of_q + shift, low - most))
        first = ops.floor(first)
        most = 2.0 * most
    if not certainly_infinite(other) or first is not low:
        of_q = own if certainly_infinite(other) else other + shift
        of_q = ops.maximum(own, of_q) - first + 1.0
        if ops.known(count) is not None and ops.known(of_q) is None:
            count = most  # a constant, which JAX needs
        else:
            count = ops.maximum(count, ops.minimum(of_q, most))
    return first, _largest(count, p, q)


def _largest(count: Array, p: Discrete, q: Discrete) -> Array:
    """Of the numbers of a batch the largest one."""
    ops, known = p.ops, p.ops.known(count)
    if known is not None:
        known = np.asarray(known, np.float64)
        widest = np.max(known, initial=1.0, where=~np.isnan(known))
        return limited(int(min(widest, 1e300)) + 1, (), ops)[0]
    count = q.broadcast(p.broadcast(count))
    count = ops.where(ops.isnan(count), 1.0, count)
    for _ in broadcast_shapes(p.batch_shape, q.batch_shape):
        count = ops.max_last(count)
    return ops.floor(count) + 1.0


def limited(count: Array, shape: Shape, ops: ArrayOperations) -> tuple[Array, list[tuple[Array, str]]]:
    """How many outcomes are summed for each of a batch, as they are not too many; in graphs, the conditions.

    UnknownCountError where they are, as far as that is known.
    """
    size = math.prod(length or 1 for length in shape)
    if isinstance(count, int):
        if count * size > MOST_TERMS:
            number = f"{count:.4g} outcomes" + (f" times {size} distributions" if size > 1 else "")
            raise UnknownCountError(f"{number} are more than {MOST_TERMS} terms to sum")
        return count, []
    few = ops.logical_not(count * float(size) > MOST_TERMS)
    return ops.where(few, count, 1.0), [(few, f"p has more than {MOST_TERMS} terms to sum")]


def bounded(end: Array, bound: Array, choose: Callable[..., Array], ops: ArrayOperations) -> Array:
    """The `max` or `min` of two ends of supports, a float where both are."""
    if is_literal(end) and is_literal(bound):
        return choose(end, bound)
    return ops.maximum(end, bound) if choose is max else ops.minimum(end, bound)


def either(ops: ArrayOperations, *conditions: Array) -> Array:
    """Whether one of the conditions holds, which are bools or arrays."""
    given = [x for x in conditions if not isinstance(x, bool | np.bool_)]
    if len(given) < len(conditions) and any(x for x in conditions if isinstance(x, bool | np.bool_)):
        return True
    return reduce(ops.logical_or, given) if given else False


def opposite(condition: Array, ops: ArrayOperations) -> Array:
    return not condition if isinstance(condition, bool | np.bool_) else ops.logical_not(condition)


def plain(value: Array) -> Array:
    """A NumPy number as a float, an array as it is."""
    return value if np.ndim(value) else float(value)
