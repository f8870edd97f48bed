"""What PyTensor's Numba backend has to know of our nodes; loaded when a graph is compiled for it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from pytensor.graph.basic import Apply
from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch import basic
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from kl_plugins.ops.pytensor.checks import CheckAll, Error
from kl_plugins.ops.pytensor.lengths import SameLengths


def numba_funcify_check_all(op: CheckAll, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    names = [f"holds_{i}" for i in range(len(op.messages))]
    # Of a single condition the number itself: a reduction takes longer to compile.
    tests = [
        name + (".all()" if x.type.ndim else "[()]") for name, x in zip(names, node.inputs[1:], strict=True)
    ]
    pairs = zip(tests, op.messages, strict=True)
    lines = [f"    if not {test}:\n        raise error({message!r})" for test, message in pairs]
    source = "\n".join([f"def check_all(value, {', '.join(names)}):", *lines, "    return value"])
    function = compile_numba_function_src(source, "check_all", {"error": Error})
    key = sha256(str((type(op), Error, op.messages, tests)).encode()).hexdigest()
    return basic.numba_njit(function), key


register_funcify_and_cache_key(CheckAll)(numba_funcify_check_all)


def numba_funcify_same_lengths(op: SameLengths, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Names the families and not the lengths: functions from the cache of Numba cannot raise with numbers."""
    names = [f"length_{i}" for i in range(len(node.inputs) - 1)]
    half = len(names) // 2
    pairs = zip(names[:half], names[half:], strict=True)
    source = "\n".join(
        [
            f"def same_lengths(value, {', '.join(names)}):",
            f"    if {' or '.join(f'{a}.item() != {b}.item()' for a, b in pairs)}:",
            f"        raise ValueError({op.message()!r})",
            "    return value",
        ]
    )
    function = compile_numba_function_src(source, "same_lengths", {})
    key = sha256(str((type(op), op.families, half, "static")).encode()).hexdigest()
    return basic.numba_njit(function), key


register_funcify_and_cache_key(SameLengths)(numba_funcify_same_lengths)
