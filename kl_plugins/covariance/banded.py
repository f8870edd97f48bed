"""Covariances given by the band of their precision matrix."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.covariance.markov import Markov
from kl_plugins.errors import Requirement
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import constant, parameter
from kl_plugins.parameters.labels import has_names
from kl_plugins.parameters.values import Value

if TYPE_CHECKING:
    from typing import overload

    from numpy.typing import ArrayLike

    from kl_plugins.parameters.values import Matrix, Symbol, Variable


class Banded(Markov[Value]):
    """A covariance whose precision matrix, its inverse, is banded: given by the diagonals of that.

    Parameters
    ----------
    precision : array_like or TensorVariable, shape (..., b + 1, d)
        The diagonals of symmetric positive definite matrices P, as `scipy.linalg.cholesky_banded` takes them:
        row b + i − j and column j hold P[i, j], i ≤ j, for b diagonals above the main one. What is outside of
        the matrix is not looked at. The covariance is P⁻¹.
    lower : bool, optional
        Whether they are those from the main one downwards: row i − j and column j hold P[i, j], i ≥ j.

    Raises
    ------
    ValueError
        If the diagonals are not finite or a whole matrix, or a graph does not know how many there are.
    TypeError
        If their dimensions have names, which do not say where a diagonal begins.
    numpy.linalg.LinAlgError
        If the matrix is not positive definite.

    See Also
    --------
    Autoregressive : the same by regressions, which keep more digits where P is nearly singular and the other
        side is not nearly equal.

    Examples
    --------
    >>> from kl_plugins import Banded
    >>> Banded([[0.0, -1.0, -1.0], [2.0, 2.0, 1.0]]).matrix().round(6)
    array([[1., 1., 1.],
           [1., 2., 2.],
           [1., 2., 3.]])
    """

    precision: Array = parameter(core_ndim=2)
    lower: bool = constant(default=False)

    if TYPE_CHECKING:

        @overload
        def __init__(self: Banded[np.float64], precision: Matrix, lower: bool = False) -> None: ...
        @overload
        def __init__(self: Banded[Symbol], precision: Variable, lower: bool = False) -> None: ...
        @overload
        def __init__(self, precision: ArrayLike, lower: bool = False) -> None: ...
        def __init__(self, precision: Any, lower: bool = False) -> None: ...

    def __post_init__(self) -> None:
        if has_names([self.precision]):
            raise TypeError("the diagonals of Banded have no named dimensions: pass precision.values")
        super().__post_init__()

    def check_shapes(self) -> None:
        shape = self.ops.shape(self.precision)
        if len(shape) < 2 or 0 in shape[-2:]:
            raise ValueError(f"precision must have shape (..., b + 1, d), got shape {shape}")
        if shape[-2] is None:
            raise ValueError(
                "precision must have a known number of diagonals: give it with pytensor.tensor.specify_shape"
            )
        if shape[-1] is not None and 2 < shape[-2] == shape[-1] and self._is_whole_matrix():
            raise ValueError(
                "precision is a whole symmetric matrix: Banded takes its diagonals as rows, shape "
                "(..., b + 1, d), of which the last is the main one, or with lower=True the first; "
                "Precision(matrix) takes the matrix"
            )
        if shape[-1] is not None and shape[-2] > shape[-1]:
            raise ValueError(
                f"precision has {shape[-2]} diagonals of {shape[-1]} variables: it must have shape "
                "(..., b + 1, d), each diagonal a row"
            )

    def _is_whole_matrix(self) -> bool:
        """Whether it is, as far as is known, a symmetric matrix, which rows of diagonals hardly ever are."""
        known = self.ops.known(self.precision)
        return known is not None and np.array_equal(known, np.swapaxes(known, -2, -1))

    def _complete(self) -> None:
        _ = self.rows

    @property
    def dimension(self) -> int | None:
        return self.ops.shape(self.precision)[-1]

    @cached_property
    def reversed_band(self) -> Array:
        """The diagonals of P with rows and columns in reverse order, from the main one downwards."""
        ops, given = self.ops, self.precision[..., ::-1]
        width = self.ops.shape(self.precision)[-2] or 0
        if not self.lower:
            diagonals = [given[..., width - 1 - k, :] for k in range(width)]
            kept = [x if k == 0 else x[..., :-k] for k, x in enumerate(diagonals)]
        else:
            kept = [given[..., k, k:] for k in range(width)]
        ends = [ops.zeros_like(given[..., 0, :k]) for k in range(width)]
        rows = [ops.concatenate([x, end])[..., None] for x, end in zip(kept, ends, strict=True)]
        return ops.transpose(ops.concatenate(rows))

    @cached_property
    def rows(self) -> Array:
        """Rows of A, P = AᵀA: entry (k, t) is A[t, t − k], shape (..., b + 1, d)."""
        main = "first" if self.lower else "last"
        taken = f", where its rows are taken as diagonals, the main one {main}"
        return self.ops.cholesky_band(self.reversed_band, "precision", taken)[..., ::-1]

    @cached_property
    def scales(self) -> Array:
        return 1.0 / self.rows[..., 0, :]

    @cached_property
    def regressions(self) -> Array:
        ops, rows = self.ops, self.rows
        return ops.below_diagonal(ops.transpose(-rows[..., 1:, :] / rows[..., :1, :]))

    def further_conditions(self) -> Conditions:
        ops, band = self.ops, self.reversed_band
        yield ops.is_finite(band), Requirement("precision", "must be finite, but holds NaN or infinity")
        if ops.symbolic:
            yield (
                ops.all_last(self.rows[..., 0, :] > 0.0),
                Requirement("precision", "must be positive definite"),
            )
