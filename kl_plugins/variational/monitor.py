"""A stopping rule for ``pm.fit``: iterates are averaged, and the average is compared with the optimum."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Sequence
from math import ceil, isfinite, isnan
from typing import Any, NoReturn

import numpy as np

from kl_plugins.families.named import Snapshot
from kl_plugins.interrupts import answered_in_time
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.distance import OptimumDistance
from kl_plugins.variational.optimum.iterates import Iterates, OptimumComparison, Window
from kl_plugins.variational.report import stopping
from kl_plugins.variational.report.stopping import REST_SHARE, Look, NotConvergedWarning, Status, rests
from kl_plugins.variational.target.parameters import parameters_of_watched
from kl_plugins.variational.target.settings import (
    Seed,
    check_count,
    check_switch,
    check_tolerance,
    generator,
    refusing_a_call_as_callback,
)

FIRST_LOOK = 100
"""Iterates that are kept before the first look at them."""
GROWTH = 1.4
"""Looks are at iterations that grow by this factor, so that there are few of them."""
SLOW = 4.0
"""The optimum is computed once the drift over the window is no more than so many times the tolerance."""
PATIENCE = 10.0
"""A fit is given so many times as long as it took so far, or to its end, to come to the optimum."""


class KLConvergence:
    """Callback for ``pm.fit``: averages the iterates, and stops when the average is close to the optimum.

    It looks at the last half of the iterates, each look 1.4 times as late as the last: at the Monte Carlo
    error of their average, and at the drift of the parameters that are not stationary (split-R̂ above 1.1).
    Both are Jeffreys divergences, KL(p‖q) + KL(q‖p), so that the units of the variables do not matter. Once
    in a fit, when the drift is small or at its end, the optimum is computed, the Gaussian of the family with
    the largest ELBO (`distance_to_optimum`), and every average is compared with it. The fit stops as

    * **converged**: the average is within the tolerance of the optimum, the error of the optimum included.
      That is a claim about the average, which the approximation then holds: single iterates may be on their
      way through the optimum to where the optimiser settles, and `message` says so;
    * **stationary but not optimal**: it is not, and at the present pace it would need more than ten times as
      many iterations as so far, and than are left. `distance` says how far it is, and holds the optimum;
    * **stationary**: there is nothing to compare with (``check=False``, data that come as a stream, an
      optimum that cannot be found). This says nothing of how good the approximation is.

    The approximation then holds the average. A fit that comes to its last iteration first is *not
    stationary*. Of one that something else ends (another callback, a second monitor, an interrupt) nothing is
    claimed: it was *stopped from outside*. Without losses (``score=False``) neither end can be seen, and it
    stays *running*, with the iteration where it was last seen.

    Parameters
    ----------
    tolerance : float
        Jeffreys divergence from the optimum, in nats, that is good enough.
    every : int
        Iterations between the iterates that are kept at first; it doubles whenever 256 are kept.
    check : bool
        Whether to compare with the optimum, which costs about what `kl_plugins.variational.fit` does.
    random_seed : int, sequence of int or numpy.random.Generator, optional
        For the draws that the optimum is found with.

    Attributes
    ----------
    status : Status
        A str: "running", "converged", "stationary but not optimal", "stationary", "not stationary",
        "stopped from outside" or "diverged".
    converged : bool
        Whether the status is "converged".
    message : str
        The status in a sentence.
    history : list of Look
        ``(iteration, jeffreys, rhat, drift, to_optimum)`` of every look: Monte Carlo error of the average,
        largest R̂, drift, distance of the average from the optimum (NaN as long as that is not computed; then
        that of the earlier looks is filled in).

    Warns
    -----
    NotConvergedWarning
        If the fit stops and is not optimal, or could not be checked though it should have been, or comes to
        its last iteration before it is stationary; at its start, where ``pm.fit`` keeps no losses and its end
        cannot be seen. A fit that is stopped from outside ends without a warning: `status` says it.

    Raises
    ------
    ValueError
        If `tolerance` is not positive or `every` not a positive integer.
    TypeError
        If one of them is no number, or `check` is neither True nor False.
    FloatingPointError
        In the fit, if parameters are not finite.

    Notes
    -----
    After R̂ and the Monte Carlo error of iterates in Dhaka et al. (2020), arXiv:2009.00666, and Welandawe et
    al. (2022), arXiv:2203.15945. Stationary is not optimal: PyMC's default optimiser settles where standard
    deviations are several per cent too wide, and on badly scaled models small steps change little from the
    first iteration on.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins.variational import KLConvergence
    >>> monitor = KLConvergence(random_seed=1)
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 2.0)
    ...     optimizer = pm.adam(learning_rate=0.05)
    ...     approximation = pm.fit(
    ...         20_000, obj_optimizer=optimizer, callbacks=[monitor], progressbar=False, random_seed=1
    ...     )
    >>> monitor.status, monitor.distance.jeffreys < 0.1
    ('converged', True)
    """

    @refusing_a_call_as_callback
    def __init__(
        self, tolerance: float = 0.1, *, every: int = 10, check: bool = True, random_seed: Seed = None
    ) -> None:
        generator(random_seed)
        self.tolerance = check_tolerance(tolerance)
        self.every = check_count(every, "every")
        self.check = check_switch(check, "check")
        self.random_seed = random_seed
        self._status, self._message = Status.RUNNING, ""
        self._scores: weakref.ref[Any] | None = None
        self.history: list[Look] = []
        self._averages: list[FloatArray] = []
        self._approximation: Any = None
        self._iteration = 0
        self._next_look = FIRST_LOOK * self.every
        self._end: int | None = None

    def __call__(self, approximation: object, losses: Sequence[float] | None, iteration: int) -> None:
        """Called by ``pm.fit`` after each iteration; raises StopIteration to stop the fit."""
        if iteration <= self._iteration or approximation is not self._approximation:
            self._begin(approximation, losses, iteration)
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

    @property
    def status(self) -> Status:
        # The array of losses lives as long as the loop that fills it.
        over = self._scores is not None and self._scores() is None
        return Status.STOPPED_FROM_OUTSIDE if over and self._status is Status.RUNNING else self._status

    @property
    def message(self) -> str:
        unseen = stopping.stopped_from_outside if self.status is not Status.RUNNING else stopping.running
        return self._message or unseen(self._iteration)

    @property
    def converged(self) -> bool:
        return self.status is Status.CONVERGED

    @property
    def distance(self) -> OptimumDistance | None:
        """Of the average from the optimum, after a check."""
        return None if self._approximation is None else self._comparison.distance

    @property
    def average(self) -> Snapshot:
        """The average of the last half of the iterates: of means, log scales and Cholesky factors.

        Raises
        ------
        ValueError
            If fewer than 32 iterates were kept so far.
        """
        window = self._window() if self._approximation is not None else None
        if window is None:
            raise ValueError("too few iterates to average: no fit was watched for long enough")
        return self._parameters.distribution(window.average)

    @property
    def averages(self) -> tuple[Snapshot, ...]:
        """The average of every look, in the order of `history`, as distributions.

        One vector of parameters is kept per look, of which there are few: some 20 in 500,000 iterations.
        ``jeffreys(average, other)`` measures how far each was from any other Gaussian, such as the optimum
        that `distance_to_optimum` finds after a fit that was not checked.
        """
        return tuple(self._parameters.distribution(average) for average in self._averages)

    def write_back(self, distribution: Snapshot | None = None) -> None:
        """Set the approximation's parameters to the average, or to another Gaussian of its family.

        Parameters
        ----------
        distribution : NamedMultivariateNormal, optional
            Such as ``monitor.distance.optimum``.
        """
        self._parameters.write(self.average if distribution is None else distribution)

    def __repr__(self) -> str:
        settings = f"tolerance={self.tolerance:g}, every={self.every}, check={self.check}"
        return f"KLConvergence({settings}): {self.message}"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_scores": None}  # what is alive here is nothing to a copy

    def _begin(self, approximation: Any, losses: Any, iteration: int) -> None:
        """A fit begins, or is refined: PyMC then repeats the number of the last iteration."""
        if iteration != self._iteration or approximation is not self._approximation:
            self._parameters = parameters_of_watched(approximation)
            self._approximation = approximation
            self._iterates = Iterates(self._parameters.size, self.every)
            self._next_look = FIRST_LOOK * self.every
            self.history, self._averages = [], []
        self._status, self._message = Status.RUNNING, ""
        self._comparison = OptimumComparison(approximation.model, self._parameters, self.tolerance)
        # PyMC hands out the losses so far as the beginning of an array of all that there will be.
        whole = getattr(losses, "base", None)
        self._end = None if whole is None else iteration - len(losses) + len(whole)
        self._scores = None if whole is None else weakref.ref(whole)
        if losses is None:
            warnings.warn(stopping.WITHOUT_LOSSES, NotConvergedWarning, stacklevel=3)

    def _keep(self, losses: Any) -> None:
        """Keep the iterate, unless the fit has diverged: FloatingPointError then."""
        row = self._parameters.read()
        # The sum is finite if every number is, and quicker to ask.
        finite = isfinite(row.sum()) or bool(np.isfinite(row).all())
        if not finite or (losses is not None and isnan(losses[-1])):
            what = "the loss is NaN" if finite else "its parameters are not finite"
            self._status, self._message = Status.DIVERGED, stopping.diverged(self._iteration, what)
            raise FloatingPointError(self._message)
        self._iterates.keep(row, self._iteration)

    def _window(self) -> Window | None:
        rows = self._iterates.window()
        if len(rows) < 32:
            return None
        return Window.of(self._parameters.coordinates(rows), self._parameters.whiten)

    def _look(self, window: Window) -> None:
        """Judge the last half of the iterates; StopIteration where that ends the fit."""
        optimum, rhat = self._comparison, float(np.max(window.rhat))
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
        if self._parameters.writable:
            self.write_back()
        taken = stopping.what_was_taken(self._parameters.writable)
        answer = "you are done, " if status is Status.CONVERGED else ""
        self._message = f"{status} after {self._iteration:,d} iterations: {answer}{taken}; {what}"
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
            if self._parameters.writable:
                what += ". The approximation holds the last iterate: monitor.write_back() puts the average in"
        self._message = f"{self._status} after {self._iteration:,d} iterations: {what}"
        failed = comparison.tried and comparison.distance is None
        advice = stopping.advice(comparison.reason if failed else None)
        warnings.warn(f"KLConvergence: {self.message}. {advice}", NotConvergedWarning, stacklevel=2)
