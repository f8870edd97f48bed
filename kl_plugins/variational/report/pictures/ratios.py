"""The picture of importance ratios and of their tail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.variational.report.findings import Findings
from kl_plugins.variational.report.formatting import khat_against_threshold
from kl_plugins.variational.report.pictures.canvas import COLOURS, axes_or_new, check_diagnosis
from kl_plugins.variational.report.wording import Finding, PlotText

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DARK_ORANGE = "#b35900"
"""Of letters in the colour of the posterior, legible on white."""
TITLES = {
    Finding.MASS_MISSED: PlotText.MASS_MISSED,
    Finding.MASS_MISSED_OF_NO_ACCOUNT: PlotText.MASS_MISSED,
    Finding.VARIANCES_HEAVY: PlotText.VARIANCES_HEAVY,
    Finding.WEIGHTED_WRONG: PlotText.WEIGHTED_WRONG,
    Finding.WEIGHTED_NOT_KNOWN: PlotText.WEIGHTED_NOT_KNOWN,
    Finding.RATIOS_HEAVY: PlotText.RATIOS_HEAVY,
    Finding.RATIOS_EVEN: PlotText.RATIOS_EVEN,
    Finding.RATIOS_BORDERLINE: PlotText.RATIOS_BORDERLINE,
    Finding.RATIOS_LIGHT: PlotText.RATIOS_LIGHT,
    Finding.RATIOS_EQUAL_INSIDE: PlotText.RATIOS_EQUAL,
    Finding.RATIOS_EQUAL: PlotText.RATIOS_EQUAL,
}
"""What the verdict found of the ratios, the worst first, as a title."""


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
    check_diagnosis(diagnosis, "plot_importance")
    ax = axes_or_new(ax)
    importance = diagnosis.importance
    order = np.argsort(importance.log_ratios)[::-1]
    share = (np.arange(len(order)) + 0.5) / len(order)
    ratios = importance.log_ratios[order] - importance.log_evidence.value
    smoothed = importance.log_weights[order] + np.log(len(order))
    ax.plot(share, ratios, ".", color=COLOURS["fit"], ms=4, zorder=2)
    # Smoothing touches the tail alone; elsewhere both differ by one normalising constant.
    finite = np.isfinite(ratios)
    change = np.subtract(smoothed, ratios, out=np.zeros_like(ratios), where=finite)[finite]
    offset = np.median(change[len(change) // 2 :])
    changed = np.flatnonzero(abs(change - offset) > 1e-9)
    if len(changed):
        tail = slice(0, int(changed[-1]) + 1)
        ax.plot(share[tail], smoothed[tail] - offset, color=COLOURS["posterior"], lw=2, zorder=3)
    ax.set_xscale("log")
    ax.invert_xaxis()
    # Draws where the posterior has next to nothing say nothing of the tail, and would flatten the picture.
    bottom, top = np.quantile(ratios[finite], [0.02, 1.0])
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
    title = next(text for finding, text in TITLES.items() if finding in diagnosis.verdict.findings)
    ax.set(
        xlabel=PlotText.SHARE_AXIS.told(),
        ylabel=PlotText.RATIO_AXIS.told(),
        title=title.told(khat=khat_against_threshold(importance)),
    )
    return ax
