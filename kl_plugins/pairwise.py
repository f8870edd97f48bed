"""Divergences between all pairs of two collections of distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kl_plugins.backends import numpy as array_ops
from kl_plugins.backends.parametrised import Parametrised
from kl_plugins.dispatch import kl
from kl_plugins.families.distribution import Distribution
from kl_plugins.matching import recognised

_AT_ONCE = 4_000_000
"""Numbers of a triangular solution that the pairs computed together may have: 32 MB."""


def pairwise_kl(ps: Any, qs: Any = None) -> NDArray[Any]:
    """KL divergence, in nats, of every one of N distributions from every one of M.

    Parameters
    ----------
    ps : sequence of distributions, or one distribution of batch shape (N,)
        As in `kl`; numbers, not graphs.
    qs : the same, optional
        By default `ps` itself.

    Returns
    -------
    numpy.ndarray, shape (N, M)
        Entry (i, j) is the divergence of ``ps[i]`` from ``qs[j]``, exactly 0.0 where the two are equal.

    Raises
    ------
    TypeError
        If a distribution is not understood, or is symbolic.
    ValueError
        If a member of a sequence is a batch, or a single distribution does not have one batch dimension.
    ValueError, numpy.linalg.LinAlgError, NoClosedFormError
        As `kl` does.

    Notes
    -----
    Each distribution is recognised, checked and factored once. Those of one family and structure are
    stacked, and the pairs computed as batches; what differs in kind is computed pair by pair.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import pairwise_kl
    >>> pairwise_kl([stats.norm(0, 1), stats.norm(1, 1), stats.norm(3, 1)])
    array([[0. , 0.5, 4.5],
           [0.5, 0. , 2. ],
           [4.5, 2. , 0. ]])
    """
    left = _collected(ps, "p")
    right = left if qs is None or qs is ps else _collected(qs, "q")
    rows, columns = _as_batch(left), _as_batch(right)
    if rows is not None and columns is not None:
        return _all_pairs(rows, columns)
    values = [[kl(p, q) for q in _members(right)] for p in _members(left)]
    return np.asarray(values, dtype=None if values and values[0] else float).reshape(
        _count(left), _count(right)
    )


def _collected(side: Any, name: str) -> Distribution | list[Distribution]:
    """One batch, or a list of single distributions; all of them recognised."""
    single = not isinstance(side, Sequence)
    made = [recognised(one, name) for one in ([side] if single else side)]
    for one in made:
        if one.ops.symbolic:
            raise TypeError(f"{name}: pairwise_kl takes numbers, not graphs; kl takes a batch of either")
        if len(one.batch_shape) != single:
            raise ValueError(
                f"{name}: pairwise_kl takes one distribution with one batch dimension or a sequence of "
                f"distributions without any, got {one.describe()} with batch shape {one.batch_shape}"
            )
    return made[0] if single else made


def _count(side: Distribution | list[Distribution]) -> int:
    return len(side) if isinstance(side, list) else int(side.batch_shape[0] or 0)


def _members(side: Distribution | list[Distribution]) -> list[Distribution]:
    if isinstance(side, list):
        return side
    return [_reshaped(side, slice(i, i + 1), ()) for i in range(_count(side))]


def _as_batch(side: Distribution | list[Distribution]) -> Distribution | None:
    """The distributions as one batch, None where they are of different kinds or cannot be stacked."""
    if not isinstance(side, list):
        return side.to(array_ops) if _kind(side) is not None else None
    kinds = {_kind(one) for one in side}
    return _stacked([one.to(array_ops) for one in side]) if len(kinds) == 1 and None not in kinds else None


def _kind(made: Parametrised) -> Any:
    """What has to agree for distributions to be stacked; None where they cannot be."""
    state = made.__dict__
    names = [field.name for field in fields(made)]  # type: ignore[arg-type]
    parts = [_kind(state[name]) for name in made.parts]
    rest = [state[name] for name in names if name not in (*made.arrays, *made.parts)]
    if len(made.core_ndims) != len(made.arrays) or None in parts:
        return None
    cores = [
        np.shape(state[name])[np.ndim(state[name]) - core :] if core else () for name, core in made.cores()
    ]
    return type(made), *cores, *parts, *rest


def _stacked(members: Sequence[Any]) -> Any:
    first = members[0]
    state = dict(first.__dict__)
    for name, _ in first.cores():
        state[name] = np.stack([one.__dict__[name] for one in members])
    for name in first.parts:
        state[name] = _stacked([one.__dict__[name] for one in members])
    if "factor" in state and "factor" not in first.arrays:
        state["factor"] = np.stack([one.factor for one in members])
    return _trusted(first, state)


def _reshaped(made: Any, rows: slice, batch: tuple[int, ...]) -> Any:
    """The distributions `rows` of a batch, with the batch shape `batch`."""
    state = dict(made.__dict__)
    cores = dict(made.cores())
    if "factor" in state:
        cores["factor"] = 2
    for name, core in cores.items():
        array = state[name]
        if array.ndim > core:  # else all distributions share it
            part = array if array.shape[0] == 1 else array[rows]
            shape = batch if prod(batch) == len(part) else (1,) * len(batch)
            state[name] = part.reshape(shape + part.shape[1:])
    for name in made.parts:
        state[name] = _reshaped(state[name], rows, batch)
    return _trusted(made, state)


def _trusted(made: Any, state: dict[str, Any]) -> Any:
    names = {field.name for field in fields(made)} | {"factor"}
    kept = {name: value for name, value in state.items() if name in names}
    return made.trusted(array_ops, **kept)


def _all_pairs(rows: Any, columns: Any) -> NDArray[Any]:
    count = int(rows.batch_shape[0])
    for side in (rows, columns):
        _factor_parts(side)
    dimension = rows.event_shape[0] if rows.event_shape else 1
    step = max(1, _AT_ONCE // max(1, int(columns.batch_shape[0]) * dimension**2))
    parts = [slice(start, min(start + step, count)) for start in range(0, count, step)] or [slice(0, 0)]
    return np.concatenate([kl(_reshaped(rows, part, (part.stop - part.start, 1)), columns) for part in parts])


def _factor_parts(made: Any) -> None:
    """Make the factors that the pairs share before the batch is cut up."""
    for name in made.parts:
        part = made.__dict__[name]
        if "covariance" in part.arrays:
            _ = part.factor
