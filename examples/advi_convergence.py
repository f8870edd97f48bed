"""Has ADVI converged, and can its answer be trusted? A real data set, two fits, and NUTS to compare with.

A logistic regression of 569 breast tumours (malignant or benign) on six measurements is fitted by mean-field
and by full-rank ADVI. A monitor, `KLConvergence`, averages the iterates of each fit, computes how far the
average is from the best approximation of the family, and says when to stop. PyMC's own stopping rule
is watched beside it. Then `diagnose` says whether each fit can be used instead of the posterior.

    python examples/advi_convergence.py --figure advi_convergence.png
"""

from __future__ import annotations

import argparse
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from support.fit_report import (
    Fit,
    coefficient_table,
    convergence_table,
    draw,
    other_rule,
    trust_table,
    verdict,
)
from support.stages import Stages
from support.watching import Watch

# PyMC is imported in the functions: that takes seconds, before which the first line should be there.

METHODS = {"mean-field": "advi", "full-rank": "fullrank_advi"}
MEASUREMENTS = ["radius", "texture", "smoothness", "compactness", "concavity", "symmetry"]
COEFFICIENTS = ["intercept", *MEASUREMENTS]
PLAN = {
    "importing PyMC": 4.0,
    "mean-field ADVI": 22.0,
    "full-rank ADVI": 12.0,
    "NUTS": 12.0,
    "diagnosing the mean-field fit": 20.0,
    "diagnosing the full-rank fit": 12.0,
    "drawing": 2.0,
}


def tumour_model() -> Any:
    """Logistic regression of malignancy on standardised measurements."""
    import pymc as pm

    data = np.loadtxt(Path(__file__).with_name("breast_tumours.csv"), delimiter=",", skiprows=4)
    malignant, measured = data[:, 0], data[:, 1:]
    measured = (measured - measured.mean(axis=0)) / measured.std(axis=0)
    with pm.Model(coords={"measurement": MEASUREMENTS}) as model:
        intercept = pm.Normal("intercept", 0.0, 2.0)
        slope = pm.Normal("slope", 0.0, 2.0, dims="measurement")
        pm.Bernoulli("malignant", logit_p=intercept + measured @ slope, observed=malignant)
    return model


def fit(model: Any, method: str, args: argparse.Namespace, stages: Stages) -> Fit:
    """Fit by ADVI to the last iteration, and note where each stopping rule would have stopped it.

    To use the monitor takes no more than ``pm.fit(..., callbacks=[KLConvergence()])``. Here the fit goes on
    after it has stopped, to see what the other rule does.
    """
    import pymc as pm
    from pymc.variational.callbacks import CheckParametersConvergence

    from kl_plugins.variational import KLConvergence, NotConvergedWarning, snapshot

    monitor = KLConvergence(args.tolerance, every=2, random_seed=args.seed)
    iterates: dict[int, Any] = {}
    wanted = {round(i) for i in np.geomspace(200, args.iterations, 150)}

    def keep(approximation: Any, losses: Any, iteration: int) -> None:
        looked = monitor.history and monitor.history[-1].iteration == iteration
        if iteration in wanted or looked or any(stop.iteration == iteration for stop in watch.stops.values()):
            iterates[iteration] = snapshot(approximation)

    rules = {"monitor": monitor, "PyMC": CheckParametersConvergence()}
    watch = Watch(rules, args.iterations, stages, keep)
    with model, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)  # reported below
        pm.fit(
            args.iterations,
            method=method,
            obj_optimizer=pm.adam(learning_rate=0.01),
            callbacks=[watch],
            progressbar=False,
            random_seed=args.seed,
        )
    return Fit(monitor, iterates, watch.stops.get("monitor"), watch.stops.get("PyMC"), args.iterations)


def sample(model: Any, args: argparse.Namespace, stages: Stages) -> Any:
    """Draws of the posterior by NUTS."""
    import pymc as pm

    tune, draws, chains = (100, 100, 2) if args.short else (1_000, 2_000, 4)
    total, done = chains * (tune + draws), 0
    stages.at(0.0, "compiling")

    def count(trace: Any, draw: Any) -> None:
        nonlocal done
        done += 1
        stages.at(done / total, f"draw {done:,d} of {total:,d}")

    with model:
        return pm.sample(
            draws,
            tune=tune,
            chains=chains,
            cores=1,
            callback=count,
            progressbar=False,
            random_seed=args.seed,
            compute_convergence_checks=not args.short,
        )


def main() -> None:
    """Fit, compare, judge and draw, saying at every moment what is being done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=10_000, help="of each fit")
    parser.add_argument("--tolerance", type=float, default=0.1, help="distance that is close enough, in nats")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figure", default="advi_convergence.png", help="where to write the figure")
    parser.add_argument("--short", action="store_true", help="a quick, unfinished run")
    args = parser.parse_args()
    if args.short:
        args.iterations = min(args.iterations, 1_000)
    if args.iterations < 300:
        parser.error("--iterations must be at least 300: the monitor looks at none before")
    path = Path(args.figure).resolve()

    with Stages(PLAN) as stages:
        stages.print("Has ADVI converged, and can its answer be trusted?")
        stages.print("Logistic regression of 569 breast tumours on six measurements; seven coefficients.")
        stages.print(
            f"Mean-field and full-rank ADVI, {args.iterations:,d} iterations each, then NUTS to compare.\n"
        )
        stages.begin("importing PyMC")
        model = tumour_model()
        logging.getLogger("pymc").setLevel(logging.ERROR)
        logging.getLogger("pytensor").setLevel(logging.ERROR)  # of a BLAS, which nothing here needs
        warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS")
        from kl_plugins.variational import diagnose

        fits: dict[str, Fit] = {}
        for label, method in METHODS.items():
            stages.begin(f"{label} ADVI")
            fits[label] = fit(model, method, args, stages)
        stages.print("", convergence_table(fits, args.tolerance), "")
        stages.print(other_rule(fits) + "\n")

        stages.begin("NUTS")
        draws = sample(model, args, stages)
        diagnoses: dict[str, Any] = {}
        for label, one in fits.items():
            stages.begin(f"diagnosing the {label} fit")
            diagnoses[label] = diagnose(
                one.result,
                draws,
                model,
                optimum_tolerance=args.tolerance,
                random_seed=args.seed,
                progressbar=False,
            )
        stages.print("", coefficient_table(fits, diagnoses, COEFFICIENTS), "")
        stages.print(trust_table(fits, diagnoses, args.tolerance), "")

        stages.begin("drawing")
        draw(path, fits, diagnoses, COEFFICIENTS)
    for label, one in fits.items():
        stages.print(verdict(label.capitalize(), one, diagnoses[label], COEFFICIENTS))
    stages.print(f"Figure: {path} ({stages.seconds:.0f} s in all)")


if __name__ == "__main__":
    main()
