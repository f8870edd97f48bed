"""What `pc_priors.py` prints and draws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table
from support.tables import number, table_of

NAMES = {
    "sd_intercept": "sd of intercepts, ms",
    "sd_slope": "sd of slopes, ms/day",
    "rho": "correlation ρ",
    "nu": "degrees of freedom ν",
}
STATEMENTS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "sd of intercepts > 100 ms": ("sd_intercept", lambda x: x > 100.0),
    "sd of slopes > 20 ms/day": ("sd_slope", lambda x: x > 20.0),
    "|ρ| > 0.8": ("rho", lambda x: abs(x) > 0.8),
    "ν < 3 (very heavy tails)": ("nu", lambda x: x < 3.0),
    "sd of slopes < 1 ms/day (all but alike)": ("sd_slope", lambda x: x < 1.0),
    "|ρ| < 0.1 (all but uncorrelated)": ("rho", lambda x: abs(x) < 0.1),
    "ν > 30 (all but normal)": ("nu", lambda x: x > 30.0),
}
"""What a prior is asked: the first four are far from the simpler models, the others next to them."""
LEVELS = 0.05, 0.5, 0.95


class Posterior(NamedTuple):
    """Draws of a posterior, and whether they have converged."""

    draws: dict[str, np.ndarray]
    r_hat: float
    """The largest of all variables."""
    divergences: int

    @classmethod
    def of(cls, trace: Any) -> Posterior:
        """From what ``pm.sample`` returns."""
        import arviz as az

        draws = {name: np.ravel(trace.posterior[name].to_numpy()) for name in NAMES}
        rhats = az.rhat(trace)
        rhats = getattr(rhats, "dataset", rhats)  # a node of a tree, or a data set, by ArviZ's version
        largest = max(float(rhats[name].max()) for name in rhats.data_vars)
        return cls(draws, largest, int(trace.sample_stats["diverging"].sum()))

    def quantiles(self, name: str) -> np.ndarray:
        return np.quantile(self.draws[name], LEVELS)


Fits = dict[int, dict[str, Posterior]]
"""By the number of people and the set of priors."""


def prior_table(draws: dict[str, dict[str, np.ndarray]]) -> Table:
    """What the priors say before any data."""
    table = table_of(
        "1. Before the data: what the priors say",
        f"Shares of {len(next(iter(draws['usual'].values()))):,d} draws of each prior.",
    )
    table.add_column("the prior probability of ...", no_wrap=True)
    for priors in draws:
        table.add_column(priors, justify="right")
    for statement, (name, holds) in STATEMENTS.items():
        table.add_row(statement, *[f"{holds(one[name]).mean():.1%}" for one in draws.values()])
    return table


def posterior_table(fits: Fits) -> Table:
    """Medians and intervals under both sets of priors, and what the penalised ones change."""
    table = table_of(
        "2. After the data: posterior median [90 % interval]",
        "Change: of the median, in sds of the usual posterior, and of the interval's width. R-hat: the "
        "largest of all variables (wanted: ≤ 1.01). Divergent: transitions of NUTS (wanted: 0).",
    )
    table.add_column("", no_wrap=True)
    table.add_column("priors")
    for size in fits:
        table.add_column(f"{size} people", justify="right", no_wrap=True)
    for name, label in NAMES.items():
        for priors, first in (("usual", label), ("penalised", "")):
            table.add_row(first, priors, *[_interval(pair[priors].quantiles(name)) for pair in fits.values()])
        changes = [change(pair, name) for pair in fits.values()]
        cells = [f"{_signed(shift, '.2f')} sd, width {_signed(width, '.0%')}" for shift, width in changes]
        table.add_row("", "change", *cells, end_section=True)
    for priors, first in (("usual", "R-hat, divergent"), ("penalised", "")):
        fit = [f"{pair[priors].r_hat:.3f}, {pair[priors].divergences}" for pair in fits.values()]
        table.add_row(first, priors, *fit)
    return table


def change(pair: dict[str, Posterior], name: str) -> tuple[float, float]:
    """By how much the penalised priors move the median, in sds, and widen the interval, as a share."""
    usual, penalised = pair["usual"].quantiles(name), pair["penalised"].quantiles(name)
    shift = (penalised[1] - usual[1]) / np.std(pair["usual"].draws[name])
    return float(shift), float(np.ptp(penalised) / np.ptp(usual) - 1.0)


def moved(fits: Fits) -> str:
    """What the priors change most, a sentence for each number of people."""
    said = []
    for size, pair in fits.items():
        changes = {label.split(",")[0]: change(pair, name) for name, label in NAMES.items()}
        shifted = max(changes, key=lambda label: abs(changes[label][0]))
        widened = max(changes, key=lambda label: abs(changes[label][1]))
        said.append(
            f"{size} people: priors move a median by up to {abs(changes[shifted][0]):.2f} sd ({shifted}), "
            f"and the width of an interval by up to {_signed(changes[widened][1], '.0%')} ({widened})."
        )
    return "\n".join(said)


def _signed(value: float, digits: str) -> str:
    """With a sign, and a minus that is one."""
    return f"{value:+{digits}}".replace("-", "−")


def _interval(quantiles: np.ndarray) -> str:
    low, middle, high = [number(q) if q >= 0.0 else f"−{number(-q)}" for q in quantiles]
    return f"{middle} [{low}, {high}]"


def draw(path: Path, fits: Fits, density: Callable[[str, str, np.ndarray], np.ndarray]) -> None:
    """Draw priors and posteriors of three parameters, a column for each number of people.

    `density` is that of a prior, by the set, the parameter and an array of its values.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.size": 12.0, "axes.titlesize": 13.0})
    shown = {
        "sd_slope": np.linspace(0.0, 25.0, 51),
        "rho": np.linspace(-1.0, 1.0, 41),
        "nu": np.geomspace(0.8, 100.0, 61),
    }
    colours = {"usual": "C1", "penalised": "C0"}
    figure, axes = plt.subplots(
        3, len(fits), figsize=(7.0, 8.5), sharex="row", sharey="row", layout="constrained", squeeze=False
    )
    for row, (name, edges) in zip(axes, shown.items(), strict=True):
        log = name == "nu"
        fine = (np.geomspace if log else np.linspace)(edges[0], edges[-1], 402)[1:-1]
        for priors, colour in colours.items():
            prior = density(priors, name, fine) * (fine if log else 1.0)
            for axis, pair in zip(row, fits.values(), strict=True):
                drawn = pair[priors].draws[name]
                heights = (
                    np.histogram(drawn, edges)[0] / len(drawn) / np.diff(np.log(edges) if log else edges)
                )
                axis.stairs(heights, edges, fill=True, color=colour, alpha=0.3)
                axis.plot(fine, prior, "--", color=colour, lw=2.0)
                axis.set_xlabel(NAMES[name])
        row[0].set_ylabel("density of log ν" if log else "density")
        row[0].set_ylim(0.0, None)
        row[0].set_yticks([])
        if log:
            row[0].set_xscale("log")
            row[0].set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    for axis, size in zip(axes[0], fits, strict=True):
        axis.set_title(f"{size} people")
    for i, (text, colour) in enumerate(
        (("usual", "C1"), ("penalised", "C0"), ("dashed: prior", "0.35"), ("area: posterior", "0.35"))
    ):
        place = {"xycoords": "axes fraction", "ha": "right", "va": "top"}
        axes[0, 0].annotate(text, (0.97, 0.96 - 0.12 * i), color=colour, **place)
    figure.savefig(path, dpi=115)
    plt.close(figure)
