"""What PyTensor's Numba backend has to know of our nodes; loaded when a graph is compiled for it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pytensor.graph.basic import Apply
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key
from pytensor.scalar.basic import Composite, ScalarType

from kl_plugins.ops.pytensor.check_node import CheckAll, Error
from kl_plugins.ops.pytensor.entrywise import Counter, Entry, Length, Place
from kl_plugins.ops.pytensor.for_numba import CheckEntries, FusedFormulas
from kl_plugins.ops.pytensor.formula_node import Formula
from kl_plugins.ops.pytensor.lengths import SameLengths
from kl_plugins.ops.pytensor.numba_source import Source


def numba_funcify_check_all(op: CheckAll, node: Apply, **kwargs: Any) -> tuple[Any, str | None]:
    names = [f"holds_{i}" for i in range(len(op.messages))]
    lines = [f"def check_all(value, {', '.join(names)}):"]
    for name, message in zip(names, op.messages, strict=True):
        lines += [f"    if not {name}.all():", f"        raise error({message!r})"]
    return Source().function("check_all", [*lines, "    return value"], error=Error)


register_funcify_and_cache_key(CheckAll)(numba_funcify_check_all)


def numba_funcify_check_entries(op: CheckEntries, node: Apply, **kwargs: Any) -> tuple[Any, str | None]:
    names = [f"x{i}" for i in range(len(node.inputs) - 1)]
    numbers = {name for name, x in zip(names, node.inputs[1:], strict=True) if isinstance(x.type, ScalarType)}
    source = Source()
    lines = [f"def check_entries({', '.join(['value', *names])}):"]
    for (holds, places, loops), message in zip(op.conditions, op.messages, strict=True):
        fails = f"raise error({message!r})"
        running = [(k, [_value(of, names, numbers) for of in loop]) for k, loop in enumerate(loops) if loop]
        for _, (first, *others) in running:
            lines += [f"    if {first} != {other}:\n        {fails}" for other in others]
        for depth, (k, (first, *_)) in enumerate(running, start=1):
            lines.append(f"{'    ' * depth}for i{k} in range({first}):")
        indent, before = "    " * (1 + len(running)), len(source.lines)
        (found,) = source.values(holds, [_value(place, names, numbers) for place in places])
        lines += [indent + line for line in source.lines[before:]]
        lines += [f"{indent}if not {found}:", f"{indent}    {fails}"]
    return source.function("check_entries", [*lines, "    return value"], error=Error)


def _value(place: Place, arrays: list[str], numbers: Collection[str] = ()) -> str:
    if isinstance(place, Counter):
        return f"i{place.loop}"
    array = arrays[place.input]
    if isinstance(place, Length):
        return f"{array}.shape[{place.axis}]"
    if array in numbers:
        return array
    return f"{array}[{', '.join('0' if k is None else f'i{k}' for k in place.indices) or '()'}]"


register_funcify_and_cache_key(CheckEntries)(numba_funcify_check_entries)


def numba_funcify_formula(op: Composite, node: Apply, **kwargs: Any) -> tuple[Any, str | None]:
    """One function, where PyTensor has one for each operation."""
    source, names = Source(), [f"x{i}" for i in range(op.nin)]
    found = ", ".join(source.values(op, names))
    body = [f"    {line}" for line in (*source.lines, f"return {found}")]
    return source.function("formula", [f"def formula({', '.join(names)}):", *body])


for _op in (Formula, FusedFormulas):
    register_funcify_and_cache_key(_op)(numba_funcify_formula)


def numba_funcify_same_lengths(op: SameLengths, node: Apply, **kwargs: Any) -> tuple[Any, str | None]:
    """Names the families and not the lengths: functions from the cache of Numba cannot raise with numbers."""
    names = [f"x{i}" for i in range(len(node.inputs) - 1)]
    half = len(op.places) // 2

    def differ(*pair: Entry | Length) -> str:
        text = " != ".join(_value(of, names) for of in pair)
        of_batch = any(isinstance(of, Entry) and node.inputs[1 + of.input].ndim for of in pair)
        return f"np.any({text})" if of_batch else text

    lines = [
        f"def same_lengths(value, {', '.join(names)}):",
        f"    if {' or '.join(map(differ, op.places[:half], op.places[half:]))}:",
        f"        raise ValueError({op.message()!r})",
        "    return value",
    ]
    return Source().function("same_lengths", lines)


register_funcify_and_cache_key(SameLengths)(numba_funcify_same_lengths)
