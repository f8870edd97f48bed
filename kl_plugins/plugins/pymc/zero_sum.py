"""PyMC's normal arrays that sum to zero."""

from __future__ import annotations

from functools import reduce
from operator import mul

import pytensor.tensor as pt
from pymc.distributions.multivariate import ZeroSumNormalRV
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op
from pytensor.tensor.elemwise import DimShuffle

from kl_plugins.covariance.zero_sum import ZeroSum
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.zero_sum_normal import ZeroSumNormal
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array
from kl_plugins.plugins.pytensor.graph import constant_of
from kl_plugins.plugins.pytensor.random_variables import family


@family.register(ZeroSumNormalRV)
def _(op: Op, sigma: Variable, support_shape: Variable, *, batch: Array) -> Distribution:
    """The length of sigma is one along each axis that sums to zero."""
    sizes = tuple(map(_known, _entries(support_shape, op.ndim_supp)))
    scale = ops.asarray(sigma, "sigma")[(..., *[0] * op.ndim_supp)]
    mean = pt.zeros((*(batch or ()), reduce(mul, sizes)), dtype=scale.dtype)
    return ZeroSumNormal(mean, ZeroSum(scale, sizes))


def _entries(vector: Variable, count: int) -> list[Variable]:
    """The numbers of a vector, each as it was before it became one."""
    if count == 1 and vector.owner is not None and isinstance(vector.owner.op, DimShuffle):
        return list(vector.owner.inputs)
    return [vector[i] for i in range(count)]


def _known(length: Variable) -> Array:
    """A length as a number, where it is a constant."""
    found = constant_of(length)
    return length if found is None else int(found)
