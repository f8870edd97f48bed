"""Scalar formulas as the source of one Python function each, for Numba.

PyTensor makes a function of each operation, and Numba takes as long for it as for a whole formula.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import pytensor.scalar as ps
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch.basic import numba_funcify_ensure_cache, numba_njit
from pytensor.scalar.basic import Composite, LogicalComparison

_INLINE = {
    ps.Sub: "{} - {}", ps.TrueDiv: "{} / {}", ps.Neg: "-{}", ps.Abs: "abs({})", ps.Sqr: "{0} * {0}",
    ps.Reciprocal: "1.0 / {}", ps.Sqrt: "math.sqrt({})", ps.Log: "math.log({})", ps.Exp: "math.exp({})",
    ps.Log1p: "math.log1p({})", ps.Expm1: "math.expm1({})", ps.Switch: "{1} if {0} else {2}",
    ps.Minimum: "{0} if {0} < {1} or math.isnan({0}) else {1}",
    ps.Maximum: "{0} if {0} > {1} or math.isnan({0}) else {1}",
    ps.LT: "{} < {}", ps.LE: "{} <= {}", ps.GT: "{} > {}", ps.GE: "{} >= {}", ps.EQ: "{} == {}",
    ps.NEQ: "{} != {}", ps.IsNan: "math.isnan({})", ps.IsInf: "math.isinf({})", ps.Invert: "not {}",
    ps.Identity: "{}", ps.Second: "{1}",
}  # fmt: skip
"""Operations on doubles and truth values as expressions of Python."""

_JOINED = {ps.Add: " + ", ps.Mul: " * ", ps.AND: " and ", ps.OR: " or "}


@dataclass
class Source:
    """Statements that compute formulas, and the functions of Numba that they call."""

    lines: list[str] = field(default_factory=list)
    functions: dict[str, Any] = field(default_factory=dict)
    calls: dict[Any, str] = field(default_factory=dict)
    keys: list[str | None] = field(default_factory=list)

    def values(self, formula: Composite, arguments: Sequence[str]) -> list[str]:
        """Add the statements of a formula, and say what its values are called.

        A formula in it that occurs once is written out, another is a function: Numba takes as long as there
        is text.
        """
        names: dict[Variable, str] = dict(zip(formula.fgraph.inputs, arguments, strict=True))
        nodes = formula.fgraph.toposort()
        occurs = Counter(node.op for node in nodes if isinstance(node.op, Composite))
        for node in nodes:
            if occurs[node.op] == 1:
                found = self.values(node.op, [_named(x, names) for x in node.inputs])
                names.update(zip(node.outputs, found, strict=True))
            else:
                names[node.outputs[0]] = f"t{len(self.lines)}"
                self.lines.append(f"t{len(self.lines)} = {_inline(node, names) or self._call(node, names)}")
        return [_named(found, names) for found in formula.fgraph.outputs]

    def _call(self, node: Apply, names: Mapping[Variable, str]) -> str:
        """An operation as PyTensor has it, one function wherever it is of the same types."""
        of = node.op, *(x.type for x in (*node.inputs, *node.outputs))
        if of not in self.calls:
            function, key = numba_funcify_ensure_cache(node.op, node=node)
            self.calls[of] = name = f"f{len(self.functions)}"
            self.functions[name] = function
            self.keys.append(key)
        given = [_typed(x) if isinstance(x, Constant) else names[x] for x in node.inputs]
        return f"{self.calls[of]}({', '.join(given)})"

    def function(self, name: str, lines: Sequence[str], **known: Any) -> tuple[Any, str | None]:
        """A function of Numba of these lines, in which `known` has a meaning; and what identifies it."""
        text = "\n".join(lines)
        meanings = {"math": math, "np": np, "inf": math.inf, "nan": math.nan, **self.functions, **known}
        made = numba_njit(compile_numba_function_src(text, name, meanings), error_model="numpy")
        if None in self.keys:
            return made, None
        return made, sha256(str((text, self.keys, known)).encode()).hexdigest()


def _inline(node: Apply, names: Mapping[Variable, str]) -> str | None:
    """The operation as an expression, where it is one of doubles and truth values, or compares numbers."""
    variables = [*node.outputs, *(x for x in node.inputs if not isinstance(x, Constant))]
    exact = "float64", "bool", *(("int64",) if isinstance(node.op, LogicalComparison) else ())
    if any(x.type.dtype not in exact for x in variables):
        return None
    if isinstance(node.op, ps.Invert | ps.AND | ps.OR) and any(x.type.dtype != "bool" for x in node.inputs):
        return None
    given = [_named(x, names) for x in node.inputs]
    if joint := _JOINED.get(type(node.op)):
        return joint.join(given)
    template = _INLINE.get(type(node.op))
    return template and template.format(*given)


def _named(variable: Variable, names: Mapping[Variable, str]) -> str:
    return _literal(variable) if isinstance(variable, Constant) else names[variable]


def _literal(constant: Constant) -> str:
    return repr(np.asarray(constant.data).item())


def _typed(constant: Constant) -> str:
    """A constant with its type, which says what PyTensor's function of an operation computes in."""
    number = np.asarray(constant.data)
    return (
        _literal(constant) if number.dtype in (bool, float) else f"np.{number.dtype.name}({number.item()!r})"
    )
