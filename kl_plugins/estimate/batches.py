"""The pairs of a batch one after the other, and what was found of them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kl_plugins.estimate.clock import Clock
from kl_plugins.estimate.density import Density
from kl_plugins.estimate.result import KLEstimate, Method
from kl_plugins.progress import Report

MOST = {Method.SUM: 1 << 21, Method.QUADRATURE: 400_000}
"""So often the pair of log densities is evaluated at most."""


def one_by_one(
    p: Density,
    q: Density,
    method: Method,
    tolerance: float,
    undefined: tuple[NDArray[np.bool], str],
    clock: Clock,
    report: Report,
) -> tuple[KLEstimate, str]:
    """Each pair of a batch by itself, and why that is not to be relied on, if it is not.

    `undefined` says which of them have a parameter that is NaN, and why these have no estimate.
    """
    from kl_plugins.estimate.pair import Pair
    from kl_plugins.estimate.terms import Outcome

    function: Callable[[Pair, float, int], Outcome]
    if method is Method.SUM:
        from kl_plugins.estimate.summation import summation as function
    else:
        from kl_plugins.estimate.piecewise import piecewise, serves
        from kl_plugins.estimate.quadrature import quadrature

        function = piecewise if serves(p, q) else quadrature
    unknown, why = undefined
    batch = unknown.shape
    value, error, good = np.empty(batch), np.empty(batch), np.empty(batch, bool)
    n = 0
    reasons: dict[str, None] = {}
    for done, index in enumerate(np.ndindex(batch)):
        if batch:
            report(f"estimating KL(p‖q) by {method}: {done:,d} of {value.size:,d}")
        if unknown[index]:
            found = Outcome(np.nan, np.nan, 0, why)
        else:
            found = function(Pair(p.member(index), q.member(index), clock), tolerance, MOST[method])
        value[index], error[index], good[index] = found.value, found.error, not found.why
        n += found.n
        reasons[found.why] = None
    return result_of(value, error, method, n, good), "; ".join(filter(None, reasons))


def result_of(value: Any, error: Any, method: Method, n: int, good: Any) -> KLEstimate:
    """The result of one pair, or of a batch as arrays that cannot be written to."""
    if np.ndim(value) == 0:
        return KLEstimate(float(value), float(error), method, n, bool(good))
    arrays = [np.array(part) for part in (value, error, good)]
    for array in arrays:
        array.setflags(write=False)
    return KLEstimate(arrays[0], arrays[1], method, n, arrays[2])
