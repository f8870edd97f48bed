"""Conditions on the sides of a symbolic divergence: of constants at once, else when the graph runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.ops.protocol import Array, SymbolicOperations
from kl_plugins.recognition import requirement_as_written


def guarded(
    name: str,
    value: Array,
    sides: Mapping[str, tuple[Distribution, object]],
    outside: str = "inf",
) -> Array:
    """The symbolic `value`, with the conditions of each side checked when the graph runs.

    `sides`, by what errors call them, are ours and what they were recognised from. What constants do not
    meet is an error at once.
    """
    conditions = []
    for side, (distribution, written) in sides.items():
        conditions += [
            (holds, f"{side}: {requirement_as_written(message, written)}")
            for holds, message in distribution.conditions()
        ]
        ops = cast(SymbolicOperations, distribution.ops)
    open_ones = []
    for holds, message in conditions:
        with np.errstate(all="ignore"):
            known = ops.known(holds)
        if known is None:
            open_ones.append((holds, message))
        elif not np.all(known):
            raise ValueError(message)
    checked = ops.guard(value, open_ones, outside)
    checked.name = name
    return checked
