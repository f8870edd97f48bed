"""Watching a fit: Jeffreys divergence between snapshots, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kl_plugins.dispatch import jeffreys
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.variational.snapshots import snapshot


class Change(NamedTuple):
    """How far the approximation moved up to an iteration, since the snapshot before it."""

    iteration: int
    jeffreys: float


class KLConvergence:
    """Callback for ``pm.fit`` that stops once the approximation has all but stopped moving.

    Every `every` iterations it takes a snapshot and records the Jeffreys divergence from the one before,
    in nats. Unlike a comparison of parameter vectors this does not depend on the units of the variables.
    A small value says that the fit moved little, not that it is near the best approximation.

    Parameters
    ----------
    every : int
        Iterations between snapshots.
    tolerance : float
        Stop when the Jeffreys divergence between snapshots falls below this many nats.

    Attributes
    ----------
    history : list of Change
        ``(iteration, jeffreys)`` of every comparison of the current fit.
    converged : bool
        Whether the fit was stopped by this callback.

    Raises
    ------
    ValueError
        If `every` is not a positive integer or `tolerance` is not positive.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins.variational import KLConvergence
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 2.0)
    ...     monitor = KLConvergence(every=50, tolerance=0.05)
    ...     optimizer = pm.adam(learning_rate=0.1)
    ...     approximation = pm.fit(
    ...         5_000, obj_optimizer=optimizer, callbacks=[monitor], progressbar=False, random_seed=1
    ...     )
    >>> monitor.converged
    True
    """

    def __init__(self, every: int = 100, tolerance: float = 0.01) -> None:
        if int(every) != every or every < 1:
            raise ValueError(f"every must be a positive number of iterations, got {every!r}")
        if not tolerance > 0.0:
            raise ValueError(f"tolerance must be a positive number of nats, got {tolerance!r}")
        self.every = int(every)
        self.tolerance = float(tolerance)
        self.history: list[Change] = []
        self.converged = False
        self._last: tuple[int, NamedMultivariateNormal] | None = None

    def __call__(self, approximation: Any, losses: Sequence[float] | None, iteration: int) -> None:
        """Called by ``pm.fit`` after each iteration; raises StopIteration to stop the fit."""
        if self._last is not None and iteration <= self._last[0]:
            self._forget()  # a new fit with the same callback
        if iteration % self.every:
            return
        try:
            current = snapshot(approximation)
        except ValueError as error:
            raise FloatingPointError(
                f"the approximation diverged by iteration {iteration} ({error}); "
                "try a smaller learning rate or rescale the model"
            ) from error
        if self._last is not None:
            self.history.append(Change(iteration, float(jeffreys(self._last[1], current))))
        self._last = (iteration, current)
        if self.should_stop():
            self.converged = True
            raise StopIteration(
                f"KLConvergence: Jeffreys divergence {self.history[-1].jeffreys:.2g} between iterations "
                f"{iteration - self.every} and {iteration} is below {self.tolerance:g}"
            )

    def should_stop(self) -> bool:
        """The stopping rule, on the history so far."""
        return bool(self.history) and self.history[-1].jeffreys < self.tolerance

    def _forget(self) -> None:
        self.history = []
        self.converged = False
        self._last = None
