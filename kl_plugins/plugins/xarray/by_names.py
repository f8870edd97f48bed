"""One ``xarray.apply_ufunc`` around whatever is computed of distributions with parameters of xarray."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from kl_plugins.labelled import ByNames, Labelled, by_names_of
from kl_plugins.plugins.xarray.arguments import Argument, arguments_of, check_together, without_batch
from kl_plugins.plugins.xarray.errors import doubt_of_columns, misaligned, with_place
from kl_plugins.recognition import recognise, told_of

_LONG_NAMES = {
    "kl": "Kullback-Leibler divergence",
    "jeffreys": "Jeffreys divergence",
    "entropy": "entropy",
    "cross_entropy": "cross-entropy",
    "error": "error of the divergence",
}
"""Of results in nats."""


def compute(
    function: Callable[..., Any],
    sides: Mapping[str, object],
    found: Mapping[str, Labelled | None],
    names: tuple[str, ...],
) -> Any:
    """What the function makes of the sides, as DataArrays; lazily where a parameter is in chunks."""
    arguments = _together(sides, found)
    options: dict[str, Any] = {}
    dtype = None
    if is_lazy(found):
        dtype = _dtype(arguments, sides, found)
        options = {"dask": "parallelized", "output_dtypes": [dtype] * len(names)}
    of_arrays = OfArrays(function, arguments, sides, found, dtype)
    try:
        results = _applied(of_arrays, arguments, output_core_dims=[()] * len(names), **options)
    except ValueError as error:
        told = misaligned(arguments, exact=_join() == "exact")
        if told is None and not options:
            recognised = OfArrays(_recognised, arguments, sides, found)
            told = with_place(error, lambda some: _applied(recognised, some), arguments)
        if told is None and (doubt := doubt_of_columns(arguments, found)):
            told = ValueError(f"{error}; {doubt}")
        if told is None:
            raise
        raise told from error
    results = results if isinstance(results, tuple) else (results,)
    for name, result in zip(names, results, strict=True):
        described(result, name)
    return results[0] if len(names) == 1 else results


def described(result: xr.DataArray, name: str) -> xr.DataArray:
    """The result, which is nobody else's yet, with its name and units."""
    result.name = name
    result.attrs = {"long_name": _LONG_NAMES[name], "units": "nats"} if name in _LONG_NAMES else {}
    return result


def stand_ins(sides: Mapping[str, object], found: Mapping[str, Labelled | None]) -> tuple[object, ...]:
    """The sides of plain arrays; of what is lazy, arrays of nothing in particular instead."""
    arguments = _together(sides, found)
    if not is_lazy(found):
        return _stand_ins(arguments, sides, found)

    def of(number: float) -> tuple[object, ...]:
        known = [one._replace(array=one.stand_in(found, number)) for one in arguments]
        return _stand_ins(known, sides, found)

    try:
        return of(np.nan)  # which may be any number
    except ValueError:  # covariances refuse NaN
        return of(1.0)


def _stand_ins(
    arguments: Sequence[Argument], sides: Mapping[str, object], found: Mapping[str, Labelled | None]
) -> tuple[object, ...]:
    """The sides of these parameters, as a function of plain arrays takes them."""
    met: list[tuple[object, ...]] = []

    def keep(*plain: object) -> float:
        met.append(plain)
        return np.nan

    _applied(OfArrays(keep, arguments, sides, found), arguments)
    return met[0]


def _together(sides: Mapping[str, object], found: Mapping[str, Labelled | None]) -> list[Argument]:
    """The parameters that have names, which go together as far as can be seen without computing."""
    arguments = arguments_of(sides, found)
    check_together(arguments, found)
    if _join() != "exact" and (error := misaligned(arguments, exact=False)):
        raise error
    return arguments


def is_lazy(found: Mapping[str, Labelled | None]) -> bool:
    """Whether a parameter is in chunks."""
    values = (value for part in found.values() if part is not None for value in part.values)
    return any(getattr(value, "chunks", None) is not None for value in values)


def _applied(function: Callable[..., Any], arguments: Sequence[Argument], **options: Any) -> Any:
    return xr.apply_ufunc(
        function,
        *[argument.array for argument in arguments],
        input_core_dims=[argument.core_dims for argument in arguments],
        join=_join(),
        keep_attrs="override",
        **options,
    )


def _recognised(*sides: object) -> float:
    """Nothing, where all sides are valid."""
    for side in sides:
        recognise(side)
    return np.nan


class OfArrays:
    """A function of sides as one of the arrays that take the places of what has names in them."""

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Argument],
        sides: Mapping[str, object],
        found: Mapping[str, Labelled | None],
        dtype: Any = None,
    ) -> None:
        self.function, self.dtype = function, dtype
        self.core_ndims = [len(argument.core_dims) for argument in arguments]
        self.sides: list[tuple[Any, list[Any]]] = []
        for side, obj in sides.items():
            part = found[side]
            if part is None:
                self.sides.append((None, [obj]))
                continue
            own = {one.place: _Array(i) for i, one in enumerate(arguments) if one.side == side}
            given = enumerate(zip(part.values, part.core_dims, strict=True))
            values = [own[i] if i in own else without_batch(value, len(core)) for i, (value, core) in given]
            self.sides.append((part.rebuild, values))

    def __call__(self, *arrays: Any) -> Any:
        try:
            result = self.function(*self._plain(arrays))
        except np.linalg.LinAlgError as error:
            if self.dtype is None:
                raise
            raise told_of(error, "in one of the chunks") from error  # a member's place is that in the chunk
        batches = [np.shape(a)[: np.ndim(a) - core] for a, core in zip(arrays, self.core_ndims, strict=True)]
        shape = np.broadcast_shapes(*batches)
        if isinstance(result, tuple):
            return tuple(self._of_shape(one, shape) for one in result)
        return self._of_shape(result, shape)

    def _plain(self, arrays: Sequence[Any]) -> list[Any]:
        """The sides of these arrays."""
        return [
            values[0]
            if rebuild is None
            else rebuild(*[arrays[one.position] if isinstance(one, _Array) else one for one in values])
            for rebuild, values in self.sides
        ]

    def _of_shape(self, result: Any, shape: tuple[int, ...]) -> Any:
        """The result without the leading axes of length one that arrays of one number have."""
        array = np.asarray(result, self.dtype)
        while array.ndim > len(shape) and array.shape[0] == 1:
            array = array[0]
        return array if array.shape == shape else np.broadcast_to(array, shape)


class _Array(NamedTuple):
    """What stands where one of the arrays goes."""

    position: int


def _dtype(
    arguments: Sequence[Argument], sides: Mapping[str, object], found: Mapping[str, Labelled | None]
) -> np.dtype[Any]:
    """That of the result: float32 where all arrays are, as plain numbers do not raise the precision."""
    plain: list[Any] = []
    for side, part in found.items():
        plain += recognise(sides[side]).values() if part is None else part.values
    kinds = {argument.array.dtype for argument in arguments}
    kinds |= {value.dtype for value in plain if isinstance(value, np.ndarray)}
    return np.dtype(np.float32 if kinds == {np.dtype(np.float32)} else np.float64)


def _join() -> Any:
    """How coordinates are aligned: exactly, unless xarray's option for arithmetic is something else."""
    chosen = xr.get_options()["arithmetic_join"]  # type: ignore[no-untyped-call]
    return "exact" if chosen == "inner" else chosen  # which is what xarray has where nobody has set it


_BY_NAMES = ByNames(compute, stand_ins, lazy=is_lazy)


@by_names_of.register(xr.DataArray)
@by_names_of.register(xr.Variable)
@by_names_of.register(xr.Dataset)
def _(value: object) -> ByNames:
    return _BY_NAMES
