"""What PyMC calls the parameters of a random variable."""

from __future__ import annotations

from pytensor.tensor.variable import TensorVariable

from kl_plugins.families.core.pymc_words import Words, pymc_words
from kl_plugins.plugins.pytensor.graph import original
from kl_plugins.recognition import parameters_as_written


@parameters_as_written.register(TensorVariable)
def _(variable: TensorVariable) -> Words:
    node = original(variable).owner
    return {} if node is None else pymc_words.get(type(node.op).__name__, {})
