"""What PyTensor's Numba backend has to know of our nodes; loaded when a graph is compiled for it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch import basic
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from kl_plugins.backends.pytensor_checks import CheckAll


def numba_funcify_check_all(op: CheckAll, node: Any, **kwargs: Any) -> tuple[Any, str]:
    lines = [f"    if not holds[{i}]:\n        raise error({m!r})" for i, m in enumerate(op.messages)]
    source = "\n".join(["def check_all(value, holds):", *lines, "    return value"])
    function = compile_numba_function_src(source, "check_all", {"error": op.exc_type})
    key = sha256(str((type(op), op.exc_type, op.messages)).encode()).hexdigest()
    return basic.numba_njit(function), key


register_funcify_and_cache_key(CheckAll)(numba_funcify_check_all)
