"""What other libraries call the families: tables that each family fills in, without importing the libraries.

The plugins of SciPy and of PyTensor read them. A family of ours is thus one file, with its names in it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

import numpy as np

from kl_plugins.errors import Requirement
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.mistakes import is_ours
from kl_plugins.open_functions import forget
from kl_plugins.ops.protocol import Array
from kl_plugins.rules import load_all

Maker = Callable[..., Any]
Made = TypeVar("Made", bound=Maker)
"""The same function, which a decorator returns."""

scipy_names: dict[str, Maker] = {}
"""By the name in ``scipy.stats``: a function of the shape parameters, loc and scale (discrete: of loc)."""

pymc_names: dict[str, Maker] = {}
"""By the name of the class of a random variable's operation: a function of its parameters."""


def shape_names(generator: Any) -> list[str]:
    """The names of the shape parameters of a generator of SciPy, in its order."""
    return [name.strip() for name in (getattr(generator, "shapes", None) or "").split(",") if name.strip()]


def from_scipy(*names: str) -> Callable[[Made], Made]:
    """Register the decorated function, which makes a family of SciPy's parameters, under these names.

    Parameters
    ----------
    *names : str
        Of distributions in ``scipy.stats``. The function takes their shape parameters, loc and scale (of
        discrete ones: shape parameters and loc), and returns one of our distributions.

    Returns
    -------
    callable
        A decorator that returns the function unchanged.

    Raises
    ------
    TypeError
        If a name is no string, or what is decorated cannot be called.
    ValueError
        If a name is taken, by one of our families or by another function, or ``scipy.stats`` has no
        distribution of that name (which is not known before it is imported). The same function
        may be registered again.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import kl
    >>> from kl_plugins.extend import HalfCauchy, NoClosedFormError, from_scipy
    >>> @from_scipy("foldcauchy")
    ... def folded_cauchy(c, loc, scale):
    ...     if c != 0.0:
    ...         raise NoClosedFormError("foldcauchy with c other than 0")
    ...     return HalfCauchy(loc, scale)
    >>> kl(stats.foldcauchy(0.0), stats.halfcauchy(scale=2.0)).round(6)
    np.float64(0.117783)
    """

    return _registering("from_scipy", names, scipy_names)


def from_pymc(*names: str) -> Callable[[Made], Made]:
    """Register the decorated function, which makes a family of the parameters of PyTensor's operation.

    Parameters
    ----------
    *names : str
        Of classes of operations, such as ``"GammaRV"``. The function takes the parameters of the operation,
        which may be others than those of PyMC's distribution, and returns one of our distributions.

    Returns
    -------
    callable
        A decorator that returns the function unchanged.

    Raises
    ------
    TypeError
        If a name is no string, or what is decorated cannot be called.
    ValueError
        If a name is taken, by one of our families or by another function. The same function
        may be registered again.

    Examples
    --------
    PyMC's operation has a rate where our family has a scale:

    >>> from kl_plugins.extend import GeneralizedGamma, from_pymc
    >>> @from_pymc("WaitingRV")
    ... def waiting(rate):
    ...     return GeneralizedGamma(1.0, 1.0 / rate)
    """

    return _registering("from_pymc", names, pymc_names)


def _registering(decorator: str, names: Sequence[Any], table: dict[str, Maker]) -> Callable[[Made], Made]:
    """The decorator of that name, which adds a function to the table under all of the names or under none."""
    usage = f'write {decorator}("{_EXAMPLES[decorator]}") above the function that makes a family of ours'
    if not names:
        raise TypeError(f"{decorator} takes names: {usage}")
    for name in names:
        if not isinstance(name, str):
            called = _called(name)
            meant = f"did you mean {called!r}?" if called else usage
            raise TypeError(f"{decorator}: names must be strings, got {name!r}; {meant}")

    def decorate(function: Made) -> Made:
        if not callable(function):
            raise TypeError(
                f"{decorator}({names[0]!r}) takes a function or a class that makes a family of ours, "
                f"got {function!r}"
            )
        if not is_ours(function):
            load_all("kl_plugins.families")  # whose names are taken
            if table is scipy_names:
                _check_known_to_scipy(names)
        for name in names:
            _check_free(decorator, name, table, function)
        table.update(dict.fromkeys(names, function))
        forget()
        return function

    return decorate


_EXAMPLES = {"from_scipy": "exponnorm", "from_pymc": "GammaRV"}


def _called(given: Any) -> str | None:
    """The name of what was given instead of a name: a distribution of SciPy, or a class of PyMC's."""
    if (operation := getattr(given, "rv_op", None)) is not None:
        return type(operation).__name__
    name = getattr(getattr(given, "dist", given), "name", None)
    return name if isinstance(name, str) else None


def _check_known_to_scipy(names: Sequence[str]) -> None:
    """ValueError where scipy.stats, if it is imported already, has no distribution of one of the names."""
    if (stats := sys.modules.get("scipy.stats")) is None:
        return
    known = [name for name, one in vars(stats).items() if hasattr(one, "rvs") and not isinstance(one, type)]
    for name in names:
        if name not in known:
            from difflib import get_close_matches  # seldom needed

            near = " or ".join(map(repr, get_close_matches(name, known, 3)))
            meant = f"; did you mean {near}?" if near else ""
            raise ValueError(f"from_scipy was given {name!r}, a name that scipy.stats does not have{meant}")


def _check_free(decorator: str, name: str, table: dict[str, Maker], function: Maker) -> None:
    """ValueError where another function has the name: it would be replaced everywhere, in silence."""
    taken = table.get(name)
    if taken is None or _name(taken) == _name(function):
        return  # the same function, made anew where a cell of a notebook runs twice
    whose = "a family of kl_plugins" if is_ours(taken) else _name(taken)
    raise ValueError(
        f"{decorator}: {name!r} is taken by {whose}, and {_name(function)} would replace it; "
        "kl_plugins.register_kl registers a formula of your own for a pair of distributions"
    )


def made_by(make: Maker, values: Sequence[Array], called: str) -> Distribution:
    """What a maker makes of these parameters; errors of the maker's own name it and the distribution."""
    try:
        made = make(*values)
    except TypeError:
        try:
            signature(make).bind(*values)
        except TypeError as error:
            raise TypeError(
                f"{_name(make)} cannot take the {len(values)} parameters of {called}: {error}"
            ) from None
        raise
    if isinstance(made, Distribution):
        return made
    raise TypeError(
        f"{_name(make)} returned {type(made).__qualname__} for {called}, which is not one of the families of "
        "kl_plugins (return kl_plugins.extend.Normal(...), for example)"
    )


def _name(make: Maker) -> str:
    return f"{make.__module__}.{getattr(make, '__qualname__', make)}"


def if_positive(names: str, function: Maker) -> Maker:
    """The maker; ValueError, by the library's name, where one of its first parameters is not positive.

    NaN passes, and anything where the name is an underscore.
    """

    @wraps(function)
    def checked(*values: Array) -> Any:
        for name, value in zip(names.split(), values, strict=False):
            if name == "_":
                continue
            if np.any(np.less_equal(value, 0.0)):
                raise ValueError(Requirement(name, "must be positive"))
            if np.any(np.isinf(value)):
                raise ValueError(Requirement(name, "must be finite"))
        return function(*values)

    return checked
