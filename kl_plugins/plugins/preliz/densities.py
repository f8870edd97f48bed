"""The densities of PreliZ's distributions, by their own methods."""

from __future__ import annotations

from typing import Any

import numpy as np
from preliz.distributions.distributions import Distribution as Univariate
from preliz.distributions.distributions_multivariate import Multivariate

from kl_plugins.estimate.density import Density, density_of, event_shape_of
from kl_plugins.estimate.unknown import nan_among
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.parameters.labels import labels_of_parameters
from kl_plugins.plugins.preliz.families import KNOWN
from kl_plugins.plugins.preliz.parameters import check_set, own, parts
from kl_plugins.recognition import as_written, load_plugins_of, recognise


@density_of.register(Univariate)
def _(obj: Any) -> Density:
    """PreliZ compiles a method for each pattern of shapes: it is called with several points, in float64."""
    check_set(obj)
    _check_domains(obj)
    batch, atoms = _batch(obj), _has_atoms(obj)
    low, high = (0.0, np.inf) if type(obj).__name__ == "Hurdle" else obj.support

    def log_density(x: FloatArray) -> FloatArray:
        points = np.ascontiguousarray(np.concatenate([x, x[-1:]]), np.float64)
        outside = (points < low) | (points > high)
        return np.where(outside, -np.inf, _log_density(obj, points))[:-1]

    def sample(count: int, rng: np.random.Generator) -> FloatArray:
        drawn = np.asarray(obj.rvs((count, *batch) if batch else count, random_state=rng))
        return rng.permutation(drawn)  # those of a mixture come one component after the other

    def quantile(u: FloatArray) -> FloatArray:
        members = parts(obj) if type(obj).__name__ == "Mixture" else [obj]
        return np.concatenate([part.ppf(u.reshape(-1, *(1,) * len(batch))) for part in members])

    if not atoms:
        quantile(np.array([0.25, 0.75]))  # compiled before the time of an estimate runs
    return Density(
        name=as_written(obj),
        measure="mixed" if atoms else str(obj.kind),
        log_density=log_density,
        sample=sample,
        quantile=None if atoms else quantile,
        support=None if atoms else (low, high),
        batch_shape=batch,
        labels=labels_of_parameters(own(obj)),
        unknown=nan_among((key, value, 0) for key, value in own(obj).items()),
    )


def _log_density(obj: Any, x: FloatArray) -> Any:
    """PreliZ's own but for mixtures, which in PreliZ 0.24 are the mean of the logarithms."""
    if type(obj).__name__ != "Mixture":
        return obj.logpdf(x)
    terms = [np.log(w) + _log_density(part, x) for part, w in zip(parts(obj), obj.weights, strict=True)]
    return np.logaddexp.reduce(terms)


def _check_domains(obj: Any) -> None:
    """ValueError where a parameter is out of its domain, of which PreliZ's own methods say nothing."""
    for part in parts(obj):
        _check_domains(part)
    name, given = type(obj).__name__, own(obj)
    if name in KNOWN:
        recognise(obj)  # refuses it
    elif name == "Mixture":
        _require(obj, "weights", bool(np.all(obj.weights >= 0.0)), "not negative")
    elif "upper" in given:
        _require(obj, "upper", bool(np.all(np.less(given["lower"], given["upper"]))), "above lower")
    elif name == "Hurdle":
        _require(
            obj, "psi", bool(np.all((given["psi"] > 0.0) & (given["psi"] <= 1.0))), "positive and at most 1"
        )
    else:
        for (key, value), (low, high) in zip(given.items(), obj.params_support, strict=True):
            within = np.all((np.asarray(value) >= low) & (np.asarray(value) <= high))
            demand = f"between {low:.4f} and {high:.4f}" if np.isfinite(high) else f"above {low:.4f}"
            _require(obj, key, bool(within), demand)


def _require(obj: Any, name: str, holds: bool, demand: str) -> None:
    if not holds:
        raise ValueError(f"{name} must be {demand}, in {as_written(obj)}")


def _has_atoms(obj: Any) -> bool:
    """Whether some points of a continuous variable have a probability."""
    some = type(obj).__name__ in ("Censored", "Hurdle") and obj.kind != "discrete"
    return some or any(map(_has_atoms, parts(obj)))


def _batch(obj: Any) -> tuple[int, ...]:
    """The shape that the parameters broadcast to."""
    name = type(obj).__name__
    given = () if name in ("Categorical", "Mixture") else own(obj).values()
    return np.broadcast_shapes(*map(_batch, parts(obj)), *map(np.shape, given))


@density_of.register(Multivariate)
def _(obj: Any) -> Density:
    """Most are frozen distributions of SciPy inside."""
    check_set(obj)
    if obj.rv_frozen is not None:
        load_plugins_of(type(obj.rv_frozen))
        return density_of(obj.rv_frozen)
    return Density(
        name=as_written(obj),
        measure="continuous",
        log_density=obj.logpdf,
        sample=lambda count, rng: obj.rvs(count, random_state=rng),
        event_shape=event_shape_of(lambda count, rng: obj.rvs(count, random_state=rng)),
    )
