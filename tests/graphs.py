"""Helpers of the PyTensor tests: evaluating graphs cheaply, without rewriting them or compiling code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode, get_default_mode, get_mode
from pytensor.graph.rewriting.db import RewriteDatabaseQuery
from pytensor.link.vm import VMLinker

AS_WRITTEN = Mode(
    VMLinker(use_cloop=False, c_thunks=False), RewriteDatabaseQuery(include=["inline_ofg_expansion"])
)
"""Runs a graph by Python's own loop, operation by operation as the library wrote it."""

OWN = "NUMBA" if type(get_default_mode().linker).__name__ == "NumbaLinker" else "CVM"
"""The compiler that the installed generation of PyTensor uses by itself."""

_FAST = get_mode("FAST_COMPILE")
WITHOUT_LONG_PRODUCTS = _FAST if OWN == "NUMBA" else _FAST.excluding("canonicalize")
"""Python's own loop; in PyTensor 2 canonical forms have products of many arrays, taken element by element."""

BACKENDS = [
    pytest.param(mode, marks=[] if mode in (OWN, "JAX") else [pytest.mark.slow])
    for mode in ("CVM", "NUMBA", "JAX")
]
"""PyTensor's compilers of graphs; the one that is neither its own nor JAX is slow."""

OF_DIAGONALS = [param for param in BACKENDS if OWN == "NUMBA" or param.values != ("NUMBA",)]
"""Those that differentiate the diagonals of matrices; PyTensor 2 fails to compile that for Numba."""


def value(graph: Any, inputs: dict[Any, Any] | None = None) -> Any:
    """The number that `graph` is (or the numbers, of a list), given those of `inputs` that it needs."""
    given = inputs or {}
    function = pytensor.function(list(given), graph, mode=AS_WRITTEN, on_unused_input="ignore")
    return function(*[np.asarray(x, dtype=variable.type.dtype) for variable, x in given.items()])


def log_add_exp(a: Any, b: Any) -> Any:
    """log(eᵃ + eᵇ), in operations that Python's loop has for whole arrays; of PyTensor's own it has not."""
    half = 0.5 * pt.abs(a - b)
    return 0.5 * (a + b) + half + pt.log1p(pt.exp(-2.0 * half))
