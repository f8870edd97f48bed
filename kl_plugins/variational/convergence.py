"""Watching a fit: Jeffreys divergence between snapshots, and when to stop."""

from __future__ import annotations

from collections import deque
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
        Stop when the latest snapshots are all within this Jeffreys divergence of the last one, in nats.
    window : int
        How many snapshots that is, the last one included.

    Attributes
    ----------
    history : list of Change
        ``(iteration, jeffreys)`` of every comparison of the current fit.
    converged : bool
        Whether the fit was stopped by this callback.

    Raises
    ------
    ValueError
        If `every` or `window` is not a positive integer (2 or more), or `tolerance` is not positive.

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

    def __init__(self, every: int = 100, tolerance: float = 0.01, window: int = 5) -> None:
        if int(every) != every or every < 1:
            raise ValueError(f"every must be a positive number of iterations, got {every!r}")
        if not tolerance > 0.0:
            raise ValueError(f"tolerance must be a positive number of nats, got {tolerance!r}")
        if int(window) != window or window < 2:
            raise ValueError(f"window must be a number of snapshots, at least 2, got {window!r}")
        self.every = int(every)
        self.window = int(window)
        self.tolerance = float(tolerance)
        self.history: list[Change] = []
        self.converged = False
        self._iteration = 0
        self._recent: deque[NamedMultivariateNormal] = deque(maxlen=self.window)

    def __call__(self, approximation: Any, losses: Sequence[float] | None, iteration: int) -> None:
        """Called by ``pm.fit`` after each iteration; raises StopIteration to stop the fit."""
        if iteration <= self._iteration:
            self._forget()  # a new fit with the same callback
        self._iteration = iteration
        if iteration % self.every:
            return
        try:
            current = snapshot(approximation)
        except ValueError as error:
            raise FloatingPointError(
                f"the approximation diverged by iteration {iteration} ({error}); "
                "try a smaller learning rate or rescale the model"
            ) from error
        if self._recent:
            self.history.append(Change(iteration, float(jeffreys(self._recent[-1], current))))
        self._recent.append(current)
        if self.should_stop():
            self.converged = True
            raise StopIteration(
                f"KLConvergence: the last {self.window} snapshots, {self.every} iterations apart up to "
                f"iteration {iteration}, are within a Jeffreys divergence of {self.tolerance:g}"
            )

    def should_stop(self) -> bool:
        """The stopping rule: the latest snapshots all lie within the tolerance of the last one.

        Several of them, because a fit on its way moves little between two snapshots if its steps are
        small, but ever further from the earlier ones.
        """
        if len(self._recent) < self.window:
            return False
        current = self._recent[-1]
        return all(jeffreys(past, current) < self.tolerance for past in list(self._recent)[:-1])

    def __repr__(self) -> str:
        settings = f"every={self.every}, tolerance={self.tolerance:g}, window={self.window}"
        state = "converged" if self.converged else f"{len(self.history)} comparisons"
        return f"KLConvergence({settings}): {state}"

    def _forget(self) -> None:
        self.history = []
        self.converged = False
        self._recent.clear()
