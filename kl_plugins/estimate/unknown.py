"""Which parameters are NaN, and in which members of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Unknown = Mapping[str, NDArray[np.bool]]
"""Of the parameters that are NaN, by what a caller calls them, where in a batch they are."""


def nan_among(given: Iterable[tuple[str, Any, int]]) -> Unknown:
    """Those that are NaN of names, values and the numbers of dimensions that are not batch dimensions."""
    found: dict[str, NDArray[np.bool]] = {}
    for name, value, core_ndim in given:
        array = np.asarray(value)
        if array.dtype.kind == "f" and (where := np.isnan(array)).any():
            found[name] = np.asarray(where.any(axis=tuple(range(array.ndim - core_ndim, array.ndim))))
    return found
