"""One ``xarray.apply_ufunc`` around whatever is computed of distributions with parameters of xarray."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from kl_plugins.labelled import ByNames, Labelled, by_names_of
from kl_plugins.plugins.xarray.arguments import Argument, arguments_of, check_together
from kl_plugins.plugins.xarray.errors import misaligned, with_place

_LONG_NAMES = {
    "kl": "Kullback-Leibler divergence",
    "jeffreys": "Jeffreys divergence",
    "entropy": "entropy",
    "cross_entropy": "cross-entropy",
}


def compute(
    function: Callable[..., Any],
    sides: Mapping[str, object],
    found: Mapping[str, Labelled | None],
    names: tuple[str, ...],
) -> Any:
    """What the function makes of the sides, as DataArrays; lazily where a parameter is chunked."""
    arguments = arguments_of(sides, found)
    check_together(arguments, found)
    lazy = any(argument.lazy for argument in arguments)
    dtype = _dtype(arguments, sides, found) if lazy else None
    of_arrays = OfArrays(function, arguments, sides, found, dtype)
    options: dict[str, Any] = {}
    if lazy:
        options = {"dask": "parallelized", "output_dtypes": [dtype] * len(names)}

    def apply(arrays: Sequence[xr.DataArray]) -> Any:
        return xr.apply_ufunc(
            of_arrays,
            *arrays,
            input_core_dims=[argument.core_dims for argument in arguments],
            output_core_dims=[()] * len(names),
            join=_join(),
            keep_attrs="override",
            **options,
        )

    arrays = [argument.array for argument in arguments]
    try:
        results = apply(arrays)
    except ValueError as error:
        told = misaligned(arguments, _join() == "exact") or with_place(error, apply, arguments)
        if told is error:
            raise
        raise told from error
    results = results if isinstance(results, tuple) else (results,)
    for name, result in zip(names, results, strict=True):
        result.name = name
        result.attrs = {"long_name": _LONG_NAMES.get(name, name), "units": "nats"}
    return results[0] if len(names) == 1 else results


def stand_ins(sides: Mapping[str, object], found: Mapping[str, Labelled | None]) -> tuple[object, ...]:
    """The sides of plain arrays; of what is lazy, arrays of nothing in particular instead."""
    arguments = [argument.known() if argument.lazy else argument for argument in arguments_of(sides, found)]
    met: list[tuple[object, ...]] = []

    def keep(*plain: object) -> Any:
        met.append(plain)
        return np.zeros(())

    of_arrays = OfArrays(keep, arguments, sides, found)
    xr.apply_ufunc(
        of_arrays,
        *[argument.array for argument in arguments],
        input_core_dims=[argument.core_dims for argument in arguments],
        join=_join(),
    )
    return met[0]


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
            values: list[Any] = [_plain(value) for value in part.values]
            for position, argument in enumerate(arguments):
                if argument.side == side:
                    values[argument.place] = _Array(position)
            self.sides.append((part.rebuild, values))

    def __call__(self, *arrays: Any) -> Any:
        plain = [
            values[0]
            if rebuild is None
            else rebuild(*[arrays[one.position] if isinstance(one, _Array) else one for one in values])
            for rebuild, values in self.sides
        ]
        batches = [np.shape(a)[: np.ndim(a) - core] for a, core in zip(arrays, self.core_ndims, strict=True)]
        shape = np.broadcast_shapes(*batches)
        result = self.function(*plain)
        if isinstance(result, tuple):
            return tuple(self._of_shape(one, shape) for one in result)
        return self._of_shape(result, shape)

    def _of_shape(self, result: Any, shape: tuple[int, ...]) -> Any:
        """The result without the leading axes of length one that arrays of one number have."""
        array = np.asarray(result, self.dtype)
        while array.ndim > len(shape) and array.shape[0] == 1:
            array = array[0]
        return np.broadcast_to(array, shape) if array.shape != shape else array


class _Array(NamedTuple):
    """What stands where one of the arrays goes."""

    position: int


def _plain(value: Any) -> Any:
    """A value without names: one number, in whatever shape, as a number."""
    return value if np.ndim(value) == 0 or np.size(value) != 1 else np.reshape(np.asarray(value), ())


def _dtype(
    arguments: Sequence[Argument], sides: Mapping[str, object], found: Mapping[str, Labelled | None]
) -> np.dtype[Any]:
    """That of the result: float32 where all arrays are, as plain numbers do not raise the precision."""
    plain = [value for part in found.values() if part is not None for value in part.values]
    kinds = {argument.array.dtype for argument in arguments}
    kinds |= {value.dtype for value in plain if isinstance(value, np.ndarray)}
    return np.dtype(np.float32 if kinds == {np.dtype(np.float32)} else np.float64)


def _join() -> Any:
    """How coordinates are aligned: exactly, unless xarray's option for arithmetic is something else."""
    chosen = xr.get_options()["arithmetic_join"]  # type: ignore[no-untyped-call]
    return "exact" if chosen == "inner" else chosen  # which is what xarray has where nobody has set it


_BY_NAMES = ByNames(compute, stand_ins)


@by_names_of.register(xr.DataArray)
@by_names_of.register(xr.Variable)
@by_names_of.register(xr.Dataset)
def _(value: object) -> ByNames:
    return _BY_NAMES
