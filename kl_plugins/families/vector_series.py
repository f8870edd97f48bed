"""Normal series of vectors: a multivariate normal over the values of all times, one time after another."""

from __future__ import annotations

from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import constant
from kl_plugins.parameters.shapes import Shape


class VectorSeries(MultivariateNormal):
    """Normal distributions of series of n vectors of m values.

    Parameters
    ----------
    mean : array_like or TensorVariable, shape (..., n * m)
        The means, time by time.
    covariance : Covariance
        That of the n m values in this order.
    length : int
        The number m of values at one time.
    """

    length: int = constant()

    @property
    def event_shape(self) -> Shape:
        (total,) = super().event_shape
        return (None if total is None else total // self.length, self.length)

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return (self.mean.shape[-1] // self.length, self.length)
