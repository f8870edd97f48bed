"""Helpers of the PyTensor tests: evaluating graphs cheaply, without rewriting them or compiling code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytest
from pytensor.compile.mode import Mode, get_default_mode
from pytensor.graph.rewriting.db import RewriteDatabaseQuery
from pytensor.link.vm import VMLinker

AS_WRITTEN = Mode(
    VMLinker(use_cloop=False, c_thunks=False), RewriteDatabaseQuery(include=["inline_ofg_expansion"])
)
"""Runs a graph by Python's own loop, operation by operation as the library wrote it."""

_OTHER = "CVM" if type(get_default_mode().linker).__name__ == "NumbaLinker" else "NUMBA"

BACKENDS = [
    pytest.param(mode, marks=[pytest.mark.slow] if mode == _OTHER else []) for mode in ("CVM", "NUMBA", "JAX")
]
"""PyTensor's compilers of graphs; the one that the installed generation does not use by itself is slow."""


def value(graph: Any, inputs: dict[Any, Any] | None = None) -> Any:
    """The number that `graph` is (or the numbers, of a list), given those of `inputs` that it needs."""
    given = inputs or {}
    function = pytensor.function(list(given), graph, mode=AS_WRITTEN, on_unused_input="ignore")
    return function(*[np.asarray(x, dtype=variable.type.dtype) for variable, x in given.items()])
