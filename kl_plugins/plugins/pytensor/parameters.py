"""What PyMC calls the parameters of a random variable."""

from __future__ import annotations

from pytensor.tensor.variable import TensorVariable

from kl_plugins.families.core.pymc_words import Words, pymc_words
from kl_plugins.plugins.pytensor.graph import original
from kl_plugins.plugins.pytensor.not_random import random_ones
from kl_plugins.recognition import parameters_as_written


@parameters_as_written.register(TensorVariable)
def _(variable: TensorVariable) -> Words:
    """Those of the random variable that it is, or is a function of."""
    sources = random_ones(original(variable))
    return pymc_words.get(type(sources[0].owner.op).__name__, {}) if len(sources) == 1 else {}
