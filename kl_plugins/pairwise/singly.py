"""Pairs one by one, as `kl` computes them: what differs in kind, or has no closed form everywhere."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.dispatch import kl
from kl_plugins.errors import EstimateWarning, NoClosedFormError, NoClosedFormWarning, NotRecognisedError
from kl_plugins.estimate.density import has_density
from kl_plugins.matching import told_of
from kl_plugins.ops import backend_of
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.progress import Report, no_report
from kl_plugins.recognition import load_plugins_of

if TYPE_CHECKING:
    from kl_plugins.estimate.estimation import Seed

Name = Callable[[int], str]
"""What a member of a side is called."""


class Missing(Enum):
    """What becomes of a pair without a closed form."""

    RAISES = "raises"
    IS_NAN = "is NaN"
    IS_ESTIMATED = "is estimated"


NO_GRAPHS = (
    "pairwise_kl takes numbers, not graphs, as PyMC's variables are: make the distributions with SciPy or "
    "PreliZ; kl takes a batch of either"
)


class Counted:
    """Some pairs of a table."""

    def __init__(self) -> None:
        self.count = 0
        self.first = ""
        """The first of them, and what is in the way."""

    def add(self, where: str, why: object) -> None:
        self.count += 1
        self.first = self.first or f"{where}: {why}"


class Found:
    """A table in the making, and its pairs without a value that can be relied on."""

    def __init__(self, missing: Missing, random_state: Seed = None, report: Report = no_report) -> None:
        self.missing = missing
        self.report = report
        self.random_state = random_state
        self.without = Counted()
        self.doubtful = Counted()

    def warn(self, pairs: str, stacklevel: int) -> None:
        """Warn of the pairs that have no value, and of estimates; `pairs` is of how many."""
        if self.without.count:
            estimated = self.missing is Missing.IS_ESTIMATED
            what = "; estimate=True has them estimated" if not estimated else ", and cannot be estimated"
            warnings.warn(
                f"{self.without.count} of {pairs} have no closed form and are NaN{what}. "
                f"The first: {self.without.first}",
                NoClosedFormWarning,
                stacklevel=stacklevel + 1,
            )
        if self.doubtful.count:
            warnings.warn(
                f"{self.doubtful.count} of {pairs} are estimates that are not to be relied on. "
                f"The first: {self.doubtful.first}",
                EstimateWarning,
                stacklevel=stacklevel + 1,
            )


def one_by_one(
    ps: Sequence[object], qs: Sequence[object], called: tuple[Name, Name], found: Found
) -> FloatArray:
    """The divergence of each pair by itself; errors name the pair, as it was given."""
    values: list[list[Any]] = []
    for i, p in enumerate(ps):
        values.append([])
        for j, q in enumerate(qs):
            found.report(f"pair by pair: {i * len(qs) + j:,d} of {len(ps) * len(qs):,d}")
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
            found.without.add(where, error)
            return np.nan
    else:
        if backend_of(value).symbolic:
            raise TypeError(NO_GRAPHS)
        return value
    return _estimated(p, q, where, found)


def _estimated(p: object, q: object, where: str, found: Found) -> np.float64:
    """The estimate, or NaN where there is none; both are counted where they are no value to rely on."""
    from kl_plugins.estimate.estimation import estimate

    try:
        value, why = estimate(p, q, random_state=found.random_state)
    except (TypeError, ValueError, NotImplementedError) as error:
        found.without.add(where, error)
        return np.float64(np.nan)
    if why:
        found.doubtful.add(where, why)
    return np.float64(value.value)


def _has_density(obj: object) -> bool:
    load_plugins_of(type(obj))
    return has_density(obj)
