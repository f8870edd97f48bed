"""Is a certified fit where its certificate says, and what does it cost beside ADVI?

Targets: the six posteriors of `posteriors.py`, Gaussians whose optimum is known, a logistic regression; mean
field and full rank; several seeds. The judge is the known optimum, or a fit of other seed and a hundredth
of the tolerance. With ``--advi`` 50,000 steps of ``pm.fit`` are run beside them on the posteriors.

    python benchmarks/certificates.py --seeds 5 --advi
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import posteriors
from kl_plugins import Cholesky, Diagonal, jeffreys
from kl_plugins.families.named import NamedMultivariateNormal, Variable
from kl_plugins.variational import fit, snapshot

METHODS = ("advi", "fullrank_advi")
TOLERANCE = 0.1


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


def judge(model: pm.Model, method: str) -> Any:
    """An independent optimum, known a hundred times better than the tolerance."""
    approximation = fit(model, method, TOLERANCE / 100, random_seed=987, max_draws=2**17, progressbar=False)
    return snapshot(approximation), approximation.certificate


def targets() -> Any:
    for d in (2, 20, 200):
        for condition in (1.0, 1e3):
            yield f"Gaussian d={d}, condition {condition:g}", *gaussian(d, condition)
    yield "logistic regression", logistic(), None
    for name in posteriors.MODELS:
        yield name.partition("-")[0], posteriors.model(name), None


def advi(model: pm.Model, method: str, steps: int) -> tuple[Any, float]:
    began = time.perf_counter()
    with model:
        approximation = pm.fit(steps, method=method, progressbar=False, random_seed=1)
    return approximation, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--advi", action="store_true", help="run ADVI too")
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--only", default="", help="targets whose names contain this")
    args = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    logging.getLogger("pymc").setLevel(logging.ERROR)
    certified = true = runs = 0
    columns = ["target", "method", "worst Jeffreys", "worst certificate", "certified", "s", "evaluations"]
    print(f"| {' | '.join([*columns, 'error of the judge'])} |\n|{'---|' * 8}")
    for name, model, optima in targets():
        if args.only not in name:
            continue
        for method in METHODS:
            best, error = (optima[method], 0.0) if optima else (None, 0.0)
            if best is None:
                best, certificate = judge(model, method)
                error = certificate.jeffreys
            found = [
                fit(model, method, TOLERANCE, random_seed=seed, progressbar=False)
                for seed in range(args.seeds)
            ]
            off = [float(jeffreys(snapshot(one), best)) for one in found]
            certificates = [one.certificate for one in found]
            runs += len(found)
            certified += sum(c.certified for c in certificates)
            true += sum(c.certified and j <= TOLERANCE for c, j in zip(certificates, off, strict=True))
            print(
                f"| {name} | {method} | {max(off):.2g} | {max(c.jeffreys for c in certificates):.2g} "
                f"| {sum(c.certified for c in certificates)}/{len(found)} "
                f"| {np.median([c.seconds for c in certificates]):.2f} "
                f"| {int(np.median([c.evaluations for c in certificates])):,d} | {error:.2g} |",
                flush=True,
            )
            if args.advi and optima is None:
                approximation, seconds = advi(model, method, args.steps)
                off_advi = float(jeffreys(snapshot(approximation), best))
                print(f"  ADVI, {args.steps:,d} steps: Jeffreys {off_advi:.3g}, {seconds:.1f} s", flush=True)
    print(f"\ncertified {certified} of {runs}; of these within the tolerance {true}")


if __name__ == "__main__":
    main()
