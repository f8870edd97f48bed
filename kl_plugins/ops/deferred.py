"""Operations that are put off: a formula runs for its decisions, and what none asks for is not computed."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from kl_plugins.ops import floats
from kl_plugins.ops.protocol import Array, Operations

_ASKED = frozenset({"known", "known_log", "literal", "same", "shape", "runtime_shape", "inside"})
"""Operations that say what is known of their arguments: these are what decisions are made of."""

_PLAIN = (bool, int, float)


class Deferred:
    """A number, an array or a variable that is computed when somebody decides by it."""

    def __init__(self, function: Callable[..., Any], *args: Any, **options: Any) -> None:
        self._call: tuple[Callable[..., Array], tuple[Array, ...], dict[str, Array]] | None = (
            function,
            args,
            options,
        )
        self._value: Array = None

    def now(self) -> Array:
        if self._call is not None:
            function, args, options = self._call
            options = {name: now(value) for name, value in options.items()}
            self._value, self._call = now(function(*map(now, args), **options)), None
        return self._value

    def is_given(self) -> bool:
        return self._call is None or self._call[0] is _itself

    def arguments(self) -> tuple[Array, ...]:
        """What it is computed of, or the value once it is."""
        return (self._value,) if self._call is None else (*self._call[1], *self._call[2].values())

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return Deferred(getattr(ufunc, method), *inputs, **options)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.now(), dtype)

    def __bool__(self) -> bool:
        return bool(self.now())

    def __float__(self) -> float:
        return float(self.now())

    def __len__(self) -> int:
        return len(self.now())

    def __iter__(self) -> Iterator[Array]:
        return iter(self.now())

    def __getitem__(self, index: Array) -> Deferred:
        return Deferred(operator.getitem, self, index)

    def astype(self, dtype: Any) -> Deferred:
        return Deferred(lambda value: value.astype(dtype), self)

    def sum(self, axis: Array = None) -> Deferred:
        return Deferred(lambda value: value.sum(axis), self)

    def __getattr__(self, name: str) -> Any:
        """What else there is to ask of an array: its shape, its type, whether all or any of it are true."""
        if name.startswith("__"):
            raise AttributeError(name)
        value = self.now()
        return getattr(np.asarray(value) if type(value) in _PLAIN else value, name)


def leaves(value: Array) -> Iterator[Array]:
    """What a value is computed of, which nobody has put off."""
    seen, left = set(), [value]
    while left:
        value = left.pop()
        if isinstance(value, list | tuple):
            left.extend(value)
        elif not isinstance(value, Deferred):
            yield value
        elif id(value) not in seen:
            seen.add(id(value))
            left.extend(value.arguments())


def now(value: Array) -> Array:
    """The value itself, computed if that was put off."""
    if isinstance(value, list | tuple) and any(isinstance(item, Deferred) for item in value):
        return type(value)(map(now, value))
    return value.now() if isinstance(value, Deferred) else value


def _put_off(function: Callable[..., Array], turned: bool = False) -> Callable[..., Array]:
    def method(self: Any, *others: Any) -> Deferred:
        return Deferred(function, *others, self) if turned else Deferred(function, self, *others)

    return method


for _name in ("add", "sub", "mul", "truediv", "pow", "mod", "and_", "or_", "xor", "matmul"):
    _plain = _name.rstrip("_")
    setattr(Deferred, f"__{_plain}__", _put_off(getattr(operator, _name)))
    setattr(Deferred, f"__r{_plain}__", _put_off(getattr(operator, _name), turned=True))
for _name in ("neg", "pos", "abs", "invert", "lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Deferred, f"__{_name}__", _put_off(getattr(operator, _name)))


class _Operations(ModuleType):
    """The operations of a backend, put off; but for those that say what is known."""

    def __init__(self, ops: Operations) -> None:
        super().__init__("deferred")
        self._ops = ops
        self.symbolic, self.scalar, self.graphs = ops.symbolic, False, ops.graphs

    def _known(self, value: Array) -> Array | None:
        """As in the operations, but what depends on an unknown variable is not built to see that."""
        if self.symbolic and any(self._ops.known(leaf) is None for leaf in leaves(value)):
            return None
        return self._ops.known(now(value))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def operation(*args: Any, **options: Any) -> Any:
            return getattr(self._ops, name)(*args, **options)

        if name == "known":
            return self._known
        if name == "known_log":  # what a formula computes has none, but for what it was given
            return lambda value: operation(now(value)) if _is_given(value) else None
        if name in _ASKED:
            return lambda *args: operation(*map(now, args))
        return lambda *args, **options: Deferred(operation, *args, **options)


@cache
def _deferring(ops: Operations) -> ModuleType:
    return _Operations(ops)


class _Undecided(Deferred):
    """What may turn out to be a plain number, which decides."""


def put_off(ops: Operations, function: Callable[..., Array], *args: Array) -> Array:
    """``function(*args)``, put off where the operations `ops` are, until `decided` asks for it."""
    return _Undecided(function, *args) if isinstance(ops, _Operations) else function(*args)


def decided(value: Array) -> Array:
    """The value itself, computed if `put_off` put it off."""
    return value.now() if isinstance(value, _Undecided) else value


def of_floats(ops: Operations) -> ModuleType:
    """The operations on floats alone: put off where those of `ops` are."""
    return _deferring(floats) if isinstance(ops, _Operations) else floats


def deferred(*sides: Any) -> list[Any]:
    """The same objects with parameters whose operations are put off; literal numbers stay what they are."""
    held: dict[int, Deferred] = {}
    return [_deferred(side, held) for side in sides]


def _itself(value: Array) -> Array:
    return value


def _is_given(value: Array) -> bool:
    """Whether nothing has to be computed for it: a parameter, or what is known already."""
    return not isinstance(value, Deferred) or value.is_given()


def _deferred(side: Any, held: dict[int, Deferred]) -> Any:
    state = side.__getstate__()
    for name in side.parameters:
        if type(value := state[name]) is not float:
            state[name] = held.setdefault(id(value), Deferred(_itself, value))
    for name in side.parts:
        state[name] = _deferred(state[name], held)
    return side.unchecked(_deferring(side.ops), **state)
