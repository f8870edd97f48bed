"""Whether a log density of minibatches is a sum over rows, and of a batch the model's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pymc.model import Model

from kl_plugins.families.named import Variable
from kl_plugins.interrupts import answer_interrupt
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.target.minibatches import NO_WHOLE, ON_FULL_DATA, Terms, with_rows
from kl_plugins.variational.target.transforms import compiled, in_terms_of

MOST_ROWS = 1000
JITTER = 0.1
"""How far from the model's initial point, where parameters may be such that rows do not matter."""
ROUNDING = {"float32": 1e-4, "float64": 1e-8}
"""Of sums of rows, relative to them."""


def refuse_unless_additive(
    model: Model, terms: Terms, x: Any, variables: Sequence[Variable], initial: FloatArray
) -> None:
    """ValueError where the log density of some rows is not the sum of those of each.

    It is computed of some rows at once and of the same rows in two parts, and, of a batch, compared with the
    model's own log density.
    """
    own = [model.logp()]
    for one in terms.sums:
        own = with_rows(own, one.source, one.drawn)
    graphs = [terms.whole, *(one.log_density for one in terms.sums), *own]
    whole, *sums, batch = in_terms_of(x, model, variables, graphs)
    rng = np.random.default_rng(0)
    point = initial + rng.uniform(-JITTER, JITTER, size=len(initial))
    total = float(compiled(model, [x], [whole], "FAST_COMPILE")(point)[0])
    drawn: list[Any] = []
    for one, graph in zip(terms.sums, sums, strict=True):
        function = compiled(model, [x, *one.slices], [graph], "FAST_COMPILE")
        chosen = rng.permutation(one.rows)[: min(one.rows, 2 * one.batch + 1, MOST_ROWS)]
        cut = len(chosen) // 3
        again = rng.integers(one.rows, size=one.batch)
        try:
            together, first, second, of_batch = (
                float(function(point, *(array[part] for array in one.arrays))[0])
                for part in (chosen, chosen[:cut], chosen[cut:], again)
            )
        except Exception as error:  # whatever an operation raises that is made for another number of rows
            answer_interrupt()
            raise ValueError(
                f"the log density of {one.names} can be computed of {one.batch} rows alone, the size of a "
                "minibatch: where that is a number in the model, as in pt.zeros(500), take it from the data, "
                "as in pt.zeros(x.shape[0])"
            ) from error
        if not _agree(together, first + second, graph.dtype):
            raise ValueError(
                f"the log density of {one.names} of several rows is not the sum of those of each row: "
                "something depends on all rows of a batch, such as their mean, or on the places of rows in "
                f"it, {NO_WHOLE}. Compute it from all the data before pm.Minibatch, or {ON_FULL_DATA}"
            )
        total += one.rows / one.batch * of_batch
        drawn += [array[again] for array in one.arrays]
    inputs = [row for one in terms.sums for row in one.drawn]
    said = float(compiled(model, [x, *inputs], [batch], "FAST_COMPILE")(point, *drawn)[0])
    if not _agree(said, total, batch.dtype):
        raise ValueError(
            "the log density of all the data could not be derived from that of a minibatch "
            f"({total:.6g} where the model has {said:.6g}): {ON_FULL_DATA}"
        )


def _agree(one: float, other: float, dtype: str) -> bool:
    """Whether they are the same but for rounding, or both not finite."""
    if not np.isfinite(one) or not np.isfinite(other):
        return one == other or bool(np.isnan(one) and np.isnan(other))
    return abs(one - other) <= ROUNDING[dtype] * max(1.0, abs(one), abs(other))
