"""Names that have changed: the old ones work for a release, with a DeprecationWarning."""

from collections.abc import Callable
from importlib import import_module
from typing import Any
from warnings import warn


def old_names(module: str, changed: dict[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module: by each name that is not here now, where it is."""

    def find(name: str) -> Any:
        if name not in changed:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, new = changed[name].rpartition(".")
        warn(f"{module}.{name} is {changed[name]} now", DeprecationWarning, stacklevel=2)
        return getattr(import_module(home), new)

    return find
