"""Compilation by Numba with the compiled code kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FUSED = {"contract"}
"""The compiler may round a product and a sum once instead of twice."""

SUMS = {"reassoc", "contract"}
"""It may also reorder sums, so that they use vector instructions; NaN and infinity stay."""


def cached(decorate: Callable[..., Any], *args: Any, **options: Any) -> Callable[[Any], Any]:
    """Decorate with the disk cache, or without it where there is no place to write."""

    def apply(function: Any) -> Any:
        try:
            return decorate(*args, cache=True, **options)(function)
        except RuntimeError:  # no directory that could hold the cache
            return decorate(*args, **options)(function)

    return apply
