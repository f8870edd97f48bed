"""The matrix of a random Cholesky factor, whose lower triangle is the random variable."""

from __future__ import annotations

import numpy as np
from pytensor.graph.basic import Variable
from pytensor.tensor.subtensor import AdvancedIncSubtensor
from pytensor.tensor.variable import TensorConstant

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.lkj_covariance import LKJCovariance
from kl_plugins.plugins.pytensor.graph import constant_of, original
from kl_plugins.plugins.pytensor.not_random import is_random, not_random
from kl_plugins.plugins.pytensor.random_variables import as_function, computed
from kl_plugins.recognition import as_written, recognise, requirement_as_written


@computed.register(AdvancedIncSubtensor)
def _(op: AdvancedIncSubtensor, variable: Variable) -> Distribution:
    """That of the random variable, which is of covariances."""
    entries = _in_lower_triangle(variable)
    made = None if entries is None else recognise(entries)
    if not isinstance(made, LKJCovariance):
        raise not_random(variable)
    return made.provided(
        [(holds, requirement_as_written(text, entries)) for holds, text in made.conditions()]
    )


@as_function.register(AdvancedIncSubtensor)
def _(op: AdvancedIncSubtensor, variable: Variable) -> str | None:
    entries = _in_lower_triangle(variable)
    return None if entries is None else as_written(entries)


def _in_lower_triangle(variable: Variable) -> Variable | None:
    """The random vector whose values are put into the lower triangle of a matrix of zeros, row by row."""
    node = original(variable).owner
    zeros, entries, *places = node.inputs
    if not (node.op.set_instead_of_inc and constant_of(zeros) == 0 and entries.ndim == 1):
        return None
    known = [x.data for x in places if isinstance(x, TensorConstant)]
    if not is_random(original(entries)) or not len(known) == len(places) == 2:
        return None
    return entries if np.array_equal(known, np.tril_indices(int(np.max(known)) + 1)) else None
