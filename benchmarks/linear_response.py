"""Standard deviations of mean-field fits before and after linear response, beside reference draws.

Six posteriors of posteriordb and three more: a cubic whose coefficients are collinear, a logistic regression
with groups, and a funnel, which no correction makes right. For each the worst of the sds before and after, on
the model's own scale too, and whether `diagnose` trusts the corrected Gaussian. It may if all of its sds are
within 10 % of the reference draws'. Needs the reference draws of posteriordb; those of groups are by NUTS.
Then random effects of many groups: the sd of their common mean alone, beside the exact one.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm

from benchmarks.common import TESTS, CannotRunError, Row, alone, processor_time
from kl_plugins.variational import diagnose, fit, linear_response
from kl_plugins.variational.evidence.references import reference_draws

sys.path.insert(0, str(TESTS))
import posteriors

TOLERANCE = 0.1
GROUPS = (500, 2_000, 5_000)
QUICK = {"only": "kidiq"}


def cubic() -> pm.Model:
    powers, outcome = powers_and_outcome()
    with pm.Model() as model:
        beta = pm.Normal("beta", 0.0, 10.0, shape=4)
        pm.Normal("y", pm.math.dot(powers, beta), 1.0, observed=outcome)
    return model


def powers_and_outcome() -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    x = rng.uniform(1.0, 3.0, 60)
    return np.vander(x, 4), x - 0.5 * x**2 + 0.1 * x**3 + rng.normal(size=60)


def of_cubic(model: pm.Model) -> dict[str, Any]:
    powers, outcome = powers_and_outcome()
    covariance = np.linalg.inv(powers.T @ powers + 0.01 * np.eye(4))
    mean = covariance @ powers.T @ outcome
    draws = np.random.default_rng(2).multivariate_normal(mean, covariance, size=(4, 5000))
    return {"beta": draws}


def groups() -> pm.Model:
    rng = np.random.default_rng(5)
    group, x = np.repeat(np.arange(12), 8), rng.normal(size=96) + 2.0
    logit = 0.8 * rng.normal(size=12)[group] - 1.0 + 0.6 * x
    with pm.Model() as model:
        intercept, slope = pm.Normal("intercept", 0.0, 2.0), pm.Normal("slope", 0.0, 2.0)
        spread = pm.HalfNormal("spread")
        offset = pm.Normal("offset", shape=12)
        effect = pm.Deterministic("effect", intercept + spread * offset)
        observed = (rng.random(96) < 1.0 / (1.0 + np.exp(-logit))).astype(int)
        pm.Bernoulli("y", logit_p=effect[group] + slope * x, observed=observed)
    return model


def funnel() -> pm.Model:
    with pm.Model() as model:
        log_scale = pm.Normal("log_scale", 0.0, 1.5)
        pm.Normal("x", 0.0, pm.math.exp(log_scale), shape=4)
    return model


def by_nuts(model: pm.Model) -> dict[str, Any]:
    with model:
        trace = pm.sample(1500, chains=4, cores=1, progressbar=False, random_seed=3, target_accept=0.95)
    return {name: trace.posterior[name].values for name in trace.posterior.data_vars}


def of_funnel(model: pm.Model) -> dict[str, Any]:
    rng = np.random.default_rng(6)
    log_scale = 1.5 * rng.normal(size=(4, 5000))
    return {"log_scale": log_scale, "x": np.exp(log_scale)[..., None] * rng.normal(size=(4, 5000, 4))}


OWN: dict[str, tuple[Callable[[], pm.Model], Callable[[pm.Model], dict[str, Any]]]] = {
    "cubic": (cubic, of_cubic),
    "groups": (groups, by_nuts),
    "funnel": (funnel, of_funnel),
}


def row(name: str) -> Row:
    if name in OWN:
        build, draw = OWN[name]
        model = build()
        draws = draw(model)
    else:
        model, draws = posteriors.model(name), posteriors.pymc_draws(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        approximation = fit(model, random_seed=1, progressbar=False)
        start = processor_time()
        response = linear_response(approximation, model, random_seed=1, progressbar=False)
        seconds = processor_time() - start
        found = diagnose(response, random_seed=1, progressbar=False)
    free = {rv.name: draws[rv.name] for rv in model.free_RVs}
    truth = reference_draws(free, model, response.gaussian.variables).std(axis=(0, 1))
    before, after = response.uncorrected_sd / truth, np.asarray(response.gaussian.std) / truth
    own = response.to_dataset(progressbar=False)
    ratios = [np.ravel(own[key].sel(summary="sd") / known.std(axis=(0, 1))) for key, known in draws.items()]
    constrained = np.concatenate(ratios)
    return {
        "posterior": name,
        "d": len(truth),
        "before": [float(before.min()), float(before.max())],
        "after": [float(after.min()), float(after.max())],
        "constrained": [float(constrained.min()), float(constrained.max())],
        "error": float(np.max(response.mcse_sd / response.gaussian.std)),
        "verdict": str(found.verdict.level),
        "right": bool(np.all(abs(after - 1.0) <= TOLERANCE)),
        "seconds": seconds,
    }


def effects(groups: int) -> pm.Model:
    with pm.Model() as model:
        mean = pm.Normal("mean")
        effect = pm.Normal("effect", mean, 1.0, shape=groups)
        pm.Normal("y", effect, 2.0, observed=np.random.default_rng(7).normal(size=groups))
    return model


def row_of_effects(groups: int) -> Row:
    """Of one variable among many, whose posterior variance is 1/(1 + groups/5); `diagnose` is not asked."""
    model = effects(groups)
    approximation = fit(model, random_seed=1, progressbar=False)
    start = processor_time()
    response = linear_response(approximation, model, var_names="mean", random_seed=1, progressbar=False)
    seconds = processor_time() - start
    truth = (1.0 + groups / 5.0) ** -0.5
    before, after = float(response.uncorrected_sd[0]) / truth, float(response.gaussian.std[0]) / truth
    return {
        "posterior": "effects",
        "d": groups + 1,
        "before": [before, before],
        "after": [after, after],
        "constrained": [after, after],
        "error": float(response.mcse_sd[0] / response.gaussian.std[0]),
        "verdict": "not asked",
        "right": abs(after - 1.0) <= TOLERANCE,
        "seconds": seconds,
    }


def rows(only: str = "") -> list[Row]:
    """A row for each posterior."""
    if not posteriors.ROOT.exists():
        raise CannotRunError(f"no reference draws of posteriordb ({posteriors.ROOT.name})")
    logging.getLogger("pymc").setLevel(logging.ERROR)
    found = [row(name) for name in [*posteriors.MODELS, *OWN] if only in name]
    return found + [row_of_effects(groups) for groups in GROUPS if only in "effects"]


if __name__ == "__main__":
    alone("linear_response", rows, QUICK, __doc__)
