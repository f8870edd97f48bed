"""Is a certified fit where its certificate says, and what does it cost beside ADVI and RABVI's ladder?

Targets: the six posteriors of `posteriors.py`, Gaussians whose optimum is known, a logistic regression; mean
field and full rank; several seeds. The judge is the known optimum, or a fit of other seed and a hundredth
of the tolerance. With ``--advi`` 50,000 steps of ``pm.fit`` and a ladder of learning rates (RABVI,
arXiv:2203.15945) are run beside them on the six posteriors.

    python benchmarks/certificates.py --seeds 5 --advi
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from typing import Any

import numpy as np
import posteriors
import pymc as pm

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


def ladder(model: pm.Model, method: str, limit: int = 50_000) -> tuple[Any, float, int]:
    """A simple RABVI: Adam at one learning rate until its iterates are stationary, average, halve, repeat.

    Stationary: split R̂ of the last 400 iterates of every parameter below 1.1. It ends when the averages of
    two rates are within the tolerance in Jeffreys divergence, or at the limit of steps.
    """
    began, used, averages = time.perf_counter(), 0, []
    rate, window = 0.3, 400
    with model:
        kinds = {"advi": pm.ADVI, "fullrank_advi": pm.FullRankADVI}
        inference = kinds[method](random_seed=1)
        while used < limit:
            iterates: list[Any] = []

            def keep(approximation: Any, *_: Any, into: list[Any] = iterates) -> None:
                into.append(np.concatenate([p.get_value() for p in approximation.params]))

            optimizer = pm.adam(learning_rate=rate)
            step = inference.objective.step_function(obj_optimizer=optimizer, score=False)
            while used < limit:
                for _ in range(window):
                    step()
                    keep(inference.approx)
                used += window
                if split_r_hat(np.array(iterates[-window:])).max() < 1.1:
                    break
            mean = np.mean(iterates[-window:], axis=0)
            for parameter in inference.approx.params:
                size = parameter.get_value().size
                parameter.set_value(mean[:size])
                mean = mean[size:]
            averages.append(snapshot(inference.approx))
            if len(averages) > 1 and jeffreys(averages[-2], averages[-1]) < TOLERANCE:
                break
            rate *= 0.5
    return averages[-1], time.perf_counter() - began, used


def split_r_hat(iterates: Any) -> Any:
    halves = np.stack(np.split(iterates, 2))
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = halves.mean(axis=1).var(axis=0, ddof=1)
    return np.sqrt((1.0 - 2.0 / len(iterates)) + between / within)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--advi", action="store_true", help="run ADVI and the ladder too")
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
                last, seconds, used = ladder(model, method, args.steps)
                off_ladder = float(jeffreys(last, best))
                print(f"  ladder, {used:,d} steps: Jeffreys {off_ladder:.3g}, {seconds:.1f} s", flush=True)
    print(f"\ncertified {certified} of {runs}; of these within the tolerance {true}")


if __name__ == "__main__":
    main()
