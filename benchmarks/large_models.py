"""Certificates and verdicts of large and slow models: whether they are true, and what they take.

A Poisson Gaussian process of 60 points, logistic and linear regressions with 300 coefficients, a hierarchical
model with 1,000 groups, centred and not, and 5,000 independent coordinates. The best approximation is known
in closed form of the linear regression, and by quadrature of the independent coordinates. Elsewhere a search
with another seed and a tenth of the tolerance judges, unless that takes too long. A claim is true within the
tolerance. Times are those of the processor; that of compilation is for the log density with its gradient, and
is shorter where it is on disk.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
from scipy.special import expit, roots_hermitenorm

from benchmarks.common import Row, alone, json_number, processor_time
from kl_plugins import MultivariateNormal, jeffreys
from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.full import Dense
from kl_plugins.variational import diagnose, distance_to_optimum, fit, snapshot
from kl_plugins.variational.target.density import TargetDensity

TOLERANCE = 0.1
QUICK = {"only": "linear regression"}
NU, SCALE = 4.0, 0.7
"""Of the noise of the independent coordinates, Student's t."""


def gaussian_process() -> pm.Model:
    rng = np.random.default_rng(1)
    x = np.linspace(0.0, 10.0, 60)
    counts = rng.poisson(np.exp(1.0 + np.sin(x)))
    with pm.Model() as model:
        length = pm.InverseGamma("length", 5.0, 5.0)
        height = pm.HalfNormal("height", 1.0)
        process = pm.gp.Latent(cov_func=height**2 * pm.gp.cov.ExpQuad(1, length))
        pm.Poisson("y", pm.math.exp(process.prior("f", X=x[:, None])), observed=counts)
    return model


def predictors() -> tuple[Any, Any]:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3_000, 300))
    return x, x @ (0.1 * rng.normal(size=300))


def logistic_regression() -> pm.Model:
    x, logit = predictors()
    outcome = (np.random.default_rng(3).random(len(x)) < expit(logit)).astype(int)
    with pm.Model() as model:
        beta = pm.Normal("beta", 0.0, 1.0, shape=x.shape[1])
        pm.Bernoulli("y", logit_p=pm.math.dot(x, beta), observed=outcome)
    return model


def linear_data() -> tuple[Any, Any]:
    x, mean = predictors()
    return x, mean + np.random.default_rng(3).normal(size=len(x))


def linear_regression() -> pm.Model:
    x, outcome = linear_data()
    with pm.Model() as model:
        beta = pm.Normal("beta", 0.0, 1.0, shape=x.shape[1])
        pm.Normal("y", pm.math.dot(x, beta), 1.0, observed=outcome)
    return model


def of_linear_regression(method: str) -> MultivariateNormal:
    x, outcome = linear_data()
    precision = x.T @ x + np.eye(x.shape[1])
    covariance = np.linalg.inv(precision)
    mean = covariance @ x.T @ outcome
    if method == "advi":
        return MultivariateNormal(mean, DiagonalScales(np.diagonal(precision) ** -0.5))
    return MultivariateNormal(mean, Dense(covariance))


def groups(centred: bool) -> pm.Model:
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(1_000), 10)
    outcome = rng.normal((1.0 + 0.5 * rng.normal(size=1_000))[group], 1.0)
    with pm.Model() as model:
        mean, spread = pm.Normal("mean", 0.0, 5.0), pm.HalfNormal("spread", 1.0)
        noise = pm.HalfNormal("noise", 1.0)
        if centred:
            effect = pm.Normal("effect", mean, spread, shape=1_000)
        else:
            effect = mean + spread * pm.Normal("offset", shape=1_000)
        pm.Normal("y", effect[group], noise, observed=outcome)
    return model


def independent_data() -> Any:
    return 1.0 + np.random.default_rng(5).normal(size=5_000)


def independent_coordinates() -> pm.Model:
    outcome = independent_data()
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, 1.0, shape=len(outcome))
        pm.StudentT("y", nu=NU, mu=x, sigma=SCALE, observed=outcome)
    return model


def of_independent_coordinates(method: str) -> MultivariateNormal:
    """By quadrature: the log density has a mean slope of 0 and a mean curvature of −1/sd² there.

    M. Opper, C. Archambeau (2009), The variational Gaussian approximation revisited.
    """
    del method
    outcome = independent_data()[:, None]
    nodes, weights = roots_hermitenorm(100)
    weights = weights / weights.sum()
    mean, sd = 0.5 * outcome[:, 0], np.full(len(outcome), 0.6)
    for _ in range(200):
        x = mean[:, None] + sd[:, None] * nodes
        away = x - outcome
        spread = NU * SCALE**2 + away**2
        slope = (-x - (NU + 1.0) * away / spread) @ weights
        precision = (1.0 + (NU + 1.0) * (NU * SCALE**2 - away**2) / spread**2) @ weights
        moved = max(np.max(abs(slope * sd)), np.max(abs(precision * sd**2 - 1.0)))
        if moved < 1e-10:
            return MultivariateNormal(mean, DiagonalScales(sd))
        mean, sd = mean + slope / precision, precision**-0.5
    raise RuntimeError(f"the quadrature has not come to rest: {moved:.1g}")


class Case(NamedTuple):
    """A model, the methods that fit it, its best approximation if known, and what a longer search judges."""

    model: Callable[[], pm.Model]
    methods: tuple[str, ...]
    best: Callable[[str], MultivariateNormal] | None = None
    judged: tuple[str, ...] = ()


BOTH = ("advi", "fullrank_advi")
CASES = {
    "Gaussian process": Case(gaussian_process, BOTH, judged=BOTH),
    "linear regression": Case(linear_regression, BOTH, of_linear_regression),
    "logistic regression": Case(logistic_regression, BOTH, judged=("advi",)),
    "groups, centred": Case(lambda: groups(True), ("advi",), judged=("advi",)),
    "groups, not centred": Case(lambda: groups(False), ("advi",), judged=("advi",)),
    "independent coordinates": Case(independent_coordinates, ("advi",), of_independent_coordinates),
}


def measured(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and the seconds of the processor that it took."""
    start = processor_time()
    found = call()
    return found, processor_time() - start


def row(name: str, method: str) -> Row:
    case = CASES[name]
    model = case.model()
    target, compiling = measured(lambda: TargetDensity(model))
    points = target.initial + 0.1 * np.random.default_rng(6).normal(size=(256, target.dimension))
    _, evaluating = measured(lambda: target(points))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        approximation, fitting = measured(
            lambda: fit(model, method, TOLERANCE, random_seed=1, progressbar=False)
        )
        found, diagnosing = measured(
            lambda: diagnose(approximation, model=model, random_seed=2, progressbar=False)
        )
    q, jeffreys_to_best = snapshot(approximation), None
    if case.best is not None:
        best = case.best(method)
        jeffreys_to_best = float(jeffreys(MultivariateNormal(q.mean, q.covariance), best))
    elif method in case.judged:
        judge = distance_to_optimum(
            approximation, model, tolerance=0.1 * TOLERANCE, random_seed=7, progressbar=False
        )
        jeffreys_to_best = judge.jeffreys if judge.reached else None
    certificate = approximation.certificate
    return {
        "model": name,
        "method": method,
        "d": target.dimension,
        "compiling": compiling,
        "evaluation": evaluating / len(points),
        "certified": certificate.certified,
        "claimed": json_number(certificate.jeffreys),
        "jeffreys": jeffreys_to_best,
        "tolerance": TOLERANCE,
        "evaluations": certificate.evaluations,
        "fitting": fitting,
        "verdict": str(found.verdict.level),
        "convergence known": found.distance is not None and found.distance.reached,
        "diagnosing": diagnosing,
    }


def rows(only: str = "") -> list[Row]:
    """A row for each model and method."""
    logging.getLogger("pymc").setLevel(logging.ERROR)
    return [row(name, method) for name, case in CASES.items() if only in name for method in case.methods]


if __name__ == "__main__":
    alone("large_models", rows, QUICK, __doc__)
