"""SciPy's new distribution classes: ``stats.Normal``, its kin, and those of ``stats.make_distribution``."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy import stats
from scipy.stats._distn_infrastructure import rv_generic
from scipy.stats._distribution_infrastructure import (
    DiscreteDistribution,
    FoldedDistribution,
    MonotonicTransformedDistribution,
    ShiftedScaledDistribution,
    TruncatedDistribution,
    UnivariateDistribution,
)

from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.maps import Affine, Exponential, Folded, Logarithm, Map, Raised, image
from kl_plugins.families.core.names import made_by, shape_names
from kl_plugins.families.core.truncations import truncation
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.plugins.scipy.frozen import full_name, maker_of, number
from kl_plugins.plugins.scipy.parameters import labels_of_new, unsupported
from kl_plugins.recognition import recognise


@recognise.register(UnivariateDistribution)
def _(obj: Any) -> Distribution:
    """The family of the generator that the class was made of, at its standard location and scale."""
    kind = type(obj)
    if kind is stats.Uniform:
        _valid(obj)
        low, high = (number(obj._original_parameters[name]) for name in ("a", "b"))
        return _made(obj, stats.uniform, low, high - low)
    generator = stats.binom if kind is stats.Binomial else generator_of(kind)  # type: ignore[arg-type]
    if kind is getattr(stats, "Logistic", None):  # from SciPy 1.17 on
        generator = stats.logistic
    if generator is None:
        raise unsupported(f"scipy.stats.{kind.__name__}", kind.__name__)
    _valid(obj)
    shapes = [number(obj._original_parameters[name]) for name in shape_names(generator)]
    standard = [0.0] if isinstance(obj, DiscreteDistribution) else [0.0, 1.0]
    return _made(obj, generator, *shapes, *standard)


@recognise.register(stats.Normal)
def _(obj: Any) -> Distribution:
    if not type(obj).__module__.startswith("scipy."):
        raise unsupported(f"the subclass {type(obj).__name__} of stats.Normal", type(obj).__name__)
    _valid(obj)
    # stats.Normal() is a StandardNormal, which has no parameters.
    given = obj._original_parameters
    return _made(obj, stats.norm, number(given.get("mu", 0.0)), number(given.get("sigma", 1.0)))


@recognise.register(ShiftedScaledDistribution)
def _(obj: Any) -> Distribution:
    loc, scale = (number(np.asarray(obj._parameters[name])[()]) for name in ("loc", "scale"))
    signs = np.unique(np.sign(scale))
    sign = float(signs[0]) if len(signs) == 1 else None
    return _mapped(obj, [Affine(loc, scale, sign)], f"a shifted and scaled {recognise(obj._dist).describe()}")


@recognise.register(MonotonicTransformedDistribution)
def _(obj: Any) -> Distribution:
    """Of an exponential, a logarithm, a power or a reciprocal, which SciPy's own functions make."""
    function = obj._g
    maps: list[Map] | None = None
    if function is np.exp:
        maps = [Exponential()]
    elif function is np.log:
        maps = [Logarithm()]
    elif getattr(function, "__module__", "") == MonotonicTransformedDistribution.__module__:
        maps = _maps_of_operator(_method_of(function), _enclosed(function))
    return _mapped(obj, maps, f"a transformed {recognise(obj._dist).describe()}")


@recognise.register(FoldedDistribution)
def _(obj: Any) -> Distribution:
    return _mapped(obj, [Folded()], f"the absolute value of a {recognise(obj._dist).describe()}")


@recognise.register(TruncatedDistribution)
def _(obj: Any) -> Distribution:
    """Of what is a family then."""
    base = recognise(obj._dist)
    _valid(obj)
    ends = [number(obj._original_parameters[name]) for name in ("lb", "ub")]
    made = truncation(base, *ends)
    if made is None:
        raise unsupported(f"a truncated {base.describe()}", type(obj).__name__)
    batch = np.broadcast_shapes(made.batch_shape, *map(np.shape, ends))
    made = made if made.batch_shape == batch else made.expand(batch)  # of ends that are all infinite
    return made.labelled(labels_of_new(obj))  # type: ignore[no-any-return]


def _maps_of_operator(method: str, other: Any) -> list[Map] | None:
    """What a method of a distribution does with another operand, a number."""
    if method == "__pow__":
        return [Raised(float(other))]
    if method == "__rpow__":
        rate = float(np.log(other))
        return [Affine(0.0, rate, float(np.sign(rate))), Exponential()]
    return [Raised(-1.0)] if method == "__rtruediv__" else None


def _method_of(function: Any) -> str:
    """The method of a distribution that a function was made in."""
    return str(function.__qualname__).removeprefix("UnivariateDistribution.").partition(".")[0]


def _enclosed(function: Any) -> Any:
    """The number that a function of SciPy's was made for; None where there is none."""
    cells = function.__closure__ or ()
    return cells[0].cell_contents if cells else None


def _mapped(obj: Any, maps: list[Map] | None, what: str) -> Distribution:
    """The distribution of a function of the variable that an object was made of."""
    _valid(obj)
    made = recognise(obj._dist)
    if maps is None or not isinstance(made, Univariate):
        raise unsupported(what, type(obj).__name__)
    for one in maps:
        try:
            made = image(made, one, what)
        except NoClosedFormError:
            raise unsupported(what, type(obj).__name__) from None
    return made.labelled(labels_of_new(obj))


@cache
def generator_of(kind: type) -> Any:
    """The generator whose functions ``stats.make_distribution`` gave to a class, else None."""
    for function in vars(kind).values():
        if isinstance(found := getattr(function, "__self__", None), rv_generic):
            return found
    return None


def _made(obj: object, generator: Any, *parameters: Any) -> Distribution:
    made = made_by(maker_of(generator), parameters, full_name(generator))
    return made.labelled(labels_of_new(obj))


def _valid(obj: Any) -> None:
    if np.any(obj._invalid):
        name = type(obj).__name__
        raise ValueError(f"stats.{name} has parameters out of its domain (SciPy stores NaN for them)")
