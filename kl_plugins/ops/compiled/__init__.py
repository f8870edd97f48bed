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
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KERNELS = "kl_plugins.ops.compiled.kernels"

_WORTH_COMPILING = 200_000
"""From this many numbers in a batch's matrices on compiled kernels make up for being loaded."""

_KERNELS_UP_TO = 100
"""Up to this dimension the kernels are faster than LAPACK; at 128 they are as fast, at 200 a fifth slower."""

_LONG = 200_000
"""From this many variables on the compiled kernel for independent variables is used."""


@cache
def _loaded_kernels() -> ModuleType | None:
    try:
        return import_module(_KERNELS)
    except ImportError:  # no Numba: the same numbers, more slowly
        return None


def kernels_for(batch: tuple[int, ...], *matrices: NDArray[Any]) -> ModuleType | None:
    """The compiled kernels, where there are any and a batch of float64 `matrices` is worth them."""
    dimension = matrices[0].shape[-1]
    if any(matrix.dtype != np.float64 for matrix in matrices):
        return None
    if not (batch and 0 < dimension <= _KERNELS_UP_TO):
        return None
    if prod(batch) * dimension**2 < _WORTH_COMPILING:
        return None
    return _loaded_kernels()


def kernels_for_rows(*arrays: NDArray[Any]) -> ModuleType | None:
    """The compiled kernels for tall matrices, where there are any and one pair of float64 is tall enough."""
    tallest = arrays[-1]
    if tallest.ndim != 2 or any(array.dtype != np.float64 or array.ndim > 2 for array in arrays):
        return None
    if tallest.size < _LONG or any(len(array) != len(tallest) for array in arrays):
        return None
    return import_module("kl_plugins.ops.compiled.row_kernels") if _loaded_kernels() else None


def kernels_for_vectors(shape: tuple[int, ...], *vectors: NDArray[Any]) -> ModuleType | None:
    """The compiled kernels, where there are any and one pair of vectors is long enough."""
    double = all(vector.dtype == np.float64 for vector in vectors)
    return _loaded_kernels() if double and len(shape) == 1 and shape[0] >= _LONG else None


_LONG_VECTOR = 200_000
"""From this many parameters in a vector on compiled formulas make up for being loaded."""

_PIECE_WORTH_IT = 1024
"""So long a piece of it has to be."""

_in_long_vector = ContextVar("_in_long_vector", default=False)
"""Whether what is worked on is a piece of such a vector."""


@cache
def _loaded_loops() -> ModuleType | None:
    try:
        return import_module("kl_plugins.ops.compiled.loops")
    except ImportError:  # no Numba: the same numbers, more slowly
        return None


@contextmanager
def long_vector(length: int) -> Iterator[bool]:
    """Work on the pieces of a vector of this length: the value is whether compiled formulas serve.

    The vector may be a piece itself.
    """
    serve = _in_long_vector.get() or (length >= _LONG_VECTOR and _loaded_loops() is not None)
    before = _in_long_vector.set(serve)
    try:
        yield serve
    finally:
        _in_long_vector.reset(before)


def loops_for(length: int, *vectors: NDArray[Any]) -> ModuleType | None:
    """Loops made of formulas, where vectors of float64 are long enough for them, or pieces of such."""
    if length < _LONG_VECTOR and not (length >= _PIECE_WORTH_IT and _in_long_vector.get()):
        return None
    return _loaded_loops() if all(vector.dtype == np.float64 for vector in vectors) else None


def loops_for_check(vector: NDArray[Any]) -> ModuleType | None:
    """The compiled check of a vector of float64, where that is long enough."""
    if vector.size < _LONG_VECTOR or vector.ndim != 1 or vector.dtype != np.float64:
        return None
    return _loaded_loops() if vector.flags.c_contiguous and vector.flags.aligned else None
