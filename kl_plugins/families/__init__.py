"""Families of distributions, one module each, imported when they are first asked for."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    module = f"{__name__}.{name}"
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
