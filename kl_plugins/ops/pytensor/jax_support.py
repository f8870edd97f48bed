"""What PyTensor's JAX backend has to know of our nodes; loaded when a graph is compiled for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax.numpy as jnp
from pytensor.link.jax.dispatch import jax_funcify

from kl_plugins.ops.protocol import Array
from kl_plugins.ops.pytensor.check_node import CheckAll
from kl_plugins.ops.pytensor.lengths import SameLengths


def jax_funcify_check_all(op: CheckAll, **kwargs: Any) -> Callable[..., Any]:
    """JAX cannot raise while it runs: a member that would is infinite (NaN of an entropy)."""

    def check_all(value: Array, *holds: Array) -> Array:
        inside = reduce(jnp.logical_and, holds)
        return jnp.where(inside, value, float(op.outside)).astype(value.dtype)

    return check_all


jax_funcify.register(CheckAll)(jax_funcify_check_all)


def jax_funcify_same_lengths(op: SameLengths, **kwargs: Any) -> Callable[..., Any]:
    """JAX knows all shapes when it compiles, and says itself which do not fit."""

    def same_lengths(value: Array, *lengths: Array) -> Array:
        return value

    return same_lengths


jax_funcify.register(SameLengths)(jax_funcify_same_lengths)
