"""ADVI on a real data set, judged by closed-form Kullback-Leibler divergence.

A logistic regression of 569 breast tumours (malignant or benign, scikit-learn's Wisconsin data) on six
standardised measurements is fitted by mean-field and by full-rank ADVI. While each fit runs, a monitor
averages its iterates, compares them with the best Gaussian of the family, and says when to stop;
afterwards the divergence between the two fits says what the independence assumed by the mean-field
fit costs, a diagnosis says whether each is to be trusted, and fits without an optimiser's settings say
what watching was worth.

    python examples/advi_convergence.py --figure advi_convergence.png
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from typing import Any

import matplotlib
import numpy as np
import pymc as pm
from sklearn.datasets import load_breast_cancer

from kl_plugins import explain, jeffreys, kl, variational
from kl_plugins.variational import KLConvergence, diagnose, plot_convergence, snapshot

METHODS = {"mean-field": "advi", "full-rank": "fullrank_advi"}
MEASUREMENTS = ["radius", "texture", "smoothness", "compactness", "concavity", "symmetry"]


def tumour_model() -> pm.Model:
    """Logistic regression of malignancy on standardised measurements."""
    data = load_breast_cancer()
    columns = [list(data.feature_names).index(f"mean {name}") for name in MEASUREMENTS]
    measured = data.data[:, columns]
    measured = (measured - measured.mean(axis=0)) / measured.std(axis=0)
    with pm.Model(coords={"measurement": MEASUREMENTS}) as model:
        intercept = pm.Normal("intercept", 0.0, 2.0)
        slope = pm.Normal("slope", 0.0, 2.0, dims="measurement")
        pm.Bernoulli("malignant", logit_p=intercept + measured @ slope, observed=1 - data.target)
    return model


def fit(model: pm.Model, method: str, args: argparse.Namespace) -> tuple[Any, KLConvergence, float]:
    """Fit by ADVI until the average of the iterates is within the tolerance of the optimum."""
    monitor = KLConvergence(args.tolerance, every=args.every, random_seed=args.seed)
    start = time.perf_counter()
    with model, warnings.catch_warnings():
        warnings.simplefilter("ignore", variational.NotConvergedWarning)  # reported below
        approximation = pm.fit(
            args.iterations,
            method=method,
            obj_optimizer=pm.adam(learning_rate=0.01),
            callbacks=[monitor],
            progressbar=False,
            random_seed=args.seed,
        )
    return snapshot(approximation), monitor, time.perf_counter() - start


def report_fit(label: str, monitor: KLConvergence, seconds: float) -> None:
    """Print what the monitor saw, and what it claims."""
    print(f"\n{label} ADVI: the average over the last half of the iterates, in nats (Jeffreys)")
    print(f"  {'iteration':>9s} {'known to':>9s} {'moved by':>9s} {'R̂':>6s} {'to the optimum':>15s}")
    shown = sorted({round(i) for i in np.linspace(0, len(monitor.history) - 1, 8)})
    for look in (monitor.history[i] for i in shown if monitor.history):
        far = "" if np.isnan(look.to_optimum) else f"{look.to_optimum:15.4f}"
        print(f"  {look.iteration:>9,d} {look.jeffreys:9.4f} {look.drift:9.4f} {look.rhat:6.2f} {far}")
    print(f"  {monitor.message} ({seconds:.1f} s)")
    if monitor.distance is not None:
        print("  " + str(monitor.distance).replace("\n", "\n  "))


def report_optimum(model: pm.Model, args: argparse.Namespace, fits: dict[str, Any]) -> None:
    """Fit again without optimisers' settings, and compare."""
    print("\nFits with a certificate (kl_plugins.variational.fit)")
    for label, method in METHODS.items():
        best = variational.fit(model, method, args.tolerance, random_seed=args.seed, progressbar=False)
        away = jeffreys(fits[label][0], snapshot(best))
        print(f"  {label}: {best.certificate}")
        print(f"    ADVI ended {away:.4f} nats (Jeffreys) away")


def report_diagnoses(model: pm.Model, args: argparse.Namespace, fits: dict[str, Any]) -> None:
    """Print whether the fits are to be trusted."""
    for label, (frozen, _, _) in fits.items():
        print(f"\nIs the {label} fit to be trusted? (kl_plugins.variational.diagnose)")
        print("  " + str(diagnose(frozen, model=model, random_seed=args.seed)).replace("\n", "\n  "))


def report_loss(mean_field: Any, full_rank: Any) -> None:
    """Print what the mean-field fit loses against the full-rank one."""
    print("\nWhat the mean-field fit loses")
    print(f"  {explain(mean_field, full_rank)}")
    print(f"  KL(mean field ‖ full rank) = {kl(mean_field, full_rank):.3f} nats")
    print(f"  KL(full rank ‖ mean field) = {kl(full_rank, mean_field):.3f} nats")
    print(f"  Jeffreys divergence        = {jeffreys(mean_field, full_rank):.3f} nats")
    print("  posterior standard deviations:")
    print(f"    {'':12s} mean field  full rank  ratio")
    for name, narrow, wide in zip(coordinate_names(), mean_field.std, full_rank.std, strict=True):
        print(f"    {name:12s} {narrow:10.3f} {wide:10.3f} {narrow / wide:6.2f}")


def coordinate_names() -> list[str]:
    return ["intercept", *MEASUREMENTS]


def draw(path: str, fits: dict[str, tuple[Any, KLConvergence, float]]) -> None:
    """Draw Jeffreys against iterations and the standard deviations of both fits."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(15, 4.2), layout="constrained")
    right = axes[2]
    rows = np.arange(len(coordinate_names()))
    for ax, (label, (frozen, monitor, _)), colour in zip(axes, fits.items(), ("C0", "C1"), strict=False):
        plot_convergence(monitor, ax)
        ax.set_title(f"{label}: averaged iterates")
        right.plot(frozen.std, rows, "o", color=colour, label=label)
    right.set(
        xlabel="posterior standard deviation",
        xlim=(0.0, None),
        title="The mean-field fit is too sure of itself",
    )
    right.set_yticks(rows, coordinate_names())
    right.invert_yaxis()
    right.legend()
    figure.savefig(path, dpi=150)
    print(f"\nfigure written to {path}")


def main() -> None:
    """Fit, report and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=40_000, help="at most this many per fit")
    parser.add_argument("--every", type=int, default=10, help="iterations between those averaged, at first")
    parser.add_argument("--tolerance", type=float, default=0.1, help="good enough, in nats")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figure", default="advi_convergence.png", help="where to write the figure")
    parser.add_argument("--short", action="store_true", help="a quick, unfinished run")
    args = parser.parse_args()
    if args.short:
        args.iterations = 150 * args.every
    if args.iterations < 100 * args.every:
        parser.error("--iterations must be at least a hundred times --every: fewer are not looked at")
    logging.getLogger("pymc").setLevel(logging.WARNING)

    model = tumour_model()
    print("Logistic regression of 569 tumours on six measurements, 7 coefficients")
    fits = {}
    for label, method in METHODS.items():
        fits[label] = fit(model, method, args)
        report_fit(label, *fits[label][1:])
    report_loss(fits["mean-field"][0], fits["full-rank"][0])
    report_diagnoses(model, args, fits)
    if not args.short:
        report_optimum(model, args, fits)
    draw(args.figure, fits)


if __name__ == "__main__":
    main()
