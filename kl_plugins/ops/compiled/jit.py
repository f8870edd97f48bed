"""Compilation by Numba with the compiled code kept on disk."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pickle import UnpicklingError
from typing import Any

FUSED = {"contract"}
"""The compiler may round a product and a sum once instead of twice."""

SUMS = {"reassoc", "contract"}
"""It may also reorder sums, so that they use vector instructions; NaN and infinity stay."""

_PATIENCE = 60.0
"""Seconds that a process waits for the one that compiles: one function takes some."""

_UNCACHED = (RuntimeError, OSError, EOFError, UnpicklingError)
"""What the disk cache raises where there is no folder or no room for it, or a file in it is torn."""

_held_up: set[str] = set()
"""Folders whose lock was waited for in vain: once is enough."""


def cached(decorate: Callable[..., Any], *args: Any, **options: Any) -> Callable[[Any], Any]:
    """Decorate with the disk cache, or without it where it cannot be used, or not safely."""

    def apply(function: Any) -> Any:
        with one_process_at_a_time(cache_folder()) as alone:
            if alone:
                with suppress(*_UNCACHED):  # what is wrong with the function comes again below
                    return decorate(*args, cache=True, **options)(function)
        return decorate(*args, **options)(function)

    return apply


def cache_folder() -> str | None:
    """The user's own folder for caches, beside Numba's where that was told where to be; None without one."""
    if told := os.environ.get("NUMBA_CACHE_DIR"):
        return os.path.abspath(told)
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        folder = os.path.join(home, "Library", "Caches")
    else:
        folder = os.environ.get("XDG_CACHE_HOME", "")
        folder = folder if os.path.isabs(folder) else os.path.join(home, ".cache")
    return folder if os.path.isabs(folder) else None  # nor is a home that nobody knows expanded


@contextmanager
def one_process_at_a_time(caches: str | None, patience: float = _PATIENCE) -> Iterator[bool]:
    """Whether no other process of this user compiles meanwhile, as one that wants to has to wait.

    Processes that fill Numba's cache at once would link functions of one to those of the other. False where
    there is no lock to be had: nowhere to put one, or its holder keeps it for longer than `patience` seconds.
    """
    lock = None
    if caches is not None and caches not in _held_up:
        with suppress(OSError):
            lock = _opened(caches)
    if lock is None:
        yield False
        return
    alone = False
    try:
        alone = _acquired(lock, patience)
        if not alone:
            _held_up.add(str(caches))
        yield alone
    finally:
        if alone:
            _release(lock)
        os.close(lock)


def _acquired(lock: int, patience: float) -> bool:
    """Whether the lock became free before anybody had kept it for `patience` seconds.

    One that compiles function after function may have it often before a process that waits has its turn.
    """
    taken, deadline = None, 0.0
    while True:
        try:
            _try(lock)
            return True
        except (BlockingIOError, PermissionError):  # another has it, as POSIX and Windows say
            if taken != (now := os.fstat(lock).st_mtime_ns):
                taken, deadline = now, time.monotonic() + patience
            if time.monotonic() >= deadline:
                return False
        except OSError:  # a file system without locks
            return False
        time.sleep(0.02)


if sys.platform == "win32":
    import msvcrt

    def _opened(caches: str) -> int:
        """The lock file in the user's folder, in which others have no rights."""
        folder = os.path.join(caches, "kl_plugins")
        os.makedirs(folder, exist_ok=True)
        return os.open(os.path.join(folder, "compilation.lock"), os.O_RDWR | os.O_CREAT | os.O_NOINHERIT)

    def _try(lock: int) -> None:
        msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)

    def _release(lock: int) -> None:
        msvcrt.locking(lock, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _opened(caches: str) -> int:
        """The user's lock file, in a folder that only he may use; OSError where another has his hand in it.

        Nothing is followed, emptied or waited for, whatever lies there. Root in the environment of somebody
        else makes a folder of its own.
        """
        name = os.path.join(caches, f"kl_plugins-{os.geteuid()}")
        for path in (caches, name):
            os.makedirs(path, mode=0o700, exist_ok=True)
        safe = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | safe)
        try:
            _require_own(folder, stat.S_ISDIR)
            lock = os.open("compilation.lock", os.O_RDWR | os.O_CREAT | safe, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            _require_own(lock, stat.S_ISREG)
        except OSError:
            os.close(lock)
            raise
        return lock

    def _require_own(opened: int, is_kind: Callable[[int], bool]) -> None:
        """OSError unless it is of the kind, the user's own, and nobody else may write to it."""
        found = os.fstat(opened)
        if not is_kind(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError("not this user's alone")

    def _try(lock: int) -> None:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.utime(lock)  # says when it was taken

    def _release(lock: int) -> None:
        """At once, even where a process that was forked meanwhile has the file open still."""
        fcntl.flock(lock, fcntl.LOCK_UN)
