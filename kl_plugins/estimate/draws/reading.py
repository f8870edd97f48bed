"""What holds draws, and how they are read off it: by what objects offer, without their libraries."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kl_plugins.families.named import Variable, element_names, some_of

CHAIN, DRAW = "chain", "draw"
SAMPLES = ("sample", "__sample__")
"""What ArviZ and xarray call stacked chains and draws."""
_HOLDERS = {
    "numpy.ndarray",
    "pandas.Series",
    "pandas.DataFrame",
    "xarray.DataArray",
    "xarray.Dataset",
    "xarray.DataTree",
    "arviz.InferenceData",
}
POSTERIOR = "posterior"


class Read(NamedTuple):
    """Draws as they were read: arrays of shape (chains, draws, elements), one for each variable."""

    arrays: list[NDArray[Any]]
    variables: tuple[Variable, ...] | None
    """None where they have no names."""

    chained: bool
    """Whether the object says which draws are of one chain."""

    @property
    def elements(self) -> tuple[str, ...]:
        """The names of the columns, or what to call them."""
        if self.variables is not None:
            return element_names(self.variables)
        return tuple(f"column {j}" for j in range(sum(array.shape[2] for array in self.arrays)))


def holds_draws(obj: object) -> bool:
    """Whether the object is of a kind that holds draws; what holds other objects than numbers is not."""
    names = [f"{base.__module__.partition('.')[0]}.{base.__qualname__}" for base in type(obj).__mro__]
    if not _HOLDERS.intersection(names) or "numpy.matrix" in names:
        return False
    kinds = getattr(obj, "dtypes", getattr(obj, "dtype", None))
    if "pandas.DataFrame" in names:
        held: Any = obj
        columns = [held.iloc[:, j] for j, kind in enumerate(kinds) if kind.kind == "O"]  # type: ignore[arg-type]
        return all(map(_holds_text, columns))
    if getattr(obj, "ndim", 1) == 0:
        return False
    return getattr(kinds, "kind", "f") != "O" or _holds_text(obj)


def _holds_text(obj: Any) -> bool:
    """Whether objects are text or numbers, of which errors of draws say more than those of distributions."""
    values = np.asarray(obj)
    return bool(values.size) and all(one is None or isinstance(one, _PLAIN) for one in values.flat)


_PLAIN = str, bytes, int, float


def read(obj: Any, chain_dim: Any) -> Read:
    """The draws that an object holds; `chain_dim` is the axis or the dimension of chains, if that is said."""
    if hasattr(obj, "data_vars") or hasattr(obj, "groups"):
        try:
            posterior = posterior_in(obj)
        except ValueError as error:
            raise ValueError(
                f"there is no group {POSTERIOR} ({error}): pass one of its groups, x[name]"
            ) from None
        if not len(posterior.data_vars):
            raise ValueError("there are no variables in it")
        return _of_labelled(list(posterior.data_vars.values()), chain_dim)
    if hasattr(obj, "dims"):
        return _of_labelled([obj], chain_dim)
    if hasattr(obj, "columns"):
        _no_chains(obj, chain_dim)
        arrays = [obj.iloc[:, j].to_numpy()[None, :, None] for j in range(obj.shape[1])]
        names = [str(name) for name in obj.columns]
        if len(set(names)) < len(names):
            raise ValueError("two of its columns have the same name: rename them")
        if {CHAIN, DRAW} <= set(names):
            raise ValueError(
                f"its columns {CHAIN} and {DRAW} number the draws, and are none: leave them out, "
                f"as x.drop(columns=[{CHAIN!r}, {DRAW!r}]) does"
            )
        return Read(arrays, tuple(Variable(name, ()) for name in names), False)
    if hasattr(obj, "to_numpy"):
        _no_chains(obj, chain_dim)
        return Read([obj.to_numpy()[None, :, None]], None, False)
    return _of_array(unmasked(obj, "draws"), chain_dim)


def unmasked(values: Any, called: str) -> NDArray[Any]:
    """An array; ValueError where some of it is masked."""
    if np.ma.isMaskedArray(values) and np.ma.getmaskarray(values).any():
        raise ValueError(
            f"some of the {called} are masked. Leave these draws out, if they are missing at random, as "
            "x.compressed() does for one number a draw"
        )
    return np.asarray(values)


def in_order_of(draws: Any, weights: Any, chain_dim: Any) -> Any:
    """Weights in the order of the draws, where both have labels; ValueError where these differ."""
    if hasattr(weights, "reindex") and hasattr(weights, "index") and hasattr(draws, "index"):
        if weights.index.equals(draws.index):
            return weights
        if _same_labels(weights.index, draws.index):
            return weights.reindex(draws.index)
        raise ValueError(_OTHER_LABELS.format(where="their index"))
    if not hasattr(weights, "dims") or not (has_groups(draws) or hasattr(draws, "dims")):
        return weights
    held, chain = posterior_in(draws), CHAIN if chain_dim is None else chain_dim
    if chain in weights.dims:
        weights = weights.transpose(chain, ...)
    elif len(weights.dims) > 1:
        raise ValueError(
            f"weights have no dimension {chain!r}, but {some_of([str(d) for d in weights.dims])}"
        )
    for dim in weights.dims:
        if dim not in weights.indexes or dim not in held.indexes:
            continue
        own, other = weights.indexes[dim], held.indexes[dim]
        if not own.equals(other):
            if not _same_labels(own, other):
                raise ValueError(_OTHER_LABELS.format(where=f"their coordinates along {dim!r}"))
            weights = weights.sel({dim: held[dim].values})
    return weights


_OTHER_LABELS = (
    "weights have other labels than the draws in {where}: align them, or pass an array, which goes by "
    "position"
)


def _same_labels(one: Any, other: Any) -> bool:
    """Whether two indexes differ in their order only."""
    return bool(one.is_unique and other.is_unique and len(one) == len(other) and one.isin(other).all())


def has_groups(obj: object) -> bool:
    """Whether the object is a DataTree, whole or one of its groups, or an InferenceData."""
    kind = type(obj)
    return _is_tree(kind) or (hasattr(kind, "groups") and hasattr(kind, "add_groups"))


def _is_tree(kind: type) -> bool:
    return hasattr(kind, "children") and hasattr(kind, "to_dataset")


def posterior_in(obj: Any) -> Any:
    """The Dataset itself, or the posterior's among groups; ValueError, which says what there is, if not."""
    if not has_groups(obj):
        return obj
    if _is_tree(type(obj)):
        if POSTERIOR in obj.children:
            return obj.children[POSTERIOR].to_dataset()
        if len(obj.data_vars):
            return obj.to_dataset()
        groups = list(obj.children)
    else:
        groups = list(obj.groups())
        if POSTERIOR in groups:
            return obj[POSTERIOR]
    raise ValueError(f"it has {', '.join(map(str, groups))}" if groups else "it is empty")


def _no_chains(obj: object, chain_dim: Any) -> None:
    if chain_dim is not None:
        raise ValueError(
            f"chain_dim is for arrays, and dimensions of xarray, not for {type(obj).__qualname__}: pass an "
            "array of shape (chains, draws, d)"
        )


def _of_array(array: NDArray[Any], chain_dim: Any) -> Read:
    """Shape (n,) or (n, d), and with an axis of chains (chains, n) or (chains, n, d)."""
    if chain_dim is None:
        array = array[None]
    else:
        if not isinstance(chain_dim, int | np.integer) or not -array.ndim <= chain_dim < array.ndim:
            raise ValueError(
                f"chain_dim must be an axis of the array, which has shape {array.shape}, got {chain_dim!r}"
            )
        array = np.moveaxis(array, int(chain_dim), 0)
    if array.ndim not in (2, 3):
        shape = array.shape[1:] if chain_dim is None else array.shape
        raise ValueError(
            f"draws are an array of shape (n,) or (n, d), got shape {shape}. Of chains, shape (chains, n, "
            "d), they are kl_plugins.draws(x, chain_dim=0); of matrices, reshape each into a vector"
        )
    return Read([array.reshape(*array.shape[:2], prod(array.shape[2:]))], None, chain_dim is not None)


def _of_labelled(held: list[Any], chain_dim: Any) -> Read:
    """Arrays of xarray, by the names of their dimensions."""
    named = {str(array.name) for array in held}
    chain = CHAIN if chain_dim is None else chain_dim
    arrays, variables, chained = [], [], False
    for array in held:
        called = "the array" if array.name is None else repr(str(array.name))
        dims = list(array.dims)
        if chain_dim is not None and chain not in dims:
            raise ValueError(
                f"{called} has no dimension {chain!r}, but {some_of([str(dim) for dim in dims])}"
            )
        draw = next((dim for dim in (DRAW, *SAMPLES) if dim in dims and dim != chain), None)
        others = [dim for dim in dims if dim not in (chain, draw)]
        if draw is None and len(others) == 1 and (len(held) == 1 or chain in dims):
            draw = others.pop()
        if draw is None:
            raise ValueError(
                f"{called} has no dimension {DRAW!r}, but {some_of([str(dim) for dim in dims]) or 'none'}: "
                f"rename the dimension that the draws are along, as .rename({{name: {DRAW!r}}}) does"
            )
        before = [dim for dim in (chain, draw) if dim in dims]
        values = np.asarray(array.transpose(*before, *others).values)
        values = values if chain in dims else values[None]
        shape = values.shape[2:]
        chained |= chain in dims
        coords = tuple((str(dim), tuple(map(str, array[dim].values))) for dim in others)
        arrays.append(values.reshape(*values.shape[:2], prod(shape)))
        variables.append(Variable("x" if array.name is None else str(array.name), shape, coords))
    if len({array.shape[:2] for array in arrays}) > 1:
        raise ValueError(f"{some_of(sorted(named))} have different numbers of draws")
    nameless = len(held) == 1 and held[0].name is None
    return Read(arrays, None if nameless else tuple(variables), chained)
