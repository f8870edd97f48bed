"""PreliZ's distributions: families by PyMC's and SciPy's names for them, densities by their own methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from preliz.distributions.distributions import Distribution as Univariate
from preliz.distributions.distributions import DistributionTransformer as Modified
from preliz.distributions.distributions_multivariate import Multivariate

from kl_plugins.covariance.detection import from_matrix
from kl_plugins.errors import Requirement, no_closed_form_of_one
from kl_plugins.estimate.density import Density, density_of, event_shape_of
from kl_plugins.families.binomial import Binomial
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.names import Maker, made_by, pymc_names, scipy_names
from kl_plugins.families.core.pymc_words import Words, pymc_words
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.wishart import Wishart
from kl_plugins.families.zero_inflated import ZeroInflated
from kl_plugins.labelled import Labelled, labelled
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.parameters.labels import are_plain, has_names, labels_of_parameters
from kl_plugins.recognition import (
    as_written,
    load_plugins_of,
    parameters_as_written,
    recognise,
    requirement_as_written,
)

_PYMC: dict[str, tuple[str, Callable[[Any], tuple[Any, ...]]]] = {
    "Bernoulli": ("BernoulliRV", lambda d: (d.p,)),
    "Beta": ("BetaRV", lambda d: (d.alpha, d.beta)),
    "BetaBinomial": ("BetaBinomialRV", lambda d: (d.n, d.alpha, d.beta)),
    "Binomial": ("BinomialRV", lambda d: (d.n, d.p)),
    "Categorical": ("CategoricalRV", lambda d: (d.p,)),
    "Cauchy": ("CauchyRV", lambda d: (d.alpha, d.beta)),
    "Dirichlet": ("DirichletRV", lambda d: (d.alpha,)),
    "DiscreteUniform": ("DiscreteUniformRV", lambda d: (d.lower, d.upper)),
    "Exponential": ("ExponentialRV", lambda d: (1.0 / d.lam,)),
    "Gamma": ("GammaRV", lambda d: (d.alpha, 1.0 / d.beta)),
    "Geometric": ("GeometricRV", lambda d: (d.p,)),
    "Gumbel": ("GumbelRV", lambda d: (d.mu, d.beta)),
    "HalfCauchy": ("HalfCauchyRV", lambda d: (d.beta,)),
    "HalfNormal": ("HalfNormalRV", lambda d: (0.0, d.sigma)),
    "HalfStudentT": ("HalfStudentTRV", lambda d: (d.nu, d.sigma)),
    "HyperGeometric": ("HyperGeometricRV", lambda d: (d.k, d.N - d.k, d.n)),
    "InverseGamma": ("InvGammaRV", lambda d: (d.alpha, d.beta)),
    "Kumaraswamy": ("KumaraswamyRV", lambda d: (d.a, d.b)),
    "Laplace": ("LaplaceRV", lambda d: (d.mu, d.b)),
    "LogNormal": ("LogNormalRV", lambda d: (d.mu, d.sigma)),
    "Logistic": ("LogisticRV", lambda d: (d.mu, d.s)),
    "LogitNormal": ("LogitNormal", lambda d: (d.mu, d.sigma)),
    "Moyal": ("MoyalRV", lambda d: (d.mu, d.sigma)),
    "NegativeBinomial": ("NegBinomialRV", lambda d: (d.n, d.p)),
    "Normal": ("NormalRV", lambda d: (d.mu, d.sigma)),
    "Pareto": ("ParetoRV", lambda d: (d.alpha, d.m)),
    "Poisson": ("PoissonRV", lambda d: (d.mu,)),
    "StudentT": ("StudentTRV", lambda d: (d.nu, d.mu, d.sigma)),
    "Triangular": ("TriangularRV", lambda d: (d.lower, d.c, d.upper)),
    "TruncatedNormal": ("TruncatedNormalRV", lambda d: (d.mu, d.sigma, d.lower, d.upper)),
    "Uniform": ("UniformRV", lambda d: (d.lower, d.upper)),
    "VonMises": ("VonMisesRV", lambda d: (d.mu, d.kappa)),
    "Wald": ("WaldRV", lambda d: (d.mu, d.lam, 0.0)),
    "Weibull": ("WeibullBetaRV", lambda d: (d.alpha, d.beta)),
}
"""By class: the operation of PyMC's class of that name, and what it takes."""

_SCIPY: dict[str, tuple[str, Callable[[Any], tuple[Any, ...]], Words]] = {
    # PyMC's b is a rate, and so is that of the formula that PreliZ shows, but not that of its density.
    "AsymmetricLaplace": (
        "laplace_asymmetric",
        lambda d: (d.kappa, d.mu, d.b),
        {"loc": "mu", "scale": "b"},
    ),
    "BetaPrime": ("betaprime", lambda d: (d.alpha, d.beta, 0.0, 1.0), {"a": "alpha", "b": "beta"}),
    "BetaScaled": (
        "beta",
        lambda d: (d.alpha, d.beta, d.lower, d.upper - d.lower),
        {"a": "alpha", "b": "beta", "loc": "lower", "scale": ("scale", "upper − lower")},
    ),
    "ChiSquared": ("chi2", lambda d: (d.nu, 0.0, 1.0), {"concentration": ("concentration", "nu/2")}),
    "Frechet": (
        "invweibull",
        lambda d: (d.alpha, 0.0, d.sigma),
        {"scale": "sigma", "c": ("alpha", "the shape")},
    ),
    "LogLogistic": ("fisk", lambda d: (d.beta, 0.0, d.alpha), {"scale": "alpha", "c": ("beta", "the shape")}),
    "ScaledInverseChiSquared": (
        "invgamma",
        lambda d: (0.5 * d.nu, 0.0, 0.5 * d.nu * d.tau2),
        {"concentration": ("concentration", "nu/2"), "scale": ("scale", "nu tau2/2")},
    ),
}
"""By class: SciPy's name of what is not as in PyMC, what it takes, and what PreliZ calls our parameters."""

_MADE: dict[str, Callable[[Any], Distribution]] = {
    "MvNormal": lambda d: MultivariateNormal(d.mu, from_matrix(d.cov)),
    "Wishart": lambda d: Wishart(d.nu, d.V),
    "ZeroInflatedBinomial": lambda d: ZeroInflated(_number(d.psi), Binomial(_number(d.n), _number(d.p))),
}
"""By class: what makes a family of ours where neither library has a name for it."""


@recognise.register(Univariate)
@recognise.register(Multivariate)
def _(obj: Any) -> Distribution:
    _check_set(obj)
    try:
        return _family(obj)
    except (ValueError, np.linalg.LinAlgError) as error:
        told = error.args[0] if error.args else ""
        if isinstance(told, Requirement):
            told = requirement_as_written(told, obj)
        raise type(error)(f"{told}, in {as_written(obj)}") from None


def _family(obj: Any) -> Distribution:
    """The family of a distribution that has all its parameters."""
    name = _class_of(obj)
    if name in _MADE:
        return _MADE[name](obj)
    if name == "Truncated" and _class_of(obj.dist) == "Normal":
        return _of(pymc_names["TruncatedNormalRV"], (obj.dist.mu, obj.dist.sigma, obj.lower, obj.upper), obj)
    if name in _PYMC:
        operation, parameters = _PYMC[name]
        return _of(pymc_names[operation], parameters(obj), obj)
    if name in _SCIPY:
        known, parameters, _ = _SCIPY[name]
        return _of(scipy_names[known], parameters(obj), obj)
    raise no_closed_form_of_one(as_written(obj))


def _class_of(obj: Any) -> str:
    """The name of PreliZ's own class; a class under it may have another density."""
    kind = type(obj)
    return kind.__name__ if kind.__module__.partition(".")[0] == "preliz" else ""


def _of(make: Maker, values: tuple[Any, ...], obj: Any) -> Distribution:
    made = made_by(make, [*map(_number, values)], as_written(obj))
    return made if are_plain(values) else made.labelled(labels_of_parameters(_own(obj)))


def _number(value: Any) -> Any:
    """Plain numbers as floats, sequences as arrays, variables of graphs as they are."""
    if isinstance(value, int | float | np.number):
        return float(value)
    return np.asarray(value) if isinstance(value, list | tuple) else value


_MODIFIERS = {
    "Censored": ("lower", "upper"),
    "Hurdle": ("psi",),
    "Mixture": ("weights",),
    "Truncated": ("lower", "upper"),
}
"""By class: the parameters that a modifier has of its own."""


def _own(obj: Any) -> dict[str, Any]:
    """The parameters, by the names that they were given by, but for those of what is modified."""
    names = _MODIFIERS.get(type(obj).__name__, obj.param_names)
    return {name: getattr(obj, name, None) for name in names}


def _parts(obj: Any) -> list[Any]:
    """What is modified or mixed."""
    if not isinstance(obj, Modified):
        return []
    return list(obj.dist) if isinstance(obj.dist, list | tuple) else [obj.dist]


def _check_set(obj: Any) -> None:
    """ValueError, which names them, where a distribution has parameters without a value."""
    for part in _parts(obj):
        _check_set(part)
    unset = [name for name, value in _own(obj).items() if value is None]
    if not (unset or obj.is_frozen):  # an end that PreliZ has a value for, but waits for
        unset = [name for name, value in zip(obj.param_names, obj.params, strict=True) if value is None]
    if not unset:
        return
    given = [*(["..."] if _parts(obj) else []), *(f"{name}=..." for name in _own(obj))]
    fitted = not _parts(obj) and isinstance(obj, Univariate)
    fit = ", or have it found, for example by pz.maxent" if fitted else ""
    raise ValueError(
        f"{as_written(obj)} has no value for {' and '.join(unset)}: give it, "
        f"pz.{type(obj).__name__}({', '.join(given)}){fit}"
    )


@as_written.register(Univariate)
@as_written.register(Multivariate)
def _(obj: Any) -> str:
    """With the parameters that have a value."""
    parts = ", ".join(map(as_written, _parts(obj)))
    given = [f"{name}={_brief(value)}" for name, value in _own(obj).items() if np.all(value != None)]  # noqa: E711
    whole = [f"[{parts}]" if "weights" in _own(obj) else parts] if parts else []
    return f"pz.{type(obj).__name__}({', '.join([*whole, *given])})"


def _brief(value: Any) -> str:
    if np.ndim(value):
        return f"array of shape {np.shape(value)}"
    return f"{value:.4g}" if isinstance(value, int | float | np.number) else str(value)[:20]


@parameters_as_written.register(Univariate)
@parameters_as_written.register(Multivariate)
def _(obj: Any) -> Words:
    """PreliZ's names are PyMC's, where PyMC has the distribution."""
    name = _class_of(obj)
    return _SCIPY[name][2] if name in _SCIPY else pymc_words.get(_PYMC.get(name, (f"{name}RV",))[0], {})


@labelled.register(Univariate)
def _(obj: Any) -> Labelled | None:
    """PreliZ keeps the names of dimensions in a normal distribution; others have plain arrays."""
    own = {} if _parts(obj) else _own(obj)
    if not has_names(tuple(own.values())):
        return None

    def rebuilt(*arrays: Any) -> Any:
        return type(obj)(**dict(zip(own, arrays, strict=True)))

    return Labelled(tuple(own.values()), ((),) * len(own), tuple(own), rebuilt)


@density_of.register(Univariate)
def _(obj: Any) -> Density:
    """PreliZ compiles a method for each pattern of shapes: it is called with several points, in float64."""
    _check_set(obj)
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
        parts = _parts(obj) if type(obj).__name__ == "Mixture" else [obj]
        return np.concatenate([part.ppf(u.reshape(-1, *(1,) * len(batch))) for part in parts])

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
        labels=labels_of_parameters(_own(obj)),
    )


def _log_density(obj: Any, x: FloatArray) -> Any:
    """PreliZ's own but for mixtures, which in PreliZ 0.24 are the mean of the logarithms."""
    if type(obj).__name__ != "Mixture":
        return obj.logpdf(x)
    parts = [np.log(w) + _log_density(part, x) for part, w in zip(_parts(obj), obj.weights, strict=True)]
    return np.logaddexp.reduce(parts)


def _check_domains(obj: Any) -> None:
    """ValueError where a parameter is out of its domain, of which PreliZ's own methods say nothing."""
    for part in _parts(obj):
        _check_domains(part)
    name, own = type(obj).__name__, _own(obj)
    if name in (*_PYMC, *_SCIPY, *_MADE):
        recognise(obj)  # refuses it
    elif name == "Mixture":
        _require(obj, "weights", bool(np.all(obj.weights >= 0.0)), "not negative")
    elif "upper" in own:
        _require(obj, "upper", bool(np.all(np.less(own["lower"], own["upper"]))), "above lower")
    elif name == "Hurdle":
        _require(obj, "psi", bool(np.all((own["psi"] > 0.0) & (own["psi"] <= 1.0))), "positive and at most 1")
    else:
        for (key, value), (low, high) in zip(own.items(), obj.params_support, strict=True):
            within = np.all((np.asarray(value) >= low) & (np.asarray(value) <= high))
            demand = f"between {low:.4f} and {high:.4f}" if np.isfinite(high) else f"above {low:.4f}"
            _require(obj, key, bool(within), demand)


def _require(obj: Any, name: str, holds: bool, demand: str) -> None:
    if not holds:
        raise ValueError(f"{name} must be {demand}, in {as_written(obj)}")


def _has_atoms(obj: Any) -> bool:
    """Whether some points of a continuous variable have a probability."""
    own = type(obj).__name__ in ("Censored", "Hurdle") and obj.kind != "discrete"
    return own or any(map(_has_atoms, _parts(obj)))


def _batch(obj: Any) -> tuple[int, ...]:
    """The shape that the parameters broadcast to."""
    name = type(obj).__name__
    own = () if name in ("Categorical", "Mixture") else _own(obj).values()
    return np.broadcast_shapes(*map(_batch, _parts(obj)), *map(np.shape, own))


@density_of.register(Multivariate)
def _(obj: Any) -> Density:
    """Most are frozen distributions of SciPy inside."""
    _check_set(obj)
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
