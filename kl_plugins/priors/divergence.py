"""The divergence of a family's members from their base model, as a graph of one parameter and as numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor.random.type import RandomType
from pytensor.tensor.variable import TensorVariable

from kl_plugins.dispatch import kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.mistakes import mistaken
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.ops.pytensor.check_node import ReplaceChecks, infinite_outside, unchecked
from kl_plugins.ops.pytensor.on_arrays import UNCOMPILED
from kl_plugins.priors.arguments import is_number
from kl_plugins.recognition import recognise

Graph: TypeAlias = "TensorVariable[Any, Any]"
Family: TypeAlias = Callable[[Any], Any]
SYMBOLIC = (
    "It is called with a symbolic number, a PyTensor variable: take functions of pm.math or pytensor.tensor, "
    "pt.stack for arrays, pt.switch for `if`, and distributions of PyMC, as pm.Normal.dist"
)
"""Why ordinary functions of numbers fail in families."""


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
        hint = f". {SYMBOLIC}" if isinstance(error, TypeError | AttributeError | NotImplementedError) else ""
        raise TypeError(f"family(parameter) raised {type(error).__name__}: {error}{hint}") from error
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
    given = (*getattr(member, "args", ()), *getattr(member, "kwds", {}).values())
    if type(member).__module__.partition(".")[0] == "scipy" and any(isinstance(x, Variable) for x in given):
        raise TypeError(
            "family(parameter) returned a distribution of SciPy, which takes no symbolic numbers: take one "
            "of PyMC, as pm.Normal.dist(0, sigma)"
        )
    try:
        divergence = kl(member, base)
    except (TypeError, ValueError, NoClosedFormError) as error:
        raise type(error)(f"KL(p‖q) of p = family(parameter) from q, the base: {error}") from error
    sides = [recognise(member), recognise(base)]
    if all(isinstance(side, Univariate) for side in sides):
        first, second = ("discrete" if isinstance(side, Discrete) else "continuous" for side in sides)
        if first != second:
            raise ValueError(
                f"family(parameter) is {first} and the base {second}: the divergence between such "
                "distributions is infinite for every parameter. Choose a base of the same kind"
            )
    return divergence


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
    shared = sorted({str(root) for root in others if isinstance(root, SharedVariable)})
    if shared:
        names = ", ".join(shared)
        raise ValueError(
            f"family(parameter) or the base depends on {names}, which is pm.Data or another shared variable. "
            "The prior is measured once, when it is made, and could not follow when this changes. Take its "
            f"value, which stays as it is now: {shared[0]}.get_value()"
        )
    free = sorted({str(root) for root in others})
    if free:
        raise ValueError(f"family(parameter) depends on {', '.join(free)}, too: put numbers there")
    return divergence


def _with_checks(divergence: Graph, parameters: list[Graph], made_of: Callable[..., Graph]) -> Graph:
    """The divergence with something that does not raise in the place of the checks of parameters."""
    copy = FunctionGraph(parameters, [divergence])
    ReplaceChecks(made_of).apply(copy)
    return clone_replace(copy.outputs[0], dict(zip(copy.inputs, parameters, strict=True)))
