"""What objects with parameters hold, to type checkers: numbers, arrays of them, or variables of a graph.

Nothing of it is there when the library runs but the type variables, and these without their defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from typing import Protocol, TypeAlias

    import numpy as np
    from numpy.typing import NDArray
    from pytensor.tensor.variable import TensorVariable
    from typing_extensions import TypeVar
    from xarray import DataArray

    Doubles: TypeAlias = NDArray[np.float64]
    Symbol: TypeAlias = TensorVariable[Any, Any]
    Vector: TypeAlias = Sequence[float]
    Matrix: TypeAlias = Sequence[Sequence[float]]

    class Variable(Protocol):
        """A variable of a graph of PyTensor's, PyMC's random variables among them, known by what it offers.

        Where PyTensor is not installed, a checker takes its classes for anything.
        """

        owner: Any
        type: Any

        def eval(self, /) -> Any: ...

    class Named(Protocol):
        """An array of xarray, known by what it offers."""

        @property
        def dims(self) -> tuple[Hashable, ...]: ...
        @property
        def coords(self) -> Any: ...
        def to_dataset(self) -> Any: ...

    Labels: TypeAlias = DataArray

    Value = TypeVar("Value", default=np.float64 | Doubles | Symbol | Labels, covariant=True)
    """What is computed for one object: a number, an array where it is a batch, or a variable."""

    Vectors = TypeVar("Vectors", bound=Any, default=Any, covariant=True)
    """What holds its vectors."""
else:
    from typing import TypeVar

    Value = TypeVar("Value", covariant=True)
    Vectors = TypeVar("Vectors", covariant=True)
