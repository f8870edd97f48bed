"""ADVI on a real data set, judged by closed-form Kullback-Leibler divergence.

A logistic regression of 569 breast tumours (malignant or benign, scikit-learn's Wisconsin data) on six
standardised measurements is fitted by mean-field and by full-rank ADVI. While each fit runs, the Jeffreys
divergence between snapshots says how far it still moves and when to stop; afterwards the divergence
between the two fits says what the independence assumed by the mean-field fit costs.

    python examples/advi_convergence.py --figure advi_convergence.png
"""

from __future__ import annotations

import argparse
import logging
import time
from typing import Any

import matplotlib
import numpy as np
import pymc as pm
from sklearn.datasets import load_breast_cancer

from kl_plugins import explain, jeffreys, kl
from kl_plugins.variational import KLConvergence, snapshot

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
    """Fit by ADVI until the approximation moves less than the tolerance."""
    monitor = KLConvergence(every=args.every, tolerance=args.tolerance)
    start = time.perf_counter()
    with model:
        approximation = pm.fit(
            args.iterations,
            method=method,
            obj_optimizer=pm.adagrad(learning_rate=0.2),  # steps shrink, so the fit can come to rest
            callbacks=[monitor],
            progressbar=False,
            random_seed=args.seed,
        )
    return snapshot(approximation), monitor, time.perf_counter() - start


def report_fit(label: str, monitor: KLConvergence, seconds: float) -> None:
    """Print how far the fit moved over its iterations and when it stopped."""
    print(f"\n{label} ADVI: Jeffreys divergence between snapshots {monitor.every} iterations apart")
    shown = sorted({round(i) for i in np.linspace(0, len(monitor.history) - 1, 8)})
    for change in (monitor.history[i] for i in shown):
        bar = "█" * max(1, round(8 * (np.log10(change.jeffreys) + 3)))
        print(f"  {change.iteration:>7,d}  {change.jeffreys:9.4f} nats  {bar}")
    last = monitor.history[-1]
    if monitor.converged:
        print(
            f"  stopped at iteration {last.iteration:,d}, below {monitor.tolerance:g} nats ({seconds:.1f} s)"
        )
    else:
        print(
            f"  did not settle: {last.jeffreys:.3g} nats after {last.iteration:,d} iterations "
            f"({seconds:.1f} s); the figures below are of an unfinished fit"
        )


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

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    rows = np.arange(len(coordinate_names()))
    for (label, (frozen, monitor, _)), colour in zip(fits.items(), ("C0", "C1"), strict=True):
        iterations, values = zip(*monitor.history, strict=True)
        left.plot(iterations, values, color=colour, label=label)
        if monitor.converged:
            left.plot(iterations[-1], values[-1], "o", color=colour)
        right.plot(frozen.std, rows, "o", color=colour, label=label)
    monitor = next(iter(fits.values()))[1]
    left.axhline(monitor.tolerance, color="0.4", linestyle="--", linewidth=1, label="tolerance")
    left.set(
        yscale="log",
        xlabel="iteration",
        ylabel=f"Jeffreys divergence over {monitor.every} iterations (nats)",
        title="How far each fit still moves (dot: stopped)",
    )
    left.legend()
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
    parser.add_argument("--every", type=int, default=500, help="iterations between snapshots")
    parser.add_argument("--tolerance", type=float, default=0.1, help="stop below this many nats")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figure", default="advi_convergence.png", help="where to write the figure")
    parser.add_argument("--short", action="store_true", help="a quick, unfinished run")
    args = parser.parse_args()
    if args.short:
        args.iterations = 3 * args.every
    if args.iterations < 2 * args.every:
        parser.error("--iterations must be at least twice --every: two snapshots make one comparison")
    logging.getLogger("pymc").setLevel(logging.WARNING)

    model = tumour_model()
    print("Logistic regression of 569 tumours on six measurements, 7 coefficients")
    fits = {}
    for label, method in (("mean-field", "advi"), ("full-rank", "fullrank_advi")):
        fits[label] = fit(model, method, args)
        report_fit(label, *fits[label][1:])
    report_loss(fits["mean-field"][0], fits["full-rank"][0])
    draw(args.figure, fits)


if __name__ == "__main__":
    main()
