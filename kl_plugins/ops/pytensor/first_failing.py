"""Conditions on the entries of arrays, as one node of C: the number of the first that does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytensor.scalar as ps
from pytensor.graph.basic import Apply, Variable
from pytensor.link.c.op import COp
from pytensor.scalar.basic import Composite
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.type import lscalar
from pytensor.tensor.variable import TensorConstant

from kl_plugins.ops.protocol import Array


class Condition(NamedTuple):
    """What has to hold of each entry of an array, or of some numbers, and which these are."""

    holds: Composite
    inputs: tuple[Variable, ...]


class FirstFailing(COp):  # type: ignore[misc]
    """The number, from 1, of the first of some conditions that does not hold, else 0.

    With elementwise operations and reductions each condition would be C modules of its own, which take longer
    to compile than a divergence. A condition on one array is on its entries.
    """

    __props__ = ("conditions",)

    def __init__(self, conditions: Sequence[Composite]) -> None:
        self.conditions = tuple(conditions)

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{len(self.conditions)} conditions}}"

    def make_node(self, *inputs: Array) -> Array:
        return Apply(self, list(inputs), [lscalar()])

    def perform(self, node: Apply, inputs: Array, outputs: Array) -> None:
        found, position = 0, 0
        for number, holds in enumerate(self.conditions, start=1):
            arrays = inputs[position : position + holds.nin]
            position += holds.nin
            entries = zip(*[np.ravel(array) for array in arrays], strict=True)
            if not found and not all(holds.impl(*entry) for entry in entries):
                found = number
        outputs[0][0] = np.asarray(found, dtype="int64")

    def infer_shape(self, *args: Array) -> list[Array]:
        return [()]

    def c_support_code(self, **kwargs: Any) -> str:
        codes = {holds.c_support_code(**kwargs): None for holds in self.conditions}
        return "\n".join([*codes, *map(self._function, range(len(self.conditions)))])

    def _function(self, index: int) -> str:
        holds = self.conditions[index]
        types = [of.dtype_specs()[1] for of in holds.inputs_type]
        names = [f"x{i}" for i in range(holds.nin)]
        arguments = ", ".join(f"{of} {name}" for of, name in zip(types, names, strict=True))
        body = holds.c_code(None, f"holds_{index}", names, ["found"], {"fail": "", "id": "x"})
        return f"static npy_bool holds_{index}({arguments}) {{\nnpy_bool found;\n{body}\nreturn found;\n}}"

    def c_code(self, node: Apply, name: str, inputs: list[str], outputs: list[str], sub: Any) -> str:
        lines, position = ["npy_int64 failing = 0;"], 0
        for index, holds in enumerate(self.conditions):
            arrays = node.inputs[position : position + holds.nin]
            names = inputs[position : position + holds.nin]
            types = [of.dtype_specs()[1] for of in holds.inputs_type]
            position += holds.nin
            shifts = ["0"] * holds.nin
            opened = []
            for axis in range(arrays[0].ndim):
                opened.append(
                    f"for (npy_intp i{axis} = 0; i{axis} < PyArray_DIM({names[0]}, {axis}); i{axis}++)"
                )
                shifts[0] += f" + i{axis} * PyArray_STRIDE({names[0]}, {axis})"
            entries = [
                f"*(({of}*)(PyArray_BYTES({array}) + {shift}))"
                for of, array, shift in zip(types, names, shifts, strict=True)
            ]
            lines += [
                "if (!failing)",
                *opened,
                f"if (!holds_{index}({', '.join(entries)})) failing = {index + 1};",
            ]
        code, (found,) = "\n".join(lines), outputs
        return f"""{{
            {code}
            Py_XDECREF({found});
            {found} = (PyArrayObject*)PyArray_EMPTY(0, NULL, NPY_INT64, 0);
            if (!{found}) {{ {sub["fail"]} }}
            *((npy_int64*)PyArray_DATA({found})) = failing;
        }}"""

    def c_code_cache_version(self) -> tuple[Any, ...]:
        return (1, *[holds.c_code_cache_version() for holds in self.conditions])


def first_failing(holds: Sequence[Variable]) -> Array | None:
    """The number of the first condition, each a number itself, that does not hold; None where it is no help.

    It is one where some are about all entries of an array.
    """
    conditions = [_of_entries(condition) or _of_numbers(condition) for condition in holds]
    if all(of.ndim == 0 for condition in conditions for of in condition.inputs):
        return None
    if not all(_is_plain(condition.holds) for condition in conditions):
        return None
    inputs = [of for condition in conditions for of in condition.inputs]
    return FirstFailing([condition.holds for condition in conditions])(*inputs)


def _is_plain(holds: Composite) -> bool:
    """Whether its code needs no other code at each of its uses."""
    _ = holds.c_code_template  # which names the nodes
    return not holds.c_support_code_apply(None, "").strip()


def _of_entries(condition: Variable) -> Condition | None:
    """What holds of all entries of one array, where it is a condition on these."""
    op = condition.owner and condition.owner.op
    if not isinstance(op, CAReduce) or not isinstance(op.scalar_op, ps.AND):
        return None
    found = _composed(condition.owner.inputs[0])
    return found if len(found.inputs) == 1 else None


def _of_numbers(condition: Variable) -> Condition:
    found = _composed(condition)
    single = found.inputs and all(of.ndim == 0 for of in found.inputs)
    return found if single else _composed(condition, deep=False)


def _composed(root: Variable, deep: bool = True) -> Condition:
    """The logical operations and comparisons that a condition is made of, and of what they are."""
    leaves: dict[Variable, Any] = {}
    known: dict[Variable, Any] = {}

    def scalar_of(variable: Variable) -> Any:
        if variable not in known:
            known[variable] = made(variable)
        return known[variable]

    def made(variable: Variable) -> Any:
        while (
            variable.owner
            and isinstance(variable.owner.op, DimShuffle)
            and variable.owner.inputs[0].ndim == 0
        ):
            variable = variable.owner.inputs[0]
        dtype = variable.type.dtype
        if isinstance(variable, TensorConstant) and variable.data.size == 1 and variable is not root:
            return ps.constant(variable.data.item(), dtype=dtype)
        op = variable.owner and variable.owner.op
        if deep and isinstance(op, Elemwise) and dtype == "bool" and op.scalar_op.nout == 1:
            return op.scalar_op(*map(scalar_of, variable.owner.inputs))
        if variable not in leaves:
            leaves[variable] = ps.get_scalar_type(dtype)()
        return leaves[variable]

    found = scalar_of(root)
    if found in leaves.values():
        found = ps.identity(found)
    return Condition(Composite(list(leaves.values()), [found]), tuple(leaves))
