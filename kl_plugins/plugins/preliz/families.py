"""PreliZ's distributions as families, by PyMC's and SciPy's names for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from preliz.distributions.distributions import Distribution as Univariate
from preliz.distributions.distributions_multivariate import Multivariate

from kl_plugins.covariance.detection import from_matrix
from kl_plugins.errors import Requirement, no_closed_form_of_one
from kl_plugins.families.binomial import Binomial
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.names import Maker, made_by, pymc_names, scipy_names
from kl_plugins.families.core.pymc_words import Words, pymc_words
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.poisson import Poisson
from kl_plugins.families.wishart import Wishart
from kl_plugins.families.zero_inflated import ZeroInflated
from kl_plugins.labelled import Labelled, labelled
from kl_plugins.parameters.labels import are_plain, has_names, labels_of_parameters
from kl_plugins.plugins.preliz.parameters import check_set, own, parts
from kl_plugins.recognition import (
    as_written,
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
    "DiscreteWeibull": ("DiscreteWeibullRV", lambda d: (d.q, d.beta)),
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
    "SkewStudentT": ("SkewStudentTRV", lambda d: (d.a, d.b, d.mu, d.sigma)),
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

_MADE: dict[str, tuple[Callable[[Any], Distribution], Words]] = {
    "MvNormal": (lambda d: MultivariateNormal(d.mu, from_matrix(d.cov)), pymc_words["MvNormalRV"]),
    "Wishart": (lambda d: Wishart(d.nu, d.V), pymc_words["WishartRV"]),
    "ZeroInflatedBinomial": (
        lambda d: ZeroInflated(_number(d.psi), Binomial(_number(d.n), _number(d.p))),
        {"weight": "psi"},
    ),
    "ZeroInflatedNegativeBinomial": (
        lambda d: ZeroInflated(_number(d.psi), pymc_names["NegBinomialRV"](*map(_number, (d.n, d.p)))),
        {"weight": "psi"},
    ),
    "ZeroInflatedPoisson": (
        lambda d: ZeroInflated(_number(d.psi), Poisson(_number(d.mu))),
        {"weight": "psi", "mean": "mu"},
    ),
}
"""By class: what makes a family where neither library has a name for it, and PreliZ's names of parameters."""


KNOWN = frozenset({*_PYMC, *_SCIPY, *_MADE})
"""The classes that are families."""


@recognise.register(Univariate)
@recognise.register(Multivariate)
def _(obj: Any) -> Distribution:
    check_set(obj)
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
        return _MADE[name][0](obj)
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
    return made if are_plain(values) else made.labelled(labels_of_parameters(own(obj)))


def _number(value: Any) -> Any:
    """Plain numbers as floats, sequences as arrays, variables of graphs as they are."""
    if isinstance(value, int | float | np.number):
        return float(value)
    return np.asarray(value) if isinstance(value, list | tuple) else value


@parameters_as_written.register(Univariate)
@parameters_as_written.register(Multivariate)
def _(obj: Any) -> Words:
    """PreliZ's names are PyMC's, where PyMC has the distribution."""
    name = _class_of(obj)
    if name in _MADE:
        return _MADE[name][1]
    return _SCIPY[name][2] if name in _SCIPY else pymc_words.get(_PYMC.get(name, (f"{name}RV",))[0], {})


@labelled.register(Univariate)
def _(obj: Any) -> Labelled | None:
    """PreliZ keeps the names of dimensions in a normal distribution; others have plain arrays."""
    given = {} if parts(obj) else own(obj)
    if not has_names(tuple(given.values())):
        return None

    def rebuilt(*arrays: Any) -> Any:
        return type(obj)(**dict(zip(given, arrays, strict=True)))

    return Labelled(tuple(given.values()), ((),) * len(given), tuple(given), rebuilt)
