"""Covariances given by eigenvalues and eigenvectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from kl_plugins.covariance.axis_aligned import positive_and_finite
from kl_plugins.covariance.base import square_dimension
from kl_plugins.covariance.full import Full


@dataclass(frozen=True, eq=False)
class Eigendecomposition(Full):
    """A covariance V diag(w) Vᵀ; its Cholesky factor comes from V√w by one QR factorisation.

    Parameters
    ----------
    eigenvalues : array_like, shape (..., d)
    eigenvectors : array_like, shape (..., d, d)
        Orthonormal eigenvectors as columns.
    """

    eigenvalues: Any
    eigenvectors: Any
    arrays: ClassVar[tuple[str, ...]] = ("eigenvalues", "eigenvectors")
    core_ndims: ClassVar[tuple[int, ...]] = (1, 2)

    def check_shapes(self) -> None:
        square_dimension(self.eigenvectors, "eigenvectors", self.ops)

    def own_conditions(self) -> Iterator[tuple[Any, str]]:
        yield from positive_and_finite(self.eigenvalues, "eigenvalues", self.ops)
        finite = self.ops.all_last_two(self.ops.isfinite(self.eigenvectors))
        yield finite, "eigenvectors must be finite, but hold NaN or infinity"

    @cached_property
    def factor(self) -> Any:
        scales = self.ops.sqrt(self.eigenvalues)
        return self.ops.cholesky_of_root(self.eigenvectors * scales[..., None, :])

    def log_det(self) -> Any:
        return self.ops.sum_last(self.ops.log(self.eigenvalues))
