"""What examples/sparse_gp.py found: tables and the figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table
from support.tables import table_of

COLOURS = {"whitened": "C0", "not whitened": "C1"}


class Fit(NamedTuple):
    """A sparse regression: ELBO of all data by step, hyperparameters, and the posterior of f on a grid."""

    curve: np.ndarray
    hyper: np.ndarray
    Z: np.ndarray
    grid: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    bound: float


class Exact(NamedTuple):
    """The exact GP: hyperparameters, evidence and posterior mean, and the latter two at those of each fit."""

    hyper: np.ndarray
    evidence: float
    mean: np.ndarray
    evidences: dict[str, float]
    means: dict[str, np.ndarray]


def regression_table(fits: dict[str, Fit], exact: Exact) -> Table:
    """ELBO, bounds and hyperparameters of the fits, and what the exact GP has."""
    table = table_of(
        "1. Regression: life expectancy by income, 1,704 observations",
        "Best q: the ELBO of the best q for the inducing points and hyperparameters found, by PyMC's "
        "MarginalApprox. The log evidence, by scikit-learn, is what no ELBO can exceed; "
        "log evidence − ELBO = KL(approximation‖posterior). Errors of the posterior mean: the largest over "
        "all incomes, beside the exact GP with the same hyperparameters and with its own.",
    )
    table.add_column("", no_wrap=True)
    for kind in (*fits, "exact GP"):
        table.add_column(kind, justify="right")
    elbos = {kind: fit.curve[1, -1] for kind, fit in fits.items()}
    table.add_row("ELBO, nats", *[f"{one:,.2f}" for one in elbos.values()], "")
    table.add_row("best q, nats", *[f"{fit.bound:,.2f}" for fit in fits.values()], "")
    evidences = [*exact.evidences.values(), exact.evidence]
    table.add_row("log evidence, same hyperparameters", *[f"{one:,.2f}" for one in evidences])
    gaps = [exact.evidences[kind] - one for kind, one in elbos.items()]
    table.add_row("log evidence − ELBO, nats", *[f"{one:.2f}" for one in gaps], "")
    for name, truths in (
        ("error of the mean, noise sds", exact.means),
        ("the same, beside column 3", dict.fromkeys(fits, exact.mean)),
    ):
        off = [abs(fit.mean - truths[kind]).max() / exact.hyper[2] for kind, fit in fits.items()]
        table.add_row(name, *[f"{one:.3f}" for one in off], "")
    columns = [*[fit.hyper for fit in fits.values()], exact.hyper]
    for i, name in enumerate(("length scale, decades", "amplitude, years", "noise sd, years")):
        table.add_row(name, *[f"{hyper[i]:.2f}" for hyper in columns])
    return table


def classification_table(scores: dict[str, np.ndarray], curves: dict[str, np.ndarray]) -> Table:
    """Held-out log scores beside those of logistic regression."""
    ends = ", ".join(f"{kind} {curve[1, -1]:.2f}" for kind, curve in curves.items())
    table = table_of(
        "2. Classification: malignant or not, 569 tumours, cross-validated",
        f"Log score: mean log probability of the tumours held out. ± is one standard error over tumours. "
        f"ELBO of the fits to all tumours, nats: {ends}.",
    )
    for name, place in (("", "left"), ("log score, nats", "right"), ("GP less this one", "right")):
        table.add_column(name, justify=place)
    gp = next(iter(scores.values()))
    for name, score in scores.items():
        gain = gp - score
        cell = f"{gain.mean():+.4f} ± {gain.std(ddof=1) / len(gain) ** 0.5:.4f}" if gain.any() else ""
        table.add_row(name, f"{score.mean():.4f}", cell)
    return table


def step_table(times: dict[tuple[str, str], float], compiled: bool) -> Table:
    """Milliseconds per step, by the KL term in it."""
    how = (
        "Compiled by PyTensor's default. "
        if compiled
        else "Not compiled: PyTensor runs Python code, which is slow for functions of scalars, as in kl. "
        "--compiled measures compiled steps. "
    )
    table = table_of("4. Time of a step of Adam, ms", f"{how}Medians; the two are measured by turns.")
    for name in ("", "with kl", "with the textbook's formula", "ratio"):
        table.add_column(name, justify="right" if name else "left")
    for kind in dict.fromkeys(kind for kind, _ in times):
        ours, textbook = times[kind, "kl"], times[kind, "textbook"]
        table.add_row(kind, f"{ours:.2f}", f"{textbook:.2f}", f"{ours / textbook:.2f}")
    return table


def digits_table(found: list[tuple[float, float, float]]) -> Table:
    """Values of both KL terms where the value is known."""
    table = table_of(
        "3. Values of KL(q‖prior) near q = prior, where the optimisation starts, nats",
        "Not whitened. q has the prior's mean, and its covariance times a known number. The ELBO of table 1 "
        "is some 5,850 nats from 0: neither term's errors show in it.",
    )
    for name in ("true value", "kl", "textbook's formula"):
        table.add_column(name, justify="right")
    for truth, ours, textbook in found:
        table.add_row(f"{truth:.6g}", f"{ours:.6g}", f"{textbook:.6g}")
    return table


def draw(path: Path, regression: tuple, fits: dict[str, Fit], exact: Exact, tumours: tuple, gp: Any) -> None:
    """Draw the regression, the ELBO by step, and the map of probabilities."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.size": 12.0, "axes.titlesize": 13.0})
    figure, (top, middle, bottom) = plt.subplots(3, 1, figsize=(7.0, 11.0), layout="constrained")
    draw_regression(top, *regression, fits["whitened"], exact)
    draw_elbo(middle, fits, exact)
    draw_map(bottom, *tumours, gp)
    figure.savefig(path, dpi=115)


def draw_regression(ax: Any, x: np.ndarray, y: np.ndarray, fit: Fit, exact: Exact) -> None:
    """Data, both posterior means, and where the inducing points are."""
    ax.plot(x[:, 0], y, ".", color="0.75", ms=3)
    grid = fit.grid[:, 0]
    ax.fill_between(grid, fit.mean - 2 * fit.sd, fit.mean + 2 * fit.sd, color="C0", alpha=0.25)
    ax.plot(grid, fit.mean, "C0", lw=4, alpha=0.6)
    ax.plot(grid, exact.mean, "k--", lw=1.2)
    low = y.min() - 4
    ax.plot(fit.Z[:, 0], np.full(len(fit.Z), low), "^", color="C3", ms=8)
    ax.annotate(
        f"{len(fit.Z)} inducing points",
        (grid[-1], low),
        (0, 9),
        textcoords="offset points",
        color="C3",
        ha="right",
    )
    ax.annotate("sparse GP (mean ± 2 sd)", (0.03, 0.93), xycoords="axes fraction", color="C0", va="top")
    ax.annotate("exact GP (dashed)", (0.03, 0.85), xycoords="axes fraction", va="top")
    ax.set(xlabel="income per person, 2005 dollars", ylabel="life expectancy less its mean, years")
    ticks = [300, 1_000, 3_000, 10_000, 30_000, 100_000]
    ax.set_xticks(np.log10(ticks), [f"{tick:,d}" for tick in ticks])
    ax.set_title("Regression: sparse and exact GP")


def draw_elbo(ax: Any, fits: dict[str, Fit], exact: Exact) -> None:
    """How far the ELBO is below the largest log evidence, by step."""
    for kind, fit in fits.items():
        steps, values = fit.curve
        below = exact.evidence - values
        ax.semilogy(steps, below, color=COLOURS[kind], lw=2)
        beside = {"textcoords": "offset points", "ha": "right", "color": COLOURS[kind]}
        ax.annotate(kind, (steps[-1], below[-1]), (0, 9), **beside)
    ax.set(xlabel="step of Adam", ylabel="largest log evidence − ELBO, nats", xlim=(0.0, None))
    ax.set_title("ELBO of all the data: the distance from the log evidence")


def draw_map(ax: Any, x: np.ndarray, malignant: np.ndarray, gp: Any) -> None:
    """Probability of malignancy over the two measurements."""
    from support import svgp

    sides = [np.linspace(x[:, i].min() - 0.2, x[:, i].max() + 0.2, 60) for i in range(2)]
    rows = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    p = svgp.evaluated(gp, svgp.probability, rows)[0].reshape(60, 60)
    shades = ax.contourf(*sides, p, np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.6)
    ax.contour(*sides, p, [0.5], colors="k")
    for value, marker, colour, name in ((0, "o", "b", "benign"), (1, "x", "r", "malignant")):
        at = x[malignant == value]
        ax.plot(at[:, 0], at[:, 1], marker, color=colour, ms=4, alpha=0.7, label=name)
    Z = gp.Z.get_value()
    ax.plot(Z[:, 0], Z[:, 1], "^k", ms=7, label="inducing points")
    ax.legend(loc="upper right", fontsize=10)
    ax.figure.colorbar(shades, ax=ax, label="probability of malignant")
    ax.set(xlabel="radius, sds from the mean", ylabel="texture, sds from the mean")
    ax.set_title("Classification")
