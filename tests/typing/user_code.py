"""What a user writes, with what type checkers should make of it; `test_user_code` checks it and runs it.

A line with ``type: ignore`` is a mistake that has to be seen: an ignored error that is none is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, assert_type

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray
from pytensor.tensor.variable import TensorVariable
from scipy import stats
from xarray_einstats.stats import XrContinuousRV, multivariate_normal

import kl_plugins
from kl_plugins import (
    Autoregressive,
    Banded,
    BlockDiagonal,
    Cholesky,
    ConditionalAutoregressive,
    Dense,
    Diagonal,
    EstimateWarning,
    Explanation,
    GaussianSummary,
    InformationGain,
    Isotropic,
    KLBounds,
    KLEstimate,
    Kronecker,
    LowRank,
    MultivariateNormal,
    NoClosedFormError,
    NoClosedFormWarning,
    Precision,
    ZeroSum,
    cross_entropy,
    draws,
    entropy,
    estimate_kl,
    explain,
    extend,
    gaussian,
    independent,
    information_gain,
    jeffreys,
    kl,
    kl_bounds,
    mixture,
    pairwise_kl,
    priors,
    register_kl,
    variational,
)
from kl_plugins.extend import NamedMultivariateNormal

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Graph: TypeAlias = "TensorVariable[Any, Any]"
PYRIGHT = False
"""For what mypy does not know: PyMC has no types, and pyright alone reads its source."""
Doubles = NDArray[np.float64]


def is_a(value: object, kind: type) -> None:
    """The type at run time is the one that checkers claim."""
    assert isinstance(value, kind), type(value)


def numbers() -> None:
    """Frozen distributions of SciPy with numbers give a number, with arrays an array."""
    p, q = stats.norm(0.0, 1.0), stats.norm(1, 2)
    several = stats.norm([0.0, 2.0], 1.0)
    is_a(assert_type(kl(p, q), np.float64), np.float64)
    is_a(assert_type(jeffreys(p, q), np.float64), np.float64)
    is_a(assert_type(cross_entropy(p, q), np.float64), np.float64)
    is_a(assert_type(entropy(p), np.float64), np.float64)
    is_a(assert_type(kl(stats.binom(10, 0.3), stats.poisson(3.0)), np.float64), np.float64)
    is_a(assert_type(kl(p=p, q=q), np.float64), np.float64)
    is_a(assert_type(kl(several, q), Doubles), np.ndarray)
    is_a(assert_type(kl(p, several), Doubles), np.ndarray)
    is_a(assert_type(jeffreys(several, several), Doubles), np.ndarray)
    is_a(assert_type(cross_entropy(p, several), Doubles), np.ndarray)
    is_a(assert_type(entropy(several), Doubles), np.ndarray)
    # A number is used as one.
    found: float = kl(p, q)
    small: bool = bool(kl(p, q) < 0.5)
    shown = f"{round(kl(p, q), 3)} {kl(p, q).round(6)} {kl(p, q):.3f} {max(kl(p, q), kl(q, p))}"
    row: Doubles = kl(several, q)[:1]
    assert small == (found < 0.5)
    assert shown.startswith("0.443 ")
    assert row.shape == (1,)


def multivariate_numbers() -> None:
    p = stats.multivariate_normal([0.0, 0.0], [[1.0, 0.5], [0.5, 1.0]])
    is_a(assert_type(kl(p, stats.multivariate_normal([0.0, 0.0])), np.float64), np.float64)
    is_a(assert_type(entropy(p), np.float64), np.float64)
    wishart = stats.wishart(4, np.eye(2))
    is_a(assert_type(kl(wishart, stats.wishart(5, np.eye(2))), np.float64), np.float64)
    is_a(assert_type(kl(stats.dirichlet([1.0, 2.0]), stats.dirichlet([2.0, 2.0])), np.float64), np.float64)
    # Counts may be a batch.
    counts = stats.multinomial(3, [0.5, 0.5])
    assert_type(kl(counts, counts), Any)


def new_infrastructure() -> None:
    p, several = stats.Normal(mu=0.0, sigma=1.0), stats.Normal(mu=[0.0, 1.0], sigma=1.0)
    is_a(assert_type(kl(p, p), np.float64), np.float64)
    is_a(assert_type(kl(p, stats.norm(0.0, 1.0)), np.float64), np.float64)
    is_a(assert_type(kl(several, p), Doubles), np.ndarray)
    is_a(assert_type(kl(p, several), Doubles), np.ndarray)
    is_a(assert_type(entropy(p), np.float64), np.float64)
    is_a(assert_type(entropy(several), Doubles), np.ndarray)
    mixture = stats.Mixture([stats.Normal(mu=0.0, sigma=1.0), stats.Normal(mu=2.0, sigma=1.0)])
    is_a(assert_type(estimate_kl(mixture, p), KLEstimate[float, bool]).value, float)


def labelled() -> None:
    """Parameters of xarray give its arrays; of SciPy's classes a checker does not know what they hold."""
    mu = xr.DataArray([0.0, 1.0], dims="x")
    matrix = xr.DataArray([[1.0, 0.5], [0.5, 1.0]], dims=("x", "x_bis"))
    p, q = XrContinuousRV(stats.norm, mu, 1.0), stats.norm(0.0, 1.0)
    is_a(assert_type(kl(p, q), xr.DataArray), xr.DataArray)
    is_a(assert_type(kl(q, p), xr.DataArray), xr.DataArray)
    is_a(assert_type(entropy(p), xr.DataArray), xr.DataArray)
    normal = MultivariateNormal(mu, Dense(matrix), dims=("x", "x_bis"))
    is_a(assert_type(jeffreys(normal, MultivariateNormal(mu, Isotropic(1.0, 2))), xr.DataArray), xr.DataArray)
    is_a(
        assert_type(entropy(multivariate_normal(mu, matrix, dims=("x", "x_bis"))), xr.DataArray), xr.DataArray
    )
    is_a(kl(independent(p, "x"), normal), xr.DataArray)


def of_samplers() -> None:
    """Summaries of a sampler's draws, and estimates from them."""
    x = np.random.default_rng(1).normal(size=(2, 100))
    trace = xr.Dataset({"x": (("chain", "draw"), x)})
    is_a(summary := assert_type(gaussian(trace), GaussianSummary), GaussianSummary)
    is_a(assert_type(kl(summary, summary), np.float64), np.float64)
    is_a(estimate_kl(draws(x, chain_dim=0), stats.norm()), KLEstimate)
    is_a(estimate_kl(x[0], stats.norm()), KLEstimate)


def mixtures() -> None:
    """Bounds are a pair."""
    p = mixture([stats.norm(0.0, 1.0), stats.norm(5.0, 1.0)], [0.3, 0.7])
    is_a(found := assert_type(kl_bounds(p, stats.norm(0.0, 3.0)), KLBounds), KLBounds)
    lower, upper = found
    assert 0.0 <= lower <= upper == found.upper


def gains(model: pm.Model) -> None:
    found = information_gain(([0.0, 0.0], [0.5, 1.0]), model, progressbar=False)
    is_a(assert_type(found, InformationGain), InformationGain)
    is_a(found.summary().shape, tuple)


def graphs(normal: Graph, approximation: pm.MeanField) -> None:
    """Where a side is symbolic the result is, too."""
    forward: Graph = kl(normal, stats.norm(0.0, 1.0))
    backward: Graph = kl(stats.norm(0.0, 1.0), normal)
    batch: Graph = kl(normal, stats.norm([0.0, 1.0], 1.0))
    both: Graph = jeffreys(normal, normal)
    one: Graph = entropy(normal)
    fitted: Graph = kl(approximation, approximation)
    for graph in (forward, backward, batch, both, one, fitted):
        is_a(graph, TensorVariable)
    penalty = -kl(normal, stats.norm(0.0, 1.0))
    assert penalty.eval() == 0.0
    if PYRIGHT:
        assert_type(forward, Graph)
        assert_type(kl(normal, stats.norm(0.0, 1.0)), Graph)
        assert_type(kl(stats.norm([0.0, 1.0], 1.0), normal), Graph)
        assert_type(jeffreys(normal, normal), Graph)
        assert_type(cross_entropy(stats.Normal(mu=0.0, sigma=1.0), normal), Graph)
        assert_type(entropy(normal), Graph)
        assert_type(kl(approximation, stats.multivariate_normal([0.0, 0.0])), Graph)


def penalised_complexity(model: pm.Model) -> None:
    """A prior is a variable, in a model and outside of one."""
    with model:
        sigma: Graph = priors.pc_prior(
            "sigma", lambda s: pm.Normal.dist(0, s), 0, at=1, probability=0.1, bounds=(0, np.inf)
        )
    alone: Graph = priors.pc_prior.dist(normal_at, 0.0, at=2.0, probability=0.1, shape=(2,))
    for graph in (sigma, alone):
        is_a(graph, TensorVariable)
    if PYRIGHT:
        assert_type(priors.pc_prior.dist(normal_at, 0.0, at=2.0, probability=0.1), Graph)


def normal_at(mean: Any) -> Graph:
    made: Graph = pm.Normal.dist(mean, 1.0)
    return made


def structures(normal: Graph) -> None:
    """Our own Gaussians: of numbers in lists one is known from a batch, of arrays it is not."""
    diagonal, dense = Diagonal([1.0, 4.0]), Dense([[2.0, 0.0], [0.0, 2.0]])
    covariances = (
        Isotropic(2.0, dim=2),
        diagonal,
        dense,
        Cholesky([[1.0, 0.0], [0.5, 1.0]]),
        Precision([[2.0, 0.0], [0.0, 2.0]]),
        Banded([[0.0, 0.5], [2.0, 2.0]]),
        Autoregressive([[0.0], [0.5]], [1.0, 2.0]),
        ConditionalAutoregressive([[0.0, 1.0], [1.0, 0.0]], 0.5, 1.0),
        LowRank([1.0, 1.0], [[1.0], [0.0]]),
        Kronecker((Dense([[2.0]]), diagonal)),
        BlockDiagonal([Diagonal([1.0]), Diagonal([2.0])]),
        ZeroSum(1.0, 2),
    )
    for covariance in covariances:
        p = MultivariateNormal([0.0, 1.0], covariance)
        is_a(assert_type(kl(p, p), np.float64), np.float64)
        is_a(assert_type(kl(p, stats.multivariate_normal([0.0, 0.0])), np.float64), np.float64)
        is_a(assert_type(p.mean, Doubles), np.ndarray)
        is_a(assert_type(p.describe(), str), str)
    batch = MultivariateNormal(np.zeros((3, 2)), diagonal)
    is_a(assert_type(kl(batch, batch), Any), np.ndarray)
    is_a(assert_type(kl(MultivariateNormal([0.0, 1.0], Diagonal(np.ones(2))), batch), Any), np.ndarray)
    is_a(Kronecker([np.eye(2), diagonal]), Kronecker)

    symbolic = MultivariateNormal([0.0], Diagonal(normal[None]))
    by_mean = MultivariateNormal(normal[None], Isotropic(1.0, 1))
    is_a(kl(symbolic, by_mean), TensorVariable)
    if PYRIGHT:
        assert_type(MultivariateNormal([0.0], Isotropic(normal, 1)), MultivariateNormal[Graph, Graph])
        assert_type(MultivariateNormal(normal, Isotropic(1.0, 1)), MultivariateNormal[Graph, Graph])
        assert_type(kl(MultivariateNormal(normal, Isotropic(1.0, 1)), batch), Graph)
        assert_type(LowRank(normal, [[1.0]]), LowRank[Graph])

    independents = independent(stats.norm([0.0, 1.0], 1.0), ndims=1)
    is_a(assert_type(independents, extend.Distribution), extend.Distribution)
    assert_type(kl(independents, independents), Any)


def explanations_estimates_and_tables() -> None:
    p, q, several = stats.norm(0.0, 1.0), stats.cauchy(), stats.norm([0.0, 1.0], 1.0)
    is_a(assert_type(explain(p, p), Explanation), Explanation)
    is_a(assert_type(explain(p, p).cost, str), str)

    found = estimate_kl(p, q, tolerance=1e-6, time_limit=5.0)
    is_a(assert_type(found, KLEstimate[float, bool]), KLEstimate)
    is_a(assert_type(found.value, float), float)
    is_a(assert_type(found.error, float), float)
    is_a(assert_type(found.converged, bool), bool)
    is_a(assert_type(found.n, int), int)
    is_a(assert_type(float(found), float), float)
    exact: str = found.method
    assert exact == "quadrature"
    batch = estimate_kl(several, q)
    is_a(assert_type(batch.value, Doubles), np.ndarray)
    is_a(assert_type(batch.converged, NDArray[np.bool_]), np.ndarray)
    assert estimate_kl(p, q, method="monte carlo", draws=100, random_state=1).n == 200

    is_a(assert_type(pairwise_kl([p, stats.norm(1.0, 1.0)]), NDArray[np.floating[Any]]), np.ndarray)
    assert pairwise_kl(several, stats.norm([0.0, 1.0, 2.0], 1.0)).shape == (2, 3)


class Coin:
    """Somebody's own distribution."""

    def __init__(self, heads: float) -> None:
        self.heads = heads


@register_kl(Coin, Coin, cost="O(1)")
def coin_coin(p: Coin, q: Coin) -> float:
    return 0.0 if p.heads == q.heads else float("inf")


class Exponential(extend.Continuous):
    """A family of one's own."""

    rate: float = extend.parameter(extend.POSITIVE, typical=(2.0, 3.0))
    ends = (0.0, float("inf"))

    def log_density(self) -> extend.LogDensity:
        return extend.LogDensity(self.ops.log(self.rate), ((-self.rate, extend.Identity()),))

    def standard_mean(self) -> float:
        return 1.0 / self.rate


@extend.closed_form(Exponential, Exponential)
def exponential_exponential(p: Exponential, q: Exponential) -> Any:
    ratio = q.rate / p.rate
    return ratio - 1.0 - p.ops.log(ratio)


@extend.from_scipy("foldcauchy")
def foldcauchy(c: Any, loc: Any, scale: Any) -> extend.HalfCauchy:
    return extend.HalfCauchy(loc, scale + 0.0 * c)


class Reading:
    def __init__(self, value: float, error: float) -> None:
        self.value, self.error = value, error


@extend.recognise.register(Reading)
def _(reading: Reading) -> extend.Distribution:
    return extend.Normal(reading.value, reading.error)


def strangers() -> None:
    """What checkers cannot know is Any, and no error."""
    is_a(kl(Coin(0.5), Coin(0.5)), float)
    assert_type(kl(Coin(0.5), Coin(0.5)), Any)
    assert_type(coin_coin(Coin(0.5), Coin(0.5)), float)
    is_a(kl(Exponential(2.0), Exponential(rate=3.0)), np.float64)
    is_a(assert_type(foldcauchy(0.0, 0.0, 1.0), extend.HalfCauchy), extend.HalfCauchy)
    assert exponential_exponential(Exponential(2.0), Exponential(2.0)) == 0.0
    is_a(kl(Reading(0.0, 1.0), stats.norm(0.0, 1.0)), np.float64)
    is_a(assert_type(extend.recognise(Reading(0.0, 1.0)), extend.Distribution), extend.Distribution)
    try:
        kl(stats.norm(), stats.cauchy())
    except NoClosedFormError as error:
        is_a(error, NoClosedFormError)
    assert issubclass(EstimateWarning, UserWarning)
    assert issubclass(NoClosedFormWarning, UserWarning)
    assert kl_plugins.__version__
    assert kl_plugins.variational is variational
    assert kl_plugins.extend is extend
    assert kl_plugins.families.normal.Normal is extend.Normal


def fits(model: pm.Model) -> None:
    with model:
        fitted = variational.fit(random_seed=1, progressbar=False, start={"x": 1.0})
    is_a(fitted, pm.MeanField)
    if PYRIGHT:
        posterior: pm.MeanField = fitted
        del posterior
    certificate = fitted.certificate
    is_a(assert_type(certificate, variational.Certificate), variational.Certificate)
    is_a(assert_type(certificate.certified, bool), bool)
    is_a(assert_type(certificate.jeffreys, float), float)
    is_a(assert_type(certificate.reason, str), str)
    full = variational.fit(model, "fullrank_advi", 0.1, random_seed=1, progressbar=False)
    is_a(full, pm.FullRank)
    assert variational.fit(model, method="fullrank_advi", progressbar=False).certificate.draws

    for method in ("advi", "fullrank_advi"):
        again = variational.fit(model, method, random_seed=1, progressbar=False)
        is_a(assert_type(again.certificate.certified, bool), bool)

    response = variational.linear_response(fitted, random_seed=1, progressbar=False)
    is_a(assert_type(response, variational.LinearResponse), variational.LinearResponse)

    frozen = variational.snapshot(fitted)
    assert_type(frozen, NamedMultivariateNormal[np.float64, NDArray[np.floating[Any]]])
    is_a(assert_type(kl(frozen, certificate.distribution), np.float64), np.float64)
    is_a(assert_type(jeffreys(frozen, variational.snapshot(full)), np.float64), np.float64)
    is_a(assert_type(entropy(frozen), np.float64), np.float64)
    is_a(assert_type(frozen.mean, NDArray[np.floating[Any]]), np.ndarray)
    is_a(assert_type(frozen.std, NDArray[np.floating[Any]]), np.ndarray)
    is_a(assert_type(frozen.names, tuple[str, ...]), tuple)
    is_a(assert_type(frozen.slices, dict[str, slice]), dict)

    distance = variational.distance_to_optimum(frozen, model, random_seed=1, progressbar=False)
    is_a(assert_type(distance, variational.OptimumDistance), variational.OptimumDistance)
    is_a(assert_type(distance.jeffreys, float), float)
    is_a(assert_type(kl(frozen, distance.optimum), np.float64), np.float64)
    is_a(assert_type(distance.interval, tuple[float, float]), tuple)


def terms_of_an_elbo(model: pm.Model) -> None:
    """By the names of the variables; and the same as the objective of PyMC's fits."""
    approximation = pm.MeanField(model=model)
    terms: dict[str, Graph] = variational.kl_terms(model, approximation)
    is_a(next(iter(terms.values())), TensorVariable)
    is_a(variational.ClosedFormKL(approximation), variational.ClosedFormKL)


def diagnoses(model: pm.Model) -> None:
    diagnosis = variational.diagnose(
        ([0.0, 0.0], [1.0, 1.0]), model=model, draws=3_000, random_seed=1, progressbar=False
    )
    is_a(assert_type(diagnosis, variational.Diagnosis), variational.Diagnosis)
    level: str = diagnosis.verdict.level
    advice: str = diagnosis.verdict.advice
    names: list[str] = [one.name for one in diagnosis.verdict.discrepancies]
    assert (level, advice, names) == ("trust", "", [])
    is_a(assert_type(diagnosis.importance.k.value, float), float)
    table: pd.DataFrame = diagnosis.summary()
    assert len(diagnosis.summary("constrained")) == len(table) == 2
    dataset: xr.Dataset = diagnosis.to_dataset()
    assert "khat" in dataset
    axes: Axes = variational.plot_kl(diagnosis)
    for drawn in (
        variational.plot_importance(diagnosis),
        variational.plot_pair(diagnosis, ("x[0]", "x[1]"), ax=axes),
    ):
        drawn.set_title("mine")
    assert_type(diagnosis.plot(figsize=(9.0, 3.0)), NDArray[np.object_])


def watched_fits(model: pm.Model) -> None:
    monitor = variational.KLConvergence(0.1, every=10, check=False, random_seed=np.random.default_rng(1))
    with model:
        pm.fit(
            3_000,
            obj_optimizer=pm.adam(learning_rate=0.05),
            callbacks=[monitor],
            progressbar=False,
            random_seed=1,
        )
    status: str = monitor.status
    assert status in assert_type(monitor.message, str)
    is_a(assert_type(monitor.converged, bool), bool)
    is_a(assert_type(monitor.history[-1].to_optimum, float), float)
    is_a(assert_type(entropy(monitor.average), np.float64), np.float64)
    axes: Axes = variational.plot_convergence(monitor)
    axes.set_title("mine")
    variational.plot_convergence({"one": monitor}, axes)
    is_a(assert_type(kl(monitor.averages[-1], monitor.average), np.float64), np.float64)
    assert issubclass(variational.NotConvergedWarning, UserWarning)


def mistakes(model: pm.Model, diagnosis: variational.Diagnosis) -> None:
    """Checked, never run."""
    p = stats.norm(0.0, 1.0)
    kl(p)  # type: ignore[call-overload]
    kl(p, p, 1)  # type: ignore[call-overload]
    entropy(p, p)  # type: ignore[call-overload]
    text: str = kl(p, p)  # type: ignore[assignment]
    _ = kl(p, p).shape_  # type: ignore[attr-defined]
    len(kl(p, p))  # type: ignore[arg-type]
    _ = explain(p, p).price  # type: ignore[attr-defined]
    estimate_kl(p, p, drawn=100)  # type: ignore[call-overload]
    estimate_kl(p, p, method=1)  # type: ignore[call-overload]
    _ = estimate_kl(p, p).sd  # type: ignore[attr-defined]
    independent(p, 1.5)  # type: ignore[arg-type]
    register_kl(p, p)  # type: ignore[arg-type]
    extend.closed_form(Exponential, Exponential)(lambda p: 0.0)  # type: ignore[type-var]
    Isotropic(2.0)  # type: ignore[call-overload]
    MultivariateNormal([0.0, 1.0], [[1.0, 0.0], [0.0, 1.0]])  # type: ignore[call-overload]
    kl_plugins.kullback(p, p)  # type: ignore[attr-defined]
    if PYRIGHT:
        variational.fit(10_000)  # type: ignore[call-overload]
    variational.fit(model, 10_000)  # type: ignore[call-overload]
    variational.fit(model, callbacks=[])  # type: ignore[call-overload]
    variational.diagnose(([0.0], [1.0]), model=model, draw=100)  # type: ignore[call-arg]
    variational.KLConvergence(tolerance="0.1")  # type: ignore[arg-type]
    variational.plot_kl(variational.KLConvergence())  # type: ignore[arg-type]
    variational.plot_convergence(diagnosis)  # type: ignore[call-overload]
    variational.kl_terms(model, {}, draws=1.5)  # type: ignore[arg-type]
    diagnosis.summary("transformed")  # type: ignore[arg-type]
    _ = variational.loss  # type: ignore[attr-defined]
    with model:
        priors.pc_prior("mu", normal_at, 0.0, at="2", probability=0.1)  # type: ignore[arg-type]
        priors.pc_prior("mu", normal_at, 0.0, at=2.0)  # type: ignore[call-arg]
    priors.pc_prior.dist(normal_at, 0.0, at="2", probability=0.1)  # type: ignore[arg-type]
    del text
