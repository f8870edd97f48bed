"""Gradient noise and fits of a Bayesian network, as tables, sentences and a figure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table
from support.tables import table_of

MONTE_CARLO, PATH, CLOSED, LOCAL = "Monte Carlo", "path derivative", "closed form", "local draws"
"""The four ways to estimate the ELBO and its gradient."""
GROUPS = ("means, layer 1", "means, layer 2", "log sds, layer 1", "log sds, layer 2")
"""The parts of the gradient whose noise is measured."""
PARTS = {"means": slice(0, 2), "log sds": slice(2, 4)}
"""The same for both layers together."""
OTHERS = (CLOSED, PATH, LOCAL)
"""The ways that are compared with the Monte Carlo KL term."""
BINS = 10
"""Of the predicted probabilities, for the calibration."""


class Ratio(NamedTuple):
    """A variance divided by another, and its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        """The value up to the first digit of the error, and that digit in brackets."""
        digits = max(-math.floor(math.log10(self.error)), 0) if 0.0 < self.error < math.inf else 3
        return f"{self.value:.{digits}f}({max(round(self.error * 10**digits), 1)})"


def ratio(squares: np.ndarray, reference: np.ndarray) -> Ratio:
    """Of the means of two rows of squared deviations at the same draws; error by the delta method."""
    value = squares.mean() / reference.mean()
    error = np.std(squares - value * reference, ddof=1) / reference.mean() / np.sqrt(len(squares))
    return Ratio(float(value), float(error))


def ratios(deviations: dict[str, np.ndarray], groups: slice = slice(None)) -> dict[str, Ratio]:
    """The gradient's variance, summed over the groups, beside that of the Monte Carlo KL."""
    sums = {way: squares[:, groups].sum(axis=1) for way, squares in deviations.items()}
    return {way: ratio(one, sums[MONTE_CARLO]) for way, one in sums.items() if way != MONTE_CARLO}


class Result(NamedTuple):
    """What came of a fit: ELBOs at draws, predicted probabilities of held-out images, nats per weight."""

    elbos: np.ndarray
    predicted: np.ndarray
    truth: np.ndarray
    kl: list[np.ndarray]

    @property
    def of_units(self) -> np.ndarray:
        """Nats of the weights into and out of each hidden unit."""
        return self.kl[0].sum(axis=0) + self.kl[1][1:].sum(axis=1)

    @property
    def of_pixels(self) -> np.ndarray:
        """Nats of the weights of each pixel."""
        return self.kl[0][1:].sum(axis=1).reshape(8, 8)


def noise_table(noise: dict[int, dict[str, np.ndarray]]) -> Table:
    """The variance of the gradient along the fit."""
    table = table_of(
        title=f"1. Variance of the gradient beside that of the {MONTE_CARLO} KL term (= 1)",
        caption=(
            "Sum of the variances of a group of parameters over draws, with the same minibatch, at the "
            f"parameters that the fit by the {CLOSED} had after that iteration. In brackets: standard error "
            "of the last digit. Path derivative: a Monte Carlo KL term, with the parameters in log q held "
            "constant. Local draws: the closed form, and draws of what arrives at each unit instead of draws "
            "of the weights."
        ),
    )
    table.add_column("gradient by")
    table.add_column("iteration", justify="right")
    for way in OTHERS:
        table.add_column(way, justify="right")
    for g, group in enumerate(GROUPS):
        for iteration, deviations in noise.items():
            found = ratios(deviations, slice(g, g + 1))
            first = group if iteration == min(noise) else ""
            table.add_row(first, f"{iteration:,d}", *[str(found[way]) for way in OTHERS])
        table.add_section()
    return table


def whole_table(kinds: dict[str, dict[str, np.ndarray]]) -> Table:
    """The variance at the end of the fit, by what is drawn anew."""
    table = table_of(
        title="2. The same at the end of the fit, by the images that the gradient is computed from",
        caption="Both layers together.",
    )
    table.add_column("images")
    table.add_column("gradient by")
    for way in OTHERS:
        table.add_column(way, justify="right")
    for kind, deviations in kinds.items():
        for name, groups in PARTS.items():
            found = ratios(deviations, groups)
            table.add_row(kind if name == "means" else "", name, *[str(found[way]) for way in OTHERS])
    return table


def result_table(results: dict[tuple[str, str], Result], others: dict[str, np.ndarray]) -> Table:
    """What came of the fits, beside other classifiers: their predicted probabilities."""
    table = table_of(
        title="3. What comes of it",
        caption=(
            "ELBO: after the last iteration, from all images. KL: of the weights of layers 1 and 2 from their "
            "prior. Log score: mean log probability of the right digit of held-out images. All in nats. "
            f"Error of calibration: expected calibration error, {BINS} bins. Below: scikit-learn, without a "
            "posterior; the network is of the same size."
        ),
    )
    table.add_column("prior, gradient by")
    for column in ("ELBO", "KL 1", "KL 2", "log score", "right", "error of\ncalibration"):
        table.add_column(column, justify="right")
    rows = [(", ".join(key), one.predicted, one) for key, one in results.items()]
    truth = rows[0][2].truth
    for name, predicted, one in [*rows, *[(*other, None) for other in others.items()]]:
        cells = [str(mean(one.elbos)), *[f"{layer.sum():.0f}" for layer in one.kl]] if one else [""] * 3
        right = predicted.argmax(axis=1) == truth
        score = mean(log_scores(predicted, truth))
        table.add_row(name, *cells, str(score), f"{right.mean():.1%}", f"{calibration(predicted, truth):.3f}")
    return table


def mean(values: np.ndarray) -> Ratio:
    """With its standard error."""
    return Ratio(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def log_scores(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Log probabilities of what was right."""
    return np.log(predicted[np.arange(len(truth)), truth])


def calibration(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Expected calibration error: how far sureness and hit rate are apart, on average over bins."""
    sure, right = predicted.max(axis=1), predicted.argmax(axis=1) == truth
    bins = np.minimum((BINS * sure).astype(int), BINS - 1)
    return float(sum(abs((sure - right)[bins == b].sum()) for b in range(BINS)) / len(truth))


def sentences(
    noise: dict[int, dict[str, np.ndarray]],
    kinds: dict[str, dict[str, np.ndarray]],
    results: dict[tuple[str, str], Result],
) -> list[str]:
    """What the tables say."""
    found = [ratios(deviations, slice(g, g + 1)) for deviations in noise.values() for g in range(len(GROUPS))]
    last = [ratios(noise[max(noise)], groups) for groups in PARTS.values()]
    closed, local = [[one[way].value for one in found] for way in (CLOSED, LOCAL)]
    first = [ratios(noise[min(noise)], groups)[PATH].value for groups in PARTS.values()]
    whole = [ratios(list(kinds.values())[-1], groups) for groups in PARTS.values()]
    said = [
        f"The {CLOSED} alone changes little: {min(closed):.2f} to {max(closed):.2f} times the variance of the "
        f"{MONTE_CARLO} term with a minibatch, {whole[0][CLOSED].value:.2f} (means) and "
        f"{whole[1][CLOSED].value:.2f} (log sds) with all images at the end.",
        f"The {PATH} has {first[0]:.1f} (means) and {first[1]:.1f} (log sds) times the variance at the start, "
        f"{last[0][PATH].value:.2f} and {last[1][PATH].value:.2f} times at the end.",
        f"With {LOCAL}, which need the closed form, it is {min(local):.3f} to {max(local):.2f} times.",
    ]
    normal = {way: mean(one.elbos) for (prior, way), one in results.items() if prior == "normal"}
    said.append(
        "ELBO of the fits under the normal prior: "
        + ", ".join(f"{one.value:.0f} ({way})" for way, one in normal.items())
        + " nats."
    )
    used = {prior: (one.of_units > 1.0).sum() for (prior, way), one in results.items() if way == LOCAL}
    said.append(
        "Hidden units whose weights are more than 1 nat from their prior: "
        + ", ".join(f"{count} ({prior} prior)" for prior, count in used.items())
        + f" of {len(results['normal', LOCAL].of_units)}."
    )
    return said


def draw(path: Path, noise: dict[int, dict[str, np.ndarray]], results: dict[tuple[str, str], Result]) -> None:
    """Draw the variances along the fit, and how many nats pixels and hidden units take."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.size": 12.0, "axes.titlesize": 13.0})
    figure = plt.figure(figsize=(7.0, 8.0), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(1.15, 1.0))
    top = figure.add_subplot(grid[0, :])
    draw_noise(top, noise)
    draw_pixels(figure.add_subplot(grid[1, 0]), results["normal", LOCAL])
    draw_units(figure.add_subplot(grid[1, 1]), {prior: one for (prior, way), one in results.items() if way == LOCAL})
    figure.savefig(path, dpi=115)


def draw_noise(axes: Any, noise: dict[int, dict[str, np.ndarray]]) -> None:
    """Variances beside those of the Monte Carlo term, on a logarithmic scale; one place for each look."""
    places = range(len(noise))
    for i, way in enumerate(OTHERS):
        for name, groups in PARTS.items():
            found = [ratios(deviations, groups)[way] for deviations in noise.values()]
            style = "o-" if name == "means" else "s--"
            values, errors = zip(*found, strict=True)
            axes.errorbar(places, values, errors, fmt=style, color=f"C{i}", ms=5)
            axes.annotate(f"{way},\n{name}", (places[-1], values[-1]), (8, 0), textcoords="offset points", color=f"C{i}")
    axes.axhline(1.0, color="0.35", lw=0.8)
    axes.set_yscale("log")
    axes.set_xticks(places, [f"{t:,d}" for t in noise])
    axes.set(xlabel="iteration of the fit", ylabel="variance / that of Monte Carlo")


def draw_pixels(axes: Any, result: Result) -> None:
    """What the network has learnt about each pixel."""
    image = axes.imshow(result.of_pixels, cmap="viridis", vmin=0.0)
    axes.set(xticks=[], yticks=[], title="KL of each pixel's weights")
    axes.figure.colorbar(image, ax=axes, label="nats", shrink=0.85)


def draw_units(axes: Any, results: dict[str, Result]) -> None:
    """KL of hidden units, the largest first."""
    for i, (prior, one) in enumerate(results.items()):
        nats = np.sort(one.of_units)[::-1]
        axes.plot(np.arange(1, len(nats) + 1), nats, "oD"[i] + "-", color=f"C{3 + i}", ms=4)
        axes.annotate(f"{prior} prior", (3 + 8 * i, nats[2 + 8 * i]), (8, 4), textcoords="offset points", color=f"C{3 + i}")
    axes.set(xlabel="hidden units, sorted", ylabel="nats", title="KL of each unit's weights", ylim=(0.0, None))
