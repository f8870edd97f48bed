"""Batch and event shapes, some of whose lengths only a running graph knows."""

from __future__ import annotations

import numpy as np

Shape = tuple[int | None, ...]
"""A shape as far as it is known: None stands for a length that only a running graph knows."""


def in_words(event: Shape) -> str:
    """How many variables a distribution of this event shape has."""
    if not event:
        return "one variable"
    lengths = ["several" if length is None else str(length) for length in event]
    return f"a vector of {lengths[0]}" if len(event) == 1 else f"an array of {' by '.join(lengths)}"


def broadcast_shapes(*shapes: Shape) -> Shape:
    """Broadcast shapes whose lengths may be unknown.

    Parameters
    ----------
    *shapes : tuple of (int or None)
        None stands for a length that only a running graph knows.

    Returns
    -------
    tuple of (int or None)

    Raises
    ------
    ValueError
        If known lengths clash.

    Examples
    --------
    >>> from kl_plugins.extend import broadcast_shapes
    >>> broadcast_shapes((3, 1), (4,)), broadcast_shapes((None,), (4,)), broadcast_shapes((None,), (1,))
    ((3, 4), (4,), (None,))
    """
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
