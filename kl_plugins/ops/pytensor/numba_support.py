"""What PyTensor's Numba backend has to know of our nodes; loaded when a graph is compiled for it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pytensor.graph.basic import Apply
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key
from pytensor.scalar.basic import Composite, ScalarType

from kl_plugins.ops.pytensor.bands import (
    CholeskyBand,
    CholeskyBandGradient,
    CovarianceRecursion,
    SolveLowerBand,
)
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


def numba_funcify_solve_lower_band(op: SolveLowerBand, node: Apply, **kwargs: Any) -> tuple[Any, str | None]:
    """The recurrence: forwards, or backwards for the transpose."""
    order, other = ("size - 1, -1, -1", "j + k < size") if op.transposed else ("size", "j >= k")
    entry, known = ("band[k, j]", "x[j + k]") if op.transposed else ("band[k, j - k]", "x[j - k]")
    lines = [
        "def solve_lower_band(band, right):",
        "    size, width = right.shape[0], band.shape[0]",
        f"    x = np.empty(size, np.{node.outputs[0].type.dtype})",
        f"    for j in range({order}):",
        "        left = right[j]",
        "        for k in range(1, width):",
        f"            if {other}:",
        f"                left -= {entry} * {known}",
        "        x[j] = left / band[0, j]",
        "    return x",
    ]
    return Source().function("solve_lower_band", lines)


register_funcify_and_cache_key(SolveLowerBand)(numba_funcify_solve_lower_band)


def numba_funcify_cholesky_band(op: CholeskyBand, node: Apply, **kwargs: Any) -> tuple[Any, str | None]:
    """Column by column; NaN from where there is none."""
    lines = [
        "def cholesky_band(band):",
        "    width, size = band.shape",
        "    factor = np.zeros_like(band)",
        "    for j in range(size):",
        "        for r in range(min(width, size - j)):",
        "            left = band[r, j]",
        "            for k in range(1, min(width - r, j + 1)):",
        "                left -= factor[r + k, j - k] * factor[k, j - k]",
        "            if r:",
        "                factor[r, j] = left / factor[0, j]",
        "            else:",
        "                factor[0, j] = np.sqrt(left) if left > 0.0 else np.nan",
        "    return factor",
    ]
    return Source().function("cholesky_band", lines)


register_funcify_and_cache_key(CholeskyBand)(numba_funcify_cholesky_band)


def numba_funcify_cholesky_band_gradient(
    op: CholeskyBandGradient, node: Apply, **kwargs: Any
) -> tuple[Any, str | None]:
    """What `cholesky_band` does, differentiated from its end to its beginning."""
    lines = [
        "def cholesky_band_gradient(factor, gradient):",
        "    width, size = factor.shape",
        "    by_factor, by_band = gradient.copy(), np.zeros_like(factor)",
        "    for j in range(size - 1, -1, -1):",
        "        for r in range(min(width, size - j) - 1, -1, -1):",
        "            slope = by_factor[r, j] / factor[0, j]",
        "            if r:",
        "                by_factor[0, j] -= slope * factor[r, j]",
        "            else:",
        "                slope *= 0.5",
        "            for k in range(1, min(width - r, j + 1)):",
        "                by_factor[r + k, j - k] -= slope * factor[k, j - k]",
        "                by_factor[k, j - k] -= slope * factor[r + k, j - k]",
        "            by_band[r, j] = slope",
        "    return by_band",
    ]
    return Source().function("cholesky_band_gradient", lines)


register_funcify_and_cache_key(CholeskyBandGradient)(numba_funcify_cholesky_band_gradient)


def numba_funcify_covariance_recursion(
    op: CovarianceRecursion, node: Apply, **kwargs: Any
) -> tuple[Any, str | None]:
    lines = [
        "def covariance_recursion(transitions, noises):",
        "    size, count = noises.shape[0], noises.shape[1]",
        f"    found = np.zeros((size, count, count), np.{node.outputs[0].type.dtype})",
        f"    moved = np.zeros((count, count), np.{node.outputs[0].type.dtype})",
        "    for t in range(size - 1):",
        "        for i in range(count):",
        "            for j in range(count):",
        "                total = 0.0",
        "                for k in range(count):",
        "                    total += transitions[t, i, k] * found[t, k, j]",
        "                moved[i, j] = total",
        "        for i in range(count):",
        "            for j in range(count):",
        "                total = noises[t, i, j]",
        "                for k in range(count):",
        "                    total += moved[i, k] * transitions[t, j, k]",
        "                found[t + 1, i, j] = total",
        "    return found",
    ]
    return Source().function("covariance_recursion", lines)


register_funcify_and_cache_key(CovarianceRecursion)(numba_funcify_covariance_recursion)
