"""Means and standard deviations of the model's own variables, on their constrained scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pymc.model import Model

from kl_plugins.families.named import NamedMultivariateNormal, Variable
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.evidence.importance import Importance, Moments
from kl_plugins.variational.evidence.proposals import Survey
from kl_plugins.variational.target.log_density import coordinate_names
from kl_plugins.variational.target.transforms import constrained


class Elements(NamedTuple):
    """Means and sds of the scalars of the model's own variables, on their constrained scale."""

    names: tuple[str, ...]
    raw: Moments
    weighted: Moments
    wide: Moments


def elements_of(
    model: Model, q: NamedMultivariateNormal, own: Importance, points: FloatArray, survey: Survey
) -> Elements:
    """Means and sds on the constrained scale."""
    count = len(points)
    values = constrained(model, q.variables, np.concatenate([points, survey.points]))
    shapes = [Variable(name, value.shape[1:]) for name, value in values.items()]
    flat = np.concatenate([value.reshape(len(value), -1) for value in values.values()], axis=1)
    mean, sd = flat[:count].mean(axis=0), flat[:count].std(axis=0, ddof=1)
    fourth = np.mean((flat[:count] - mean) ** 4, axis=0)
    sd_error = np.sqrt(np.maximum(fourth - sd**4, 0.0) / count) / (2.0 * np.maximum(sd, 1e-300))
    wide = survey.importance.moments(flat[count:])
    return Elements(
        coordinate_names(shapes),
        Moments(mean, sd, sd / np.sqrt(count), sd_error),
        own.moments(flat[:count]).next_to(wide),
        wide,
    )
