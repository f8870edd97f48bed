"""The array operations that formulas are written in, one module per array library.

What each operation returns is said once, in `kl_plugins.ops.protocol`; a backend says what is its own.
A formula takes its operations from ``backend_of(*arrays)``. The module that serves a library is the one
named after it: a file ``ops/jax.py`` would serve arrays whose type lives in the package ``jax``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from kl_plugins.ops.protocol import ArrayOperations, Operations, SymbolicOperations

if TYPE_CHECKING:  # each backend has what the contract asks of it
    from kl_plugins.ops import floats, numpy, pytensor

    _floats: Operations = floats
    _numpy_: ArrayOperations = numpy
    _pytensor: SymbolicOperations = pytensor

# Python's own numbers and sequences become NumPy arrays.
_NUMERIC = frozenset({"builtins", "numpy"})

_of_type: dict[type, ArrayOperations] = {}
"""The backend of each type that was met."""


@cache
def _backend(name: str) -> ArrayOperations:
    """The module of that name; Python's floats, of which no vectors are made, have the `Operations` alone."""
    return cast(ArrayOperations, import_module(f"kl_plugins.ops.{name}"))


def _find(kind: type) -> ArrayOperations:
    root = kind.__module__.partition(".")[0]
    if root in _NUMERIC:
        return _backend("floats" if issubclass(kind, int | float) and kind is not bool else "numpy")
    try:
        return _backend(root)
    except ModuleNotFoundError as error:
        if error.name != f"kl_plugins.ops.{root}":
            raise
        return _backend("numpy")  # array-likes of other libraries (pandas, xarray): NumPy converts them


def backend_of(*values: object) -> ArrayOperations:
    """Return the backend module that serves all of `values`.

    Plain Python (or NumPy float64) numbers alone are served by ``floats``, NumPy arrays among them by
    ``numpy``, symbolic variables among them by the backend of their library.
    """
    kinds = set(map(type, values))
    try:
        found = {_of_type[kind] for kind in kinds}
    except KeyError:
        _of_type.update({kind: _find(kind) for kind in kinds})
        found = {_of_type[kind] for kind in kinds}
    if len(found) == 1:
        return found.pop()
    symbolic = [backend for backend in found if backend.symbolic]
    if len(symbolic) > 1:
        names = sorted({kind.__module__.partition(".")[0] for kind in kinds if _of_type[kind].symbolic})
        raise TypeError(f"cannot mix arrays of {' and '.join(names)} in one divergence")
    return symbolic[0] if symbolic else _backend("numpy")


def array_backend_of(*values: object) -> ArrayOperations:
    """Like `backend_of`, but numbers too are taken as arrays."""
    backend = backend_of(*values)
    return backend if backend.symbolic else _backend("numpy")
