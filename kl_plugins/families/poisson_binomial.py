"""The Poisson binomial distribution: successes in trials of different probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kl_plugins.families.core.discrete import MOST_TERMS, Discrete, UnknownCountError
from kl_plugins.families.core.names import from_scipy
from kl_plugins.formulas.urns import log_poisson_binomial
from kl_plugins.ops import array_backend_of
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import PROBABILITY, REAL, parameter

_MOST_IN_GRAPHS = 200
"""A graph has a few nodes for every trial."""


class PoissonBinomial(Discrete):
    """The number of successes in trials with probabilities p, one of each; plus loc.

    Parameters
    ----------
    p : array_like or TensorVariable, shape (..., n)
        The probability of success in each trial. In a graph their number has to be known.
    loc : array_like, shape (...)

    Raises
    ------
    ValueError
        If a probability is not between 0 and 1, or there is none.

    Examples
    --------
    >>> from kl_plugins import kl
    >>> from kl_plugins.families.poisson_binomial import PoissonBinomial
    >>> kl(PoissonBinomial([0.1, 0.5]), PoissonBinomial([0.3, 0.3])).round(6)
    np.float64(0.019466)
    """

    p: Array = parameter(PROBABILITY, core_ndim=1)
    loc: Array = parameter(REAL, default=0.0, static=True)
    find_backend = staticmethod(array_backend_of)

    def check_shapes(self) -> None:
        shape = self.ops.shape(self.p)
        if not shape or not shape[-1]:
            what = "whose number is known, " if shape and shape[-1] is None else ""
            raise ValueError(f"p must hold the probabilities of at least one trial, {what}got shape {shape}")
        super().check_shapes()

    def broadcast(self, value: Array) -> Array:
        ops = self.ops
        return value + ops.zero_or_nan(ops.sum_last(self.p)) + ops.zero_or_nan(self.loc)

    def widened(self) -> Discrete:
        return self

    def standard_ends(self) -> tuple[Array, Array]:
        number = self.ops.shape(self.p)[-1]
        return 0.0, float(number or 0)

    def log_pmf(self, k: Array) -> Array:
        ops, number = self.ops, self.standard_ends()[1]
        size = number * math.prod(length or 1 for length in self.batch_shape)
        if size * number > MOST_TERMS or (ops.symbolic and number > _MOST_IN_GRAPHS):
            raise UnknownCountError(f"{number:.0f} trials of {self.describe()} are too many")
        return ops.take_along_last(log_poisson_binomial(self.p, ops.complement(self.p), ops), k)


@from_scipy("poisson_binom")
def _of_trials(*parameters: Any) -> PoissonBinomial:
    """SciPy hands over the probabilities one by one, and then loc."""
    *p, loc = parameters
    return PoissonBinomial(np.stack(np.broadcast_arrays(*p), axis=-1), loc)
