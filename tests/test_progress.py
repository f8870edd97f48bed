"""Lines that say what is being done: when they come, and when they do not."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
import rich
from rich.console import Console

from kl_plugins import progress
from kl_plugins.progress import progress_line


@pytest.fixture
def screen(monkeypatch):
    """A terminal, with what is on it."""
    console = Console(force_terminal=True, width=80, file=SimpleNamespace(write=lambda text: 0, flush=int))
    console.record = True
    monkeypatch.setattr(rich, "get_console", lambda: console)
    monkeypatch.setattr(progress, "may_be_seen", lambda: True)
    return lambda: console.export_text(clear=False)


def test_a_line_says_the_present_stage(screen):
    with progress_line(True) as report:
        report("first")
        report("second")
    assert "first" in screen()
    assert "second" in screen()


def test_a_late_line_begins_with_the_stage_of_then(screen, monkeypatch):
    timers = []

    class ByHand:
        def __init__(self, seconds, call):
            self.seconds, self.call, self.cancelled = seconds, call, False
            timers.append(self)

        def start(self):
            """Somebody else says when."""

        def cancel(self):
            self.cancelled = True

    monkeypatch.setattr(progress, "Timer", ByHand)
    with progress_line(True, after=2.0) as report:
        report("early")
        assert screen() == ""
        timers[0].call()
        report("late")
    assert "early" in screen()
    assert "late" in screen()
    with progress_line(True, after=2.0) as report:
        report("at once")
    assert (timers[1].seconds, timers[1].cancelled) == (2.0, True)
    timers[1].call()  # too late
    assert "at once" not in screen()


def test_nothing_is_shown_unless_wanted_and_seen(screen, monkeypatch):
    with progress_line(False) as report:
        report("unwanted")

    def elsewhere():
        with progress_line(True) as report:
            report("of another thread")

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert screen() == ""
    monkeypatch.setattr(progress, "may_be_seen", lambda: False)
    with progress_line(True) as report:
        report("without a screen")
    assert screen() == ""


def test_a_display_of_the_caller_stays_what_it_is(screen):
    from rich.progress import Progress

    with Progress(console=rich.get_console()) as own:
        own.add_task("mine", total=1)
        with progress_line(True) as report:
            report("ours")
    assert "mine" in screen()
