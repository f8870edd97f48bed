"""PyMC's vectors and matrices whose parameters are not those of our families."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.multivariate import (
    CARRV,
    ICARRV,
    MvStudentTRV,
    StickBreakingWeightsRV,
    WishartRV,
)
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.op import Op
from pytensor.sparse import SparseTensorType, dense_from_sparse
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.variable import TensorConstant
from scipy.sparse.csgraph import connected_components

from kl_plugins.covariance.axis_aligned import positive_and_finite
from kl_plugins.covariance.conditional_autoregressive import ConditionalAutoregressive
from kl_plugins.covariance.neighbours import SYMMETRIC, Neighbours, neighbour_needed
from kl_plugins.covariance.precision import Precision
from kl_plugins.errors import Requirement
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.multivariate_t import MultivariateT
from kl_plugins.families.stick_breaking import StickBreaking
from kl_plugins.families.wishart import Wishart
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.plugins.pytensor.covariance import covariance_of
from kl_plugins.plugins.pytensor.graph import input_of, known_count, see_through
from kl_plugins.plugins.pytensor.random_variables import broadcast_parameter, family


@family.register(WishartRV)
def _(op: Op, nu: Variable, scale: Variable, *, batch: Array) -> Distribution:
    """From PyMC 6 on the Cholesky factor of the scale is kept, or the graph that computes it."""
    if not isinstance(op, RandomVariable):
        matrix = input_of(scale, "Cholesky")
        scale = ops.matmul(scale, ops.transpose(scale)) if matrix is None else matrix
    made = Wishart(nu, scale)
    return made if batch is None else made.expand(batch)


@family.register(StickBreakingWeightsRV)
def _(op: Op, alpha: Variable, sticks: Variable, *, batch: Array) -> Distribution:
    """PyMC's K counts the breaks: it has a weight more."""
    made = StickBreaking(alpha, known_count(sticks, "StickBreakingWeights", "K"))
    return made if batch is None else made.expand(batch)


@family.register(MvStudentTRV)
def _(op: Op, nu: Variable, mean: Variable, scale: Variable, *, batch: Array) -> Distribution:
    gaussian = MultivariateNormal(broadcast_parameter(mean, batch, 1, "mu"), covariance_of(scale))
    return MultivariateT(nu, gaussian)


@family.register(CARRV)
def _(
    op: Op,
    mean: Variable,
    neighbours: Variable,
    alpha: Variable,
    tau: Variable,
    *checks: Variable,
    batch: Array,
) -> Distribution:
    """The conditional autoregression: its precision is tau (D − alpha W), D the numbers of neighbours."""
    mean = broadcast_parameter(mean, batch, 1, "mu")
    places = _constant_neighbours(neighbours)
    if places is not None:
        alpha, tau = ops.asarray(alpha, "alpha"), ops.asarray(tau, "tau")
        return MultivariateNormal(mean, ConditionalAutoregressive(places, alpha, tau))
    if isinstance(neighbours.type, SparseTensorType):
        neighbours = dense_from_sparse(neighbours)
    neighbours = ops.asarray(neighbours, "W")
    alpha, tau = ops.asarray(alpha, "alpha")[..., None, None], ops.asarray(tau, "tau")[..., None, None]
    matrix = tau * (ops.from_diagonal(neighbours.sum(axis=-1)) - alpha * neighbours)
    return MultivariateNormal(mean, Precision(matrix)).provided(_conditions_of_weights(neighbours))


def _conditions_of_weights(neighbours: Variable) -> Conditions:
    """Without which the precision is of no autoregression; PyMC's weights may be of any sign."""
    yield ops.is_finite(neighbours), Requirement("W", "must be finite, but holds NaN or infinity")
    yield ops.is_symmetric(neighbours), Requirement("W", SYMMETRIC)
    has_neighbours = pt.any(pt.neq(neighbours, 0.0), axis=-1)
    known = ops.known(has_neighbours)
    alone = [] if known is None or known.ndim != 1 else np.flatnonzero(~known).tolist()
    yield ops.all_last(has_neighbours), Requirement("W", neighbour_needed(alone))


def _constant_neighbours(matrix: Variable) -> Neighbours | None:
    """The weights where they are constants, and those of neighbours; else None."""
    matrix = see_through(matrix)
    sparse = input_of(matrix, "DenseFromSparse")
    matrix = matrix if sparse is None else sparse
    if not isinstance(matrix, Constant):
        return None
    try:
        return Neighbours(matrix.data)
    except ValueError:
        return None


@family.register(ICARRV)
def _(
    op: Op, neighbours: Variable, sigma: Variable, zero_sum_stdev: Variable, *, batch: Array
) -> Distribution:
    """The intrinsic conditional autoregression, which PyMC makes proper by a normal density of the sum.

    Its precision is (D − W) / sigma² + 1 / (N zero_sum_stdev)², D the numbers of neighbours of N places; PyMC
    leaves a constant out of the density. Of places that are not all connected it is no distribution.
    """
    if isinstance(neighbours, TensorConstant) and connected_components(neighbours.data)[0] > 1:
        raise ValueError(
            "W must connect all places: pm.ICAR of several islands is improper, as each may be anywhere; "
            "take one pm.ICAR for each, or pm.CAR with alpha < 1"
        )
    neighbours = ops.asarray(neighbours, "W")
    sigma, stdev = ops.asarray(sigma, "sigma"), ops.asarray(zero_sum_stdev, "zero_sum_stdev")
    degrees = neighbours.sum(axis=-1)
    penalty = 1.0 / pt.square(degrees.shape[-1] * stdev)
    laplacian = ops.from_diagonal(degrees) - neighbours
    matrix = laplacian / pt.square(sigma)[..., None, None] + penalty[..., None, None]
    made = MultivariateNormal(broadcast_parameter(pt.zeros_like(degrees), batch, 1, "mu"), Precision(matrix))
    scales = {"sigma": sigma, "zero_sum_stdev": stdev}
    return made.provided(
        stated
        for name, scale in scales.items()
        for stated in positive_and_finite(scale, name, ops, core_ndim=0)
    )
