"""What families of vectors and matrices, whose parameters are all arrays, have in common."""

from __future__ import annotations

from kl_plugins.errors import Requirement
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.ops import array_backend_of
from kl_plugins.parameters.shapes import Shape


class Multivariate(Distribution):
    """A family of distributions of vectors or matrices.

    The dimensions of its parameters that do not belong to the event are batch dimensions, which broadcast.

    Attributes
    ----------
    batch_shape, event_shape : tuple of (int or None)
        As in PyTorch; a subclass states the property ``event_shape``.

    Examples
    --------
    >>> from kl_plugins import kl, register_kl
    >>> from kl_plugins.extend import REAL, Multivariate, parameter
    >>> class UnitGaussian(Multivariate):
    ...     mean: float = parameter(REAL, core_ndim=1)
    ...     @property
    ...     def event_shape(self):
    ...         return self.core_shape("mean")
    >>> @register_kl(UnitGaussian, UnitGaussian, cost="O(d)")
    ... def unit_unit(p, q):
    ...     return 0.5 * p.ops.sum_of_squares_last(p.mean - q.mean)
    >>> float(kl(UnitGaussian([0.0, 1.0]), UnitGaussian([0.0, 3.0])))
    2.0
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


def check_count(value: float, name: str) -> None:
    """ValueError where a constant of that name is no positive whole number."""
    if value != int(value) or value < 1:
        raise ValueError(Requirement(name, f"must be a positive integer, got {value}"))
