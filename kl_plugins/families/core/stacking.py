"""Distributions of one kind as a batch, and parts of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.ops import numpy as array_ops
from kl_plugins.parameters.certainty import certainly_is, is_literal
from kl_plugins.parameters.parametrised import Parametrised


def as_batch(side: Distribution | list[Distribution]) -> Distribution | None:
    """The distributions as one batch, None where they are of different kinds or cannot be stacked."""
    if not isinstance(side, list):
        return side.to(array_ops) if _kind(side) is not None else None
    kinds = {_kind(one) for one in side}
    if len(kinds) != 1 or None in kinds:
        return None
    made: Distribution = _stacked([one.to(array_ops) for one in side])
    return made if made.batch_shape else made.expand((len(side),))  # of equal numbers nothing says how many


def members(side: Distribution | list[Distribution]) -> list[Distribution]:
    """The single distributions of a side."""
    if isinstance(side, list):
        return side
    return [taken(side, slice(i, i + 1), ()) for i in range(int(side.batch_shape[0] or 0))]


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


def taken(made: Any, rows: Any, batch: tuple[int, ...]) -> Any:
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
    state |= made.parts_by(lambda part: taken(part, rows, batch))
    return made.unchecked(array_ops, **state)


def make_factors(made: Any) -> None:
    """Make the factors that the pairs share before the batch is cut up."""
    for part in made.components():
        if "covariance" in part.parameters:
            _ = part.factor
        make_factors(part)


def with_factors(made: Any, factors: Iterator[Any]) -> Any:
    """The same with the next of the factors that `make_factors` made of it."""
    state = made.__getstate__() | made.parts_by(lambda part: _with_factor(part, factors))
    return made.unchecked(made.ops, **state)


def _with_factor(part: Any, factors: Iterator[Any]) -> Any:
    state = part.__getstate__()
    if "covariance" in part.parameters:
        state["factor"] = next(factors)
    return part.unchecked(part.ops, **state | part.parts_by(lambda one: _with_factor(one, factors)))
