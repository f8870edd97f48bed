"""Block-diagonal covariances: independent groups of variables, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kl_plugins.backends.parametrised import Shape
from kl_plugins.covariance.axis_aligned import AxisAligned
from kl_plugins.covariance.base import (
    Covariance,
    divergence_rule,
    less_where_near,
    log_det_divergence,
    log_det_divergences,
    triangular_divergence,
)
from kl_plugins.covariance.full import Dense, Full, full_full


@dataclass(frozen=True, eq=False)
class BlockDiagonal(Covariance):
    """A covariance of independent groups.

    Parameters
    ----------
    blocks : tuple of Covariance
        The covariance of each group of variables, in order; without batch dimensions.

    Raises
    ------
    ValueError
        If a block has batch dimensions or its number of variables is not known.

    Examples
    --------
    >>> from kl_plugins import BlockDiagonal, Dense, Isotropic
    >>> BlockDiagonal((Isotropic(4.0, dim=1), Dense([[2.0, 1.0], [1.0, 2.0]]))).matrix()
    array([[4., 0., 0.],
           [0., 2., 1.],
           [0., 1., 2.]])
    """

    blocks: tuple[Covariance, ...]

    def values(self) -> list[Any]:
        return [value for block in self.blocks for value in block.values()]

    def _become(self, ops: ModuleType, beside: Sequence[Any] = ()) -> None:
        self.__dict__["blocks"] = tuple(block.to(ops) for block in self.blocks)
        self.__dict__["ops"] = ops

    def conditions(self) -> Any:
        for block in self.blocks:
            yield from block.conditions()

    def check_shapes(self) -> None:
        if any(block.dimension is None or block.batch_shape for block in self.blocks):
            raise ValueError("blocks must have no batch dimensions and a known number of variables")

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(int(block.dimension or 0) for block in self.blocks)

    @property
    def dimension(self) -> int:
        return sum(self.sizes)

    @property
    def batch_shape(self) -> Shape:
        return ()

    @cached_property
    def factor(self) -> Any:
        return self.ops.stack_blocks([block.factor for block in self.blocks])

    def split(self) -> list[slice]:
        """The slice of variables of each block."""
        stops = np.cumsum(self.sizes)
        return [slice(int(stop) - size, int(stop)) for size, stop in zip(self.sizes, stops, strict=True)]

    def whiten(self, x: Any) -> Any:
        parts = zip(self.blocks, self.split(), strict=True)
        return self.ops.concatenate([block.whiten(x[..., part]) for block, part in parts])

    def log_det(self) -> Any:
        return reduce(add, [block.log_det() for block in self.blocks])

    def marginal(self, index: Any) -> Covariance:
        """Block by block where `index` takes all that it takes of one block before it goes to the next."""
        index = np.asarray(index)
        parts = self.split()
        owners = np.searchsorted([part.stop for part in parts], index, side="right")
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        order = owners[starts]
        if len(set(order)) < len(order):
            return Dense(self.ops.take_both(self.matrix(), index))
        runs = np.split(index, starts[1:])
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
        return tuple(side.marginal(np.arange(part.start, part.stop)) for part in outline.split())

    return list(zip(blocks(p), blocks(q), strict=True))


@log_det_divergences.register(
    Full, BlockDiagonal, cost="O(d² b) for blocks of b variables, after the Cholesky factor of p"
)
def full_block_diagonal(p: Full, q: BlockDiagonal) -> Any:
    """M = Lq⁻¹Lp, the rows of each block solved with that block's factor alone."""
    ops = p.ops
    total: Any = 0.0
    for block, part in zip(q.blocks, q.split(), strict=True):
        own, factor = p.factor[..., part, part], block.factor
        rest = ops.solve_lower(factor, less_where_near(own, factor, ops))
        total = total + triangular_divergence(ops.diagonal(own), ops.diagonal(factor), rest, ops)
        if part.start:
            left = ops.solve_lower(factor, p.factor[..., part, : part.start])
            total = total + 0.5 * ops.sum_of_squares(left)
    return total


def _cost(p: Covariance, q: Covariance) -> str:
    pairs = _aligned_blocks(p, q)
    if pairs is None:
        return "O(d³): the groups differ, both through Cholesky factors"
    costs = dict.fromkeys(divergence_rule(*pair).explain(*pair)[1] for pair in pairs)
    return "block by block: " + "; ".join(costs)


@log_det_divergences.register(BlockDiagonal, BlockDiagonal, cost=_cost)
@log_det_divergences.register(BlockDiagonal, AxisAligned, cost=_cost)
@log_det_divergences.register(AxisAligned, BlockDiagonal, cost=_cost)
def by_blocks(p: Covariance, q: Covariance) -> Any:
    """Sum over the groups where both sides have them; else through the whole Cholesky factors."""
    pairs = _aligned_blocks(p, q)
    if pairs is None:
        return full_full(p, q)
    return reduce(add, [log_det_divergence(*pair) for pair in pairs])
