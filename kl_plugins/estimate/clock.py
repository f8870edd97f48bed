"""A limit on time, for densities that take long: what runs out of it ends between two evaluations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic

import numpy as np

from kl_plugins.estimate.result import Doubt
from kl_plugins.ops.protocol import FloatArray

_SHARE, _FIRST = 0.02, 16


class TimeIsUpError(Exception):
    """The time limit was reached."""


class Clock:
    """How long evaluations may go on; `limit` in seconds. `cut`: whether something was left out to save time.

    The first call of a function does not count: it may compile.
    """

    def __init__(self, limit: float):
        self.limit, self.end, self.cut = limit, monotonic() + limit, False
        self.each: dict[Callable[..., FloatArray], float] = {}
        self.samplers: set[Callable[..., FloatArray]] = set()

    @property
    def why(self) -> str:
        return Doubt.TIME.format(limit=self.limit)

    def check(self, share: float = 1.0) -> None:
        """Raise when that share of the time is up."""
        if monotonic() > self.end - (1.0 - share) * self.limit:
            raise TimeIsUpError

    def timed(self, call: Callable[[], FloatArray], counts: bool = True) -> tuple[FloatArray, float]:
        """What a call returns, and how long it took; unless that `counts`, the end is put off."""
        started = monotonic()
        try:
            found = call()
        finally:
            took = monotonic() - started
            if not counts:
                self.end += took
        return found, took

    def drawn(
        self, sample: Callable[[int, np.random.Generator], FloatArray], count: int, rng: np.random.Generator
    ) -> tuple[FloatArray, float]:
        """So many draws, and how long they took."""
        found, took = self.timed(partial(sample, count, rng), counts=sample in self.samplers)
        self.samplers.add(sample)
        return np.asarray(found), took

    def evaluate(self, function: Callable[[FloatArray], FloatArray], x: FloatArray) -> FloatArray:
        """The function at all points: in parts, if they take long, between which the time is looked at."""
        found: list[FloatArray] = []
        done = 0
        while not found or done < len(x):
            self.check()
            size = self.size(function, len(x))
            part = partial(function, x[done : done + size])
            values, took = self.timed(part, counts=function in self.each)
            found.append(np.asarray(values, np.float64))
            self.each[function] = took / max(size, 1)
            done += size
        return found[0] if len(found) == 1 else np.concatenate(found)

    def size(self, function: Callable[[FloatArray], FloatArray], wanted: int) -> int:
        """How many points are evaluated at once."""
        if function not in self.each:
            return min(_FIRST, wanted)
        return int(min(max(1.0, _SHARE * self.limit / max(self.each[function], 1e-12)), wanted))
