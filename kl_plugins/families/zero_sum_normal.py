"""Normal arrays that sum to zero: a multivariate normal over the entries of an array, row by row."""

from __future__ import annotations

from kl_plugins.covariance.zero_sum import ZeroSum
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import part
from kl_plugins.parameters.shapes import Shape


class ZeroSumNormal(MultivariateNormal):
    """Normal distributions of arrays that sum to zero along each of their axes.

    Parameters
    ----------
    mean : array_like or TensorVariable, shape (..., d)
        The mean array, row by row, which sums to zero, too.
    covariance : ZeroSum
        With the lengths of the axes, whose product is d.
    """

    covariance: ZeroSum = part()

    @property
    def event_shape(self) -> Shape:
        return self.covariance.lengths

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return self.covariance.sizes
