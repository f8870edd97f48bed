"""The contract of a backend: the operations that formulas may use.

A backend is a module. Python's floats have the operations on numbers (`Operations`), NumPy's arrays and
PyTensor's variables those on arrays, too (`ArrayOperations`). mypy holds each to it;
`tests/ops/test_protocol.py` holds their values against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = Any
"""Numbers, or truth values, of one backend: a Python float, a NumPy array, a variable of PyTensor's.

No type says what they have in common: arithmetic and comparisons. `Operations` are functions of them.
"""

Conditions: TypeAlias = Iterable[tuple[Array, str]]
"""What parameters must satisfy: truth values, each with the message where they are false."""

FloatArray: TypeAlias = NDArray[np.floating[Any]]
"""A NumPy array of float32 or float64."""

Function: TypeAlias = Callable[..., Array]
"""A function of arrays; where so stated, the operations are its last argument."""


class Operations(Protocol):
    """What formulas of numbers are written in.

    Functions of numbers that have no words of their own here are those of NumPy and SciPy of that name.
    Outside of a function's domain arrays and variables hold infinity or NaN; a float is an error there, upon
    which the formula is run on arrays.

    Examples
    --------
    The same formula in numbers and as a graph:

    >>> import pytensor.tensor as pt
    >>> from kl_plugins.extend import Normal
    >>> def half_log(p):
    ...     return 0.5 * p.ops.log(p.scale)
    >>> round(half_log(Normal(0.0, 4.0)), 6), half_log(Normal(0.0, pt.scalar("scale"))).type
    (0.693147, TensorType(float64, shape=()))
    """

    symbolic: bool
    """Whether the numbers are known only when a graph runs."""

    graphs: bool
    """Whether they make a graph that is differentiated and compiled later."""

    scalar: bool
    """Whether the numbers are Python floats, one at a time."""

    # Elementary and special functions of each number, after NumPy and SciPy.
    def absolute(self, x: Array, /) -> Array: ...
    def arctan(self, x: Array, /) -> Array: ...
    def betainc(self, a: Array, b: Array, x: Array, /) -> Array: ...
    def cos(self, x: Array, /) -> Array: ...
    def digamma(self, x: Array, /) -> Array: ...
    def erf(self, x: Array, /) -> Array: ...
    def erfc(self, x: Array, /) -> Array: ...
    def exp(self, x: Array, /) -> Array: ...
    def expm1(self, x: Array, /) -> Array: ...
    def floor(self, x: Array, /) -> Array: ...
    def gammainc(self, a: Array, x: Array, /) -> Array: ...
    def gammaincc(self, a: Array, x: Array, /) -> Array: ...
    def gammaln(self, x: Array, /) -> Array: ...
    def isfinite(self, x: Array, /) -> Array: ...
    def isinf(self, x: Array, /) -> Array: ...
    def isnan(self, x: Array, /) -> Array: ...
    def log(self, x: Array, /) -> Array: ...
    def log1p(self, x: Array, /) -> Array: ...
    def maximum(self, x: Array, y: Array, /) -> Array: ...
    def minimum(self, x: Array, y: Array, /) -> Array: ...
    def power(self, base: Array, exponent: Array, /) -> Array: ...
    def sign(self, x: Array, /) -> Array: ...
    def sin(self, x: Array, /) -> Array: ...
    def sqrt(self, x: Array, /) -> Array: ...
    def trigamma(self, x: Array, /) -> Array: ...

    # Truth values.
    def equal(self, x: Array, y: Array, /) -> Array: ...
    def logical_and(self, x: Array, y: Array, /) -> Array: ...
    def logical_not(self, x: Array, /) -> Array: ...
    def logical_or(self, x: Array, y: Array, /) -> Array: ...

    # Choices.
    def where(self, condition: Array, yes: Array, no: Array, /) -> Array:
        """`yes` where the condition holds, else `no`; both are computed."""

    def replace(self, value: Array, condition: Array, by: Array, /) -> Array:
        """The value, and `by` where the condition holds, which is seldom."""

    def select(self, condition: Array, yes: Function, no: Function, /, *args: Array) -> Array:
        """``yes(*args)`` where the condition holds, else ``no(*args)``, whose derivatives do not meet."""

    def pick(self, condition: Array, rare: Function, usual: Function, /, *args: Array) -> Array:
        """As `select`, with `rare` called for those numbers alone that it is for, where that can be seen."""

    def choose(self, condition: Array, rare: Function, usual: Function, /, *args: Array) -> Array:
        """As `pick`, of functions that take the operations as last argument."""

    def rarely(self, condition: Array, rare: Function, usual: Function, /, *args: Array) -> Array:
        """As `choose`, where the condition seldom holds: compiled loops leave those numbers out."""

    def elementwise(self, value: Function, gradient: Function | None, /, *args: Array) -> Array:
        """``value(*args, ops)``, whose derivatives in a graph are ``gradient(*args, ops)``."""

    # What is known, and what arrays are.
    def asarray(self, value: Any, name: str, beside: Sequence[Array] = (), /) -> Array:
        """`value` as floats of this backend, with the precision of what is `beside`; else ValueError."""

    def literal(self, value: Array, /) -> float | None:
        """The value as a float, where it is certainly one number for all."""

    def known(self, value: Array, /) -> Array | None:
        """The numbers that the value is; None where only a running graph knows them."""

    def same(self, x: Array, y: Array, /) -> bool:
        """Whether the two are certainly equal, everywhere but for NaN."""

    def inside(self, value: Array, low: float, high: float, /) -> bool:
        """Whether all numbers are certainly between the two, and so none is NaN."""

    def known_log(self, value: Array, /) -> Array | None:
        """The logarithm of what was computed from its logarithm; None where that is not known."""

    def complement(self, probability: Array, /) -> Array:
        """1 less a probability, without cancellation where the graph shows how."""

    def epsilon(self, value: Array, /) -> float:
        """The machine epsilon of the value's type."""

    def shape(self, value: Array, /) -> tuple[int | None, ...]:
        """The shape, with None for lengths that only a running graph knows."""

    def zeros_like(self, value: Array, /) -> Array:
        """Zeros in the shape of the value."""

    def zero_or_nan(self, value: Array, /) -> Array:
        """Zero, and NaN where the value is NaN; so are its derivatives."""

    def evaluate(self, formula: Function, /, *sides: Any) -> Array:
        """``formula(*sides)``, in which infinity and NaN arise silently."""

    def require(self, conditions: Conditions, /) -> None:
        """ValueError with the message of the first condition that is certainly false somewhere."""


class ArrayOperations(Operations, Protocol):
    """What formulas of vectors and matrices are written in; leading axes are of a batch, and broadcast.

    Examples
    --------
    >>> from kl_plugins import Dense
    >>> covariance = Dense([[4.0, 0.0], [0.0, 9.0]])
    >>> covariance.ops.sum_last(covariance.ops.log(covariance.ops.diagonal(covariance.factor))).round(6)
    np.float64(1.791759)
    """

    # Axes.
    def all_last(self, x: Array, /) -> Array: ...
    def all_last_two(self, x: Array, /) -> Array: ...
    def blockwise(self, function: Function, /, *args: Array) -> Array:
        """``function(*args, ops)``, one number for each member of arrays that broadcast.

        What it computes on the way may be much more: of a long batch it gets some members at a time.
        """

    def broadcast_arrays(self, *arrays: Array) -> Sequence[Array]: ...
    def broadcast_to(self, x: Array, shape: Any, /) -> Array: ...
    def matmul(self, x: Array, y: Array, /) -> Array: ...
    def square(self, x: Array, /) -> Array: ...
    def sum_last(self, x: Array, /) -> Array: ...

    def concatenate(self, parts: list[Array], /) -> Array:
        """The arrays one after the other along the last axis."""

    def expand_last(self, x: Array, /) -> Array:
        """With one more axis, the last, of length 1; a float is what it is with any number of axes."""

    def frozen(self, x: Array, /) -> Array:
        """What nobody else can write to: what is computed from it stays true."""

    def max_last(self, x: Array, /) -> Array:
        """The largest number along the last axis, NaN where one is NaN."""

    def min_first(self, x: Array, /) -> Array:
        """The smallest number along the first axis, NaN where one is NaN."""

    def runtime_shape(self, x: Array, /) -> tuple[Array, ...]:
        """The shape as a running graph knows it."""

    def steps(self, count: Array, /) -> Array:
        """0, 1, 2, …, `count` of them, which may be known to a running graph only."""

    def stop_gradient(self, x: Array, /) -> Array:
        """The value, which is not differentiated."""

    def take(self, x: Array, index: Any, /) -> Array:
        """The entries `index` of the last axis."""

    def take_along_last(self, values: Array, index: Array, /) -> Array:
        """The entries of the last axis at whole numbers, whose leading axes broadcast."""

    # Vectors and matrices.
    def add_to_diagonal(self, matrix: Array, vector: Array, like: Array) -> Array:
        """The matrix with the vector added to its diagonal; `like` is a matrix of its size, better known."""

    def all_finite(self, x: Array, core_ndim: int, /) -> Array:
        """Whether there is neither NaN nor infinity in each member, or in any, of so many axes."""

    def all_positive(self, x: Array, core_ndim: int, /) -> Array:
        """Whether all numbers of each member are positive, or of all."""

    def below_diagonal(self, matrix: Array, /) -> Array:
        """What is below the diagonal of matrices that need not be square."""

    def cholesky(self, matrix: Array, name: str, remedy: str = "", /) -> Array:
        """The lower Cholesky factor; where there is none NaN in a graph, else LinAlgError with the name.

        `remedy` is what the error says of singular matrices.
        """

    def cholesky_band(self, band: Array, name: str, remedy: str = "", /) -> Array:
        """The lower Cholesky factor of a banded matrix: entry (k, j) is that of row j + k and column j.

        Where there is none, as for `cholesky`.
        """

    def cholesky_of_root(self, root: Array, /) -> Array:
        """The lower Cholesky factor of ``root @ root.T``."""

    def covariance_recursion(self, transitions: Array, noises: Array, /) -> Array:
        """P₀, P₁, … of Pₜ₊₁ = Gₜ Pₜ Gₜᵀ + Qₜ from P₀ = 0, of so many G and symmetric Q (..., d, b, b)."""

    def diagonal(self, matrix: Array, /) -> Array: ...
    def eye_like(self, matrix: Array, /) -> Array: ...

    def flip(self, matrix: Array, /) -> Array:
        """Rows and columns in reverse order."""

    def from_diagonal(self, vector: Array, /) -> Array:
        """Diagonal matrices."""

    def inverse_lower(self, factor: Array, /) -> Array:
        """The inverse of lower triangular matrices."""

    def is_finite(self, matrix: Array, /) -> Array:
        """Whether each matrix holds neither NaN nor infinity."""

    def is_symmetric(self, matrix: Array, /) -> Array:
        """Whether each matrix is symmetric, up to √ε of the geometric mean of the two variances."""

    def lower(self, matrix: Array, like: Array) -> Array:
        """The lower triangle; `like` is a square matrix of its size, better known."""

    def of_factors(
        self,
        value: Function,
        derivatives: Sequence[Function],
        args: Sequence[Array],
        matrices: Sequence[Array | None],
        /,
    ) -> Array:
        """``value(*args)``, with its derivatives: by a matrix where an argument is its Cholesky factor."""

    def same_columns(self, left: Array, right: Array, /) -> list[Array]:
        """The two matrices, with columns of zeros appended to the one that has fewer."""

    def solve_lower(self, factor: Array, right: Array, /) -> Array:
        """``factor⁻¹ right``, `factor` lower triangular."""

    def solve_lower_band(self, band: Array, right: Array, /) -> Array:
        """``factor⁻¹ right`` of vectors; the entry (k, j) is that of the factor's row j + k and column j."""

    def solve_lower_band_transposed(self, band: Array, right: Array, /) -> Array:
        """``factor.T⁻¹ right`` of vectors, from the same band."""

    def solve_lower_transposed(self, factor: Array, right: Array, /) -> Array:
        """``factor.T⁻¹ right``, `factor` lower triangular."""

    def stack_blocks(self, blocks: list[Array], /) -> Array:
        """The block-diagonal matrix."""

    def strictly_lower(self, matrix: Array, like: Array | None = None) -> Array:
        """What is below the diagonal; `like` as for `lower`."""

    def sum_of_squares(self, matrix: Array, /) -> Array:
        """The sum of the squared entries of each matrix."""

    def sum_of_squares_last(self, vectors: Array, /) -> Array:
        """The sum of the squared entries of each vector."""

    def sum_over_rows(
        self, function: Function, vectors: list[Array], matrices: list[Array], /
    ) -> list[Array]:
        """The values of ``function(*vectors, *matrices)``, sums over the rows of matrices (..., d, k)."""

    def transpose(self, matrix: Array, /) -> Array: ...

    def triangular_ratio_squares(self, factor: Array, right: Array, near: Array, /) -> Array:
        """The sum of squares below the diagonal of ``factor⁻¹ right``, both lower triangular.

        In the columns where `near` holds, ``right - factor`` takes the place of `right`: the same below the
        diagonal, exactly zero where the two are equal, and with all its digits where they almost are.
        """


class SymbolicOperations(ArrayOperations, Protocol):
    """What only a graph needs."""

    def guard(self, value: Array, conditions: Conditions, outside: str = "inf") -> Array:
        """The value, which raises when the graph runs where a condition does not hold.

        Where PyMC compiles a log density it is `outside` instead.
        """

    def of_same_lengths(
        self, value: Array, p: Sequence[Array], q: Sequence[Array], families: tuple[str, str]
    ) -> Array:
        """A value of p, which raises when the graph runs where the event shapes of p and q differ."""
