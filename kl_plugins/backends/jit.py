"""Compilation by Numba with the compiled code kept on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

FUSED = {"contract"}
"""The compiler may round a product and a sum once instead of twice."""

SUMS = {"reassoc", "contract"}
"""It may also reorder sums, so that they use vector instructions; NaN and infinity stay."""


def cached(decorate: Callable[..., Any], *args: Any, **options: Any) -> Callable[[Any], Any]:
    """Decorate with the disk cache, or without it where there is no place to write."""

    def apply(function: Any) -> Any:
        try:
            with one_process_at_a_time():
                return decorate(*args, cache=True, **options)(function)
        except RuntimeError:  # no directory that could hold the cache
            return decorate(*args, **options)(function)

    return apply


@contextmanager
def one_process_at_a_time() -> Iterator[None]:
    """Processes that fill Numba's cache at once would link functions of one to those of the other."""
    try:
        import fcntl

        path = os.path.join(tempfile.gettempdir(), f"kl_plugins-{os.getuid()}.lock")
        lock = open(path, "w")  # noqa: SIM115
    except (ImportError, OSError):  # no locks here
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
