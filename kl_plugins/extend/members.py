"""The members of a univariate family that it is judged at."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from kl_plugins.families.core.discrete import Discrete
from kl_plugins.parameters.declarations import EXTENDED_REAL, REAL, Parameter

_BETWEEN = 0.6180339887
"""How far from the first typical value to the last another lies: the middle of two may be special."""

_OTHER_SCALE, _OTHER_LOC = 1.7, 0.6
"""The factor between two scales, and the difference of two locations, in scales, of alike members."""


def typical_members(family: Any) -> list[Any]:
    """Members of the typical values of the parameters, and some between, where conditions admit them.

    A typical value that is special, such as one at which a coefficient vanishes, may hide what is wrong at
    all others, so may locations and scales that change together: one member has values between the typical
    ones, and there are others of its location and another scale, and of its scale and another location.
    """
    stated = _values(family)
    count = max(map(len, stated.values()), default=1)
    members = [{name: typical[i % len(typical)] for name, typical in stated.items()} for i in range(count)]
    try:
        made = [family(**member) for member in members]
    except ValueError as error:
        hint = "state typical values that fit together, or give members"
        raise ValueError(f"{family.__name__}, of typical values: {error}; {hint}") from None
    for further in _between(family, stated):
        if further not in members:
            members.append(further)
            with suppress(ValueError):
                made.append(family(**further))
    return made


def _values(family: Any) -> dict[str, tuple[Any, ...]]:
    """The typical values of each parameter."""
    if family.parts:
        raise TypeError(
            f"{family.__name__} has parts ({', '.join(family.parts)}): give members that hold them"
        )
    values, shift = {}, 0.0
    for name, stated in family.parameters.items():
        if not stated.typical:
            raise TypeError(f"{family.__name__}.{name} has no typical values: state them, or give members")
        values[name] = stated.typical
        if stated.domain in (REAL, EXTENDED_REAL) and stated.typical == stated.domain.typical:
            values[name], shift = tuple(x + shift for x in stated.typical), shift + 1.0  # none is another
    return values


def _between(family: Any, values: dict[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Values between the first and the last typical ones, and those with another location or scale."""
    first, last = ({name: typical[i] for name, typical in values.items()} for i in (0, -1))
    moves = not issubclass(family, Discrete)
    inner = {
        name: _mean(first[name], last[name])
        if _is_number(stated) and (moves or name != "loc")
        else first[name]
        for name, stated in family.parameters.items()
    }
    found = [inner]
    if moves and "scale" in inner:
        # Of other shapes, too: a divergence may depend on the scales in one of the shapes alone.
        found.append({**first, **_of(inner, "loc"), "scale": _OTHER_SCALE * inner["scale"]})
        if "loc" in inner:
            found.append({**last, **_of(inner, "scale"), "loc": inner["loc"] + _OTHER_LOC * inner["scale"]})
    return found


def _of(member: dict[str, Any], name: str) -> dict[str, Any]:
    return {name: member[name]} if name in member else {}


def _is_number(stated: Parameter) -> bool:
    """Whether values between two of the parameter's are values of it."""
    return stated.domain is not None and not stated.domain.whole and not stated.core_ndim


def _mean(first: float, second: float) -> float:
    """A number between two; what adds up to the same for both, such as p and 1 − p, does for it."""
    return first if first == second else float(first + _BETWEEN * (second - first))
