"""Scalar formulas as single nodes of a PyTensor graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.scalar.basic import Composite, ScalarVariable
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.variable import TensorConstant


class Formula(Composite):  # type: ignore[misc]
    """A scalar function as one node, for every backend, with derivatives that are nodes like it.

    PyTensor's rewrites do not look inside. That saves the time that they would take, and it saves the formula:
    they would put the ratios (p − q)/q of a series over the common denominator q², which is zero for a q
    whose square underflows.
    """

    def __init__(self, inputs: Sequence[Any], outputs: Sequence[Any], gradient: Any = None) -> None:
        super().__init__(list(inputs), list(outputs))
        self._gradient = gradient
        self._derivatives: list[Formula] | None = None

    def clone(self) -> Formula:
        return self

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        return [output_gradients[0] * derivative(*inputs) for derivative in self.derivatives()]

    L_op = pullback  # its name before PyTensor 3

    def derivatives(self) -> list[Formula]:
        """The derivative by each input: as stated, else by differentiating the formula."""
        if self._derivatives is None:
            dtype = self.inputs[0].type.dtype
            if self._gradient is not None:
                self._derivatives = [
                    formula(lambda *args, i=i: self._gradient(*args)[i], None, self.nin, dtype)
                    for i in range(self.nin)
                ]
            else:
                self._derivatives = _differentiated(self)
        return self._derivatives


def formula(value: Callable[..., Any], gradient: Any, n_inputs: int, dtype: str) -> Formula:
    """The node of ``value``, a function of scalars written in the operations of tensors."""
    tensors = [pt.tensor(dtype=dtype, shape=()) for _ in range(n_inputs)]
    scalars = [ps.get_scalar_type(dtype)() for _ in range(n_inputs)]
    known: dict[Any, Any] = dict(zip(tensors, scalars, strict=True))

    def scalar(variable: Any) -> ScalarVariable:
        if variable not in known:
            known[variable] = made(variable)
        return known[variable]

    def made(variable: Any) -> ScalarVariable:
        if isinstance(variable, TensorConstant):
            return ps.constant(np.asarray(variable.data, dtype=dtype).item(), dtype=dtype)
        op, inputs = variable.owner.op, variable.owner.inputs
        if isinstance(op, DimShuffle):
            return scalar(inputs[0])
        return op.scalar_op(*map(scalar, inputs))

    return Formula(scalars, [scalar(value(*tensors))], gradient)


def _differentiated(function: Formula) -> list[Formula]:
    """The derivatives of a formula by reversing through its operations."""
    dtype = function.inputs[0].type.dtype

    def gradient(*args: Any) -> list[Any]:
        from pytensor import grad
        from pytensor.graph.replace import clone_replace

        return grad(tensor_of(function, args), list(args))

    def tensor_of(function: Formula, args: Sequence[Any]) -> Any:
        known = dict(zip(function.fgraph.inputs, args, strict=True))
        for node in function.fgraph.toposort():
            inputs = [known[x] if x in known else pt.constant(x.data, dtype=x.type.dtype) for x in node.inputs]
            known[node.outputs[0]] = Elemwise(node.op)(*inputs)
        return known[function.fgraph.outputs[0]]

    return [
        formula(lambda *args, i=i: gradient(*args)[i], None, function.nin, dtype) for i in range(function.nin)
    ]
