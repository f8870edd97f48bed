"""A stopping rule for ``pm.fit`` and for pymc-extras' Trainer: is the average of the iterates optimal?"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pymc.model import Model

from kl_plugins.families.named import Snapshot
from kl_plugins.html import AMBER, GREEN, RED, coloured, paragraph
from kl_plugins.variational.optimum.distance import OptimumDistance
from kl_plugins.variational.optimum.progress import Report, progress_line
from kl_plugins.variational.report import stopping
from kl_plugins.variational.report.stopping import NotConvergedWarning, Status
from kl_plugins.variational.target.parameters import parameters_of_watched
from kl_plugins.variational.target.settings import (
    Seed,
    check_count,
    check_switch,
    check_tolerance,
    generator,
    refusing_a_call_as_callback,
)
from kl_plugins.variational.training import TrainerRun
from kl_plugins.variational.watching import WatchedFit


class KLConvergence(WatchedFit):
    """Callback for ``pm.fit``: averages the iterates, and stops when the average is close to the optimum.

    Its method `train` does the same for the Trainer of pymc-extras, which has no callbacks.

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
    * **stationary**: there is nothing to compare with (``check=False``, data that come as a stream or change
      during the fit, an optimum that cannot be found). How far the average is from the optimum at most is
      known by the noise of the steps alone, and only if they follow the gradient on average (see Notes).

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
        ``(iteration, jeffreys, rhat, drift, to_optimum, at_most)`` of every look: Monte Carlo error of the
        average, largest R̂, drift, distance of the average from the optimum (NaN as long as that is not
        computed; then that of the earlier looks is filled in), and what that is at most by the noise of the
        steps (NaN unless the iterates rest and there is no optimum).

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

    Of a model with ``pm.Minibatch`` and ``total_size`` the optimum is that of all the data: each of the
    evaluations that it takes (``monitor.distance.evaluations``) goes through all rows. Where the data come as
    a stream, there is no such optimum. What is then said of a fit at rest, ``history[-1].at_most``, holds if
    its steps follow the gradient on average, as small steps of ``pm.sgd``, ``pm.momentum`` and ``pm.adam``
    do. It may be far larger than the distance itself, above all with large steps, whose bias it allows for.
    Steps of ``pm.fit``'s default optimiser do not follow the gradient: scales may then be too wide by more
    than it says.

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
        super().__init__(
            check_tolerance(tolerance),
            check_count(every, "every"),
            check_switch(check, "check"),
            random_seed,
        )
        self._scores: weakref.ref[Any] | None = None
        self._before = 0  # steps of a Trainer before it was watched

    def __call__(self, approximation: object, losses: Sequence[float] | None, iteration: int) -> None:
        """Called by ``pm.fit`` after each iteration; raises StopIteration to stop the fit."""
        if iteration <= self._iteration or approximation is not self._watched:
            self._begin_as_callback(approximation, losses, iteration)
        self._see(iteration, losses)

    def train(
        self,
        trainer: Any,
        n: int,
        data: Iterable[Mapping[str, Any]] | None = None,
        *,
        model: Model | None = None,
        observeds: Sequence[Any] | None = None,
        whole: Model | None = None,
        random_seed: Any = None,
        progressbar: bool = True,
    ) -> Any:
        """Fit a Trainer of pymc-extras until its parameters are at the optimum, by at most n steps.

        It is fitted in chunks, between which its parameters are looked at. What is said of ``pm.fit``
        holds of it: when the fit stops, and what is claimed. The average is then in ``trainer.state``, where
        `snapshot`, `diagnose` and ``trainer.sample_posterior`` find it. From there a further call goes on, as
        does ``trainer.fit(n, state=trainer.state)``.

        Parameters
        ----------
        trainer : pymc_extras.inference.advi.Trainer
            With one of pymc-extras' own guides: mean-field, full-rank or low-rank.
        n : int
            Steps at most.
        data : iterable of dict, optional
            Batches, one per step, as ``Trainer.fit`` takes them; one pass over them for all the chunks.
        model : pymc.Model, optional
            By default that in context.
        observeds : list of str or variable, optional
            As ``Trainer.fit`` takes it, in the first fit alone.
        whole : pymc.Model, optional
            With `data`, a model of the same variables with all of the data in it, to compare with. Without it
            a fit of batches is at most found to be stationary.
        random_seed : optional
            For the draws of the fit.
        progressbar : bool
            Whether to show how far it is, in a terminal or notebook; pymc-extras' own would show every chunk.

        Returns
        -------
        SVIState
            The Trainer's state.

        Raises
        ------
        TypeError
            If it is no Trainer, or there is no model.
        ValueError
            If `n` is not positive, `whole` has other variables, is the model itself or comes without `data`,
            or the guide is none of pymc-extras' own.
        FloatingPointError
            If parameters are not finite.

        Warns
        -----
        NotConvergedWarning
            If the fit is not shown to be at the optimum.
        """
        n = check_count(n, "n")
        run = TrainerRun(trainer, data, model, observeds, whole, random_seed)
        with progress_line(check_switch(progressbar, "progressbar"), lasting=False) as report:
            try:
                self._train(run, n, report)
            except StopIteration:
                pass
            finally:
                if self._watched is trainer and self._status is Status.RUNNING:
                    self._status = Status.STOPPED_FROM_OUTSIDE
        return trainer.state

    def _train(self, run: TrainerRun, n: int, report: Report) -> None:
        """Take at most n steps, with a look at the parameters whenever one is due."""
        refined = self._watched is run.trainer and run.step == self._iteration + self._before
        if not refined:
            self._before = run.step
        begin, end, due = run.step, run.step + n, self._iterates.due if refined else self.every
        self._scores, fresh = None, True
        while run.step < end and not run.interrupted and not run.exhausted:
            report(f"step {run.step - begin:,d} of {n:,d}")
            run.fit(max(1, min(due + self._before, end) - run.step))
            if not refined:
                self._start_over(run.trainer, run.parameters)
                refined = True
            if fresh:
                self._begin(run.compared, end - self._before)
                fresh = False
            if run.interrupted:
                self._iteration = run.step - self._before
                return
            if run.exhausted:
                self._end = run.step - self._before
            self._see(run.step - self._before, run.losses)
            due = self._iterates.due

    @property
    def status(self) -> Status:
        # The array of losses lives as long as the loop that fills it.
        over = self._scores is not None and self._scores() is None
        return Status.STOPPED_FROM_OUTSIDE if over and self._status is Status.RUNNING else self._status

    @property
    def converged(self) -> bool:
        return self.status is Status.CONVERGED

    @property
    def distance(self) -> OptimumDistance | None:
        """Of the average from the optimum, after a check."""
        return None if self._watched is None else self._comparison.distance

    @property
    def average(self) -> Snapshot:
        """The average of the last half of the iterates: of means, log scales and Cholesky factors.

        Raises
        ------
        ValueError
            If fewer than 32 iterates were kept so far.
        """
        window = self._window() if self._watched is not None else None
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

    def _repr_html_(self) -> str:
        colour = {Status.CONVERGED: GREEN, Status.DIVERGED: RED}.get(self.status, AMBER)
        return paragraph(coloured(self.status, colour), self._account)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_scores": None}  # what is alive here is nothing to a copy

    def _begin_as_callback(self, approximation: Any, losses: Any, iteration: int) -> None:
        """A fit begins, or is refined: PyMC then repeats the number of the last iteration."""
        if iteration != self._iteration or approximation is not self._watched:
            self._start_over(approximation, parameters_of_watched(approximation))
        # PyMC hands out the losses so far as the beginning of an array of all that there will be.
        whole = getattr(losses, "base", None)
        self._begin(approximation.model, None if whole is None else iteration - len(losses) + len(whole))
        self._scores = None if whole is None else weakref.ref(whole)
        if losses is None:
            warnings.warn(stopping.WITHOUT_LOSSES, NotConvergedWarning, stacklevel=3)
