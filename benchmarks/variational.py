"""Who claims that a variational fit converged, how often truly, and at what cost?

Targets: the six posteriors of ``tests/posteriors.py``, Gaussians whose optimum is known, a logistic
regression; mean field and full rank; several seeds. `kl_plugins.variational.fit`, ``pm.fit`` watched by
`KLConvergence`, and ``pm.fit`` watched by both modes of PyMC's ``CheckParametersConvergence`` (in one run of
all its steps, which neither of them stops); with ``--ladder`` also a ladder of learning rates after RABVI
(rabvi.py). A claim is true if the Jeffreys divergence from the optimum is
within the tolerance; the judge is the known optimum, or a fit of another seed and a hundredth of the
tolerance.

    python benchmarks/variational.py --seeds 5 [--only NAME] [--skip NAME] [--methods advi] [--ladder]
        [--fits-only]
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
from pymc.variational.callbacks import CheckParametersConvergence

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from rabvi import rabvi

import posteriors
from kl_plugins import Cholesky, Diagonal, jeffreys
from kl_plugins.families.named import NamedMultivariateNormal, Variable
from kl_plugins.variational import KLConvergence, fit, snapshot

METHODS = ("advi", "fullrank_advi")
TOLERANCES = (0.1, 1.0)


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
    approximation = fit(
        model, method, TOLERANCES[0] / 100, random_seed=987, max_draws=2**17, progressbar=False
    )
    return snapshot(approximation), approximation.certificate


def targets() -> Any:
    for d in (2, 20, 200):
        for condition in (1.0, 1e3):
            yield f"Gaussian d={d}, condition {condition:g}", *gaussian(d, condition)
    yield "logistic regression", logistic(), None
    for name in posteriors.MODELS:
        yield name.partition("-")[0], posteriors.model(name), None


class Passive:
    """Notes where a callback would have stopped a fit, and lets the fit go on."""

    def __init__(self, callback: Any) -> None:
        self.callback, self.stopped, self.began = callback, None, time.perf_counter()

    def __call__(self, approximation: Any, losses: Any, iteration: int) -> None:
        if self.stopped is None:
            try:
                self.callback(approximation, losses, iteration)
            except StopIteration:
                self.stopped = snapshot(approximation), time.perf_counter() - self.began


class Claim(NamedTuple):
    """A fit by somebody: whether it was claimed to be good, how far off it is, what it took."""

    by: str
    made: bool
    jeffreys: float
    seconds: float


def claims(
    model: pm.Model, method: str, best: Any, tolerance: float, seed: int, args: Any
) -> Iterator[Claim]:
    def off(distribution: Any) -> float:
        return float(jeffreys(distribution, best))

    found = fit(model, method, tolerance, random_seed=seed, progressbar=False)
    yield Claim(
        "variational.fit", found.certificate.certified, off(snapshot(found)), found.certificate.seconds
    )
    if args.ladder:
        ladder = rabvi(model, method, tolerance, seed, args.steps)
        yield Claim("RABVI-like ladder", ladder.claimed, off(ladder.distribution), ladder.seconds)
    if args.fits_only:
        return
    monitor, began = KLConvergence(tolerance, random_seed=seed), time.perf_counter()
    watched = advi(model, method, args.steps, seed, [monitor])
    seconds, distance = time.perf_counter() - began, off(watched) if watched else np.inf
    yield Claim("KLConvergence", monitor.converged, distance, seconds)
    status = monitor.status if watched else "diverged"
    yield Claim(f"KLConvergence: {status}", False, distance, seconds)
    if tolerance > TOLERANCES[0]:  # PyMC's own rules have no such tolerance: one run serves
        return
    passive = {diff: Passive(CheckParametersConvergence(diff=diff)) for diff in ("relative", "absolute")}
    began = time.perf_counter()
    ended = advi(model, method, args.steps, seed, list(passive.values()))
    for diff, callback in passive.items():
        stopped, seconds = callback.stopped or (ended, time.perf_counter() - began)
        distance = off(stopped) if stopped else np.inf
        yield Claim(f"CheckParametersConvergence({diff})", bool(callback.stopped), distance, seconds)


def advi(model: pm.Model, method: str, steps: int, seed: int, callbacks: list[Any]) -> Any:
    """What ``pm.fit`` ends at, None where it diverges."""
    options = {"callbacks": callbacks, "progressbar": False, "random_seed": seed}
    try:
        with model:
            return snapshot(pm.fit(steps, method=method, **options))
    except FloatingPointError:
        return None


def main() -> None:
    """Print a table for every target and method, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50_000, help="of ADVI, at most")
    parser.add_argument("--only", default="", help="targets whose names contain this")
    parser.add_argument("--skip", default="nothing", help="not targets whose names contain this")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--tolerances", nargs="+", type=float, default=TOLERANCES)
    parser.add_argument("--fits-only", action="store_true", help="without what watches pm.fit")
    parser.add_argument("--ladder", action="store_true", help="also a ladder of learning rates, see rabvi.py")
    args = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    logging.getLogger("pymc").setLevel(logging.ERROR)
    total: dict[tuple[str, float], list[Claim]] = defaultdict(list)
    print("| target | method | tolerance | by | claims | true | median Jeffreys | worst | median s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, model, optima in targets():
        if args.only not in name or args.skip in name:
            continue
        for method in args.methods:
            best = optima[method] if optima else judge(model, method)[0]
            for tolerance in args.tolerances:
                made: dict[str, list[Claim]] = defaultdict(list)
                for seed in range(args.seeds):
                    for claim in claims(model, method, best, tolerance, seed, args):
                        made[claim.by].append(claim)
                for by, found in made.items():
                    total[by, tolerance] += found
                    print(
                        f"| {name} | {method} | {tolerance:g} | {by} | {shown(found, tolerance)} |",
                        flush=True,
                    )
    print("\nAll targets:\n")
    for (by, tolerance), found in total.items():
        print(f"| all | | {tolerance:g} | {by} | {shown(found, tolerance)} |")


def shown(found: list[Claim], tolerance: float) -> str:
    claimed = [claim for claim in found if claim.made]
    true = sum(claim.jeffreys <= tolerance for claim in claimed)
    off, seconds = [claim.jeffreys for claim in found], [claim.seconds for claim in found]
    claims = f"{len(claimed)} of {len(found)} | {true}"
    return f"{claims} | {np.median(off):.2g} | {max(off):.2g} | {np.median(seconds):.1f}"


if __name__ == "__main__":
    main()
