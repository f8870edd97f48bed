"""The picture of two coordinates, and which two a fit gets most wrong."""

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
from kl_plugins.variational.report.choice import chosen_pair
from kl_plugins.variational.report.findings import Findings
from kl_plugins.variational.report.pictures.canvas import COLOURS, LEGEND_SHARE, axes_or_new, check_diagnosis
from kl_plugins.variational.report.wording import PlotText

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = (0.5, 0.95)
PAIR_CANDIDATES = 40
"""So many of the worst coordinates are paired with each other."""


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

    check_diagnosis(diagnosis, "plot_pair")
    i, j = worst_pair(diagnosis) if pair is None else chosen_pair(diagnosis, pair)
    title = (
        PlotText.PAIR_TITLE if pair is not None or len(diagnosis.names) == 2 else PlotText.PAIR_TITLE_WORST
    )
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
    ax.set(xlabel=diagnosis.names[i], ylabel=diagnosis.names[j], title=title.told())
    ax.legend(handles=handles, frameon=False, loc="upper left")
    return ax


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
