"""Whether the named dimensions of two sides go together: those of events, and those of batches."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Protocol

from kl_plugins.labelled.computing import Labelled


class HasDims(Protocol):
    """A parameter with named dimensions, whose text is what messages call it."""

    @property
    def core_dims(self) -> tuple[Hashable, ...]: ...
    @property
    def batch_dims(self) -> tuple[Hashable, ...]: ...


def check_events(parameters: Sequence[HasDims], found: Mapping[str, Labelled | None]) -> None:
    """ValueError where dimensions of an event are not those of the other side, or of a batch elsewhere."""
    events = {side: part.event_dims for side, part in found.items() if part is not None and part.event_dims}
    for (side, dims), (other, others) in combinations(events.items(), 2):
        if dims != others:
            raise ValueError(
                f"{side} and {other} have different dimensions of an event, {listed(dims)} and "
                f"{listed(others)}: rename them, or see kl_plugins.independent(p, dims)"
            )
    core = {dim: one for one in parameters for dim in one.core_dims}
    for one in parameters:
        for dim in one.batch_dims:
            if dim in core:
                raise ValueError(
                    f"the dimension {dim!r} belongs to an event in {core[dim]}, to a batch in {one}: rename "
                    "one of them"
                )


def listed(dims: Iterable[Hashable]) -> str:
    """Names of dimensions for a message."""
    return ", ".join(map(repr, dims))
