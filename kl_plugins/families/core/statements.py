"""Log densities as combinations of statistics, and who knows the expectations of these.

A family states its log density as a combination of statistics in its own standard variable z. Under another
family's X the variable is z = shift + ratio·Z, Z the standard variable of that family: an `AffineMap`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from kl_plugins.families.core.affine import AffineMap, identity_map, times
from kl_plugins.families.core.statistics import Identity, Power, Square, Statistic
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.mistakes import check_class, is_ours
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal, certainly_is, is_literal
from kl_plugins.rules import RuleTable


class LogDensity(NamedTuple):
    """A log density of the standard variable: a constant, and coefficients times statistics, added up.

    Parameters
    ----------
    constant : float or array
    terms : tuple of (coefficient, Statistic)

    Examples
    --------
    −½ log 2π − ½ z², that of the normal distribution:

    >>> import math
    >>> from kl_plugins.extend import LogDensity, Square
    >>> density = LogDensity(-0.5 * math.log(2.0 * math.pi), ((-0.5, Square()),))
    >>> [(coefficient, statistic.text) for coefficient, statistic in density.terms]
    [(-0.5, 'z²')]
    """

    constant: Array
    terms: tuple[tuple[Array, Statistic], ...]


class UnknownExpectationError(NotImplementedError):
    """No closed form of the expectation of a statistic is known.

    Attributes
    ----------
    remedy : str
        Who may state it, where somebody may: the continuation of a sentence that ends with the statistic.
    """

    remedy: str = ""


Expectation = TypeVar("Expectation", bound=Callable[[Any, Any, Any], Any])

_expectations = RuleTable("expectation", "kl_plugins.families")


def expects(family: type, statistic: type[Statistic]) -> Callable[[Expectation], Expectation]:
    """Register a function of (distribution, statistic, AffineMap) as the expectation of the statistic.

    It returns None where it knows no closed form for the very map, for example because a logarithm would
    have to be taken of a shifted variable.

    Parameters
    ----------
    family : type
        A class under `Continuous`.
    statistic : type
        A class under `Statistic`, of a variable z.

    Returns
    -------
    callable
        A decorator of functions of a distribution, a statistic and how z depends on the standard variable Z
        of the distribution, z = shift + ratio·Z. They return E[statistic(z)], shape ``batch_shape``, or None.

    Raises
    ------
    TypeError
        If the family is not under `Continuous`, or the statistic not under `Statistic`; if what is decorated
        cannot be called, and, when a divergence is asked for, if it returns what is no number.

    Examples
    --------
    >>> from kl_plugins.extend import POSITIVE, Continuous, Exp, expects, parameter
    >>> class Waiting(Continuous):
    ...     scale: float = parameter(POSITIVE)
    ...     ends = (0.0, float("inf"))
    >>> @expects(Waiting, Exp)
    ... def moment_generating_function(p, statistic, at):
    ...     t = statistic.rate * at.ratio
    ...     return p.ops.where(t < 1.0, p.ops.exp(statistic.rate * at.shift) / (1.0 - t), float("inf"))
    """
    check_class(family, "expects: family", Univariate)
    check_class(statistic, "expects: statistic", Statistic)
    if not hasattr(family, "log_density"):
        given = family.__qualname__
        raise TypeError(f"expects: family must be under Continuous, got {given}; closed_form takes others")
    register = _expectations.register(family, statistic, cost="O(1)")

    def decorate(function: Expectation) -> Expectation:
        names = f"expects({family.__name__}, {statistic.__name__})"
        if not callable(function):
            raise TypeError(f"{names} takes a function of (p, statistic, at), got {function!r}")
        register(function if is_ours(function) else _of_numbers(function, names))
        return function

    return decorate


def _of_numbers(function: Expectation, names: str) -> Expectation:
    """The same function of somebody's; TypeError where it returns what formulas cannot reckon with."""

    @wraps(function)
    def checked(p: Any, statistic: Any, at: Any) -> Any:
        value = function(p, statistic, at)
        if value is None or hasattr(type(value), "__neg__"):
            return value
        raise TypeError(
            f"{_called(function)}, registered by {names}, returned {value!r}, which is no number: return "
            "E[statistic(z)], or None where you know no closed form"
        )

    return checked  # type: ignore[return-value]


def _called(function: Any) -> str:
    return str(getattr(function, "__qualname__", function))


def expectation(p: Array, statistic: Statistic, at: AffineMap) -> Array:
    """The expectation under p of a statistic at z = shift + ratio·Z, Z the standard variable of p.

    Parameters
    ----------
    p : Continuous
    statistic : Statistic
    at : AffineMap

    Returns
    -------
    float, numpy.ndarray or TensorVariable
        Of the shape of p's parameters and those of the map.

    Raises
    ------
    UnknownExpectationError
        A NotImplementedError: if no closed form is known, for example as none is registered by `expects`.

    Examples
    --------
    >>> from kl_plugins.extend import AffineMap, Normal, Square, expectation
    >>> p = Normal(0.0, 1.0)
    >>> expectation(p, Square(), AffineMap(p.ops, shift=1.0, ratio=2.0))  # E[(1 + 2 Z)²]
    5.0
    """
    if isinstance(statistic, Power) and is_literal(statistic.exponent):
        named: dict[float, Statistic] = {1.0: Identity(), 2.0: Square()}
        statistic = named.get(statistic.exponent, statistic)
    rule = _expectations.find(p, statistic)
    value = None if rule is None else rule.function(p, statistic, at)
    if value is None:
        raise _unknown(p, statistic, None if rule is None else rule.function)
    return value


def _unknown(p: Any, statistic: Statistic, asked: Any) -> UnknownExpectationError:
    """The error where nothing is registered, or the function that was `asked` returned None."""
    text, family = statistic.text or type(statistic).__name__, type(p)
    if asked is not None and not is_ours(asked):
        return UnknownExpectationError(
            f"{text}, for which the registered function gives none ({_called(asked)} returned None)"
        )
    error = UnknownExpectationError(text)
    if asked is None or not is_ours(family):  # what the library has stated of its own is not to be replaced
        stated = _METHODS.get(type(statistic)) or (
            f"a function under @kl_plugins.extend.expects({family.__name__}, {type(statistic).__name__})"
        )
        error.remedy = f", which {stated.format(family.__name__)} may state"
    return error


_METHODS: dict[type[Statistic], str] = {
    Identity: "{0}.standard_mean",
    Square: "{0}.standard_mean together with {0}.standard_variance",
}
"""The methods of a family that state the expectations of statistics, for `str.format`."""


def checked_density(log_density: Callable[[Any], LogDensity]) -> Callable[[Any], LogDensity]:
    """The same method of somebody's family; TypeError where what it returns states no log density."""

    @wraps(log_density)
    def checked(self: Any) -> LogDensity:
        stated = log_density(self)
        check_density(stated, f"{type(self).__name__}.log_density")
        return stated

    return checked


def check_density(stated: object, where: str) -> None:
    """TypeError where what a method `where` returned is no LogDensity, or has terms that are none."""
    remedy = "return LogDensity(constant, ((coefficient, Identity()), ...))"
    if not isinstance(stated, LogDensity):
        raise TypeError(f"{where} returned {stated!r}: {remedy}")
    terms: Any = stated.terms
    if not isinstance(terms, Iterable):
        raise TypeError(f"{where}: {terms!r} are no terms: {remedy}")
    for term in terms:
        pair = isinstance(term, tuple) and len(term) == 2
        if not (pair and isinstance(term[1], Statistic)):
            if pair and isinstance(term[1], type):
                remedy = f"{term[1].__name__} is a class, write {term[1].__name__}()"
            raise TypeError(f"{where}: {term!r} is no pair of a coefficient and a statistic: {remedy}")


def cross_terms(p: Array, q: LogDensity, at: AffineMap) -> list[Array]:
    """The terms of −E_p[log q], whose sum is the cross-entropy of the standard variables.

    A coefficient that is known to be zero takes its statistic away, though its expectation be unknown.
    """
    return [-q.constant] + [
        times(-c, expectation(p, statistic, at)) for c, statistic in q.terms if not certainly_is(c, 0.0)
    ]


def have_in_common(first: LogDensity, second: LogDensity) -> bool:
    """Whether they combine a statistic of one kind, so that there is something that may cancel."""
    kinds = ({type(statistic) for _, statistic in density.terms} for density in (first, second))
    return not next(kinds).isdisjoint(next(kinds))


def difference_terms(p: Any, q: Any) -> list[Array]:
    """The terms of E_p[log p − log q], where both are distributions of one standard variable.

    Coefficients are combined before expectations are taken: what cancels needs none.
    """
    ops = p.ops
    (constant, terms), (q_constant, q_terms) = p.log_density(), q.log_density()
    rest, weights = list(q_terms), []
    for c, statistic in terms:
        place = next((i for i, (_, other) in enumerate(rest) if statistic.is_same(other, ops)), None)
        d = 0.0 if place is None else rest.pop(place)[0]
        if not certainly_equal(c, d, ops):
            weights.append((c - d, statistic))
    weights += [(-d, statistic) for d, statistic in rest if not certainly_equal(d, 0.0, ops)]
    found = [constant, -q_constant]
    for c, statistic in weights:
        value = expectation(p, statistic, identity_map(ops))
        # Where a batch has a coefficient of zero, the statistic is not there, though it diverge.
        found.append(c * value if ops.graphs else ops.where(ops.equal(c, 0.0), 0.0, c * value))
    return found
