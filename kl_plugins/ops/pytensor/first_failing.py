"""Conditions on the entries of arrays, as one node of C: the number of the first that does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply
from pytensor.link.c.op import COp
from pytensor.scalar.basic import Composite
from pytensor.tensor.type import lscalar

from kl_plugins.ops.protocol import Array
from kl_plugins.ops.pytensor.entrywise import Condition, Counter, Length, Place, Taken, number_of_first


class FirstFailing(COp):  # type: ignore[misc]
    """The number, from 1, of the first of some conditions that does not hold, else 0.

    With elementwise operations and reductions each condition would be C modules of its own.
    """

    __props__ = ("conditions",)

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self.conditions = tuple(conditions)

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{len(self.conditions)} conditions}}"

    def make_node(self, *inputs: Array) -> Array:
        return Apply(self, list(inputs), [lscalar()])

    def perform(self, node: Apply, inputs: Array, outputs: Array) -> None:
        outputs[0][0] = np.asarray(number_of_first(self.conditions, inputs), dtype="int64")

    def infer_shape(self, *args: Array) -> list[Array]:
        return [()]

    def c_support_code(self, **kwargs: Any) -> str:
        codes = {condition.holds.c_support_code(**kwargs): None for condition in self.conditions}
        return "\n".join([*codes, *map(self._function, range(len(self.conditions)))])

    def _function(self, index: int) -> str:
        holds = self.conditions[index].holds
        names = [f"x{i}" for i in range(holds.nin)]
        pairs = zip(holds.inputs_type, names, strict=True)
        arguments = ", ".join(f"{_number(of)} {name}" for of, name in pairs)
        body = holds.c_code(None, f"holds_{index}", names, ["found"], {"fail": "", "id": "x"})
        return f"static npy_bool holds_{index}({arguments}) {{\nnpy_bool found;\n{body}\nreturn found;\n}}"

    def c_code(self, node: Apply, name: str, inputs: list[str], outputs: list[str], sub: Any) -> str:
        lines = ["npy_int64 failing = 0;"]
        for index, (holds, places, loops) in enumerate(self.conditions):
            pairs = zip(places, holds.inputs_type, strict=True)
            entries = ", ".join(_value(place, _number(of), inputs) for place, of in pairs)
            running = [(k, [_value(of, "", inputs) for of in loop]) for k, loop in enumerate(loops) if loop]
            fails = f"failing = {index + 1};"
            for _, (first, *others) in running:
                lines += [f"if (!failing && {first} != {other}) {fails}" for other in others]
            lines.append("if (!failing)")
            for k, (first, *_) in running:
                lines.append(f"for (npy_intp i{k} = 0; i{k} < {first}; i{k}++)")
            lines.append(f"if (!holds_{index}({entries})) {fails}")
        code, (found,) = "\n".join(lines), outputs
        return f"""{{
            {code}
            Py_XDECREF({found});
            {found} = (PyArrayObject*)PyArray_EMPTY(0, NULL, NPY_INT64, 0);
            if (!{found}) {{ {sub["fail"]} }}
            *((npy_int64*)PyArray_DATA({found})) = failing;
        }}"""

    def c_code_cache_version(self) -> tuple[Any, ...]:
        return (3, *[condition.holds.c_code_cache_version() for condition in self.conditions])


def _number(of: Any) -> str:
    name: str = of.dtype_specs()[1]
    return name


def _value(place: Place, number: str, arrays: list[str]) -> str:
    if isinstance(place, Counter):
        return f"i{place.loop}"
    array = arrays[place.input]
    if isinstance(place, Length):
        return f"PyArray_DIM({array}, {place.axis})"
    indices = enumerate(place.indices)
    steps = "".join(f" + i{k} * PyArray_STRIDE({array}, {axis})" for axis, k in indices if k is not None)
    return f"*(({number}*)(PyArray_BYTES({array}){steps}))"


def first_failing(taken: Taken) -> Array | None:
    """The number of the first condition, each a number itself, that does not hold; None where it is no help.

    It is one where some are about all entries of an array, or about its lengths.
    """
    if all(x.ndim == 0 for x in taken.inputs):
        return None
    if not all(_is_plain(condition.holds) for condition in taken.conditions):
        return None
    return FirstFailing(taken.conditions)(*taken.inputs)


def _is_plain(holds: Composite) -> bool:
    """Whether its code needs no other code at each of its uses."""
    _ = holds.c_code_template  # which names the nodes
    return not holds.c_support_code_apply(None, "").strip()
