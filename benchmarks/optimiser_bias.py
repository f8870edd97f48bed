"""Where PyMC's default optimiser comes to rest: wider than the best approximation.

What the derivation in docs/explanation/optimiser_bias.md predicts for a normal target, what fits of it
measure, and how far the averages over the last half of fits end from the optimum.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections import OrderedDict
from functools import partial
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.variational.updates import get_or_compute_grads
from scipy.optimize import brentq

from benchmarks.common import TESTS, Row, alone
from kl_plugins.variational import KLConvergence, distance_to_optimum

sys.path.insert(0, str(TESTS))
import posteriors

NORMAL_SCALES = (0.01, 1.0, 3.0)
DIMENSION = 20
RATES = (0.001, 0.01)
QUICK = {"iterations": 2_000}


def predicted_log_bias(scale: float, window: int = 10, epsilon: float = 0.1) -> float:
    """log(s/σ) at the fixed point of ``adagrad_window`` for a normal target of standard deviation σ.

    The root of E[g/√(g² + S + ε)] with S the sum of the squares of the window − 1 gradients before it, by
    1/√a = π^(−1/2) ∫ t^(−1/2) e^(−ta) dt: the expectation of the product is a product of expectations.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    weights = weights / weights.sum()
    log_t = np.linspace(-35.0, 15.0, 4001)
    t = np.exp(log_t)[:, None]

    def drift(log_ratio: float) -> float:
        s = scale * np.exp(log_ratio)
        gradient = -np.expm1(-s) * (s * nodes**2 / scale**2 - 1.0 / s)  # by ρ, s = log(1 + e^ρ)
        decay = np.exp(-t * gradient**2)
        first = decay @ (weights * gradient)
        others = (decay @ weights) ** (window - 1)
        return float(np.trapezoid(np.sqrt(t[:, 0]) * np.exp(-epsilon * t[:, 0]) * first * others, log_t))

    return float(brentq(drift, 0.0, 0.5))


def window_before(loss: Any = None, params: Any = None, learning_rate: float = 0.001) -> Any:
    """PyMC's ``adagrad_window`` with the current gradient left out of its own normaliser."""
    if params is None:
        return partial(window_before, learning_rate=learning_rate)
    updates = OrderedDict()
    for parameter, gradient in zip(params, get_or_compute_grads(loss, params), strict=True):
        value = parameter.get_value(borrow=True)
        squares = pytensor.shared(np.ones((*value.shape, 10), dtype=value.dtype))
        place = pytensor.shared(np.array(0, dtype="int32"))
        updates[squares] = pt.set_subtensor(squares[..., place], gradient**2)
        updates[place] = (place + 1) % np.int32(10)
        updates[parameter] = parameter - learning_rate * gradient / pt.sqrt(squares.sum(axis=-1) + 0.1)
    return updates


OPTIMISERS = {
    "`adagrad_window` (default)": pm.adagrad_window,
    "the same without the current gradient": window_before,
    "`adam`": pm.adam,
}


def normal(scale: float) -> pm.Model:
    with pm.Model() as model:
        pm.Normal("x", 0.0, scale, shape=DIMENSION)
    return model


def at_rest(model: pm.Model, optimiser: Any, rate: float, iterations: int) -> Any:
    """The average over the last half of a fit."""
    monitor = KLConvergence(1e-12, check=False)
    with model, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pm.fit(
            iterations,
            obj_optimizer=optimiser(learning_rate=rate),
            callbacks=[monitor],
            progressbar=False,
            random_seed=1,
        )
    return monitor.average


def at_the_fixed_point(iterations: int) -> list[Row]:
    """log(s/σ) for normal targets: predicted, and a fit's mean over the variables with its standard error."""
    found = []
    for scale in NORMAL_SCALES:
        average = at_rest(normal(scale), pm.adagrad_window, RATES[0], iterations)
        errors = np.log(average.std / scale)
        found.append(
            {
                "sigma": scale,
                "predicted": predicted_log_bias(scale),
                "measured": float(errors.mean()),
                "standard_error": float(errors.std(ddof=1) / np.sqrt(DIMENSION)),
                "iterations": iterations,
            }
        )
    return found


def from_the_optimum(iterations: int) -> list[Row]:
    """How far averages of fits are from the optimum of their family, by target, optimiser and rate."""
    models = {f"{DIMENSION} standard normals": normal(1.0)}
    if posteriors.ROOT.exists():
        models["eight schools, non-centred"] = posteriors.model("eight_schools-eight_schools_noncentered")
    found = []
    for label, model in models.items():
        for name, optimiser in OPTIMISERS.items():
            for rate in RATES:
                average = at_rest(model, optimiser, rate, iterations)
                distance = distance_to_optimum(average, model, tolerance=0.001, random_seed=1)
                wider = np.log(average.std / distance.optimum.std)
                row = {"target": label, "optimiser": name, "rate": rate, "jeffreys": distance.jeffreys}
                found.append(row | {"log_sd": float(wider.mean()), "iterations": iterations})
    return found


def rows(iterations: int = 60_000) -> list[Row]:
    """First the fixed points, then the distances of fits from the optimum."""
    logging.getLogger("pymc").setLevel(logging.WARNING)
    return at_the_fixed_point(iterations) + from_the_optimum(iterations)


if __name__ == "__main__":
    alone("optimiser_bias", rows, QUICK, __doc__)
