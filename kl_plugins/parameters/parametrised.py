"""The base of every immutable object whose parameters are arrays of one backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copyreg import __newobj__  # type: ignore[attr-defined]
from dataclasses import fields
from functools import cache, cached_property
from typing import Any, ClassVar, Self, dataclass_transform

import numpy as np

from kl_plugins.ops import array_backend_of, backend_of, floats
from kl_plugins.ops.named import BY_NAME
from kl_plugins.ops.protocol import Array, ArrayOperations, Conditions
from kl_plugins.parameters.certainty import equal_where, is_literal
from kl_plugins.parameters.declarations import Parameter, constant, declare, parameter, part
from kl_plugins.parameters.labels import Labels, are_plain, has_names, joined, labels_of
from kl_plugins.parameters.shapes import Shape, broadcast_shapes

_PLAIN = frozenset({float, int, np.float64})
"""Types of a single number that `scalar` computes with."""


_PLACES = frozenset({"loc", "scale"})
"""Parameters whose values may be compared, but that do not decide what is known in closed form."""


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@dataclass_transform(eq_default=False, frozen_default=True, field_specifiers=(parameter, part, constant))
class Parametrised:
    """An immutable object whose parameters are converted and checked when it is made.

    A subclass declares each by `parameter`, `part` or `constant`, and becomes a frozen dataclass of them.
    Numbers are checked at once; symbolic parameters can only be checked when the graph runs, so `conditions`
    hands their checks to the caller.
    """

    parameters: ClassVar[dict[str, Parameter]] = {}
    """The declarations of those that are arrays, or numbers, by name."""

    parts: ClassVar[tuple[str, ...]] = ()
    """The names of those that are objects with parameters themselves, or tuples of such."""

    find_backend: ClassVar[Callable[..., ArrayOperations]] = staticmethod(backend_of)

    ops: ArrayOperations
    """The operations on its parameters."""

    may_hold_nan: bool = False
    """Whether a parameter may be NaN, which is no error: it comes out where it went in."""

    is_checked: bool = False
    """Whether its parameters were numbers when it was made, whose conditions no graph need check again."""

    premises: tuple[tuple[Array, str], ...] = ()
    """Further conditions, of what it was computed from in a graph, with their messages."""

    inside: frozenset[str] = frozenset()
    """The arrays all of whose numbers are certainly in their domains, and so no NaN."""

    _bounds: ClassVar[tuple[tuple[str, float, float, bool], ...]] = ()
    """What the floats of each domain lie between, and whether they are whole, where all have a domain."""

    _may_be_plain: ClassVar[bool] = False
    """Whether single numbers stay floats, and that is all that there is to check."""

    _adds_conditions: ClassVar[bool] = False
    """Whether there is more to check of single numbers than their domains."""

    _batch_stops: ClassVar[tuple[tuple[str, int | None], ...]] = ()
    """Up to where the shape of each parameter is that of its batch dimensions."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.parameters, cls.parts = declare(cls, Parametrised)
        cls._batch_stops = tuple((name, -stated.core_ndim or None) for name, stated in cls.parameters.items())
        domains = [(name, stated.domain) for name, stated in cls.parameters.items()]
        cls._bounds = tuple((name, *domain.bounds(), domain.whole) for name, domain in domains if domain)
        if len(cls._bounds) < len(domains):
            cls._bounds = ()
        cls._may_be_plain = bool(cls._bounds) and cls.find_backend is backend_of
        cls._adds_conditions = cls.further_conditions is not Parametrised.further_conditions
        if "own_conditions" in vars(cls):
            raise TypeError(f"{cls.__name__}.own_conditions: state further_conditions, which adds to domains")

    def __post_init__(self) -> None:
        if self._become_plain():
            return
        values = self.values()
        if has_names(values):  # kept as they are, and made arrays of when something is computed
            self._state(ops=BY_NAME, labels=None)
            array_backend_of(0.0).require(self._domains_of_arrays())
            return
        _ = self.labels  # which arrays of a backend do not have any more
        ops = self.find_backend(*values)
        self._state(**self.converted(ops), ops=ops, may_hold_nan=True)
        self.check_shapes()
        if self.ops.symbolic:
            floats.require(known for known in self.own_conditions() if isinstance(known[0], bool))
        else:
            self._look_inside()
            self.ops.require(self.own_conditions())
        self._complete()

    @classmethod
    def unchecked(cls, ops: ArrayOperations, **state: Any) -> Self:
        """Make the object from arrays of the backend `ops` that are known to be valid: no checks."""
        made = object.__new__(cls)
        made.__dict__.update(state, ops=ops)
        return made

    def _state(self, **state: Any) -> None:
        """Set attributes while the object, which is frozen, is still in the making."""
        self.__dict__.update(state)

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: the backend is a module, and the rest can be computed again."""
        return {name: getattr(self, name) for name in _field_names(type(self))}  # type: ignore[arg-type]

    def __reduce__(self) -> Any:
        """Copies keep the labels too, which cannot be computed again."""
        labels = self.labels
        state = self.__getstate__() | ({} if labels is None else {"labels": labels})
        return __newobj__, (type(self),), state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._state(**state)
        values = self.values()
        self._state(ops=BY_NAME if has_names(values) else self.find_backend(*values))

    def _domains_of_arrays(self) -> Conditions:
        """The conditions that the domains are for those parameters with names that hold numbers already."""
        for name, stated in self.parameters.items():
            array = getattr(getattr(self, name), "data", None)
            if type(array) is np.ndarray and array.dtype.kind in "iuf":
                yield from stated.conditions(array, array_backend_of(array))

    def remade(self, **state: Any) -> Self:
        """One of the same class, made of other fields as a caller makes it: converted and checked."""
        made = object.__new__(type(self))
        made._state(**self.__getstate__() | state)
        made.__post_init__()
        return made

    def values(self) -> list[Array]:
        """All array parameters, those of the parts included."""
        own = [getattr(self, name) for name in self.parameters]
        for component in self.components():
            own += component.values()
        return own

    def components(self) -> list[Any]:
        """The objects with parameters that it is made of."""
        held = [self.__dict__[name] for name in self.parts]
        return [part for parts in held for part in (parts if isinstance(parts, tuple) else (parts,))]

    def parts_by(self, function: Callable[[Any], Any]) -> dict[str, Any]:
        """What a function makes of the parts, by the names of their fields."""
        held = {name: getattr(self, name) for name in self.parts}
        return {
            name: tuple(map(function, one)) if isinstance(one, tuple) else function(one)
            for name, one in held.items()
        }

    @cached_property
    def batch_shape(self) -> Shape:
        """The shape that the batch dimensions of parameters and parts broadcast to."""
        state, shape = self.__dict__, self.ops.shape
        shapes = [shape(state[name])[:stop] for name, stop in self._batch_stops]
        if self.parts:
            shapes += [component.batch_shape for component in self.components()]
        return shapes[0] if len(shapes) == 1 else broadcast_shapes(*shapes)

    @cached_property
    def labels(self) -> Labels | None:
        """The labels of the parameters that it was made of; ValueError where they contradict each other."""
        found = None
        if not are_plain([getattr(self, name) for name in self.parameters]):
            given = self.parameters.items()
            found = labels_of(
                (stated.called, getattr(self, name), stated.core_ndim) for name, stated in given
            )
        for labels in self.labels_of_parts():
            found = joined(found, labels)
        return found

    def labelled(self, labels: Labels | None) -> Self:
        """The same object, which is new and nobody else's, with these labels."""
        if labels is not None:
            self._state(labels=labels)
        return self

    def labels_of_parts(self) -> list[Labels | None]:
        return [component.labels for component in self.components()]

    def cores(self) -> Iterator[tuple[str, int]]:
        """The name of each array and its number of dimensions that are not batch dimensions."""
        return ((name, stated.core_ndim) for name, stated in self.parameters.items())

    def to(self, ops: ArrayOperations, beside: Sequence[Array] = ()) -> Self:
        """Return the same object with its parameters as arrays of the backend `ops`.

        `beside` are the values that it is used with: plain numbers take on their precision.
        """
        if self.ops is ops:
            return self
        # Fields only: what was computed from them belongs to the old backend.
        state = self.converted(ops, beside)
        plain = self.ops.scalar and not self.may_hold_nan
        inside = frozenset(self.parameters) if plain else self.inside
        return self.unchecked(ops, **state, is_checked=not self.ops.symbolic, inside=inside)

    def to_arrays(self) -> Self:
        """Return the same object with every parameter as an array of NumPy.

        The literal ones too, but for those that decide what is known in closed form.
        """
        state = self.__getstate__() | self.parts_by(lambda part: part.to_arrays())
        for name, stated in self.parameters.items():
            if name in _PLACES or not (stated.static and is_literal(state[name])):
                state[name] = np.asarray(state[name], np.float64)
        return self.unchecked(array_backend_of(0.0), **state)

    def mapped(self, function: Callable[[Array], Array]) -> Self:
        """The same object of what a function makes of its arrays, those of its parts included."""
        state = self.__getstate__() | self.parts_by(lambda part: part.mapped(function))
        state |= {name: function(state[name]) for name in self.parameters}
        return self.unchecked(self.ops, **state, is_checked=self.is_checked, inside=self.inside)

    def converted(self, ops: ArrayOperations, beside: Sequence[Array] = ()) -> dict[str, Any]:
        """Its fields, parameters as arrays of the backend `ops` with the precision of what is `beside`."""
        state = self.__getstate__()
        beside = [*beside, *[state[name] for name in self.parameters]]
        for name, stated in self.parameters.items():
            known = ops.literal(state[name]) if stated.static else None
            state[name] = ops.asarray(state[name], stated.called, beside) if known is None else known
        return state | self.parts_by(lambda part: part.to(ops))

    def _look_inside(self) -> None:
        """Note which arrays lie in their domains with all their numbers, by the least and the largest."""
        certain = [name for name, low, high, _ in self._bounds if self.is_between(name, low, high)]
        self._state(inside=frozenset(certain))

    def is_between(self, name: str, low: float, high: float) -> bool:
        """Whether all numbers of an array are certainly between the two, and so none is NaN."""
        return self.ops.inside(getattr(self, name), low, high)

    def same_where(self, other: Parametrised) -> Array:
        """Where another object of this backend is certainly the same: True or False, or an array."""
        if type(self) is not type(other):
            return False
        found: Array = True
        for name in self.__getstate__():
            first, second = getattr(self, name), getattr(other, name)
            if name in self.parameters:
                found = found & self._equal_where(first, second, self.parameters[name].core_ndim)
            elif isinstance(first, Parametrised):
                found = found & first.same_where(second)
            else:
                found = found & (first == second)
            if found is False:
                return False
        return found if self.ops.symbolic else bool(np.all(found)) or found

    def _equal_where(self, first: Array, second: Array, core_ndim: int) -> Array:
        """Which members of a parameter are certainly equal: vectors of one length, in all entries."""
        ops = self.ops
        if not core_ndim or ops.graphs:
            return equal_where(first, second, ops)
        if ops.shape(first)[-core_ndim:] != ops.shape(second)[-core_ndim:]:
            return False  # one entry beside several would be repeated
        found = equal_where(first, second, ops)
        return found if isinstance(found, bool) else found.all(tuple(range(-core_ndim, 0)))

    def has_no_nan(self) -> bool:
        """Whether that is certain of all arrays."""
        return len(self.inside) == len(self.parameters)

    def _complete(self) -> None:
        """Compute at once what shows whether valid-looking parameters are so."""

    def _become_plain(self) -> bool:
        """Take plain parameters at once where they are certainly valid; else leave them to be looked at.

        Here: parameters that are all single numbers of their domains, beside single parts of such.
        """
        if not self._may_be_plain:
            return False
        state = self.__dict__
        for name in self.parts:
            component = state[name]
            if isinstance(component, tuple) or component.ops is not floats:
                return False
        for name, low, high, whole in self._bounds:
            value = state[name]
            if not is_literal(value):
                if type(value) not in _PLAIN:
                    return False
                try:
                    value = state[name] = float(value)
                except OverflowError:
                    return False
            if not low < value < high or (whole and value % 1.0):
                return False
        state["ops"] = floats
        return not self._adds_conditions or self._meets_further()

    def _meets_further(self) -> bool:
        """Whether plain parameters certainly meet `further_conditions`."""
        try:
            return all(holds for holds, _ in self.further_conditions())
        except ArithmeticError:  # of NaN
            return False

    def check_shapes(self) -> None:
        """Raise ValueError where the parameters' shapes do not fit together."""

    def own_conditions(self) -> Conditions:
        """Yield (condition, message) for what the object's own parameters must satisfy."""
        for name, stated in self.parameters.items():
            value, inside = getattr(self, name), name in self.inside
            yield from stated.conditions(value, floats if is_literal(value) else self.ops, inside)
        yield from self.further_conditions()

    def further_conditions(self) -> Conditions:
        """Yield (condition, message) for what the domains of its own parameters do not say.

        A hook for classes to state: it adds to the domains. A condition has the batch dimensions of the
        parameters and no others, or is a single one: ``yield self.low < self.high, "low must be < high"``.
        """
        yield from ()

    def provided(self, premises: Conditions) -> Self:
        """The same object, which is new and nobody else's, with conditions of what it was computed from."""
        self._state(premises=tuple(premises))
        return self

    def conditions(self) -> Conditions:
        """Yield (condition, message) for the object's parameters and those of its parts."""
        yield from self.premises
        if self.is_checked:
            return
        yield from (stated for stated in self.own_conditions() if not isinstance(stated[0], bool))
        for component in self.components():
            yield from component.conditions()
