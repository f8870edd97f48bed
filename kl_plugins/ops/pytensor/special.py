"""The special functions on PyTensor variables; loaded when the first of them is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.gradient import disconnected_grad
from pytensor.graph.basic import Constant, Variable, equal_computations
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor.basic import Alloc

from kl_plugins.ops import floats
from kl_plugins.ops.protocol import Array
from kl_plugins.ops.pytensor.literals import beside_literals, undressed
from kl_plugins.ops.pytensor.logits import complement as complement
from kl_plugins.ops.pytensor.logits import known_log as known_log


def _positive(x: Array) -> Array:
    """`x`, and 1 where it is not positive: there is no moment, and SciPy would take for ever for ψ₁."""
    return pt.switch(x <= 0.0, np.ones((), x.type.numpy_dtype), x)


exp = beside_literals("exp", pt.exp)
expm1 = beside_literals("expm1", pt.expm1)
log1p = beside_literals("log1p", pt.log1p)
sin = beside_literals("sin", pt.sin)
cos = beside_literals("cos", pt.cos)
floor = beside_literals("floor", pt.floor)
erf = beside_literals("erf", pt.erf)
erfc = beside_literals("erfc", pt.erfc)
gammaln = beside_literals("gammaln", pt.gammaln)
digamma = beside_literals("digamma", lambda x: pt.psi(_positive(x)))
trigamma = beside_literals("trigamma", lambda x: pt.tri_gamma(_positive(x)))
power = beside_literals("power", pt.power)
sign = beside_literals("sign", pt.sign)


def where(condition: Array, yes: Array, no: Array) -> Array:
    if isinstance(condition, bool):
        return yes if condition else no
    return pt.switch(condition, yes, no)


def replace(value: Array, condition: Array, by: Array) -> Array:
    return where(condition, by, value)


arctan = beside_literals("arctan", pt.arctan)
betainc = beside_literals("betainc", pt.betainc)
gammainc = beside_literals("gammainc", pt.gammainc)


def _gammaincc(a: Array, x: Array) -> Array:
    """The upper tail, with the derivatives of the lower: PyTensor 2 has the upper one's by `a` wrong."""
    lower = pt.gammainc(a, x)
    return disconnected_grad(pt.gammaincc(a, x)) - (lower - disconnected_grad(lower))


gammaincc = beside_literals("gammaincc", _gammaincc)


def _values(value: Array) -> Array:
    """What was broadcast to make the variable, whose values are the same; a float where it is one number."""
    if type(value) is float:
        return value
    value = undressed(value)
    while value.owner is not None and isinstance(value.owner.op, Alloc):
        value = undressed(value.owner.inputs[0])
    return float(value.data) if isinstance(value, Constant) and value.ndim == 0 else value


def same(first: Array, second: Array) -> bool:
    first, second = _values(first), _values(second)
    if type(first) is float or type(second) is float:
        return type(first) is type(second) and floats.same(first, second)
    return first is second or bool(equal_computations([first], [second]))


def inside(value: Array, low: float, high: float) -> bool:
    return type(value) is float and low < value < high


def evaluate(formula: Callable[..., Array], *sides: Any) -> Array:
    """A graph is not run yet."""
    return formula(*sides)


def known(value: Array) -> Array:
    if not isinstance(value, Variable):
        return value
    if not all(isinstance(x, Constant) for x in graph_inputs([value])):
        return None
    return value.eval(mode=Mode("py", None))


def steps(count: Array) -> Array:
    return pt.cast(pt.arange(pt.cast(count, "int64")), "float64")


def take_along_last(values: Array, index: Array) -> Array:
    if index.dtype.startswith("float"):  # NaN is no place: what is taken there becomes NaN elsewhere
        index = pt.cast(pt.where(pt.isnan(index), 0.0, index), "int64")
    if values.ndim == 1 or index.ndim == 1:
        return values[..., index]
    stretched = values + pt.zeros_like(index[..., 0], dtype=values.dtype)[..., None]
    index = index + pt.zeros_like(values[..., 0], dtype="int64")[..., None]
    taken = pt.take_along_axis(stretched, index, -1)
    return pt.specify_shape(taken, (*stretched.type.shape[:-1], index.type.shape[-1]))
