"""Pictures of a diagnosis; every function returns the Axes that it drew on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kl_plugins.covariance.full import Dense
from kl_plugins.dispatch import kl
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.named import Snapshot
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.report.choice import chosen_coordinates, chosen_pair
from kl_plugins.variational.report.findings import Findings
from kl_plugins.variational.report.formatting import khat_against_threshold
from kl_plugins.variational.report.wording import PlotText

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"fit": "C0", "full rank": "C2", "posterior": "C1", "limit": "0.35"}
DARK_ORANGE = "#b35900"
"""Of letters in the colour of the posterior, legible on white."""
LEGEND_SHARE = 0.25
"""Room above what is drawn, as a share of its height, so that a legend covers nothing."""
LEVELS = (0.5, 0.95)
MOST_COORDINATES = 25
PAIR_CANDIDATES = 40
"""So many of the worst coordinates are paired with each other."""


def plot_kl(
    diagnosis: Findings,
    ax: Axes | None = None,
    most: int = MOST_COORDINATES,
    var_names: str | Sequence[str] | None = None,
) -> Axes:
    """Divergence of each coordinate from the posterior, sorted, both ways, with standard errors.

    Parameters
    ----------
    diagnosis : Diagnosis
    ax : matplotlib.axes.Axes, optional
    most : int
        How many coordinates to show, the worst ones.
    var_names : str or sequence of str, optional
        Variables or elements to show, by their names of the unconstrained space or the model's own:
        ``"tau"`` is ``"tau_log__"``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If it is not a diagnosis.
    ValueError
        If `most` is less than 1, or nothing is of such a name.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins.variational import diagnose, plot_kl
    >>> with pm.Model() as model:
    ...     x = pm.Normal("x", shape=2)
    >>> diagnosis = diagnose(([0.0, 0.0], [1.0, 0.5]), model=model, draws=3_000, random_seed=1)
    >>> [label.get_text() for label in plot_kl(diagnosis).get_yticklabels()]
    ['x[0]', 'x[1]']
    """
    _check_diagnosis(diagnosis, "plot_kl")
    if most < 1:
        raise ValueError(f"most is how many coordinates to show, at least 1, got {most!r}")
    ax = axes_or_new(ax)
    marginal = diagnosis.marginal_kl
    chosen = range(len(diagnosis.names)) if var_names is None else chosen_coordinates(diagnosis, var_names)
    places = np.array(chosen, dtype=int)
    order = places[np.argsort((marginal.kl_to + marginal.kl_from)[places])][-most:]
    height = np.arange(len(order))
    for text, value, error, colour, marker in (
        (PlotText.KL_TO, marginal.kl_to, marginal.kl_to_error, COLOURS["fit"], "o"),
        (PlotText.KL_FROM, marginal.kl_from, marginal.kl_from_error, COLOURS["posterior"], "D"),
    ):
        label, shown = text.told(), np.maximum(value[order], 1e-8)
        sure = np.isfinite(error[order])
        bar = error[order][sure]
        low = np.minimum(bar, 0.9 * shown[sure])  # a logarithmic axis has no room for more
        style: dict[str, Any] = {"fmt": marker, "color": colour, "ms": 6, "lw": 1.5, "capsize": 0}
        if sure.any():
            ax.errorbar(shown[sure], height[sure], xerr=[low, bar], label=label, **style)
        if not sure.all():
            unsure = PlotText.KL_ERROR_NOT_KNOWN.told(label=label)
            ax.plot(shown[~sure], height[~sure], marker, color=colour, mfc="w", ms=6, label=unsure, zorder=4)
    faulty = {discrepancy.name for discrepancy in diagnosis.verdict.discrepancies}
    ax.set_yticks(height, [diagnosis.names[i] for i in order])
    for tick, i in zip(ax.get_yticklabels(), order, strict=True):
        tick.set_fontweight("bold" if diagnosis.names[i] in faulty else "normal")
    ax.set_xscale("log")
    ax.set_ylim(-0.6, len(order) - 0.4 + LEGEND_SHARE * len(order))
    ax.grid(axis="y", color="0.9", lw=0.8)
    ax.set_axisbelow(True)
    hidden = len(places) - len(order)
    known = np.isfinite([marginal.kl_to[order], marginal.kl_from[order]]).any()
    ax.set_xlim(*_decades(*ax.dataLim.intervalx) if known else (1e-8, 1.0))
    title = PlotText.KL_TITLE_HIDDEN if hidden else PlotText.KL_TITLE
    title = title if known else PlotText.KL_NOT_KNOWN
    ax.set(xlabel=PlotText.KL_AXIS.told(), title=title.told(source=diagnosis.source, hidden=hidden))
    ax.legend(frameon=False, loc="upper left")
    return ax


def _decades(low: float, high: float) -> tuple[float, float]:
    """The powers of ten around an interval, so that a logarithmic axis has some to name."""
    return 10.0 ** np.floor(np.log10(low) - 0.1), 10.0 ** np.ceil(np.log10(high) + 0.1)


def plot_importance(diagnosis: Findings, ax: Axes | None = None) -> Axes:
    """The largest importance ratios with the Pareto distribution fitted to their tail.

    The logarithm of the ratio to their mean against the share of draws with a larger one. A
    straight rising tail is a Pareto tail, k̂ its slope; the smoothed ratios are its quantiles.

    Parameters
    ----------
    diagnosis : Diagnosis
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If it is not a diagnosis.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins.variational import diagnose, plot_importance
    >>> with pm.Model() as model:
    ...     x = pm.Normal("x", shape=2)
    >>> diagnosis = diagnose(([0.0, 0.0], [1.0, 0.5]), model=model, draws=3_000, random_seed=1)
    >>> plot_importance(diagnosis).get_ylabel()
    'log of p/q over its mean (nats)'
    """
    _check_diagnosis(diagnosis, "plot_importance")
    ax = axes_or_new(ax)
    importance = diagnosis.importance
    order = np.argsort(importance.log_ratios)[::-1]
    share = (np.arange(len(order)) + 0.5) / len(order)
    ratios = importance.log_ratios[order] - importance.log_evidence.value
    smoothed = importance.log_weights[order] + np.log(len(order))
    ax.plot(share, ratios, ".", color=COLOURS["fit"], ms=4, zorder=2)
    # Smoothing touches the tail alone; elsewhere both differ by one normalising constant.
    change = (smoothed - ratios)[np.isfinite(ratios)]
    offset = np.median(change[len(change) // 2 :])
    changed = np.flatnonzero(abs(change - offset) > 1e-9)
    if len(changed):
        tail = slice(0, int(changed[-1]) + 1)
        ax.plot(share[tail], smoothed[tail] - offset, color=COLOURS["posterior"], lw=2, zorder=3)
    ax.set_xscale("log")
    ax.invert_xaxis()
    # Draws where the posterior has next to nothing say nothing of the tail, and would flatten the picture.
    bottom, top = np.quantile(ratios[np.isfinite(ratios)], [0.02, 1.0])
    margin = 0.1 * max(top - bottom, 1e-8)
    ax.set_ylim(bottom - margin, top + margin)
    # Every curve has its name beside it: above the rising tail there is nothing, nor below it.
    named: dict[str, Any] = {"textcoords": "offset points", "annotation_clip": True}
    body = share[len(share) // 3], ratios[len(share) // 3]
    ax.annotate(PlotText.RATIO_DRAWS.told(), body, (8, -16), color=COLOURS["fit"], **named)
    if len(changed):
        middle = int(np.sqrt(changed[-1]))
        top_of_tail = share[middle], smoothed[middle] - offset
        style: dict[str, Any] = {"color": DARK_ORANGE, "ha": "right", "va": "bottom"}
        ax.annotate(PlotText.RATIO_TAIL.told(), top_of_tail, (-10, 4), **style, **named)
        start = share[changed[-1]], bottom
        ends = bottom - margin, ratios[changed[-1]]
        ax.plot([start[0]] * 2, ends, color=COLOURS["limit"], ls=":", lw=1.5)
        ax.annotate(PlotText.RATIO_START.told(), start, (6, 2), color=COLOURS["limit"], **named)
    title = PlotText.WEIGHTS_RELIABLE if importance.reliable else PlotText.WEIGHTS_UNRELIABLE
    ax.set(
        xlabel=PlotText.SHARE_AXIS.told(),
        ylabel=PlotText.RATIO_AXIS.told(),
        title=title.told(khat=khat_against_threshold(importance)),
    )
    return ax


def plot_pair(diagnosis: Findings, pair: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Ellipses (50 and 95 %) of the fit, the best full-rank Gaussian and the posterior for two coordinates.

    Parameters
    ----------
    diagnosis : Diagnosis
    pair : (str, str), optional
        Names of two coordinates, or of the elements of the model that they are of; by default those whose
        joint distribution the fit gets most wrong.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is only one coordinate, or `pair` is not the names of two.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins.variational import diagnose, plot_pair
    >>> with pm.Model() as model:
    ...     x = pm.Normal("x", shape=2)
    >>> diagnosis = diagnose(([0.0, 0.0], [1.0, 0.5]), model=model, draws=3_000, random_seed=1)
    >>> plot_pair(diagnosis).get_xlabel()
    'x[0]'
    """
    from matplotlib.lines import Line2D

    _check_diagnosis(diagnosis, "plot_pair")
    i, j = worst_pair(diagnosis) if pair is None else chosen_pair(diagnosis, pair)
    ax = axes_or_new(ax)
    posterior = diagnosis.posterior_gaussian()
    index = np.array([i, j])
    if diagnosis.reference is not None:
        cloud = diagnosis.reference.points
        cloud = cloud[:: max(1, len(cloud) // 1_500)][:, index]
        ax.plot(*cloud.T, ".", color=COLOURS["posterior"], ms=2, alpha=0.35, zorder=1)
    unsure = np.isinf(diagnosis.posterior.sd_error[index]).any()
    text = PlotText.PAIR_POSTERIOR_NOT_KNOWN if unsure else PlotText.PAIR_POSTERIOR
    shown = [("posterior", text.told(source=diagnosis.source), posterior)]
    if diagnosis.full_rank is not None:
        shown.append(("full rank", PlotText.PAIR_FULL_RANK.told(), diagnosis.full_rank.optimum))
    shown.append(("fit", PlotText.PAIR_FIT.told(), diagnosis.approximation))
    handles = []
    for kind, label, gaussian in shown:
        # Dashed and on top: where another ellipse coincides both are seen.
        style: dict[str, Any] = {
            "color": COLOURS[kind],
            "lw": 1.8,
            "ls": "--" if kind == "posterior" else "-",
        }
        for level in LEVELS:
            ax.plot(*_ellipse(gaussian, index, level), zorder=4 if kind == "posterior" else 3, **style)
        handles.append(Line2D([], [], label=label, **style))
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, top + 1.5 * LEGEND_SHARE * (top - bottom))
    ax.set(xlabel=diagnosis.names[i], ylabel=diagnosis.names[j], title=PlotText.PAIR_TITLE.told())
    ax.legend(handles=handles, frameon=False, loc="upper left")
    return ax


def drawn_side_by_side(findings: Findings, figsize: tuple[float, float]) -> NDArray[np.object_]:
    """Importance ratios, divergences per coordinate and the worst pair side by side; the array of Axes."""
    from matplotlib import pyplot as plt

    pairs = len(findings.names) > 1
    figure, axes = plt.subplots(1, 3 if pairs else 2, figsize=figsize, layout="constrained")
    plot_importance(findings, axes[0])
    plot_kl(findings, axes[1])
    if pairs:
        plot_pair(findings, ax=axes[2])
    figure.suptitle(findings.verdict.headline)
    drawn: NDArray[np.object_] = axes
    return drawn


def _check_diagnosis(given: object, plot: str) -> None:
    if not isinstance(given, Findings):
        raise TypeError(f"{plot} takes what diagnose(...) returns, got {type(given).__name__}")


def axes_or_new(ax: Axes | None) -> Axes:
    """The Axes given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(layout="constrained")[1]


def worst_pair(findings: Findings) -> tuple[int, int]:
    """The coordinates whose joint marginal has the largest Jeffreys divergence from the posterior's."""
    d = len(findings.names)
    if d < 2:
        raise ValueError("a pair needs two coordinates, the approximation has one")
    marginal = findings.marginal_kl
    candidates = np.sort(np.argsort(marginal.kl_to + marginal.kl_from)[::-1][:PAIR_CANDIDATES])
    rows, columns = np.triu_indices(len(candidates), k=1)
    pairs = np.stack([candidates[rows], candidates[columns]], axis=1)
    q, p = (_marginals(one, pairs) for one in (findings.approximation, findings.posterior_gaussian()))
    i, j = pairs[int(np.argmax(kl(q, p) + kl(p, q)))]
    return int(i), int(j)


def _marginals(gaussian: Snapshot, pairs: NDArray[np.intp]) -> MultivariateNormal:
    """The marginals of pairs of coordinates, a batch."""
    matrix = np.asarray(gaussian.covariance.matrix())
    return MultivariateNormal(
        np.asarray(gaussian.mean)[pairs], Dense(matrix[pairs[:, :, None], pairs[:, None, :]])
    )


def _ellipse(gaussian: Snapshot, index: NDArray[np.intp], level: float) -> FloatArray:
    """The curve that holds a share `level` of two coordinates' mass, shape (2, n)."""
    angle = np.linspace(0.0, 2.0 * np.pi, 200)
    values, vectors = np.linalg.eigh(np.asarray(gaussian.covariance.matrix())[np.ix_(index, index)])
    radius = np.sqrt(-2.0 * np.log(1.0 - level))
    circle = radius * np.stack([np.cos(angle), np.sin(angle)])
    root = vectors * np.sqrt(np.maximum(values, 0.0))  # of draws that do not vary it is flat
    curve: FloatArray = np.asarray(gaussian.mean)[index][:, None] + root @ circle
    return curve
