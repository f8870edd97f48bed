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
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table
from support.stages import Stages

# PyMC and what needs it are imported in the functions: that takes seconds, and something is to be said before.

METHODS = {"mean-field": "advi", "full-rank": "fullrank_advi"}
MEASUREMENTS = ["radius", "texture", "smoothness", "compactness", "concavity", "symmetry"]
COEFFICIENTS = ["intercept", *MEASUREMENTS]
PLAN = {
    "importing PyMC": 5.0,
    "mean-field ADVI": 18.0,
    "full-rank ADVI": 12.0,
    "NUTS": 12.0,
    "diagnosing the mean-field fit": 12.0,
    "diagnosing the full-rank fit": 6.0,
    "drawing": 2.0,
}


class Stop(NamedTuple):
    """Where a callback would have stopped a fit, and the approximation there."""

    iteration: int
    approximation: Any


class Fit(NamedTuple):
    """A fit that was watched: the monitor, single iterates on its way, and where each callback would have stopped."""

    monitor: Any
    iterates: dict[int, Any]
    stop: Stop | None
    pymc_stop: Stop | None
    iterations: int

    @property
    def result(self) -> Any:
        """The average that the monitor stopped with; without a stop the last iterate."""
        return self.stop.approximation if self.stop else self.iterates[max(self.iterates)]

    def distances(self) -> dict[int, float]:
        """Jeffreys divergence of the single iterates from the best of the family, in nats."""
        from kl_plugins import jeffreys

        best = self.monitor.distance.optimum
        return {iteration: float(jeffreys(one, best)) for iteration, one in self.iterates.items()}


def tumour_model() -> Any:
    """Logistic regression of malignancy on standardised measurements."""
    import pymc as pm

    data = np.genfromtxt(Path(__file__).with_name("breast_tumours.csv"), delimiter=",", names=True)
    measured = np.stack([data[name] for name in MEASUREMENTS], axis=1)
    measured = (measured - measured.mean(axis=0)) / measured.std(axis=0)
    with pm.Model(coords={"measurement": MEASUREMENTS}) as model:
        intercept = pm.Normal("intercept", 0.0, 2.0)
        slope = pm.Normal("slope", 0.0, 2.0, dims="measurement")
        pm.Bernoulli("malignant", logit_p=intercept + measured @ slope, observed=data["malignant"])
    return model


def fit(model: Any, method: str, args: argparse.Namespace, stages: Stages) -> Fit:
    """Fit by ADVI to the last iteration, and note where each stopping rule would have stopped it.

    To use the monitor takes no more than ``pm.fit(..., callbacks=[KLConvergence()])``. Here the fit goes on after
    it has stopped, to see what the other rule does.
    """
    import pymc as pm
    from pymc.variational.callbacks import CheckParametersConvergence

    from kl_plugins.variational import KLConvergence, NotConvergedWarning, snapshot

    monitor = KLConvergence(args.tolerance, every=2, random_seed=args.seed)
    rules = {"monitor": monitor, "PyMC": CheckParametersConvergence()}
    stops: dict[str, Stop] = {}
    iterates: dict[int, Any] = {}
    wanted = {round(i) for i in np.geomspace(100, args.iterations, 150)}

    def watch(approximation: Any, losses: Any, iteration: int) -> None:
        stages.at(iteration / args.iterations, f"iteration {iteration:,d} of {args.iterations:,d}")
        looks = len(monitor.history)
        for name in rules.keys() - stops.keys():
            before = [parameter.get_value() for parameter in approximation.params]
            try:
                rules[name](approximation, losses, iteration)
            except StopIteration:
                stops[name] = Stop(iteration, snapshot(approximation))
                for parameter, value in zip(approximation.params, before, strict=True):
                    parameter.set_value(value)  # the monitor has put its average there
        if iteration in wanted or len(monitor.history) > looks:
            iterates[iteration] = snapshot(approximation)

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
    return Fit(monitor, iterates, stops.get("monitor"), stops.get("PyMC"), args.iterations)


def sample(model: Any, args: argparse.Namespace, stages: Stages) -> Any:
    """Draws of the posterior by NUTS."""
    import pymc as pm

    tune, draws, chains = (100, 100, 2) if args.short else (500, 1_000, 4)
    total, done = chains * (tune + draws), 0

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


def convergence_table(fits: dict[str, Fit], args: argparse.Namespace) -> Table:
    """How far single iterates and their averages were from the optimum."""
    table = Table(
        title="1. Has ADVI converged? Distance from the best approximation of its family, in nats",
        caption=(
            "Distance: Jeffreys divergence, KL(p‖q) + KL(q‖p). Iterate: the parameters after that iteration. "
            "Average: of the last half of the iterates, which KLConvergence computes and stops with. "
            f"Up to {args.tolerance:g} nats counts as converged."
        ),
    )
    table.add_column("iteration", justify="right")
    rows: dict[int, list[str]] = {}
    for place, (label, one) in enumerate(fits.items()):
        table.add_column(f"{label}\niterate", justify="right")
        table.add_column("\naverage", justify="right")
        averages = {look.iteration: look.to_optimum for look in one.monitor.history}
        distances = one.distances()
        for iteration in sorted({*averages, max(distances)}):
            row = rows.setdefault(iteration, [""] * 2 * len(fits))
            row[2 * place] = f"{distances[iteration]:.2g}"
            if iteration in averages:
                stopped = " stop" if one.stop and one.stop.iteration == iteration else ""
                row[2 * place + 1] = f"{averages[iteration]:.2g}{stopped}"
    for iteration in sorted(rows):
        table.add_row(f"{iteration:,d}", *rows[iteration])
    return table


def other_rule(fits: dict[str, Fit]) -> str:
    """What PyMC's own stopping rule did, in a sentence."""
    said = []
    for label, one in fits.items():
        if one.pymc_stop is None:
            said.append(f"had not stopped {label} by iteration {one.iterations:,d}")
        else:
            said.append(f"would have stopped {label} at iteration {one.pymc_stop.iteration:,d}")
    return f"PyMC's CheckParametersConvergence, at its defaults, {' and '.join(said)}."


def coefficient_table(fits: dict[str, Fit], diagnoses: dict[str, Any]) -> Table:
    """Means and standard deviations of both fits and of NUTS."""
    table = Table(
        title="2. What do the fits say of the coefficients? Posterior mean and standard deviation (sd)",
        caption="sd/NUTS: the fit's standard deviation over that of NUTS; below 1 the fit is too sure of itself.",
    )
    table.add_column("coefficient")
    table.add_column("NUTS\nmean", justify="right")
    table.add_column("\nsd", justify="right")
    for label in fits:
        for head in (f"{label}\nmean", "\nsd", "\nsd/NUTS"):
            table.add_column(head, justify="right")
    truth = next(iter(diagnoses.values())).posterior
    for i, name in enumerate(COEFFICIENTS):
        row = [name, f"{truth.mean[i]:.2f}", f"{truth.sd[i]:.2f}"]
        for one in fits.values():
            mean, sd = one.result.mean[i], one.result.std[i]
            row += [f"{mean:.2f}", f"{sd:.2f}", f"{sd / truth.sd[i]:.2f}"]
        table.add_row(*row)
    return table


def trust_table(diagnoses: dict[str, Any], args: argparse.Namespace) -> Table:
    """What speaks for and against using each fit."""
    table = Table(title="3. Can each fit be used in place of the posterior? (kl_plugins.variational.diagnose)")
    table.add_column("")
    for label in diagnoses:
        table.add_column(label, justify="right")
    table.add_column("wanted", justify="right")
    found = list(diagnoses.values())
    tables = [one.summary() for one in found]
    rows = [
        ("distance from the best of its family (nats)", f"at most {args.tolerance:g}", [f"{one.distance.jeffreys:.2g}" for one in found]),
        ("KL(fit‖posterior) (nats)", "0", [f"{one.kl_to_posterior.value:.2g}" for one in found]),
        ("Pareto k̂ of the importance weights", f"at most {found[0].importance.threshold:.1f}", [f"{one.importance.k.value:.2f}" for one in found]),
        (f"effective sample size of {found[0].importance.draws:,d} draws", "", [f"{one.importance.ess:,.0f}" for one in found]),
        ("largest error of a mean (posterior sds)", "at most 0.1", [f"{abs(one['shift']).max():.2f}" for one in tables]),
        ("smallest sd / that of NUTS", "0.9 to 1.1", [f"{one['sd_ratio'].min():.2f}" for one in tables]),
        ("largest sd / that of NUTS", "0.9 to 1.1", [f"{one['sd_ratio'].max():.2f}" for one in tables]),
    ]
    for name, wanted, values in rows:
        table.add_row(name, *values, wanted)
    return table
