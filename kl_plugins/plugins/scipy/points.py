"""Discrete distributions of SciPy that are no family: the points and probabilities that users gave."""

from __future__ import annotations

import numpy as np
from scipy.stats._distn_infrastructure import rv_discrete_frozen, rv_sample

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.point_masses import PointMasses
from kl_plugins.parameters.labels import labels_of_parameters
from kl_plugins.plugins.scipy.parameters import given_to

_MOST = 1_000_000
"""More points are not asked for their probabilities."""


def points_of(obj: rv_discrete_frozen) -> Distribution | None:
    """Of ``rv_discrete(values=…)``, and of a user's own generator on finitely many whole numbers; else None.

    What SciPy itself defines is left to the families: of some, not every probability can be relied on.
    """
    generator = obj.dist
    shapes, loc, _ = generator._parse_args(*obj.args, **obj.kwds)
    labels = labels_of_parameters(given_to(generator, shapes, {"loc": loc}))
    shapes, loc = tuple(map(np.asarray, shapes)), np.asarray(loc, np.float64)
    if isinstance(generator, rv_sample):
        points = np.asarray(generator.xk, np.float64)
    elif type(generator).__module__.startswith("scipy."):
        return None
    else:
        low, high = (np.asarray(end, np.float64) for end in generator._get_support(*shapes))
        if not (np.isfinite([low.min(), high.max()]).all() and high.max() - low.min() < _MOST):
            return None
        points = np.arange(low.min(), high.max() + 1.0)
    if type(generator) is rv_sample:
        p = generator.pk
    else:
        batch = np.broadcast_shapes(*map(np.shape, shapes))
        p = np.moveaxis(generator.pmf(points.reshape(-1, *(1,) * len(batch)), *shapes), 0, -1)
    return PointMasses(points, p, loc if loc.ndim else float(loc)).labelled(labels)
