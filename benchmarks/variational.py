"""Who claims that a variational fit converged, how often truly, and at what cost?

Targets: Gaussians whose optimum is known, a logistic regression and, where posteriordb is at hand, the six
posteriors of ``tests/posteriors.py``; mean field and full rank. `kl_plugins.variational.fit`, ``pm.fit``
watched by `KLConvergence`, ``pm.fit`` watched by both modes of PyMC's ``CheckParametersConvergence`` (in one
run of all its steps, which neither of them stops), and a ladder of learning rates after RABVI (rabvi.py). A
claim is true if the Jeffreys divergence from the optimum is within the tolerance; the judge is the known
optimum, or a fit of another seed and a hundredth of the tolerance. Processor seconds, with compilation.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pymc as pm
from pymc.variational.callbacks import CheckParametersConvergence

from benchmarks.common import TESTS, Row, alone, json_number, processor_time
from benchmarks.rabvi import rabvi
from kl_plugins import Cholesky, Diagonal, jeffreys
from kl_plugins.families.named import NamedMultivariateNormal, Variable
from kl_plugins.variational import KLConvergence, fit, snapshot

sys.path.insert(0, str(TESTS))
import posteriors

METHODS = ("advi", "fullrank_advi")
QUICK = {"seeds": 1, "steps": 1_000, "only": "d=2,"}


def gaussian(d: int, condition: float) -> tuple[pm.Model, dict[str, Any]]:
    """A correlated Gaussian and its optima."""
    rng = np.random.default_rng(d)
    axes = np.linalg.qr(rng.normal(size=(d, d)))[0]
    precision = (axes * np.geomspace(1.0, condition, d)) @ axes.T
    precision, mean = 0.5 * (precision + precision.T), 3.0 * rng.normal(size=d)
    with pm.Model() as model:
        pm.MvNormal("x", mean, tau=precision)
    covariances = {
        "advi": Diagonal(1.0 / np.diagonal(precision)),
        "fullrank_advi": Cholesky(np.linalg.cholesky(np.linalg.inv(precision))),
    }
    variables = (Variable("x", (d,)),)
    optima = {key: NamedMultivariateNormal(mean, value, variables) for key, value in covariances.items()}
    return model, optima


def logistic() -> pm.Model:
    """Twenty predictors with units from 0.01 to 100, 500 outcomes, a flat prior."""
    rng = np.random.default_rng(1)
    units = np.geomspace(0.01, 100.0, 20)
    design = rng.normal(size=(500, 20)) * units
    outcome = rng.random(500) < 1.0 / (1.0 + np.exp(-design @ (rng.normal(size=20) / units)))
    with pm.Model() as model:
        slopes = pm.Flat("slopes", shape=20)
        pm.Bernoulli("y", logit_p=pm.math.dot(design, slopes), observed=outcome.astype(int))
    return model


def judge(model: pm.Model, method: str, tolerance: float) -> Any:
    """An independent optimum, known a hundred times better than the tolerance."""
    return snapshot(fit(model, method, tolerance / 100, random_seed=987, max_draws=2**17, progressbar=False))


def targets() -> Any:
    for d in (2, 20):
        for condition in (1.0, 1e3):
            yield f"Gaussian d={d}, condition {condition:g}", *gaussian(d, condition)
    yield "logistic regression", logistic(), None
    for name in posteriors.MODELS if posteriors.ROOT.exists() else ():
        yield name.partition("-")[0], posteriors.model(name), None


class Passive:
    """Notes where a callback would have stopped a fit, and lets the fit go on."""

    def __init__(self, callback: Any) -> None:
        self.callback, self.stopped, self.began = callback, None, processor_time()

    def __call__(self, approximation: Any, losses: Any, iteration: int) -> None:
        if self.stopped is None:
            try:
                self.callback(approximation, losses, iteration)
            except StopIteration:
                self.stopped = snapshot(approximation), processor_time() - self.began


def claims(
    model: pm.Model, method: str, best: Any, tolerance: float, seed: int, steps: int
) -> Iterator[tuple[str, bool, Any, float]]:
    """Who claims what, of which distribution (None: it diverged), after how many seconds of the processor."""
    began = processor_time()
    found = fit(model, method, tolerance, random_seed=seed, progressbar=False)
    yield "variational.fit", found.certificate.certified, snapshot(found), processor_time() - began
    if seed >= 1:  # the others take ten times as long
        return
    ladder = rabvi(model, method, tolerance, seed, steps)
    yield "ladder after RABVI", ladder.claimed, ladder.distribution, ladder.seconds
    monitor, began = KLConvergence(tolerance, random_seed=seed), processor_time()
    watched = advi(model, method, steps, seed, [monitor])
    yield "KLConvergence", monitor.converged, watched, processor_time() - began
    passive = {diff: Passive(CheckParametersConvergence(diff=diff)) for diff in ("relative", "absolute")}
    began = processor_time()
    ended = advi(model, method, steps, seed, list(passive.values()))
    for diff, callback in passive.items():
        stopped, seconds = callback.stopped or (ended, processor_time() - began)
        yield f"CheckParametersConvergence, {diff}", bool(callback.stopped), stopped, seconds


def advi(model: pm.Model, method: str, steps: int, seed: int, callbacks: list[Any]) -> Any:
    """What ``pm.fit`` ends at, None where it diverges."""
    options = {"callbacks": callbacks, "progressbar": False, "random_seed": seed}
    try:
        with model:
            return snapshot(pm.fit(steps, method=method, **options))
    except FloatingPointError:
        return None


def rows(
    seeds: int = 3, steps: int = 50_000, tolerance: float = 0.1, only: str = "", skip: str = "none"
) -> list[Row]:
    """A row for each target, method, seed and fitter; all but `fit` have the first seed only."""
    warnings.simplefilter("ignore", UserWarning)
    logging.getLogger("pymc").setLevel(logging.ERROR)
    found = []
    for name, model, optima in targets():
        if only not in name or skip in name:
            continue
        for method in METHODS:
            best = optima[method] if optima else judge(model, method, tolerance)
            for seed in range(seeds):
                for by, claimed, reached, seconds in claims(model, method, best, tolerance, seed, steps):
                    off = float(jeffreys(reached, best)) if reached else np.inf
                    row = {"target": name, "method": method, "seed": seed, "by": by, "claimed": claimed}
                    row |= {"true": off <= tolerance, "jeffreys": json_number(off), "seconds": seconds}
                    found.append(row | {"tolerance": tolerance, "steps": steps})
    return found


if __name__ == "__main__":
    alone("variational", rows, QUICK, __doc__)
