"""When the compiled kernels serve: there have to be some, and the work has to be worth loading them.

The size of the work alone decides, never what was loaded or computed before: the same call gives the same
bits. Of what is a part of more work, the size of the whole decides (`part_of`): so do the parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from math import prod
from types import ModuleType

import numpy as np

from kl_plugins.ops.protocol import FloatArray

_WORTH_COMPILING = 200_000
"""From this many numbers in a batch's matrices on compiled kernels make up for being loaded."""

_KERNELS_UP_TO = 100
"""Up to this dimension the kernels are no slower than LAPACK, which takes one matrix after the other."""


_whole = ContextVar("_whole", default=0)
"""How many members the batch has of which those at work are a part."""


@contextmanager
def part_of(count: int) -> Iterator[None]:
    """Work on a part of a batch of so many members, with the bits that it has in the whole."""
    before = _whole.set(max(count, _whole.get()))
    try:
        yield
    finally:
        _whole.reset(before)


def is_part() -> bool:
    """Whether the members at work are a part of a batch: how one is computed may not depend on the others."""
    return _whole.get() > 0


def size_of_whole(count: int) -> int:
    """The size of the work that these are a part of; their own where they are all of it."""
    return max(count, _whole.get())


@cache
def _loaded(room: str) -> ModuleType | None:
    try:
        return import_module(f"kl_plugins.ops.compiled.{room}")
    except ImportError:  # no Numba: the same numbers, more slowly
        return None


def kernels_for(*matrices: FloatArray) -> ModuleType | None:
    """The compiled kernels, where there are any and a batch of float64 matrices is worth them."""
    dimension = matrices[0].shape[-1]
    if not 0 < dimension <= _KERNELS_UP_TO or any(matrix.dtype != np.float64 for matrix in matrices):
        return None
    batch = np.broadcast_shapes(*[matrix.shape[:-2] for matrix in matrices])
    worth_it = batch and size_of_whole(prod(batch)) * dimension**2 >= _WORTH_COMPILING
    return _loaded("small_matrices") if worth_it else None


_LONG_VECTOR = 200_000
"""From this many parameters in a vector on compiled formulas make up for being loaded."""

_PIECE_WORTH_IT = 1024
"""So long a piece of it has to be."""

_in_long_vector = ContextVar("_in_long_vector", default=False)
"""Whether what is worked on is a piece of such a vector."""


@contextmanager
def long_vector(length: int) -> Iterator[bool]:
    """Work on the pieces of a vector of this length: the value is whether compiled formulas serve.

    The vector may be a piece itself.
    """
    serve = _in_long_vector.get() or (size_of_whole(length) >= _LONG_VECTOR and _loaded("loops") is not None)
    before = _in_long_vector.set(serve)
    try:
        yield serve
    finally:
        _in_long_vector.reset(before)


def loops_for(length: int, *vectors: FloatArray) -> ModuleType | None:
    """Loops made of formulas, where vectors of float64 are long enough for them, or pieces of such."""
    if size_of_whole(length) < _LONG_VECTOR and not (length >= _PIECE_WORTH_IT and _in_long_vector.get()):
        return None
    return _loaded("loops") if all(vector.dtype == np.float64 for vector in vectors) else None


def loops_for_check(vector: FloatArray) -> ModuleType | None:
    """The compiled check of a vector of float64, where that is long enough."""
    if vector.size < _LONG_VECTOR or vector.ndim != 1 or vector.dtype != np.float64:
        return None
    return _loaded("loops") if vector.flags.c_contiguous and vector.flags.aligned else None
