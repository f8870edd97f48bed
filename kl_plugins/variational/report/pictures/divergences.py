"""The picture of divergences, coordinate by coordinate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.variational.report.choice import chosen_coordinates
from kl_plugins.variational.report.findings import Findings
from kl_plugins.variational.report.pictures.canvas import COLOURS, LEGEND_SHARE, axes_or_new, check_diagnosis
from kl_plugins.variational.report.wording import PlotText

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_COORDINATES = 25
APART = 0.14
"""Of a row's height: from its middle to either direction, so that both are seen where they agree."""


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
        If it is not a diagnosis, or `var_names` are no names.
    ValueError
        If `most` is less than 1, `var_names` is empty, or nothing is of such a name.

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
    check_diagnosis(diagnosis, "plot_kl")
    if most < 1:
        raise ValueError(f"most is how many coordinates to show, at least 1, got {most!r}")
    ax = axes_or_new(ax)
    marginal = diagnosis.marginal_kl
    chosen = range(len(diagnosis.names)) if var_names is None else chosen_coordinates(diagnosis, var_names)
    places = np.array(chosen, dtype=int)
    order = places[np.argsort((marginal.kl_to + marginal.kl_from)[places])][-most:]
    height = np.arange(len(order))
    for text, value, error, colour, marker, place in (
        (PlotText.KL_TO, marginal.kl_to, marginal.kl_to_error, COLOURS["fit"], "o", height + APART),
        (
            PlotText.KL_FROM,
            marginal.kl_from,
            marginal.kl_from_error,
            COLOURS["posterior"],
            "D",
            height - APART,
        ),
    ):
        label, shown = text.told(), np.maximum(value[order], 1e-8)
        sure = np.isfinite(error[order])
        bar = error[order][sure]
        low = np.minimum(bar, 0.9 * shown[sure])  # a logarithmic axis has no room for more
        style: dict[str, Any] = {"fmt": marker, "color": colour, "ms": 6, "lw": 1.5, "capsize": 0}
        if sure.any():
            ax.errorbar(shown[sure], place[sure], xerr=[low, bar], label=label, **style)
        if not sure.all():
            unsure = PlotText.KL_ERROR_NOT_KNOWN.told(label=label)
            ax.plot(shown[~sure], place[~sure], marker, color=colour, mfc="w", ms=6, label=unsure, zorder=4)
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
