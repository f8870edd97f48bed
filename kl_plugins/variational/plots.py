"""The picture of fits that were watched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.report.diagnosis import Diagnosis
from kl_plugins.variational.report.pictures import COLOURS, axes_or_new
from kl_plugins.variational.report.stopping import STOPPED, Look, Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kl_plugins.variational.monitor import KLConvergence

OTHER_PLOTS = "; a diagnosis has .plot(), plot_kl, plot_importance and plot_pair"
LINE = 1.4
"""Height of a line of text, in font sizes."""


def plot_convergence(monitor: KLConvergence | Mapping[str, KLConvergence], ax: Axes | None = None) -> Axes:
    """How far a fit was from the optimum of its family, against its iterations.

    The distance is the Jeffreys divergence, in nats, between the average of the last half of the iterates and
    the Gaussian of the family with the largest ELBO. A ring marks where the monitor stopped the fit, a line
    the tolerance below which a fit counts as converged. Where the monitor has computed no optimum
    (``check=False``, data from a stream) the drift and the Monte Carlo error of the average are shown
    instead, which say whether the fit is stationary and not how good it is.

    Parameters
    ----------
    monitor : KLConvergence or dict of KLConvergence
        After a fit; or several of them on common axes, by the labels that they get.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If it is not a monitor.
    ValueError
        If a monitor has seen nothing.

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
    monitors = dict(monitor) if isinstance(monitor, Mapping) else {"": monitor}
    for one in monitors.values():
        _check(one)
    ax = axes_or_new(ax)
    ax.set(xscale="log", yscale="log", xlabel="iteration")
    compared = [_curves(ax, one, f"C{i}") for i, one in enumerate(monitors.values())]
    what = "Jeffreys divergence\nfrom the optimum" if all(compared) else "Jeffreys divergence"
    ax.set_ylabel(f"{what} (nats)")
    tolerances = sorted({one.tolerance for one in monitors.values()})
    _readable(ax, tolerances[0], len(monitors))
    for tolerance in tolerances:
        _limit(ax, tolerance, all(compared))
    for i, (label, one) in enumerate(monitors.items()):
        _ending(ax, label, one, f"C{i}", len(monitors) - 1 - i)
    if len(monitors) == 1:
        (only,) = monitors.values()
        ax.set_title(f"{only.status} after {only.history[-1].iteration:,d} iterations")
    return ax


def _check(monitor: Any) -> None:
    if not hasattr(monitor, "history"):
        raise TypeError(
            f"plot_convergence takes a KLConvergence after a fit, got {type(monitor).__name__}"
            f"{OTHER_PLOTS if isinstance(monitor, Diagnosis) else ''}"
        )
    if not monitor.history:
        raise ValueError("the history is empty: run a fit with this monitor first")


def _curves(ax: Any, monitor: Any, colour: str) -> bool:
    """The distances from the optimum; where there are none drift and error, and False."""
    iterations = np.array([look.iteration for look in monitor.history], dtype=float)
    columns = {name: _positive([getattr(look, name) for look in monitor.history]) for name in Look._fields}
    if not np.isnan(columns["to_optimum"]).all():
        ax.plot(iterations, columns["to_optimum"], "o-", color=colour, ms=4.5, lw=1.5)
        return True
    for name, label, style in (
        ("drift", "drift over the last half", "o-"),
        ("jeffreys", "Monte Carlo error of the average", "o:"),
    ):
        shown = np.flatnonzero(np.isfinite(columns[name]))
        if len(shown):
            ax.plot(iterations, columns[name], style, color=colour, ms=3.5, lw=1.2)
            place = iterations[shown[-1]], columns[name][shown[-1]]
            below = {"textcoords": "offset points", "ha": "right", "va": "top"}
            ax.annotate(label, place, (0, -8), color=colour, **below)
    return False


def _readable(ax: Any, tolerance: float, lines: int) -> None:
    """Numbers in full at the ticks, the tolerance in sight, and room at the bottom for lines of text."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = ax.get_ylim()
    low, high = min(low, tolerance / 1.5), max(1.3 * high, 3.0 * tolerance)
    points = ax.get_window_extent().height * 72.0 / ax.figure.dpi
    share = min((lines + 0.5) * LINE * _font_size() / points, 0.5)
    ax.set_ylim(low * (low / high) ** (share / (1.0 - share)), high)
    for axis, (start, stop), text in (
        (ax.xaxis, ax.get_xlim(), lambda value, _: f"{value:,.0f}"),
        (ax.yaxis, ax.get_ylim(), lambda value, _: f"{value:,.12g}"),
    ):
        ratio = stop / start
        steps = [1.0] if ratio > 100.0 else [1.0, 2.0, 5.0] if ratio > 5.0 else [*np.arange(1.0, 10.0)]
        axis.set_major_locator(LogLocator(subs=steps))
        axis.set_major_formatter(FuncFormatter(text))
        axis.set_minor_formatter(NullFormatter())


def _limit(ax: Any, tolerance: float, compared: bool) -> None:
    """The tolerance as a line; what is below it is good enough where it is a distance from the optimum."""
    ax.axhline(tolerance, color=COLOURS["limit"], ls="--", lw=1.2)
    if compared:
        ax.axhspan(ax.get_ylim()[0], tolerance, color=COLOURS["full rank"], alpha=0.08, lw=0)
    ax.annotate(
        f"tolerance {tolerance:g}",
        (0.02, tolerance),
        (0, 3),
        xycoords=ax.get_yaxis_transform(),
        textcoords="offset points",
        color=COLOURS["limit"],
    )


def _ending(ax: Any, label: str, monitor: Any, colour: str, line: int) -> None:
    """How the fit ended: a ring around the last point where the monitor stopped it, and a line of text."""
    last = monitor.history[-1]
    stopped = monitor.status in STOPPED
    known = np.isfinite(last.to_optimum)
    place = (last.iteration, last.to_optimum if known else max(last.drift, last.jeffreys))
    if stopped and place[1] > 0.0:
        ax.plot(*place, "o", ms=12, mfc="none", mec=colour, mew=2.0)
    verb = "stopped" if stopped else "now" if monitor.status == Status.RUNNING else "ended"
    text = f"{label}: {verb}" if label else str(verb)
    text += f" at {last.iteration:,d}"
    away = float(f"{last.to_optimum:.2g}")  # two digits, and no exponent
    text += f", {away:,.10g} nats away" if known else ", distance not computed"
    ax.annotate(
        text,
        (0.02, 0.0),
        (0, (0.4 + line * LINE) * _font_size()),
        xycoords="axes fraction",
        textcoords="offset points",
        color=colour,
        fontweight="bold",
    )


def _font_size() -> float:
    """Of text in figures, in points."""
    from matplotlib import rcParams

    return float(rcParams["font.size"])


def _positive(values: list[float]) -> FloatArray:
    """Zero has no logarithm."""
    given = np.array(values, dtype=float)
    shown: FloatArray = np.where(given > 0.0, given, np.nan)
    return shown
