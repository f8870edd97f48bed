"""What PyTensor's JAX backend has to know of our nodes; loaded when a graph is compiled for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from pytensor.link.jax.dispatch import jax_funcify

from kl_plugins.ops.protocol import Array
from kl_plugins.ops.pytensor.bands import (
    CholeskyBand,
    CholeskyBandGradient,
    CovarianceRecursion,
    SolveLowerBand,
)
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


def jax_funcify_solve_lower_band(op: SolveLowerBand, **kwargs: Any) -> Callable[..., Any]:
    """The recurrence, of the numbers before each; the transpose is the same, of rows, from the other end."""

    def solve_lower_band(band: Array, right: Array) -> Array:
        width = band.shape[0]
        if op.transposed:
            rows, right = band[:, ::-1], right[::-1]
        else:
            rows = jnp.stack([jnp.pad(band[k, : band.shape[1] - k], (k, 0)) for k in range(width)])

        def step(before: Array, given: Array) -> tuple[Array, Array]:
            row, one = given
            found = (one - row[1:] @ before) / row[0]
            return jnp.concatenate([found[None], before])[: width - 1], found

        start = jnp.zeros(width - 1, jnp.result_type(band, right))
        _, solved = lax.scan(step, start, (rows.T, right.astype(start.dtype)))
        return solved[::-1] if op.transposed else solved

    return solve_lower_band


jax_funcify.register(SolveLowerBand)(jax_funcify_solve_lower_band)


def _cholesky_band(band: Array) -> Array:
    """Column by column, each from as many before it as there are diagonals; NaN from where there is none."""
    width, size = band.shape

    def step(before: Array, given: Array) -> tuple[Array, Array]:
        left = given
        for k in range(1, width):
            left = left.at[: width - k].add(-before[k - 1, k:] * before[k - 1, k])
        column = left / jnp.sqrt(left[0])
        return jnp.concatenate([column[None], before])[: width - 1], column

    inside = jnp.arange(size) < size - jnp.arange(width)[:, None]
    _, columns = lax.scan(step, jnp.zeros((width - 1, width), band.dtype), jnp.where(inside, band, 0.0).T)
    return columns.T


def jax_funcify_cholesky_band(op: CholeskyBand, **kwargs: Any) -> Callable[..., Any]:
    return _cholesky_band


jax_funcify.register(CholeskyBand)(jax_funcify_cholesky_band)


def jax_funcify_cholesky_band_gradient(op: CholeskyBandGradient, **kwargs: Any) -> Callable[..., Any]:
    """JAX's own derivative, at the band that has this factor."""

    def cholesky_band_gradient(factor: Array, gradient: Array) -> Array:
        width, size = factor.shape
        band = jnp.zeros_like(factor)
        for r in range(width):
            for s in range(min(width - r, size)):
                band = band.at[r, s:].add((factor[r + s] * factor[s])[: size - s])
        _, pullback = jax.vjp(_cholesky_band, band)
        return pullback(gradient)[0]

    return cholesky_band_gradient


jax_funcify.register(CholeskyBandGradient)(jax_funcify_cholesky_band_gradient)


def jax_funcify_covariance_recursion(op: CovarianceRecursion, **kwargs: Any) -> Callable[..., Any]:
    def covariance_recursion(transitions: Array, noises: Array) -> Array:
        def step(before: Array, given: Array) -> tuple[Array, Array]:
            transition, noise = given
            return transition @ before @ transition.T + noise, before

        start = jnp.zeros(noises.shape[1:], jnp.result_type(transitions, noises))
        return lax.scan(step, start, (transitions, noises.astype(start.dtype)))[1]

    return covariance_recursion


jax_funcify.register(CovarianceRecursion)(jax_funcify_covariance_recursion)
