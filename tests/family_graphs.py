"""Judge of the graphs of families: the numbers, and their finite differences."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt

from graphs import value
from kl_plugins import kl


def errors_of_graph(symbolic, numbers, parameters, step=1e-5):
    """How far the graph of a pair and its gradient are from the numbers, relative to these.

    `symbolic` makes a pair of random variables of the parameters, `numbers` the same pair of SciPy's.
    """
    names = [pt.dscalar(f"x{i}") for i in range(len(parameters))]
    graph = kl(*symbolic(*names))
    gradient = pytensor.grad(graph, names)
    found = value([graph, *gradient], dict(zip(names, parameters, strict=True)))
    exact = [kl(*numbers(*parameters))]
    for i, parameter in enumerate(parameters):
        width = step * max(abs(parameter), 0.1)
        ends = []
        for sign in (1.0, -1.0):
            moved = list(parameters)
            moved[i] = parameter + sign * width
            ends.append(kl(*numbers(*moved)))
        exact.append((ends[0] - ends[1]) / (2.0 * width))
    found, exact = np.array(found, float), np.array(exact)
    return np.abs(found - exact) / np.maximum(np.abs(exact), 0.01)
