"""Noncentral hypergeometric distributions: draws from an urn whose good ones weigh more, or less."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from kl_plugins.families.core.discrete import MOST_TERMS, UnknownCountError
from kl_plugins.families.core.names import from_scipy
from kl_plugins.families.hypergeometric import Hypergeometric
from kl_plugins.formulas.mixtures import log_sum
from kl_plugins.formulas.urns import log_wallenius
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import POSITIVE, parameter

_MOST_IN_GRAPHS = 200
"""A graph has a few nodes for every draw of Wallenius' distribution."""


class FisherHypergeometric(Hypergeometric):
    """P(Z = k) ∝ C(good, k) C(bad, draws − k) oddsᵏ: good ones, drawn at once; plus loc."""

    odds: Array = parameter(POSITIVE, typical=(2.5, 0.4), default=1.0)

    def log_pmf(self, k: Array) -> Array:
        ops, every = self.ops, self.outcomes(0, self.count_outcomes() or 0)
        low, high = (ops.expand_last(end) for end in self.standard_ends())
        outside = every > high
        wide = cast(FisherHypergeometric, self.widened())
        weights = Hypergeometric.log_pmf(wide, ops.where(outside, low, every))
        weights = weights + (every - low) * ops.log(wide.odds)
        whole = log_sum(ops.where(outside, -np.inf, weights), ops.where(outside, 0.0, 1.0), ops)
        first = self.standard_ends()[0]
        return super().log_pmf(k) + (k - first) * ops.log(self.odds) - whole


class WalleniusHypergeometric(Hypergeometric):
    """The number of good ones among draws, one by one, each good one `odds` as likely as a bad; plus loc."""

    odds: Array = parameter(POSITIVE, typical=(2.5, 0.4), default=1.0)

    def log_pmf(self, k: Array) -> Array:
        ops = self.ops
        draws, high = ops.known(self.draws), ops.known(self.standard_ends()[1])
        if draws is None or high is None:
            raise UnknownCountError(f"the numbers in the urn of {self.describe()} must be constants")
        most, highest = (int(np.nanmax(x, initial=0.0)) for x in (draws, high))
        size = math.prod(length or 1 for length in self.batch_shape)
        if size * most * highest > MOST_TERMS or (ops.symbolic and most > _MOST_IN_GRAPHS):
            raise UnknownCountError(f"{most} draws from the urn of {self.describe()} are too many")
        table = log_wallenius(self.good, self.bad, self.draws, self.odds, most, highest, ops)
        # Where the ends are not known, a parameter is NaN, and so is what is made of it.
        return ops.take_along_last(table, ops.minimum(ops.maximum(k, 0.0), float(highest)))


@from_scipy("nchypergeom_fisher")
def _fisher(total: Array, n: Array, draws: Array, odds: Array, loc: Array) -> FisherHypergeometric:
    return FisherHypergeometric(n, total - n, draws, loc, odds)


@from_scipy("nchypergeom_wallenius")
def _wallenius(total: Array, n: Array, draws: Array, odds: Array, loc: Array) -> WalleniusHypergeometric:
    return WalleniusHypergeometric(n, total - n, draws, loc, odds)
