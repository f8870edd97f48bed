"""Distributions whose parameters have named dimensions: what is computed by name and not by position.

Nothing here knows a library of labelled arrays. Plugins say of a distribution which parameters it has
(`labelled`), and of a class of values who computes with them by name (`by_names_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, Protocol

from kl_plugins.errors import HasNames, NoClosedFormError
from kl_plugins.open_functions import OpenFunction
from kl_plugins.parameters.labels import has_names
from kl_plugins.recognition import load_plugins_of, told_of
from kl_plugins.rules import load_all


class Labelled(NamedTuple):
    """A distribution, or batch of them, as a function of parameters, some with named dimensions.

    ``rebuild(*arrays)`` is the same distribution of arrays without names: each has its batch dimensions
    first, in one order for all of them (leading ones may be left out), and its own `core_dims` last.
    """

    values: tuple[Any, ...]
    """The parameters; those without names are numbers or arrays."""

    core_dims: tuple[tuple[Hashable, ...], ...]
    """The dimensions of each parameter that are not of its batch, in the order that `rebuild` wants."""

    called: tuple[str, ...]
    """What the caller calls the parameters."""

    rebuild: Callable[..., Any]

    event_dims: tuple[Hashable, ...] = ()
    """The dimensions of an event, which the other side of a pair has to have, too."""

    columns: tuple[tuple[Hashable, Hashable], ...] = ()
    """Pairs of core dimensions, rows and columns of a matrix, that are the same variables."""

    repeated: tuple[Hashable, ...] = ()
    """The dimensions of an event over which it is made of independent copies."""


class Compute(Protocol):
    """Compute a function of plain sides by the names of labelled ones: the result has names, too.

    `sides` are the distributions by what messages call them, ``{"p": p, "q": q}``; `found` has what is
    labelled of each, or None. The `function` takes them in this order, rebuilt of plain arrays. It returns
    one array of batch shape for each of `names`, a tuple where these are several; the results are called so.
    """

    def __call__(
        self,
        function: Callable[..., Any],
        sides: Mapping[str, object],
        found: Mapping[str, Labelled | None],
        names: tuple[str, ...],
    ) -> Any: ...


class ByNames(NamedTuple):
    """Who computes by the names that a class of values has."""

    compute: Compute

    stand_ins: Callable[[Mapping[str, object], Mapping[str, Labelled | None]], tuple[object, ...]]
    """The sides by position, for which nothing is computed: `explain` looks at their families."""

    symbolic: bool = False
    """Whether the values are variables of a graph, into which others are taken."""

    lazy: Callable[[Mapping[str, Labelled | None]], bool] = lambda found: False
    """Whether nothing of the sides may be computed before somebody asks for the result."""


@OpenFunction
def labelled(obj: object) -> Labelled | None:
    """What has named dimensions in a distribution; None where nothing has."""
    return None


@OpenFunction
def by_names_of(value: object) -> ByNames | None:
    """Who computes by the names of such a value; None where it has no names."""
    return None


def by_name(
    names: str | tuple[str, ...],
    function: Callable[..., Any],
    *,
    beforehand: Callable[..., object] | None = None,
    **sides: object,
) -> Any:
    """The function of the sides, of which at least one is labelled, by the names of their dimensions.

    Where it is computed later, what it depends on that is known now is asked `beforehand`, of stand-ins.
    """
    who, found = whose_names(sides)
    if beforehand is not None and who.lazy(found):
        beforehand(*who.stand_ins(sides, found))
    return who.compute(function, sides, found, (names,) if isinstance(names, str) else names)


def by_position(**sides: object) -> tuple[object, ...]:
    """The sides as far as they are known without computing anything, with what is labelled by position."""
    who, found = whose_names(sides)
    return who.stand_ins(sides, found)


def whose_names(sides: Mapping[str, object]) -> tuple[ByNames, dict[str, Labelled | None]]:
    """Who computes by the names of the sides, and what is labelled of each."""
    found = {side: labelled_side(obj, side) for side, obj in sides.items()}
    who = [
        driver
        for parts in found.values()
        if parts is not None
        for value in parts.values
        if (driver := _driver(value)) is not None
    ]
    if not who:
        raise HasNames
    return max(who, key=lambda driver: driver.symbolic), found


def dims_of(value: Any) -> tuple[Hashable, ...]:
    """The names of the dimensions of a value; none where it has no names."""
    return tuple(value.dims) if has_names([value]) else ()


def labelled_of(obj: object) -> Labelled | None:
    """What has named dimensions in a distribution of any library."""
    load_plugins_of(type(obj))
    load_all("kl_plugins.labelled")  # where our own distributions are registered
    return labelled(obj)


def labelled_side(obj: object, side: str) -> Labelled | None:
    """As `labelled_of`; errors say which side it is."""
    try:
        part = labelled_of(obj)
    except (TypeError, ValueError) as error:
        raise told_of(error, side) from error
    return part and part._replace(rebuild=_Rebuilt(side, part.rebuild))


class _Rebuilt:
    """What makes a side of arrays, with errors that say which side it is."""

    def __init__(self, side: str, rebuild: Callable[..., Any]) -> None:
        self.side, self.rebuild = side, rebuild

    def __call__(self, *arrays: Any) -> Any:
        try:
            return self.rebuild(*arrays)
        except (TypeError, ValueError, NoClosedFormError) as error:
            raise told_of(error, self.side) from error


def _driver(value: object) -> ByNames | None:
    load_plugins_of(type(value))
    return by_names_of(value)
