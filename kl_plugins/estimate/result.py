"""The result of an estimate, how it was come by, and why it may not be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from kl_plugins.html import AMBER, GREEN, Html, block, coloured, paragraph, table
from kl_plugins.labelled import dims_of

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Numbers = TypeVar("Numbers", bound=Any, default=Any, covariant=True)
    Truths = TypeVar("Truths", bound=Any, default=Any, covariant=True)
else:
    from typing import TypeVar

    Numbers = TypeVar("Numbers", covariant=True)
    Truths = TypeVar("Truths", covariant=True)


class Method(StrEnum):
    """How an estimate is come by."""

    SUM = "exact sum"
    QUADRATURE = "quadrature"
    MONTE_CARLO = "monte carlo"
    SUPPORT = "support"
    NEIGHBOURS = "nearest neighbours"
    COUNTS = "counts"

    __repr__ = str.__repr__  # users compare with, and print, the text

    @property
    def phrase(self) -> str:
        """How a sentence about it begins."""
        return f"the {self} {'are' if self.takes_draws else 'is'}"

    @property
    def takes_draws(self) -> bool:
        """Whether it is for draws."""
        return self in (Method.NEIGHBOURS, Method.COUNTS)

    @property
    def covered(self) -> str:
        """What the error covers, in a sentence."""
        return _COVERED[self]


_STANDARD = "The error is a standard error: the truth is within twice of it some 95 times in a hundred."
_COVERED = {
    Method.SUM: "The error bounds what the sum leaves out, and rounding.",
    Method.QUADRATURE: "The error is a bound, as far as one can be had from what was evaluated.",
    Method.MONTE_CARLO: _STANDARD,
    Method.SUPPORT: "The supports alone decide it.",
    Method.NEIGHBOURS: (
        f"{_STANDARD} It covers what the draws leave open, and part of what neighbours found beyond smooth "
        "maps."
    ),
    Method.COUNTS: f"{_STANDARD} It covers what the draws leave open, and values that were not drawn.",
}


class Doubt(StrEnum):
    """Why an estimate is not to be relied on, with places for details."""

    MASS = "the mass found of {side} is {mass} instead of 1"
    UNDERFLOW = "q underflows inside of its support"
    ZERO_OR_UNDERFLOW = "q is zero inside of its support, where p holds {mass:.1g}, or it underflows"
    BEYOND_SUPPORT = "p may reach beyond {end:.6g}, where q's support ends: its density underflows there"
    REFINEMENT = "refinement ended with an error of {error:.1g}"
    SLOW_TAIL = "a tail does not shrink fast enough to say what it holds"
    TAIL = "a tail that could not be followed may hold {tail:.1g}"
    DOMINATED = "a few draws dominate: log p − log q has a tail that draws cannot follow"
    NEGATIVE = (
        "it comes out as {value:.3g} ± {error:.1g}, and no divergence is negative: a log density lacks its "
        "constant, or draws are not what they are taken for"
    )
    TIME = "the time limit of {limit:g} s was reached"
    APART = (
        "{share:.0%} of p's draws are further out than all of q's, where nothing shows how small q is. "
        "Give q as a distribution with a density, or more draws of it"
    )
    FEW_DRAWS = (
        "the draws are worth {worth:.0f} independent ones, and {d} dimensions need {needed}: draw more, or "
        "choose fewer variables"
    )
    SHAPE = (
        "the draws have a shape that nearest neighbours show in part only in {d} dimensions: choose fewer "
        "variables, or draw many more"
    )
    UNSEEN = (
        "{share:.1%} of p's draws have values that q's draws lack, so that it may be infinite: draw more "
        "of q, or give it as a distribution"
    )
    OUTSIDE = (
        "{share:.1%} of p's draws are where q has none of its {what}. It is so for certain if these draws "
        "are right: check them, and the parameters of q"
    )
    KINDS = (
        "{discrete} is discrete, and {other} is not. Counts are given as integers, or whole numbers, on both "
        "sides, measurements as floats"
    )
    NAN = "{what} {verb} NaN"
    NAN_AT_DRAWS = "a log density is not a number at some of the draws"
    NOT_A_NUMBER = " (a log density is not a number inside its support)"


@dataclass(frozen=True, eq=False, repr=False)
class KLEstimate(Generic[Numbers, Truths]):
    """An estimate of a divergence (or of a batch of them), immutable; ``float()`` gives its value.

    Attributes
    ----------
    value : float or ndarray
        KL(p‖q) in nats.
    error : float or ndarray
        Bound on the error of a sum or of a quadrature, as far as one can be had from what was evaluated;
        standard error of Monte Carlo and of estimates from draws. ``inf`` where nothing can be said.
    method : str
        ``"exact sum"``, ``"quadrature"``, ``"monte carlo"``, of draws ``"nearest neighbours"`` or
        ``"counts"``, or ``"support"`` where the supports alone make it infinite.
    n : int
        How often the pair of log densities was evaluated; of draws, how many draws of p counted.
    converged : bool or ndarray
        Whether the value can be relied on to within `error`. Where it cannot, a warning has said why.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import estimate_kl
    >>> found = estimate_kl(stats.binom(5, 0.4), stats.binom(5, 0.5))
    >>> found.method, found.converged, round(float(found), 4)
    ('exact sum', True, 0.1007)
    """

    value: Numbers
    error: Numbers
    method: Method
    n: int
    converged: Truths

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        doubt = "" if np.all(self.converged) else ", not converged"
        if np.ndim(self.value):
            values, errors = np.asarray(self.value), np.asarray(self.error)
            of_errors = np.array2string(errors, formatter={"float_kind": "{:.1g}".format})
            numbers = f"{np.array2string(values, precision=6)} ± {of_errors}"
        else:
            numbers = _numbers(self.value, self.error)
        return f"KLEstimate({numbers}, {self.method}, n={self.n}{doubt})"

    def __str__(self) -> str:
        return f"{self!r}\n{self._how()}"

    def _how(self) -> str:
        """By which method, with how much, and what the error covers."""
        of_what = "draws of p" if self.method.takes_draws else "evaluations of the pair of densities"
        if self.method.takes_draws and self.n:
            of_what += ", not counting those that repeat others or follow them closely"
        return f"By {self.method}, with {self.n:,d} {of_what}. {self.method.covered}"

    def _repr_html_(self) -> str:
        how = paragraph(self._how())
        values, errors, converged = (np.asarray(one) for one in (self.value, self.error, self.converged))
        good = int(converged.sum())
        if not values.ndim:
            line = paragraph(f"KL(p‖q) = {_told(float(values), float(errors))} nats: ", _said(good == 1))
            return block(line, how)
        shown = list(islice(np.ndindex(values.shape), MOST_ROWS))
        names = [str(dim) for dim in dims_of(self.value)] or ["place"]
        rows = [
            (
                *_place(self.value, index),
                _told(float(values[index]), float(errors[index])),
                _said(bool(converged[index])),
            )
            for index in shown
        ]
        rest = values.size - len(shown)
        parts = [paragraph(f"{values.size:,d} estimates, {good:,d} of them converged")]
        parts.append(table(rows, (*names, "KL(p‖q) (nats)", "")))
        parts += [paragraph(f"and {rest:,d} more")] if rest else []
        return block(*parts, how)


MOST_ROWS = 20
"""So many members of a batch are shown in a notebook."""


def _said(converged: bool) -> Html:
    """Whether a value can be relied on; a warning has said why not."""
    return coloured("converged", GREEN) if converged else coloured("not converged", AMBER)


def _place(values: Any, index: tuple[int, ...]) -> tuple[str, ...]:
    """Where a member of a batch is: its labels, or its index where there are none."""
    dims = dims_of(values)
    if not dims:
        return (", ".join(map(str, index)),)
    return tuple(
        str(values.coords[dim].values[i]) if dim in values.coords else str(i)
        for dim, i in zip(dims, index, strict=True)
    )


def _told(value: float, error: float) -> str:
    """One value and what is known of its error, in words where that is nothing."""
    unknown = np.isfinite(value) and not np.isfinite(error)
    return f"{value:.6g} (error not known)" if unknown else _numbers(value, error)


def _numbers(value: float, error: float) -> str:
    """One value and its error."""
    if np.isinf(value):
        return "inf"
    if error == 0.0:
        return repr(float(value))
    return f"{_rounded(value, error)} ± {error:.1g}"


def _rounded(value: float, error: float) -> str:
    """The value to the digits that its error leaves."""
    if not (value > 0.0 and 0.0 < error < np.inf):
        return f"{value:.6g}"
    digits = int(np.clip(np.floor(np.log10(value)) - np.floor(np.log10(error)) + 2, 2, 16))
    return f"{value:.{digits}g}"
