"""The picture of a fit that was watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.report.diagnosis import Diagnosis
from kl_plugins.variational.report.pictures import COLOURS, axes_or_new
from kl_plugins.variational.report.stopping import STOPPED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kl_plugins.variational.monitor import KLConvergence

OTHER_PLOTS = "; a diagnosis has .plot(), plot_kl, plot_importance and plot_pair"


def plot_convergence(monitor: KLConvergence, ax: Axes | None = None) -> Axes:
    """What a `KLConvergence` saw of a fit, in nats (Jeffreys), against its iterations.

    The distance of the averaged iterates from the optimum of the family, once that is known; by how much
    they still moved, or how well their average is known, whichever is larger; the tolerance; the last half of
    the iterates, whose average the approximation has if the monitor stopped the fit, and where it did. The
    title is the monitor's status.

    Parameters
    ----------
    monitor : KLConvergence
        After a fit.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If it is not a monitor.
    ValueError
        If the monitor has seen nothing.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins.variational import KLConvergence, plot_convergence
    >>> monitor = KLConvergence(random_seed=1)
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 2.0)
    ...     optimizer = pm.adam(learning_rate=0.05)
    ...     _ = pm.fit(
    ...         9_000, obj_optimizer=optimizer, callbacks=[monitor], progressbar=False, random_seed=1
    ...     )
    >>> plot_convergence(monitor).get_xlabel()
    'iteration'
    """
    if not hasattr(monitor, "history"):
        raise TypeError(
            f"plot_convergence takes a KLConvergence after a fit, got {type(monitor).__name__}"
            f"{OTHER_PLOTS if isinstance(monitor, Diagnosis) else ''}"
        )
    if not monitor.history:
        raise ValueError("the history is empty: run a fit with this monitor first")
    ax = axes_or_new(ax)
    iterations = np.array([look.iteration for look in monitor.history], dtype=float)
    away = np.array([look.to_optimum for look in monitor.history])
    moved = np.array([max(look.drift, look.jeffreys) for look in monitor.history])
    ax.set_yscale("log")
    ax.plot(iterations, _positive(moved), ":", color=COLOURS["limit"], label="moved, or error of the average")
    if np.isfinite(away).any():
        ax.plot(iterations, _positive(away), "o-", color=COLOURS["fit"], ms=4, lw=1, label="to the optimum")
    tolerance = f"tolerance {monitor.tolerance:g}"
    ax.axhline(monitor.tolerance, color=COLOURS["limit"], ls="--", lw=1, label=tolerance)
    last = iterations[-1]
    stopped = monitor.status in STOPPED
    window = "last half, averaged" if stopped else "last half, looked at"
    ax.axvspan(last / 2.0, last, color=COLOURS["fit"], alpha=0.08, lw=0, label=window)
    if stopped:
        ax.axvline(last, color=COLOURS["posterior"], lw=1.5, label=f"stop at {last:,.0f}")
    ax.set(xlabel="iteration", ylabel="Jeffreys divergence (nats)", title=monitor.status)
    ax.legend(frameon=False, fontsize="small")
    return ax


def _positive(values: FloatArray) -> FloatArray:
    """Zero has no logarithm."""
    shown: FloatArray = np.where(values > 0.0, values, np.nan)
    return shown
