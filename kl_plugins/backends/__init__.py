"""The array operations that formulas are written in, one module per array library.

A formula takes its operations from ``backend_of(*arrays)``. The module that serves a library is the one
named after it: a file ``backends/jax.py`` would serve arrays whose type lives in the package ``jax``.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

# Python's own numbers and sequences become NumPy arrays.
_NUMERIC = frozenset({"builtins", "numpy"})


_names: dict[type, str] = {}
"""The backend of each type that was met."""


def _find_name(kind: type) -> str:
    root = kind.__module__.partition(".")[0]
    if root in _NUMERIC:
        scalar = issubclass(kind, int | float) and kind is not bool
        return "scalar" if scalar else "numpy"
    module = f"kl_plugins.backends.{root}"
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return "numpy"  # array-likes of other libraries (pandas, xarray): NumPy converts them
    return root


def backend_of(*values: Any) -> ModuleType:
    """Return the backend module that serves all of `values`.

    Plain Python (or NumPy float64) numbers alone are served by ``scalar``, NumPy arrays among them by
    ``numpy``, symbolic variables among them by the backend of their library.
    """
    found = set()
    for value in values:
        kind = type(value)
        if kind not in _names:
            _names[kind] = _find_name(kind)
        found.add(_names[kind])
    symbolic = found - {"scalar", "numpy"}
    if len(symbolic) > 1:
        raise TypeError(f"cannot mix arrays of {' and '.join(sorted(symbolic))} in one divergence")
    name = symbolic.pop() if symbolic else "numpy" if "numpy" in found else "scalar"
    return import_module(f"kl_plugins.backends.{name}")


def array_backend_of(*values: Any) -> ModuleType:
    """Like `backend_of`, but numbers too are taken as arrays."""
    backend = backend_of(*values)
    return backend if backend.symbolic else import_module("kl_plugins.backends.numpy")
