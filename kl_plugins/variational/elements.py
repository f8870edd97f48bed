"""Means and standard deviations of the model's own variables, on their constrained scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pymc.model import Model

from kl_plugins.families.named import NamedMultivariateNormal, Variable
from kl_plugins.variational.importance import Importance, Moments
from kl_plugins.variational.proposals import Survey
from kl_plugins.variational.transforms import constrained

Array = NDArray[np.float64]


class Elements(NamedTuple):
    """Means and sds of the scalars of the model's own variables, on their constrained scale."""

    names: tuple[str, ...]
    raw: Moments
    weighted: Moments
    wide: Moments


def coordinate_names(variables: Sequence[Variable]) -> tuple[str, ...]:
    """``name`` of a scalar variable, ``name[0, 1]`` of the elements of another."""
    found: list[str] = []
    for name, shape in variables:
        places = np.ndindex(*shape)
        found += [name] if not shape else [f"{name}[{', '.join(map(str, place))}]" for place in places]
    return tuple(found)


def elements_of(
    model: Model, q: NamedMultivariateNormal, own: Importance, points: Array, survey: Survey
) -> Elements:
    """Means and sds on the constrained scale."""
    count = len(points)
    values = constrained(model, q.variables, np.concatenate([points, survey.points]))
    shapes = [Variable(name, value.shape[1:]) for name, value in values.items()]
    flat = np.concatenate([value.reshape(len(value), -1) for value in values.values()], axis=1)
    mean, sd = flat[:count].mean(axis=0), flat[:count].std(axis=0, ddof=1)
    fourth = np.mean((flat[:count] - mean) ** 4, axis=0)
    sd_error = np.sqrt(np.maximum(fourth - sd**4, 0.0) / count) / (2.0 * np.maximum(sd, 1e-300))
    return Elements(
        coordinate_names(shapes),
        Moments(mean, sd, sd / np.sqrt(count), sd_error),
        own.moments(flat[:count]),
        survey.importance.moments(flat[count:]),
    )
