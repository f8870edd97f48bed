"""Which members of a batch have no divergence, as parameters of theirs are NaN, and the words for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kl_plugins.estimate.result import Doubt

if TYPE_CHECKING:
    from kl_plugins.estimate.density import Density

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


def undefined(p: Density, q: Density, batch: tuple[int, ...]) -> tuple[NDArray[np.bool], str]:
    """Which pairs of a batch have a parameter that is NaN, and why there is no estimate of these."""
    where = np.zeros(batch, bool)
    whys: list[str] = []
    for name, side in (("p", p), ("q", q)):
        for mask in side.unknown.values():
            where |= mask
        if side.unknown:
            words = " and ".join(side.unknown)
            whys.append(
                Doubt.NAN.format(what=f"{words} of {name}", verb="are" if len(side.unknown) > 1 else "is")
            )
    return where, "; ".join(whys)
