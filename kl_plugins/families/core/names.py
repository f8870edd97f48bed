"""What other libraries call the families: tables that each family fills in, without importing the libraries.

The plugins of SciPy and of PyTensor read them. A family of ours is thus one file, with its names in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

import numpy as np

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.open_functions import forget
from kl_plugins.ops.protocol import Array

Maker = Callable[..., Any]
Made = TypeVar("Made", bound=Maker)
"""The same function, which a decorator returns."""

scipy_names: dict[str, Maker] = {}
"""By the name in ``scipy.stats``: a function of the shape parameters, loc and scale (discrete: of loc)."""

pymc_names: dict[str, Maker] = {}
"""By the name of the class of a random variable's operation: a function of its parameters."""


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

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import kl
    >>> from kl_plugins.extend import Beta, from_scipy
    >>> @from_scipy("rdist")
    ... def rdist(c, loc, scale):  # on (loc − scale, loc + scale)
    ...     return Beta(0.5 * c, 0.5 * c, loc - scale, 2.0 * scale)
    >>> kl(stats.rdist(3.0), stats.uniform(-1.0, 2.0)).round(6)
    np.float64(0.048417)
    """

    def decorate(function: Made) -> Made:
        scipy_names.update(dict.fromkeys(names, function))
        forget()
        return function

    return decorate


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

    Examples
    --------
    PyMC's operation has a rate where our family has a scale:

    >>> from kl_plugins.extend import GeneralizedGamma, from_pymc
    >>> @from_pymc("WaitingRV")
    ... def waiting(rate):
    ...     return GeneralizedGamma(1.0, 1.0 / rate)
    """

    def decorate(function: Made) -> Made:
        pymc_names.update(dict.fromkeys(names, function))
        return function

    return decorate


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


def if_positive(name: str, function: Maker) -> Maker:
    """The maker; ValueError, by the library's name, where its first parameter is not positive. NaN passes."""

    @wraps(function)
    def checked(value: Array, *others: Array) -> Any:
        if np.any(np.less_equal(value, 0.0)):
            raise ValueError(f"{name} must be positive")
        if np.any(np.isinf(value)):
            raise ValueError(f"{name} must be finite")
        return function(value, *others)

    return checked
