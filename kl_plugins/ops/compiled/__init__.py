"""When the compiled kernels serve: there have to be some, and the work has to be worth loading them.

The size of the work alone decides, never what was loaded or computed before: the same call gives the same
bits.
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
    return _loaded("small_matrices") if batch and prod(batch) * dimension**2 >= _WORTH_COMPILING else None


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
    serve = _in_long_vector.get() or (length >= _LONG_VECTOR and _loaded("loops") is not None)
    before = _in_long_vector.set(serve)
    try:
        yield serve
    finally:
        _in_long_vector.reset(before)


def loops_for(length: int, *vectors: FloatArray) -> ModuleType | None:
    """Loops made of formulas, where vectors of float64 are long enough for them, or pieces of such."""
    if length < _LONG_VECTOR and not (length >= _PIECE_WORTH_IT and _in_long_vector.get()):
        return None
    return _loaded("loops") if all(vector.dtype == np.float64 for vector in vectors) else None


def loops_for_check(vector: FloatArray) -> ModuleType | None:
    """The compiled check of a vector of float64, where that is long enough."""
    if vector.size < _LONG_VECTOR or vector.ndim != 1 or vector.dtype != np.float64:
        return None
    return _loaded("loops") if vector.flags.c_contiguous and vector.flags.aligned else None
