"""Numbers beside their limits: sign, words and digits follow from the numbers."""

from __future__ import annotations

from math import floor, inf, log10
from typing import NamedTuple

from kl_plugins.variational.evidence.importance import Importance

MOST_DIGITS = 17
"""So many significant digits tell any two floats apart."""


class AgainstLimit(NamedTuple):
    """A number and its limit as text, and whether it is above, which the text shows as well."""

    value: str
    above: bool
    limit: str

    def __str__(self) -> str:
        return f"{self.value} {'>' if self.above else '≤'} {self.limit}"


def against_limit(value: float, limit: float, digits: int = 2, kind: str = "g") -> AgainstLimit:
    """Both to so many digits, or to as many as it takes to see whether the value is above.

    The digits are significant ones, or decimals where `kind` is "f".
    """
    above = value > limit
    for shown in range(digits, MOST_DIGITS + 1):
        texts = f"{value:.{shown}{kind}}", f"{limit:.{shown}{kind}}"
        if (float(texts[0]) > float(texts[1])) == above:
            break
    return AgainstLimit(texts[0], above, texts[1])


def khat_against_threshold(importance: Importance) -> AgainstLimit:
    """k̂ with its error beside its threshold."""
    k, limit = importance.k, importance.threshold
    above = k.value > limit
    for decimals in range(2, MOST_DIGITS):
        (value, error), bound = k.shown(decimals), f"{limit:.{decimals}f}"
        if (float(value) > float(bound)) == above:
            break
    return AgainstLimit(f"{value} {error}".rstrip(), above, bound)


def rounded_up(value: float, digits: int = 2) -> str:
    """A bound to so many significant digits, and never less than it is."""
    text = f"{value:.{digits}g}"
    if not float(text) < value < inf:
        return text
    return f"{float(text) + 10.0 ** (floor(log10(value)) + 1 - digits):.{digits}g}"
