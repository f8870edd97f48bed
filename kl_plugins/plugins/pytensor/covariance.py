"""Structure of a covariance matrix read off its PyTensor graph: what the graph proves, and no more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pytensor.graph.basic import Variable
from pytensor.tensor.variable import TensorConstant

from kl_plugins.covariance.axis_aligned import Diagonal, Isotropic
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.detection import from_matrix
from kl_plugins.covariance.full import Cholesky, Dense
from kl_plugins.covariance.precision import Precision
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array
from kl_plugins.plugins.pytensor.diagonal import diagonal_of
from kl_plugins.plugins.pytensor.graph import (
    DIAGONAL,
    holds,
    input_of,
    root_of,
    see_through,
)
from kl_plugins.plugins.pytensor.triangular_matrices import is_lower_triangular

StructureRule = Callable[[Variable], Covariance | None]
structure_rules: list[StructureRule] = []
"""Tried in turn on a matrix of which the operations prove nothing simpler."""


def covariance_of(matrix: Variable) -> Covariance:
    """The covariance whose matrix is the variable `matrix`, with the structure that is proved."""
    known_diagonal = holds(DIAGONAL, matrix)  # may be an assumption that see_through leaves behind
    matrix = see_through(matrix)
    if isinstance(matrix, TensorConstant):
        return from_matrix(np.asarray(ops.asarray(matrix, "covariance").data)).to(ops)
    variances = diagonal_of(matrix)
    if variances is not None:
        return _axis_aligned(*variances)
    if known_diagonal:
        return Diagonal(ops.diagonal(matrix))
    inverted = input_of(matrix, "MatrixInverse")
    if inverted is not None:
        return _inverse_of(inverted)
    factor = root_of(matrix)
    if factor is not None and is_lower_triangular(factor) and not _is_tall(factor):
        return Cholesky(_square(ops.asarray(factor, "factor")))
    found = (rule(matrix) for rule in structure_rules)
    return next((made for made in found if made is not None), None) or Dense(matrix)


def structure_rule(rule: StructureRule) -> StructureRule:
    """Add a rule that reads one more structure off a matrix, or returns None where it is not there."""
    structure_rules.append(rule)
    return rule


def _axis_aligned(variances: Variable, dim: Array) -> Covariance:
    variances = ops.asarray(variances, "covariance")
    if variances.type.shape[-1] == 1:
        return Isotropic(variances[..., 0], dim)
    return Diagonal(variances)


def _is_tall(factor: Variable) -> bool:
    rows, columns = factor.type.shape[-2:]
    return None not in (rows, columns) and rows > columns


def _square(factor: Variable) -> Variable:
    """A lower triangular root without the columns, all zero, by which it may be wider than high."""
    rows, columns = factor.type.shape[-2:]
    return factor if rows is not None and rows == columns else factor[..., : factor.shape[-2]]


def _inverse_of(matrix: Variable) -> Covariance:
    """The covariance whose precision matrix is the variable `matrix`."""
    precision = covariance_of(matrix)
    if isinstance(precision, Isotropic):
        return Isotropic(1.0 / precision.variance, precision.dim)
    if isinstance(precision, Diagonal):
        return Diagonal(1.0 / precision.variances)
    return Precision(matrix)
