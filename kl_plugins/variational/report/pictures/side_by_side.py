"""All pictures of a diagnosis on one figure."""

from __future__ import annotations

from textwrap import fill

import numpy as np
from numpy.typing import NDArray

from kl_plugins.variational.report.findings import Findings
from kl_plugins.variational.report.pictures.divergences import plot_kl
from kl_plugins.variational.report.pictures.pairs import plot_pair
from kl_plugins.variational.report.pictures.ratios import plot_importance

POINTS, WIDTH, FEWEST = 72.0, 0.55, 20
"""In an inch; of a letter, in sizes of the font; letters of a line."""


def drawn_side_by_side(findings: Findings, figsize: tuple[float, float]) -> NDArray[np.object_]:
    """Importance ratios, divergences per coordinate and the worst pair side by side; the array of Axes."""
    from matplotlib import pyplot as plt

    pairs = len(findings.names) > 1
    figure, axes = plt.subplots(1, 3 if pairs else 2, figsize=figsize, layout="constrained")
    plot_importance(findings, axes[0])
    plot_kl(findings, axes[1])
    if pairs:
        plot_pair(findings, ax=axes[2])
    title = figure.suptitle("")
    letters = int(figsize[0] * POINTS / (WIDTH * float(title.get_fontsize())))
    title.set_text(fill(findings.verdict.headline, max(letters, FEWEST)))
    drawn: NDArray[np.object_] = axes
    return drawn
