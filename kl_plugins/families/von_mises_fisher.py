"""The von Mises-Fisher distribution of directions, and the uniform one."""

from __future__ import annotations

import math

import numpy as np

from kl_plugins.families.core.distribution import kl_rules
from kl_plugins.families.core.multivariate import Multivariate
from kl_plugins.families.core.names import from_scipy
from kl_plugins.formulas.bessel import bessel_divergence, log_normaliser, shortfall, slope
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import NON_NEGATIVE, parameter
from kl_plugins.parameters.shapes import Shape

_UNIT = 1e-5
"""A direction's length may differ so much from one, as in SciPy."""


class VonMisesFisher(Multivariate):
    """Distributions of unit vectors x of d ≥ 2 coordinates, with density proportional to exp(κ μᵀx).

    Parameters
    ----------
    mean_direction : array_like or TensorVariable, shape (..., d)
        Unit vectors μ.
    concentration : array_like or TensorVariable, shape (...)
        κ ≥ 0; 0 is the uniform distribution.

    Raises
    ------
    ValueError
        If a direction is not a unit vector of at least two coordinates, or a concentration is negative.

    Examples
    --------
    >>> from kl_plugins import kl
    >>> from kl_plugins.families.von_mises_fisher import VonMisesFisher
    >>> p, q = VonMisesFisher([1.0, 0.0, 0.0], 2.0), VonMisesFisher([0.0, 1.0, 0.0], 2.0)
    >>> round(float(kl(p, q)), 6)
    1.074629
    """

    mean_direction: Array = parameter(core_ndim=1)
    concentration: Array = parameter(NON_NEGATIVE, meaning="kappa")

    def check_shapes(self) -> None:
        super().check_shapes()
        one = self.ops.shape(self.mean_direction)[-1] == 1  # where there are two directions
        if one and (self.ops.symbolic or np.any(self.concentration)):
            raise ValueError("mean_direction must have at least two coordinates, got one")

    def further_conditions(self) -> Conditions:
        ops = self.ops
        off = ops.absolute(ops.sum_of_squares_last(self.mean_direction) - 1.0)
        yield ops.logical_not(off > 2.0 * _UNIT), "mean_direction (mu) must be a unit vector"

    @property
    def event_shape(self) -> Shape:
        return self.core_shape("mean_direction")

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return (self.mean_direction.shape[-1],)

    @property
    def order(self) -> Array:
        """½ d − 1, the order of the Bessel function; in a graph that does not know d, a variable."""
        return 0.5 * self.ops.runtime_shape(self.mean_direction)[-1] - 1.0

    def log_prob(self, x: Array) -> Array:
        """The log density at unit vectors `x`, by area of the sphere."""
        ops, kappa = self.ops, self.concentration
        cosine = ops.sum_last(self.mean_direction * x)
        return kappa * (cosine - 1.0) - log_normaliser(kappa, self.order, ops) - self.constant

    @property
    def constant(self) -> Array:
        """½ d ln 2π."""
        return (self.order + 1.0) * math.log(2.0 * math.pi)

    def entropy(self) -> Array:
        """ln I_ν(κ) − ν ln κ + ½ d ln 2π − κ I_{ν+1}(κ)/I_ν(κ), ν = ½ d − 1.

        Source: https://en.wikipedia.org/wiki/Von_Mises%E2%80%93Fisher_distribution#Entropy.
        """
        ops, kappa = self.ops, self.concentration
        value = log_normaliser(kappa, self.order, ops) + kappa * shortfall(kappa, self.order, ops)
        return value + self.constant + ops.zeros_like(self.mean_direction[..., 0])


@kl_rules.register(VonMisesFisher, VonMisesFisher, cost="O(d)")
def von_mises_fisher_von_mises_fisher(p: VonMisesFisher, q: VonMisesFisher) -> Array:
    """The divergence of concentrations with a common direction, plus that of directions.

    The first is the Bregman divergence of the log normaliser; the second κ_q A_d(κ_p) (1 − cos θ), with
    A_d the mean of μᵀx and 1 − cos θ = ½ |μ_p − μ_q|². Source: http://arxiv.org/abs/1502.07104, rearranged.
    """
    ops, order = p.ops, p.order
    apart = 0.5 * ops.sum_of_squares_last(p.mean_direction - q.mean_direction)
    turned = q.concentration * slope(p.concentration, order, ops) * apart
    return bessel_divergence(p.concentration, q.concentration, order, ops) + turned


from_scipy("vonmises_fisher")(VonMisesFisher)


@from_scipy("uniform_direction")
def _uniform(dim: Array) -> VonMisesFisher:
    return VonMisesFisher(np.eye(int(dim))[0], 0.0)
