"""The operations on NumPy arrays. float32 stays float32, every other real type is computed in float64."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.errors import Requirement
from kl_plugins.ops import checked, floats

# The backend is one namespace over several rooms.
from kl_plugins.ops.compiled import *  # noqa: F403
from kl_plugins.ops.numpy.bands import *  # noqa: F403
from kl_plugins.ops.numpy.matrices import *  # noqa: F403
from kl_plugins.ops.protocol import Array, Conditions, FloatArray, Operations
from kl_plugins.ops.special_functions import loaded_when_asked_for

symbolic = scalar = graphs = False
_HERE = sys.modules[__name__]

_FEW = 1024
"""From this size on it is worth a look whether one side of a choice serves everywhere."""

PIECE = 16_384
"""Numbers of a long vector that are worked on together."""

_LONG_PIECE = 65_536
"""The same where most of the passes are those of compiled kernels: the calls count more than the cache."""

_BLOCK = 16
"""Members of a batch that are worked on together where each has a thousand numbers on the way."""

_SHORT = 24
"""Up to this length a formula is faster on Python's floats, one after the other, than on the vector."""

_PLAIN = (int, float)
_TINY, _HUGE = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
"""Between them a number keeps its digits in float32."""

sqrt = np.sqrt
isnan = np.isnan
isinf = np.isinf
isfinite = np.isfinite
absolute = np.abs
minimum = np.minimum
maximum = np.maximum
logical_and = np.logical_and
logical_or = np.logical_or
logical_not = np.logical_not
square = np.square
broadcast_to = np.broadcast_to
broadcast_arrays = np.broadcast_arrays
zeros_like = np.zeros_like
matmul = np.matmul
equal = np.equal
runtime_shape = np.shape


def asarray(value: Array, name: str, beside: Sequence[Array] = ()) -> FloatArray:
    """Convert `value` to an array of floats; `name` is the parameter's, for the error.

    As in NumPy, a plain number does not raise the precision of the float32 arrays `beside` it.
    """
    if type(value) in _PLAIN:
        kinds = {np.asarray(other).dtype for other in beside if type(other) not in _PLAIN}
        narrow = kinds == {np.dtype(np.float32)} and (value == 0.0 or _TINY <= abs(value) <= _HUGE)
        return np.asarray(value, dtype=np.float32 if narrow else np.float64)
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(Requirement(name, "must not be a masked array; use .filled or .compressed"))
    array = np.asarray(value)
    if array.dtype == np.float32 or array.dtype == np.float64:
        return array
    if array.dtype.kind not in "biuf":
        remedy = ": convert it with .astype(float)" if array.dtype.kind == "O" else ""
        raise ValueError(Requirement(name, f"must be real numbers, got dtype {array.dtype}{remedy}"))
    return array.astype(np.float64)


def literal(value: Array) -> float | None:
    """The value as a float, where it is one number and no array."""
    return float(value) if type(value) in _PLAIN else None


def zero_or_nan(value: Array) -> Array:
    return np.where(value == value, 0.0, value)


def frozen(value: FloatArray) -> FloatArray:
    copy = np.array(value)
    copy.setflags(write=False)
    return copy


def replace(value: Array, condition: Array, by: Array) -> Array:
    return np.where(condition, by, value) if np.any(condition) else value


def select(condition: Array, yes: Callable[..., Array], no: Callable[..., Array], *args: Array) -> Array:
    """Return ``yes(*args)`` where `condition` holds and ``no(*args)`` elsewhere.

    Where both are needed somewhere, both are computed everywhere: that is faster than picking.
    """
    if isinstance(condition, bool | np.bool_):
        return yes(*args) if condition else no(*args)
    if np.size(condition) >= _FEW:
        count = np.count_nonzero(condition)
        if count in (0, condition.size):
            chosen = yes(*args) if count else no(*args)
            return np.broadcast_to(chosen, np.broadcast_shapes(np.shape(chosen), condition.shape))
    return np.where(condition, yes(*args), no(*args))


def pick(condition: Array, rare: Callable[..., Array], usual: Callable[..., Array], *args: Array) -> Array:
    """As `select`, with `rare` called on those numbers only that it is for: it costs enough for that."""
    if np.size(condition) < _FEW:
        return select(condition, rare, usual, *args)
    arrays = iter(np.broadcast_arrays(condition, *[arg for arg in args if type(arg) is not float]))
    condition = next(arrays)
    args = tuple(arg if type(arg) is float else next(arrays) for arg in args)
    index = np.nonzero(condition)
    if len(index[0]) == condition.size:
        return rare(*args)
    chosen = usual(*args)
    if len(index[0]):
        chosen[index] = rare(*[arg if type(arg) is float else arg[index] for arg in args])
    return chosen


def choose(condition: Array, rare: Callable[..., Array], usual: Callable[..., Array], *args: Array) -> Array:
    return pick(condition, partial(rare, ops=_HERE), partial(usual, ops=_HERE), *args)


rarely = choose


def elementwise(value: Callable[..., Array], gradient: Callable[..., Array] | None, *args: Array) -> Array:
    """Return ``value(*args, ops)``; symbolic backends take derivatives from `gradient`.

    Short vectors are taken number by number, which is faster; long ones in pieces whose intermediate
    results stay in the processor's cache.
    """
    arrays = [arg for arg in args if type(arg) is not float]
    if not arrays:  # dividing Python's floats by zero is an error
        return float(value(*map(np.float64, args), _HERE))
    if any(array.ndim > 1 for array in arrays):
        shapes = {array.shape for array in arrays}
        if len(shapes) > 1:
            return value(*args, _HERE)
        vectors = [arg if type(arg) is float else arg.ravel() for arg in args]
        return elementwise(value, gradient, *vectors).reshape(*shapes)
    length = max(array.size for array in arrays)
    found = by_loop(value, length, args)
    if found is not None:
        return found
    if any(array.ndim != 1 for array in arrays):
        return value(*args, _HERE)
    alike = all(len(array) == length for array in arrays)
    if alike and size_of_whole(length) <= _SHORT:  # noqa: F405
        args = tuple(np.full(length, arg) if type(arg) is float else arg for arg in args)
        rows = list(zip(*[arg.tolist() for arg in args], strict=True))
        try:
            try:
                numbers = [value(*row, floats) for row in rows]
            except ValueError:  # of the functions of `math`, or somebody's mistake
                numbers = [value(*row, checked) for row in rows]
            return np.array(numbers, np.result_type(*arrays))
        except ArithmeticError:
            return value(*args, _HERE)  # where a float is an error, an array holds infinity or NaN
    if length <= PIECE:
        return value(*args, _HERE)
    return _put_together(
        lambda piece: value(*[arg[piece] if np.size(arg) == length else arg for arg in args], _HERE),
        length,
        PIECE,
    )


def by_loop(formula: Callable[..., Array], length: int, args: Sequence[Array]) -> Array:
    """The values of a function of these and of operations, where a compiled loop serves; else None."""
    loops = loops_for(length, *[arg for arg in args if type(arg) is not float])  # noqa: F405
    found = None if loops is None else loops.evaluated(formula, length, args)
    if found is None:
        return None
    out, left = found
    if len(left):
        out[left] = formula(*[arg[left] if np.size(arg) == length else arg for arg in args], _HERE)
    return out


def in_pieces(function: Callable[[slice], Array], length: int) -> Array:
    """The values of a function of the pieces of a vector, whose intermediate results stay in the cache."""
    with long_vector(length) as kernels_serve:  # noqa: F405
        step = _LONG_PIECE if kernels_serve else PIECE
        return function(slice(None)) if length <= step else _put_together(function, length, step)


def _put_together(function: Callable[[slice], Array], length: int, step: int) -> Array:
    out = None
    for start in range(0, length, step):
        piece = slice(start, start + step)
        found = function(piece)
        if out is None:
            out = np.empty(length, found.dtype)
        elif out.dtype != found.dtype:
            out = out.astype(np.result_type(out, found))
        out[piece] = found
    return out


def blockwise(function: Callable[..., Array], *args: Array) -> Array:
    arrays = np.broadcast_arrays(*args)
    if arrays[0].size <= _BLOCK:
        return function(*args, _HERE)
    vectors = [array.ravel() for array in arrays]
    found = _put_together(
        lambda piece: function(*[vector[piece] for vector in vectors], _HERE), len(vectors[0]), _BLOCK
    )
    return found.reshape(arrays[0].shape)


def of_long_vectors(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function of NumPy, of the name of an operation, by a compiled loop where that serves."""

    def formula(x: Array, ops: Operations) -> Array:
        return function(x) if ops is _HERE else getattr(ops, function.__name__)(x)

    @wraps(function)
    def chosen(x: Array) -> Array:
        if type(x) is not np.ndarray or x.ndim != 1:
            return function(x)
        found = by_loop(formula, len(x), (x,))
        return function(x) if found is None else found

    return chosen


log = of_long_vectors(np.log)


def of_factors(
    value: Callable[..., Array],
    derivatives: Sequence[Callable[..., Array]],
    args: Sequence[Array],
    matrices: Array,
) -> Array:
    return value(*args)


def shape(value: Array) -> tuple[int, ...]:
    return () if type(value) is float else value.shape


def all_finite(value: FloatArray, core_ndim: int) -> Array:
    """Whether there is neither NaN nor infinity in any member: their sum shows it, unless that overflows."""
    with np.errstate(over="ignore"):
        return np.isfinite(np.add.reduce(value, axis=None)) or np.isfinite(value).all()


def all_positive(value: FloatArray, core_ndim: int) -> Array:
    return value.size == 0 or value.min() > 0.0


def inside(value: Array, low: float, high: float) -> bool:
    if type(value) is float:
        return low < value < high
    loops = loops_for_check(value)  # noqa: F405
    if loops is not None:
        return loops.all_between()(value, low, high)  # type: ignore[no-any-return]
    return value.size == 0 or (low < float(value.min()) and float(value.max()) < high)


def expand_last(value: Array) -> Array:
    return value if type(value) is float else value[..., None]


def require(conditions: Conditions) -> None:
    for holds, message in conditions:
        if not (holds if isinstance(holds, bool) else holds.all()):
            raise ValueError(_with_place(message, holds))


def _with_place(message: str, holds: Any) -> str:
    """What a parameter must be, with the first of several numbers that it is not."""
    if not isinstance(message, Requirement) or np.size(holds) < 2:
        return message
    return message.at(tuple(map(int, np.argwhere(np.logical_not(holds))[0])), np.shape(holds))


def evaluate(formula: Callable[..., Any], *sides: Any) -> Any:
    """Return ``formula(*sides)``; infinity and NaN arise silently: they are the answer where they remain.

    float32 where all arrays of parameters are, in whatever precision the formula is computed.
    """
    with np.errstate(all="ignore"):
        value = formula(*sides)
        if isinstance(value, np.ndarray | np.float64) and value.dtype == np.float64 and _are_single(sides):
            value = value.astype(np.float32)
    return value[()] if isinstance(value, np.ndarray) else value


def _are_single(sides: Sequence[Any]) -> bool:
    """Whether the arrays of all objects with parameters are float32, and there is one."""
    found = False
    for side in sides:
        for value in getattr(side, "values", list)():
            if type(value) is not float:
                if value.dtype != np.float32:
                    return False
                found = True
    return found


if TYPE_CHECKING:
    from kl_plugins.ops.numpy.special import *  # noqa: F403
else:
    __getattr__ = loaded_when_asked_for(__name__)
