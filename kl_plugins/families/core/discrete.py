"""Discrete families: X = loc + Z, Z a whole number; sums over the outcomes where they are finitely many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.univariate import Univariate, closed_form, no_closed_form
from kl_plugins.formulas.discrete import outcome_divergence
from kl_plugins.ops import numpy as arrays
from kl_plugins.ops.checked import on_floats
from kl_plugins.parameters.certainty import certainly_infinite, is_literal
from kl_plugins.parameters.parametrised import broadcast_shapes

_MOST = 10_000_000
"""So many terms are summed at most, the members of a batch counted together."""

_BEYOND = 8
"""So many outcomes on either side of p's support are looked at for what q has there, in small batches:
where that is nearly nothing, 1 less the sum of the others does not show it."""

ROUNDING = 64.0 * 2.220446049250313e-16
"""Up to this a sum of probabilities is taken to be 1."""

_INFINITY = math.inf


class Discrete(Univariate):
    """A family of distributions of whole numbers, shifted by ``loc``.

    A subclass states the logarithm of the probability of each outcome of Z, and the ends of its support.
    Its entropy and its divergence from every other discrete family follow where its outcomes are finitely
    many. Where they are not, it needs rules of its own.
    """

    literals: ClassVar[frozenset[str]] = frozenset({"loc", "n"})
    integers: ClassVar[tuple[str, ...]] = ()
    """The parameters that are whole numbers."""

    def log_pmf(self, k: Any) -> Any:
        """The logarithm of the probability that Z is `k`, a whole number inside the support."""
        raise NotImplementedError

    def point(self) -> Any:
        """Where an endless support has shrunk to its lower end: False, or an array."""
        return False

    def widened(self) -> Discrete:
        """The same with one more batch dimension, the last, of length 1."""
        state, ops = self.__getstate__(), self.ops
        for name in self.arrays:
            if not is_literal(state[name]):
                state[name] = ops.expand_last(state[name])
            elif ops.symbolic:  # where functions of a lone number would be computed in float32
                state[name] = ops.asarray(state[name], name)
        return self.trusted(self.ops, **state)

    def log_masses(self, k: Any) -> Any:
        """`log_pmf` at any numbers, −∞ where there is no outcome; `k` has one more dimension, the last."""
        ops, made = self.ops, self.widened()
        low, high = made.standard_ends()
        # Stated so that NaN is not outside: it comes out where it went in.
        outside = either(ops, is_broken(k, ops), k < low, k > high)
        some = 0.0 if certainly_infinite(low) else low
        return ops.where(outside, -_INFINITY, made.log_pmf(ops.where(outside, some, k)))

    def log_prob(self, x: Any) -> Any:
        """The logarithm of the probability of `x`, −∞ where that is no outcome."""
        return self.log_masses((x - self.loc)[..., None])[..., 0]

    def entropy(self) -> Any:
        """−Σ P log P, shape ``batch_shape``."""
        if on_floats(self.ops):
            return arrays.numbers(type(self).entropy, self.to_arrays())
        count = count_outcomes(self)
        if count is None:
            raise NoClosedFormError(f"the entropy of {self.describe()} has no closed form")
        if isinstance(count, str):
            raise NoClosedFormError(f"the entropy of {self.describe()} is not known: {count}")
        ops = self.ops
        log_p = self.log_masses(outcomes(self, 0, count))
        missing = ops.equal(log_p, -_INFINITY)
        return 0.0 - ops.sum_last(ops.exp(log_p) * ops.where(missing, 0.0, log_p))

    def sized(self, batch: tuple[Any, ...]) -> Any:
        state = self.__getstate__()
        name = next((name for name in self.arrays if not is_literal(state[name])), self.arrays[0])
        state[name] = self.ops.broadcast_to(self.ops.asarray(state[name], name), batch)
        return self.trusted(self.ops, **state)

    def _become_plain(self) -> bool:
        if not super()._become_plain():
            return False
        try:
            return all(holds for holds, _ in self.further_conditions())
        except ArithmeticError:  # of NaN
            return False

    def own_conditions(self) -> Iterator[tuple[Any, str]]:
        yield from super().own_conditions()
        yield from self.further_conditions()

    def further_conditions(self) -> Iterator[tuple[Any, str]]:
        """Yield (condition, message) for what `domains` do not say: here that whole numbers are."""
        for name in self.integers:
            whole = opposite(is_broken(self.__dict__[name], self.ops), self.ops)
            yield whole, f"{name} must be a whole number"


def is_broken(value: Any, ops: Any) -> Any:
    """Whether a number is certainly no whole one: True or False, or an array."""
    return value % 1.0 > 0.0 if is_literal(value) else value - ops.floor(value) > 0.0


def either(ops: Any, *conditions: Any) -> Any:
    """Whether one of the conditions holds, which are bools or arrays."""
    given = [x for x in conditions if not isinstance(x, bool | np.bool_)]
    if len(given) < len(conditions) and any(x for x in conditions if isinstance(x, bool | np.bool_)):
        return True
    return reduce(ops.logical_or, given) if given else False


def opposite(condition: Any, ops: Any) -> Any:
    return not condition if isinstance(condition, bool | np.bool_) else ops.logical_not(condition)


def plain(value: Any) -> Any:
    """A NumPy number as a float, an array as it is."""
    return value if np.ndim(value) else float(value)


def count_outcomes(p: Discrete) -> Any:
    """The largest number of outcomes in a batch; None where there is no end, text where it is not known."""
    low, high = p.standard_ends()
    if certainly_infinite(low) or certainly_infinite(high):
        return None
    width = p.ops.known(high - low)
    if width is None:
        return (
            f"the number of outcomes of {p.describe()} must be known before the graph runs: make the "
            "parameters that decide it constants"
        )
    widths = np.asarray(width, np.float64)
    widest = np.max(widths, initial=0.0, where=np.isfinite(widths))
    size = math.prod(length or 1 for length in p.batch_shape)
    if (widest + 1.0) * size > _MOST:
        return f"{widest + 1.0:.0f} outcomes times {size} distributions are more than {_MOST} terms to sum"
    return int(widest) + 1


def outcomes(p: Discrete, extra: int, count: int) -> Any:
    """The first `count` outcomes of Z, and `extra` numbers on either side, along a last axis."""
    low, ops = p.standard_ends()[0], p.ops
    steps = ops.asarray(np.arange(-float(extra), float(count + extra)), "k")
    return ops.expand_last(low) + steps


def by_outcomes(p: Discrete, q: Discrete) -> Any:
    """The sum over all outcomes of q − p − p log(q/p), none of which is negative; +∞ by supports.

    Where p has infinitely many outcomes, what follows from the supports alone.
    """
    if on_floats(p.ops):
        return arrays.numbers(by_outcomes, p.to_arrays(), q.to_arrays())
    ops, count = p.ops, count_outcomes(p)
    if count is None:
        return by_supports(p, q)
    batch = broadcast_shapes(p.batch_shape, q.batch_shape)
    size = math.prod(length or 1 for length in batch)
    if not isinstance(count, str) and count * size > _MOST:
        count = f"{count} outcomes times {size} pairs are more than {_MOST} terms to sum"
    if isinstance(count, str):
        raise no_closed_form(p, q, count)
    shift = p.loc - q.loc
    extra = _BEYOND if (count + 2 * _BEYOND) * size <= _MOST else 0
    k = outcomes(p, extra, count)
    log_p = p.log_masses(k)
    log_q = q.log_masses(k + ops.expand_last(shift))
    value = ops.sum_last(outcome_divergence(log_p, log_q, ops))
    low, high = q.standard_ends()
    first = p.standard_ends()[0] + shift - extra
    unseen = either(ops, first > low, first + (count + 2.0 * extra - 1.0) < high)
    if unseen is not False:
        rest = 1.0 - ops.sum_last(ops.exp(log_q))
        rest = ops.where(rest > ROUNDING, rest, 0.0)
        value = value + (rest if unseen is True else ops.where(unseen, rest, 0.0))
    return _narrowed(q.full(p.full(value)), p, q)


def _narrowed(value: Any, p: Discrete, q: Discrete) -> Any:
    """float32 where the parameters are, though the sum was taken in float64."""
    if p.ops.symbolic:
        return value
    given = [x.dtype for x in [*p.values(), *q.values()] if not is_literal(x)]
    return value.astype(np.result_type(*given)) if given else value


def by_supports(p: Discrete, q: Discrete, value: Any = 0.0, holds: Any = False) -> Any:
    """`value` where it `holds`; elsewhere −log q of p's only outcome, or +∞ as p's support is not inside q's.

    NoClosedFormError where neither is the case.
    """
    if on_floats(p.ops):
        p, q = p.to_arrays(), q.to_arrays()
        return arrays.numbers(by_supports, p, q, arrays.asarray(value, "value"), holds)
    if holds is True:
        return q.full(p.full(value))
    ops, point, beyond = p.ops, p.point(), _beyond(p, q)
    nan = _has_nan(p, q)
    known = beyond if ops.symbolic else either(ops, holds, point, beyond, nan)
    if not (known is True or (known is not False and not ops.symbolic and known.all())):
        apart = type(p) is type(q) and starts_together(p, q) is not True
        moved = "their locations differ, and " if apart else ""
        raise no_closed_form(p, q, f"{moved}{p.describe()} has infinitely many outcomes to sum over")
    other: Any = _INFINITY
    if point is not False:
        low = outcomes(p, 0, 1) + ops.expand_last(p.loc) - ops.expand_last(q.loc)
        other = ops.where(point, -ops.sum_last(q.log_masses(low)), other)
    if holds is not False:
        other = ops.where(holds, value, other)
    if nan is not False:
        other = ops.where(nan, math.nan, other)
    return q.full(p.full(other))


def _beyond(p: Discrete, q: Discrete) -> Any:
    """Whether p, of endless support, has outcomes that q has not: True, or an array."""
    (p_low, p_high), (q_low, q_high) = p.standard_ends(), q.standard_ends()
    ends = (p_low, q_low), (p_high, q_high)
    if any(certainly_infinite(end) and not certainly_infinite(bound) for end, bound in ends):
        return True
    shift = p.loc - q.loc
    below = False if certainly_infinite(q_low) else p_low + shift < q_low
    above = False if certainly_infinite(q_high) else p_high + shift > q_high
    return either(p.ops, is_broken(shift, p.ops), below, above)


def _has_nan(p: Discrete, q: Discrete) -> Any:
    """Which pairs of numbers have a parameter that is NaN."""
    if p.ops.symbolic:
        return False
    return np.isnan(q.full(p.full(0.0)) + sum(_trace(side) for side in (p, q)))


def _trace(side: Discrete) -> Any:
    """0, NaN where a parameter is NaN."""
    own = [0.0 * side.__dict__[name] for name in side.arrays]
    own = [x.sum(-1) if core else x for x, (_, core) in zip(own, side.cores(), strict=True)]
    return sum(own) + sum(_trace(side.__dict__[name]) for name in side.parts)


def starts_together(p: Discrete, q: Discrete) -> Any:
    """Whether the two are not shifted against each other: True or False, or an array of numbers."""
    if p.ops.same(p.loc, q.loc):
        return True
    return False if p.ops.symbolic else np.equal(p.loc, q.loc)


def _cost(p: Discrete, q: Discrete) -> str:
    return "O(1)" if any(map(certainly_infinite, p.standard_ends())) else "O(n) for the n outcomes of p"


closed_form(Discrete, Discrete, _cost)(by_outcomes)
