"""Interrupts (Ctrl-C) of long calls: none is lost, and none breaks into what has to stay whole."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_present: _Interrupts | None = None


class _Interrupts:
    """A handler that takes down an interrupt, and puts the former handler back for a second one."""

    def __init__(self, former: Any) -> None:
        self.former = former
        self.number: int | None = None

    def __call__(self, number: int, frame: Any) -> None:
        signal.signal(number, self.former)
        self.number = number

    @property
    def active(self) -> bool:
        return self.number is not None or signal.getsignal(signal.SIGINT) is self

    def answer(self) -> None:
        """Call the former handler if there was an interrupt; Python's own raises KeyboardInterrupt."""
        if self.number is not None:
            number, self.number = self.number, None
            self.former(number, sys._getframe(1))


@contextmanager
def answered_in_time() -> Iterator[None]:
    """An interrupt in what runs inside is answered by the next `answer_interrupt`, or at its end.

    An exception that a handler raises right away may come in a weak reference's callback, where Python
    ignores it; in compiled code that called back to Python, which makes a SystemError of it; or between two
    writes that belong together. A second interrupt is the former handler's. Other threads than the main one
    are never interrupted.
    """
    global _present
    former = signal.getsignal(signal.SIGINT)
    if not (_in_main_thread() and callable(former)) or (_present is not None and _present.active):
        yield
        return
    interrupts = _Interrupts(former)
    try:
        _present = interrupts
        signal.signal(signal.SIGINT, interrupts)
        yield
    finally:
        _present = None
        if signal.getsignal(signal.SIGINT) is interrupts:
            signal.signal(signal.SIGINT, former)
        interrupts.answer()


def answer_interrupt() -> None:
    """Raise KeyboardInterrupt, or do what else the handler does, if there was an interrupt."""
    if _present is not None and _in_main_thread():
        _present.answer()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
