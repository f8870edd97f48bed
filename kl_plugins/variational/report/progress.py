"""What is being done while somebody waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich import get_console
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from kl_plugins.variational.optimum.search import Report


@contextmanager
def passing_progress(wanted: bool) -> Iterator[Report]:
    """A line with the present step, in a terminal or notebook; it goes when all is done."""
    console = get_console()
    with _line(console, wanted and (console.is_terminal or console.is_jupyter), transient=True) as report:
        yield report


@contextmanager
def lasting_progress(wanted: bool) -> Iterator[Report]:
    """A line with the present step; the last one stays, in files too."""
    with _line(get_console(), wanted, transient=False) as report:
        yield report


@contextmanager
def _line(console: Console, shown: bool, transient: bool) -> Iterator[Report]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not shown, transient=transient) as progress:
        task = progress.add_task("", total=None)
        # Refreshed at once: a step shorter than the time between two refreshes is seen as well.
        yield lambda message: progress.update(task, description=message, refresh=True)
