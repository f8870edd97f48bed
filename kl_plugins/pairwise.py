"""Divergences between all pairs of two collections of distributions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any

import numpy as np

from kl_plugins.covariance.axis_aligned import AxisAligned
from kl_plugins.covariance.full import Full
from kl_plugins.dispatch import kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.matching import own_rule, recognised, told_of
from kl_plugins.mistakes import numbers_in
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.numpy.pair_products import Gaussians, blocks
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.parameters.certainty import certainly_is, is_literal
from kl_plugins.parameters.parametrised import Parametrised
from kl_plugins.recognition import as_written, load_plugins_of, recognise, representative

_AT_ONCE = 1_000_000
"""Numbers of a triangular solution that the pairs computed together may have: 8 MB."""

_FEW = 0.25
"""Up to this part of a block's pairs are gathered to be computed one by one; else all of them are."""


def pairwise_kl(ps: object, qs: object = None) -> FloatArray:
    """KL divergence, in nats, of every one of N distributions from every one of M.

    Parameters
    ----------
    ps : iterable of distributions, or one distribution of batch shape (N,)
        As in `kl`; numbers, not graphs. A list, a pandas Series, the values of a dictionary, a generator.
    qs : the same, optional
        By default `ps` itself.

    Returns
    -------
    numpy.ndarray, shape (N, M)
        Entry (i, j) is the divergence of ``ps[i]`` from ``qs[j]``, exactly 0.0 where the two are equal.

    Raises
    ------
    TypeError
        If a distribution is not understood, or is symbolic; of a dictionary pass ``d.values()``.
    ValueError
        If a member of a sequence is a batch, or a single distribution does not have one batch dimension.
    ValueError, numpy.linalg.LinAlgError, NoClosedFormError
        As `kl` does; of a pair the message says the row and the column.

    Notes
    -----
    Each distribution is recognised, checked and factored once. Those of one family and structure are
    stacked, and the pairs computed as batches; what differs in kind is computed pair by pair, and so is what
    has a closed form of its own by `register_kl`.

    Gaussians of d variables, both sides with full covariances or both with diagonal ones, take O(d²) or
    O(d) for a pair, in one matrix product for many pairs. Its rounding error is estimated for each pair;
    pairs that are too close to each other for it, equal ones among them, are computed as `kl` does.
    Beside inputs, their factors and the result, memory does not depend on the number of pairs.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import pairwise_kl
    >>> pairwise_kl([stats.norm(0, 1), stats.norm(1, 1), stats.norm(3, 1)])
    array([[0. , 0.5, 4.5],
           [0.5, 0. , 2. ],
           [4.5, 2. , 0. ]])
    """
    ps = _listed(ps)
    qs = ps if qs is None else _listed(qs)
    if _have_own_rules(ps, qs):
        return _one_by_one(_objects(ps, "ps"), _objects(qs, "qs"), ps, qs)
    left = _collected(ps, "ps")
    right = left if qs is ps else _collected(qs, "qs")
    rows, columns = _as_batch(left), _as_batch(right)
    if rows is not None and columns is not None:
        with suppress(NoClosedFormError):  # of a batch, which may not be that of each pair
            return _all_pairs(rows, columns)
    return _one_by_one(_members(left), _members(right), ps, qs)


def _one_by_one(ps: Sequence[object], qs: Sequence[object], given_ps: object, given_qs: object) -> FloatArray:
    """The divergence of each pair by itself, as `kl` computes it; errors name the pair as it was given."""
    values: list[list[Any]] = []
    for i, p in enumerate(ps):
        values.append([])
        for j, q in enumerate(qs):
            try:
                values[i].append(kl(p, q))
            except (TypeError, ValueError, NoClosedFormError) as error:
                names = [_name(side, k) for side, k in ((given_ps, i), (given_qs, j))]
                told = told_of(error, f"row {i}, {names[0]}, and column {j}, {names[1]}")
                if told is error:
                    raise
                raise told from error
    return np.asarray(values, dtype=None if values and values[0] else float).reshape(len(ps), len(qs))


def _have_own_rules(ps: object, qs: object) -> bool:
    """Whether a closed form is registered for the objects' own classes, which need not be recognised."""
    left, right = _of_each_class(ps), _of_each_class(qs)
    return any(own_rule(p, q) is not None for p in left for q in right)


def _of_each_class(side: object) -> list[object]:
    """One object of each class, a class being what rules are registered for."""
    members = side if isinstance(side, Sequence) else [side]
    for one in members:
        load_plugins_of(type(one))
    return list({type(representative(one)): one for one in members}.values())


def _objects(side: Any, name: str) -> Sequence[object]:
    """The objects of a side as they were given; of a batch its members."""
    return side if isinstance(side, Sequence) else _members(_collected(side, name))


def _name(side: Any, index: int) -> str:
    """What the caller would call a member of a side."""
    return as_written(side[index] if isinstance(side, Sequence) else side)


def _listed(side: Any) -> Any:
    """What can be gone through as a list; sequences, distributions, and tables of data as they are."""
    if (
        isinstance(side, Sequence | Mapping)
        or not isinstance(side, Iterable)
        or getattr(side, "ndim", 1) != 1
    ):
        return side
    load_plugins_of(type(side))  # a distribution may be iterable, as the variables of PyTensor are
    return side if recognise.knows(type(side)) else list(side)


def _collected(side: Any, name: str) -> Distribution | list[Distribution]:
    """One batch, or a list of single distributions; all of them recognised."""
    single = not isinstance(side, Sequence)
    if not single and (told := numbers_in(side)):
        raise TypeError(f"{name}: {told}")
    names = [name] if single else [f"{name}[{i}]" for i in range(len(side))]
    made = [recognised(*one) for one in zip([side] if single else side, names, strict=True)]
    for which, one in zip(names, made, strict=True):
        if one.ops.symbolic:
            raise TypeError(f"{which}: pairwise_kl takes numbers, not graphs; kl takes a batch of either")
        if len(one.batch_shape) != single:
            raise ValueError(
                f"{which}: pairwise_kl takes one distribution with one batch dimension or a sequence of "
                f"distributions without any, got {one.describe()} with batch shape {one.batch_shape}"
            )
    return made[0] if single else made


def _members(side: Distribution | list[Distribution]) -> list[Distribution]:
    """The single distributions of a side."""
    if isinstance(side, list):
        return side
    return [_reshaped(side, slice(i, i + 1), ()) for i in range(int(side.batch_shape[0] or 0))]


def _as_batch(side: Distribution | list[Distribution]) -> Distribution | None:
    """The distributions as one batch, None where they are of different kinds or cannot be stacked."""
    if not isinstance(side, list):
        return side.to(array_ops) if _kind(side) is not None else None
    kinds = {_kind(one) for one in side}
    return _stacked([one.to(array_ops) for one in side]) if len(kinds) == 1 and None not in kinds else None


def _kind(made: Parametrised) -> Any:
    """What has to agree for distributions to be stacked; None where they cannot be."""
    names = [field.name for field in fields(made)]  # type: ignore[arg-type]
    parts = [_kind(part) for part in made.components()]
    rest = [getattr(made, name) for name in names if name not in (*made.parameters, *made.parts)]
    if isinstance(made, Univariate):
        rest += [made.sign, made.batch_shape]
    if None in parts:
        return None
    arrays = [(getattr(made, name), core) for name, core in made.cores()]
    cores = [np.shape(array)[np.ndim(array) - core :] if core else () for array, core in arrays]
    return type(made), *cores, *parts, *rest


def _stacked(members: Sequence[Any]) -> Any:
    """Distributions of one kind as a batch, with the Cholesky factors that they have already."""
    first = members[0]
    state = first.__getstate__()
    for name, core in first.cores():
        state[name] = _values_of_all(members, name, core)
    groups = zip(*[one.components() for one in members], strict=True)
    state |= first.parts_by(lambda part: _stacked(next(groups)))
    if "factor" in vars(first) and "factor" not in first.parameters:
        state["factor"] = np.stack([one.factor for one in members])
    return first.unchecked(array_ops, **state)


def _values_of_all(members: Sequence[Any], name: str, core: int) -> Any:
    """One parameter of all members: a number that is theirs in common stays one."""
    values = [getattr(one, name) for one in members]
    if all(certainly_is(value, values[0]) for value in values):
        return values[0]
    shapes = [
        one.batch_shape + np.shape(value)[np.ndim(value) - core :]
        for one, value in zip(members, values, strict=True)
    ]
    return np.stack([np.broadcast_to(value, shape) for value, shape in zip(values, shapes, strict=True)])


def _reshaped(made: Any, rows: Any, batch: tuple[int, ...]) -> Any:
    """The distributions `rows` (a slice or indices) of a batch, with the batch shape `batch`."""
    state = made.__getstate__()
    cores = dict(made.cores())
    if "factor" in vars(made):
        state["factor"], cores["factor"] = made.factor, 2
    for name, core in cores.items():
        array = state[name]
        if not is_literal(array) and array.ndim - core == len(made.batch_shape) > 0:  # else all share it
            part = array if array.shape[0] == 1 else array[rows]
            state[name] = part.reshape(batch + part.shape[1:])
    state |= made.parts_by(lambda part: _reshaped(part, rows, batch))
    return made.unchecked(array_ops, **state)


def _all_pairs(rows: object, columns: object) -> FloatArray:
    """The divergence of every member of one batch from every member of another."""
    for side in (rows, columns):
        _factor_parts(side)
    if _share_work(rows, columns):
        try:
            return _by_products(rows, columns)
        except np.linalg.LinAlgError:  # what float32 could factor, float64 finds not positive definite
            pass
    return _as_kl(rows, columns)


def _share_work(p: object, q: object) -> bool:
    """Whether the pairs are Gaussians that products of matrices serve."""
    if not (isinstance(p, MultivariateNormal) and isinstance(q, MultivariateNormal)):
        return False
    if p.event_shape != q.event_shape or 0 in (*p.batch_shape, *q.batch_shape):
        return False
    sides = p.covariance, q.covariance
    alike = any(all(isinstance(side, kind) for side in sides) for kind in (Full, AxisAligned))
    return alike and any(side.batch_shape not in ((), (1,)) for side in sides)


def _by_products(rows: Any, columns: Any) -> FloatArray:
    """The pairs as products of matrices, and as `kl` does those that are too close for that."""
    dtype = np.result_type(*rows.values(), *columns.values())
    rows, columns = _double(rows), _double(columns)
    out = np.empty((rows.batch_shape[0], columns.batch_shape[0]), dtype)
    with np.errstate(all="ignore"):
        for some, others, value, good in blocks(_arrays(rows), _arrays(columns)):
            bad = np.nonzero(~good)
            if len(bad[0]) > _FEW * good.size:
                p, q = (_reshaped(side, part, (-1,)) for side, part in ((rows, some), (columns, others)))
                value = _as_kl(p, q)
            else:
                for part in _parts(len(bad[0]), columns):
                    i, j = bad[0][part], bad[1][part]
                    p, q = _reshaped(rows, some.start + i, (-1,)), _reshaped(columns, others.start + j, (-1,))
                    value[i, j] = kl(p, q)
            out[some, others] = value
    return out


def _double(made: Any) -> Any:
    """The same in float64, in which nothing is gained by rounding what is between inputs and result."""
    if all(value.dtype == np.float64 for value in made.values()):
        return made
    state = made.__getstate__()
    state |= {name: state[name].astype(np.float64) for name in made.parameters}
    state |= made.parts_by(_double)
    return made.unchecked(array_ops, **state)


def _arrays(made: Any) -> Gaussians:
    """Means, covariances (or variances) and their factors (or scales), as the products take them."""
    covariance, d = made.covariance, made.event_shape[0]
    if isinstance(covariance, AxisAligned):
        scales = covariance.full_scales().reshape(-1, d)
        return Gaussians(made.mean.reshape(-1, d), scales * scales, scales)
    matrices, factors = (matrix.reshape(-1, d, d) for matrix in (covariance.matrix(), covariance.factor))
    return Gaussians(made.mean.reshape(-1, d), matrices, factors)


def _as_kl(rows: Any, columns: Any) -> FloatArray:
    """All pairs as `kl` computes batches, a few rows at a time."""
    parts = _parts(int(rows.batch_shape[0]), columns, int(columns.batch_shape[0])) or [slice(0, 0)]
    return np.concatenate([kl(_reshaped(rows, part, (-1, 1)), columns) for part in parts])


def _parts(count: int, made: Any, width: int = 1) -> list[slice]:
    """Slices of `count` rows of `width` pairs each, as many as are computed together."""
    dimension = made.event_shape[0] if made.event_shape else 1
    step = max(1, _AT_ONCE // max(1, width * dimension**2))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _factor_parts(made: Any) -> None:
    """Make the factors that the pairs share before the batch is cut up."""
    for part in made.components():
        if "covariance" in part.parameters:
            _ = part.factor
        _factor_parts(part)
