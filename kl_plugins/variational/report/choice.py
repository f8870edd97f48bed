"""Which coordinates of a diagnosis are meant by names, of variables or elements, on either scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pymc.util import get_untransformed_name, is_transformed_name

from kl_plugins.families.named import some_of
from kl_plugins.variational.report.findings import Findings


def chosen_coordinates(findings: Findings, names: str | Sequence[str]) -> list[int]:
    """Where the coordinates of these names are, of a variable all of its elements.

    Names are those of the unconstrained space, or the model's own: ``tau`` is ``tau_log__``.

    Raises
    ------
    TypeError
        If these are no names.
    ValueError
        If nothing has such a name, or there is none.
    """
    known = _places(findings)
    if not isinstance(names, Iterable):
        raise TypeError(f"var_names has to be names, got {names!r}")
    given = [names] if isinstance(names, str) else list(names)
    if not given:
        raise ValueError(f"var_names is empty; there are {some_of(findings.names)}")
    if unknown := [name for name in given if name not in known]:
        raise ValueError(
            f"{unknown[0]!r} is not a coordinate; there are {some_of(findings.names)}, and none of "
            "Deterministics"
        )
    return list(dict.fromkeys(place for name in given for place in known[name]))


def chosen_pair(findings: Findings, pair: Sequence[str]) -> tuple[int, int]:
    """Where the two coordinates of these names are.

    Raises
    ------
    ValueError
        If they are not the names of two coordinates.
    """
    expected = f"pair has to be the names of two coordinates, such as {findings.names[:2]}"
    if isinstance(pair, str) or len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError(f"{expected}, got {pair!r}")
    places = chosen_coordinates(findings, pair)
    if len(places) != 2:
        raise ValueError(f"{expected}, got {some_of([findings.names[i] for i in places])}")
    return places[0], places[1]


def _places(findings: Findings) -> dict[str, list[int]]:
    """The coordinates that every name stands for."""
    known: dict[str, list[int]] = {}
    start = 0
    for variable in findings.approximation.variables:
        places = list(range(start, start + variable.size))
        start += variable.size
        known[variable.name] = places
        own = variable.elements
        if is_transformed_name(variable.name):
            plain = replace(variable, name=get_untransformed_name(variable.name))
            known[plain.name] = places
            shown = {name for name in findings.elements.names if name.partition("[")[0] == plain.name}
            # Some transforms, as that of a simplex, have fewer elements, which are none of the variable's.
            own += plain.elements if shown == set(plain.elements) else ()
        known |= {name: [places[i % variable.size]] for i, name in enumerate(own)}
    return known
