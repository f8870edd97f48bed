"""Special functions of a backend: a room of their own, loaded when the first of them is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from kl_plugins.ops.protocol import Operations

_ELSEWHERE = {
    "abs": "absolute",
    "atan": "arctan",
    "gamma": "gammaln",
    "lgamma": "gammaln",
    "loggamma": "gammaln",
    "betaln": "gammaln",
    "polygamma": "trigamma",
    "pow": "power",
    "psi": "digamma",
}
"""What NumPy, SciPy or the standard library call an operation, or one that it can be written with."""


def loaded_when_asked_for(backend: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a backend: what it does not have itself is in its module ``special``."""

    def found(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            function = getattr(import_module(f"{backend}.special"), name)
        except AttributeError:
            raise AttributeError(f"there is no operation {name!r}{_meant(name)}") from None
        setattr(sys.modules[backend], name, function)
        return function

    return found


def _meant(name: str) -> str:
    """What may have been meant by the name of an operation that is not there, and where they are listed."""
    from difflib import get_close_matches  # seldom needed

    known = [one for one in vars(Operations) if not one.startswith("_")]
    near = [_ELSEWHERE[name]] if name in _ELSEWHERE else get_close_matches(name, known, 1)
    asked = f"did you mean {near[0]}? " if near else ""
    return f": {asked}See help(kl_plugins.extend.Operations)"
