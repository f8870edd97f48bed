"""Six reference posteriors of posteriordb as PyMC models, and their Stan programs' log densities in NumPy.

The data are read from ``../shared/posteriordb`` beside the repository, or from the folder that the
environment variable ``POSTERIORDB`` names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytest
from scipy import stats

ROOT = Path(os.environ.get("POSTERIORDB", Path(__file__).resolve().parents[2] / "shared" / "posteriordb"))
needed = pytest.mark.skipif(
    not ROOT.is_dir(),
    reason=f"no reference posteriors in {ROOT}; the variable POSTERIORDB may name their folder",
)
"""Of tests against reference draws, which are too large for the repository."""


def data_of(name: str) -> dict[str, Any]:
    """The data of a posterior, arrays as float64."""
    entries = json.loads((ROOT / name / "data.json").read_text())
    return {key: np.asarray(value, dtype=float) for key, value in entries.items()}


def reference_draws(name: str) -> dict[str, Any]:
    """Reference draws by Stan's names of the scalars, each of shape (chains, draws)."""
    with np.load(ROOT / name / "draws.npz") as file:
        return {key: file[key] for key in file.files}


def pymc_draws(name: str) -> dict[str, Any]:
    """Reference draws by the names of the PyMC model's variables, each of shape (chains, draws, *shape)."""
    draws = reference_draws(name)

    def vector(key: str) -> Any:
        count = sum(entry.startswith(f"{key}[") for entry in draws)
        return np.stack([draws[f"{key}[{i + 1}]"] for i in range(count)], axis=-1)

    if name.startswith("eight"):
        mu, tau = draws["mu"], draws["tau"]
        return {"theta_trans": (vector("theta") - mu[..., None]) / tau[..., None], "mu": mu, "tau": tau}
    return {key: value for key, value in draws.items() if "[" not in key} | {"beta": vector("beta")}


def design_matrix(name: str) -> tuple[Any, Any]:
    """Design matrix and outcome of the regressions on a flat prior."""
    data = data_of(name)
    if name.startswith("nes"):
        ages = [data["age_discrete"] == group for group in (2, 3, 4)]
        columns = [data["real_ideo"], data["race_adj"], *ages, data["educ1"], data["gender"], data["income"]]
        outcome = data["partyid7"]
    elif name.startswith("mesquite"):
        names = ["diam1", "diam2", "canopy_height", "total_height", "density"]
        columns = [*(np.log(data[key]) for key in names), data["group"]]
        outcome = np.log(data["weight"])
    elif name.startswith("earnings"):
        columns, outcome = [data["height"]], np.log(data["earn"])
    else:
        columns, outcome = [data["mom_iq"]], data["kid_score"]
    return np.column_stack([np.ones(len(outcome)), *columns]), outcome


def eight_schools(name: str) -> pm.Model:
    data = data_of(name)
    with pm.Model() as model:
        theta_trans = pm.Normal("theta_trans", shape=8)
        mu = pm.Normal("mu", 0.0, 5.0)
        tau = pm.HalfCauchy("tau", 5.0)
        pm.Normal("y", mu + tau * theta_trans, data["sigma"], observed=data["y"])
    return model


def regression(name: str) -> pm.Model:
    design, outcome = design_matrix(name)
    with pm.Model() as model:
        beta = pm.Flat("beta", shape=design.shape[1])
        sigma = pm.HalfCauchy("sigma", 2.5) if name.startswith("kidiq") else pm.HalfFlat("sigma")
        pm.Normal("y", pm.math.dot(design, beta), sigma, observed=outcome)
    return model


def autoregression(name: str) -> pm.Model:
    data = data_of(name)
    y, lags = data["y"], int(data["K"])
    past = np.column_stack([y[lags - k - 1 : len(y) - k - 1] for k in range(lags)])
    with pm.Model() as model:
        alpha = pm.Normal("alpha", 0.0, 10.0)
        beta = pm.Normal("beta", 0.0, 10.0, shape=lags)
        sigma = pm.HalfCauchy("sigma", 2.5)
        pm.Normal("y", alpha + pm.math.dot(past, beta), sigma, observed=y[lags:])
    return model


MODELS: dict[str, Callable[[str], pm.Model]] = {
    "eight_schools-eight_schools_noncentered": eight_schools,
    "kidiq-kidscore_momiq": regression,
    "mesquite-logmesquite": regression,
    "nes1980-nes": regression,
    "earnings-logearn_height": regression,
    "arK-arK": autoregression,
}


def model(name: str) -> pm.Model:
    """The posterior as a PyMC model."""
    return MODELS[name](name)


def stan_log_density(name: str, values: dict[str, Any]) -> float:
    """log p(parameters, data) as the Stan program states it, on the constrained scale.

    `values` are one draw's numbers by Stan's names; eight schools takes theta, mu and tau.
    """
    data, norm = data_of(name), stats.norm.logpdf

    def vector(key: str) -> Any:
        count = sum(entry.startswith(f"{key}[") for entry in values)
        return np.array([values[f"{key}[{i + 1}]"] for i in range(count)])

    if name.startswith("eight"):
        theta, mu, tau = vector("theta"), values["mu"], values["tau"]
        priors = norm((theta - mu) / tau).sum() + norm(mu, 0, 5) + stats.cauchy.logpdf(tau, 0, 5)
        return float(priors + norm(data["y"], theta, data["sigma"]).sum())
    beta, sigma = vector("beta"), values["sigma"]
    if name.startswith("arK"):
        total = norm(values["alpha"], 0, 10) + norm(beta, 0, 10).sum() + stats.cauchy.logpdf(sigma, 0, 2.5)
        for t in range(5, 200):
            mean = values["alpha"] + sum(beta[k] * data["y"][t - k - 1] for k in range(5))
            total += norm(data["y"][t], mean, sigma)
        return float(total)
    design, outcome = design_matrix(name)
    prior = stats.cauchy.logpdf(sigma, 0, 2.5) if name.startswith("kidiq") else 0.0
    return float(prior + norm(outcome, design @ beta, sigma).sum())
