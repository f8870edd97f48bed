"""The result of an estimate, how it was come by, and why it may not be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic

import numpy as np

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

    __repr__ = str.__repr__  # users compare with, and print, the text


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
    TIME = "the time limit of {limit:g} s was reached"
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
        standard error of Monte Carlo. ``inf`` where nothing can be said.
    method : str
        ``"exact sum"``, ``"quadrature"``, ``"monte carlo"``, or ``"support"`` where the supports alone make
        it infinite.
    n : int
        How often the pair of log densities was evaluated.
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
            numbers = (
                f"{np.array2string(self.value, precision=6)} ± {np.array2string(self.error, precision=1)}"
            )
        elif np.isinf(self.value):
            numbers = "inf"
        elif self.error == 0.0:
            numbers = f"{self.value!r}"
        else:
            numbers = f"{_rounded(self.value, self.error)} ± {self.error:.1g}"
        return f"KLEstimate({numbers}, {self.method}, n={self.n}{doubt})"


def _rounded(value: float, error: float) -> str:
    """The value to the digits that its error leaves."""
    if not (value > 0.0 and 0.0 < error < np.inf):
        return f"{value:.6g}"
    digits = int(np.clip(np.floor(np.log10(value)) - np.floor(np.log10(error)) + 2, 2, 16))
    return f"{value:.{digits}g}"
