"""Functions of one object that anybody may teach further classes, and what they found before."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch, update_wrapper
from typing import Any, Generic, TypeVar, overload
from weakref import ReferenceType, ref

from kl_plugins.mistakes import check_class

Result = TypeVar("Result")
Taught = TypeVar("Taught", bound=Callable[..., Any])


class OpenFunction(Generic[Result]):
    """A function of one object: that registered for its class or the nearest base, else the decorated one."""

    def __init__(self, function: Callable[[Any], Result]) -> None:
        self._default = function
        self._functions = singledispatch(function)
        update_wrapper(self, function)

    def __call__(self, obj: object) -> Result:
        return self.dispatch(type(obj))(obj)

    @overload
    def register(self, kind: type, function: Taught) -> Taught: ...
    @overload
    def register(self, kind: type) -> Callable[[Taught], Taught]: ...
    def register(self, kind: type, function: Any = None) -> Any:
        """Register a function for a class and those that inherit it; without one, decorate it."""
        name = getattr(self, "__name__", "")
        check_class(kind, f"{name}.register: kind", instead=f"write @{name}.register(Class) above a function")
        if function is None:
            return lambda function: self.register(kind, function)
        self._functions.register(kind, function)
        forget()
        return function

    def dispatch(self, kind: type) -> Callable[[Any], Result]:
        """The function for the objects of a class."""
        return self._functions.dispatch(kind)

    def knows(self, kind: type) -> bool:
        """Whether a function is registered for a class or one of its bases."""
        return self.dispatch(kind) is not self._default


_known: dict[int, tuple[ReferenceType[Any], Callable[[Any], bool], Any]] = {}
"""By the identity of an object, while it lives: whether it is as it was, and what it was recognised as."""


def remember(obj: object, made: Any, is_as_it_was: Callable[[Any], bool]) -> None:
    """Keep what an object was recognised as, which may take longer than the divergence.

    `is_as_it_was` is asked of the object every time: whether all that it was recognised by is the same.
    """
    key = id(obj)
    _known[key] = ref(obj, lambda _: _known.pop(key, None)), is_as_it_was, made


def remembered(obj: object) -> Any:
    """What the object was recognised as before; None if it was not, or has changed."""
    known = _known.get(id(obj))
    if known is None:
        return None
    reference, is_as_it_was, made = known
    return made if reference() is obj and is_as_it_was(obj) else None


def forget() -> None:
    """Recognise all objects anew: what was registered may be for these very ones."""
    _known.clear()
