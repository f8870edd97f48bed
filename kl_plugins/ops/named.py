"""What stands for the operations on parameters with named dimensions: there are none by position."""

from __future__ import annotations

from typing import NoReturn, cast

from kl_plugins.errors import HasNames
from kl_plugins.ops.protocol import ArrayOperations


class _None:
    """Operations of which each is a `HasNames` where it is asked for."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # what Python and its tools ask of any object
            raise AttributeError(name)
        raise HasNames

    def __repr__(self) -> str:
        return "by name"

    def __reduce__(self) -> str:
        return "BY_NAME"


BY_NAME = cast(ArrayOperations, _None())
"""The operations of an object whose parameters have named dimensions."""
