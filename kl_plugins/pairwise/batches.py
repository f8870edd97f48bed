"""All pairs of two batches: as products of matrices where that serves, else as a long batch of pairs.

A pair has the same bits whatever it is computed together with: the size of the whole decides how
(`part_of`), products are of tiles, and everything else works on pairs that lie side by side in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kl_plugins.covariance.axis_aligned import AxisAligned
from kl_plugins.covariance.full import Full
from kl_plugins.dispatch import kl
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.stacking import make_factors, taken, with_factors
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.numpy import part_of
from kl_plugins.ops.numpy.pair_products import (
    Gaussians,
    Side,
    blocks,
    centre_of,
    sampled,
    side_of_p,
    side_of_q,
)
from kl_plugins.ops.protocol import FloatArray

_AT_ONCE = 250_000
"""Numbers of the matrices of one side that the pairs computed together may have: 2 MB."""

Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]
"""The rows and the columns of some pairs."""


class Prepared:
    """A batch with one batch dimension, or a part of one, and what its pairs share."""

    def __init__(self, made: Distribution) -> None:
        make_factors(made)
        self.made: Any = made
        self.count = int(made.batch_shape[0] or 0)

    def __reduce__(self) -> Any:
        """With the factors, which copies of distributions leave out."""
        return _restored, (self.made, [part.factor for part in _factored(self.made)])

    def arrays(self) -> list[FloatArray]:
        """The parameters and their factors."""
        held = [value for value in self.made.values() if isinstance(value, np.ndarray)]
        return held + [part.factor for part in _factored(self.made)]

    @cached_property
    def in_double(self) -> Any:
        """The same in float64, in which nothing is gained by rounding what is between inputs and result."""
        return _double(self.made)

    @cached_property
    def is_gaussian(self) -> bool:
        """Whether products of matrices may serve its pairs."""
        made = self.made
        return (
            isinstance(made, MultivariateNormal)
            and isinstance(made.covariance, Full | AxisAligned)
            and self.count > 0
        )

    def centre(self, sample: NDArray[np.intp] | None = None) -> FloatArray | None:
        """What the means of both sides are counted from, if it is q; `sample` are members to look at."""
        if not self.is_gaussian:
            return None
        means = self.in_double.mean.reshape(-1, self.in_double.mean.shape[-1])
        if len(means) > 1:
            means = means[sampled(len(means)) if sample is None else sample]
        return centre_of(means)

    def side_of_p(self, centre: FloatArray) -> Side:
        with np.errstate(all="ignore"):
            return side_of_p(_arrays(self.in_double), centre)

    def side_of_q(self, centre: FloatArray) -> Side:
        with np.errstate(all="ignore"):
            return side_of_q(_arrays(self.in_double), centre)


def _factored(made: Any) -> Iterator[Any]:
    """The parts whose factors are kept, in order."""
    for part in made.components():
        if "covariance" in part.parameters:  # which `make_factors` factors
            yield part
        yield from _factored(part)


def _restored(made: Any, factors: list[FloatArray]) -> Prepared:
    """A copy, with the factors of its matrices."""
    found = iter(factors)
    return Prepared(with_factors(made, found))


def all_pairs(p: Distribution, q: Distribution, sample: NDArray[np.intp] | None = None) -> FloatArray:
    """The divergence of every member of one batch from every member of another.

    `sample` are the members of q that say where its means are, if not those of a list.
    """
    rows = Prepared(p)
    columns = rows if q is p else Prepared(q)
    with part_of(rows.count * columns.count):
        if not share_work(rows, columns):
            return gathered_table(rows, columns)
        centre = columns.centre(sample)
        assert centre is not None
        return by_products(rows, rows.side_of_p(centre), columns, columns.side_of_q(centre))


def share_work(p: Prepared, q: Prepared) -> bool:
    """Whether the pairs are Gaussians that products of matrices serve."""
    if not (p.is_gaussian and q.is_gaussian and p.made.event_shape == q.made.event_shape):
        return False
    sides = p.made.covariance, q.made.covariance
    alike = any(all(isinstance(side, kind) for side in sides) for kind in (Full, AxisAligned))
    return alike and p.count * q.count > 1


def by_products(p: Prepared, left: Side, q: Prepared, right: Side) -> FloatArray:
    """The pairs as products of matrices, and as `kl` does those that are too close for that."""
    dtype = np.result_type(*p.made.values(), *q.made.values())
    rows, columns = p.in_double, q.in_double
    out = np.empty((p.count, q.count), dtype)
    with np.errstate(all="ignore"):
        for some, others, value, good in blocks(left, right):
            i, j = np.nonzero(~good)
            if len(i):
                value[i, j] = _gathered(rows, columns, some.start + i, others.start + j)
            out[some, others] = value
    return out


def gathered_table(p: Prepared, q: Prepared) -> FloatArray:
    """All pairs as `kl` computes batches."""
    rows, columns = p.made, q.made
    n, m = (int(side.batch_shape[0] or 0) for side in (rows, columns))
    width = max(1, min(m, _at_once(columns)))
    height = max(1, _at_once(columns) // width)
    out = None
    for i in range(0, max(n, 1), height):
        for j in range(0, max(m, 1), width):
            across, down = np.arange(j, min(j + width, m)), np.arange(i, min(i + height, n))
            value = _gathered(rows, columns, np.repeat(down, len(across)), np.tile(across, len(down)))
            if out is None:
                out = np.empty((n, m), value.dtype)
            out[i : i + height, j : j + width] = value.reshape(len(down), len(across))
    assert out is not None
    return out


def _gathered(rows: Any, columns: Any, i: NDArray[np.intp], j: NDArray[np.intp]) -> FloatArray:
    """The divergence of each of some pairs, as `kl` computes a batch of them, a few at a time."""
    return np.concatenate([_of_pairs(rows, columns, i[part], j[part]) for part in _parts(len(i), columns)])


def _of_pairs(rows: Any, columns: Any, i: NDArray[np.intp], j: NDArray[np.intp]) -> FloatArray:
    """The divergences of some pairs as a batch of at least two: one would be taken for what all share."""
    count = len(i)
    if count == 1:
        i, j = np.repeat(i, 2), np.repeat(j, 2)
    value = kl(taken(rows, i, (-1,)), taken(columns, j, (-1,)))
    return np.broadcast_to(value, len(i))[:count]


def _parts(count: int, made: Any) -> Iterator[NDArray[np.intp]]:
    """The places of `count` pairs, as many at a time as are computed together."""
    step = _at_once(made)
    for start in range(0, max(count, 1), step):
        yield np.arange(start, min(start + step, count))


def _at_once(made: Any) -> int:
    """How many pairs are computed together."""
    dimension = made.event_shape[0] if made.event_shape else 1
    return int(max(2, _AT_ONCE // max(1, dimension**2)))


def _double(made: Any) -> Any:
    """The same in float64."""
    if all(value.dtype == np.float64 for value in made.values()):
        return made
    state = made.__getstate__()
    state |= {name: state[name].astype(np.float64) for name in made.parameters}
    state |= made.parts_by(_double)
    double = made.unchecked(array_ops, **state)
    if isinstance(made, Full):
        try:
            _ = double.factor
        except np.linalg.LinAlgError:  # what float32 could factor, float64 finds not positive definite
            double = made.unchecked(array_ops, **state, factor=_factors_as_can_be(double, made))
    return double


def _factors_as_can_be(double: Any, single: Any) -> FloatArray:
    """The factors in float64 of the matrices that have one there, and in float32 of the others."""
    factors: FloatArray = single.factor.astype(np.float64)
    for i in np.ndindex(*single.batch_shape[:1]):
        one = slice(i[0], i[0] + 1)
        with suppress(np.linalg.LinAlgError):
            factors[one] = array_ops.cholesky(double.matrix()[one], "covariance")
    return factors


def _arrays(made: Any) -> Gaussians:
    """Means, covariances (or variances) and their factors (or scales), as the products take them."""
    covariance, d = made.covariance, made.event_shape[0]
    if isinstance(covariance, AxisAligned):
        scales = covariance.full_scales().reshape(-1, d)
        return Gaussians(made.mean.reshape(-1, d), scales * scales, scales)
    matrices, factors = (matrix.reshape(-1, d, d) for matrix in (covariance.matrix(), covariance.factor))
    return Gaussians(made.mean.reshape(-1, d), matrices, factors)
