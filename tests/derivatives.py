"""Derivatives of divergences by their parameters: a graph's against finite differences of NumPy's values."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt

from graphs import value
from kl_plugins import kl


def gradient_error(make, p, q, directions=None):
    """The largest difference, relative to the largest derivative, for parameters `p` and `q` of `make`.

    `directions` lists for each parameter the perturbations that stay in its domain; by default all.
    Also checks that the graph's value is NumPy's.
    """
    points = [np.asarray(x, np.float64) for x in (*p, *q)]
    variables = [pt.tensor(dtype="float64", shape=x.shape) for x in points]
    divergence = kl(make(*variables[: len(p)]), make(*variables[len(p) :]))
    gradients = pytensor.grad(divergence.sum(), variables)
    stated, *found = value([divergence, *gradients], dict(zip(variables, points, strict=True)))

    def total(*parameters):
        return np.sum(kl(make(*parameters[: len(p)]), make(*parameters[len(p) :])))

    np.testing.assert_allclose(stated, kl(make(*p), make(*q)), rtol=1e-10)
    errors, sizes = [], []
    for i, (point, gradient) in enumerate(zip(points, found, strict=True)):
        own = _all(point) if directions is None or directions[i % len(p)] is None else directions[i % len(p)]
        for direction in own:
            numeric = _slope(lambda x, i=i: total(*points[:i], x, *points[i + 1 :]), point, direction)
            sizes.append(abs(numeric))
            errors.append(abs(np.sum(gradient * direction) - numeric))
    return max(errors) / max(sizes)


def symmetric(d):
    """The perturbations that keep a matrix symmetric."""
    found = []
    for i in range(d):
        for j in range(i + 1):
            direction = np.zeros((d, d))
            direction[i, j] = direction[j, i] = 1.0
            found.append(direction)
    return found


def _all(point):
    return [row.reshape(point.shape) for row in np.eye(point.size)]


def _slope(function, point, direction, step=1e-4):
    """Central difference of fourth order along a direction."""
    near = function(point + step * direction) - function(point - step * direction)
    far = function(point + 2 * step * direction) - function(point - 2 * step * direction)
    return (8.0 * near - far) / (12.0 * step)
