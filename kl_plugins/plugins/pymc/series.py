"""PyMC's Gaussian series: random walks and autoregressive processes, whose precision is banded."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.timeseries import AutoRegressiveRV, RandomWalkRV
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op

from kl_plugins.covariance.markov import Autoregressive
from kl_plugins.errors import no_closed_form_of_one
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.normal import Normal
from kl_plugins.families.vector_series import VectorSeries
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array
from kl_plugins.plugins.pytensor.graph import constant_of
from kl_plugins.plugins.pytensor.random_variables import family, name_of_class
from kl_plugins.recognition import recognise


@family.register(RandomWalkRV)
def _(op: Op, first: Variable, innovations: Variable, steps: Variable, *, batch: Array) -> Distribution:
    """The sums of a first value and of independent steps, along the first axis of either."""
    start, step = _normal(first, "first value is"), _normal(innovations, "steps are")
    if not (isinstance(start, Normal) and isinstance(step, Normal)):
        return _walk_of_vectors(start, step)
    parts = [pt.broadcast_arrays(one.mean, one.scale) for one in (start, step)]
    mean, scales = (pt.moveaxis(pt.concatenate(pair, axis=0), 0, -1) for pair in zip(*parts, strict=True))
    coefficients = pt.ones((ops.runtime_shape(scales)[-1], 1), dtype=scales.dtype)
    return MultivariateNormal(pt.cumsum(mean, axis=-1), Autoregressive(coefficients, scales))


def _walk_of_vectors(start: Normal | MultivariateNormal, step: Normal | MultivariateNormal) -> Distribution:
    """Entry i of a step is regressed on those before it, which are differences of entries of both times."""
    length = start.mean.type.shape[-1]
    if length is None:
        raise ValueError("init_dist must have a known number of variables: see pytensor.tensor.specify_shape")
    (_, first, first_scales), (_, lagged, scales) = (
        _each_given_those_before(one, length) for one in (start, step)
    )
    among = lagged[..., : length - 1]
    later = pt.concatenate([among, pt.ones_like(lagged[..., :1]), -among], axis=-1)
    earlier = pt.concatenate([first, pt.zeros_like(first[..., : length - 1])], axis=-1)
    coefficients = pt.moveaxis(pt.concatenate([earlier, later], axis=0), 0, -3)
    mean, scales = (
        pt.moveaxis(pt.concatenate(pair, axis=0), 0, -2)
        for pair in ((start.mean, step.mean), (first_scales, scales))
    )
    *members, times, _ = ops.runtime_shape(mean)
    rows = (*members, times * length)
    covariance = Autoregressive(coefficients.reshape((*rows, 2 * length - 1)), scales.reshape(rows))
    return VectorSeries(pt.cumsum(mean, axis=-2).reshape(rows), covariance, length)


@family.register(AutoRegressiveRV)
def _(
    op: AutoRegressiveRV, rhos: Variable, sigma: Variable, first: Variable, steps: Variable, *, batch: Array
) -> Distribution:
    """First values, and what each later one adds to a combination of as many before it."""
    start, order = _normal(first, "first values are"), op.ar_order
    rhos, sigma = ops.asarray(rhos, "rho"), ops.asarray(sigma, "sigma")
    mean, own, scales = _each_given_those_before(start, order)
    members = ops.runtime_shape(first)[: first.ndim - 1]
    known = constant_of(steps)
    rows = (*members, steps if known is None else int(known))
    rhos = pt.broadcast_to(rhos, (*members, order + op.constant_term))
    level, rhos = (rhos[..., :1], rhos[..., 1:]) if op.constant_term else (pt.zeros_like(rhos[..., :1]), rhos)
    coefficients = pt.concatenate([own, pt.broadcast_to(rhos[..., None, :], (*rows, order))], axis=-2)
    levels = pt.concatenate([mean, pt.broadcast_to(level, rows)], axis=-1)
    scales = pt.concatenate([scales, pt.broadcast_to(sigma[..., None], rows)], axis=-1)
    covariance = Autoregressive(coefficients, scales)
    return MultivariateNormal(covariance.series_of(levels), covariance)


def _normal(variable: Variable, what: str) -> Normal | MultivariateNormal:
    """The distribution of what a series is made of."""
    made = recognise(variable)
    if not isinstance(made, Normal | MultivariateNormal):
        raise no_closed_form_of_one(f"a series whose {what} {name_of_class(variable.owner.op)}, not normal")
    return made


def _each_given_those_before(start: Normal | MultivariateNormal, order: int) -> tuple[Array, Array, Array]:
    """Levels, coefficients and scales of the first values, which may depend on each other."""
    if isinstance(start, Normal):
        mean, scales = pt.broadcast_arrays(start.mean, start.scale)
        return mean, pt.zeros((*ops.runtime_shape(mean), order), dtype=mean.dtype), scales
    factor = start.covariance.factor
    scales = ops.diagonal(factor)
    among = ops.below_diagonal(pt.eye(order) - scales[..., None] * ops.inverse_lower(factor))
    mean, scales = pt.broadcast_arrays(start.mean, scales)
    levels = mean - ops.matmul(among, mean[..., None])[..., 0]
    # The coefficient of lag k of value t is in column t − k; where there is none, that of t itself is zero.
    row = np.arange(order)[:, None]
    column = np.where(row > np.arange(order), row - 1 - np.arange(order), row)
    lagged = among[..., row, column]
    return levels, pt.broadcast_to(lagged, (*ops.runtime_shape(levels), order)), scales
