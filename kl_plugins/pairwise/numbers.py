"""The divergences of all pairs of two sides, as an array."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kl_plugins.errors import HasNames, NoClosedFormError
from kl_plugins.families.core.stacking import as_batch, members
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.pairwise.batches import all_pairs
from kl_plugins.pairwise.collections import Keys, collected, have_own_rules, objects_of
from kl_plugins.pairwise.singly import Found, Missing, Name, one_by_one
from kl_plugins.recognition import as_written


def numbers(
    ps: Any,
    qs: Any,
    found: Found,
    keys: Sequence[Keys] = (None, None),
    sample: NDArray[np.intp] | None = None,
) -> FloatArray:
    """The table of two sides, each a sequence of distributions or a batch; errors name members by keys.

    `sample` is that of `all_pairs`.
    """
    called = _called(ps, keys[0]), _called(qs, keys[1])
    if have_own_rules(ps, qs):
        return one_by_one(objects_of(ps, "ps"), objects_of(qs, "qs"), called, found)
    try:
        left = collected(ps, "ps", keys[0])
        right = left if qs is ps else collected(qs, "qs", keys[1])
    except HasNames:
        raise
    except (NoClosedFormError, TypeError):  # what nobody recognises may have a density
        if found.missing is Missing.RAISES or not (isinstance(ps, Sequence) or isinstance(qs, Sequence)):
            raise
        return one_by_one(objects_of(ps, "ps"), objects_of(qs, "qs"), called, found)
    rows = as_batch(left)
    columns = rows if right is left else as_batch(right)
    if rows is not None and columns is not None:
        with suppress(NoClosedFormError):  # of a batch, which may not be that of each pair
            return all_pairs(rows, columns, sample)
    return one_by_one(members(left), members(right), called, found)


def _called(side: Any, keys: Keys) -> Name:
    """What the caller would call the members of a side."""

    def name(index: int) -> str:
        written = as_written(side[index] if isinstance(side, Sequence) else side)
        return f"{index if keys is None else repr(keys[index])}, {written}"

    return name
