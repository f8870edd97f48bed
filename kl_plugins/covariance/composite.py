"""What covariances that are made of other covariances have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.full import Dense
from kl_plugins.ops.protocol import Array, ArrayOperations, Conditions
from kl_plugins.parameters.labels import Labels, only_batch
from kl_plugins.parameters.parametrised import Shape, broadcast_shapes


class Composite(Covariance):
    """A covariance made of several, in the tuple that is its only field; their batch shapes broadcast."""

    held: ClassVar[str]
    """Name of that field."""

    def __post_init__(self) -> None:
        given = getattr(self, self.held)
        if isinstance(given, Covariance):
            raise TypeError(f"{self.held} must be several covariances in a tuple, got {type(given).__name__}")
        members = tuple(a if isinstance(a, Covariance) else Dense(a) for a in given)
        if not members:
            raise ValueError(f"{self.held} must hold at least one covariance")
        self._state(**{self.held: members})
        super().__post_init__()

    @property
    def _members(self) -> tuple[Covariance, ...]:
        return getattr(self, self.held)  # type: ignore[no-any-return]

    def values(self) -> list[Array]:
        return [value for member in self._members for value in member.values()]

    def labels_of_parts(self) -> list[Labels | None]:
        """Of the batch dimensions: the variables of one are not those of another."""
        return [only_batch(member.labels) for member in self._members]

    def _become(self, ops: ArrayOperations, beside: Sequence[Array] = ()) -> None:
        self._state(**{self.held: tuple(member.to(ops) for member in self._members)}, ops=ops)

    def conditions(self) -> Conditions:
        for member in self._members:
            yield from member.conditions()

    def check_shapes(self) -> None:
        if any(member.dimension is None for member in self._members):
            raise ValueError(f"{self.held} must have a known number of variables")
        try:
            _ = self.batch_shape
        except ValueError:
            shapes = ", ".join(str(member.batch_shape) for member in self._members)
            raise ValueError(f"batch shapes of {self.held} do not broadcast: {shapes}") from None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of variables of each."""
        return tuple(int(member.dimension or 0) for member in self._members)

    @property
    def batch_shape(self) -> Shape:
        return broadcast_shapes((), *[member.batch_shape for member in self._members])
