"""The pairs of a batch one after the other, and what was found of them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.estimate.clock import Clock
from kl_plugins.estimate.density import Density
from kl_plugins.estimate.result import KLEstimate, Method
from kl_plugins.progress import Report

if TYPE_CHECKING:
    from kl_plugins.estimate.terms import Outcome

MOST = {Method.SUM: 1 << 21, Method.QUADRATURE: 400_000}
"""So often the pair of log densities is evaluated at most."""


def one_by_one(
    p: Density,
    q: Density,
    method: Method,
    tolerance: float,
    batch: tuple[int, ...],
    clock: Clock,
    report: Report,
) -> tuple[KLEstimate, str]:
    """Each pair of a batch by itself, and why that is not to be relied on, if it is not."""
    from kl_plugins.estimate.pair import Pair
    from kl_plugins.estimate.terms import UNDEFINED

    function: Callable[[Pair, float, int], Outcome]
    if method is Method.SUM:
        from kl_plugins.estimate.summation import summation as function
    else:
        from kl_plugins.estimate.piecewise import piecewise, serves
        from kl_plugins.estimate.quadrature import quadrature

        function = piecewise if serves(p, q) else quadrature
    value, error, good = np.empty(batch), np.empty(batch), np.empty(batch, bool)
    n = 0
    reasons: dict[str, None] = {}
    for done, index in enumerate(np.ndindex(batch)):
        if batch:
            report(f"estimating KL(p‖q) by {method}: {done:,d} of {value.size:,d}")
        pair = Pair(p.member(index), q.member(index), clock)
        found = UNDEFINED if pair.undefined else function(pair, tolerance, MOST[method])
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
