"""Linear systems by products with their matrix alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kl_plugins.ops.protocol import FloatArray

ROUGH = 0.1
"""The accuracy of a solution that is only a step on the way."""


def conjugate_gradients(
    product: Callable[[FloatArray], FloatArray],
    right: FloatArray,
    accuracy: float,
    steps: int,
    longest: float = np.inf,
) -> FloatArray | None:
    """x with A x = b up to `accuracy` times |b|, of a positive definite A given by v → A v.

    None where a direction shows that A is not positive definite, or is not finite. After so many steps it is
    what was reached. If the squared length of x is above `longest`, a rough solution does, up to `ROUGH`
    times |b|, and is as long: the approximations to x grow with every step (T. Steihaug, SIAM J. Numer. Anal.
    20, 1983).

    Examples
    --------
    >>> import numpy as np
    >>> from kl_plugins.variational.optimum.conjugate_gradients import conjugate_gradients
    >>> matrix = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> conjugate_gradients(lambda v: matrix @ v, np.array([3.0, 0.0]), 1e-9, steps=2)
    array([ 2., -1.])
    """
    solution = np.zeros_like(right)
    residual = direction = right
    size = residual @ residual
    enough, roughly = accuracy**2 * size, ROUGH**2 * size
    for _ in range(steps):
        if size <= enough or (size <= roughly and solution @ solution > longest):
            break
        image = product(direction)
        curvature = direction @ image
        if not curvature > 0.0:
            return None
        solution = solution + size / curvature * direction
        residual = residual - size / curvature * image
        size, before = residual @ residual, size
        direction = residual + size / before * direction
    return solution
