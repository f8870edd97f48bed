"""Pairs whose divergence is an integral over one variable, as a sum over fixed nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce, wraps
from typing import cast

import numpy as np

from kl_plugins.families.core.closed_forms import closed_form, no_closed_form
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.formulas.fixed_nodes import COUNT
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.protocol import Array, Operations, SymbolicOperations
from kl_plugins.rules import Formula


def cost_of_nodes(count: int) -> str:
    """What `explain` says of the cost."""
    return f"quadrature, {count} nodes"


QUADRATURE = cost_of_nodes(COUNT)
"""That of the nodes of `fixed_nodes`."""


def by_nodes(
    p_type: type, q_type: type, stated: str | Callable[[Univariate, Univariate], str] = QUADRATURE
) -> Callable[[Formula], Formula]:
    """Register the decorated function of arrays or variables for a pair of families; see `closed_form`."""
    register = closed_form(p_type, q_type, stated)

    def decorate(function: Formula) -> Formula:
        @wraps(function)
        def of_arrays(p: Univariate, q: Univariate) -> Array:
            return on_arrays(function, p, q)

        register(of_arrays)
        return function

    return decorate


def within(p: Univariate, q: Univariate, value: Array, conditions: dict[str, Array]) -> Array:
    """The value of the pair, where what the nodes resolve holds: NoClosedFormError with the text where not.

    A graph raises when it runs.
    """
    value, ops = q.broadcast(p.broadcast(value)), p.ops
    alike = _alike(p, q)
    value = value if alike is False else ops.where(alike, 0.0, value)
    open_ones = []
    for text, holds in conditions.items():
        if ops.symbolic and type(holds) is not bool:
            open_ones.append((holds, f"KL(p‖q): {text}; kl_plugins.estimate_kl estimates that of numbers"))
        elif not np.all(np.logical_or(holds, alike)):
            raise no_closed_form(p, q, text)
    return cast(SymbolicOperations, ops).guard(value, open_ones) if open_ones else value


def _alike(p: Univariate, q: Univariate) -> Array:
    """Where all numbers are the same on both sides, wherever these are; graphs have their 0 from the rule."""
    if p.ops.symbolic or type(p) is not type(q):
        return False
    pairs = [(getattr(p, name), getattr(q, name)) for name in p.parameters]
    return reduce(np.logical_and, [np.equal(x, y) for x, y in pairs])


def between(
    least: float, most: float, what: str, values: Sequence[Array], ops: Operations, beyond: str = ""
) -> dict[str, Array]:
    """The condition of `within` that no value is so small that tails hardly end, or too large for digits.

    `beyond` is what to do where they are larger.
    """
    smallest = reduce(ops.minimum, values)
    small = ops.logical_and(_is_valid(smallest, ops), smallest < least)
    outside = ops.logical_or(small, reduce(ops.maximum, values) > most)
    return {f"its quadrature is for {what} from {least:g} to {most:g}{beyond}": ops.logical_not(outside)}


def _is_valid(smallest: Array, ops: Operations) -> Array:
    """Whether it is positive, of which a graph has another condition, whose words are the user's."""
    return smallest > 0.0 if ops.symbolic else True


def not_far_apart(p_scale: Array, q_scale: Array, step: Array, ops: Operations) -> dict[str, Array]:
    """The condition of `within` on the scales and the difference of the places."""
    largest = ops.maximum(ops.maximum(p_scale, q_scale), abs(step))
    text = f"its quadrature is for scales and places up to {_APART:g} times the smaller scale apart"
    smallest = ops.minimum(p_scale, q_scale)
    valid = _is_valid(smallest, ops)
    small = ops.logical_and(valid, smallest < 1.0 / _LARGEST)
    outside = ops.logical_or(small, largest > _LARGEST)
    return {
        text: ops.logical_not(ops.logical_and(valid, largest > _APART * smallest)),
        f"its quadrature is for scales and places from 1/{_LARGEST:g} to {_LARGEST:g}": ops.logical_not(
            outside
        ),
    }


_APART = 1e16
_LARGEST = np.float64(1e150)
"""Squares of more are beyond the floats. As a literal PyTensor would try it in single precision."""


def on_arrays(function: Formula, p: Univariate, q: Univariate) -> Array:
    """``function(p, q)``, of plain numbers as arrays: a thousand nodes are a vector."""
    if p.ops.scalar:
        return array_ops.evaluate(function, p.to_arrays(), q.to_arrays())
    return function(p, q)
