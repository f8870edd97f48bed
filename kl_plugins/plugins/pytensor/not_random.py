"""What a variable is that has no distribution, or none that can be read off its graph, in users' words."""

from __future__ import annotations

from collections.abc import Sequence

from pytensor.graph.basic import Apply, Variable
from pytensor.graph.traversal import walk
from pytensor.tensor.shape import Shape, Shape_i

from kl_plugins.plugins.pytensor.graph import original
from kl_plugins.recognition import as_written


def is_random(variable: Variable) -> bool:
    """Whether it is a RandomVariable's, or one of PyMC's symbolic ones."""
    return variable.owner is not None and hasattr(variable.owner.op, "dist_params")


def random_ones(variable: Variable) -> list[Variable]:
    """The random variables that it is computed from; their own parameters are not looked at."""

    def parents(x: Variable) -> Sequence[Variable]:
        depends = x.owner is not None and not is_random(x) and not isinstance(x.owner.op, Shape | Shape_i)
        return x.owner.inputs[::-1] if depends else ()

    return [x for x in walk([variable], parents, bfs=False) if is_random(x)]


def not_random(
    variable: Variable, what: str = "", of: str = "pm", sources: Sequence[Variable] | None = None
) -> TypeError:
    """The error for a variable of a graph that has no distribution, or none that can be read off it.

    `what` it is instead has braces where the random variables are named that it is computed from; `of` is the
    module whose distributions the remedy names, `sources` are these random variables.
    """
    node = original(variable).owner
    sources = random_ones(variable) if sources is None else sources
    if node is None:
        what = "a constant or an input"
    elif not sources:
        what = "computed without one"
    else:
        what = (what or result_of(node)).format(", ".join(map(name_of_variable, sources)))
    called = variable.name or "it"
    return TypeError(
        f"{called} is not a random variable but {what}: pass a variable of the model that has a "
        f"distribution, or a distribution with it as a parameter, such as {of}.Normal.dist(mu, sigma)"
    )


def name_of_variable(variable: Variable) -> str:
    """Its own name, or the distribution that it is of."""
    return variable.name or as_written(variable)


def result_of(node: Apply) -> str:
    """What users call the result of an operation, with braces in the place of its random variables."""
    op = getattr(node.op, "core_op", node.op)
    function = getattr(op, "scalar_op", None)
    name = type(op).__name__
    if name in _RESULTS:
        return _RESULTS[name]
    if function is None:
        return "a function of {} whose distribution is not known"
    known = getattr(function, "nfunc_spec", None)
    called = known[0].rpartition(".")[2] if known else type(function).__name__.lower()
    return f"{called} of {{}}, whose distribution is not known"


_PART, _SHAPE, _JOINED = "a part of {}", "{} with other dimensions", "several variables ({}) put together"
_RESULTS = {
    "AdvancedSubtensor": _PART,
    "AdvancedSubtensor1": _PART,
    "Subtensor": _PART,
    "Alloc": _SHAPE,
    "DimShuffle": _SHAPE,
    "Reshape": _SHAPE,
    "Join": _JOINED,
    "MakeVector": _JOINED,
    "CumOp": "running sums or products of {}",
    "Dot": "a matrix product with {}",
    "Max": "the largest of {}",
    "Min": "the smallest of {}",
    "Prod": "a product over {}",
    "SortOp": "{} in another order",
    "Sum": "a sum over {}",
    "Switch": "a choice among {}",
}
"""By the class of the operation, whose module differs between the versions of PyTensor."""
