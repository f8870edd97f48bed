"""PyMC's random matrices, whose parameters mean different things between versions, and its CAR."""

from __future__ import annotations

from pymc.distributions.multivariate import CARRV, LKJCorrRV, WishartRV, _LKJCholeskyCovRV
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op
from pytensor.sparse import SparseTensorType, dense_from_sparse
from pytensor.tensor.random.op import RandomVariable

from kl_plugins.covariance.precision import Precision
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.lkj import LKJ
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.wishart import Wishart
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array
from kl_plugins.plugins.pytensor.graph import constant_of, input_of
from kl_plugins.plugins.pytensor.random_variables import broadcast_parameter, family


@family.register(WishartRV)
def _(op: Op, nu: Variable, scale: Variable, *, batch: Array) -> Distribution:
    """From PyMC 6 on the Cholesky factor of the scale is kept, or the graph that computes it."""
    if not isinstance(op, RandomVariable):
        matrix = input_of(scale, "Cholesky")
        scale = ops.matmul(scale, ops.transpose(scale)) if matrix is None else matrix
    made = Wishart(nu, scale)
    return made if batch is None else made.expand(batch)


@family.register(LKJCorrRV)
def _(op: Op, n: Variable, eta: Variable, *, batch: Array) -> Distribution:
    """A matrix from PyMC 6 on, before that what is above its diagonal."""
    dimension = constant_of(n)
    if dimension is None:
        raise NoClosedFormError("LKJCorr is understood where n is a constant, not a variable of the graph")
    made = LKJ(eta, int(dimension))
    return made if batch is None else made.expand(batch)


@family.register(_LKJCholeskyCovRV)
def _(op: Op, *parameters: Variable, batch: Array) -> Distribution:
    raise NoClosedFormError(
        "no closed form is known for LKJCholeskyCov, a correlation matrix and scales in one: LKJCorr and the "
        "distributions of the scales are understood, each by itself"
    )


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
    if isinstance(neighbours.type, SparseTensorType):
        neighbours = dense_from_sparse(neighbours)
    neighbours = ops.asarray(neighbours, "W")
    alpha, tau = ops.asarray(alpha, "alpha")[..., None, None], ops.asarray(tau, "tau")[..., None, None]
    matrix = tau * (ops.from_diagonal(neighbours.sum(axis=-1)) - alpha * neighbours)
    return MultivariateNormal(broadcast_parameter(mean, batch, 1, "mu"), Precision(matrix))
