"""What is being done while somebody waits, also beside a progress bar of somebody else's."""

from __future__ import annotations

import sys

from rich.file_proxy import FileProxy

from kl_plugins.progress import Report as Report  # also for those above
from kl_plugins.progress import progress_line as progress_line


def say_above_bar(message: str) -> None:
    """Print above a progress bar of somebody else's, such as that of ``pm.fit``; nothing without one."""
    if isinstance(sys.stdout, FileProxy):  # Rich puts it there while a bar is on display
        print(message, flush=True)
