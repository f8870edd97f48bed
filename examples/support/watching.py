"""Stopping rules that watch a fit without stopping it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from support.stages import Stages


class Stop(NamedTuple):
    """Where a rule would have stopped a fit, and the approximation there."""

    iteration: int
    approximation: Any


class Watch:
    """A callback for ``pm.fit`` that asks others, and goes on where one would stop.

    Parameters
    ----------
    rules : dict
        Callbacks by name, such as ``KLConvergence`` and PyMC's ``CheckParametersConvergence``.
    iterations : int
        How many there will be.
    stages : Stages
        Told how far the fit is.
    seen : callable, optional
        Called after each iteration like a callback.

    Attributes
    ----------
    stops : dict of Stop
        By the names of the rules that would have stopped the fit.
    """

    def __init__(
        self,
        rules: dict[str, Callable[..., None]],
        iterations: int,
        stages: Stages,
        seen: Callable[..., None] = lambda approximation, losses, iteration: None,
    ) -> None:
        self.rules, self.iterations, self.stages, self.seen = rules, iterations, stages, seen
        self.stops: dict[str, Stop] = {}
        stages.at(0.0, "compiling")  # what PyMC does before the first iteration

    def __call__(self, approximation: Any, losses: Any, iteration: int) -> None:
        from kl_plugins.variational import snapshot

        self.stages.at(
            iteration / self.iterations,
            f"iteration {iteration:,d}/{self.iterations:,d}",
            waiting="computing the optimum",
        )
        for name in self.rules.keys() - self.stops.keys():
            before = [parameter.get_value() for parameter in approximation.params]
            try:
                self.rules[name](approximation, losses, iteration)
            except StopIteration:
                self.stops[name] = Stop(iteration, snapshot(approximation))
                for parameter, value in zip(approximation.params, before, strict=True):
                    parameter.set_value(value)  # KLConvergence has put its average there
        self.seen(approximation, losses, iteration)
