"""A Trainer of pymc-extras that is fitted in chunks, with one stream of batches and no bars of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pymc.model import Model

from kl_plugins.variational.target.density import model_given_or_in_context, variables_in
from kl_plugins.variational.target.parameters import WatchedParameters, told

PACKAGE = "pymc_extras"


class Stream:
    """Batches that several fits take one after another, as ``Trainer.fit`` would take them in one."""

    def __init__(self, batches: Iterable[Mapping[str, Any]]) -> None:
        self.batches, self._rest = batches, iter(batches)
        self.ended = False

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return self

    def __next__(self) -> Mapping[str, Any]:
        try:
            return next(self._rest)
        except StopIteration:
            self.ended = True
            raise

    def __len__(self) -> int:
        """What pymc-extras takes for the number of rows of all the data, where the batches know it."""
        return len(self.batches)  # type: ignore[arg-type]


class TrainerRun:
    """A fit of a Trainer that is made in several, from the state that it holds on.

    Attributes
    ----------
    trainer : pymc_extras.inference.advi.Trainer
    parameters : WatchedParameters
        Of its guide, after the first steps.
    compared : pymc.Model or None
        Whose optimum it is compared with; none where all the data are not known.
    interrupted, exhausted : bool
        Whether it ended early: by Ctrl-C, or as there were no more batches.
    """

    parameters: WatchedParameters

    def __init__(
        self,
        trainer: Any,
        data: Iterable[Mapping[str, Any]] | None,
        model: Model | None,
        observeds: Sequence[Any] | None,
        whole: Model | None,
        random_seed: Any,
    ) -> None:
        if PACKAGE not in {base.__module__.partition(".")[0] for base in type(trainer).__mro__}:
            what = told(trainer)
            if isinstance(trainer, type):
                what = f"the class {trainer.__name__}: make one, such as {trainer.__name__}()"
            raise TypeError(f"train takes a Trainer of pymc-extras, got {what}")
        from kl_plugins.variational.target.trainers import check_trainer

        check_trainer(trainer)
        self.trainer = trainer
        self.model = model_given_or_in_context(model, "monitor.train(trainer, n, model=model)")
        if whole is not None and data is None:
            raise ValueError("whole= goes with data=: a fit without batches is compared with its own model")
        if whole is self.model:
            raise ValueError(
                "whole= is the model that batches are put into, and holds no more than one: give another "
                "model of the same variables with all of the data in it, or leave whole= out"
            )
        if isinstance(data, Mapping):
            raise TypeError("data= is a stream of batches, each a dict: a list of dicts, or what yields them")
        if data is None:
            variables_in(self.model)  # raises where there are discrete ones
        self.compared = self.model if data is None else whole
        self.stream = None if data is None else Stream(data)
        self.interrupted = self.exhausted = False
        self._first = {"observeds": observeds, "random_seed": random_seed, "state": trainer.state}

    @property
    def step(self) -> int:
        """The steps that the Trainer has taken, before this fit and in it."""
        state = self.trainer.state
        return 0 if state is None else int(state.step)

    @property
    def losses(self) -> Any:
        """The losses of all steps so far, shape (step,)."""
        return self.trainer.state.loss_history

    def fit(self, steps: int) -> None:
        """So many further steps, unless it ends before."""
        from kl_plugins.variational.target.trainers import TrainerParameters, without_progress_bars

        goal, begun = self.step + steps, not self._first
        try:
            with without_progress_bars():
                self.trainer.fit(steps, self.stream, model=self.model, **self._first)
        except ValueError:
            # Without a single batch left the Trainer refuses to begin.
            if not (begun and self.stream is not None and self.stream.ended):
                raise
        if not begun:
            self._first = {}
            self.parameters = TrainerParameters(self.trainer, self.model)
            self._check_whole()
        if self.step < goal:
            self.exhausted = self.stream is not None and self.stream.ended
            self.interrupted = not self.exhausted

    def _check_whole(self) -> None:
        if self.compared is None or self.compared is self.model:
            return
        own = {variable.name: variable.shape for variable in self.parameters.variables}
        given = {variable.name: variable.shape for variable in variables_in(self.compared)}
        if own != given:
            raise ValueError(
                f"whole= has the variables {', '.join(given)}, the model that was fitted {', '.join(own)}"
            )
