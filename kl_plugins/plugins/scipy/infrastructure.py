"""SciPy's new distribution classes: ``stats.Normal``, its kin, and those of ``stats.make_distribution``."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy import stats
from scipy.stats._distn_infrastructure import rv_generic
from scipy.stats._distribution_infrastructure import (
    DiscreteDistribution,
    ShiftedScaledDistribution,
    UnivariateDistribution,
)

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.names import made_by, shape_names
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
    base = recognise(obj._dist)
    loc, scale = (number(np.asarray(obj._parameters[name])[()]) for name in ("loc", "scale"))
    moved = base.moved(loc, scale) if isinstance(base, Univariate) else None
    if moved is None:
        raise unsupported(f"a shifted and scaled {base.describe()}", type(obj).__name__)
    return moved.labelled(labels_of_new(obj))


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
