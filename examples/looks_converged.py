"""A fit that looks converged and is not, how that is seen, and what to do.

The children's test scores of the mothers' IQ: a straight line through points far from zero. Intercept and
slope all but determine each other, so that PyMC's ADVI creeps along a ridge: its loss is flat, its
parameters hardly change, and the slope and intercept it ends at are nowhere near the best ones. The
second model is as easy as can be, twenty independent standard normals; there the default optimiser does come
to rest, with standard deviations 8 per cent too wide (docs/explanation/optimiser_bias.md says why).

    python examples/looks_converged.py
"""

from __future__ import annotations

import argparse
import logging
import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pymc as pm
from matplotlib.axes import Axes

from kl_plugins import jeffreys, variational
from kl_plugins.variational import (
    Diagnosis,
    KLConvergence,
    diagnose,
    distance_to_optimum,
    plot_pair,
    snapshot,
)

RIDGE = "A regression far from zero"


def ridge() -> pm.Model:
    """Scores near 87 on IQs near 100, simulated."""
    rng = np.random.default_rng(1)
    iq = rng.normal(100.0, 15.0, size=400)
    score = 26.0 + 0.61 * iq + rng.normal(0.0, 18.0, size=400)
    with pm.Model() as model:
        intercept = pm.Normal("intercept", 0.0, 100.0)
        slope = pm.Normal("slope", 0.0, 10.0)
        sigma = pm.HalfNormal("sigma", 50.0)
        pm.Normal("score", intercept + slope * iq, sigma, observed=score)
    return model


def normals() -> pm.Model:
    with pm.Model() as model:
        pm.Normal("x", shape=20)
    return model


def looks_converged(approximation: pm.MeanField) -> None:
    """What people look at: the loss over the last two fifths of the run."""
    loss = approximation.hist[-2 * len(approximation.hist) // 5 :]
    before, after = loss[: len(loss) // 2], loss[len(loss) // 2 :]
    change = np.median(after) - np.median(before)
    print(
        f"  the loss: {np.median(before):.2f}, then {np.median(after):.2f}, a change of {change:+.2f} nats,"
    )
    print(f"  beside {np.std(after):.2f} from one iteration to the next")


def report(diagnosis: Diagnosis, title: str, ax: Axes) -> None:
    """Print the verdict, and draw the ridge."""
    print(f"  {diagnosis.verdict}".replace("\n", "\n  "))
    plot_pair(diagnosis, ("intercept", "slope"), ax=ax).set_title(title)


def main() -> None:
    """Fit, see through it, mend it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=50_000)
    parser.add_argument("--figure", default="looks_converged.png", help="where to write the figure")
    parser.add_argument("--short", action="store_true", help="a quick, unfinished run")
    args = parser.parse_args()
    if args.short:
        args.iterations = 2_000
    logging.getLogger("pymc").setLevel(logging.WARNING)
    matplotlib.use("Agg")
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")

    for title, model in ((RIDGE, ridge()), ("Twenty standard normals", normals())):
        print(f"{title}: pm.fit({args.iterations:,d})")
        with model:
            approximation = pm.fit(args.iterations, progressbar=False, random_seed=1)
        looks_converged(approximation)

        print("How far it is from the best mean-field Gaussian: distance_to_optimum(approximation)")
        distance = distance_to_optimum(approximation, random_seed=1)
        print("  " + str(distance).replace("\n", "\n  "))
        frozen, best = snapshot(approximation), distance.optimum
        for i in range(min(3, len(frozen.mean))):
            print(
                f"  coordinate {i}: {frozen.mean[i]:8.3f} ± {frozen.std[i]:<8.3f} "
                f"best {best.mean[i]:8.3f} ± {best.std[i]:<8.3f}"
            )

        if title == RIDGE:
            print("Is it to be trusted? diagnose(approximation)")
            report(diagnose(approximation, random_seed=1), "pm.fit's mean-field ADVI", axes[0])

        print("The same with a monitor: pm.fit(..., callbacks=[KLConvergence()])")
        monitor = KLConvergence(random_seed=1)
        with model, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            pm.fit(args.iterations, callbacks=[monitor], progressbar=False, random_seed=1)
        for warning in caught:
            if issubclass(warning.category, variational.NotConvergedWarning):
                print(f"  {warning.category.__name__}: {warning.message}")
        if monitor.converged:
            print(f"  {monitor.message}")

        print("The remedy: kl_plugins.variational.fit()")
        better = variational.fit(model, random_seed=2, progressbar=False)
        print(f"  {better.certificate}")
        print(f"  {jeffreys(snapshot(better), best):.2g} nats (Jeffreys) from the optimum found above\n")
        if title == RIDGE:
            print("Mean field cannot follow the ridge: variational.fit(method='fullrank_advi')")
            best_of_all = variational.fit(model, "fullrank_advi", random_seed=2, progressbar=False)
            print(f"  {best_of_all.certificate}")
            report(diagnose(best_of_all, random_seed=1), "variational.fit, full rank", axes[1])
            print()
    figure.savefig(args.figure, dpi=150)
    print(f"figure written to {args.figure}")


if __name__ == "__main__":
    main()
