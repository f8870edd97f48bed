"""Pairs one by one, as `kl` computes them: what differs in kind, or has no closed form everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np

from kl_plugins.dispatch import kl
from kl_plugins.errors import NoClosedFormError, NotRecognisedError
from kl_plugins.estimate.density import has_density
from kl_plugins.matching import told_of
from kl_plugins.ops import backend_of
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.recognition import load_plugins_of

Name = Callable[[int], str]
"""What a member of a side is called."""


class Missing(Enum):
    """What becomes of a pair without a closed form."""

    RAISES = "raises"
    IS_NAN = "is NaN"
    IS_ESTIMATED = "is estimated"


NO_GRAPHS = "pairwise_kl takes numbers, not graphs; kl takes a batch of either"


class Found:
    """A table in the making, and its pairs without a closed form."""

    def __init__(self, missing: Missing) -> None:
        self.missing = missing
        self.count = 0
        self.first = ""
        """The first of them, and what is in the way."""

    def without(self, error: Exception, where: str) -> float:
        """NaN for one more pair that has none."""
        self.count += 1
        self.first = self.first or f"{where}: {error}"
        return np.nan


def one_by_one(
    ps: Sequence[object], qs: Sequence[object], called: tuple[Name, Name], found: Found
) -> FloatArray:
    """The divergence of each pair by itself; errors name the pair, as it was given."""
    values: list[list[Any]] = []
    for i, p in enumerate(ps):
        values.append([])
        for j, q in enumerate(qs):
            where = f"row {called[0](i)}, and column {called[1](j)}"
            try:
                values[-1].append(_of_pair(p, q, where, found))
            except (TypeError, ValueError, NoClosedFormError) as error:
                told = told_of(error, where)
                if told is error:
                    raise
                raise told from error
    return np.asarray(values, dtype=None if values and values[0] else float).reshape(len(ps), len(qs))


def _of_pair(p: object, q: object, where: str, found: Found) -> Any:
    """The divergence, or what stands for it where there is no closed form."""
    try:
        value = kl(p, q)
    except (NoClosedFormError, TypeError) as error:
        if found.missing is Missing.RAISES or not (
            isinstance(error, NoClosedFormError)
            or (isinstance(error.__cause__, NotRecognisedError) and _has_density(p) and _has_density(q))
        ):
            raise
        if found.missing is Missing.IS_NAN:
            return found.without(error, where)
    else:
        if backend_of(value).symbolic:
            raise TypeError(NO_GRAPHS)
        return value
    from kl_plugins.estimate.estimation import estimate_kl

    return np.float64(estimate_kl(p, q).value)


def _has_density(obj: object) -> bool:
    load_plugins_of(type(obj))
    return has_density(obj)
