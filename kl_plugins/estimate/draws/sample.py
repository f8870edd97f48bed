"""The draws of a side: what the caller says of them, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kl_plugins.estimate.draws.reading import Read, holds_draws, in_order_of, read, unmasked
from kl_plugins.families.named import Variable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of a distribution, as `kl_plugins.draws` makes them for `estimate_kl`.

    Attributes
    ----------
    chains : ndarray, shape (chains, draws, d)
    weights : ndarray, shape (chains, draws), or None
    variables : tuple of Variable, or None
        The names, shapes and coordinates of what the d elements are, where they have names.
    elements : tuple of str
        The names of the d elements, or what messages call them.
    counting : tuple of bool
        Of each element, whether it is an integer.
    chained : bool
        Whether it is known which draws are of one chain.
    independent : bool
        Whether the draws are said to be independent.
    joint : bool
        Whether their variables are taken together.
    """

    chains: NDArray[Any] = field(repr=False)
    weights: NDArray[np.float64] | None = field(repr=False)
    variables: tuple[Variable, ...] | None
    elements: tuple[str, ...] = field(repr=False)
    counting: tuple[bool, ...] = field(repr=False)
    chained: bool
    independent: bool = False
    joint: bool = True

    def __repr__(self) -> str:
        count, length, d = self.chains.shape
        return f"Draws({count} × {length} draws of {d} {'number' if d == 1 else 'numbers'})"

    def of(self, variable: Variable) -> Draws:
        """The draws of one variable; KeyError where there is none of this name."""
        start = 0
        for one in self.variables or ():
            if one.name == variable.name:
                part = slice(start, start + one.size)
                return replace(
                    self,
                    chains=self.chains[..., part],
                    variables=(one,),
                    elements=self.elements[part],
                    counting=self.counting[part],
                    joint=True,
                )
            start += one.size
        raise KeyError(variable.name)

    def columns(self, chosen: list[int]) -> Draws:
        """Some elements, in this order."""
        names, counting = tuple(self.elements[j] for j in chosen), tuple(self.counting[j] for j in chosen)
        chains = self.chains[..., chosen]
        return replace(self, chains=chains, variables=None, elements=names, counting=counting)


def draws(
    values: Any,
    weights: ArrayLike | None = None,
    *,
    chain_dim: int | str | None = None,
    independent: bool = False,
    joint: bool = True,
) -> Draws:
    """Say what draws are like, for `estimate_kl`, which takes those that need no saying as they are.

    Parameters
    ----------
    values : array_like, Series, DataFrame, DataArray, Dataset, InferenceData or DataTree
        Draws of one number, shape (n,), or of d, shape (n, d). A DataFrame has a variable in each column.
        Objects of xarray have a dimension ``draw`` (or ``sample``), and may have ``chain``; the others are of
        the elements of a variable. Of an InferenceData or DataTree it is the group ``posterior``.
    weights : array_like, optional
        The weights of the draws, such as importance weights, shape (n,), or (chains, n) where there are
        chains. They need not add up to 1. Where both have labels, weights go by them, else by position.
    chain_dim : int or str, optional
        The axis (of an array) or the dimension (of xarray's) along which chains are; of the latter ``chain``
        is understood.
    independent : bool
        Whether the draws are independent of each other. Else how they follow each other tells how many they
        are worth, as for those of MCMC.
    joint : bool
        Whether variables with names are taken together. Else there is an estimate for each: the value is a
        DataArray along ``variable`` of xarray's objects, an array in the order of the columns of a DataFrame.

    Returns
    -------
    Draws

    Raises
    ------
    TypeError
        If draws or weights are not numbers.
    ValueError
        If there are none, some are masked, their shape is not one of these, or weights are negative, NaN,
        or have other labels.

    See Also
    --------
    estimate_kl : Divergences between draws, or draws and a distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import stats
    >>> from kl_plugins import draws, estimate_kl
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=2000)
    >>> tilted = draws(x, weights=np.exp(0.5 * x))  # the normal around 0.5
    >>> found = estimate_kl(tilted, stats.norm(), random_state=1)
    >>> abs(found.value - 0.125) < 2 * found.error
    True
    """
    if isinstance(values, Draws):
        raise TypeError("these are draws already: pass them to estimate_kl")
    listed = isinstance(values, list | tuple | range | set | frozenset) or type(values).__name__ == "Index"
    held = np.asarray(list(values)) if listed else values
    if not holds_draws(held):
        what = type(values).__qualname__
        raise TypeError(
            "draws must be numbers, in an array, a Series, DataFrame, DataArray, Dataset, InferenceData or "
            f"DataTree, got {what}"
        )
    found = read(held, chain_dim)
    _check_kinds(found)
    chains = np.concatenate(found.arrays, axis=2)
    if not chains.size:
        raise ValueError(f"there are no draws: the shape is {chains.shape[1:]}")
    given = None
    if weights is not None:
        given = _weights(in_order_of(held, weights, chain_dim), chains.shape[:2])
    counting = tuple(kind != "f" for kind, size in _kinds(found) for _ in range(size))
    return Draws(chains, given, found.variables, found.elements, counting, found.chained, independent, joint)


def are_draws(obj: object) -> bool:
    """Whether an argument of `estimate_kl` is draws."""
    return isinstance(obj, Draws) or holds_draws(obj)


def _kinds(found: Read) -> list[tuple[str, int]]:
    """Of each variable what numbers it is of, as NumPy has it, and how many elements it has."""
    return [(array.dtype.kind, array.shape[2]) for array in found.arrays]


def _check_kinds(found: Read) -> None:
    """Raise TypeError where draws are no real numbers."""
    kinds = [kind for kind, _ in _kinds(found)]
    names = [one.name for one in found.variables] if found.variables else ["they"]
    for name, kind, array in zip(names, kinds, found.arrays, strict=True):
        if kind not in "fiub":
            remedy = "numpy.unique(x, return_inverse=True)[1] numbers the categories of both sides together"
            if kind == "O":
                remedy = f"x.astype(float), if they are numbers; if not, {remedy}"
            raise TypeError(
                f"draws must be real numbers, and {name} are of type {array.dtype}"
                + (f": {remedy}" if kind in "SUTO" else "")
            )


def _weights(weights: Any, shape: tuple[int, int]) -> NDArray[np.float64]:
    """The weights of draws, checked, so that they add up to 1."""
    given = unmasked(weights, "weights")
    if given.dtype.kind not in "fiub":
        raise TypeError(
            f"weights must be real numbers, got {type(weights).__qualname__} of type {given.dtype}"
        )
    given = given.astype(float)
    if given.size != shape[0] * shape[1] or (given.ndim > 1 and given.shape != shape):
        raise ValueError(
            f"weights have shape {given.shape} for {shape[0] * shape[1]} draws: there has to be one for each"
        )
    if not np.isfinite(given).all() or (given < 0.0).any():
        raise ValueError("weights must be finite and not negative")
    if not given.any():
        raise ValueError("weights must not all be 0")
    shares: NDArray[np.float64] = given.reshape(shape) / given.max()  # whose sum is in the range of floats
    shares /= shares.sum()
    return shares
