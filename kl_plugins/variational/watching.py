"""A fit that is watched: its iterates are averaged, and the average is compared with the optimum."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import ceil, isfinite, isnan, nan
from typing import Any, NoReturn

import numpy as np
from pymc.model import Model

from kl_plugins.interrupts import answered_in_time
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.iterates import Iterates, OptimumComparison, Window
from kl_plugins.variational.optimum.rest import jeffreys_at_rest
from kl_plugins.variational.report import stopping
from kl_plugins.variational.report.stopping import REST_SHARE, Look, NotConvergedWarning, Status, rests
from kl_plugins.variational.target.parameters import WatchedParameters
from kl_plugins.variational.target.settings import Seed

FIRST_LOOK = 100
"""Iterates that are kept before the first look at them."""
GROWTH = 1.4
"""Looks are at iterations that grow by this factor, so that there are few of them."""
SLOW = 4.0
"""The optimum is computed once the drift over the window is no more than so many times the tolerance."""
PATIENCE = 10.0
"""A fit is given so many times as long as it took so far, or to its end, to come to the optimum."""


class WatchedFit:
    """What is known of a fit, iterate after iterate, and whether that ends it; see `KLConvergence`."""

    # Of the fit that is watched, once there is one.
    _parameters: WatchedParameters
    _iterates: Iterates
    _comparison: OptimumComparison

    def __init__(self, tolerance: float, every: int, check: bool, random_seed: Seed) -> None:
        self.tolerance = tolerance
        self.every = every
        self.check = check
        self.random_seed = random_seed
        self._status, self._ending = Status.RUNNING, ""
        self.history: list[Look] = []
        self._averages: list[FloatArray] = []
        self._watched: Any = None
        self._iteration = 0
        self._next_look = FIRST_LOOK * every
        self._end: int | None = None

    def _start_over(self, watched: object, parameters: WatchedParameters) -> None:
        """Forget what was seen: another approximation is watched, or the same from another iteration on."""
        self._watched, self._parameters = watched, parameters
        self._iterates = Iterates(parameters.size, self.every)
        self._next_look = FIRST_LOOK * self.every
        self.history, self._averages = [], []

    @property
    def status(self) -> Status:
        return self._status

    @property
    def _account(self) -> str:
        """What is said of the fit after its status."""
        return self._ending or stopping.so_far(self.status, self._iteration)

    @property
    def message(self) -> str:
        return f"{self.status}{self._account}"

    def _begin(self, model: Model | None, end: int | None) -> None:
        """A fit begins, to be compared with a model's optimum; `end` is its last iteration, if known."""
        self._status, self._ending = Status.RUNNING, ""
        self._comparison = OptimumComparison(model, self._parameters, self.tolerance)
        self._end = end

    def _see(self, iteration: int, losses: Sequence[float] | None) -> None:
        """Look at an iterate, if it is due; StopIteration where that ends the fit."""
        self._iteration = iteration
        if iteration >= self._iterates.due:
            self._keep(losses)
        ending = iteration == self._end
        if iteration >= self._next_look or ending:
            self._next_look = ceil(GROWTH * iteration)
            with answered_in_time():
                window = self._window()
                if window is not None:
                    self._look(window)
                if ending:
                    self._not_stationary(window)

    def _keep(self, losses: Any) -> None:
        """Keep the iterate, unless the fit has diverged: FloatingPointError then."""
        row = self._parameters.read()
        # The sum is finite if every number is, and quicker to ask.
        finite = isfinite(row.sum()) or bool(np.isfinite(row).all())
        if not finite or (losses is not None and isnan(losses[-1])):
            what = "the loss is NaN" if finite else "its parameters are not finite"
            self._status, self._ending = Status.DIVERGED, stopping.diverged(self._iteration, what)
            raise FloatingPointError(f"the approximation {self.message}")
        self._iterates.keep(row, self._iteration)

    def _window(self) -> Window | None:
        rows = self._iterates.window()
        if len(rows) < 32:
            return None
        return Window.of(self._parameters.coordinates(rows), self._parameters.whiten)

    def _look(self, window: Window) -> None:
        """Judge the last half of the iterates; StopIteration where that ends the fit."""
        optimum, rhat = self._comparison, float(np.max(window.rhat))
        if optimum.forgotten():
            self.history[:] = [past._replace(to_optimum=nan) for past in self.history]
        look = Look(self._iteration, window.jeffreys, rhat, window.drift, optimum.jeffreys_of(window.average))
        self.history.append(look)
        self._averages.append(window.average)
        slow = look.jeffreys <= self.tolerance and look.drift <= SLOW * self.tolerance
        if self.check and not optimum.tried and (slow or self._iteration == self._end):
            optimum.find(window.average, self.random_seed)
            far = optimum.jeffreys_of_each(self._averages)
            pairs = zip(self.history, far, strict=True)
            self.history[:] = [past._replace(to_optimum=distance) for past, distance in pairs]
            look = self.history[-1]
        at_rest = rests(look, self.history, self.tolerance)
        if at_rest and isnan(look.to_optimum):
            look = self.history[-1] = look._replace(at_most=jeffreys_at_rest(window))
        if look.to_optimum <= self.tolerance and optimum.is_known:
            self._stop(Status.CONVERGED, stopping.converged(look, at_rest), warn=False)
        if look.drift > self.tolerance:
            return
        if look.to_optimum > self.tolerance:
            needed = optimum.iterations_to(window, self._iterates.spacing)
            remaining = 0 if self._end is None else self._end - self._iteration
            late = needed > max(PATIENCE * self._iteration, remaining)
            if late and at_rest and self._is_accurate(window):
                what = stopping.not_optimal(self.history[-1], self.tolerance, needed, optimum.reason)
                self._stop(Status.NOT_OPTIMAL, what, warn=True)
        elif at_rest and self._is_accurate(window):
            why = optimum.reason or "check=False"
            self._stop(Status.STATIONARY, stopping.stationary(self.history[-1], why), warn=self.check)

    def _is_accurate(self, window: Window) -> bool:
        """Whether the average is known well enough, by ArviZ's Monte Carlo errors in the end."""
        most = REST_SHARE * self.tolerance
        if window.jeffreys > most:
            return False
        careful = window.careful_jeffreys()
        self.history[-1] = self.history[-1]._replace(jeffreys=careful)
        return careful <= most

    def _stop(self, status: Status, what: str, *, warn: bool) -> NoReturn:
        """End the fit with a status, and with the average in the approximation."""
        self._status = status
        writable = self._parameters.writable
        if writable:
            (average,) = self._averages[-1:]
            self._parameters.write(self._parameters.distribution(average))
        taken = stopping.what_was_taken(writable, self._parameters.holder)
        answer = "you are done, " if status is Status.CONVERGED else ""
        if status is Status.CONVERGED and self._comparison.distance is not None:
            what += stopping.of_rank(self._comparison.distance)
        self._ending = stopping.after(self._iteration, f"{answer}{taken}; {what}")
        if warn:
            warnings.warn(f"KLConvergence: {self.message}", NotConvergedWarning, stacklevel=2)
        raise StopIteration(f"KLConvergence: {self.message}")

    def _not_stationary(self, window: Window | None) -> None:
        """The fit is at its end, and nothing stopped it."""
        self._status = Status.NOT_STATIONARY
        what, comparison = "too few for a look at them", self._comparison
        if window is not None:
            look = self.history[-1]
            what = stopping.still_moving(look, self.tolerance, rests(look, self.history, self.tolerance))
            if look.to_optimum > self.tolerance:
                needed = comparison.iterations_to(window, self._iterates.spacing)
                last = self._parameters.coordinates(self._parameters.read()[None])[0]
                away = comparison.jeffreys_to(last)
                arrived = comparison.jeffreys_at_most(away) <= self.tolerance
                what += stopping.away(look, away, arrived, needed)
            what += stopping.by_noise(look)
            if self._parameters.writable:
                held = stopping.holds_last(self._parameters.holder)
                what += f". {held}: monitor.write_back() puts the average in"
        self._ending = stopping.after(self._iteration, what)
        failed = comparison.tried and comparison.distance is None
        advice = stopping.advice(comparison.reason if failed else None)
        warnings.warn(f"KLConvergence: {self.message}. {advice}", NotConvergedWarning, stacklevel=2)
