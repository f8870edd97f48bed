"""The divergence of a family's members from their base model, as a graph of one parameter and as numbers."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Apply, Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace, graph_replace, vectorize_graph
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor.random.type import RandomType
from pytensor.tensor.variable import TensorVariable

from kl_plugins.dispatch import kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.mistakes import mistaken
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.ops.pytensor.checks import ReplaceChecks, infinite_outside, unchecked

Graph: TypeAlias = "TensorVariable[Any, Any]"
Family: TypeAlias = Callable[[Any], Any]

UNCOMPILED = Mode(linker="py", optimizer="fast_compile")
"""For functions that are called a few times, on arrays: to compile them would take seconds. The further
rewrites of "fast_run" fuse operations, whose constants would be of single precision in Python."""


def is_number(value: object) -> bool:
    """Whether it is one number, of Python or of NumPy; a truth value is none."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


class Divergence:
    """KL(family(θ) ‖ base) in nats, where the base is a distribution, or the family at another parameter."""

    def __init__(self, family: Family, base: Any) -> None:
        self._theta, self._base = pt.dscalar("parameter"), pt.dscalar("base")
        member = _member(family, self._theta)
        if is_number(base):
            base = _member(family, self._base)
        elif (what := mistaken(base)) is not None:
            raise TypeError(f"base must be a number, a value of the parameter, or a distribution: {what}")
        parameters = [self._theta, self._base]
        divergence = _of_parameters_alone(_divergence(member, base), parameters)
        self._graph = _with_checks(divergence, parameters, unchecked)  # they hold inside of the bounds
        thetas = pt.dvector("parameters")
        self._compiled = pytensor.function(
            [thetas, self._base],
            vectorize_graph(_with_checks(divergence, parameters, infinite_outside), {self._theta: thetas}),
            mode=UNCOMPILED,
            on_unused_input="ignore",
        )

    def values(self, theta: FloatArray, base: float) -> FloatArray:
        """The divergences at parameters; infinite or NaN where the family is no distribution.

        `base` is the parameter of the base model; where that is a distribution it has no effect.
        """
        with np.errstate(all="ignore"):
            return np.asarray(self._compiled(theta, base))

    def graph(self, theta: Graph, base: float) -> tuple[Graph, Graph]:
        """The divergence and its derivative, of a variable of any shape."""
        value = clone_replace(self._graph, {self._base: pt.constant(base, dtype="float64")})
        slope = pt.grad(value, self._theta)
        found, slopes = vectorize_graph([value, slope], {self._theta: pt.cast(theta, "float64")})
        return found, slopes

    def __getstate__(self) -> dict[str, Any]:
        """What a model needs that is sent to another process: numbers are done with."""
        return {name: value for name, value in vars(self).items() if name != "_compiled"}


def _member(family: Family, parameter: Graph) -> Any:
    """The family's distribution at a parameter."""
    scratch = pm.Model(model=None)  # in which nothing can be added to the user's
    try:
        with scratch:
            member = family(parameter)
    except Exception as error:
        raise TypeError(
            f"family(parameter) raised {type(error).__name__}: {error}. It is called with a symbolic number, "
            "a PyTensor variable: take functions of pm.math or pytensor.tensor, and pt.stack for arrays"
        ) from error
    if scratch.named_vars:
        name = next(iter(scratch.named_vars))
        raise TypeError(
            f"family(parameter) must not add variables to a model, and it adds {name!r}: make "
            "distributions with dist, as pm.Normal.dist(0, sigma)"
        )
    if member is None or is_number(member):
        raise TypeError(f"family(parameter) must return a distribution, but it returned {member!r}")
    if (what := mistaken(member)) is not None:
        raise TypeError(f"family(parameter) must return a distribution: {what}")
    return member


def _divergence(member: Any, base: Any) -> Any:
    """The divergence of two distributions; errors say what its sides are."""
    try:
        return kl(member, base)
    except (TypeError, ValueError, NoClosedFormError) as error:
        raise type(error)(f"KL(p‖q) of p = family(parameter) from q, the base: {error}") from error


def _of_parameters_alone(divergence: Any, parameters: list[Graph]) -> Graph:
    """The divergence, if it is one number that depends on its parameter and on nothing else that varies."""
    theta = parameters[0]
    symbolic = isinstance(divergence, TensorVariable)
    roots = [
        root for root in graph_inputs([divergence] if symbolic else []) if not isinstance(root, Constant)
    ]
    if theta not in roots:
        raise ValueError("family(parameter) does not depend on its parameter")
    if divergence.ndim:
        raise ValueError(
            "family(parameter) must be one distribution, but its divergence from the base has "
            f"{divergence.ndim} dimension(s), as of a batch of distributions: kl_plugins.independent makes "
            "them one"
        )
    others = [root for root in roots if root not in parameters]
    if any(isinstance(root.type, RandomType) for root in others):
        raise ValueError(
            "family(parameter) depends on another random variable; the distance from the base has to be a "
            "function of its parameter alone: put numbers in the place of other variables"
        )
    data = {root: pt.constant(root.get_value()) for root in others if isinstance(root, SharedVariable)}
    free = sorted({str(root) for root in others if root not in data})
    if free:
        raise ValueError(f"family(parameter) depends on {', '.join(free)}, too: put numbers there")
    return graph_replace([divergence], data)[0] if data else divergence


def _with_checks(divergence: Graph, parameters: list[Graph], made_of: Callable[[Apply], Graph]) -> Graph:
    """The divergence with something that does not raise in the place of the checks of parameters."""
    copy = FunctionGraph(parameters, [divergence])
    ReplaceChecks(made_of).apply(copy)
    return clone_replace(copy.outputs[0], dict(zip(copy.inputs, parameters, strict=True)))
