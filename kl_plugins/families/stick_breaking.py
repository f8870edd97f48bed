"""The stick-breaking distribution of weights, a truncated Dirichlet process."""

from __future__ import annotations

import numpy as np

from kl_plugins.families.core.distribution import kl_rules
from kl_plugins.families.core.multivariate import Multivariate, check_count
from kl_plugins.families.dirichlet import Dirichlet
from kl_plugins.formulas.beta import beta_divergence
from kl_plugins.formulas.shared import variance_divergence
from kl_plugins.ops.protocol import Array, ArrayOperations
from kl_plugins.parameters.declarations import POSITIVE, constant, parameter
from kl_plugins.parameters.shapes import Shape


class StickBreaking(Multivariate):
    """Distributions of K + 1 weights: each of K breaks takes a Beta(1, concentration) share of what is left.

    Parameters
    ----------
    concentration : array_like or TensorVariable, shape (...)
        Positive numbers.
    breaks : int
        Their number K. What is left after the last is the last weight.

    Raises
    ------
    ValueError
        If a concentration is not positive and finite, or `breaks` not a positive integer.

    Notes
    -----
    H. Ishwaran, L. F. James, Gibbs sampling methods for stick-breaking priors, 2001. As a Dirichlet
    distribution it is a generalised one, whose shares are independent beta variables: R. J. Connor,
    J. E. Mosimann, Concepts of independence for proportions, 1969.

    Examples
    --------
    >>> from kl_plugins import kl
    >>> from kl_plugins.families.stick_breaking import StickBreaking
    >>> round(float(kl(StickBreaking(1.0, 4), StickBreaking(2.0, 4))), 6)
    1.227411
    """

    concentration: Array = parameter(POSITIVE, meaning="alpha")
    breaks: int = constant()

    def check_shapes(self) -> None:
        check_count(self.breaks, "breaks")
        super().check_shapes()

    @property
    def event_shape(self) -> Shape:
        return (self.breaks + 1,)

    def log_prob(self, x: Array) -> Array:
        """The log density at `x`, shape (..., K + 1), of the first K weights."""
        ops, alpha = self.ops, self.concentration
        left = ops.sum_last(ops.log(_left_after_each(x, self.breaks + 1, ops)[..., :-1]))
        return self.breaks * ops.log(alpha) + (alpha - 1.0) * ops.log(x[..., -1]) - left

    def entropy(self) -> Array:
        """K (1 − ln α) − K (K + 1)/(2α), as −log of what a break leaves is exponential of rate α."""
        alpha, k = self.concentration, self.breaks
        return k * (1.0 - self.ops.log(alpha)) - 0.5 * k * (k + 1.0) / alpha


def _left_after_each(weights: Array, count: int, ops: ArrayOperations) -> Array:
    """The sums of the weights after the first, the second and so on, but for the last."""
    later = ops.asarray(np.tri(count, count - 1, -1), "weights", [weights])
    return ops.matmul(weights[..., None, :], later)[..., 0, :]


@kl_rules.register(StickBreaking, StickBreaking, cost="O(1)")
def stick_breaking_stick_breaking(p: StickBreaking, q: StickBreaking) -> Array:
    """K times that of exponential distributions with these rates."""
    return p.breaks * (2.0 * variance_divergence(q.concentration, p.concentration, p.ops))


@kl_rules.register(StickBreaking, Dirichlet, cost="O(K)")
def stick_breaking_dirichlet(p: StickBreaking, q: Dirichlet) -> Array:
    """The sum of those of the shares, which are independent beta variables under both."""
    ops = p.ops
    return ops.sum_last(beta_divergence(*_shares(p, p.breaks, ops), *_shares(q, p.breaks, ops), ops))


@kl_rules.register(Dirichlet, StickBreaking, cost="O(K)")
def dirichlet_stick_breaking(p: Dirichlet, q: StickBreaking) -> Array:
    """The sum of those of the shares, which are independent beta variables under both."""
    ops = p.ops
    return ops.sum_last(beta_divergence(*_shares(p, q.breaks, ops), *_shares(q, q.breaks, ops), ops))


def _shares(of: StickBreaking | Dirichlet, breaks: int, ops: ArrayOperations) -> tuple[Array, Array]:
    """The parameters of the beta variables, shape (..., K)."""
    if isinstance(of, Dirichlet):
        weights = of.concentration
        return weights[..., :-1], _left_after_each(weights, breaks + 1, ops)
    ones = ops.asarray(np.ones(breaks), "weights", [of.concentration])
    return ones, ones * of.concentration[..., None]
