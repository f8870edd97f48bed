"""Distributions of SciPy as estimates see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from scipy.stats import Mixture, gaussian_kde, rv_continuous, rv_discrete, rv_histogram
from scipy.stats._distn_infrastructure import rv_continuous_frozen, rv_discrete_frozen, rv_generic, rv_sample
from scipy.stats._distribution_infrastructure import DiscreteDistribution, UnivariateDistribution
from scipy.stats._multivariate import multi_rv_frozen, multi_rv_generic

from kl_plugins.estimate.density import Density, density_of, event_shape_of, on_subspace
from kl_plugins.estimate.unknown import nan_among
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.parameters.labels import labels_of_parameters
from kl_plugins.plugins.scipy.parameters import given_to, labels_of_new
from kl_plugins.recognition import recognise


@density_of.register(rv_continuous_frozen)
def _(obj: object) -> Density:
    return _frozen(obj, "continuous")


@density_of.register(rv_discrete_frozen)
def _(obj: object) -> Density:
    return _frozen(obj, "discrete")


@density_of.register(rv_sample)
@density_of.register(rv_histogram)
def _(obj: Any) -> Density:
    return density_of(obj())  # it has no parameters


def _frozen(obj: Any, measure: str) -> Density:
    name = obj.dist.name or type(obj.dist).__name__
    shapes, loc, scale = obj.dist._parse_args(*obj.args, **obj.kwds)
    given = given_to(obj.dist, shapes, {"loc": loc, "scale": scale})
    labels = labels_of_parameters(given)
    if labels is not None:  # its methods would broadcast points against them by name
        kwds = {key: np.asarray(value) for key, value in obj.kwds.items()}
        obj = obj.dist(*map(np.asarray, obj.args), **kwds)
    shapes = tuple(map(np.asarray, shapes))
    batch = np.broadcast_shapes(*map(np.shape, (*shapes, loc, scale)))
    valid = np.logical_and(obj.dist._argcheck(*shapes), np.asarray(scale) > 0.0)
    unknown = np.isnan(np.sum(np.broadcast_arrays(*shapes, loc, scale), axis=0))
    if not np.all(valid | unknown):
        written = ", ".join(map(str, (*obj.args, *(f"{key}={value}" for key, value in obj.kwds.items()))))
        raise ValueError(f"scipy.stats.{name}({written[:80]}) has parameters out of its domain")
    points = None
    breaks = None
    if isinstance(obj.dist, rv_histogram) and not batch:
        breaks = float(loc) + float(scale) * np.asarray(obj.dist._hbins, np.float64)
    if isinstance(obj.dist, rv_sample):
        points = np.asarray(obj.dist.xk, np.float64).ravel() + float(loc)
    return Density(
        name=name,
        measure=measure,
        log_density=(_in_logarithms(obj) or obj.logpdf) if measure == "continuous" else obj.logpmf,
        sample=lambda count, rng: obj.rvs(size=(count, *batch), random_state=rng),
        quantile=None if _sums_for_quantiles(obj) else lambda u: obj.ppf(u.reshape(-1, *(1,) * len(batch))),
        support=(-np.pi, np.pi) if name == "vonmises" else obj.support(),  # it is periodic
        points=points,
        breaks=breaks,
        logarithmic=measure == "discrete" and type(obj.dist)._logpmf is not rv_discrete._logpmf,
        batch_shape=batch,
        labels=labels,
        unknown=nan_among((key, value, 0) for key, value in given.items()),
    )


def _in_logarithms(obj: Any) -> Callable[[FloatArray], FloatArray] | None:
    """The log density of our family, where SciPy's is the logarithm of a density that underflows."""
    if type(obj.dist)._logpdf is not rv_continuous._logpdf:
        return None
    try:
        return density_of(recognise(obj)).log_density
    except (NotImplementedError, TypeError, ValueError):
        return None


def _sums_for_quantiles(obj: Any) -> bool:
    """Whether quantiles take sums of the probabilities, of which heavy tails have too many."""
    kind, general = type(obj.dist), rv_discrete
    own = kind._ppf is not general._ppf or kind._cdf is not general._cdf
    return isinstance(obj.dist, rv_discrete) and not own and kind._rvs is not general._rvs


@density_of.register(UnivariateDistribution)
@density_of.register(Mixture)
def _(obj: Any) -> Density:
    components = obj.components if isinstance(obj, Mixture) else [obj]
    discrete = {isinstance(part, DiscreteDistribution) for part in components}
    if len(discrete) == 2:
        raise TypeError("a mixture of continuous and discrete distributions has no density")
    batch = tuple(getattr(obj, "_shape", None) or ())
    if np.any(getattr(obj, "_invalid", False)):
        raise ValueError(f"stats.{type(obj).__name__} has parameters out of its domain")
    return Density(
        name=type(obj).__name__,
        measure="discrete" if discrete == {True} else "continuous",
        log_density=obj.logpmf if discrete == {True} else obj.logpdf,
        sample=lambda count, rng: obj.sample((count,), rng=rng),
        quantile=lambda u: np.concatenate(
            [part.icdf(u.reshape(-1, *(1,) * len(batch))) for part in components]
        ),
        support=obj.support(),
        batch_shape=batch,
        labels=None if isinstance(obj, Mixture) else labels_of_new(obj),
    )


_MEASURES = {"dirichlet": "simplex", "vonmises_fisher": "sphere"}
"""Where a density is not one of volume."""


@density_of.register(multi_rv_frozen)
def _(obj: Any) -> Density:
    name = type(obj).__name__.removesuffix("_frozen")
    log_density = getattr(obj, "logpdf", None) or getattr(obj, "logpmf", None)
    draw = _sampler(obj, name)
    if log_density is None or draw is None:
        raise TypeError(f"scipy.stats.{name} has no density")
    measure = "continuous" if hasattr(obj, "logpdf") else "discrete"
    measure = _MEASURES.get(name, measure)
    rank = getattr(getattr(obj, "cov_object", None), "rank", None)
    if rank is not None and rank < obj.dim:
        measure = on_subspace(rank)

    def sample(count: int, rng: np.random.Generator) -> FloatArray:
        drawn = draw(count, rng)
        if isinstance(drawn, tuple):
            drawn = np.stack(drawn, axis=-1)
        return np.asarray(drawn).reshape(count, *event)

    if name == "normal_inverse_gamma":
        event: tuple[int, ...] = (2,)
    elif name == "multivariate_normal":
        event = (obj.dim,)
    else:
        event = event_shape_of(draw)
    return Density(
        name=name,
        measure=measure,
        log_density=_of_rows(name, log_density, len(event)),
        sample=sample,
        event_shape=event,
        unknown=nan_among((key, x, np.ndim(x)) for key, x in vars(obj).items() if not key.startswith("_")),
    )


def _sampler(obj: Any, name: str) -> Callable[[int, np.random.Generator], Any] | None:
    """SciPy's, or for the one that SciPy has none for: multinomial, with probabilities that are Dirichlet."""
    if hasattr(obj, "rvs"):
        return lambda count, rng: obj.rvs(size=count, random_state=rng)
    if name == "dirichlet_multinomial":
        return lambda count, rng: rng.multinomial(np.int64(obj.n), rng.dirichlet(obj.alpha, count))
    return None


@density_of.register(gaussian_kde)
def _(obj: Any) -> Density:
    """That of the mixture of Gaussians that it is; of a subclass its own."""
    if type(obj) is gaussian_kde:
        return replace(density_of(recognise(obj)), name="gaussian_kde", sample=_resampler(obj))
    event: tuple[int, ...] = () if obj.d == 1 else (obj.d,)
    return Density(
        name=type(obj).__name__,
        measure="continuous",
        log_density=lambda x: np.asarray(obj.logpdf(x.reshape(-1, obj.d).T)).reshape(len(x)),
        sample=_resampler(obj),
        support=None if event else (-np.inf, np.inf),
        familiar=False,
        event_shape=event,
    )


def _resampler(obj: Any) -> Callable[[int, np.random.Generator], FloatArray]:
    """Of a kernel density estimate."""

    def sample(count: int, rng: np.random.Generator) -> FloatArray:
        seed = np.random.RandomState(rng.integers(2**31 - 1))
        return np.asarray(obj.resample(count, seed=seed)).T.reshape(count, *(() if obj.d == 1 else (obj.d,)))

    return sample


def _of_rows(
    name: str, log_density: Callable[..., FloatArray], ndim: int
) -> Callable[[FloatArray], FloatArray]:
    """The log density over points along the first axis; some of SciPy's have them along the last."""
    if name == "normal_inverse_gamma":
        return lambda x: log_density(x[..., 0], x[..., 1])
    if name in ("wishart", "invwishart", "dirichlet"):
        return lambda x: np.asarray(log_density(np.moveaxis(x, 0, -1))).reshape(len(x))
    if ndim == 1 and name != "matrix_normal":
        return lambda x: np.asarray(log_density(x)).reshape(len(x))
    return lambda x: np.asarray(log_density(x))


@recognise.register(rv_generic)
@recognise.register(multi_rv_generic)
@density_of.register(rv_generic)
@density_of.register(multi_rv_generic)
def _(obj: object) -> NoReturn:
    name = getattr(obj, "name", None) or type(obj).__name__.removesuffix("_gen")
    raise TypeError(f"scipy.stats.{name} is not frozen: call it with its parameters, scipy.stats.{name}(...)")
