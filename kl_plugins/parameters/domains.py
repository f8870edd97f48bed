"""Where a parameter may lie: the check of plain numbers and the conditions of arrays, from one statement."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from kl_plugins.ops.protocol import Operations


class Domain(NamedTuple):
    """The interval from `low` to `high` that the values of a parameter lie in; open, unless `closed`."""

    low: float = -math.inf
    high: float = math.inf
    meaning: str = ""
    """What the parameter is, where its name does not say it to everybody."""

    closed: bool = False
    """Whether finite ends belong to it."""

    def bounds(self) -> tuple[float, float]:
        """The floats between which, both excluded, the floats of the interval lie."""
        if self.closed:
            return math.nextafter(self.low, -math.inf), math.nextafter(self.high, math.inf)
        return self.low, self.high

    def conditions(self, value: Any, name: str, ops: Operations) -> Iterator[tuple[Any, str]]:
        """Yield (condition, message). Stated so that NaN passes: it comes out where it went in."""
        called = f"{name} ({self.meaning})" if self.meaning else name
        if self.closed:
            yield from self._closed_conditions(value, called, ops)
            return
        if self.low > -math.inf:
            bound = "positive" if self.low == 0.0 else f"greater than {self.low:g}"
            yield ops.logical_not(value <= self.low), f"{called} must be {bound}"
        if self.high < math.inf:
            yield ops.logical_not(value >= self.high), f"{called} must be less than {self.high:g}"
        else:
            yield ops.logical_not(ops.isinf(value)), f"{called} must be finite"

    def conditions_on_vectors(self, value: Any, name: str, ops: Operations) -> Iterator[tuple[Any, str]]:
        """As `conditions`, one for each vector of numbers."""
        return ((ops.all_last(holds), message) for holds, message in self.conditions(value, name, ops))

    def _closed_conditions(self, value: Any, called: str, ops: Operations) -> Iterator[tuple[Any, str]]:
        if self.low > -math.inf:
            bound = "not be negative" if self.low == 0.0 else f"be at least {self.low:g}"
            yield ops.logical_not(value < self.low), f"{called} must {bound}"
        if self.high < math.inf:
            yield ops.logical_not(value > self.high), f"{called} must be at most {self.high:g}"
        else:
            yield ops.logical_not(ops.isinf(value)), f"{called} must be finite"
