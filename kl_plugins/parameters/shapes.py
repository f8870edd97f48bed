"""Batch and event shapes, some of whose lengths only a running graph knows."""

from __future__ import annotations

import numpy as np

Shape = tuple[int | None, ...]
"""A shape as far as it is known: None stands for a length that only a running graph knows."""


def broadcast_shapes(*shapes: Shape) -> Shape:
    """Broadcast shapes whose lengths may be unknown; ValueError where known lengths clash."""
    if not shapes:
        return ()
    if shapes.count(shapes[0]) == len(shapes):
        return shapes[0]
    ndim = max((len(shape) for shape in shapes), default=0)
    columns = zip(*[(1,) * (ndim - len(shape)) + tuple(shape) for shape in shapes], strict=True)
    return tuple(_broadcast_length(column) for column in columns)


def _broadcast_length(lengths: tuple[int | None, ...]) -> int | None:
    known = [length for length in lengths if length is not None]
    (common,) = np.broadcast_shapes((1,), *[(length,) for length in known])
    return common if len(known) == len(lengths) or common != 1 else None
