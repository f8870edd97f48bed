"""The operations on PyTensor variables. Everything is computed in at least ``config.floatX``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor
import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph
from pytensor.tensor.elemwise import DimShuffle, Elemwise

from kl_plugins.ops import floats
from kl_plugins.ops.protocol import Array, Conditions, Operations

# The backend is one namespace over several rooms.
from kl_plugins.ops.pytensor.bands import *  # noqa: F403
from kl_plugins.ops.pytensor.formula_node import formula
from kl_plugins.ops.pytensor.literals import beside_literals, of_floats, undressed
from kl_plugins.ops.pytensor.matrices import *  # noqa: F403
from kl_plugins.ops.pytensor.matrices import cholesky, isfinite
from kl_plugins.ops.special_functions import loaded_when_asked_for

symbolic = True
scalar = False
graphs = True
_HERE = sys.modules[__name__]

_PULLBACK = "pullback" if "pullback" in signature(OpFromGraph.__init__).parameters else "lop_overrides"
"""The argument of OpFromGraph that PyTensor 3 renamed."""

log = beside_literals("log", pt.log)
sqrt = beside_literals("sqrt", pt.sqrt)
isnan = beside_literals("isnan", pt.isnan)
isinf = beside_literals("isinf", pt.isinf)
absolute = beside_literals("absolute", pt.abs)
minimum = beside_literals("minimum", pt.minimum)
maximum = beside_literals("maximum", pt.maximum)
square = pt.square
matmul = pt.matmul
broadcast_arrays = pt.broadcast_arrays
broadcast_to = pt.broadcast_to
zeros_like = pt.zeros_like
equal = beside_literals("equal", pt.eq)


def asarray(value: Array, name: str, beside: Sequence[Array] = ()) -> Array:
    """Convert `value` to a variable of floats, at least of ``config.floatX``.

    PyTensor stores a Python float that fits as a float32 constant and a small integer as int8; a
    divergence computed in those would be worthless.
    """
    if not isinstance(value, pytensor.graph.basic.Variable):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} must be real numbers, got dtype {array.dtype}")
        value = pt.as_tensor_variable(array)
    if value.type.numpy_dtype.kind not in "biuf":
        raise ValueError(f"{name} must be real numbers, got dtype {value.type.dtype}")
    wide = np.promote_types(value.type.dtype, pytensor.config.floatX)
    if wide not in (np.float32, np.float64):
        wide = np.dtype(np.float64)
    if value.type.numpy_dtype == wide:
        return value
    return _widened(value, wide)


def _widened(value: Any, dtype: Any) -> Any:
    """The variable in a wider type; what was computed of narrower ones is computed again in it.

    ``pm.Gamma.dist(2, 3)`` divides the int8 constant 1 by 3, which makes a third of seven digits.
    """
    if isinstance(value, pt.TensorConstant):
        return pt.as_tensor_variable(value.data.astype(dtype))
    node = value.owner
    computed = node and isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, _RECOMPUTED)
    if computed or (node and isinstance(node.op, DimShuffle)):
        return node.op(*[_widened(x, dtype) for x in node.inputs])
    return pt.cast(value, str(dtype))


_RECOMPUTED = (
    *(ps.Add, ps.Sub, ps.Neg, ps.Mul, ps.TrueDiv, ps.Reciprocal, ps.Pow, ps.Sqr, ps.Sqrt),
    *(ps.Abs, ps.Sign, ps.Exp, ps.Expm1, ps.Log, ps.Log1p, ps.Sigmoid, ps.Softplus),
)


def literal(value: Array) -> float | None:
    """The value as a float, where it is one number that the graph holds as a constant.

    PyTensor gives the parameters of a random variable the same number of dimensions: where a number was
    expanded, another parameter has the shape.
    """
    if isinstance(value, pytensor.graph.basic.Variable):
        value = undressed(value)
    if isinstance(value, pt.TensorConstant):
        return float(value.data) if value.ndim == 0 else None
    return None if isinstance(value, pytensor.graph.basic.Variable) or np.ndim(value) else float(value)


def frozen(value: Array) -> Array:
    """The variable itself: nobody can write to it."""
    return value


def logical_and(first: Array, second: Array) -> Array:
    """Conditions on plain numbers are plain booleans, which PyTensor does not take."""
    if type(first) is bool:
        return first and second
    return logical_and(second, first) if type(second) is bool else pt.and_(first, second)


def logical_or(first: Array, second: Array) -> Array:
    if type(first) is bool:
        return first or second
    return logical_or(second, first) if type(second) is bool else pt.or_(first, second)


def logical_not(value: Array) -> Array:
    return not value if type(value) is bool else pt.invert(value)


def select(condition: Array, yes: Callable[..., Array], no: Callable[..., Array], *args: Array) -> Array:
    """Return ``yes(*args)`` where `condition` holds and ``no(*args)`` elsewhere.

    Either is made of the arguments where it is taken, and of 1 elsewhere: what it would be there, and its
    derivatives, may be infinite or NaN, which zero times it would bring into the derivatives of the whole.
    """
    if type(condition) is bool:
        return yes(*args) if condition else no(*args)
    taken = [x if _is_given(x) else pt.switch(condition, x, _one(x)) for x in args]
    others = [x if _is_given(x) else pt.switch(condition, _one(x), x) for x in args]
    return pt.switch(condition, yes(*taken), no(*others))


def _is_given(value: Array) -> bool:
    """Whether there is nothing to differentiate by."""
    return type(value) is float or isinstance(value, pt.TensorConstant)


def _one(like: Array) -> Array:
    return np.ones((), like.type.numpy_dtype)


pick = select


def zero_or_nan(value: Array) -> Array:
    """Written without arithmetic of the value with itself, which PyTensor would take for zero."""
    if type(value) is float:
        return floats.zero_or_nan(value)
    held = undressed(value)
    if isinstance(held, pt.TensorConstant) and not np.isnan(held.data).any():
        return zeros_like(value)
    return elementwise(_zero_or_nan, _slope_of_zero_or_nan, value)


def _zero_or_nan(value: Array, ops: Operations) -> Array:
    return ops.where(ops.isnan(value), value, 0.0)


def _slope_of_zero_or_nan(value: Array, ops: Operations) -> tuple[Array]:
    return (_zero_or_nan(value, ops),)


def choose(condition: Array, rare: Callable[..., Array], usual: Callable[..., Array], *args: Array) -> Array:
    return select(condition, partial(rare, ops=_HERE), partial(usual, ops=_HERE), *args)


rarely = choose


def elementwise(value: Callable[..., Array], gradient: Callable[..., Array] | None, *args: Array) -> Array:
    """Return ``value(*args, ops)`` as one node whose derivatives are ``gradient(*args, ops)``, each one node.

    Differentiating a switch between a series and a logarithm would multiply the graph, and the time to
    compile it; the derivatives themselves are short. `gradient` is a function of a module: the node is made
    once for each of them.
    """
    symbols = [arg for arg in args if type(arg) is not float]
    if not symbols:
        return of_floats(value, *args)
    dtype = str(np.result_type(*[arg.type.numpy_dtype for arg in symbols]))
    key = value, gradient, dtype, len(args)
    if key not in _formulas:
        _formulas[key] = Elemwise(
            formula(_InGraphs(value), None if gradient is None else _InGraphs(gradient), *key[2:])
        )
    return _formulas[key](*[pt.cast(pt.as_tensor_variable(arg), dtype) for arg in args])


def stop_gradient(value: Array) -> Array:
    """The value as a formula whose derivative is zero.

    Of PyTensor's own node, `disconnected_grad`, nothing is left once PyMC has rewritten a log density, as it
    does before it differentiates it.
    """
    return elementwise(_itself, _no_slope, value)


def _itself(value: Array, ops: Operations) -> Array:
    return value


def _no_slope(value: Array, ops: Operations) -> tuple[Array]:
    return (ops.zeros_like(value),)


@dataclass(frozen=True)
class _InGraphs:
    """A function of arguments and a backend, with this backend; unlike a closure it can be pickled."""

    function: Callable[..., Array]

    def __call__(self, *args: Array) -> Array:
        return self.function(*args, _HERE)


_formulas: dict[Any, Elemwise] = {}
"""The nodes of formulas that were met."""


def of_factors(
    value: Callable[..., Array],
    derivatives: Sequence[Callable[..., Array]],
    args: Sequence[Array],
    matrices: Sequence[Array],
) -> Array:
    """Return ``value(*args)`` as one node, a batch of numbers, with derivatives in closed form.

    Where an argument is the lower Cholesky factor of one of `matrices` (else None), the node is one of the
    matrix: it is factored inside, and the derivative is by the matrix. Value and derivatives state the same
    factorisation and solves, which PyTensor merges into one when both are compiled together.
    """
    given = [arg if matrix is None else matrix for arg, matrix in zip(args, matrices, strict=True)]
    inputs = [variable.type() for variable in given]

    def factored(inputs: Sequence[Array]) -> list[Array]:
        pairs = zip(inputs, matrices, strict=True)
        return [x if matrix is None else cholesky(x, "") for x, matrix in pairs]

    def pullback(inputs: Array, outputs: Array, output_gradients: Array) -> list[Array]:
        factors = factored(inputs)
        found = []
        for x, derivative in zip(inputs, derivatives, strict=True):
            full = derivative(*factors)
            weight = output_gradients[0][(..., *[None] * (full.ndim - output_gradients[0].ndim))]
            found.append(_sum_to(weight * full, x))
        return found

    node = OpFromGraph(inputs, [value(*factored(inputs))], inline=True, **{_PULLBACK: pullback})
    return node(*given)


def _sum_to(value: Array, like: Array) -> Array:
    """Sum over the dimensions along which a variable `like` another was broadcast."""
    leading = value.ndim - like.ndim
    value = value.sum(axis=tuple(range(leading))) if leading else value
    stretched = [i for i, length in enumerate(like.type.shape) if length == 1 != value.type.shape[i]]
    return value.sum(axis=stretched, keepdims=True) if stretched else value


def shape(value: Array) -> tuple[int | None, ...]:
    return () if type(value) is float else tuple(value.type.shape)


def all_finite(value: Array, core_ndim: int) -> Array:
    return pt.all(isfinite(value), axis=tuple(range(-core_ndim, 0)))


def all_positive(value: Array, core_ndim: int) -> Array:
    return pt.all(value > 0.0, axis=tuple(range(-core_ndim, 0)))


def expand_last(value: Array) -> Array:
    return value if type(value) is float else value[..., None]


def blockwise(function: Callable[..., Array], *args: Array) -> Array:
    return function(*args, _HERE)


def require(conditions: Conditions) -> None:
    """Symbolic conditions are checked when the graph runs: see `guard`."""


def guard(value: Array, conditions: Conditions, outside: str = "inf") -> Array:
    """Wrap `value` so that it raises at run time where a condition does not hold.

    With PyMC it raises one of PyMC's own errors (``ParameterValueError``), else ValueError. Where PyMC
    compiles a log density, it is `outside` instead: a sampler that left the domain has to come back.
    """
    from kl_plugins.ops.pytensor.checks import check_all  # loads PyMC

    stated = list(conditions)
    value = asarray(value, "the result")  # a plain number, where all parameters are
    return check_all(value, stated, outside) if stated else value


def of_same_lengths(value: Array, p: Sequence[Array], q: Sequence[Array], families: tuple[str, str]) -> Array:
    """A value of p, which raises when the graph runs where the event shapes of p and q differ."""
    from kl_plugins.ops.pytensor.entrywise import Entry
    from kl_plugins.ops.pytensor.lengths import SameLengths

    if type(value) is float or isinstance(value, pt.TensorConstant):
        return value
    lengths = [pt.cast(pt.as_tensor(n), "int64") for n in (*p, *q)]
    return SameLengths(families, [Entry(i, ()) for i in range(len(lengths))])(value, *lengths)


if TYPE_CHECKING:
    from kl_plugins.ops.pytensor.special import *  # noqa: F403
else:
    __getattr__ = loaded_when_asked_for(__name__)
