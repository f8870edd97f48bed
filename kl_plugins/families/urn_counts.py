"""Counts of the categories drawn from urns: the Dirichlet multinomial, the multivariate hypergeometric."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from kl_plugins.errors import NoClosedFormError, Requirement
from kl_plugins.families.binomial import Binomial
from kl_plugins.families.categorical import Multinomial
from kl_plugins.families.core.distribution import kl_rules
from kl_plugins.families.core.multivariate import Multivariate
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.hypergeometric import BetaBinomial, Hypergeometric
from kl_plugins.formulas.discrete import counts_divergence, x_log_x
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import COUNT, POSITIVE, parameter
from kl_plugins.parameters.shapes import Shape, broadcast_shapes

_MOST_TERMS = 4_000_000
"""So many terms are summed at most: K n (n + 1)/2, the members of a batch counted together."""


class UrnCounts(Multivariate):
    """How often each of K categories came up in n draws from an urn that a draw changes.

    The chance of a category is its weight over the sum of all weights; a draw adds `step` to its weight.
    """

    n: Array = parameter(COUNT, static=True)
    weights: Array = parameter(COUNT, core_ndim=1)
    step: ClassVar[float]

    @property
    def event_shape(self) -> Shape:
        return self.core_shape("weights")

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return (self.weights.shape[-1],)

    def entropy(self) -> Array:
        """That of the sequence of draws, less the expected logarithm of the number of its orders."""
        ops, draws = self.ops, _Draws(self, self)
        chances = -x_log_x(draws.chances(self), ops)
        orders = ops.gammaln(draws.drawn + 1.0) * draws.last
        found = ops.sum_last(ops.sum_last(draws.masses(self) * (chances * draws.counted + orders)))
        return ops.maximum(found - ops.gammaln(ops.asarray(self.n, "n") + 1.0), 0.0)


class DirichletMultinomial(UrnCounts):
    """How often each of K categories came up in n draws, whose probabilities are a Dirichlet variable.

    Parameters
    ----------
    n : array_like or TensorVariable
        The number of draws.
    weights : array_like or TensorVariable, shape (..., K)
        The concentrations of the Dirichlet variable, positive numbers.

    Raises
    ------
    ValueError
        If n is no whole number, or a weight is not positive and finite.

    Examples
    --------
    >>> from kl_plugins import kl
    >>> from kl_plugins.extend import Multinomial
    >>> from kl_plugins.families.urn_counts import DirichletMultinomial
    >>> kl(DirichletMultinomial(5, [2.0, 3.0]), DirichletMultinomial(5, [1.0, 1.0])).round(6)
    np.float64(0.095568)
    >>> kl(DirichletMultinomial(5, [2.0, 3.0]), Multinomial(5, [0.4, 0.6])).round(6)
    np.float64(0.107246)
    """

    n: Array = parameter(COUNT, static=True)
    weights: Array = parameter(POSITIVE, meaning="alpha", core_ndim=1)
    step: ClassVar[float] = 1.0


class MultivariateHypergeometric(UrnCounts):
    """How many of each of K categories are among n draws without replacement.

    Parameters
    ----------
    n : array_like or TensorVariable
        The number of draws.
    weights : array_like or TensorVariable, shape (..., K)
        How many there are of each category.

    Raises
    ------
    ValueError
        If a number is not a whole one, or n is more than there are.
    """

    n: Array = parameter(COUNT, static=True)
    weights: Array = parameter(COUNT, meaning="m", core_ndim=1)
    step: ClassVar[float] = -1.0

    def further_conditions(self) -> Conditions:
        excess = self.n > self.ops.sum_last(self.weights)
        yield self.ops.logical_not(excess), Requirement("n", "must not be more than there are in the urn")


class _Draws:
    """All that may have been drawn of a category before each draw, along a last axis: (…, K, terms).

    After the draws it has what may have been drawn in all.
    """

    def __init__(self, p: UrnCounts | Multinomial, q: UrnCounts | Multinomial) -> None:
        """NoClosedFormError where the number of draws is not known, or too large."""
        self.ops = ops = p.ops
        known, categories = ops.known(p.n), ops.shape(_weights(p))[-1]
        if known is None:
            raise NoClosedFormError("the number of draws n must be known before the graph runs")
        most = int(np.nanmax(known, initial=0.0))
        batch = broadcast_shapes(p.batch_shape, q.batch_shape)
        size = math.prod(length or 1 for length in (*batch, categories))
        if (most + 1.0) * (most + 2.0) / 2.0 * size > _MOST_TERMS:
            raise NoClosedFormError(
                f"{most} draws of {size} categories, those of a batch together, are too many: K n²/2 terms "
                f"are more than {_MOST_TERMS}"
            )
        before, drawn = np.tril_indices(most + 1)
        self.before, self.drawn = (ops.asarray(x.astype(np.float64), "draws") for x in (before, drawn))
        n = ops.expand_last(ops.expand_last(ops.asarray(p.n, "n")))
        self.counted = ops.where(self.before < n, 1.0, 0.0)
        self.last = ops.where(ops.equal(self.before, n), 1.0, 0.0)

    def masses(self, side: UrnCounts | Multinomial) -> Array:
        """The probabilities of each number, of `drawn` among the draws `before`."""
        ops, weights, rest = self.ops, *self._weights(side)
        if isinstance(side, Multinomial):
            whole = weights + rest
            trials = Binomial.unchecked(ops, n=self.before, p=weights / whole)
            return ops.exp(trials.log_pmf(self.drawn))
        if side.step > 0.0:
            alone = ops.equal(rest, 0.0)  # of a single category all are drawn
            beta = ops.where(alone, 1.0, rest)
            polya = BetaBinomial.unchecked(ops, n=self.before, alpha=weights, beta=beta)
            of_one = ops.where(ops.equal(self.drawn, self.before), 1.0, 0.0)
            return ops.where(alone, of_one, ops.exp(polya.log_pmf(self.drawn)))
        left = ops.minimum(self.before, weights + rest)
        outside = ops.logical_or(self.drawn > weights, self.before - self.drawn > rest)
        made = Hypergeometric.unchecked(ops, good=weights, bad=rest, draws=left)
        low = ops.maximum(left - rest, 0.0)
        return ops.where(outside, 0.0, ops.exp(made.log_pmf(ops.where(outside, low, self.drawn))))

    def chances(self, side: UrnCounts | Multinomial) -> Array:
        """The probability of the category in the next draw."""
        weights, rest = self._weights(side)
        if isinstance(side, Multinomial):
            return weights + 0.0 * self.before
        total = self.ops.maximum(weights + rest + side.step * self.before, _LEAST)
        return self.ops.maximum(weights + side.step * self.drawn, 0.0) / total

    def _weights(self, side: UrnCounts | Multinomial) -> tuple[Array, Array]:
        """The weight of each category and those of the others, (…, K, 1)."""
        ops, weights = self.ops, _weights(side)
        others = weights[..., None, :] * (1.0 - ops.eye_like(weights[..., None] * weights[..., None, :]))
        return ops.expand_last(weights), ops.expand_last(ops.sum_last(others))


_LEAST = 1e-300
"""Of an empty urn nothing is drawn, and no weight is divided by zero."""


def _weights(side: UrnCounts | Multinomial) -> Array:
    return side.p if isinstance(side, Multinomial) else side.weights


def _counted(p: UrnCounts | Multinomial, q: UrnCounts | Multinomial) -> str:
    _Draws(p, q)
    return "O(K n²) for n draws of K categories"


@kl_rules.register(UrnCounts, UrnCounts, cost=_counted)
@kl_rules.register(UrnCounts, Multinomial, cost=_counted)
@kl_rules.register(Multinomial, UrnCounts, cost=_counted)
def urn_urn(p: UrnCounts | Multinomial, q: UrnCounts | Multinomial) -> Array:
    """The chain rule over the draws, whose terms are not negative: given the counts each order is as likely.

    +∞ where the numbers of draws differ, the sums of all counts.
    """
    ops, draws = p.ops, _Draws(p, q)
    masses = draws.masses(p) * draws.counted
    each = counts_divergence(draws.chances(p), draws.chances(q), ops)
    each = ops.where(masses > 0.0, masses * ops.where(masses > 0.0, each, 0.0), 0.0 * masses)
    value = ops.sum_last(ops.sum_last(each))
    n_p, n_q = (ops.asarray(n, "n") for n in (p.n, q.n))
    whole = [ops.zero_or_nan(ops.sum_last(_weights(side))) for side in (p, q)]
    value = ops.where(ops.equal(n_p, n_q), value, math.inf) + ops.zero_or_nan(n_p) + ops.zero_or_nan(n_q)
    return value + whole[0] + whole[1]


from_scipy("dirichlet_multinomial")(lambda alpha, n: DirichletMultinomial(n, alpha))
from_scipy("multivariate_hypergeom")(lambda m, n: MultivariateHypergeometric(n, m))
from_pymc("DirichletMultinomialRV")(DirichletMultinomial)
