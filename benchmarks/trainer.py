"""Watched fits of pymc-extras' Trainer against fits of as many steps as it takes by default.

Run it where pymc-extras is installed: ``python -m benchmarks.trainer [seeds]``. A claim of convergence is
true if the Trainer's state is within the tolerance of 0.1 nats (Jeffreys divergence) of the optimum; the
judge is one of another seed and a tenth of the tolerance.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pymc as pm
from pymc_extras.inference.advi import AutoDiagonalNormal, AutoMultivariateNormal, Trainer

from kl_plugins import jeffreys
from kl_plugins.variational import KLConvergence, NotConvergedWarning, distance_to_optimum, snapshot

TOLERANCE, FIXED = 0.1, 10_000
GUIDES = {"mean-field": AutoDiagonalNormal, "full-rank": AutoMultivariateNormal}


def gaussian(d: int) -> pm.Model:
    """Correlated, with a condition number of 10."""
    axes = np.linalg.qr(np.random.default_rng(d).normal(size=(d, d)))[0]
    precision = (axes * np.geomspace(1.0, 10.0, d)) @ axes.T
    with pm.Model() as model:
        pm.MvNormal("x", np.arange(d) / d, tau=0.5 * (precision + precision.T))
    return model


def logistic() -> pm.Model:
    """Six predictors and 300 outcomes."""
    rng = np.random.default_rng(1)
    design = rng.normal(size=(300, 6))
    outcome = rng.random(300) < 1.0 / (1.0 + np.exp(-design @ rng.normal(size=6)))
    with pm.Model() as model:
        slopes = pm.Normal("slopes", 0.0, 2.0, shape=6)
        pm.Bernoulli("y", logit_p=design @ slopes, observed=outcome)
    return model


def schools() -> pm.Model:
    """Eight schools, not centred: skewed, so that the optimum is no simple one."""
    y, sigma = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]
    with pm.Model() as model:
        effect = pm.Normal("effect", shape=8)
        mean, spread = pm.Normal("mean", 0.0, 5.0), pm.HalfCauchy("spread", 5.0)
        pm.Normal("y", mean + spread * effect, sigma, observed=y)
    return model


MODELS = {"Gaussian, d=5": lambda: gaussian(5), "logistic, d=6": logistic, "eight schools, d=10": schools}


def main(seeds: int) -> None:
    print(
        f"{'model':20} {'guide':10} seed  {'status':26} {'steps':>6} {'nats':>8} true  fixed: nats  seconds"
    )
    claims = true = saved = 0
    for name, make in MODELS.items():
        for kind, guide in GUIDES.items():
            model = make()
            start = snapshot((guide(model), Trainer(guide=guide).fit(1, model=model)), model)
            best = distance_to_optimum(start, model, tolerance=TOLERANCE / 10.0, random_seed=99)
            for seed in range(seeds):
                fixed, watched = Trainer(guide=guide), Trainer(guide=guide)
                fixed.fit(FIXED, model=model, random_seed=seed)
                monitor = KLConvergence(TOLERANCE, random_seed=seed)
                began = time.process_time()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", NotConvergedWarning)
                    monitor.train(watched, 5 * FIXED, model=model, random_seed=seed)
                seconds = time.process_time() - began
                own, other = (float(jeffreys(snapshot(one, model), best.optimum)) for one in (watched, fixed))
                right = own <= TOLERANCE
                claims, true = claims + monitor.converged, true + (monitor.converged and right)
                saved += (FIXED - watched.step) * monitor.converged
                print(
                    f"{name:20} {kind:10} {seed:4}  {monitor.status:26} {watched.step:6} {own:8.4f} "
                    f"{right!s:5} {other:11.4f} {seconds:8.1f}",
                    flush=True,
                )
    print(f"{true} of {claims} claims true; {saved:,d} of {claims * FIXED:,d} fixed steps saved")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
