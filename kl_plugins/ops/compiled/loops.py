"""Formulas on long vectors: a loop is made of the formula, and LLVM turns it into vector instructions.

The formula runs on symbols once; what it is made of becomes the body of a loop, which Numba compiles and
keeps on disk. A loop leaves NaN where it does not serve.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.cgutils import unpack_tuple
from numba.extending import intrinsic
from numpy.typing import NDArray

from kl_plugins.ops.compiled import size_of_whole, symbols
from kl_plugins.ops.compiled.jit import cached
from kl_plugins.ops.compiled.trace import COMPARISONS, Symbol, Trace, UntraceableError

Formula = Callable[..., Any]

_DOUBLE, _LONG = ir.DoubleType(), ir.IntType(64)
_IN, _OUT = types.Array(types.float64, 1, "C", readonly=True), types.float64[::1]

_WORTH_A_LOOP = 1024
"""So many numbers of a vector have to be those rare ones to have a loop of their own."""

_KNOWN = frozenset(0.5 * i for i in range(-8, 9))
"""Numbers that formulas may know beforehand; of all others there would be too many loops."""


_UNTRACEABLE = (UntraceableError, TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError)
"""What a formula raises that no loop can be made of: it asks for numbers, or takes symbols for arrays."""


Kind = str | float | int
"""What an argument is: a "vector", a "number", one known beforehand, or the same number as an earlier one."""


class Loop(NamedTuple):
    """A loop over vectors, and whether it leaves out what is rare."""

    run: Callable[..., None]
    leaves_out: bool


@cache
def _loop(formula: Formula, kinds: tuple[Kind, ...], leave_out: bool) -> Loop | None:
    """The loop of a formula of vectors, numbers and what is known beforehand; None where none can be made."""
    trace = Trace(symbols, leave_out)
    inputs: list[Any] = []
    for i, kind in enumerate(kinds):
        is_new = type(kind) is str
        inputs.append(trace.made("input", i) if is_new else inputs[kind] if type(kind) is int else kind)
    try:
        value = formula(*inputs, symbols)
    except _UNTRACEABLE:
        return None
    if not isinstance(value, Symbol):
        return None
    return Loop(_compiled(trace.needed(value), kinds), trace.has_left_out)


def _compiled(steps: list[Symbol], kinds: tuple[Kind, ...]) -> Callable[..., None]:
    """The function that fills the last of its vectors from the others."""
    text = "\n".join(f"{s.index} {s.operation} {[_name(x) for x in s.args]}" for s in steps)
    places = [i for i, kind in enumerate(kinds) if type(kind) is str]
    name = "loop_" + sha256(f"{kinds} {text}".encode()).hexdigest()[:32]
    parameters = [f"x{i}" for i in places]
    arguments = [f"x{i}[i]" if kinds[i] == "vector" else f"x{i}" for i in places]
    source = (
        f"def {name}({', '.join([*parameters, 'out'])}):\n"
        f"    for i in range(len(out)):\n"
        f"        out[i] = body({', '.join(arguments)})\n"
    )
    known = {"body": _body(steps, places), "__name__": __name__}
    exec(compile(source, __file__, "exec"), known)  # Numba keeps what it compiles beside this file
    signature = types.void(*[_IN if kinds[i] == "vector" else types.float64 for i in places], _OUT)
    loop: Callable[..., None] = cached(njit, signature, error_model="numpy", nogil=True)(known[name])
    return loop


def _name(x: Any) -> str:
    return f"s{x.index}" if isinstance(x, Symbol) else repr(x)


def _body(steps: list[Symbol], places: list[int]) -> Any:
    """The value at one place, as an operation of Numba's."""

    @intrinsic
    def body(context, *numbers):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            given = dict(zip(places, unpack_tuple(builder, arguments[0]), strict=True))
            found: dict[int, Any] = {}
            for symbol in steps:
                if symbol.operation == "input":
                    found[symbol.index] = given[symbol.args[0]]
                    continue
                args = [found[x.index] if isinstance(x, Symbol) else _constant(x) for x in symbol.args]
                found[symbol.index] = _emitted(builder, symbol.operation, args)
            return found[steps[-1].index]

        return types.float64(types.StarArgTuple.from_types(numbers)), generate

    return body


def _constant(number: float | int) -> Any:
    return ir.Constant(_DOUBLE if isinstance(number, float) else _LONG, number)


def _emitted(builder: Any, operation: str, args: list[Any]) -> Any:
    """The instruction of an operation; a product and a sum may be rounded once instead of twice."""
    if operation in _ARITHMETIC:
        return getattr(builder, _ARITHMETIC[operation])(*args, flags=("contract",))
    if operation in _ON_BITS:
        return getattr(builder, _ON_BITS[operation])(*args)
    if operation in _INTRINSICS:
        function = builder.module.declare_intrinsic(_INTRINSICS[operation], [_DOUBLE])
        return builder.call(function, args)
    if operation in COMPARISONS:
        return builder.fcmp_ordered(COMPARISONS[operation], *args)
    if operation == "bits_of":
        return builder.bitcast(args[0], _LONG)
    if operation == "float_of":
        return builder.bitcast(args[0], _DOUBLE)
    if operation == "where":
        return builder.select(*args)
    if operation == "within":
        return builder.select(*args, _constant(math.nan))
    first, second = args  # an extreme of two
    chosen = builder.select(
        builder.fcmp_unordered(">" if operation == "maximum" else "<", second, first), second, first
    )
    if isinstance(first, ir.Constant):
        return chosen
    return builder.select(builder.fcmp_unordered("uno", first, first), first, chosen)


_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "neg": "fneg"}
_ON_BITS = {
    "bits_add": "add",
    "bits_sub": "sub",
    "bits_and": "and_",
    "bits_or": "or_",
    "bits_shift_left": "shl",
    "bits_shift_right": "lshr",
    "and": "and_",
    "or": "or_",
    "not": "not_",
}
_INTRINSICS = {"abs": "llvm.fabs", "sqrt": "llvm.sqrt", "floor": "llvm.floor"}


def evaluated(formula: Formula, length: int, args: Sequence[Any]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The formula's values at vectors of this length, and the places of those that are left to do.

    The formula takes its operations as last argument. Those of `args` that hold one number stand for
    vectors of it. None where no loop can be made.
    """
    given: list[Any] = [arg if np.size(arg) == length else float(np.asarray(arg).item()) for arg in args]
    kinds = tuple(_kind(i, x, args) for i, x in enumerate(given))
    loop = _loop(formula, kinds, True)
    if loop is None:
        return None
    inputs = [x for x, kind in zip(given, kinds, strict=True) if type(kind) is str]
    out = _run(loop, inputs, length)
    left = _missing(out)
    if loop.leaves_out and size_of_whole(len(left)) >= _WORTH_A_LOOP and len(left):
        whole = _loop(formula, kinds, False)
        if whole is not None:
            out[left] = found = _run(whole, [x if type(x) is float else x[left] for x in inputs], len(left))
            left = left[_missing(found)]
    return out, left


def _kind(place: int, value: Any, args: Sequence[Any]) -> Kind:
    if np.ndim(value):
        return "vector"
    if type(args[place]) is not float:
        return "number"
    first = next(i for i, arg in enumerate(args) if type(arg) is float and (arg == value or i == place))
    return value if value in _KNOWN else "number" if first == place else first


def _run(loop: Loop, inputs: Sequence[Any], length: int) -> NDArray[Any]:
    out = np.empty(length)
    loop.run(*[x if type(x) is float else np.require(x, requirements=("C", "A")) for x in inputs], out)
    return out


def _missing(found: NDArray[Any]) -> NDArray[Any]:
    if not (found.size and math.isnan(found.min())):
        return np.empty(0, np.intp)
    return np.flatnonzero(np.isnan(found))


@cache
def all_between() -> Any:
    """A function of a contiguous vector and two bounds: are all numbers between them, so that none is NaN?"""
    return cached(njit, types.boolean(_IN, types.float64, types.float64), nogil=True)(_all_between)


def _all_between(vector: Any, low: Any, high: Any) -> Any:
    outside = 0  # counted, as there is no vector instruction that stops at the first
    for i in range(len(vector)):
        outside += 0 if (low < vector[i]) & (vector[i] < high) else 1
    return outside == 0
