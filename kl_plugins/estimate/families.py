"""Our own distributions as estimates see them."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from kl_plugins.errors import HasNames
from kl_plugins.estimate.density import Density, density_of, on_subspace
from kl_plugins.estimate.unknown import Unknown, nan_among
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.independent import factors_of
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.zero_sum_normal import ZeroSumNormal
from kl_plugins.labelled.products import ProductByName
from kl_plugins.ops.protocol import FloatArray


@density_of.register(Distribution)
def _no_density(made: Any) -> NoReturn:
    raise TypeError(f"{made.describe()} has no density that estimates could use")


@density_of.register(ProductByName)
def _(made: Any) -> NoReturn:
    raise HasNames


def may_be_estimated(p: object, q: object) -> bool:
    """Whether a pair may have an estimate: whether none of the two is ours, and known to have no density."""
    factors = factors_of(p, q)
    if factors is not None:
        return may_be_estimated(*factors)
    return all(density_of.dispatch(type(side)) is not _no_density for side in (p, q))


@density_of.register(Continuous)
def _(made: Any) -> Density:
    """Without a sampler: these are integrated. They live within some standard deviations of the mean."""
    labels, made = made.labels, numbers_of(made)
    first, last = (made.loc + made.sign * made.scale * end for end in made.standard_ends())
    ends = np.minimum(first, last), np.maximum(first, last)

    def log_density(x: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            return np.where((x >= ends[0]) & (x <= ends[1]), made.log_prob(x), -np.inf)

    def rough_quantile(u: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            mean, variance = (_finite(value) for value in (made.standard_mean(), made.standard_variance()))
            z = np.log(u) - np.log1p(-u)
            z = z.reshape(-1, *(1,) * len(made.batch_shape))
            x = made.loc + made.scale * (made.sign * mean + np.sqrt(variance) * z)
            return np.where((x > ends[0]) & (x < ends[1]), x, np.nan)

    return _density(made, labels, "continuous", log_density, quantile=rough_quantile, support=ends)


@density_of.register(Discrete)
def _(made: Any) -> Density:
    """Without a sampler: these are summed, from where their probabilities are large."""
    labels, made = made.labels, numbers_of(made)
    low, high = (made.loc + end for end in made.standard_ends())

    def log_density(x: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            return np.asarray(made.log_prob(x))

    def location(u: FloatArray) -> FloatArray:
        return np.broadcast_to(made.loc, (len(u), *made.batch_shape))

    quantile = location if np.any(np.isinf(low) & np.isinf(high)) else None
    return _density(made, labels, "discrete", log_density, quantile=quantile, support=(low, high))


def _finite(value: object) -> Any:
    """A moment of a standard variable; 1 where there is none."""
    value = np.asarray(np.nan if value is None else value, np.float64)
    return np.where(np.isfinite(value), value, 1.0)


@density_of.register(MultivariateNormal)
def _(made: Any) -> Density:
    labels, made = made.labels, numbers_of(made)
    if made.covariance.is_singular:
        raise ValueError(
            f"{made.describe()} is singular: estimates take such distributions of SciPy and PyMC, and kl has "
            "the divergence from every normal distribution"
        )
    factor = np.linalg.cholesky(np.asarray(made.covariance.matrix(), np.float64))

    def sample(count: int, rng: np.random.Generator) -> FloatArray:
        normal = rng.standard_normal((count, *made.batch_shape, *made.event_shape, 1))
        return np.asarray(made.mean + (factor @ normal)[..., 0])

    return _density(made, labels, "continuous", made.log_prob, sample=sample, event_shape=made.event_shape)


@density_of.register(ZeroSumNormal)
def _(made: Any) -> Density:
    """On the subspace of the arrays that sum to zero, which the family's own functions have row by row."""
    labels, made = made.labels, numbers_of(made)
    spread, event = made.covariance, made.event_shape

    def log_density(x: FloatArray) -> FloatArray:
        return np.asarray(made.log_prob(x.reshape(*x.shape[: x.ndim - len(event)], -1)))

    def sample(count: int, rng: np.random.Generator) -> FloatArray:
        normal = rng.standard_normal((count, *made.batch_shape, spread.dimension))
        drawn = made.mean + spread.scale[..., None] * spread.projected(normal)
        return np.asarray(drawn).reshape(count, *made.batch_shape, *event)

    return _density(made, labels, on_subspace(spread.rank), log_density, sample=sample, event_shape=event)


def _density(made: Any, labels: Any, measure: str, log_density: Any, **known: Any) -> Density:
    known |= {"batch_shape": made.batch_shape, "labels": labels, "unknown": unknown_in(made)}
    return Density(made.describe(), measure, log_density, **known)


def unknown_in(made: Any) -> Unknown:
    """The parameters that are NaN, those of its parts included."""
    stated = [(one.called, getattr(made, name), one.core_ndim) for name, one in made.parameters.items()]
    found = dict(nan_among(stated))
    for part in made.components():
        for name, where in unknown_in(part).items():
            inside = max(where.ndim - len(made.batch_shape), 0)  # such as the components of a mixture
            found[name] = np.asarray(where.any(axis=tuple(range(where.ndim - inside, where.ndim))))
    return found


def numbers_of(made: Any) -> Any:
    """The same with arrays of numbers; ValueError where a graph has yet to compute them."""
    if made.ops.symbolic:
        raise ValueError(f"{made.describe()} is symbolic: estimates need numbers")
    return made.to_arrays()
