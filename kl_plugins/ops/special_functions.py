"""Special functions of a backend: a room of their own, loaded when the first of them is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def loaded_when_asked_for(backend: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a backend: what it does not have itself is in its module ``special``."""

    def found(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        function = getattr(import_module(f"{backend}.special"), name)
        setattr(sys.modules[backend], name, function)
        return function

    return found
