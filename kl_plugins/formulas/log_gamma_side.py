"""Log-gamma variables beside those of other families, for sums over nodes."""

from __future__ import annotations

from typing import NamedTuple

from kl_plugins.formulas.fixed_nodes import NOTHING, Extent, Side, in_double
from kl_plugins.ops.gamma_residues import digamma_residue_value, log_gamma_residue_value
from kl_plugins.ops.protocol import Array, ArrayOperations, Operations


class _Parameters(NamedTuple):
    """Those of the log density, with its height at the peak."""

    a: Array
    scale: Array
    height: Array
    top: Array
    place: Array
    sign: Array


def log_gamma_side(
    a: Array, scale: Array, sign: Array, level: float, ops: ArrayOperations
) -> tuple[Side, Array]:
    """That of sign·scale·(log G + level), G a gamma variable of shape a; and where its peak is."""
    a, scale = (in_double(x, ops) for x in (a, scale))
    top = ops.stop_gradient(a + 1.0)  # the peak stays where it is, when the integral is differentiated
    place = ops.log(top) + level
    steps = NOTHING / a
    width, reach = 2.0 * scale / ops.sqrt(top), ops.log(scale * (steps + 2.0 * ops.sqrt(2.0 * steps)))
    height = ops.elementwise(_log_height, _log_height_gradient, a) - ops.log(scale)
    parameters = _Parameters(a, scale, height, top, place, in_double(sign, ops))
    centre = ops.stop_gradient(sign * scale * place)
    return Side(Extent(width, reach), parameters, _log_density, _log_density_gradient), centre


def _log_height(a: Array, ops: Operations) -> Array:
    """The log density of log G at log(a + 1), a log(a + 1) − (a + 1) − ln Γ(a)."""
    return a * ops.log1p(1.0 / a) - 1.0 - log_gamma_residue_value(a, ops)


def _log_height_gradient(a: Array, ops: Operations) -> tuple[Array]:
    """For a place that stays where it is: log(a + 1) − ψ(a)."""
    return (ops.log1p(1.0 / a) - digamma_residue_value(a, ops),)


def _log_density(distance: Array, beyond: Array, *rest: Array) -> Array:
    x, ops = _Parameters(*rest[:-1]), rest[-1]
    step = _step(distance, x, ops)
    return x.height + x.a * step - x.top * ops.expm1(step)


def _log_density_gradient(distance: Array, beyond: Array, *rest: Array) -> tuple[Array, ...]:
    x, ops = _Parameters(*rest[:-1]), rest[-1]
    step = _step(distance, x, ops)
    by_step = (x.a - x.top * ops.exp(step)) / x.scale
    nothing = 0.0 * step
    by_parameters = _Parameters(step, -by_step * (step + x.place), 1.0 + nothing, nothing, nothing, nothing)
    return x.sign * by_step, nothing, *by_parameters


def _step(distance: Array, x: _Parameters, ops: Operations) -> Array:
    """Of log G, from its peak."""
    return ops.minimum(x.sign * distance / x.scale, 700.0)
