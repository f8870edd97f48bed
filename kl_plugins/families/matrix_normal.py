"""The matrix normal distribution: a multivariate normal over the entries of a matrix, row by row."""

from __future__ import annotations

from kl_plugins.covariance.kronecker import Kronecker
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import part
from kl_plugins.parameters.shapes import Shape


class MatrixNormal(MultivariateNormal):
    """Matrix normal distributions of matrices of m rows and n columns.

    Parameters
    ----------
    mean : array_like or TensorVariable, shape (..., m * n)
        The mean matrix, row by row.
    covariance : Kronecker
        The product of the rows' covariance, of m variables, and the columns', of n.
    """

    covariance: Kronecker = part()

    @property
    def event_shape(self) -> Shape:
        return self.covariance.sizes

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return self.event_shape
