"""Univariate families: X = loc + scale·Z, and a statement of the log density of Z; the rest follows."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, ClassVar, Self

import numpy as np

from kl_plugins.errors import NoClosedFormError, no_closed_form_of_pair
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.core.statistics import (
    At,
    Identity,
    LogDensity,
    Square,
    UnknownExpectationError,
    expectation,
    expects,
    times,
)
from kl_plugins.formulas.remainders import log_ratio
from kl_plugins.formulas.sums import settled_sum
from kl_plugins.ops import floats
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.deferred import deferred
from kl_plugins.parameters.certainty import (
    certainly_infinite,
    certainly_is,
    certainly_not_negative,
    is_literal,
)
from kl_plugins.parameters.parametrised import Shape, broadcast_shapes

_EVERYWHERE = (-math.inf, math.inf)

_ROUNDING = 32.0
"""So many units of rounding two ends may differ by and be the same."""

_NORMAL_ENTROPY = 0.5 + 0.5 * math.log(2.0 * math.pi)
"""Of the standard normal distribution."""


class Univariate(Distribution):
    """A family of distributions of one variable, X = loc + sign·scale·Z.

    A subclass is a frozen dataclass whose fields are all parameters, named in ``arrays`` with their
    ``domains``. It says where Z lives (``ends``).
    """

    ends: ClassVar[tuple[float, float]] = _EVERYWHERE
    literals: ClassVar[frozenset[str]] = frozenset({"concentration", "loc", "power", "sign"})
    loc = 0.0
    scale = 1.0
    sign = 1.0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.core_ndims = (0,) * len(cls.arrays)

    @property
    def batch_shape(self) -> Shape:
        state, shape = self.__dict__, self.ops.shape
        return broadcast_shapes(*[shape(state[name]) for name in self.arrays])

    @property
    def event_shape(self) -> Shape:
        return ()

    def check_shapes(self) -> None:
        try:
            _ = self.batch_shape
        except ValueError:
            known = [(name, self.ops.shape(self.__dict__[name])) for name in self.arrays]
            shapes = [f"{name} {shape}" for name, shape in known if shape]
            raise ValueError(f"shapes of {' and '.join(shapes)} do not broadcast") from None

    def standard_ends(self) -> tuple[Any, Any]:
        """The ends of the support of Z; floats where they are the same for all parameters."""
        return self.ends

    def sized(self, batch: tuple[Any, ...]) -> Self:
        """The same distributions, broadcast to a batch shape."""
        state = self.__getstate__()
        for name in self.arrays:
            if not is_literal(state[name]):
                state[name] = self.ops.broadcast_to(state[name], batch)
                break
        return self.trusted(self.ops, **state)

    def members(self, piece: slice) -> Self:
        """Those of a vector of distributions that are in a slice."""
        state = self.__getstate__()
        for name, core_ndim in self.cores():
            if not is_literal(value := state[name]) and value.ndim > core_ndim and len(value) > 1:
                state[name] = value[piece]
        for name in self.parts:
            state[name] = state[name].members(piece)
        made = self.trusted(self.ops, **state)
        made.__dict__["inside"] = self.__dict__.get("inside", frozenset())
        return made

    def moved(self, loc: Any, scale: Any) -> Self | None:
        """The distributions of loc + scale·X; None where the family does not have them."""
        state = self.__getstate__()
        if not {"loc", "scale"} <= state.keys():
            return None
        sign = np.sign(scale)
        if np.any(sign < 0.0):
            if "sign" not in state or np.any(sign > 0.0):
                return None
            state["sign"] = -state["sign"]
        state["loc"], state["scale"] = loc + scale * state["loc"], abs(scale) * state["scale"]
        return type(self)(**state)

    def full(self, value: Any) -> Any:
        """`value`, broadcast against all parameters, and NaN where one of them is."""
        if self.ops is floats and not self.__dict__.get("unsure"):
            return value
        parameters = [self.__dict__[name] for name in self.arrays]
        if type(value) is np.ndarray and value.dtype == np.float64 and self.has_no_nan():
            shapes = [parameter.shape for parameter in parameters if not is_literal(parameter)]
            if all(shape in (value.shape, ()) for shape in shapes):
                return value
        for parameter in parameters:
            if is_literal(parameter):
                value = value if parameter == parameter else value + parameter
            elif self.ops.symbolic:
                value = value + self.ops.zeros_like(parameter)
            else:
                value = value + self.ops.where(parameter == parameter, 0.0, parameter)
        return value


class Continuous(Univariate):
    """A family of distributions of one continuous variable.

    It states the log density of Z as a combination of statistics and registers with `expects` the
    expectations that it knows; those of z and z² follow from its mean and variance. Its entropy and its
    divergence from every family whose statistics it knows follow.
    """

    def log_density(self) -> LogDensity:
        """The log density of Z; UnknownExpectationError where it is not a combination of statistics."""
        raise UnknownExpectationError("a log density that is not a combination of statistics")

    def log_prob(self, x: Any) -> Any:
        """The log density at `x`, inside the support."""
        ops = self.ops
        z = self.sign * (x - self.loc) / self.scale
        constant, terms = self.log_density()
        return sum((c * statistic(z, ops) for c, statistic in terms), constant - ops.log(self.scale))

    def standard_mean(self) -> Any:
        """E[Z], infinite where it diverges; None where it is not known."""
        return None

    def standard_variance(self) -> Any:
        """The variance of Z, infinite where it diverges; None where it is not known."""
        return None

    def standard_entropy(self) -> Any:
        """The entropy of Z."""
        constant, terms = self.log_density()
        at = At(self.ops, 0.0, 1.0, 0.0)
        return -sum((c * expectation(self, statistic, at) for c, statistic in terms), constant)

    def comes_near_normal(self) -> bool:
        """Whether the variance and `negentropy` are stated so that nothing cancels beside a normal q."""
        return False

    def negentropy(self) -> Any:
        """The divergence of Z from the normal distribution of its mean and variance.

        Families that come near to it state it without what the entropies have in common.
        """
        spread = 0.5 * self.ops.log(self.standard_variance())
        return settled_sum([_NORMAL_ENTROPY, spread, -self.standard_entropy()], self.ops)

    def entropy(self) -> Any:
        """The entropy of Z plus log scale, shape ``batch_shape``."""
        try:
            value = self.standard_entropy()
        except UnknownExpectationError as error:
            raise NoClosedFormError(
                f"the entropy of {self.describe()} has no closed form: it needs the expectation of {error}"
            ) from None
        return self.full(value + self.ops.log(self.scale))


def standing(p: Univariate, q: Univariate) -> At:
    """How the standard variable of q depends on that of p."""
    ops, sign = p.ops, p.sign * q.sign
    ratio = p.scale / q.scale
    upper = None
    if q.ends[1] == 1.0:
        upper = _offset(q.loc + q.sign * q.scale, p.loc + p.sign * p.scale, q)
    return At(ops, _offset(p.loc, q.loc, q), ratio if sign == 1.0 else sign * ratio, upper)


def _offset(first: Any, second: Any, q: Univariate) -> Any:
    """(first − second) in units of q's scale; the float 0.0 where that is all rounding."""
    if first is second or certainly_is(first, second):
        return 0.0
    difference = first - second
    if q.ends == _EVERYWHERE:  # where nothing depends on whether two ends are the same
        if not (q.ops.symbolic or np.any(difference)):
            return 0.0
    elif is_literal(difference) or not (q.ops.symbolic or _are_apart(first, second, difference)):
        rounding = _ROUNDING * 2.220446049250313e-16 * (abs(first) + abs(second))
        differs = abs(difference) > rounding
        if not (differs if isinstance(differs, bool) else differs.any()):
            return 0.0
        difference = difference if np.all(differs) else difference * differs
    return times(q.sign, difference) / q.scale


def _are_apart(first: Any, second: Any, difference: Any) -> bool:
    """Whether no difference is rounding even of the largest numbers, which takes fewer passes to see."""
    rounding = _ROUNDING * 2.220446049250313e-16 * (_largest(first) + _largest(second))
    return bool(difference.size and abs(difference).min() > rounding)


def _largest(value: Any) -> Any:
    return abs(value) if is_literal(value) else max(value.max(initial=0.0), -value.min(initial=0.0))


def starts_with(p: Univariate, q: Univariate) -> bool:
    """Whether p and q certainly have the same location."""
    shift = _offset(p.loc, q.loc, q)
    return certainly_is(shift, 0.0)


def outside(p: Univariate, q: Univariate, at: At) -> Any:
    """Whether p has mass where q has none: True or False, or an array."""
    p_low, p_high = p.standard_ends()
    q_low, q_high = q.standard_ends()
    if p.sign * q.sign == -1.0:
        p_low, p_high = p_high, p_low
    found: Any = False
    for direction, end, bound in ((1.0, p_low, q_low), (-1.0, p_high, q_high)):
        if certainly_infinite(bound):
            continue
        if certainly_infinite(end):
            return True
        place = 0.0 if certainly_is(end, 0.0) else at.ratio * end
        gap = direction * (at.shift + place - bound)
        if certainly_not_negative(gap):
            continue  # nowhere, and there is no NaN
        origins = (abs(p.loc) + abs(q.loc)) / q.scale  # whose difference may be rounding
        slack = _ROUNDING * 2.220446049250313e-16 * (abs(bound) + abs(at.shift) + abs(place) + origins)
        # An end may be infinite, or its distance in q's scale be beyond the floats.
        slack = at.ops.where(at.ops.isinf(slack), 1.0, slack)
        beyond = gap < -slack
        found = beyond if found is False else at.ops.logical_or(found, beyond)
    return found


def infinite(p: Univariate, q: Univariate) -> Any:
    """+∞ in the shape of the pair."""
    return q.full(p.full(math.inf))


@kl_rules.register(Univariate, Univariate, cost="O(1)")
def continuous_and_discrete(p: Univariate, q: Univariate) -> Any:
    """+∞: one has a density, the other is made of points."""
    return infinite(p, q)


def by_statistics(p: Continuous, q: Continuous) -> Any:
    """Cross-entropy less entropy, from the expectations of the statistics that q's log density combines.

    Zero where that is all rounding; +∞ where p has mass where q has none.
    """
    ops, at = p.ops, standing(p, q)
    beyond = outside(p, q, at)
    if beyond is True:
        return infinite(p, q)
    try:
        terms = _terms(p, q, at)
    except UnknownExpectationError as error:
        if not ops.symbolic and np.all(beyond):
            return infinite(p, q)
        terms = _terms_where_known(p, q, at, beyond, str(error))
    value = settled_sum(terms, ops)
    return q.full(p.full(value if beyond is False else ops.where(beyond, math.inf, value)))


def _terms(p: Continuous, q: Continuous, at: At) -> list[Any]:
    """What the divergence is the sum of."""
    constant, combined = q.log_density()
    terms = [-p.standard_entropy(), log_ratio(q.scale, p.scale, p.ops), -constant]
    # A coefficient that is known to be zero takes its statistic away, though its expectation be unknown.
    combined = tuple(pair for pair in combined if not certainly_is(pair[0], 0.0))
    return terms + [times(-c, expectation(p, statistic, at)) for c, statistic in combined]


def _terms_where_known(p: Continuous, q: Continuous, at: At, beyond: Any, needed: str) -> list[Any]:
    """The terms with the offsets of a batch set to zero, if all that are not are outside of the support."""
    if not at.ops.symbolic:
        matters = np.logical_not(beyond)
        offsets = [offset for offset in (at.shift, at.upper) if offset is not None]
        if not any(np.any(matters & (offset != 0.0)) for offset in offsets):
            at = at._replace(shift=0.0, upper=None if at.upper is None else 0.0)
            with suppress(UnknownExpectationError):
                return _terms(p, q, at)
    raise no_closed_form(p, q, f"{_moved_apart(p, q, at)}it needs the expectation under p of {needed}")


def _moved_apart(p: Continuous, q: Continuous, at: At) -> str:
    """That the locations differ, where that alone is in the way."""
    try:
        _terms(p, q, at._replace(shift=0.0, upper=None if at.upper is None else 0.0))
    except UnknownExpectationError:
        return ""
    return "their locations differ, so that "


def no_closed_form(p: Distribution, q: Distribution, why: str) -> NoClosedFormError:
    """The error for a pair that the statistics do not serve."""
    return no_closed_form_of_pair(p.describe(), q.describe(), why)


def closed_form(
    p_type: type, q_type: type, stated: str | Callable[[Any, Any], str] = "O(1)"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function, which may find that there is no closed form, for a pair of families.

    `explain` calls it too, with operations that are put off, to say so, and gives the cost as `stated`. Long
    vectors are worked on in pieces whose intermediate results stay in the processor's cache.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def in_pieces(p: Univariate, q: Univariate) -> Any:
            if p.ops is not array_ops or (length := max(_length(p), _length(q))) <= array_ops.PIECE:
                return function(p, q)
            return array_ops.in_pieces(lambda piece: function(p.members(piece), q.members(piece)), length)

        def decide(p: Univariate, q: Univariate) -> float:
            function(*deferred(p, q))
            return 0.0

        def cost(p: Univariate, q: Univariate) -> str:
            if p.ops.symbolic:
                decide(p, q)
            else:
                p.ops.numbers(decide, p, q)
            return stated if isinstance(stated, str) else stated(p, q)

        kl_rules.register(p_type, q_type, cost=cost)(in_pieces)
        return function

    return decorate


def _length(p: Univariate) -> int:
    """Of a vector; 0 for whatever is not one."""
    shape = p.batch_shape
    return (shape[0] or 0) if len(shape) == 1 else 0


closed_form(Continuous, Continuous)(by_statistics)


@expects(Continuous, Identity)
def mean(p: Continuous, statistic: Identity, at: At) -> Any:
    value = p.standard_mean()
    if certainly_is(value, 0.0):
        return at.shift
    return None if value is None else at.shift + at.ratio * value


@expects(Continuous, Square)
def square(p: Continuous, statistic: Square, at: At) -> Any:
    centre, variance = p.standard_mean(), p.standard_variance()
    if centre is None or variance is None:
        return None
    at_mean = at.shift + at.ratio * centre
    return at_mean * at_mean + (at.ratio * variance) * at.ratio
