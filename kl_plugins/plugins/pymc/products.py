"""PyMC's random variables whose covariance is a Kronecker product."""

from __future__ import annotations

from functools import reduce

import pytensor.tensor as pt
from pymc.distributions.multivariate import KroneckerNormalRV, MatrixNormalRV
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op

from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.full import Cholesky
from kl_plugins.covariance.kronecker import Kronecker
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.matrix_normal import MatrixNormal
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array
from kl_plugins.plugins.pytensor.covariance import covariance_of
from kl_plugins.plugins.pytensor.graph import constant_of, input_of
from kl_plugins.plugins.pytensor.products import product_of
from kl_plugins.plugins.pytensor.random_variables import broadcast_parameter, family


@family.register(MatrixNormalRV)
def _(op: Op, mean: Variable, row_factor: Variable, column_factor: Variable, *, batch: Array) -> Distribution:
    """The entries row by row: their covariance is that of the rows times that of the columns."""
    covariance = product_of([_from_factor(row_factor), _from_factor(column_factor)])
    if covariance is None:
        raise ValueError(
            "MatrixNormal needs covariances of known shape: give them one with pytensor.tensor.specify_shape"
        )
    mean = broadcast_parameter(mean, batch, 2, "mu")
    return MatrixNormal(mean.reshape((*ops.runtime_shape(mean)[:-2], covariance.dimension)), covariance)


def _from_factor(factor: Variable) -> Covariance:
    """PyMC keeps the Cholesky factor of the covariance, or the graph that computes it."""
    matrix = input_of(factor, "Cholesky")
    return Cholesky(factor) if matrix is None else covariance_of(matrix)


@family.register(KroneckerNormalRV)
def _(op: Op, mean: Variable, sigma: Variable, *covariances: Variable, batch: Array) -> Distribution:
    """With noise sigma² I added, which is no product any more: then the whole matrix is what is known."""
    mean = broadcast_parameter(mean, batch, 1, "mu")
    product: Kronecker | None = None
    if constant_of(sigma) == 0:
        product = product_of([covariance_of(x) for x in covariances])
    if product is not None:
        return MultivariateNormal(mean, product)
    matrix = reduce(pt.linalg.kron, [ops.asarray(x, "covs") for x in covariances])
    noise = pt.square(ops.asarray(sigma, "sigma")) * pt.eye(matrix.shape[-1])
    return MultivariateNormal(mean, covariance_of(matrix + noise))
