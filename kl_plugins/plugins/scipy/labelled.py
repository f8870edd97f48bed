"""Distributions of SciPy whose parameters have named dimensions."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from scipy.stats._distn_infrastructure import rv_continuous_frozen, rv_discrete_frozen
from scipy.stats._distribution_infrastructure import ShiftedScaledDistribution, UnivariateDistribution

from kl_plugins.families.core.names import shape_names
from kl_plugins.labelled import Labelled, labelled
from kl_plugins.parameters.labels import has_names


@labelled.register(rv_continuous_frozen)
@labelled.register(rv_discrete_frozen)
def _(obj: Any) -> Labelled | None:
    """The parameters as the caller gave them, to the same generator."""
    generator, count, keys = obj.dist, len(obj.args), tuple(obj.kwds)
    values = (*obj.args, *obj.kwds.values())
    if not has_names(values):
        return None

    mold = copy(obj)  # to freeze again takes as long as all the rest
    mold.args, mold.kwds, mold.a, mold.b = (), {}, None, None

    def frozen(*arrays: Any) -> Any:
        made = copy(mold)
        made.args, made.kwds = arrays[:count], dict(zip(keys, arrays[count:], strict=True))
        shapes, _, _ = generator._parse_args(*made.args, **made.kwds)
        made.a, made.b = generator._get_support(*shapes)
        return made

    called = (*[*shape_names(generator), "loc", "scale"][:count], *keys)
    return Labelled(values, ((),) * len(values), called, frozen)


@labelled.register(UnivariateDistribution)
def _(obj: Any) -> Labelled | None:
    """The parameters as far as SciPy has kept them: of several arrays it keeps no names."""
    kind, given = type(obj), obj._original_parameters
    if not has_names(tuple(given.values())):
        return None
    names = tuple(given)

    def made(*arrays: Any) -> Any:
        return kind(**dict(zip(names, arrays, strict=True)))

    return Labelled(tuple(given.values()), ((),) * len(names), names, made)


@labelled.register(ShiftedScaledDistribution)
def _(obj: Any) -> Labelled | None:
    """The parameters of what is shifted and scaled, and those two."""
    inner, base = labelled(obj._dist), obj._dist
    places = {
        name: obj._original_parameters.get(name, plain) for name, plain in (("loc", 0.0), ("scale", 1.0))
    }
    if inner is None and not has_names(tuple(places.values())):
        return None
    values, called = ((), ()) if inner is None else (inner.values, inner.called)
    count = len(values)

    def moved(*arrays: Any) -> Any:
        of = base if inner is None else inner.rebuild(*arrays[:count])
        loc, scale = arrays[count:]
        return ShiftedScaledDistribution(of, loc=loc, scale=scale)

    return Labelled((*values, *map(_single, places.values())), ((),) * (count + 2), (*called, *places), moved)


def _single(value: Any) -> Any:
    """The number that an array repeats, as SciPy makes such of one number; any other value as it is."""
    if isinstance(value, np.ndarray) and value.size and (value == value.flat[0]).all():
        return value.flat[0]
    return value
