"""What a script is doing, and how long it will take: a progress bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Column

REFRESH = 0.25
"""Seconds between two states of the bar."""
BAR = 8
"""Characters of the bar."""
LEFT = 25
"""Characters of the time left."""
SILENCE = 1.5
"""Seconds after which a plain line says that the script is alive, at first."""
RARER = 0.1
"""Share of the seconds so far that there are between two such lines later: a log of hours stays readable."""
WAITING = 1.0
"""Seconds without news after which it is said what is waited for."""
TRUST = 10.0
"""So many seconds of work it takes until the pace of this machine counts as much as the plan."""


class Stages:
    """The stages of a script, one after the other, in a ``with`` statement.

    Parameters
    ----------
    plan : dict
        By the name of each stage the seconds that it takes on the machine where that was measured: the time
        left is that of the stages to come, times how much slower this machine was so far.

    Examples
    --------
    >>> with Stages({"counting": 1.0, "adding": 2.0}) as stages:
    ...     stages.begin("counting")
    ...     stages.at(0.5, "half of it")
    ...     stages.begin("adding")
    """

    def __init__(self, plan: dict[str, float]) -> None:
        self.plan = plan
        self.console = Console(markup=False, highlight=False)
        self._stage = self._detail = self._waiting = ""
        self._share = 0.0
        self._started = self._begun = self._said = self._told = time.monotonic()
        self._done: list[str] = []
        self._lock, self._over = Lock(), Event()
        # Where the line is too long the stage is cut, not the bar and the time: one character and three gaps.
        room = max(self.console.width - BAR - LEFT - 4, 10)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, max_width=room)),
            BarColumn(BAR),
            TextColumn("{task.fields[left]}"),
        )
        self._bar = Progress(
            *columns, console=self.console, disable=not self.console.is_terminal, transient=True
        )
        self._task: TaskID = self._bar.add_task("", total=1.0, left="")
        self._thread = Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Stages:
        self._bar.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._bar.stop()

    def begin(self, stage: str) -> None:
        """The stage before is done, and this one begins."""
        if self._stage:
            self._done.append(self._stage)
        self._stage, self._detail, self._waiting, self._share = stage, "", "", 0.0
        self._begun = time.monotonic()
        self._say()

    def at(self, share: float, detail: str = "", waiting: str = "") -> None:
        """So much of the present stage is done; `waiting` is said where nothing new comes for a while."""
        self._share, self._detail, self._waiting = share, detail, waiting
        self._told = time.monotonic()

    def print(self, *objects: Any) -> None:
        """Print above the bar."""
        with self._lock:
            self.console.print(*objects)
            self._said = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the script began."""
        return time.monotonic() - self._started

    @property
    def _silence(self) -> float:
        return max(SILENCE, RARER * self.seconds)

    def _beat(self) -> None:
        while not self._over.wait(REFRESH):
            if self.console.is_terminal or time.monotonic() - self._said > self._silence:
                self._say()

    def _say(self) -> None:
        """The present state, on the bar or as a line."""
        with self._lock:
            share, left = self._state()
            waiting = time.monotonic() - self._told > WAITING
            detail = (waiting and self._waiting) or self._detail
            what = f"{self._stage}: {detail}" if detail else self._stage
            if self.console.is_terminal:
                self._bar.update(self._task, description=what, completed=share, left=left)
            else:
                line = f"{self.seconds:4.0f} s ({left}) {what}"
                self.console.print(line, soft_wrap=True)
            self._said = time.monotonic()

    def _state(self) -> tuple[float, str]:
        """What share of the plan is done, and how long the rest will take, in words."""
        done = sum(self.plan[stage] for stage in self._done)
        pace = (self._begun - self._started + TRUST) / (done + TRUST)
        now = self.plan.get(self._stage, 0.0)
        by_time = min((time.monotonic() - self._begun) / max(pace * now, 1e-9), 0.95)
        done += max(self._share, by_time) * now
        total = sum(self.plan.values())
        left = 5.0 * round(pace * (total - done) / 5.0)
        return done / total, f"about {left:.0f} s left in all" if left > 0.0 else "a few seconds left in all"


class Silent(Stages):
    """Stands in for `Stages` where nothing is to be said, as in a notebook that has its own progress."""

    def __init__(self) -> None:
        """Nothing is planned."""

    def begin(self, stage: str) -> None:
        """Say nothing."""

    def at(self, share: float, detail: str = "", waiting: str = "") -> None:
        """Say nothing."""
