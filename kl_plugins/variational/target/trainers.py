"""What pymc-extras fits, as approximations of a model: its Trainer, that one's state, and guides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pymc.model import Model
from pymc.progress_bar import CustomProgress
from pymc_extras.inference.advi import AutoGuideModel, SVIState, Trainer
from pymc_extras.inference.advi import training as advi_training

from kl_plugins.families.named import Snapshot
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.recognition import recognise
from kl_plugins.variational.target.approximations import check_compared, gaussian_of, gaussian_of_pair
from kl_plugins.variational.target.guides import GuideParameters
from kl_plugins.variational.target.parameters import told


@gaussian_of.register(Trainer)
def _(trainer: Trainer, model: Model) -> Snapshot:
    state = fitted(trainer)
    return GuideParameters(state.params, model, trainer.guide).gaussian(state.params)


@gaussian_of.register(SVIState)
def _(state: SVIState, model: Model) -> Snapshot:
    return GuideParameters(state.params, model).gaussian(state.params)


@gaussian_of.register(AutoGuideModel)
def _(guide: AutoGuideModel, model: Model) -> Snapshot:
    raise ValueError(
        "a guide holds where a fit starts, and none of the parameters that were fitted: give the Trainer, or "
        "(guide, state) with what Trainer.fit returns"
    )


@gaussian_of_pair.register(AutoGuideModel)
def _(guide: AutoGuideModel, parameters: Any, model: Model) -> Snapshot:
    values = parameters.params if isinstance(parameters, SVIState) else parameters
    if not isinstance(values, Mapping):
        raise TypeError(
            "with a guide go its parameters by name, as SVIState.params has them, or the state, got "
            f"{type(parameters).__name__}"
        )
    return GuideParameters(values, model, guide).gaussian(values)


def fitted(trainer: Trainer) -> SVIState:
    """The state of a Trainer after a fit; ValueError before."""
    if trainer.state is None:
        raise ValueError("the Trainer has not been fitted yet: call its method fit first")
    return trainer.state


@check_compared.register(Trainer)
def _(trainer: Trainer, model: Model) -> None:
    # pymc-extras says in no other way that batches were streamed into the model, which then holds the last.
    if getattr(trainer, "_fit_model", None) is model:
        raise ValueError(
            "the Trainer was fitted to a stream of batches, and this model may hold the last of them alone. "
            "The optimum is that of all the data: set them in the model, and give the Gaussian alone with "
            "it, snapshot(trainer, model=model)"
        )


@recognise.register(Trainer)
@recognise.register(SVIState)
@recognise.register(AutoGuideModel)
def _(obj: object) -> Any:
    raise TypeError(
        f"{type(obj).__name__} of pymc-extras does not know its model: "
        "kl_plugins.variational.snapshot(trainer, model=model) is the Gaussian, which does"
    )


class TrainerParameters:
    """The parameters of a Trainer's guide as they are fitted, as iterates; see `WatchedParameters`."""

    holder = "the Trainer's state"
    writable = True

    def __init__(self, trainer: Trainer, model: Model) -> None:
        self.trainer = trainer
        # A model whose variables were observed through a stream is a copy that the Trainer keeps to itself.
        model = getattr(trainer, "_fit_model", None) or model
        # Where the fit began: where it is now may be no number, which is for the monitor to say.
        begun = {parameter.name: value for parameter, value in trainer.guide.params_init_values.items()}
        self.guide = GuideParameters(begun, model, trainer.guide)
        self.variables, self.size = self.guide.variables, self.guide.size

    def read(self) -> FloatArray:
        return self.guide.row(fitted(self.trainer).params)

    def coordinates(self, raw: FloatArray) -> FloatArray:
        return self.guide.layout.coordinates(raw)

    def whiten(self, deviations: FloatArray, centre: FloatArray) -> FloatArray:
        return self.guide.layout.whiten(deviations, centre)

    def distribution(self, centre: FloatArray) -> Snapshot:
        return self.guide.distribution(centre)

    def write(self, distribution: Snapshot) -> None:
        """Put a Gaussian of the same family into the Trainer's state, from which a next fit may begin."""
        state = fitted(self.trainer)
        self.trainer.state = replace(state, params=self.guide.values(distribution, state.params))


def check_trainer(trainer: object) -> None:
    """TypeError unless it is one."""
    if not isinstance(trainer, Trainer):
        raise TypeError(f"train takes a Trainer of pymc-extras, got {told(trainer)}")


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """No bars of pymc-extras' own, which cannot be turned off: a fit in chunks would show hundreds."""
    own = advi_training.make_advi_progress_bar
    advi_training.make_advi_progress_bar = lambda theme: CustomProgress(disable=True)
    try:
        yield
    finally:
        advi_training.make_advi_progress_bar = own
