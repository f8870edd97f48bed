"""Covariances that PyTensor graphs build of smaller matrices: diagonal plus W @ W.T, Kronecker products."""

from __future__ import annotations

from functools import reduce
from operator import add

import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.scalar.basic import Add
from pytensor.tensor.elemwise import Elemwise

from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.kronecker import Kronecker
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.ops import pytensor as ops
from kl_plugins.plugins.pytensor.covariance import covariance_of, structure_rule
from kl_plugins.plugins.pytensor.diagonal import diagonal_of
from kl_plugins.plugins.pytensor.graph import root_of, see_through
from kl_plugins.plugins.pytensor.triangular_matrices import is_lower_triangular


@structure_rule
def low_rank(matrix: Variable) -> LowRank | None:
    """A sum of one product W @ W.T and of matrices that are proved diagonal.

    Not where W is as wide as high (a triangular one, or one of known shape): a sum of that kind has no
    low rank. That the diagonal part is positive is checked when the graph runs, as LowRank demands.
    """
    roots, diagonals = [], []
    for term in _terms(matrix):
        diagonal = diagonal_of(term)
        root = root_of(see_through(term)) if diagonal is None else None
        if diagonal is None and root is None:
            return None
        roots += [] if root is None else [root]
        diagonals += [] if diagonal is None else [ops.asarray(diagonal[0], "covariance")]
    if len(roots) != 1 or not diagonals or _is_wide(roots[0]):
        return None
    root = ops.asarray(roots[0], "covariance")
    diagonal = reduce(add, diagonals)
    if ops.shape(diagonal)[-1] == 1:
        lengths = [*ops.runtime_shape(diagonal)[:-1], ops.runtime_shape(root)[-2]]
        diagonal = pt.broadcast_to(diagonal, lengths)
    return LowRank(diagonal, root)


@structure_rule
def kronecker(matrix: Variable) -> Kronecker | None:
    """The product that ``pt.linalg.kron`` makes, of matrices of known shape."""
    factors = _kronecker_factors(matrix)
    return product_of([covariance_of(x) for x in factors]) if len(factors) > 1 else None


def product_of(factors: list[Covariance]) -> Kronecker | None:
    """The Kronecker product, where the sizes of its factors are known before the graph runs."""
    if any(a.dimension is None or a.batch_shape for a in factors):
        return None
    return Kronecker(tuple(factors))


def _kronecker_factors(matrix: Variable) -> list[Variable]:
    """What a (nested) Kronecker product multiplies; a matrix that is none is its only factor."""
    matrix = see_through(matrix)
    if matrix.owner is None or type(matrix.owner.op).__name__ != "KroneckerProduct":
        return [matrix]
    return [factor for x in matrix.owner.inputs for factor in _kronecker_factors(x)]


def _terms(matrix: Variable) -> list[Variable]:
    """What a sum adds up; a matrix that is no sum is its only term."""
    matrix = see_through(matrix)
    node = matrix.owner
    if node is None or not isinstance(node.op, Elemwise) or not isinstance(node.op.scalar_op, Add):
        return [matrix]
    if diagonal_of(matrix) is not None:
        return [matrix]
    return [term for x in node.inputs for term in _terms(x)]


def _is_wide(root: Variable) -> bool:
    rows, columns = root.type.shape[-2:]
    known = rows is not None and columns is not None
    return (known and 2 * columns >= rows) or is_lower_triangular(root)
