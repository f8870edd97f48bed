"""Functions of one random variable, which are read off graphs: exponentials, multiples, powers and so on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.raise_op import CheckAndRaise
from pytensor.tensor.basic import ScalarFromTensor
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import All
from pytensor.tensor.variable import TensorVariable

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.maps import (
    Affine,
    Composed,
    Exponential,
    Folded,
    Increasing,
    Logarithm,
    Map,
    Odds,
    Raised,
    Sigmoid,
    image,
)
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.plugins.pytensor.combinations import called, combination_of
from kl_plugins.plugins.pytensor.graph import constant_of, original
from kl_plugins.plugins.pytensor.not_random import is_random, not_random, random_ones, result_of
from kl_plugins.plugins.pytensor.random_variables import as_function, computed
from kl_plugins.recognition import as_written, composed, recognise, requirement_as_written


class Function(NamedTuple):
    """Maps, the first of them first, of a random variable."""

    of: Variable
    maps: list[Map]

    def texts(self) -> list[str]:
        """How what each map makes is written."""
        found = [as_written(self.of)]
        for one in self.maps:
            found.append(one.text.format(found[-1]))
        return found[1:]


class _NotReadError(Exception):
    """What is no map of a random variable, with braces where the random ones are named."""


@computed.register(Elemwise)
def _(op: Any, variable: Variable) -> Distribution:
    function = function_of(variable)
    if not function.maps and (found := combination_of(variable)) is not None:
        return found
    return _distribution(function, len(function.maps))


@composed.register(TensorVariable)
def _(variable: Variable) -> Composed | None:
    if not isinstance(getattr(original(variable).owner, "op", None), Elemwise):
        return None
    function = function_of(variable)
    return Composed(function.maps, partial(_distribution, function))


def _distribution(function: Function, count: int) -> Distribution:
    """That of what the first so many maps make, with the conditions of all of them."""
    base = made = recognise(function.of)
    for one, text in zip(function.maps[:count], function.texts(), strict=False):
        made = image(made, one, text).to(ops)
    premises = [stated for one in function.maps for stated in _conditions(one, bool(base.event_shape))]
    if made is not base:
        premises += [(holds, requirement_as_written(text, function.of)) for holds, text in base.conditions()]
    return made.provided(premises) if premises or made is not base else base


@as_function.register(Elemwise)
def _(op: Any, variable: Variable) -> str | None:
    try:
        function = function_of(variable)
    except TypeError:
        return str(variable)
    if function.of is original(variable):  # linear in several elements
        return called(op, variable)
    return [as_written(function.of), *function.texts()][-1]


def function_of(variable: Variable) -> Function:
    """The variable as a function of one random variable; TypeError, which says why, where it is none."""
    maps: list[Map] = []
    found = original(variable)
    while not is_random(found):
        if not random_ones(found):
            raise not_random(variable)
        try:
            found, first = _read(found.owner)
        except _NotReadError as error:
            if combination_of(found) is not None:
                break
            raise not_random(variable, str(error)) from None
        maps = [*first, *maps]
    return Function(found, maps)


def _read(node: Apply) -> tuple[Variable, Sequence[Map]]:
    """The variable that a node maps, and how."""
    kind = type(getattr(node.op, "scalar_op", None)) if isinstance(node.op, Elemwise) else None
    random = [x for x in node.inputs if random_ones(x)]
    if len(random) > 1:
        if kind is ps.Mul and len(set(map(original, node.inputs))) == 1:
            return original(random[0]), [Raised(float(len(random)))]
        if kind is ps.TrueDiv and (source := _of_odds(*node.inputs)) is not None:
            return source, [Odds()]
        if len({source for x in random for source in random_ones(x)}) == 1:
            raise _NotReadError("a function of {} in which it occurs more than once")
        raise _NotReadError("a function of several random variables ({})")
    if kind in _OF_ONE:
        return original(random[0]), _OF_ONE[kind]
    if kind not in _OF_TWO:
        raise _NotReadError(result_of(node))
    _require_own_shape(random[0], node.out)
    numbers = [x for x in node.inputs if x is not random[0]]
    number = numbers[0] if len(numbers) == 1 else node.op(*numbers)
    known = _literal(number)
    value = ops.asarray(number, "the other operand") if known is None else known
    return original(random[0]), _OF_TWO[kind](value, node.inputs[0] is random[0])


def _literal(value: Array) -> float | None:
    """The number that it is for all elements, where that is known; PyTensor gives constants dimensions."""
    known = ops.literal(value)
    expanded = constant_of(value) if known is None and isinstance(value, Variable) else None
    return known if expanded is None else float(expanded)


def _of_odds(above: Variable, below: Variable) -> Variable | None:
    """The x of x/(1 − x)."""
    node, source = original(below).owner, original(above)
    is_rest = isinstance(getattr(node.op, "scalar_op", None), ps.Sub) and original(node.inputs[1]) is source
    return source if is_rest and _literal(node.inputs[0]) == 1.0 else None


def _require_own_shape(random: Variable, out: Variable) -> None:
    """Elements that are one random number are not independent."""
    lengths = zip(random.type.shape, out.type.shape, strict=True)
    if isinstance(getattr(random.owner, "op", None), DimShuffle) or any(a == 1 != b for a, b in lengths):
        raise _NotReadError("a function of {} in which its elements are repeated (make it of that shape)")


def _sign(value: Array) -> float | None:
    """That which a factor certainly has: of a number, or of an operation whose results are positive."""
    known = _literal(value)
    if known is not None:
        if known == 0.0 or not math.isfinite(known):
            raise _NotReadError(f"a function of {{}} in which it is multiplied or divided by {known:g}")
        return math.copysign(1.0, known)
    node = value.owner
    if node is not None and isinstance(node.op, CheckAndRaise):
        return 1.0 if any(map(_says_positive, node.inputs[1:])) else _sign(node.inputs[0])
    if node is None or not isinstance(node.op, Elemwise | DimShuffle):
        return None
    if isinstance(node.op, Elemwise):
        kind = type(node.op.scalar_op)
        if kind in _POSITIVE:
            return 1.0
        if kind in (ps.Mul, ps.TrueDiv):
            signs = [_sign(x) for x in node.inputs]
            return None if None in signs else math.prod(filter(None, signs))
        if kind is ps.Neg:
            sign = _sign(node.inputs[0])
            return sign and -sign
        if kind is not ps.Cast:
            return None
    return _sign(node.inputs[0])


def _says_positive(condition: Variable) -> bool:
    """Whether a check asks that all of something are more than zero, which then is what it returns."""
    node = condition.owner
    while node is not None and isinstance(node.op, All | DimShuffle | ScalarFromTensor):
        node = node.inputs[0].owner
    is_greater = node is not None and isinstance(getattr(node.op, "scalar_op", None), ps.GT)
    return is_greater and _literal(node.inputs[1]) == 0.0


_POSITIVE = (ps.Exp, ps.Softplus, ps.Sigmoid, ps.Abs, ps.Sqr, ps.Sqrt)
"""But for zero, which is no factor."""


def _conditions(of: Map, of_vectors: bool) -> Conditions:
    """Of numbers that are known only when the graph runs."""
    if isinstance(of, Affine) and not isinstance(of.scale, float):
        holds = pt.neq(of.scale, 0.0)
        yield pt.all(holds) if of_vectors else holds, "the factor of a random variable must not be 0"
    if isinstance(of, Raised) and not isinstance(of.exponent, float):
        yield pt.neq(of.exponent, 0.0), "the exponent of a random variable must not be 0"


def _times(c: Array) -> Affine:
    return Affine(0.0, c, _sign(c))


def _quotient(c: Array, comes_first: bool) -> list[Map]:
    sign = _sign(c)
    return [Affine(0.0, 1.0 / c, sign)] if comes_first else [Raised(-1.0), Affine(0.0, c, sign)]


def _power(c: Array, comes_first: bool) -> list[Map]:
    """A power of the variable, or of a number that is raised to it."""
    if comes_first:
        if isinstance(c, float):
            _sign(c)
        return [Raised(c)]
    if not isinstance(c, float) or not 0.0 < c < math.inf or c == 1.0:
        raise _NotReadError(
            "a function of {} in which what is raised to it is no positive number other than 1"
        )
    return [_times(math.log(c)), Exponential()]


_LOG_2, _LOG_10 = math.log(2.0), math.log(10.0)

_OF_ONE: dict[Any, Sequence[Map]] = {
    ps.Abs: (Folded(),),
    ps.ArcSinh: (Increasing("arcsinh({})", odd=True),),
    ps.ArcTan: (Increasing("arctan({})", odd=True),),
    ps.Cast: (),
    ps.Erf: (Increasing("erf({})", odd=True),),
    ps.Exp: (Exponential(),),
    ps.Exp2: (_times(_LOG_2), Exponential()),
    ps.Expm1: (Exponential(), Affine(-1.0, 1.0, 1.0)),
    ps.Log: (Logarithm(),),
    ps.Log10: (Logarithm(), _times(1.0 / _LOG_10)),
    ps.Log1p: (Affine(1.0, 1.0, 1.0), Logarithm()),
    ps.Log2: (Logarithm(), _times(1.0 / _LOG_2)),
    ps.Neg: (Affine(0.0, -1.0, -1.0),),
    ps.Reciprocal: (Raised(-1.0),),
    ps.Sigmoid: (Sigmoid(),),
    ps.Sinh: (Increasing("sinh({})", odd=True),),
    ps.Softplus: (Increasing("softplus({})"),),
    ps.Sqr: (Raised(2.0),),
    ps.Sqrt: (Raised(0.5),),
    ps.Tanh: (Increasing("tanh({})", odd=True),),
}
"""By the class of the operation on numbers."""

_OF_TWO: dict[Any, Callable[[Array, bool], Sequence[Map]]] = {
    ps.Add: lambda c, comes_first: [Affine(c, 1.0, 1.0)],
    ps.Mul: lambda c, comes_first: [_times(c)],
    ps.Pow: _power,
    ps.Sub: lambda c, comes_first: [Affine(-c, 1.0, 1.0)] if comes_first else [Affine(c, -1.0, -1.0)],
    ps.TrueDiv: _quotient,
}
"""Functions of the other operand, and of whether the random one is the first."""
