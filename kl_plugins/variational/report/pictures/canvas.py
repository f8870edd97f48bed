"""What the pictures share: Axes, colours, room for a legend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kl_plugins.variational.report.findings import Findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"fit": "C0", "full rank": "C2", "posterior": "C1", "limit": "0.35"}
LEGEND_SHARE = 0.25
"""Room above what is drawn, as a share of its height, so that a legend covers nothing."""


def axes_or_new(ax: Axes | None) -> Axes:
    """The Axes given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(layout="constrained")[1]


def check_diagnosis(given: object, plot: str) -> None:
    if not isinstance(given, Findings):
        raise TypeError(f"{plot} takes what diagnose(...) returns, got {type(given).__name__}")
