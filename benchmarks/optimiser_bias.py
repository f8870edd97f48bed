"""Where PyMC's default optimiser comes to rest: wider than the best approximation.

    python benchmarks/optimiser_bias.py [--short]

The derivation is in docs/explanation/optimiser_bias.md. Prints what it predicts for a normal target, what
fits of it measure, and how far the averages over the last half of fits end from the optimum.
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.variational.updates import get_or_compute_grads
from scipy.optimize import brentq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import posteriors
from kl_plugins.variational import KLConvergence, distance_to_optimum

NORMAL_SCALES = (0.01, 1.0, 3.0)
DIMENSION = 20


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
    "adagrad_window (default)": pm.adagrad_window,
    "the same without the current gradient": window_before,
    "adam": pm.adam,
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a quick, unfinished run")
    iterations = 2_000 if parser.parse_args().short else 60_000
    logging.getLogger("pymc").setLevel(logging.WARNING)

    print(f"Normal target: log(s/σ) at rest, mean over {DIMENSION} variables, {iterations:,d} iterations")
    for scale in NORMAL_SCALES:
        average = at_rest(normal(scale), pm.adagrad_window, 0.001, iterations)
        errors = np.log(average.std / scale)
        error = errors.std(ddof=1) / np.sqrt(DIMENSION)
        predicted = predicted_log_bias(scale)
        print(f"  σ = {scale:<5g} predicted {predicted:.4f}   measured {errors.mean():.4f} ± {error:.4f}")

    models = {f"{DIMENSION} standard normals": normal(1.0)}
    for name in ("eight_schools-eight_schools_noncentered",):
        if posteriors.ROOT.exists():
            models[name.partition("-")[0]] = posteriors.model(name)
    for label, model in models.items():
        print(f"\n{label}: the average over the last half of {iterations:,d} iterations from the optimum")
        for name, optimiser in OPTIMISERS.items():
            for rate in (0.001, 0.01):
                average = at_rest(model, optimiser, rate, iterations)
                distance = distance_to_optimum(average, model, tolerance=0.001, random_seed=1)
                wider = np.log(average.std / distance.optimum.std)
                print(
                    f"  {name:38s} rate {rate:<6g} Jeffreys {distance.jeffreys:8.4f} nats, "
                    f"log sd {wider.mean():+.4f} on average"
                )


if __name__ == "__main__":
    main()
