"""Certificates of fits with minibatches: processor time, peak memory, and whether what they claim is true.

A regression of many rows is fitted by `pm.fit` in minibatches, and compared with the optimum of all the data:
`distance_to_optimum` of the approximation, with the model as it is. Beside it is the optimum of the same
model built on the full data, by `variational.fit`. Each runs in a process of its own. The posterior of a
regression with known noise is Gaussian, so that the optimum is known by linear algebra.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pymc as pm

from benchmarks.common import Row, alone, processor_time
from benchmarks.scale import MIB, peak
from kl_plugins import Diagonal, MultivariateNormal, jeffreys
from kl_plugins.variational import distance_to_optimum, fit, snapshot

QUICK = {"rows": 2_000, "columns": 2, "iterations": 500}
BATCH = 500
NOISE = 1.0
PRIOR = 10.0
MINIBATCHES, FULL = "certificate of a fit with minibatches", "optimum of the full data"


def data(count: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, columns))
    x[:, 1:] += 0.3 * x[:, :1]
    return x, x @ np.linspace(-1.0, 1.0, columns) + NOISE * rng.normal(size=count)


def model_of(x: np.ndarray, y: np.ndarray, batch: int | None) -> pm.Model:
    """The regression, in minibatches or on all the data."""
    rows, columns = x.shape
    with pm.Model() as model:
        slope = pm.Normal("slope", 0.0, PRIOR, shape=columns)
        if batch is None:
            pm.Normal("y", x @ slope, NOISE, observed=y)
        else:
            some_x, some_y = pm.Minibatch(x, y, batch_size=batch)
            pm.Normal("y", some_x @ slope, NOISE, observed=some_y, total_size=rows)
    return model


def best_mean_field(x: np.ndarray, y: np.ndarray) -> MultivariateNormal:
    precision = x.T @ x / NOISE**2 + np.eye(x.shape[1]) / PRIOR**2
    return MultivariateNormal(
        np.linalg.solve(precision, x.T @ y / NOISE**2), Diagonal(1.0 / np.diagonal(precision))
    )


def measured(what: str, count: int, columns: int, iterations: int) -> Row:
    """One row of the table, by this process."""
    x, y = data(count, columns)
    best, before = best_mean_field(x, y), peak()
    model = model_of(x, y, BATCH if what == MINIBATCHES else None)
    row: dict[str, Any] = {"what": what, "rows": count, "columns": columns}
    if what == MINIBATCHES:
        began = processor_time()
        with model:
            approximation = pm.fit(
                iterations, obj_optimizer=pm.adam(learning_rate=1e-3), progressbar=False, random_seed=1
            )
        row["fit_seconds"] = processor_time() - began
        began = processor_time()
        distance = distance_to_optimum(approximation, random_seed=1, progressbar=False)
        row["seconds"] = processor_time() - began
        low, high = distance.interval
        row["claim"], row["true"] = distance.jeffreys, float(jeffreys(snapshot(approximation), best))
        row["holds"] = bool(distance.reached and low * (1.0 - 1e-6) <= row["true"] <= high * (1.0 + 1e-6))
        row["evaluations"], found = distance.evaluations, distance.optimum
    else:
        began = processor_time()
        fitted = fit(model, tolerance=0.01, random_seed=1, progressbar=False)
        row["seconds"] = processor_time() - began
        row["holds"] = bool(fitted.certificate.certified)
        row["evaluations"], found = fitted.certificate.evaluations, snapshot(fitted)
    return row | {"from_best": float(jeffreys(found, best)), "extra_mib": (peak() - before) / MIB}


def rows(rows: int = 2_000_000, columns: int = 20, iterations: int = 20_000) -> list[Row]:
    """Both ways, with so many rows of so many predictors."""
    found = []
    for what in (MINIBATCHES, FULL):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found.append(pool.submit(measured, what, rows, columns, iterations).result())
    return found


if __name__ == "__main__":
    alone("minibatches", rows, QUICK, __doc__)
