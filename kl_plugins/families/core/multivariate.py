"""What families of vectors and matrices, whose parameters are all arrays, have in common."""

from __future__ import annotations

from typing import Self

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.ops import array_backend_of
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.parametrised import Shape, broadcast_shapes


class Multivariate(Distribution):
    """A family of distributions of vectors or matrices.

    The dimensions of its parameters that do not belong to the event are batch dimensions, which broadcast.
    """

    find_backend = staticmethod(array_backend_of)

    def core_shape(self, name: str) -> Shape:
        """The shape of a parameter less its batch dimensions."""
        shape: Shape = self.ops.shape(getattr(self, name))
        return shape[len(shape) - dict(self.cores())[name] :]

    def check_shapes(self) -> None:
        for name, core_ndim in self.cores():
            shape = self.ops.shape(getattr(self, name))
            if len(shape) < core_ndim or 0 in shape[len(shape) - core_ndim :]:
                raise ValueError(
                    f"{name} must have {core_ndim} dimensions that are not empty, got shape {shape}"
                )
        try:
            _ = self.batch_shape
        except ValueError:
            shapes = [f"{name} {self.ops.shape(getattr(self, name))}" for name in self.parameters]
            raise ValueError(f"batch shapes of {' and '.join(shapes)} do not broadcast") from None

    @property
    def batch_shape(self) -> Shape:
        shapes = [(self.ops.shape(getattr(self, name)), core_ndim) for name, core_ndim in self.cores()]
        return broadcast_shapes(*[shape[: len(shape) - core_ndim] for shape, core_ndim in shapes])

    def expand(self, batch: tuple[Array, ...]) -> Self:
        """The same distributions, broadcast to a batch shape."""
        state = self.__getstate__()
        name, core_ndim = next(self.cores())
        shape = self.ops.runtime_shape(state[name])
        state[name] = self.ops.broadcast_to(state[name], (*batch, *shape[len(shape) - core_ndim :]))
        return self.unchecked(self.ops, **state)
