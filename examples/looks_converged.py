"""A fit that looks converged and is not, how that is seen, and what to do.

The test scores of children against the IQs of their mothers: a straight line through points far from zero.
Intercept and slope all but determine each other, so that PyMC's ADVI creeps along a ridge: its loss is
flat, its parameters hardly change, and they are nowhere near the best ones. The second model is as easy as
can be, twenty independent standard normals: there the default optimiser does settle, with standard deviations
8 per cent too wide (docs/explanation/optimiser_bias.md says why).

    python examples/looks_converged.py --figure looks_converged.png
"""

from __future__ import annotations

import argparse
import logging
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table
from support.stages import Stages
from support.tables import number, table_of
from support.watching import Watch

# PyMC is imported in the functions: that takes seconds, before which the first line should be there.

RIDGE, NORMALS = "a regression far from zero", "twenty standard normals"
SHORT = {RIDGE: "regression", NORMALS: "normals"}
SHOWN = {RIDGE: ("intercept", "slope"), NORMALS: ("x[0]", "x[1]")}
STEPS = {"pm.fit": 9.0, "variational.fit": 5.0, "diagnose": 6.0}
PLAN = {
    "importing PyMC": 5.0,
    **{f"{name}: {step}": seconds for name in SHORT.values() for step, seconds in STEPS.items()},
    "drawing": 2.0,
}


class Seen(NamedTuple):
    """What was found of a model: PyMC's fit and the remedy, and what `diagnose` says of both."""

    losses: np.ndarray
    monitor: Any
    fits: dict[str, Any]
    diagnoses: dict[str, Any]


def ridge() -> Any:
    """Scores near 87 on IQs near 100, simulated."""
    import pymc as pm

    rng = np.random.default_rng(1)
    iq = rng.normal(100.0, 15.0, size=400)
    score = 26.0 + 0.61 * iq + rng.normal(0.0, 18.0, size=400)
    with pm.Model() as model:
        intercept = pm.Normal("intercept", 0.0, 100.0)
        slope = pm.Normal("slope", 0.0, 10.0)
        sigma = pm.HalfNormal("sigma", 50.0)
        pm.Normal("score", intercept + slope * iq, sigma, observed=score)
    return model


def normals() -> Any:
    import pymc as pm

    with pm.Model() as model:
        pm.Normal("x", shape=20)
    return model


def examine(name: str, model: Any, remedy: str, args: argparse.Namespace, stages: Stages) -> Seen:
    """Fit by ``pm.fit`` as it is, by ``variational.fit``, and diagnose both."""
    import pymc as pm

    from kl_plugins import variational

    stages.begin(f"{SHORT[name]}: pm.fit")
    monitor = variational.KLConvergence(random_seed=1)
    watch = Watch({"monitor": monitor}, args.iterations, stages)
    with model, warnings.catch_warnings():
        warnings.simplefilter("ignore", variational.NotConvergedWarning)  # reported below
        usual = pm.fit(args.iterations, callbacks=[watch], progressbar=False, random_seed=1)
    losses = np.array(usual.hist)
    stages.begin(f"{SHORT[name]}: variational.fit")
    stages.at(0.0, "compiling, searching")
    best = variational.fit(model, remedy, random_seed=2, progressbar=False)
    stages.begin(f"{SHORT[name]}: diagnose")
    fits = {"pm.fit": usual, "variational.fit": best}
    found = {
        label: variational.diagnose(one, random_seed=1, progressbar=False, full_rank=name == RIDGE)
        for label, one in fits.items()
    }
    return Seen(losses, monitor, fits, found)


def loss_sentence(seen: Seen) -> str:
    """What people look at: the loss over the last two fifths of the run."""
    loss = seen.losses[-2 * len(seen.losses) // 5 :]
    before, after = loss[: len(loss) // 2], loss[len(loss) // 2 :]
    return (
        f"The loss: over the last two fifths of {len(seen.losses):,d} iterations its median goes "
        f"from {np.median(before):.2f} to {np.median(after):.2f} nats, while single values scatter by "
        f"{np.std(after):.2f}."
    )


def table_of_fits(name: str, seen: Seen, remedy: str) -> Table:
    """Both fits beside each other: distance from the optimum, k̂, means and standard deviations."""
    kind = {"advi": "mean-field", "fullrank_advi": "full-rank"}[remedy]
    title = f"{name.capitalize()}: pm.fit (mean-field), variational.fit ({kind})"
    caption = (
        "Distance: Jeffreys divergence, KL(p‖q) + KL(q‖p), from the Gaussian of the family with the largest "
        "ELBO. Posterior: by importance sampling."
    )
    table = table_of(title, caption)
    table.add_column("", no_wrap=True)
    for label in seen.fits:
        table.add_column(label, justify="right")
    table.add_column("posterior", justify="right")
    found = list(seen.diagnoses.values())
    far = [number(one.distance.jeffreys) for one in found]
    table.add_row("nats from best of its family", *far, "")
    table.add_row("Pareto k̂ (wanted: ≤ 0.7)", *[f"{one.importance.k.value:.2f}" for one in found], "")
    truth = found[-1].posterior
    for coordinate in SHOWN[name]:
        i = found[0].names.index(coordinate)
        cells = [f"{one.raw.mean[i]:.2f} ± {one.raw.sd[i]:.2f}" for one in found]
        table.add_row(f"{coordinate}: mean ± sd", *cells, f"{truth.mean[i]:.2f} ± {truth.sd[i]:.2f}")
    return table


def verdicts(seen: Seen) -> list[str]:
    """One sentence for each fit."""
    last = seen.monitor.history[-1]
    said = [
        f"pm.fit, watched by KLConvergence: {seen.monitor.status} by iteration {last.iteration:,d}, with the "
        f"average of the last half {number(last.to_optimum)} nats from the best of its family."
    ]
    for label, one in seen.diagnoses.items():
        said.append(f"{label}, judged by diagnose: {one.verdict.headline} {one.verdict.advice}".strip())
    return said


def draw(path: Path, seen: dict[str, Seen]) -> None:
    """Draw the flat loss, the distance that it hides, and where the fit is beside the posterior."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from kl_plugins.variational import plot_convergence, plot_pair

    plt.rcParams.update({"font.size": 12.0, "axes.titlesize": 13.0})
    figure, (top, middle, bottom) = plt.subplots(3, 1, figsize=(7.0, 10.0), layout="constrained")
    one = seen[RIDGE]
    top.plot(np.arange(1, len(one.losses) + 1), one.losses, lw=0.5)
    late = one.losses[len(one.losses) // 20 :]
    top.set(
        xlabel="iteration",
        ylabel="loss (−ELBO, nats)",
        ylim=(late.min() - 2.0, np.quantile(late, 0.995) + 2.0),
        title="A regression far from zero: the loss is flat ...",
    )
    plot_convergence(one.monitor, middle).set_title("... and the fit is far from the best one")
    plot_pair(one.diagnoses["pm.fit"], SHOWN[RIDGE], bottom).set_title(
        "Where pm.fit is, beside the posterior (50 and 95 %)"
    )
    figure.savefig(path, dpi=115)


def main() -> None:
    """Fit, see through it, mend it, saying at every moment what is being done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=50_000)
    parser.add_argument("--figure", default="looks_converged.png", help="where to write the figure")
    parser.add_argument("--short", action="store_true", help="a quick, unfinished run")
    args = parser.parse_args()
    if args.short:
        args.iterations = min(args.iterations, 2_000)
    path = Path(args.figure).resolve()

    with Stages(PLAN) as stages:
        stages.print("A fit that looks converged and is not: how that is seen, and what to do.")
        stages.print(f"Two models, each fitted by pm.fit({args.iterations:,d}) and by variational.fit.\n")
        stages.begin("importing PyMC")
        logging.getLogger("pytensor").setLevel(logging.ERROR)  # of a BLAS, which nothing here needs
        warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS")
        models = {RIDGE: (ridge(), "fullrank_advi"), NORMALS: (normals(), "advi")}
        logging.getLogger("pymc").setLevel(logging.ERROR)
        seen: dict[str, Seen] = {}
        for name, (model, remedy) in models.items():
            seen[name] = examine(name, model, remedy, args, stages)
            stages.print(table_of_fits(name, seen[name], remedy))
            stages.print(loss_sentence(seen[name]))
            for sentence in verdicts(seen[name]):
                stages.print(sentence)
            stages.print("")
        stages.begin("drawing")
        draw(path, seen)
    stages.print(f"Figure: {path} ({stages.seconds:.0f} s in all)")


if __name__ == "__main__":
    main()
