"""What is being done while somebody waits: a line in a terminal or a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Lock, Timer, current_thread, main_thread
from typing import Any

Report = Callable[[str], None]
"""Told the stage that begins."""
AFTER = 2.0
"""Seconds from which on somebody waits."""


def no_report(stage: str) -> None:
    """Nobody is told."""


@contextmanager
def progress_line(wanted: bool, *, lasting: bool = False, after: float = 0.0) -> Iterator[Report]:
    """A line with the present stage: the last one stays, in files too; or all go, seen by those who watch.

    It comes after so many seconds, if there is anything to wait for by then. Threads beside the main one have
    none: the screen is not theirs.
    """
    if not (wanted and (lasting or may_be_seen()) and current_thread() is main_thread()):
        yield no_report
        return
    line = _Line(lasting, after)
    timer = Timer(after, line.begin)
    timer.daemon = True
    if after:
        timer.start()
    else:
        line.begin()
    try:
        yield line.report
    finally:
        timer.cancel()
        line.end()


def may_be_seen() -> bool:
    """Whether somebody may be watching; Rich knows for certain, and takes longer to ask."""
    return getattr(sys.stdout, "isatty", bool)() or "IPython" in sys.modules


class _Line:
    """A line that begins once, and not after its end."""

    def __init__(self, lasting: bool, waited: float) -> None:
        self.lasting, self.waited = lasting, waited
        self.stage, self.over = "", False
        self.shown: Any = None
        self._lock = Lock()

    def begin(self) -> None:
        with self._lock:
            if not self.over:
                self.shown = _shown(self.stage, self.lasting, self.waited)

    def report(self, stage: str) -> None:
        with self._lock:
            self.stage = stage
            if self.shown is not None:
                # Refreshed at once: a stage shorter than the time between two refreshes is seen as well.
                self.shown.update(self.shown.task_ids[0], description=stage, refresh=True)

    def end(self) -> None:
        with self._lock:
            self.over = True
            if self.shown is not None:
                self.shown.stop()


def _shown(stage: str, lasting: bool, waited: float) -> Any:
    """Rich's display of a stage, begun so many seconds ago; None where there is no place for it."""
    try:  # it is loaded when it serves
        from rich import get_console
        from rich.errors import LiveError
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column
    except ImportError:
        return None
    console = get_console()
    if not (lasting or console.is_terminal or console.is_jupyter):
        return None
    if console.is_jupyter and find_spec("ipywidgets") is None:  # Rich would warn at every refresh
        return None
    # Long stages are cut, not the clock: 1 + 7 characters and two gaps are the others'.
    described = Column(no_wrap=True, overflow="ellipsis", max_width=max(console.width - 10, 10))
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=described),
        TimeElapsedColumn(),
    )
    progress = Progress(*columns, console=console, transient=not lasting)
    progress.add_task(stage, total=None)
    progress.tasks[0].start_time = progress.get_time() - waited
    try:
        progress.start()
    except LiveError:  # the caller has a display of their own there
        return None
    return progress
