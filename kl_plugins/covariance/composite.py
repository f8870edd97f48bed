"""What covariances that are made of other covariances have in common."""

from __future__ import annotations

from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.full import Dense
from kl_plugins.parameters.labels import Labels, only_batch
from kl_plugins.parameters.values import Value


class Composite(Covariance[Value]):
    """A covariance made of several, in the tuple that is its only field; their batch shapes broadcast."""

    def __post_init__(self) -> None:
        (field,) = self.parts
        given = getattr(self, field)
        if isinstance(given, Covariance):
            raise TypeError(f"{field} must be several covariances in a tuple, got {type(given).__name__}")
        components = tuple(a if isinstance(a, Covariance) else Dense(a) for a in given)
        if not components:
            raise ValueError(f"{field} must hold at least one covariance")
        self._state(**{field: components})
        super().__post_init__()

    def labels_of_parts(self) -> list[Labels | None]:
        """Of the batch dimensions: the variables of one are not those of another."""
        return [only_batch(member.labels) for member in self.components()]

    def check_shapes(self) -> None:
        (field,) = self.parts
        if any(member.dimension is None for member in self.components()):
            raise ValueError(f"{field} must have a known number of variables")
        try:
            _ = self.batch_shape
        except ValueError:
            shapes = ", ".join(str(member.batch_shape) for member in self.components())
            raise ValueError(f"batch shapes of {field} do not broadcast: {shapes}") from None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of variables of each."""
        return tuple(int(member.dimension or 0) for member in self.components())
