"""Two fits that were watched, as tables, sentences and a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table
from support.tables import number, table_of
from support.watching import Stop


class Fit(NamedTuple):
    """A fit that was watched: the monitor, single iterates, and where each rule would have stopped."""

    monitor: Any
    iterates: dict[int, Any]
    stop: Stop | None
    pymc_stop: Stop | None
    iterations: int

    @property
    def result(self) -> Any:
        """The average that the monitor stopped with; without a stop the last iterate."""
        return self.stop.approximation if self.stop else self.iterates[max(self.iterates)]

    @property
    def to_optimum(self) -> float:
        """Jeffreys divergence of `result` from the best of the family, as `convergence_table` has it."""
        return self.monitor.history[-1].to_optimum if self.stop else self.distances()[max(self.iterates)]

    def distances(self) -> dict[int, float]:
        """Jeffreys divergence of the single iterates from the best of the family, in nats."""
        from kl_plugins import jeffreys

        best = self.monitor.distance.optimum
        return {iteration: float(jeffreys(one, best)) for iteration, one in sorted(self.iterates.items())}


def convergence_table(fits: dict[str, Fit], tolerance: float) -> Table:
    """How far single iterates and their averages were from the optimum."""
    table = table_of(
        title="1. Has ADVI converged? Distance from the best of its family, in nats",
        caption=(
            "Distance: Jeffreys divergence, KL(p‖q) + KL(q‖p), from the Gaussian of the family "
            "(mean-field or full-rank) with the largest ELBO. Iterate: the parameters after that iteration. "
            "Average: of the last half of the iterates, what KLConvergence stops with; its distance is given "
            "with the error of that Gaussian on top. "
            f"Up to {tolerance:g} nats counts as converged."
        ),
    )
    table.add_column("iteration", justify="right")
    rows: dict[int, list[str]] = {}
    for place, (label, one) in enumerate(fits.items()):
        table.add_column(f"{label}\niterate", justify="right")
        table.add_column(f"{label}\naverage", justify="right")
        averages = {look.iteration: look.to_optimum for look in one.monitor.history}
        distances = one.distances()
        for iteration in sorted({*averages, max(distances)}):
            row = rows.setdefault(iteration, [""] * 2 * len(fits))
            row[2 * place] = number(distances[iteration])
            if iteration in averages:
                stopped = " stop" if one.stop and one.stop.iteration == iteration else ""
                row[2 * place + 1] = number(averages[iteration]) + stopped
    for iteration in sorted(rows):
        table.add_row(f"{iteration:,d}", *rows[iteration])
    return table


def other_rule(fits: dict[str, Fit]) -> str:
    """What PyMC's own stopping rule did, in a sentence."""
    stops = {label: one.pymc_stop for label, one in fits.items() if one.pymc_stop}
    stopped = " and ".join(f"{label} at iteration {stop.iteration:,d}" for label, stop in stops.items())
    last = max(one.iterations for one in fits.values())
    did = f"would have stopped {stopped}" if stopped else f"had stopped neither by iteration {last:,d}"
    return f"PyMC's own criterion, CheckParametersConvergence at its defaults, {did}."


def coefficient_table(fits: dict[str, Fit], diagnoses: dict[str, Any], names: list[str]) -> Table:
    """Means and standard deviations of both fits and of NUTS."""
    table = table_of(
        title="2. The coefficients: posterior mean ± standard deviation (sd)",
        caption="sd/NUTS: the fit's sd over that of NUTS. Below 1 the fit is too sure of itself.",
    )
    table.add_column("coefficient")
    table.add_column("NUTS", justify="right")
    for label in fits:
        table.add_column(label, justify="right")
        table.add_column("sd/NUTS", justify="right")
    truth = next(iter(diagnoses.values())).posterior
    for i, name in enumerate(names):
        row = [name, f"{truth.mean[i]:.2f} ± {truth.sd[i]:.2f}"]
        for one in fits.values():
            mean, sd = one.result.mean[i], one.result.std[i]
            row += [f"{mean:.2f} ± {sd:.2f}", f"{sd / truth.sd[i]:.2f}"]
        table.add_row(*row)
    return table


def trust_table(fits: dict[str, Fit], diagnoses: dict[str, Any], tolerance: float) -> Table:
    """What speaks for and against using each fit."""
    table = table_of(
        title="3. Can the fits be used in place of the posterior? (variational.diagnose)",
        caption=(
            "Distance: as in table 1. "
            "k̂: shape of the tail of the importance weights, as in ArviZ's PSIS-LOO. Effective sample size: "
            "what the weighted draws of the fit are worth. Errors and ratios: the worst of the coefficients."
        ),
    )
    table.add_column("", no_wrap=True)
    for label in diagnoses:
        table.add_column(label, justify="right")
    table.add_column("wanted", justify="right")
    importances = [one.importance for one in diagnoses.values()]
    columns = [one.summary() for one in diagnoses.values()]
    ratios = [(column["sd_ratio"].min(), column["sd_ratio"].max()) for column in columns]
    for name, wanted, values in (
        (
            "nats from the best of its family",
            f"≤ {tolerance:g}",
            [number(one.to_optimum) for one in fits.values()],
        ),
        ("KL(fit‖posterior), nats", "0", [f"{one.kl_to_posterior.value:.2g}" for one in diagnoses.values()]),
        ("Pareto k̂", f"≤ {importances[0].threshold:.1f}", [f"{one.k.value:.2f}" for one in importances]),
        (
            f"effective sample size of {importances[0].draws:,d}",
            "",
            [f"{one.ess:,.0f}" for one in importances],
        ),
        ("error of a mean, in posterior sds", "≤ 0.1", [f"{abs(one['shift']).max():.2f}" for one in columns]),
        ("sd/NUTS", "0.9 to 1.1", [f"{low:.2f} to {high:.2f}" for low, high in ratios]),
    ):
        table.add_row(name, *values, wanted)
    return table


def worst_sd(diagnosis: Any) -> tuple[float, int]:
    """By what share the worst standard deviation is off (negative: too small), and which it is."""
    ratios = diagnosis.summary()["sd_ratio"].to_numpy()
    worst = int(np.argmax(abs(np.log(ratios))))
    return float(ratios[worst]) - 1.0, worst


def verdict(label: str, one: Fit, diagnosis: Any, names: list[str]) -> str:
    """Whether a fit has converged and can be used, in a sentence."""
    off, worst = worst_sd(diagnosis)
    size = f"{abs(off):.0%} too {'small' if off < 0.0 else 'large'} ({names[worst]})"
    if not one.monitor.converged:
        return (
            f"{label} ADVI has not converged within {one.iterations:,d} iterations and should not be used, "
            f"as a standard deviation is {size}: fit longer, or use kl_plugins.variational.fit."
        )
    advice = diagnosis.verdict.advice.rstrip(".")
    said = {
        "trust": f"and can be used as it is: no standard deviation is off by more than {abs(off):.0%}",
        "resample": f"and can be used after importance resampling: by itself a standard deviation is {size}",
        "reject": f"but should not be used: a standard deviation is {size}; {advice[:1].lower()}{advice[1:]}",
    }[diagnosis.verdict.level]
    return f"{label} ADVI has converged, {said}."


def draw(path: Path, fits: dict[str, Fit], diagnoses: dict[str, Any], names: list[str]) -> None:
    """Draw distances from the optimum against iterations, and both fits' standard deviations beside NUTS."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from kl_plugins.variational import plot_convergence

    plt.rcParams.update({"font.size": 13.0, "axes.titlesize": 14.0})
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(7.0, 8.0), height_ratios=(1.2, 1.0), layout="constrained"
    )

    for i, one in enumerate(fits.values()):
        distances = one.distances()
        top.plot(distances.keys(), distances.values(), color=f"C{i}", lw=0.8, alpha=0.6)
        if one.pymc_stop is not None:
            place = one.pymc_stop.iteration, distances[one.pymc_stop.iteration]
            top.plot(*place, "X", color=f"C{i}", ms=11, mec="k")
            top.annotate("PyMC's criterion", place, (0, 12), textcoords="offset points", ha="center")
    plot_convergence({label: one.monitor for label, one in fits.items()}, top)
    text = "thin: single iterates"
    if not any(one.pymc_stop for one in fits.values()):
        last = max(one.iterations for one in fits.values())
        text += f".\nPyMC's own criterion\nhad stopped neither\nby {last:,d}"
    top.annotate(text, (0.985, 0.89), xycoords="axes fraction", ha="right", va="top", color="0.35")
    top.set_title(
        "KLConvergence averages the iterates (points),\nand stops when the average is at the optimum"
    )

    truth, rows = next(iter(diagnoses.values())).posterior, np.arange(len(names))
    labelled = int(np.argmax(np.ptp([one.result.std for one in fits.values()], axis=0)))  # there is room
    bottom.barh(rows, truth.sd, height=0.62, color="0.87")
    bottom.annotate(
        "NUTS", (0.0, rows[labelled]), (5, 0), textcoords="offset points", va="center", color="0.35"
    )
    beside = {"textcoords": "offset points", "ha": "right", "va": "center", "fontweight": "bold"}
    for i, (label, one) in enumerate(fits.items()):
        bottom.plot(one.result.std, rows, "oD"[i], color=f"C{i}", ms=9 - i)
        bottom.annotate(label, (one.result.std[labelled], rows[labelled]), (-8, 0), color=f"C{i}", **beside)
    bottom.set_yticks(rows, names)
    bottom.invert_yaxis()
    bottom.set(xlabel="posterior standard deviation", xlim=(0.0, None))
    off = [f"{abs(worst_sd(one)[0]):.0%} ({label})" for label, one in diagnoses.items()]
    bottom.set_title(f"Standard deviations differ from those of NUTS\nby up to {' and '.join(off)}")
    figure.savefig(path, dpi=115)
