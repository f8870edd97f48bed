"""What is being done while somebody waits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from rich import get_console
from rich.file_proxy import FileProxy
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

Report = Callable[[str], None]
"""Told the stage that begins."""


@contextmanager
def progress_line(wanted: bool, *, lasting: bool) -> Iterator[Report]:
    """A line with the present stage: the last one stays, in files too; or all go, seen by those who watch."""
    console = get_console()
    shown = wanted and (lasting or console.is_terminal or console.is_jupyter)
    if console.is_jupyter and find_spec("ipywidgets") is None:  # Rich would warn at every refresh
        shown = False
    # Long stages are cut, not the clock: 1 + 7 characters and two gaps are the others'.
    described = Column(no_wrap=True, overflow="ellipsis", max_width=max(console.width - 10, 10))
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=described),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not shown, transient=not lasting) as progress:
        task = progress.add_task("", total=None)
        # Refreshed at once: a stage shorter than the time between two refreshes is seen as well.
        yield lambda message: progress.update(task, description=message, refresh=True)


def say_above_bar(message: str) -> None:
    """Print above a progress bar of somebody else's, such as that of ``pm.fit``; nothing without one."""
    if isinstance(sys.stdout, FileProxy):  # Rich puts it there while a bar is on display
        print(message, flush=True)
