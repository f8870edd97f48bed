"""What is being done while somebody waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich import get_console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from kl_plugins.variational.optimum import Report


@contextmanager
def shown_progress(wanted: bool) -> Iterator[Report]:
    """A line with the present step, in a terminal or notebook; it goes when all is done."""
    console = get_console()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    disable = not (wanted and (console.is_terminal or console.is_jupyter))
    with Progress(*columns, console=console, disable=disable, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda message: progress.update(task, description=message)
