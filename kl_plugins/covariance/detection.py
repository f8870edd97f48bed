"""Which structure a covariance matrix has, found in its entries by exact comparison."""

from __future__ import annotations

import numpy as np

from kl_plugins.covariance.axis_aligned import AxisAligned, Diagonal, Isotropic
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.full import Dense
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.protocol import FloatArray


def from_matrix(matrix: FloatArray) -> Covariance:
    """Isotropic, Diagonal or Dense: the most special structure that the entries have exactly."""
    square = matrix.ndim >= 2 and matrix.shape[-1] == matrix.shape[-2]
    if square and np.count_nonzero(matrix) == np.count_nonzero(diagonal := _diagonal(matrix)):
        return from_variances(diagonal)
    return Dense(matrix)


def from_variances(variances: FloatArray) -> AxisAligned:
    """Isotropic where the variances of each distribution are all equal, else Diagonal.

    A singular covariance of rank 0 has none at all.
    """
    first = variances[..., :1]
    if variances.shape[-1] and (variances == first).all():
        return Isotropic(first[..., 0], dim=variances.shape[-1])
    return Diagonal(variances) if variances.size else Diagonal.unchecked(array_ops, variances=variances)


def _diagonal(matrix: FloatArray) -> FloatArray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)
