"""Marginal priors of variables whose priors have random parents: averages over draws of these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kl_plugins.estimate.moments import jackknife_errors
from kl_plugins.information.priors import Priors
from kl_plugins.ops.protocol import FloatArray

DRAWS = 1000
"""Of the parents, where the variable has not too many elements."""
NUMBERS = 2e8
"""So many densities are computed for a variable, about, at most."""
BLOCKS = 10
FEW = 10.0
"""Where fewer draws of the parents than this have a say in a density, it is not known."""


@dataclass(frozen=True)
class MarginalPrior:
    """The log marginal prior densities at points, shape (n, elements), and of their means, shape (elements,),
    the bias, the standard error, and how many draws of the parents have a say in them on average.
    """

    log_density: FloatArray
    bias: FloatArray
    error: FloatArray
    worth: FloatArray


def exact(log_density: FloatArray) -> MarginalPrior:
    """One that is known, as it has no parents."""
    nothing = np.zeros(log_density.shape[1])
    return MarginalPrior(log_density, nothing, nothing, nothing + np.inf)


def marginal_prior(
    priors: Priors, name: str, own: FloatArray, whole: bool, rng: np.random.Generator
) -> MarginalPrior:
    """log E[p(x | parents)] at draws x of a variable, shape (n, size), over draws of its parents' priors.

    It is that of each element, or of the `whole` variable.

    The density of x given its parents is known, so that nothing is estimated but the average over these:
    this reaches the tails, where draws of x itself are few. The jackknife over blocks of draws of the
    parents tells bias and error.
    """
    n = len(own)
    count = int(np.clip(NUMBERS / max(own.size, 1), 10 * BLOCKS, DRAWS)) // BLOCKS * BLOCKS
    parents = priors.draws(priors.ancestors(name), count, rng)
    place = priors.place(name)
    of_blocks: list[FloatArray] = []
    squares: FloatArray | None = None
    for block in np.split(parents, BLOCKS):
        total: FloatArray | None = None
        for parent in block:
            points = np.tile(parent, (n, 1))
            points[:, place] = own
            term = priors.log_density(name, points)
            term = term.sum(axis=1, keepdims=True) if whole else term
            total = term if total is None else np.logaddexp(total, term)
            squares = 2.0 * term if squares is None else np.logaddexp(squares, 2.0 * term)
        assert total is not None
        of_blocks.append(total)
    assert squares is not None
    blocks = np.stack(of_blocks)
    sums = np.logaddexp.reduce(blocks)
    per_block = count // BLOCKS
    left_out = np.stack(
        [
            np.logaddexp.reduce(np.delete(blocks, b, axis=0)).mean(axis=0) - np.log(count - per_block)
            for b in range(BLOCKS)
        ]
    )
    found = sums - np.log(count)
    seen = np.isfinite(found).all(axis=0)  # elsewhere no draw of the parents has a say
    with np.errstate(invalid="ignore"):
        bias = np.where(seen, (BLOCKS - 1) * (left_out.mean(axis=0) - found.mean(axis=0)), 0.0)
        error = np.where(seen, jackknife_errors(left_out), np.inf)
        worth = np.where(np.isfinite(sums), np.exp(2.0 * sums - squares), 0.0).mean(axis=0)
    return MarginalPrior(found, bias, error, worth)
