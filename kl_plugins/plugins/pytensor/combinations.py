"""Linear combinations of one Gaussian vector: elements, slices, sums, products with matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.scalar as ps
import pytensor.tensor as pt
import pytensor.tensor.subtensor
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.extra_ops import CumOp
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.subtensor import AdvancedSubtensor, Subtensor

from kl_plugins.covariance.full import Cholesky
from kl_plugins.errors import in_a_row
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.normal import Normal
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Conditions
from kl_plugins.plugins.pytensor.graph import original
from kl_plugins.plugins.pytensor.not_random import (
    is_random,
    name_of_variable,
    not_random,
    random_ones,
    result_of,
)
from kl_plugins.plugins.pytensor.random_variables import as_function, computed
from kl_plugins.recognition import recognise, requirement_as_written

_SUMS = (ps.Add, ps.Sub)
_MULTIPLES = (ps.Cast, ps.Identity, ps.Mul, ps.Neg)
_OF_LISTS = getattr(pytensor.tensor.subtensor, "AdvancedSubtensor1", AdvancedSubtensor)  # of PyTensor 2
_PARTS = (Subtensor, AdvancedSubtensor, _OF_LISTS)


def combination_of(variable: Variable) -> Distribution | None:
    """The distribution of linear combinations of one Gaussian vector, and numbers; None of anything else."""
    sources = random_ones(variable)
    if len(sources) != 1 or sources[0].ndim != 1 or variable.ndim > 1 or is_random(original(variable)):
        return None
    (source,) = sources
    argument = source.type()
    linear = _linear_part(variable, source, argument)
    base = None if linear is None else recognise(source)
    if type(base) is not MultivariateNormal or base.covariance.rank is not base.covariance.dimension:
        return None
    premises = [(holds, requirement_as_written(text, source)) for holds, text in base.conditions()]
    index = _index(variable, source)
    if index is not None and index.ndim:
        _require_different(index, source)
        made = MultivariateNormal(base.mean[index], base.covariance.marginal(index))
        return made.provided(premises)
    origin = pt.zeros_like(base.mean)
    still = clone_replace(variable, {source: origin}, rebuild_strict=False)
    units = pt.eye(origin.shape[-1], dtype=origin.dtype)
    weights = pt.moveaxis(vectorize_graph(linear, {argument: units}), 0, -1)
    if variable.ndim:
        _require_independent(weights)
    root = ops.matmul(pt.atleast_2d(weights), base.covariance.factor)
    mean = still + pt.dot(weights, base.mean)
    if not variable.ndim:
        return Normal(mean, ops.sqrt(ops.sum_of_squares(root))).provided(premises)
    factor = ops.cholesky_of_root(root)
    return MultivariateNormal(mean, Cholesky(factor)).provided([*_independence(factor), *premises])


_INDEPENDENT = "combinations of Gaussian variables must be linearly independent"


def _require_different(index: Any, source: Variable) -> None:
    """ValueError where an element is there twice, and the variables so are on a line or plane."""
    places, counts = np.unique(index, return_counts=True)
    twice = [str(place) for place in places[counts > 1]]
    if twice:
        elements = f"element{'s' if len(twice) > 1 else ''} {in_a_row(twice)}"
        raise ValueError(
            f"{name_of_variable(source)} has its {elements} taken more than once, which makes it a singular "
            "distribution, without a density: take each element once"
        )


def _require_independent(weights: Variable) -> None:
    """ValueError where rows are combinations of the others, as far as that is known before the graph runs."""
    count, length = weights.type.shape
    if None not in (count, length) and count > length:
        raise ValueError(
            f"{_INDEPENDENT}, but {count} combinations of {length} variables never are; leave out what the "
            "others determine"
        )
    known = ops.known(weights)
    if known is None or not np.isfinite(known).all():
        return
    for axis in (0, 1):  # no variable or combination is of less weight for its units
        sizes = np.linalg.norm(known, axis=axis, keepdims=True)
        known = known / np.where(sizes > 0.0, sizes, 1.0)
    rank = np.linalg.matrix_rank(known)
    if rank < len(known):
        raise ValueError(
            f"{_INDEPENDENT}: of these {len(known)} only {rank} are; leave out what the others determine"
        )


def _independence(factor: Variable) -> Conditions:
    """Rounding leaves something of what is a combination of the others."""
    yield pt.eq(factor.shape[0], factor.shape[1]), _INDEPENDENT
    sizes = pt.sqrt(pt.sum(pt.square(factor), axis=-1))
    regular = ops.all_last(ops.diagonal(factor) > 512.0 * ops.epsilon(factor) * sizes)
    yield regular, _INDEPENDENT


def _index(variable: Variable, source: Variable) -> Any:
    """Which variables they are, where they are elements in places that are known."""
    variable, length = original(variable), source.type.shape[0]
    if variable is source:
        return None if length is None else np.arange(length)
    node = variable.owner
    if not isinstance(node.op, _PARTS) or (within := _index(node.inputs[0], source)) is None:
        return None
    places = node.clone_with_new_inputs([pt.constant(within), *node.inputs[1:]], strict=False)
    return ops.known(places.outputs[0])


def _linear_part(variable: Variable, source: Variable, argument: Variable) -> Variable | None:
    """What the variable is of `argument` instead of `source`, without what is added; None of others."""
    variable = original(variable)
    if variable is source:
        return argument
    node = variable.owner
    random = [bool(random_ones(x)) for x in node.inputs]
    if not _is_linear(node, random):
        return None
    inputs = []
    for x, varies in zip(node.inputs, random, strict=True):
        part = _linear_part(x, source, argument) if varies else x
        if part is None:
            return None
        adds = not varies and type(getattr(node.op, "scalar_op", None)) in _SUMS
        inputs.append(pt.zeros_like(x) if adds else part)
    return node.clone_with_new_inputs(inputs, strict=False).outputs[variable.index]


def _is_linear(node: Apply, random: list[bool]) -> bool:
    """Whether the operation is linear in those of its inputs that are random, and in the sum of others."""
    op, first_alone = node.op, random[0] and not any(random[1:])
    if isinstance(op, Elemwise):
        kind = type(op.scalar_op)
        if kind in _SUMS:
            return True
        return first_alone if kind is ps.TrueDiv else kind in _MULTIPLES and sum(random) == 1
    core = op.core_op if isinstance(op, Blockwise) else op
    if isinstance(core, Dot) or type(core).__name__ == "Matmul":
        return sum(random) == 1
    is_sum = isinstance(op, (Sum, DimShuffle, *_PARTS)) or (isinstance(op, CumOp) and op.mode == "add")
    return is_sum and first_alone


def _combination(op: Any, variable: Variable) -> Distribution:
    found = combination_of(variable)
    if found is None:
        raise not_random(variable)
    return found


def called(op: Any, variable: Variable) -> str | None:
    """How a combination is written."""
    node, sources = original(variable).owner, random_ones(variable)
    return result_of(node).format(", ".join(map(name_of_variable, sources))) if sources else None


for _kind in (*_PARTS, Blockwise, CumOp, DimShuffle, Dot, Sum):
    computed.register(_kind, _combination)
    as_function.register(_kind, called)
