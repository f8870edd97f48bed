"""Watched fits of pymc-extras' Trainer beside fits of as many steps as it takes by default.

Six models by mean-field, full-rank and low-rank guides, several seeds each. A claim of convergence is true if
the Trainer's state is within the tolerance (Jeffreys divergence) of the optimum, which is found again with
another seed and a tenth of the tolerance. Of low rank there may be several: near another one than that, a
claim counts as untrue. One fit of each guide has the fixed number of steps, to see whether these would do.
Needs pymc-extras: ``python -m benchmarks --extras PATH`` takes the interpreter of an environment that has it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.util import find_spec
from typing import Any

import numpy as np
import pymc as pm

from benchmarks.common import CannotRunError, Row, alone, json_number, processor_time
from kl_plugins import jeffreys
from kl_plugins.variational import KLConvergence, NotConvergedWarning, distance_to_optimum, snapshot

QUICK = {"seeds": 1, "steps": 2_000, "only": "regression"}
LONGER = 3
"""A watched fit may take so many times the fixed number of steps."""
RANK = 2


def gaussian(d: int, condition: float) -> pm.Model:
    axes = np.linalg.qr(np.random.default_rng(d).normal(size=(d, d)))[0]
    precision = (axes * np.geomspace(1.0, condition, d)) @ axes.T
    with pm.Model() as model:
        pm.MvNormal("x", np.arange(d) / d, tau=0.5 * (precision + precision.T))
    return model


def regression() -> pm.Model:
    """Five predictors that share a factor, and a scale."""
    rng = np.random.default_rng(4)
    design = rng.normal(size=(80, 5)) + rng.normal(size=(80, 1))
    outcome = design @ rng.normal(size=5) + rng.normal(size=80)
    with pm.Model() as model:
        slopes, sigma = pm.Normal("slopes", 0.0, 2.0, shape=5), pm.HalfNormal("sigma", 2.0)
        pm.Normal("y", pm.math.dot(design, slopes), sigma, observed=outcome)
    return model


def logistic() -> pm.Model:
    rng = np.random.default_rng(1)
    design = rng.normal(size=(300, 6))
    outcome = rng.random(300) < 1.0 / (1.0 + np.exp(-design @ rng.normal(size=6)))
    with pm.Model() as model:
        slopes = pm.Normal("slopes", 0.0, 2.0, shape=6)
        pm.Bernoulli("y", logit_p=pm.math.dot(design, slopes), observed=outcome.astype(int))
    return model


def counts() -> pm.Model:
    """Poisson counts of eight groups about a common rate."""
    rng = np.random.default_rng(2)
    observed = rng.poisson(np.exp(1.0 + 0.5 * rng.normal(size=8)), size=(10, 8))
    with pm.Model() as model:
        level, effect = pm.Normal("level", 0.0, 2.0), pm.Normal("effect", 0.0, 0.5, shape=8)
        pm.Poisson("y", pm.math.exp(level + effect), observed=observed)
    return model


def schools() -> pm.Model:
    """Eight schools, not centred: skewed, so that the optimum is no simple one."""
    y, sigma = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]
    with pm.Model() as model:
        effect = pm.Normal("effect", shape=8)
        mean, spread = pm.Normal("mean", 0.0, 5.0), pm.HalfNormal("spread", 5.0)
        pm.Normal("y", mean + spread * effect, sigma, observed=y)
    return model


MODELS: dict[str, Callable[[], pm.Model]] = {
    "Gaussian, d = 5": lambda: gaussian(5, 10.0),
    "Gaussian, d = 20": lambda: gaussian(20, 100.0),
    "regression, d = 6": regression,
    "logistic, d = 6": logistic,
    "counts, d = 9": counts,
    "eight schools, d = 10": schools,
}


def guides() -> dict[str, Callable[[pm.Model], Any]]:
    from pymc_extras.inference import advi

    return {
        "mean-field": advi.AutoDiagonalNormal,
        "full-rank": advi.AutoMultivariateNormal,
        "low-rank": lambda model: advi.AutoLowRankMultivariateNormal(model, rank=RANK),
    }


def rows(seeds: int = 3, steps: int = 10_000, tolerance: float = 0.1, only: str = "") -> list[Row]:
    """A row for each watched fit."""
    if find_spec("pymc_extras") is None:
        raise CannotRunError("pymc-extras needs an environment of its own: --extras names its interpreter")
    found: list[Row] = []
    with redirect_stdout(None), warnings.catch_warnings():  # pymc-extras' bars cannot be turned off
        warnings.simplefilter("ignore", NotConvergedWarning)
        for name, make in MODELS.items():
            for kind, guide in guides().items():
                if only in name:
                    found += fits(name, make(), kind, guide, seeds, steps, tolerance)
    return found


def fits(
    name: str, model: pm.Model, kind: str, guide: Any, seeds: int, steps: int, tolerance: float
) -> list[Row]:
    """The fits of a guide to a model, with one seed after the other."""
    from pymc_extras.inference.advi import Trainer

    fixed = Trainer(guide=guide)
    fixed.fit(steps, model=model, random_seed=0)
    best = distance_to_optimum(
        snapshot(fixed, model), model, tolerance=tolerance / 10.0, random_seed=99, progressbar=False
    )
    found = []
    for seed in range(seeds):
        trainer, monitor = Trainer(guide=guide), KLConvergence(tolerance, random_seed=seed)
        began = processor_time()
        monitor.train(trainer, LONGER * steps, model=model, random_seed=seed, progressbar=False)
        seconds = processor_time() - began
        away = float(jeffreys(snapshot(trainer, model), best.optimum))
        found.append(
            {
                "model": name,
                "guide": kind,
                "seed": seed,
                "status": str(monitor.status),
                "claimed": monitor.converged,
                "true": away <= tolerance,
                "jeffreys": json_number(away),
                "judged": best.reached,
                "steps": trainer.step,
                "fixed_steps": steps,
                "fixed_jeffreys": json_number(best.jeffreys),
                "full_rank_gain": json_number(best.full_rank_gain),
                "tolerance": tolerance,
                "seconds": seconds,
            }
        )
    return found


if __name__ == "__main__":
    alone("trainer", rows, QUICK, __doc__)
