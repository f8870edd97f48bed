"""The LKJ distribution of correlation matrices."""

from __future__ import annotations

import math

import numpy as np

from kl_plugins.families.core.distribution import kl_rules
from kl_plugins.families.core.multivariate import Multivariate, check_count
from kl_plugins.formulas.gamma_ratios import residue_divergence, shifted_divergence
from kl_plugins.ops.gamma_residues import digamma_residue, log_gamma_residue
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import POSITIVE, constant, parameter
from kl_plugins.parameters.shapes import Shape


class LKJ(Multivariate):
    """Distributions of correlation matrices R, with density proportional to |R|^(concentration − 1).

    Parameters
    ----------
    concentration : array_like or TensorVariable, shape (...)
        Positive numbers; 1 is the uniform distribution.
    dimension : int
        Number of rows d of R. The event shape is (d, d), however a library stores what is above the
        diagonal.

    Raises
    ------
    ValueError
        If a concentration is not positive and finite, or the dimension not a positive integer.

    Notes
    -----
    The normaliser is ∏ₖ π^(k/2) Γ(x − k/2)/Γ(x), x = concentration + (d − 1)/2, k = 1, …, d − 1: theorem 5
    of H. Joe, Generating random correlation matrices based on partial correlations, 2006; see also
    D. Lewandowski, D. Kurowicka, H. Joe, Generating random correlation matrices based on vines and extended
    onion method, 2009.

    Examples
    --------
    >>> from kl_plugins import kl
    >>> from kl_plugins.families.lkj import LKJ
    >>> round(float(kl(LKJ(1.0, 2), LKJ(2.0, 2))), 6)
    0.208241
    """

    concentration: Array = parameter(POSITIVE, meaning="eta")
    dimension: int = constant()

    def check_shapes(self) -> None:
        check_count(self.dimension, "dimension")
        super().check_shapes()

    @property
    def event_shape(self) -> Shape:
        return (self.dimension, self.dimension)

    @property
    def shifts(self) -> Array:
        """k/2 for k = 1, …, d − 1."""
        return self.ops.asarray(0.5 * np.arange(1, self.dimension), "shifts", [self.concentration])

    def upper(self) -> Array:
        """The x of the normaliser, shape (..., 1)."""
        return self.concentration[..., None] + 0.5 * (self.dimension - 1)

    def lower(self) -> Array:
        """x − k/2 for k = 1, …, d − 1, shape (..., d − 1)."""
        return self.concentration[..., None] + (0.5 * (self.dimension - 1) - self.shifts)

    def log_prob(self, log_det: Array) -> Array:
        """The log density at correlation matrices of the log-determinants `log_det`."""
        ops, x = self.ops, self.upper()
        each = 0.5 * math.log(math.pi) * 2.0 * self.shifts + ops.gammaln(self.lower()) - ops.gammaln(x)
        return (self.concentration - 1.0) * log_det - ops.sum_last(each)

    def entropy(self) -> Array:
        """ln Z − (η − 1) d ln Z/dη, Z the normaliser, without the large parts of ln Γ and ψ."""
        ops, x, power = self.ops, self.upper(), self.concentration[..., None] - 1.0
        low = self.lower()
        each = log_gamma_residue(low, ops) - log_gamma_residue(x, ops)
        each = each - power * (digamma_residue(low, ops) - digamma_residue(x, ops))
        each = each + (low - power) * ops.log(low) - (x - power) * ops.log(x)
        return ops.sum_last(each + (1.0 + math.log(math.pi)) * self.shifts)


@kl_rules.register(LKJ, LKJ, cost="O(d)")
def lkj_lkj(p: LKJ, q: LKJ) -> Array:
    """The Bregman divergence of ln Z, Z the normaliser, from p's concentration to q's."""
    ops, first, second = p.ops, p.upper(), q.upper()
    step = (q.concentration - p.concentration)[..., None]
    terms = shifted_divergence(p.lower(), q.lower(), step, p.shifts, ops)
    above = residue_divergence(first, second, step, ops)
    return ops.maximum(ops.sum_last(terms - above), 0.0)
