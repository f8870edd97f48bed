"""Components of mixtures, in groups along the last batch axis; and what holds of pairs of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.ops import array_backend_of
from kl_plugins.ops.protocol import Array, ArrayOperations
from kl_plugins.parameters.certainty import is_literal
from kl_plugins.parameters.parametrised import Parametrised

Groups = Sequence[Distribution]
"""Each a batch of components along its last axis."""


def as_group(component: Distribution) -> Distribution:
    """A single distribution, or a batch of such, as a group of one component."""
    if component.ops.scalar:
        component = component.to_arrays()
    if not component.batch_shape:
        return component.to(array_backend_of(*component.values())).expand((1,))
    made: Distribution = with_axis(component, -1)
    return made


def with_axis(made: Any, place: int) -> Any:
    """The same with a batch axis of length 1 at a place counted from the end: −1 is that of the last one."""

    def of_array(value: Array, core: int) -> Array:
        batch = 0 if is_literal(value) else len(made.ops.shape(value)) - core
        if is_literal(value) or (place != -1 and batch < -place):
            return value
        before = (slice(None),) * (batch + place + 1)
        return value[(*before, None)]

    state = made.__getstate__() | made.parts_by(lambda part: with_axis(part, place))
    state |= {name: of_array(state[name], core) for name, core in made.cores()}
    return made.unchecked(made.ops, **state, is_checked=made.is_checked, inside=made.inside)


def rows_of(made: Any, rows: Any) -> Any:
    """Those components of a group, a slice of its last batch axis."""

    def of_array(value: Array, core: int) -> Array:
        if is_literal(value) or len(made.ops.shape(value)) <= core:
            return value
        axis = len(made.ops.shape(value)) - core - 1
        alike = made.ops.shape(value)[axis] == 1
        return value if alike else value[(slice(None),) * axis + (rows,)]

    def of_part(part: Parametrised) -> Any:
        return rows_of(part, rows)

    state = made.__getstate__() | made.parts_by(of_part)
    state |= {name: of_array(state[name], core) for name, core in made.cores()}
    return made.unchecked(made.ops, **state, is_checked=made.is_checked, inside=made.inside)


def of_pairs(
    function: Callable[[Any, Any], Array], p: Groups, q: Groups, zeros: Array, ops: ArrayOperations
) -> Array:
    """What a function says of each component of p with each of q, shape (..., k, m), that of `zeros`."""
    return in_table([function(*pair) for pair in pairs_of(p, q)], p, q, zeros, ops)


def pairs_of(p: Groups, q: Groups) -> Iterator[tuple[Any, Any]]:
    """Each group of p with each of q, so that their components broadcast: rows are those of p."""
    for group in p:
        first = with_axis(group, -1)
        for other in q:
            yield first, with_axis(other, -2)


def in_table(values: Sequence[Array], p: Groups, q: Groups, zeros: Array, ops: ArrayOperations) -> Array:
    """What was found of `pairs_of` groups, as one table of components."""
    given, rows = iter(values), []
    for height in _places(p):
        row = [next(given) + zeros[..., height, width] for width in _places(q)]
        rows.append(row[0] if len(row) == 1 else ops.concatenate(row))
    return rows[0] if len(rows) == 1 else ops.transpose(ops.concatenate([*map(ops.transpose, rows)]))


def _places(groups: Groups) -> list[slice]:
    """Where the components of each group are among all; a graph knows how many, if there are several."""
    if len(groups) == 1:
        return [slice(None)]
    ends = [*accumulate((group.batch_shape[-1] for group in groups), initial=0)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


def count(groups: Groups) -> int | None:
    """How many components there are; None where a graph does not know it before it runs."""
    sizes = [group.batch_shape[-1] for group in groups]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
