"""Random variables of PyTensor, and so of PyMC, whose random variables are PyTensor's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from warnings import catch_warnings, simplefilter

import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor.random.basic import MvNormalRV, NormalRV
from pytensor.tensor.random.type import RandomType
from pytensor.tensor.type_other import NoneTypeT
from pytensor.tensor.variable import TensorVariable

import kl_plugins.plugins.pytensor.products  # noqa: F401  (adds its rules)
from kl_plugins.errors import Requirement, no_closed_form_of_one
from kl_plugins.estimate.density import Density, density_of
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.names import made_by, pymc_names
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array
from kl_plugins.plugins.pytensor.covariance import covariance_of
from kl_plugins.plugins.pytensor.graph import original
from kl_plugins.plugins.pytensor.not_random import is_random, not_random
from kl_plugins.recognition import (
    as_written,
    is_symbolic,
    load,
    load_plugins_of,
    plugins,
    recognise,
    requirement_as_written,
)


@recognise.register(TensorVariable)
def _(variable: Variable) -> Distribution:
    source = original(variable)
    node = source.owner
    if not is_random(source):
        return computed(None if node is None else node.op, variable)
    load_plugins_of(type(node.op))  # which is another library's, where that defines its own variables
    try:
        return family(node.op, *parameters_of(node.op, node), batch=_batch(source))
    except ValueError as error:
        if len(error.args) == 1 and isinstance(error.args[0], Requirement):
            raise type(error)(requirement_as_written(error.args[0], variable)) from None
        raise


@singledispatch
def computed(op: Op | None, variable: Variable) -> Distribution:
    """The distribution of what a graph computes of random variables.

    A function registered for the class of the last operation reads one.
    """
    raise not_random(variable)


_WALKS = {
    "Normal": "GaussianRandomWalk",
    "MvNormal": "MvGaussianRandomWalk",
    "MvStudentT": "MvStudentTRandomWalk",
}
"""What users of PyMC call a random walk, by its innovations."""


@as_written.register(TensorVariable)
def _(variable: Variable) -> str:
    node = original(variable).owner
    if (function := as_function(node.op, variable)) is not None:
        return function
    name = name_of_class(node.op)
    if name == "RandomWalk":
        innovations = [
            name_of_class(x.owner.op)
            for x in node.inputs
            if hasattr(getattr(x.owner, "op", None), "ndim_supp")
        ]
        name = _WALKS.get(innovations[-1] if innovations else "", name)
    return f"pm.{name}" if hasattr(node.op, "dist_params") else name


@singledispatch
def as_function(op: Op, variable: Variable) -> str | None:
    """How a function of a random variable is written; None for others."""
    return None


def name_of_class(op: Op) -> str:
    """What PyMC's users call the class of a variable."""
    name = type(op).__name__.removesuffix("RV").removeprefix("_")
    for own in ("CustomDist", "Simulator"):  # to which PyMC adds the variable's name
        name = own if name.startswith(f"{own}_") else name
    return {"AutoRegressive": "AR"}.get(name, name)


@is_symbolic.register(TensorVariable)
def _(variable: Variable) -> bool:
    """Whether PyMC's log density depends on what has no value, or a value that may change.

    Random parameters have none either.
    """
    inputs = graph_inputs([variable])
    if any(isinstance(x, SharedVariable) and not isinstance(x.type, RandomType) for x in inputs):
        return True
    with catch_warnings():
        simplefilter("ignore")  # the error says it
        try:
            density_of(variable)
        except ValueError:
            return True
        except TypeError:  # no random variable, or one without a density
            return False
    return False


@singledispatch
def parameters_of(op: Op, node: Apply) -> Sequence[Variable]:
    """The distribution parameters of a random variable's node, in the order of the op's signature."""
    found: Sequence[Variable] = op.dist_params(node)
    return found


def _batch(variable: Variable) -> tuple[Array, ...] | None:
    """Batch shape of a random variable that was given a size; None where its parameters decide it."""
    op = variable.owner.op
    if getattr(op, "extended_signature", "") is None:  # which does not say where its size is
        return None
    size = op.size_param(variable.owner)
    if size is None or isinstance(size.type, NoneTypeT):
        return None
    lengths = variable.type.shape[: variable.ndim - op.ndim_supp]
    return tuple(size[i] if length is None else length for i, length in enumerate(lengths))


@density_of.register(TensorVariable)
def _(variable: Variable) -> Density:
    for plugin in plugins().get("pymc", ()):  # only PyMC knows densities
        load(plugin)
    node = original(variable).owner
    return density(None if node is None else node.op, variable)


@singledispatch
def density(op: Op, variable: Variable) -> Density:
    """What estimates need to know of a random variable; functions are registered for the class of its op."""
    raise not_random(variable)


@singledispatch
def family(op: Op, *parameters: Variable, batch: tuple[Array, ...] | None) -> Distribution:
    """The family of a random variable; a function registered for the class of its op adds one.

    Parameters
    ----------
    op : RandomVariable or pymc's SymbolicRandomVariable
    *parameters : TensorVariable
        The distribution parameters in the order of the op's signature.
    batch : tuple or None
        Batch shape, where it was given.
    """
    make = pymc_names.get(type(op).__name__)
    if make is not None and (type(op).__module__.partition(".")[0] in _THEIRS or _is_logit_normal(op)):
        values = [ops.asarray(value, name) for value, name in zip(parameters, "abcdefgh", strict=False)]
        made = made_by(make, values, type(op).__name__)
        made = made.to(ops)  # plain numbers alone are a graph too
        return made if batch is None else made.expand(batch)
    raise no_closed_form_of_one(f"the random variable {name_of_class(op)}")


_THEIRS = ("pytensor", "pymc", "pymc_extras")
"""Whose classes the names are of."""


def _is_logit_normal(op: Op) -> bool:
    """Whether the op is pm.LogitNormal's, whose class PyMC makes of a graph: the sigmoid of a normal."""
    found = [out.owner for out in getattr(op, "inner_outputs", ()) if out.owner is not None]
    return type(op).__name__ == "LogitNormal" and any(
        node.op == pt.sigmoid and isinstance(getattr(node.inputs[0].owner, "op", None), NormalRV)
        for node in found
    )


def broadcast_parameter(
    value: Variable, batch: tuple[Array, ...] | None, event_ndim: int, name: str
) -> Variable:
    """A parameter as floats, broadcast to the batch shape where one was given."""
    value = ops.asarray(value, name)
    if batch is None:
        return value
    event = ops.runtime_shape(value)[value.ndim - event_ndim :]
    shape = (*batch, *event)
    return value if ops.shape(value) == shape else pt.broadcast_to(value, shape)


@family.register(MvNormalRV)
def _(op: Op, mean: Variable, matrix: Variable, *, batch: Array) -> Distribution:
    return MultivariateNormal(broadcast_parameter(mean, batch, 1, "mu"), covariance_of(matrix))
