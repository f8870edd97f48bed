"""The Wishart distribution of positive definite matrices, and that of their inverses."""

from __future__ import annotations

import math
from functools import cached_property

from kl_plugins.covariance.base import log_det_divergence, matrix_conditions, square_dimension
from kl_plugins.covariance.full import Dense
from kl_plugins.covariance.precision import Precision
from kl_plugins.families.core.distribution import kl_rules
from kl_plugins.families.core.multivariate import Multivariate
from kl_plugins.families.core.names import from_scipy
from kl_plugins.formulas.gamma_ratios import shifted_divergence
from kl_plugins.ops.gamma_residues import digamma_residue, log_gamma_residue
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import REAL, parameter
from kl_plugins.parameters.shapes import Shape

_COST = "O(d³): a triangular solve between Cholesky factors"


class WishartLike(Multivariate):
    """What the Wishart distribution and that of the inverses have in common."""

    df: Array = parameter(REAL, meaning="degrees of freedom")
    scale: Array = parameter(core_ndim=2)

    def check_shapes(self) -> None:
        square_dimension(self.scale, "scale", self.ops)
        super().check_shapes()

    def _complete(self) -> None:
        _ = self.factor

    def further_conditions(self) -> Conditions:
        ops, too_few = self.ops, self.df <= self.dimension - 1
        message = "df (degrees of freedom) must be greater than the matrices' dimension less one"
        yield ops.logical_not(too_few), message
        yield from matrix_conditions(self, "scale")

    @property
    def event_shape(self) -> Shape:
        return self.core_shape("scale")

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return (self.dimension, self.dimension)

    @property
    def dimension(self) -> Array:
        """Number of rows d; in a graph that does not know it, a variable."""
        return self.ops.runtime_shape(self.scale)[-1]

    @cached_property
    def factor(self) -> Array:
        """Lower Cholesky factor of the scale."""
        return self.ops.cholesky(self.scale, "scale")

    def log_det(self) -> Array:
        """ln|scale|."""
        return 2.0 * self.ops.sum_last(self.ops.log(self.ops.diagonal(self.factor)))

    def indices(self) -> Array:
        """0, 1, …, d − 1: that many entries of each row of a matrix are below its diagonal."""
        ones = self.ops.zeros_like(self.scale) + 1.0
        return self.ops.sum_last(self.ops.strictly_lower(ones, like=self.scale))

    def half_dfs(self) -> Array:
        """(n − i)/2 for i = 0, …, d − 1: the shapes of the gamma variables of Bartlett's decomposition."""
        return 0.5 * (self.df[..., None] - self.indices())

    def log_gamma(self) -> Array:
        """ln Γ_d(n/2), the multivariate gamma function: https://dlmf.nist.gov/35.3."""
        d = self.dimension
        return self.ops.sum_last(self.ops.gammaln(self.half_dfs())) + d * (d - 1) / 4.0 * math.log(math.pi)


class Wishart(WishartLike):
    """Wishart distributions, with mean df · scale.

    Parameters
    ----------
    df : array_like or TensorVariable, shape (...)
        Degrees of freedom n > d − 1; need not be whole.
    scale : array_like or TensorVariable, shape (..., d, d)
        Symmetric positive definite matrices.

    Raises
    ------
    ValueError
        If a scale is not square, finite and symmetric, or df too small.
    numpy.linalg.LinAlgError
        If a scale is not positive definite.

    Examples
    --------
    >>> import numpy as np
    >>> from kl_plugins import kl
    >>> from kl_plugins.families.wishart import Wishart
    >>> round(float(kl(Wishart(4.0, np.eye(2)), Wishart(5.0, np.eye(2)))), 6)
    0.175828
    """

    def log_prob(self, x: Array) -> Array:
        """The log density at positive definite matrices `x`, shape (..., d, d)."""
        return _log_prob(self, x, 1.0)

    def entropy(self) -> Array:
        """½ (d + 1) ln|2V| + ln Γ_d(n/2) − ½ (n − d − 1) ψ_d(n/2) + ½ nd, without the large parts.

        Source: https://en.wikipedia.org/wiki/Wishart_distribution#Entropy.
        """
        return _entropy(self, 1.0)


class InverseWishart(WishartLike):
    """Inverse Wishart distributions: of X⁻¹, X from Wishart(df, scale⁻¹).

    Parameters
    ----------
    df : array_like or TensorVariable, shape (...)
        Degrees of freedom n > d − 1; need not be whole.
    scale : array_like or TensorVariable, shape (..., d, d)
        Symmetric positive definite matrices.

    Raises
    ------
    ValueError
        If a scale is not square, finite and symmetric, or df too small.
    numpy.linalg.LinAlgError
        If a scale is not positive definite.
    """

    def log_prob(self, x: Array) -> Array:
        """The log density at positive definite matrices `x`, shape (..., d, d)."""
        return _log_prob(self, x, -1.0)

    def entropy(self) -> Array:
        """That of the Wishart distribution of the inverses, less (d + 1) times its mean log-determinant.

        Source: the Jacobian |X|^−(d+1) of the inverse,
        https://en.wikipedia.org/wiki/Inverse-Wishart_distribution#Theorems.
        """
        return _entropy(self, -1.0)


def _log_prob(p: WishartLike, x: Array, sign: float) -> Array:
    """The log density: `sign` 1 for the Wishart distribution, −1 for that of inverses."""
    ops, d, n, root = p.ops, p.dimension, p.df, p.ops.cholesky(x, "x")
    trace = ops.sum_of_squares(ops.solve_lower(*((p.factor, root) if sign > 0.0 else (root, p.factor))))
    log_det_x = 2.0 * ops.sum_last(ops.log(ops.diagonal(root)))
    power = 0.5 * (sign * n - d - 1.0) * log_det_x - 0.5 * n * (sign * p.log_det() + d * math.log(2.0))
    return power - 0.5 * trace - p.log_gamma()


def _entropy(p: WishartLike, sign: float) -> Array:
    return _standard_entropy(p, sign) + 0.5 * (p.dimension + 1.0) * p.log_det()


def _standard_entropy(p: WishartLike, sign: float) -> Array:
    """The entropy for scale I: `sign` 1 for the Wishart distribution, −1 for that of inverses.

    With aᵢ = (n − i)/2, ln Γ(a) = (a ln a − a) + R(a) and ψ(a) = ln a + r(a) everything of size n ln n has
    gone: Σ [R(aᵢ) − ½ (n ∓ (d + 1)) r(aᵢ) + (±½ (d + 1) − ½ i) ln aᵢ] and constants.
    """
    ops, d = p.ops, p.dimension
    a, n = p.half_dfs(), p.df[..., None]
    turn = 0.5 * sign * (d + 1.0)
    each = log_gamma_residue(a, ops) - (0.5 * n - turn) * digamma_residue(a, ops)
    each = each + (turn - 0.5 * p.indices()) * ops.log(a) + turn * math.log(2.0)
    constant = d * (d - 1) / 4.0 * (math.log(math.pi) + 1.0)
    return ops.sum_last(each) + constant


def _df_divergence(p: WishartLike, q: WishartLike) -> Array:
    """That of Wishart distributions with a common mean: the Bregman divergence, from n_p to n_q, of
    Σ [ln Γ((n − i)/2) − (½n ln ½n − ½n)]."""
    step = 0.5 * (q.df - p.df)[..., None]
    terms = shifted_divergence(p.half_dfs(), q.half_dfs(), step, 0.5 * p.indices(), p.ops)
    return p.ops.sum_last(terms)


def _ratio(first: Array, second: Array) -> Array:
    return (first / second)[..., None, None]


@kl_rules.register(Wishart, Wishart, cost=_COST)
def wishart_wishart(p: Wishart, q: Wishart) -> Array:
    """n_q times that of Gaussians with the means nV for covariances, plus that of the degrees of freedom.

    Source: https://en.wikipedia.org/wiki/Wishart_distribution#KL-divergence, rearranged to non-negative
    terms; scaling both means alike changes nothing, and equal degrees of freedom leave the scales alone.
    """
    scales = (p.scale * _ratio(p.df, q.df), q.scale)
    means = [Dense.unchecked(p.ops, covariance=scale) for scale in scales]
    return q.df * log_det_divergence(*means) + _df_divergence(p, q)


@kl_rules.register(InverseWishart, InverseWishart, cost=_COST)
def inverse_wishart_inverse_wishart(p: InverseWishart, q: InverseWishart) -> Array:
    """That of the Wishart distributions of the inverses, whose means are nΨ⁻¹."""
    scales = (p.scale * _ratio(q.df, p.df), q.scale)
    means = [Precision.unchecked(p.ops, precision=scale) for scale in scales]
    return q.df * log_det_divergence(*means) + _df_divergence(p, q)


@kl_rules.register(Wishart, InverseWishart, cost=_COST)
def wishart_inverse_wishart(p: Wishart, q: InverseWishart) -> Array:
    """Cross-entropy less entropy: E X⁻¹ = V⁻¹/(n − d − 1), infinite unless n > d + 1."""
    return _of_inverses(p, q, p.factor, q.factor)


@kl_rules.register(InverseWishart, Wishart, cost=_COST)
def inverse_wishart_wishart(p: InverseWishart, q: Wishart) -> Array:
    """That of the inverses, with the same ΨV⁻¹."""
    return _of_inverses(p, q, q.factor, p.factor)


def _of_inverses(p: WishartLike, q: WishartLike, below: Array, above: Array) -> Array:
    """From the Cholesky factors of V and Ψ, through tr ΨV⁻¹ and ln|ΨV⁻¹|.

    With m for q's degrees of freedom: ln Γ_d(m/2) + ½ m d ln 2 + ½ (m + d + 1) [ψ_d(n/2) + d ln 2]
    − ½ m ln|ΨV⁻¹| + ½ tr ΨV⁻¹/(n − d − 1) less the entropy of a Wishart distribution of scale I.
    """
    ops, d, n, m = p.ops, p.dimension, p.df, q.df
    ratio = ops.log(ops.diagonal(above)) - ops.log(ops.diagonal(below))
    diverges = n <= d + 1.0  # stated so that NaN stays NaN
    trace = ops.sum_of_squares(ops.solve_lower(below, above)) / ops.where(diverges, 1.0, n - d - 1.0)
    a = p.half_dfs()
    mean_log_det = ops.sum_last(ops.digamma(a)) + d * math.log(2.0)
    value = q.log_gamma() + 0.5 * m * (d * math.log(2.0)) + 0.5 * (m + d + 1.0) * mean_log_det
    value = value - m * ops.sum_last(ratio) + 0.5 * trace - _standard_entropy(p, 1.0)
    return ops.where(diverges, math.inf, value)


from_scipy("wishart")(Wishart)
from_scipy("invwishart")(InverseWishart)
