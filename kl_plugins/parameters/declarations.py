"""What a class says of its parameters: each is one declaration, checked when the class is made."""

from __future__ import annotations

import math
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from functools import cached_property
from types import FunctionType
from typing import Any, NamedTuple, cast

import numpy as np

from kl_plugins.errors import Requirement
from kl_plugins.ops import floats
from kl_plugins.ops.protocol import Array, ArrayOperations, Conditions, Operations
from kl_plugins.parameters.certainty import is_literal


class Domain(NamedTuple):
    """The interval from `low` to `high` that the values of a parameter lie in.

    Parameters
    ----------
    low, high : float
    closed : bool
        Whether finite ends belong to it.
    whole : bool
        Whether only whole numbers belong to it.
    finite : bool
        Whether infinite ends do not belong to it.

    Examples
    --------
    >>> from kl_plugins.extend import COUNT, EXTENDED_REAL, NON_NEGATIVE, POSITIVE, PROBABILITY, REAL, Domain
    >>> REAL, EXTENDED_REAL, POSITIVE, NON_NEGATIVE
    ((-inf, inf), [-inf, inf], (0, inf), [0, inf))
    >>> PROBABILITY, COUNT, Domain(-1.0, 1.0)
    ([0, 1], whole numbers of [0, inf), (-1, 1))
    """

    low: float = -math.inf
    high: float = math.inf
    closed: bool = False
    whole: bool = False
    finite: bool = True

    def __repr__(self) -> str:
        ends = [self.closed if math.isfinite(end) else not self.finite for end in (self.low, self.high)]
        left, right = "(["[ends[0]], ")]"[ends[1]]
        return f"{'whole numbers of ' if self.whole else ''}{left}{self.low:g}, {self.high:g}{right}"

    def bounds(self) -> tuple[float, float]:
        """The floats between which, both excluded, the floats of the interval lie."""
        if self.closed:
            return math.nextafter(self.low, -math.inf), math.nextafter(self.high, math.inf)
        return self.low, self.high

    @property
    def typical(self) -> tuple[float, ...]:
        """Two values of it that are nothing special."""
        near, far = (3.0, 5.0) if self.whole else (0.8, 1.5)
        if self.high - self.low < math.inf:
            found = self.low + 0.3 * (self.high - self.low), self.low + 0.6 * (self.high - self.low)
        elif self.low > -math.inf:
            found = self.low + near, self.low + far
        elif self.high < math.inf:
            found = self.high - near, self.high - far
        else:
            found = (2.0 if self.whole else 0.5), -1.0
        return tuple(float(round(x)) for x in found) if self.whole else found

    def conditions(self, value: Array, called: str, ops: Operations, meaning: str = "") -> Conditions:
        """Yield (condition, message) for the interval; NaN passes: it comes out where it went in."""

        def required(demand: str) -> Requirement:
            return Requirement(called, f"must {demand}", meaning, value)

        if self.low > -math.inf:
            if self.closed:
                demand = "not be negative" if self.low == 0.0 else f"be at least {self.low:g}"
                yield ops.logical_not(value < self.low), required(demand)
            else:
                bound = "positive" if 0.0 <= self.low < 1e-300 else f"greater than {self.low:g}"
                yield ops.logical_not(value <= self.low), required(f"be {bound}")
        if self.high < math.inf:
            bound = "at most" if self.closed else "less than"
            beyond = value > self.high if self.closed else value >= self.high
            yield ops.logical_not(beyond), required(f"be {bound} {self.high:g}")
        elif self.finite:
            yield ops.logical_not(ops.isinf(value)), required("be finite")


def is_broken(value: Array, ops: Operations) -> Array:
    """Whether a number is certainly no whole one: True or False, or an array."""
    return value % 1.0 > 0.0 if is_literal(value) else value - ops.floor(value) > 0.0


REAL = Domain()
POSITIVE = Domain(0.0)
NON_NEGATIVE = Domain(0.0, closed=True)
PROBABILITY = Domain(0.0, 1.0, closed=True)
COUNT = Domain(0.0, closed=True, whole=True)
EXTENDED_REAL = Domain(finite=False)
"""The real numbers and infinity."""


class Parameter(NamedTuple):
    """The declaration of a parameter that is an array, or a number."""

    domain: Domain | None
    typical: tuple[Array, ...]
    meaning: str
    called: str
    static: bool
    core_ndim: int

    def conditions(self, value: Array, ops: Operations, inside: bool = False) -> Conditions:
        """Yield (condition, message) for its domain; `inside` is whether it is certainly in the interval."""
        if self.domain is None:
            return
        if not inside:
            for holds, message in self.domain.conditions(value, self.called, ops, self.meaning):
                # Of numbers each condition is asked once, and says where it does not hold.
                of_members = self.core_ndim and ops.graphs
                yield (cast(ArrayOperations, ops).all_last(holds) if of_members else holds), message
        if self.domain.whole:
            text = Requirement(self.called, "must be a whole number", "", value)
            yield ops.logical_not(is_broken(value, ops)), text


def parameter(
    domain: Domain | None = None,
    *,
    typical: Array = (),
    default: Any = MISSING,
    meaning: str = "",
    called: str = "",
    static: bool = False,
    core_ndim: int = 0,
) -> Array:
    """Declare a parameter of a family or of a covariance, as the value of an annotated class attribute.

    Parameters
    ----------
    domain : Domain, optional
        Where its numbers lie: ``REAL``, ``POSITIVE``, ``Domain(1.0, closed=True)`` and so on. Without it the
        class checks the parameter itself, in ``further_conditions``.
    typical : sequence, optional
        Values that nothing is special about, one for each member that `check_family` makes, from the first
        again where another parameter has more; from the domain where not given.
    default : float, optional
        A number.
    meaning : str, optional
        What it is, for error messages, where its name does not say it to everybody.
    called : str, optional
        The name in error messages, if that is not the attribute's.
    static : bool, optional
        Whether a plain number stays a Python float even in a graph, so that a formula can see that a location
        is 0.0 or a power 2.0 before any graph runs.
    core_ndim : int, optional
        The number of its dimensions that are not batch dimensions.

    Returns
    -------
    dataclasses.Field
        What the class attribute holds until the class is made; then each object has its array there.

    Raises
    ------
    TypeError, ValueError
        When the class is made: if a value is outside of the domain, or the declaration is otherwise wrong.

    Examples
    --------
    >>> from kl_plugins.extend import POSITIVE, Continuous, parameter
    >>> class Ramp(Continuous):
    ...     slope: float = parameter(POSITIVE, typical=(0.5, 2.0))
    >>> Ramp(-1.0)
    Traceback (most recent call last):
    ValueError: slope must be positive
    >>> class Ramp(Continuous):
    ...     slope: float = parameter(POSITIVE, typical=(-0.5, 2.0))
    Traceback (most recent call last):
    ValueError: Ramp.slope: typical value -0.5 is outside of its domain: slope must be positive
    """
    return _declared(default, Parameter(domain, typical, meaning, called, static, core_ndim))


def part(*, default: Any = MISSING) -> Any:
    """Declare a field that is an object with parameters, or a tuple of such: the covariance of a Gaussian.

    Parameters
    ----------
    default : Parametrised, optional

    Returns
    -------
    dataclasses.Field

    Examples
    --------
    >>> from kl_plugins import Diagonal, MultivariateNormal
    >>> from kl_plugins.extend import REAL, Covariance, Distribution, parameter, part
    >>> class Wave(Distribution):
    ...     mean: float = parameter(REAL, core_ndim=1)
    ...     covariance: Covariance = part()
    >>> Wave([0.0, 1.0], Diagonal([1.0, 2.0]))
    Wave(mean=array([0., 1.]), covariance=Diagonal(variances=array([1., 2.])))
    """
    return _declared(default, "part")


def constant(*, default: Any = MISSING, shown: bool = True, kw_only: bool = False) -> Any:
    """Declare a field that is no array, such as a number of dimensions or names.

    Parameters
    ----------
    default : object, optional
        Nothing that can be changed.
    shown : bool, optional
        Whether the text of an object, its ``repr``, has it.
    kw_only : bool, optional
        Whether it is given by name only.

    Returns
    -------
    dataclasses.Field

    Examples
    --------
    >>> from kl_plugins.extend import POSITIVE, Distribution, constant, parameter
    >>> class Ball(Distribution):
    ...     radius: float = parameter(POSITIVE)
    ...     dimension: int = constant(default=3)
    >>> Ball(2.0)
    Ball(radius=2.0, dimension=3)
    """
    return _declared(default, "constant", shown, kw_only)


def _declared(default: Any, stated: Any, shown: bool = True, kw_only: bool = False) -> Any:
    return field(default=default, repr=shown, kw_only=kw_only, metadata={"declared": stated})


def declare(cls: Any, root: type) -> tuple[dict[str, Parameter], tuple[str, ...]]:
    """Make the class a frozen dataclass of what it declares; return its parameters and its parts' names.

    `root` has what all such classes have, whose names are taken.

    TypeError or ValueError, with the names of the class and the parameter, where a declaration is wrong.
    """
    own = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
    if not cls.__module__.startswith("kl_plugins."):  # ours are tested, and have to be imported fast
        check_names(cls)
    annotated = vars(cls).get("__annotations__", {})
    for name, value in own.items():
        where = f"{cls.__name__}.{name}"
        if name not in annotated:
            raise TypeError(f"{where} needs an annotation, such as {name}: float = parameter(...)")
        if hasattr(root, name):
            raise TypeError(f"{where}: the name is taken, by what all objects with parameters have")
        if "declared" not in value.metadata:
            raise TypeError(f"{where} must be made by parameter(), part() or constant()")
        if isinstance(value.default, list | dict | set | np.ndarray):
            raise TypeError(f"{where}: the default must be immutable, got {type(value.default).__name__}")
        stated = value.metadata["declared"]
        if isinstance(stated, Parameter):
            stated = _checked(stated._replace(called=stated.called or name), value.default, where)
            value.metadata = {"declared": stated}  # type: ignore[assignment]
    if annotated:
        try:
            dataclass(frozen=True, eq=False)(cls)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}: {error}") from None
    declared = fields(cls) if is_dataclass(cls) else ()
    stated = {each.name: each.metadata.get("declared") for each in declared}
    if None in stated.values():
        name = next(name for name, what in stated.items() if what is None)
        raise TypeError(
            f"{cls.__name__}.{name} must be declared by parameter(), part() or constant(), or be a ClassVar"
        )
    parameters = {name: what for name, what in stated.items() if isinstance(what, Parameter)}
    return parameters, tuple(name for name, what in stated.items() if what == "part")


def check_names(cls: Any) -> None:
    """TypeError where the class states a public name that is nearly that of a hook of its bases."""
    from difflib import get_close_matches

    kinds = (FunctionType, property, cached_property, tuple)
    bases = [base for base in cls.__mro__[1:] if not getattr(base, "parameters", True)]
    hooks = {name for base in bases[:-1] for name, x in vars(base).items() if isinstance(x, kinds)}
    hooks |= {"own_conditions", "further_conditions"}  # of the last, the others are not for classes to state
    for name, value in vars(cls).items():
        own = not any(name in vars(base) for base in cls.__mro__[1:])
        if own and not name.startswith("_") and not isinstance(value, Field):
            for hook in get_close_matches(name, hooks, 1, 0.85):
                raise TypeError(
                    f"{cls.__name__}.{name}: did you mean {hook}? If not, begin it with an underscore"
                )


def _checked(stated: Parameter, default: Any, where: str) -> Parameter:
    """The declaration with its typical values filled in; an error where it contradicts itself."""
    domain = stated.domain
    if not (domain is None or isinstance(domain, Domain)):
        raise TypeError(f"{where}: the domain must be a Domain, such as Domain(0.0, 1.0), got {domain!r}")
    if not isinstance(stated.typical, tuple | list):
        raise TypeError(f"{where}: typical must be a tuple of values, got {stated.typical!r}")
    if default is not MISSING and not isinstance(default, float | int):
        raise TypeError(f"{where}: the default must be a number, got {default!r}")
    if domain is None:
        return stated
    scalar = stated._replace(core_ndim=0)
    values = [("typical value", value) for value in stated.typical]
    for what, value in values if default is MISSING else [*values, ("default", default)]:
        try:
            numbers = np.ravel(np.asarray(value, np.float64)).tolist()
        except (TypeError, ValueError):
            raise TypeError(f"{where}: {what} {value!r} is no number") from None
        for number in numbers:
            for holds, message in scalar.conditions(number, floats):
                if number != number or not holds:
                    raise ValueError(f"{where}: {what} {value!r} is outside of its domain: {message}")
    return stated._replace(typical=tuple(stated.typical) or (() if stated.core_ndim else domain.typical))
