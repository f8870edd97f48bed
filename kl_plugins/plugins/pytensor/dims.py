"""Random variables with named dimensions, pytensor.xtensor's and so pymc.dims': by name to ordinary ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op
from pytensor.tensor.extra_ops import broadcast_shape
from pytensor.tensor.random.op import RandomVariable
from pytensor.xtensor.basic import Rename, XOp, XTensorFromTensor, XTypeCastOp, xtensor_from_tensor
from pytensor.xtensor.math import Dot
from pytensor.xtensor.shape import Transpose
from pytensor.xtensor.vectorization import XRV

from kl_plugins.errors import NoClosedFormError
from kl_plugins.labelled import listed
from kl_plugins.ops.pytensor import runtime_shape
from kl_plugins.plugins.pytensor.lowering import lowered

Dims = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class RandomWithNames:
    """A random variable with named dimensions, taken apart."""

    op: Op
    """That of the ordinary random variable."""

    parameters: tuple[Variable, ...]
    core_dims: tuple[Dims, ...]
    """Of each parameter the dimensions that belong to the event, in the order that the operation wants."""

    event_dims: Dims
    extra: Mapping[str, Variable]
    """The lengths of the batch dimensions that no parameter has."""

    @property
    def batch_dims(self) -> Dims:
        """In the order of xtensor's broadcasting: those that no parameter has come first."""
        core = {name for dims in self.core_dims for name in dims}
        found = [name for x in self.parameters for name in x.type.dims if name not in core]
        return tuple(dict.fromkeys((*self.extra, *found)))

    @property
    def values(self) -> tuple[Variable, ...]:
        """Its parameters, and what has the dimensions that these lack."""
        if not self.extra:
            return self.parameters
        extent = pt.zeros(tuple(self.extra.values()))
        return *self.parameters, xtensor_from_tensor(extent, dims=tuple(self.extra))

    @property
    def cores(self) -> tuple[Dims, ...]:
        """The dimensions of each of the values that belong to the event."""
        return (*self.core_dims, ()) if self.extra else self.core_dims

    def ordinary(self, dims: Dims) -> Variable:
        """The same without names: its batch dimensions are these, of length 1 where it lacks one."""
        pairs = zip(self.values, self.cores, strict=True)
        return self.rebuild(*[in_order(x, dims, core) for x, core in pairs])

    def rebuild(self, *arrays: Variable) -> Variable:
        """The ordinary random variable of values without names, whose batch dimensions are in one order."""
        parameters = arrays[: len(self.parameters)]
        size = None
        if self.extra:
            pairs = zip(arrays, self.cores, strict=True)
            shapes = [runtime_shape(x)[: x.ndim - len(core)] for x, core in pairs]
            size = broadcast_shape(*shapes, arrays_are_shapes=True)
        if isinstance(self.op, RandomVariable):
            rng = pytensor.shared(np.random.default_rng())
            made: Variable = self.op.make_node(rng, size, *parameters).outputs[1]
        else:  # a graph of PyMC's, which has to be made anew for parameters of other shapes
            made = self.op.rv_op(*parameters, size=size)
        return made

    def in_order_of(self, dims: Dims) -> Variable:
        """The same without names, its dimensions in the order of these, which end with those of the event.

        Raises
        ------
        ValueError
            If it has a dimension that is not among them.
        NoClosedFormError
            If they end otherwise.
        """
        batch = dims[: len(dims) - len(self.event_dims)]
        if unknown := [name for name in (*self.batch_dims, *self.event_dims) if name not in dims]:
            raise ValueError(f"it has the dimensions {listed(unknown)}, which are not among {listed(dims)}")
        if dims[len(batch) :] != self.event_dims:
            raise NoClosedFormError(
                f"the dimensions of the event, {listed(self.event_dims)}, have to come last, but here they "
                f"are among {listed(dims)} otherwise: give dims in another order"
            )
        return self.ordinary(batch)


def random_itself(variable: Variable) -> RandomWithNames | None:
    """The random variable that a variable is, or of which it is a transposed one; None where it is none."""
    node = variable.owner
    while node is not None and isinstance(node.op, Transpose):
        node = node.inputs[0].owner
    if node is None:
        return None
    op = node.op
    if isinstance(op, XRV):
        count = 1 + len(op.extra_dims)
        lengths, parameters = node.inputs[1:count], tuple(node.inputs[count:])
        core_dims, event_dims = op.core_dims
        extra = dict(zip(op.extra_dims, lengths, strict=True))
        return RandomWithNames(op.core_op, parameters, core_dims, event_dims, extra)
    if isinstance(op, XTensorFromTensor):
        return _named_by_position(op.dims, node.inputs[0])
    return None


def _named_by_position(dims: Dims, variable: Variable) -> RandomWithNames | None:
    """An ordinary random variable that was given names; None for one over vectors."""
    node = variable.owner
    if node is None or not hasattr(node.op, "dist_params") or node.op.ndim_supp or any(node.op.ndims_params):
        return None
    parameters: list[Variable] = []
    found: set[str] = set()
    for x in node.op.dist_params(node):
        own = dims[len(dims) - x.ndim :]
        stretched = [
            n == 1 != m for n, m in zip(x.type.shape, variable.type.shape[len(dims) - x.ndim :], strict=True)
        ]
        kept = [axis for axis, is_stretched in enumerate(stretched) if not is_stretched]
        parameters.append(xtensor_from_tensor(x.dimshuffle(kept), dims=[own[axis] for axis in kept]))
        found.update(own[axis] for axis in kept)
    lengths = dict(zip(dims, tuple(variable.shape), strict=True))
    extra = {name: length for name, length in lengths.items() if name not in found}
    return RandomWithNames(node.op, tuple(parameters), ((),) * len(parameters), (), extra)


def in_order(x: Variable, dims: Dims, core: Dims = ()) -> Variable:
    """A variable without its names: the dimensions in this order, of length 1 where it lacks one.

    A matrix that is made of a factor by name is the factor times its transpose.
    """
    node = _renamed(x).owner
    if len(core) == 2 and node is not None and isinstance(node.op, Dot) and len(node.op.dims) == 1:
        left, right = node.inputs
        rows = [name for name in left.type.dims if name not in right.type.dims]
        if _renamed(left) is _renamed(right) and len(rows) == 1:
            factor = in_order(left, dims, (*rows, *node.op.dims))
            return factor @ factor.mT
    axes = {name: axis for axis, name in enumerate(x.type.dims)}
    first = next((i for i, name in enumerate(dims) if name in axes), len(dims))
    order = [axes.get(name, "x") for name in (*dims[first:], *core)]
    plain = without_dims(x)
    return plain if order == list(range(plain.ndim)) else plain.dimshuffle(order)


def _renamed(x: Variable) -> Variable:
    """What a variable is called otherwise."""
    while x.owner is not None and isinstance(x.owner.op, Rename):
        x = x.owner.inputs[0]
    return x


def without_dims(x: Variable) -> Variable:
    """The ordinary variable of the same dimensions, made by ordinary operations as far as can be seen."""
    return lowered([x], _is_no_result_by_name)[0]


def _is_no_result_by_name(variable: Variable) -> bool:
    """Whether no operation on named dimensions makes a variable, other than that which draws it."""
    op = getattr(variable.owner, "op", None)
    return not isinstance(op, XOp | XTypeCastOp) or isinstance(op, XRV)
