"""Pictures of fits and diagnoses; every function returns the Axes that it drew on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.report.diagnosis import Diagnosis
from kl_plugins.variational.report.pictures import (
    COLOURS,
    MOST_COORDINATES,
    draw_importance,
    draw_marginals,
    draw_pair,
    worst_pair,
)
from kl_plugins.variational.report.stopping import STOPPED

OTHER_PLOTS = "; a diagnosis has .plot(), plot_kl, plot_importance and plot_pair"


def plot_convergence(monitor: Any, ax: Any = None) -> Any:
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
    ax = _axes(ax)
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


def plot_kl(diagnosis: Diagnosis, ax: Any = None, most: int = MOST_COORDINATES) -> Any:
    """Divergence of each coordinate from the posterior, sorted, both ways, with standard errors.

    Parameters
    ----------
    diagnosis : Diagnosis
    ax : matplotlib.axes.Axes, optional
    most : int
        How many coordinates to show, the worst ones.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If it is not a diagnosis.
    ValueError
        If `most` is less than 1.

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
    ax = _axes(ax)
    draw_marginals(diagnosis, ax, most)
    return ax


def plot_importance(diagnosis: Diagnosis, ax: Any = None) -> Any:
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
    'log ratio to the mean (nats)'
    """
    _check_diagnosis(diagnosis, "plot_importance")
    ax = _axes(ax)
    draw_importance(diagnosis, ax)
    return ax


def plot_pair(diagnosis: Diagnosis, pair: Sequence[str] | None = None, ax: Any = None) -> Any:
    """Ellipses (50 and 95 %) of the fit, the best full-rank Gaussian and the posterior for two coordinates.

    Parameters
    ----------
    diagnosis : Diagnosis
    pair : (str, str), optional
        Names of coordinates; by default those whose joint distribution the fit gets most wrong.
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
    _check_diagnosis(diagnosis, "plot_pair")
    chosen = worst_pair(diagnosis) if pair is None else _places(diagnosis, pair)
    ax = _axes(ax)
    draw_pair(diagnosis, ax, chosen)
    return ax


def _places(diagnosis: Diagnosis, pair: Sequence[str]) -> tuple[int, int]:
    """Where the two named coordinates are; ValueError where they are none of the diagnosis."""
    if isinstance(pair, str) or len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError(
            f"pair has to be the names of two coordinates, such as {diagnosis.names[:2]}, got {pair!r}"
        )
    for name in pair:
        if name not in diagnosis.names:
            raise ValueError(f"{name!r} is not a coordinate; there are {', '.join(diagnosis.names)}")
    return diagnosis.names.index(pair[0]), diagnosis.names.index(pair[1])


def _check_diagnosis(given: object, plot: str) -> None:
    if not isinstance(given, Diagnosis):
        raise TypeError(f"{plot} takes what diagnose(...) returns, got {type(given).__name__}")


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(layout="constrained")[1]
