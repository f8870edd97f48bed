"""What the public functions take and give, for type checkers: numbers give numbers, graphs give graphs.

SciPy has no types of its own. With the package scipy-stubs a checker knows of a frozen distribution whether
its parameters are numbers or arrays, and so whether a divergence is a ``numpy.float64`` or an array; without
it the result is Any, as it may be either. Foreign objects are known by what they offer, not by their classes:
where a library is not installed, a checker takes its classes for anything, and nothing would be told apart.

A further kind of object is one more overload of `OfOne` and of `OfPair`; the first that fits is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, overload

if TYPE_CHECKING:
    import numpy as np

    from kl_plugins.families.core.distribution import Distribution
    from kl_plugins.parameters.values import Doubles, Labels, Symbol, Variable

    Number: TypeAlias = float | np.float64
    Parameter: TypeAlias = float | np.floating[Any] | np.integer[Any]
    Point: TypeAlias = np.ndarray[tuple[()], np.dtype[Any]]
    AtLeastVector: TypeAlias = np.ndarray[tuple[int, *tuple[int, ...]], np.dtype[Any]]

    Value = TypeVar("Value", covariant=True)

    class Frozen(Protocol[Value]):
        """A univariate frozen distribution of SciPy; divergences have the type of its entropy."""

        @property
        def dist(self) -> Any: ...
        def entropy(self) -> Value: ...

    class FrozenMultivariate(Protocol[Value]):
        """A multivariate one."""

        @property
        def _dist(self) -> Any: ...
        def entropy(self) -> Value: ...

    class WithParameters(Protocol[Value]):
        """A distribution of SciPy's new infrastructure, with its parameters as they were given."""

        @property
        def _original_parameters(self) -> Mapping[str, Value]: ...
        def logentropy(self) -> Any: ...

    class Mixture(Protocol):
        """A mixture in the new infrastructure, which has no batches."""

        @property
        def components(self) -> Any: ...
        @property
        def weights(self) -> Any: ...
        def logentropy(self) -> Any: ...

    class Untyped:
        """What no object is, so that only what has no type fits."""

    class FrozenInSource(Protocol):
        """What is `Frozen`, as SciPy's source has it, which some checkers read for want of types."""

        @property
        def dist(self) -> Untyped: ...

    class WithParametersInSource(Protocol):
        """What is `WithParameters`, as SciPy's source has it."""

        _original_parameters: Any
        _parameters: Any

    class Approximation(Protocol):
        """A fitted approximation of PyMC's."""

        groups: Any

        @property
        def symbolic_logq(self) -> Any: ...

    Scalar: TypeAlias = (
        Frozen[Number]
        | FrozenMultivariate[Number]
        | WithParameters[Parameter | Point]
        | Mixture
        | Distribution[np.float64]
    )
    """One distribution of numbers."""

    Batch: TypeAlias = (
        Frozen[Number | Doubles] | WithParameters[Parameter | AtLeastVector] | Distribution[Doubles]
    )
    """A batch of them, an array of numbers."""

    Untold: TypeAlias = FrozenInSource | WithParametersInSource
    """One or a batch."""

    Graph: TypeAlias = Variable | Approximation | Distribution[Symbol]

    class OfXarray(Protocol):
        """A univariate distribution of xarray-einstats."""

        def _broadcast_args(self, args: Any, kwargs: Any) -> Any: ...

    class MultivariateOfXarray(Protocol):
        """A multivariate one."""

        def _process_inputs(self, mean: Any, cov: Any, dims: Any) -> Any: ...

    Labelled: TypeAlias = OfXarray | MultivariateOfXarray | Distribution[Labels]

    class OfOne(Protocol):
        """A function of one distribution."""

        @overload
        def __call__(self, p: Untold) -> Any: ...
        @overload
        def __call__(self, p: Scalar) -> np.float64: ...  # type: ignore[overload-overlap]
        @overload
        def __call__(self, p: Batch) -> Doubles: ...
        @overload
        def __call__(self, p: Graph) -> Symbol: ...
        @overload
        def __call__(self, p: Labelled) -> Labels: ...
        @overload
        def __call__(self, p: object) -> Any: ...

    class OfPair(Protocol):
        """A function of a pair of distributions."""

        @overload
        def __call__(self, p: Untold, q: Untold | Scalar | Batch) -> Any: ...
        @overload
        def __call__(self, p: Scalar | Batch, q: Untold) -> Any: ...
        @overload
        def __call__(self, p: Scalar, q: Scalar) -> np.float64: ...  # type: ignore[overload-overlap]
        @overload
        def __call__(self, p: Batch, q: Scalar | Batch) -> Doubles: ...
        @overload
        def __call__(self, p: Scalar, q: Batch) -> Doubles: ...
        @overload
        def __call__(self, p: Graph, q: object) -> Symbol: ...
        @overload
        def __call__(self, p: object, q: Graph) -> Symbol: ...
        @overload
        def __call__(self, p: Labelled, q: object) -> Labels: ...
        @overload
        def __call__(self, p: object, q: Labelled) -> Labels: ...
        @overload
        def __call__(self, p: object, q: object) -> Any: ...


def of_one(function: Callable[..., Any]) -> OfOne:
    """The function itself, for type checkers an `OfOne`."""
    return function


def of_pair(function: Callable[..., Any]) -> OfPair:
    """The function itself, for type checkers an `OfPair`."""
    return function
