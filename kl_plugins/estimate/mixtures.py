"""Mixtures as estimates see them: their components show where they live, and are drawn from in turn."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from kl_plugins.estimate.density import Density, density_of
from kl_plugins.estimate.families import numbers_of, unknown_in
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.mixture import Mixture
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.formulas.mixtures import log_sum
from kl_plugins.ops import numpy as arrays
from kl_plugins.ops.protocol import FloatArray

_AT_ONCE = 1 << 21
"""So many numbers of points and components are worked on together."""
_FEW = 64
"""Up to so many components each shows where it lives."""


@density_of.register(Mixture)
def _(made: Any) -> Density:
    labels, made = made.labels, numbers_of(made)
    parts = [density_of(group) for group in made.groups]
    discrete = isinstance(made.groups[0], Discrete)
    univariate = made.event_shape == ()
    return Density(
        name=made.describe(),
        measure="discrete" if discrete else parts[0].measure,
        log_density=log_density_of(made, parts),
        sample=_sampler(made, parts),
        quantile=quantiles_of(made, parts) if univariate else None,
        support=_support(parts) if univariate else None,
        batch_shape=made.batch_shape,
        event_shape=made.event_shape,
        labels=labels,
        unknown=unknown_in(made),
    )


def log_density_of(made: Mixture, parts: list[Density]) -> Callable[[FloatArray], FloatArray]:
    """Of points along the first axis, in pieces: of all components at once they may be more than fit."""
    group = _gaussians(made)
    shared = group is not None and group.covariance.batch_shape == () == made.batch_shape
    of_piece = _of_kernels(made) if shared else _of_components(made, parts)
    each = made.weights.shape[-1] * prod(length or 1 for length in (*made.batch_shape, *made.event_shape))
    step = max(1, _AT_ONCE // max(each, 1))

    def log_density(x: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            found = [of_piece(x[start : start + step]) for start in range(0, len(x), step)]
        return found[0] if len(found) == 1 else np.concatenate(found or [np.empty(x.shape[:1])])

    return log_density


def _gaussians(made: Mixture) -> MultivariateNormal | None:
    """All components, where they are one batch of Gaussians of full rank."""
    group = made.groups[0]
    if len(made.groups) > 1 or not isinstance(group, MultivariateNormal) or group.covariance.is_singular:
        return None
    return group


def _of_components(made: Mixture, parts: list[Density]) -> Callable[[FloatArray], FloatArray]:
    """From the log densities of all components, which know their supports."""

    def of_piece(x: FloatArray) -> FloatArray:
        place: Any = (..., None, *(slice(None),) * len(made.event_shape))
        shapes = [(len(x), *part.batch_shape) for part in parts]
        found = [
            np.broadcast_to(part.log_density(_expanded(x[place], part)), shape)
            for part, shape in zip(parts, shapes, strict=True)
        ]
        batch = np.broadcast_shapes(*(one.shape[:-1] for one in found))
        values = np.concatenate([np.broadcast_to(one, (*batch, one.shape[-1])) for one in found], axis=-1)
        return np.asarray(log_sum(values, made.weights, arrays))

    return of_piece


def _expanded(x: FloatArray, part: Density) -> FloatArray:
    """Points as the log density of a batch wants them."""
    shape = np.broadcast_shapes(x.shape, (len(x), *part.batch_shape, *(1,) * len(part.event_shape)))
    return np.broadcast_to(x, shape)


def _of_kernels(made: Mixture) -> Callable[[FloatArray], FloatArray]:
    """Of Gaussians that share one covariance, by the distances between whitened points and means."""
    from scipy.spatial.distance import cdist

    (group,) = made.groups
    assert isinstance(group, MultivariateNormal)
    covariance, centre = group.covariance, group.mean.mean(axis=0)
    means = covariance.whiten(group.mean - centre)
    dimension = means.shape[-1]
    normaliser = 0.5 * (dimension * np.log(2.0 * np.pi) + covariance.log_det())

    def of_piece(x: FloatArray) -> FloatArray:
        distances = cdist(covariance.whiten(x - centre), means, "sqeuclidean")
        return np.asarray(log_sum(-0.5 * distances, made.weights, arrays) - normaliser)

    return of_piece


def _sampler(made: Mixture, parts: list[Density]) -> Callable[[int, np.random.Generator], FloatArray] | None:
    """Each component in turn, as often as its weight says up to one draw: that varies less than by chance."""
    samplers = [part.sample for part in parts]
    if any(sampler is None for sampler in samplers) or made.batch_shape:
        return None
    if (group := _gaussians(made)) is not None:
        return _sampler_of_gaussians(made.weights, group)

    def sample(count: int, rng: np.random.Generator) -> FloatArray:
        drawn = np.concatenate([sampler(count, rng) for sampler in samplers if sampler], axis=1)
        return np.asarray(drawn[np.arange(count), in_turn(made.weights, count, rng)])

    return sample


def _sampler_of_gaussians(
    weights: FloatArray, group: MultivariateNormal
) -> Callable[[int, np.random.Generator], FloatArray]:
    covariance = group.covariance
    number, dimension = len(weights), np.shape(group.mean)[-1]
    factors = np.broadcast_to(covariance.factor, (number, dimension, dimension))
    means = np.broadcast_to(group.mean, (number, dimension))

    def sample(count: int, rng: np.random.Generator) -> FloatArray:
        chosen = in_turn(weights, count, rng)
        normal = rng.standard_normal((count, dimension, 1))
        if covariance.batch_shape == ():
            return np.asarray(means[chosen] + (factors[0] @ normal)[..., 0])
        return np.asarray(means[chosen] + (factors[chosen] @ normal)[..., 0])

    return sample


def in_turn(weights: FloatArray, count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Components of so many draws, in random order: systematic sampling, each as often as its weight says."""
    places = (np.arange(count) + rng.random()) / count
    edges = np.cumsum(weights) / np.sum(weights)
    return rng.permutation(np.minimum(np.searchsorted(edges, places, side="right"), len(weights) - 1))


def quantiles_of(made: Mixture, parts: list[Density]) -> Callable[[FloatArray], FloatArray] | None:
    """Those of all components, or, of many, of those in whose places quantiles of the mixture are."""
    known = [part.quantile for part in parts]
    if any(quantile is None for quantile in known):
        return None

    def of_all(u: FloatArray) -> FloatArray:
        found = [np.asarray(quantile(u)) for quantile in known if quantile]
        batch = np.broadcast_shapes(*(one.shape[:-1] for one in found))
        values = np.concatenate([np.broadcast_to(one, (*batch, one.shape[-1])) for one in found], axis=-1)
        return np.concatenate(list(np.moveaxis(values, -1, 0)))

    count = made.weights.shape[-1]
    if count <= _FEW or made.batch_shape:
        return of_all
    middles = of_all(np.array([0.5]))
    order = np.argsort(middles)
    edges = np.cumsum(made.weights[order])

    def of_some(u: FloatArray) -> FloatArray:
        chosen = order[np.minimum(np.searchsorted(edges, u), count - 1)]
        table = of_all(u).reshape(count, len(u))
        return np.asarray(table[chosen, np.arange(len(u))])

    return of_some


def _support(parts: list[Density]) -> tuple[FloatArray, FloatArray]:
    ends = [np.broadcast_arrays(*(part.support or (-np.inf, np.inf))) for part in parts]
    low = [np.min(np.atleast_1d(one), axis=-1) for one, _ in ends]
    high = [np.max(np.atleast_1d(one), axis=-1) for _, one in ends]
    shape = np.broadcast_shapes(*(one.shape for one in low))
    stacked = [[np.broadcast_to(one, shape) for one in side] for side in (low, high)]
    return np.min(stacked[0], axis=0), np.max(stacked[1], axis=0)
