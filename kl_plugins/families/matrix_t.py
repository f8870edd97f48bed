"""The matrix t distribution: a matrix normal one whose rows' covariance is an inverse Wishart variable."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from kl_plugins.covariance.base import Covariance, divergence_rule, gaussian_divergence
from kl_plugins.covariance.kronecker import Kronecker
from kl_plugins.covariance.scaling import scaled
from kl_plugins.errors import Requirement
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.matrix_normal import MatrixNormal
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.multivariate_t import open_conditions, ratio_of_scales, rounding, same_place
from kl_plugins.formulas.beta import beta_divergence, digamma_difference
from kl_plugins.formulas.multivariate_t import entropy_beyond_normal, negentropy
from kl_plugins.ops import array_backend_of
from kl_plugins.ops.protocol import Array, SymbolicOperations
from kl_plugins.parameters.declarations import POSITIVE, parameter, part
from kl_plugins.parameters.shapes import Shape, in_words
from kl_plugins.rules import Rule


class MatrixT(Distribution):
    """Matrix t distributions of m rows and n columns, with density ∝ |I + Σ⁻¹(x − M)Ω⁻¹(x − M)ᵀ|^−a.

    a is (df + m + n − 1)/2. The covariance is that of `gaussian` divided by df − 2.

    Parameters
    ----------
    df : array_like or TensorVariable, shape (...)
        Degrees of freedom, positive.
    gaussian : MatrixNormal
        That of the mean matrix M and the rows' and columns' spreads Σ and Ω as covariances.

    Raises
    ------
    ValueError
        If the degrees of freedom are not positive and finite, or `gaussian` is not of matrices.

    Notes
    -----
    https://en.wikipedia.org/wiki/Matrix_t-distribution. 1/|I + …| is a product of independent beta
    variables of (df + i)/2 and m/2, i = 0, …, n − 1.

    Examples
    --------
    >>> import numpy as np
    >>> from kl_plugins import Isotropic, Kronecker, kl
    >>> from kl_plugins.families.matrix_normal import MatrixNormal
    >>> from kl_plugins.families.matrix_t import MatrixT
    >>> gaussian = MatrixNormal(np.zeros(4), Kronecker([Isotropic(1.0, 2), Isotropic(1.0, 2)]))
    >>> round(float(kl(MatrixT(4.0, gaussian), MatrixT(5.0, gaussian))), 6)
    0.044535
    """

    df: Array = parameter(POSITIVE, meaning="degrees of freedom")
    gaussian: MatrixNormal = part()
    find_backend = staticmethod(array_backend_of)

    def check_shapes(self) -> None:
        if len(found := self.gaussian.event_shape) != 2:
            raise ValueError(Requirement("gaussian", f"must be of matrices, got {in_words(found)}"))
        super().check_shapes()

    @property
    def event_shape(self) -> Shape:
        return self.gaussian.event_shape

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return self.gaussian.runtime_event_shape()

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of rows and columns, which a Kronecker product knows."""
        return cast(tuple[int, int], self.event_shape)

    def columns(self) -> tuple[Array, Array]:
        """How many there are before each column, n − 1, …, 0, and degrees of freedom given these."""
        before = self.ops.asarray(np.arange(self.sizes[1] - 1.0, -1.0, -1.0), "columns")
        return before, self.df[..., None] + (self.sizes[1] - 1.0 - before)

    def entropy(self) -> Array:
        """That of each column, a multivariate t variable given the others, whose scale depends on them.

        Those of the degrees of freedom df + i, i < n, and what of E log|I + …| these do not have.
        """
        ops, rows = self.ops, float(self.sizes[0])
        before, df = self.columns()
        each = entropy_beyond_normal(df, rows, ops) - 0.5 * rows * ops.log(df)
        each = each + self._turned(before, df)
        return self.gaussian.entropy() + ops.sum_last(each)

    def _turned(self, before: Array, df: Array) -> Array:
        """½ j E log(1/z), z beta of df/2 and m/2: with j columns before."""
        return -0.5 * before * digamma_difference(0.5 * df, 0.5 * self.sizes[0] + 0.0 * df, self.ops)

    def beyond_normal(self) -> Array:
        """The divergence from the normal distribution of the same mean and covariance, for df > 2."""
        ops, rows = self.ops, float(self.sizes[0])
        before, df = self.columns()
        step = 0.5 * rows * ops.log1p((df - self.df[..., None]) / (self.df[..., None] - 2.0))
        return ops.sum_last(negentropy(df, rows, ops) + step - self._turned(before, df))


def _by_covariance(p: MatrixT, q: MultivariateNormal) -> tuple[Rule, Covariance, Covariance]:
    return divergence_rule(p.gaussian.covariance, q.covariance), p.gaussian.covariance, q.covariance


@kl_rules.register(MatrixT, MultivariateNormal, cost=_by_covariance)
def matrix_t_multivariate_normal(p: MatrixT, q: MultivariateNormal) -> Array:
    """That of the Gaussian of p's mean and covariance, and p's from that. Infinite unless df > 2."""
    ops, exists = p.ops, p.df > 2.0
    safe = p.unchecked(ops, df=ops.where(exists, p.df, 4.0), gaussian=p.gaussian)
    rows, columns = p.gaussian.covariance.factors
    moments = Kronecker.unchecked(
        ops, factors=(scaled(rows, (1.0 / ops.sqrt(safe.df - 2.0))[..., None]), columns)
    )
    value = ops.maximum(safe.beyond_normal(), 0.0)
    value = value + gaussian_divergence(moments, q.covariance, p.gaussian.mean - q.mean)
    return ops.where(exists, value, math.inf) + ops.zero_or_nan(p.df)


def _cost(p: MatrixT, q: MatrixT) -> str:
    _open_conditions(p, q)
    return "O(n) for n columns"


@kl_rules.register(MatrixT, MatrixT, cost=_cost)
def matrix_t_matrix_t(p: MatrixT, q: MatrixT) -> Array:
    """That of the beta variables, where all but the degrees of freedom is common."""
    ops, open_ones = p.ops, _open_conditions(p, q)
    half, rows = 0.5 * p.columns()[1], 0.5 * p.sizes[0]
    other = 0.5 * q.columns()[1]
    value = ops.sum_last(beta_divergence(half, rows + 0.0 * half, other, rows + 0.0 * other, ops))
    for side in (p, q):
        of = side.gaussian
        value = value + ops.zero_or_nan(side.df + ops.sum_last(of.mean) + of.covariance.log_det())
    return cast(SymbolicOperations, ops).guard(value, open_ones) if open_ones else value


_COMMON = "a common mean and a common product of row and column spreads"


def _open_conditions(p: MatrixT, q: MatrixT) -> list[tuple[Array, str]]:
    """What only a running graph tells of the pair; NoClosedFormError where it is certainly another."""
    ops = p.ops
    factors = zip(p.gaussian.covariance.factors, q.gaussian.covariance.factors, strict=True)
    (of_rows, rows), (of_columns, columns) = (ratio_of_scales(*both) for both in factors)
    close = ops.logical_not(ops.absolute(of_rows + of_columns) > rounding(of_rows, ops))
    return open_conditions(p, q, _COMMON, rows, columns, close, same_place(p.gaussian, q.gaussian))
