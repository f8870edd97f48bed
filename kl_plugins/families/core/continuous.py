"""Continuous families: a statement of the log density of Z; entropies and divergences follow from it."""

from __future__ import annotations

import math
from contextlib import suppress
from functools import reduce
from operator import add
from types import FunctionType
from typing import Any

import numpy as np

from kl_plugins.errors import Apart, NoClosedFormError
from kl_plugins.families.core.affine import AffineMap, affine_map, identity_map, in_shape_of_pair, outside
from kl_plugins.families.core.closed_forms import closed_form, infinite, no_closed_form
from kl_plugins.families.core.statements import (
    LogDensity,
    UnknownExpectationError,
    checked_density,
    cross_terms,
    difference_terms,
    expects,
    have_in_common,
)
from kl_plugins.families.core.statistics import Identity, Log, LogSquare, Power, Square, Statistic
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.formulas.cancellation_free import log_ratio
from kl_plugins.formulas.sums import sum_beyond_roundoff
from kl_plugins.mistakes import is_ours
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal, certainly_is

_NORMAL_ENTROPY = 0.5 + 0.5 * math.log(2.0 * math.pi)
"""Of the standard normal distribution."""


class Continuous(Univariate):
    """A family of distributions of one continuous variable.

    It states the log density of Z as a combination of statistics and registers with `expects` the
    expectations that it knows; those of z and z² follow from its mean and variance, those of powers and
    logarithms of multiples of Z from `moment`, `mean_log` and `variance_log`. Its entropy and its divergence
    from every family whose statistics it knows follow.

    Attributes
    ----------
    ends : tuple of (float, float)
        Of the support of Z; the whole line where a class does not say it.
    loc, scale, sign : float or array
        X = loc + sign·scale·Z. Parameters of these names; 0, 1 and 1 where the family has none.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import kl
    >>> from kl_plugins.extend import POSITIVE, Continuous, Identity, LogDensity, parameter
    >>> class Waiting(Continuous):
    ...     scale: float = parameter(POSITIVE, typical=(0.5, 2.0))
    ...     ends = (0.0, float("inf"))
    ...     def log_density(self):
    ...         return LogDensity(0.0, ((-1.0, Identity()),))
    ...     def standard_mean(self):
    ...         return 1.0
    >>> kl(Waiting(2.0), stats.expon(scale=3.0)).round(6)
    np.float64(0.072132)
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = vars(cls).get("log_density")
        if isinstance(own, FunctionType) and not is_ours(cls):  # which the tests of the library judge
            cls.log_density = checked_density(own)  # type: ignore[assignment, method-assign]

    def log_density(self) -> LogDensity:
        """The log density of Z; UnknownExpectationError where it is not a combination of statistics."""
        missing = f"{type(self).__name__} states no log_density"
        raise UnknownExpectationError(f"a log density that is not a combination of statistics ({missing})")

    def log_prob(self, x: Array) -> Array:
        """The log density at `x`, inside the support."""
        ops = self.ops
        z = self.sign * (x - self.loc) / self.scale
        constant, terms = self.log_density()
        return sum((c * statistic(z, ops) for c, statistic in terms), constant - ops.log(self.scale))

    def moment(self, order: Array) -> Array:
        """E[Z^order] of a positive Z, infinite where it diverges; None where it is not known."""
        return None

    def mean_log(self) -> Array:
        """E[log Z] of a positive Z; None where it is not known."""
        return None

    def variance_log(self) -> Array:
        """The variance of log Z; None where it is not known."""
        return None

    def standard_mean(self) -> Array:
        """E[Z], infinite where it diverges; None where it is not known."""
        return self.moment(1.0)

    def standard_variance(self) -> Array:
        """The variance of Z, infinite where it diverges; None where it is not known."""
        mean, second = self.standard_mean(), self.moment(2.0)
        if mean is None or second is None:
            return None
        return self.ops.where(second < math.inf, second - mean * mean, math.inf)

    def standard_entropy(self) -> Array:
        """The entropy of Z."""
        return reduce(add, cross_terms(self, self.log_density(), identity_map(self.ops)))

    def comes_near_normal(self) -> bool:
        """Whether the variance and `negentropy` are stated so that nothing cancels beside a normal q."""
        return False

    def negentropy(self) -> Array:
        """The divergence of Z from the normal distribution of its mean and variance.

        Families that come near to it state it without what the entropies have in common.
        """
        spread = 0.5 * self.ops.log(self.standard_variance())
        return sum_beyond_roundoff([_NORMAL_ENTROPY, spread, -self.standard_entropy()], self.ops)

    def entropy(self) -> Array:
        """The entropy of Z plus log scale, shape ``batch_shape``."""
        try:
            value = self.standard_entropy()
        except UnknownExpectationError as error:
            raise NoClosedFormError(
                f"the entropy of {self.describe()} has no closed form: it needs the expectation of {error}"
                f"{'' if is_ours(type(self)) else error.remedy}"
            ) from None
        return self.broadcast(value + self.ops.log(self.scale))


def by_statistics(p: Continuous, q: Continuous) -> Array:
    """Cross-entropy less entropy, from the expectations of the statistics that q's log density combines.

    It is the rule for two continuous families that have no `closed_form` of their own.

    Parameters
    ----------
    p, q : Continuous
        In one backend.

    Returns
    -------
    float, numpy.ndarray or TensorVariable
        KL(p‖q) in nats, of the broadcast batch shape. Zero where it is all rounding, or all parameters are
        equal; +∞ where p has mass where q has none.

    Raises
    ------
    NoClosedFormError
        If p does not know an expectation that is needed.

    Examples
    --------
    >>> from kl_plugins.extend import Laplace, Normal, by_statistics
    >>> round(by_statistics(Laplace(0.0, 1.0), Normal(0.0, 1.0)), 6)
    0.225791
    """
    ops, at, alike = p.ops, affine_map(p, q), type(p) is type(q) and p.same_where(q)
    if alike is True:
        return q.broadcast(p.broadcast(0.0))
    beyond = outside(p, q, at)
    if beyond is True:
        return infinite(p, q)
    try:
        terms = _terms(p, q, at)
    except UnknownExpectationError as error:
        if not ops.symbolic and np.all(beyond):
            return infinite(p, q)
        terms = _terms_where_known(p, q, at, beyond, error)
    value = sum_beyond_roundoff(terms, ops)
    value = value if alike is False else ops.where(alike, 0.0, value)
    return in_shape_of_pair(p, q, value, beyond)


def _terms(p: Continuous, q: Continuous, at: AffineMap) -> list[Array]:
    """What the divergence is the sum of."""
    try:
        entropy = p.standard_entropy()
        return [-entropy, log_ratio(q.scale, p.scale, p.ops), *cross_terms(p, q.log_density(), at)]
    except UnknownExpectationError:
        apart = not at.fixes_zero or p.sign != q.sign or not have_in_common(p.log_density(), q.log_density())
        if apart or not certainly_equal(p.scale, q.scale, p.ops):
            raise
        return difference_terms(p, q)


def _terms_where_known(
    p: Continuous, q: Continuous, at: AffineMap, beyond: Array, needed: UnknownExpectationError
) -> list[Array]:
    """The terms with the offsets of a batch set to zero, if all that are not are outside of the support."""
    if not at.ops.symbolic:
        matters = np.logical_not(beyond)
        offsets = [offset for offset in (at.shift, at.upper) if offset is not None]
        if not any(np.any(matters & (offset != 0.0)) for offset in offsets):
            at = at._replace(shift=0.0, upper=None if at.upper is None else 0.0)
            with suppress(UnknownExpectationError):
                return _terms(p, q, at)
    remedy = "" if is_ours(type(p)) and is_ours(type(q)) else needed.remedy
    why = f"it needs the expectation under p of {needed}{remedy}"
    raise no_closed_form(p, q, _moved_apart(p, q, at, why))


_FIT = " (a fit has them at 0 with floc=0, as in scipy.stats.gamma.fit(x, floc=0))"


def _moved_apart(p: Continuous, q: Continuous, at: AffineMap, why: str) -> str:
    """That the places differ, where that alone is in the way."""
    try:
        _terms(p, q, at._replace(shift=0.0, upper=None if at.upper is None else 0.0))
    except UnknownExpectationError:
        return why
    return Apart(why, not at.fixes_zero, "" if p.ops.symbolic else _FIT)


closed_form(Continuous, Continuous)(by_statistics)


@expects(Continuous, Identity)
def mean(p: Continuous, statistic: Identity, at: AffineMap) -> Array:
    value = p.standard_mean()
    if certainly_is(value, 0.0):
        return at.shift
    return None if value is None else at.shift + at.ratio * value


@expects(Continuous, Square)
def square(p: Continuous, statistic: Square, at: AffineMap) -> Array:
    centre, variance = p.standard_mean(), p.standard_variance()
    if centre is None or variance is None:
        return None
    at_mean = at.shift + at.ratio * centre
    return at_mean * at_mean + (at.ratio * variance) * at.ratio


@expects(Continuous, Log)
def log_of_multiple(p: Continuous, statistic: Statistic, at: AffineMap) -> Array:
    mean = p.mean_log() if at.fixes_zero else None
    return None if mean is None else p.ops.log(at.ratio) + mean


@expects(Continuous, LogSquare)
def log_square_of_multiple(p: Continuous, statistic: LogSquare, at: AffineMap) -> Array:
    mean, variance = log_of_multiple(p, statistic, at), p.variance_log()
    return None if mean is None or variance is None else mean * mean + variance


@expects(Continuous, Power)
def power_of_multiple(p: Continuous, statistic: Power, at: AffineMap) -> Array:
    moment = p.moment(statistic.exponent) if at.fixes_zero else None
    return None if moment is None else at.ratio**statistic.exponent * moment
