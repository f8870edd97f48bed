"""Closed forms for pairs of univariate families: how they are registered; the error where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple

from kl_plugins.errors import NoClosedFormError, no_closed_form_of_pair
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.mistakes import check_class
from kl_plugins.ops import numpy as array_ops
from kl_plugins.ops.deferred import deferred
from kl_plugins.ops.protocol import Array, ArrayOperations
from kl_plugins.rules import Formula


def no_closed_form(p: Distribution, q: Distribution, why: str) -> NoClosedFormError:
    """The error for a pair that the statistics do not serve."""
    return no_closed_form_of_pair(p.describe(), q.describe(), why)


def closed_form(
    p_type: type, q_type: type, stated: str | Callable[[Any, Any], str] = "O(1)"
) -> Callable[[Formula], Formula]:
    """Register the decorated function, which may find that there is no closed form, for a pair of families.

    `explain` calls it too, with operations that are put off, to say so, and gives the cost as `stated`. Long
    vectors are worked on by a loop that is made of the function; where it asks for what no loop knows, in
    pieces whose intermediate results stay in the processor's cache.

    Parameters
    ----------
    p_type, q_type : type
        Univariate families; the rule serves the classes under them too, unless these have one of their own.
    stated : str or callable
        The cost, or a function of the pair that tells it.

    Returns
    -------
    callable
        A decorator of functions of p and q, both in one backend: its operations are ``p.ops``. They receive
        the whole objects, so that ``loc``, ``scale``, ``sign`` and the supports are theirs to reckon with
        (+∞ where p has mass outside of q's), unlike in what `expects` registers. They return
        KL(p‖q), of the broadcast batch shape, and may raise `NoClosedFormError`, with what is in the
        way as its message: the pair is named by `kl`.

    Raises
    ------
    TypeError
        If one of the two is no univariate family; `register_kl` takes any two classes.

    Examples
    --------
    >>> from kl_plugins import kl
    >>> from kl_plugins.extend import POSITIVE, Continuous, closed_form, parameter
    >>> class Waiting(Continuous):
    ...     scale: float = parameter(POSITIVE)
    >>> @closed_form(Waiting, Waiting)
    ... def waiting_waiting(p, q):
    ...     ratio = p.scale / q.scale
    ...     return ratio - 1.0 - p.ops.log(ratio)
    >>> kl(Waiting(1.0), Waiting([1.0, 2.0])).round(6)
    array([0.      , 0.193147])
    """
    for kind, argument in ((p_type, "p_type"), (q_type, "q_type")):
        check_class(kind, f"closed_form: {argument}", Univariate, "register_kl takes any two classes")

    def decorate(function: Formula) -> Formula:
        @wraps(function)
        def of_vectors(p: Univariate, q: Univariate) -> Array:
            if p.ops is not array_ops:
                return function(p, q)
            length = max(_length(p), _length(q))
            if not length or array_ops.size_of_whole(length) <= array_ops.PIECE:
                return function(p, q)
            formula = _OfParameters(function, _form(p), _form(q))
            found = array_ops.by_loop(formula, length, [*p.values(), *q.values()])
            if found is not None:
                return found
            return array_ops.in_pieces(
                lambda piece: function(p.batch_slice(piece), q.batch_slice(piece)), length
            )

        def decide(p: Univariate, q: Univariate) -> float:
            function(*deferred(p, q))
            return 0.0

        def cost(p: Univariate, q: Univariate) -> str:
            if p.ops.symbolic:
                decide(p, q)
            else:
                of_numbers = p.for_decisions(), q.for_decisions()
                of_numbers[0].ops.evaluate(decide, *of_numbers)
            return stated if isinstance(stated, str) else stated(p, q)

        kl_rules.register(p_type, q_type, cost=cost)(of_vectors)
        return function

    return decorate


class _Form(NamedTuple):
    """A distribution without its parameters: its class, its constants, and the forms of its parts."""

    kind: type[Univariate]
    constants: tuple[tuple[str, Any], ...]
    parts: tuple[tuple[str, _Form], ...]

    def made(self, values: Iterator[Array], ops: ArrayOperations) -> Univariate:
        """The distribution with the next of these values as parameters."""
        parameters = {name: next(values) for name in self.kind.parameters}
        parts = {name: form.made(values, ops) for name, form in self.parts}
        return self.kind.unchecked(ops, **parameters, **parts, **dict(self.constants))


def _form(p: Univariate) -> _Form:
    state = p.__getstate__()
    constants = [(name, x) for name, x in state.items() if name not in p.parameters and name not in p.parts]
    return _Form(type(p), tuple(constants), tuple((name, _form(state[name])) for name in p.parts))


@dataclass(frozen=True)
class _OfParameters:
    """A function of two distributions as one of their parameters, and of operations as last argument."""

    function: Callable[..., Array]
    p: _Form
    q: _Form

    def __call__(self, *args: Array) -> Array:
        values = iter(args[:-1])
        return self.function(self.p.made(values, args[-1]), self.q.made(values, args[-1]))


def _length(p: Univariate) -> int:
    """Of a vector; 0 for whatever is not one."""
    shape = p.batch_shape
    return (shape[0] or 0) if len(shape) == 1 else 0


def infinite(p: Univariate, q: Univariate) -> Array:
    """+∞ in the shape of the pair."""
    return q.broadcast(p.broadcast(math.inf))


@kl_rules.register(Univariate, Univariate, cost="O(1)")
def continuous_and_discrete(p: Univariate, q: Univariate) -> Array:
    """+∞: one has a density, the other is made of points."""
    return infinite(p, q)
