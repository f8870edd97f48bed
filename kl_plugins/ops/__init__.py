"""The array operations that formulas are written in, one module per array library.

A formula takes its operations from ``backend_of(*arrays)``. The module that serves a library is the one
named after it: a file ``ops/jax.py`` would serve arrays whose type lives in the package ``jax``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType

from kl_plugins.ops.protocol import Array

# Python's own numbers and sequences become NumPy arrays.
_NUMERIC = frozenset({"builtins", "numpy"})


_of_type: dict[type, ModuleType] = {}
"""The backend of each type that was met."""


def _find(kind: type) -> ModuleType:
    root = kind.__module__.partition(".")[0]
    if root in _NUMERIC:
        number = issubclass(kind, int | float) and kind is not bool
        return import_module("kl_plugins.ops.floats" if number else "kl_plugins.ops.numpy")
    module = f"kl_plugins.ops.{root}"
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        # array-likes of other libraries (pandas, xarray): NumPy converts them
        return import_module("kl_plugins.ops.numpy")


def backend_of(*values: Array) -> ModuleType:
    """Return the backend module that serves all of `values`.

    Plain Python (or NumPy float64) numbers alone are served by ``scalar``, NumPy arrays among them by
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
        names = sorted(backend.__name__.rpartition(".")[2] for backend in symbolic)
        raise TypeError(f"cannot mix arrays of {' and '.join(names)} in one divergence")
    return symbolic[0] if symbolic else _numpy()


def array_backend_of(*values: Array) -> ModuleType:
    """Like `backend_of`, but numbers too are taken as arrays."""
    backend = backend_of(*values)
    return backend if backend.symbolic else _numpy()


@cache
def _numpy() -> ModuleType:
    return import_module("kl_plugins.ops.numpy")
