"""The coordinates of the model that is open (`with model:`), which variables with named dimensions lack."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from typing import Any


def differs_from_open_model(index: Any, name: Hashable) -> bool:
    """Whether the labels along a dimension are not those of the open model, in their order.

    `index` is pandas's. False where no model is open, or where it has no coordinates of that name.
    """
    own = _coordinates(name)
    if own is None:
        return False
    import pandas as pd  # which has made the index

    return not index.equals(pd.Index(own))


def _coordinates(name: Hashable) -> tuple[Any, ...] | None:
    """The labels that the open model has along a dimension."""
    if (pymc := sys.modules.get("pymc")) is None:  # then no model is open
        return None
    model = pymc.Model.get_context(error_if_none=False)
    found: tuple[Any, ...] | None = None if model is None else model.coords.get(name)
    return found
