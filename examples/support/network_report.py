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
USED = 10.0
"""Nats of a hidden unit that counts as in use."""
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


class Found(NamedTuple):
    """What was measured.

    Attributes
    ----------
    noise : dict
        By the iteration, and then by the way: squared deviations of gradients from their mean, one row per
        draw, one column per group.
    images : dict
        The same at the end, by the images that the gradient is computed from.
    results : dict
        By prior and way, one result per start.
    """

    noise: dict[int, dict[str, np.ndarray]]
    images: dict[str, dict[str, np.ndarray]]
    results: dict[tuple[str, str], list[Result]]


def noise_table(found: Found) -> Table:
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
        for iteration, deviations in found.noise.items():
            beside = ratios(deviations, slice(g, g + 1))
            first = group if iteration == min(found.noise) else ""
            table.add_row(first, f"{iteration:,d}", *[str(beside[way]) for way in OTHERS])
        table.add_section()
    return table


def whole_table(found: Found) -> Table:
    """The variance at the end of the fit, by what is drawn anew."""
    table = table_of(
        title="2. The same at the end of the fit, by the images that gradients come from",
        caption="Both layers together.",
    )
    table.add_column("images")
    table.add_column("gradient by")
    for way in OTHERS:
        table.add_column(way, justify="right")
    for kind, deviations in found.images.items():
        for name, groups in PARTS.items():
            beside = ratios(deviations, groups)
            table.add_row(kind if name == "means" else "", name, *[str(beside[way]) for way in OTHERS])
    return table


def result_table(found: Found, others: dict[str, np.ndarray]) -> Table:
    """What came of the fits, beside other classifiers: their predicted probabilities."""
    table = table_of(
        title="3. What comes of it",
        caption=(
            "Normal prior, but for one row, which is by local draws. Means over the starts. ELBO: after the "
            "last iteration, from all images; range: over the starts. KL: of the weights of layers 1 and 2 "
            "from their prior. "
            "Log score: mean log probability of the right digit of held-out images. All in nats. "
            f"Error: expected calibration error, {BINS} bins. The last two are scikit-learn's, "
            "without a posterior; point weights: a network of the same size."
        ),
    )
    table.add_column("gradient by", no_wrap=True)
    for column in ("ELBO", "range", "KL 1 + 2", "log\nscore", "right", "error"):
        table.add_column(column, justify="right", no_wrap=True)
    for (prior, way), fits in found.results.items():
        elbos = [one.elbos.mean() for one in fits]
        nats = "+".join(f"{np.mean([one.kl[i].sum() for one in fits]):.0f}" for i in range(2))
        scores = held_out([one.predicted for one in fits], fits[0].truth)
        name = way if prior == "normal" else f"{prior} prior"
        spread = f"{min(elbos):.0f}…{max(elbos):.0f}" if len(fits) > 1 else ""
        table.add_row(name, f"{np.mean(elbos):.0f}", spread, nats, *scores)
    truth = fits[0].truth
    for name, predicted in others.items():
        table.add_row(name, "", "", "", *held_out([predicted], truth))
    return table


def held_out(predicted: list[np.ndarray], truth: np.ndarray) -> list[str]:
    """Log score, share of right answers and calibration, each a mean over fits."""
    score = mean(np.mean([np.log(p[np.arange(len(truth)), truth]) for p in predicted], axis=0))
    right = np.mean([p.argmax(axis=1) == truth for p in predicted])
    return [str(score), f"{right:.1%}", f"{np.mean([calibration(p, truth) for p in predicted]):.3f}"]


def mean(values: np.ndarray) -> Ratio:
    """With its standard error."""
    return Ratio(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def calibration(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Expected calibration error: how far sureness and hit rate are apart, on average over bins."""
    sure, right = predicted.max(axis=1), predicted.argmax(axis=1) == truth
    bins = np.minimum((BINS * sure).astype(int), BINS - 1)
    return float(sum(abs((sure - right)[bins == b].sum()) for b in range(BINS)) / len(truth))


def sentences(found: Found) -> list[str]:
    """What the tables say."""
    noise = found.noise
    all_of_them = [ratios(noise[t], slice(g, g + 1)) for t in noise for g in range(len(GROUPS))]
    last = [ratios(noise[max(noise)], groups) for groups in PARTS.values()]
    closed, local = [[one[way].value for one in all_of_them] for way in (CLOSED, LOCAL)]
    first = [ratios(noise[min(noise)], groups)[PATH].value for groups in PARTS.values()]
    whole = [ratios(list(found.images.values())[-1], groups) for groups in PARTS.values()]
    said = [
        f"The {CLOSED} alone: {min(closed):.2f} to {max(closed):.2f} times the variance of the {MONTE_CARLO} "
        f"term with a minibatch; {whole[0][CLOSED].value:.2f} (by means) and {whole[1][CLOSED].value:.2f} "
        "(by log sds) with all images at the end.",
        f"The {PATH}: {first[0]:.1f} (by means) and {first[1]:.1f} (by log sds) times the variance at the "
        f"start, {last[0][PATH].value:.2f} and {last[1][PATH].value:.2f} times at the end.",
        f"The closed form with {LOCAL}: {min(local):.3f} to {max(local):.2f} times.",
    ]
    elbos = {
        way: [one.elbos.mean() for one in fits]
        for (prior, way), fits in found.results.items()
        if prior == "normal"
    }
    ranges = [f"{range_of(elbo)} ({way})" for way, elbo in elbos.items()]
    said.append(f"ELBO under the normal prior, by the start, in nats: {', '.join(ranges)}.")
    for (prior, way), fits in found.results.items():
        if way == LOCAL:
            used = (best(fits).of_units > USED).sum()
            said.append(
                f"Under the {prior} prior {used} of {len(fits[0].of_units)} hidden units are in use: their "
                f"weights are more than {USED:.0f} nats from the prior."
            )
    return said


def range_of(values: list[float]) -> str:
    """From the smallest to the largest; one number if that is all."""
    ends = dict.fromkeys((f"{min(values):.0f}", f"{max(values):.0f}"))
    return " to ".join(ends)


def best(fits: list[Result]) -> Result:
    """The fit with the largest ELBO."""
    return max(fits, key=lambda one: one.elbos.mean())


def draw(path: Path, found: Found) -> None:
    """Write the figure."""
    import matplotlib

    matplotlib.use("Agg")
    figure_of(found).savefig(path, dpi=115)


def figure_of(found: Found) -> Any:
    """The variances along the fit, and how many nats pixels and hidden units take."""
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.size": 13.0, "axes.titlesize": 13.0})
    figure = plt.figure(figsize=(7.0, 8.0), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(1.15, 1.0))
    shown = {prior: best(fits) for (prior, way), fits in found.results.items() if way == LOCAL}
    draw_noise(figure.add_subplot(grid[0, :]), found.noise)
    draw_pixels(figure.add_subplot(grid[1, 0]), shown["normal"])
    draw_units(figure.add_subplot(grid[1, 1]), shown)
    return figure


def draw_noise(axes: Any, noise: dict[int, dict[str, np.ndarray]]) -> None:
    """Variances beside those of the Monte Carlo term, on a logarithmic scale; one place for each look."""
    places = range(len(noise))
    label = {"textcoords": "offset points", "fontweight": "bold"}
    for i, way in enumerate(OTHERS):
        for name, groups in PARTS.items():
            found = [ratios(deviations, groups)[way] for deviations in noise.values()]
            values, errors = zip(*found, strict=True)
            style = {"means": "o-", "log sds": "s--"}[name]
            axes.errorbar(places, values, errors, fmt=style, color=f"C{i}", ms=5)
            if way == LOCAL:
                where = (places[-1], values[-1]), (0, 14)
                axes.annotate(f"{way}: {name}", *where, color=f"C{i}", ha="right", **label)
        if way == PATH:
            axes.annotate(way, (0.1, found[0].value), (14, 14), color=f"C{i}", **label)
        if way == CLOSED:
            axes.annotate(
                f"{way} ({MONTE_CARLO}: 1)", (places[-1], 1.0), (0, 8), color=f"C{i}", ha="right", **label
            )
    axes.axhline(1.0, color="0.35", lw=0.8, zorder=0)
    axes.set_yscale("log")
    axes.set_xticks(places, [f"{t:,d}" for t in noise])
    axes.set(xlabel="iteration of the fit", ylabel="variance beside Monte Carlo's")
    axes.set_title("Variance of the gradient (solid: by means, dashed: by log sds)")


def draw_pixels(axes: Any, result: Result) -> None:
    """What the network has learnt about each pixel."""
    image = axes.imshow(result.of_pixels, cmap="viridis", vmin=0.0)
    axes.set(xticks=[], yticks=[], title="KL of the weights\nof each pixel (nats)")
    axes.figure.colorbar(image, ax=axes, location="bottom", shrink=0.85, pad=0.03)


def draw_units(axes: Any, results: dict[str, Result]) -> None:
    """KL of hidden units, the largest first."""
    for i, (prior, one) in enumerate(results.items()):
        nats = np.sort(one.of_units)[::-1]
        axes.plot(np.arange(1, len(nats) + 1), nats, "oD"[i] + "-", color=f"C{3 + i}", ms=4)
        place = (0.97, 0.9 - 0.12 * i)
        axes.annotate(
            f"{prior} prior",
            place,
            xycoords="axes fraction",
            ha="right",
            color=f"C{3 + i}",
            fontweight="bold",
        )
    axes.set(xlabel="hidden units, sorted", title="KL of the weights\nof each unit (nats)", ylim=(0.0, None))
