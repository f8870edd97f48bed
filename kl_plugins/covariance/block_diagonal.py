"""Block-diagonal covariances: independent groups of variables, one after another."""

from __future__ import annotations

from functools import cached_property, reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kl_plugins.covariance.axis_aligned import AxisAligned
from kl_plugins.covariance.base import (
    Covariance,
    divergence_rule,
    less_where_near,
    log_det_divergence,
    log_det_divergences,
    submatrices,
    triangular_divergence,
)
from kl_plugins.covariance.composite import Composite
from kl_plugins.covariance.full import Dense, Full, full_full
from kl_plugins.covariance.precision import Precision
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import part
from kl_plugins.parameters.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import overload

    from numpy.typing import ArrayLike


class BlockDiagonal(Composite[Value]):
    """A covariance of independent groups.

    Parameters
    ----------
    blocks : tuple of Covariance
        The covariance of each group of variables, in order; their batch dimensions broadcast. A bare array of
        shape (..., dᵢ, dᵢ) is taken as `Dense`.

    Raises
    ------
    ValueError
        If the number of variables of a block is not known, or batch shapes do not broadcast.

    Examples
    --------
    >>> from kl_plugins import BlockDiagonal, Dense, Isotropic
    >>> BlockDiagonal((Isotropic(4.0, dim=1), Dense([[2.0, 1.0], [1.0, 2.0]]))).matrix()
    array([[4., 0., 0.],
           [0., 2., 1.],
           [0., 1., 2.]])
    """

    blocks: tuple[Covariance[Value], ...] = part()

    if TYPE_CHECKING:

        @overload
        def __init__(self, blocks: Iterable[Covariance[Value]]) -> None: ...
        @overload
        def __init__(self, blocks: Iterable[Covariance | ArrayLike]) -> None: ...
        def __init__(self, blocks: Any) -> None: ...

    @property
    def dimension(self) -> int:
        return sum(self.sizes)

    @cached_property
    def factor(self) -> Array:
        return self.ops.stack_blocks([block.factor for block in self.blocks])

    def matrix(self) -> Array:
        return self.ops.stack_blocks([block.matrix() for block in self.blocks])

    def split(self) -> list[slice]:
        """The slice of variables of each block."""
        stops = np.cumsum(self.sizes)
        return [slice(int(stop) - size, int(stop)) for size, stop in zip(self.sizes, stops, strict=True)]

    def whiten_columns(self, x: Array) -> Array:
        ops, parts = self.ops, zip(self.blocks, self.split(), strict=True)
        rows = [ops.transpose(block.whiten_columns(x[..., span, :])) for block, span in parts]
        if self.batch_shape:
            common = ops.zeros_like(reduce(add, [row[..., :1] for row in rows]))
            rows = [row + common for row in rows]
        return ops.transpose(ops.concatenate(rows))

    def quadratic_form(self, x: Array) -> Array:
        parts = zip(self.blocks, self.split(), strict=True)
        return reduce(add, [block.quadratic_form(x[..., span]) for block, span in parts])

    def log_det(self) -> Array:
        return reduce(add, [block.log_det() for block in self.blocks])

    def marginal(self, index: Array) -> Covariance:
        """Block by block where `index` takes all that it takes of one block before it goes to the next."""
        taken: NDArray[np.intp] = np.asarray(index)
        parts = self.split()
        owners = np.searchsorted([span.stop for span in parts], taken, side="right")
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        order = owners[starts]
        if len(set(order)) < len(order):
            return Dense(submatrices(self.matrix(), taken, self.ops))
        runs = np.split(taken, starts[1:])
        blocks = [_taken(self.blocks[i], run - parts[i].start) for i, run in zip(order, runs, strict=True)]
        return blocks[0] if len(blocks) == 1 else BlockDiagonal(tuple(blocks))


def _taken(block: Covariance, index: NDArray[np.intp]) -> Covariance:
    return block if np.array_equal(index, np.arange(block.dimension or 0)) else block.marginal(index)


def _aligned_blocks(p: Covariance, q: Covariance) -> list[tuple[Covariance, Covariance]] | None:
    """Pairs of blocks where the two agree on the groups; None where they do not."""
    if isinstance(p, BlockDiagonal) and isinstance(q, BlockDiagonal):
        return list(zip(p.blocks, q.blocks, strict=True)) if p.sizes == q.sizes else None
    outline = p if isinstance(p, BlockDiagonal) else q
    assert isinstance(outline, BlockDiagonal)

    def blocks(side: Covariance) -> tuple[Covariance, ...]:
        if isinstance(side, BlockDiagonal):
            return side.blocks
        return tuple(side.marginal(np.arange(span.start, span.stop)) for span in outline.split())

    return list(zip(blocks(p), blocks(q), strict=True))


@log_det_divergences.register(
    Covariance, BlockDiagonal, cost="O(d² b) for blocks of b variables, after the Cholesky factor of p"
)
def any_block_diagonal(p: Covariance, q: BlockDiagonal) -> Array:
    """M = Lq⁻¹Lp, the rows of each block solved with that block's factor alone."""
    ops = p.ops
    total: Array = 0.0
    for block, span in zip(q.blocks, q.split(), strict=True):
        own, factor = p.factor[..., span, span], block.factor
        rest = ops.solve_lower(factor, less_where_near(own, factor, ops))
        total = total + triangular_divergence(ops.diagonal(own), ops.diagonal(factor), rest, ops)
        if span.start:
            left = ops.solve_lower(factor, p.factor[..., span, : span.start])
            total = total + 0.5 * ops.sum_of_squares(left)
    return total


def _inverse_cost(p: Covariance, q: Covariance) -> str:
    if p.ops.symbolic:
        return "O(d³): in a graph, both through Cholesky factors"
    return "O(d² b) for blocks of b variables, after q's Cholesky factor and its inverse"


@log_det_divergences.register(BlockDiagonal, Full, cost=_inverse_cost)
@log_det_divergences.register(BlockDiagonal, Precision, cost=_inverse_cost)
def block_diagonal_full(p: BlockDiagonal, q: Full | Precision) -> Array:
    """M = Lq⁻¹Lp, its columns of each block from that block's factor alone; a precision has Lq⁻¹ = Uqᵀ."""
    if p.ops.symbolic:
        return full_full(p, q)
    ops = p.ops
    total = _below_blocks(p, q.inverse_factor)
    for block, span in zip(p.blocks, p.split(), strict=True):
        factor = block.factor
        if isinstance(q, Precision):
            own = q.inverse_factor[..., span, span]
            q_diagonal, rest = 1.0 / ops.diagonal(own), ops.matmul(own, factor)
        else:
            own = q.factor[..., span, span]
            q_diagonal, rest = ops.diagonal(own), ops.solve_lower(own, less_where_near(factor, own, ops))
        total = total + triangular_divergence(ops.diagonal(factor), q_diagonal, rest, ops)
    return total


def _below_blocks(p: BlockDiagonal, inverse: Array) -> Array:
    """½ Σ Mᵢⱼ² over the entries below the blocks of p."""
    total: Array = 0.0
    for block, span in zip(p.blocks[:-1], p.split()[:-1], strict=True):
        below = p.ops.matmul(inverse[..., span.stop :, span], block.factor)
        total = total + 0.5 * p.ops.sum_of_squares(below)
    return total


def _cost(p: Covariance, q: Covariance) -> str:
    pairs = _aligned_blocks(p, q)
    if pairs is None:
        return "O(d² b) for blocks of b variables: the groups differ"
    costs = dict.fromkeys(divergence_rule(*pair).explain(*pair)[1] for pair in pairs)
    return "block by block: " + "; ".join(costs)


@log_det_divergences.register(BlockDiagonal, BlockDiagonal, cost=_cost)
@log_det_divergences.register(BlockDiagonal, AxisAligned, cost=_cost)
@log_det_divergences.register(AxisAligned, BlockDiagonal, cost=_cost)
def by_blocks(p: Covariance, q: Covariance) -> Array:
    """Sum over the groups where both sides have them; else by q's blocks, of p's whole factor."""
    pairs = _aligned_blocks(p, q)
    if pairs is None:
        assert isinstance(q, BlockDiagonal)
        return any_block_diagonal(p, q)
    return reduce(add, [log_det_divergence(*pair) for pair in pairs])
