"""Scalar formulas as single nodes of a PyTensor graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import pytensor
import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import Composite
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.variable import TensorConstant

from kl_plugins.ops.protocol import Array


class Formula(Composite):  # type: ignore[misc]
    """A function of scalars as one node, for every backend, with derivatives that are nodes like it.

    PyTensor's rewrites do not look inside. That saves the time they would take, and it saves the formula:
    they would put the ratios (p − q)/q of a series over the common denominator q², which is zero for a q
    whose square underflows.
    """

    def __init__(self, inputs: Sequence[Array], outputs: Sequence[Array], gradient: Array = None) -> None:
        super().__init__(list(inputs), list(outputs))
        self._gradient = gradient
        self._derivatives: list[Formula] | None = None
        self._needed: list[list[int]] = []

    def clone(self) -> Formula:
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Without the derivatives, which are made anew: they may be written in the formula itself."""
        return {**super().__getstate__(), "_derivatives": None, "_needed": []}

    def pullback(self, inputs: Array, outputs: Array, output_gradients: Array) -> list[Array]:
        if self._derivatives is None:
            derivatives = self._differentiated()
            self._derivatives, self._needed = map(list, zip(*map(_of_needed, derivatives), strict=True))
        pairs = zip(self._derivatives, self._needed, strict=True)
        return [output_gradients[0] * d(*[inputs[i] for i in needed]) for d, needed in pairs]

    L_op = pullback  # its name before PyTensor 3

    def c_support_code(self, **kwargs: Any) -> str:
        """The formula as a function of C, which a module has once, however many terms are in it."""
        inner: str = super().c_support_code(**kwargs)
        if self._is_inline():
            return inner
        body, name = self._body(), self._function()
        number = self.outputs_type[0].dtype_specs()[1]
        arguments = ", ".join(f"{number} x{i}" for i in range(self.nin))
        function = f"static {number} {name}({arguments}) {{\n{number} found;\n{body}\nreturn found;\n}}"
        return f"{inner}\n#ifndef {name.upper()}\n#define {name.upper()}\n{function}\n#endif"

    def c_support_code_apply(self, node: Apply, name: str) -> str:
        found: str = super().c_support_code_apply(node, name) if self._is_inline() else ""
        return found

    def c_code(self, node: Apply, nodename: str, inames: list[str], onames: list[str], sub: Any) -> str:
        if self._is_inline():
            found: str = super().c_code(node, nodename, inames, onames, sub)
            return found
        return f"{onames[0]} = {self._function()}({', '.join(inames)});"

    def c_code_cache_version_outer(self) -> tuple[int, ...]:
        return (*super().c_code_cache_version_outer(), 1)

    def _is_inline(self) -> bool:
        """Whether what it is made of needs C code of its own wherever it is used."""
        _ = self.c_code_template  # which names the nodes
        return bool(super().c_support_code_apply(None, "").strip())

    def _body(self) -> str:
        names = [f"x{i}" for i in range(self.nin)]
        found: str = super().c_code(None, "formula", names, ["found"], {"fail": "", "id": "x"})
        return found

    def _function(self) -> str:
        return f"formula_{sha256(self._body().encode()).hexdigest()[:24]}"

    def _differentiated(self) -> list[Formula]:
        """The derivative by each input: as stated, else by reversing through the operations."""
        gradient, dtype = self._gradient or self._reversed, self.inputs_type[0].dtype
        return [
            formula(lambda *args, i=i: gradient(*args)[i], None, dtype, self.nin) for i in range(self.nin)
        ]

    def _reversed(self, *args: Array) -> Array:
        known = dict(zip(self.fgraph.inputs, args, strict=True))
        for node in self.fgraph.toposort():
            inputs = [
                known[x] if x in known else pt.constant(x.data, dtype=x.type.dtype) for x in node.inputs
            ]
            known[node.outputs[0]] = Elemwise(node.op)(*inputs)
        return pytensor.grad(known[self.fgraph.outputs[0]], list(args), disconnected_inputs="ignore")


def _of_needed(derivative: Formula) -> tuple[Formula, list[int]]:
    """The derivative as a function of those inputs that it depends on, and which they are.

    PyTensor's rewrites drop the others, and with them, wrongly, the shape that they broadcast it to.
    """
    fgraph = derivative.fgraph
    needed = [i for i, x in enumerate(fgraph.inputs) if fgraph.clients.get(x)]
    if not needed or len(needed) == derivative.nin:
        return derivative, list(range(derivative.nin))
    return Formula([fgraph.inputs[i] for i in needed], fgraph.outputs), needed


def formula(value: Callable[..., Array], gradient: Array, dtype: str, nin: int) -> Formula:
    """The node of ``value``, a function of `nin` scalars written in the operations of tensors.

    Its derivatives are those that ``gradient`` returns; where that is None, they are found from `value`.
    """
    tensors = [pt.tensor(dtype=dtype, shape=()) for _ in range(nin)]
    scalars = [ps.get_scalar_type(dtype)() for _ in range(nin)]
    known: dict[Any, Any] = dict(zip(tensors, scalars, strict=True))

    def as_scalar(variable: Variable) -> Array:
        if variable not in known:
            known[variable] = made(variable)
        return known[variable]

    def made(variable: Variable) -> Array:
        if isinstance(variable, TensorConstant):
            return ps.constant(np.asarray(variable.data, dtype=dtype).item(), dtype=dtype)
        op, inputs = variable.owner.op, variable.owner.inputs
        if isinstance(op, DimShuffle):  # of a scalar to a scalar
            return as_scalar(inputs[0])
        return op.scalar_op(*map(as_scalar, inputs))

    found = as_scalar(value(*tensors))
    # PyTensor would make another operation without the inputs that the value is not written in, and that
    # one would have no derivatives. By these inputs too there may be some, as they are stated.
    if found in scalars:
        found = ps.identity(found)
    used = set(ancestors([found]))
    for scalar in scalars:
        if scalar not in used:
            found = ps.second(scalar, found)
    return Formula(scalars, [found], gradient)
