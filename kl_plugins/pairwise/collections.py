"""What `pairwise_kl` is given: the distributions of a side, in order, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kl_plugins.errors import HasNames
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.stacking import members
from kl_plugins.labelled import whose_names
from kl_plugins.matching import own_rule, recognised
from kl_plugins.mistakes import numbers_in
from kl_plugins.pairwise.singly import NO_GRAPHS
from kl_plugins.recognition import load_plugins_of, recognise, representative

Keys = Sequence[object] | None
"""What the members of a side are called, if not by their places."""


class Named(NamedTuple):
    """Distributions with a key each."""

    distributions: list[object]
    keys: Any
    """A list, or a pandas.Index."""


def named(side: Any, name: str) -> Named | None:
    """The distributions of a dictionary, a Series or a DataArray with their keys; None where none has any."""
    if isinstance(side, Mapping):
        return Named(list(side.values()), list(side))
    if hasattr(side, "dims") and hasattr(side, "to_series") and side.ndim == 1 and side.dtype.kind == "O":
        side = side.to_series()  # of xarray
    if not (hasattr(side, "reindex") and hasattr(side, "axes")):  # pandas, which need not be there
        return None
    if side.ndim == 1:
        return Named(list(side), side.index) if side.dtype.kind == "O" else None
    if any(dtype.kind == "O" for dtype in side.dtypes):
        raise TypeError(
            f"{name}: a DataFrame of distributions has two keys for each: pass frame.stack(), of which "
            "pairwise_kl compares all with all"
        )
    return None


def listed(side: Any) -> Any:
    """What can be gone through as a list; sequences, distributions, and tables of data as they are."""
    if isinstance(side, Sequence) or not isinstance(side, Iterable) or getattr(side, "ndim", 1) != 1:
        return side
    load_plugins_of(type(side))  # a distribution may be iterable, as the variables of PyTensor are
    return side if recognise.knows(type(side)) else list(side)


def have_own_rules(ps: object, qs: object) -> bool:
    """Whether a closed form is registered for the objects' own classes, which need not be recognised."""
    left, right = _of_each_class(ps), _of_each_class(qs)
    return any(own_rule(p, q) is not None for p in left for q in right)


def _of_each_class(side: object) -> list[object]:
    """One object of each class, a class being what rules are registered for."""
    objects = side if isinstance(side, Sequence) else [side]
    for one in objects:
        load_plugins_of(type(one))
    return list({type(representative(one)): one for one in objects}.values())


def objects_of(side: Any, name: str) -> Sequence[object]:
    """The objects of a side as they were given; of a batch its members."""
    return side if isinstance(side, Sequence) else members(collected(side, name))


def collected(side: Any, name: str, keys: Keys = None) -> Distribution | list[Distribution]:
    """One batch, or a list of single distributions; all of them recognised. Errors name members by keys."""
    single = not isinstance(side, Sequence)
    if not single and (told := numbers_in(side)):
        raise TypeError(f"{name}: {told}")
    places: Any = range(0 if single else len(side)) if keys is None else keys
    names = [name] if single else [f"{name}[{key!r}]" for key in places]
    made = [_recognised(*one) for one in zip([side] if single else side, names, strict=True)]
    for which, one in zip(names, made, strict=True):
        if one.ops.symbolic:
            raise TypeError(f"{which}: {NO_GRAPHS}")
        if len(one.batch_shape) != single:
            remedy = "" if one.batch_shape else ": a single one goes in a list, [q], or a slice, .iloc[:1]"
            raise ValueError(
                f"{which}: pairwise_kl takes one distribution with one batch dimension or a sequence of "
                f"distributions without any, got {one.describe()} with batch shape {one.batch_shape}{remedy}"
            )
    return made[0] if single else made


def _recognised(obj: object, which: str) -> Distribution:
    """A member of a side; an error where it has names, of which the table of a list has none."""
    try:
        return recognised(obj, which)
    except HasNames as error:
        if whose_names({which: obj})[0].symbolic:
            raise TypeError(f"{which}: {NO_GRAPHS}") from error
        raise HasNames(
            f"{which} is of labelled arrays, whose names a table of several distributions has no place for: "
            "pass one distribution, whose parameters hold all members along a dimension (xarray.concat), or "
            "single members of plain numbers (.isel picks one of a batch, .values leaves its names out); kl "
            "takes a pair by name"
        ) from error
