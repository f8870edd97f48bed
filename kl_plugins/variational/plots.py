"""The picture of fits that were watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.iterates import MOVING
from kl_plugins.variational.report.diagnosis import Diagnosis
from kl_plugins.variational.report.formatting import against_limit, rounded_up
from kl_plugins.variational.report.pictures.canvas import COLOURS, axes_or_new
from kl_plugins.variational.report.stopping import STOPPED, Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from kl_plugins.variational.monitor import KLConvergence

    Watched = KLConvergence | Mapping[str, KLConvergence]

OTHER_PLOTS = "; a diagnosis has .plot(), plot_kl, plot_importance and plot_pair"
LINE = 1.4
"""Height of a line of text, in font sizes."""
ARROW = 2.5
"""By which factor the arrow from an upper bound goes down."""
UNDER_TEXT = {"fc": "w", "ec": "none", "alpha": 0.6, "pad": 1.0}
"""Lines behind text do not disturb it."""
AT_END = (*STOPPED, Status.NOT_STATIONARY)
"""Of fits whose last look was at their end."""


@overload
def plot_convergence(monitor: Watched, ax: Axes | None = None) -> Axes: ...
@overload
def plot_convergence(monitor: Watched, ax: Sequence[Axes] | NDArray[np.object_]) -> NDArray[np.object_]: ...
def plot_convergence(
    monitor: Watched, ax: Axes | Sequence[Axes] | NDArray[np.object_] | None = None
) -> Axes | NDArray[np.object_]:
    """How far a fit was from the optimum of its family, against its iterations.

    The distance is the Jeffreys divergence, in nats, between the average of the last half of the iterates and
    the Gaussian of the family with the largest ELBO: at every look, also at those before that Gaussian was
    found. Open points are looks at which R̂ of some parameter was above 1.1. A ring marks where the
    monitor stopped the fit, a line the tolerance below which a fit counts as converged. Where the monitor has
    computed no optimum (``check=False``, data from a stream) the drift and the Monte Carlo error of the
    average are shown instead, which say whether the fit is stationary and not how good it is. A bar with an
    arrow down from it is then how far a fit at rest is from the optimum at most, if its steps follow the
    gradient on average (``history[-1].at_most``).

    Parameters
    ----------
    monitor : KLConvergence or dict of KLConvergence
        After a fit; or several of them, by the labels that they get.
    ax : matplotlib.axes.Axes or sequence of Axes, optional
        Several fits share it; or they are side by side on as many as there are fits, with the same limits.

    Returns
    -------
    matplotlib.axes.Axes or ndarray of Axes

    Raises
    ------
    TypeError
        If it is not a monitor.
    ValueError
        If a monitor has seen nothing, or there are not as many axes as fits.

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
    apart = isinstance(ax, Sequence | np.ndarray)
    if isinstance(ax, Sequence | np.ndarray):
        places = np.ravel(np.asarray(ax, dtype=object))
    else:
        places = np.array([axes_or_new(ax)] * len(monitors))
    if len(places) != len(monitors):
        raise ValueError(f"one of the axes for each fit: there are {len(places)} for {len(monitors)}")
    compared = all(_has_distance(one) for one in monitors.values())
    what = "Jeffreys divergence\nfrom the optimum" if compared else "Jeffreys divergence"
    for i, (one, place) in enumerate(zip(monitors.values(), places, strict=True)):
        place.set(xscale="log", yscale="log", xlabel="iteration", ylabel=f"{what} (nats)")
        _curves(place, one, f"C{i}", compared)
    lines = 1 if apart else len(monitors)
    tolerances = sorted({one.tolerance for one in monitors.values()})
    (left, low), (right, high) = (
        [pick(ends) for ends in np.transpose([(one.get_xlim()[i], one.get_ylim()[i]) for one in places])]
        for i, pick in enumerate((min, max))
    )
    for place in dict.fromkeys(places):
        place.set(xlim=(left, right), ylim=(low, high))
        _readable(place, tolerances, lines)
        for tolerance in tolerances:
            _limit(place, tolerance, compared)
        _key(place, [one for one, on in zip(monitors.values(), places, strict=True) if on is place])
    for i, ((label, one), place) in enumerate(zip(monitors.items(), places, strict=True)):
        _ending(place, "" if apart else label, one, f"C{i}", 0 if apart else len(monitors) - 1 - i)
        if apart or len(monitors) == 1:
            place.set_title(f"{label}: {_title(one)}" if label else _title(one))
    return places if apart else places[0]


def _check(monitor: Any) -> None:
    if not hasattr(monitor, "history"):
        raise TypeError(
            f"plot_convergence takes a KLConvergence after a fit, got {type(monitor).__name__}"
            f"{OTHER_PLOTS if isinstance(monitor, Diagnosis) else ''}"
        )
    if not monitor.history:
        raise ValueError("the history is empty: run a fit with this monitor first")


def _has_distance(monitor: Any) -> bool:
    return any(np.isfinite(look.to_optimum) for look in monitor.history)


def _title(monitor: Any) -> str:
    """What the fit came to, and when that, or the last that was seen of it, was."""
    when = "after" if monitor.status in AT_END else "last look at"
    return f"{monitor.status}{',' * (when != 'after')} {when} {monitor.history[-1].iteration:,d} iterations"


def _curves(ax: Any, monitor: Any, colour: str, compared: bool) -> None:
    """The distances from the optimum; where there are none drift and error.

    `compared` says whether all fits on these axes have distances, so that the axis says what they are.
    """
    drawn = [
        ("drift", "drift over the last half", "-"),
        ("jeffreys", "Monte Carlo error of the average", ":"),
    ]
    if _has_distance(monitor):
        drawn = [("to_optimum", "" if compared else "distance from the optimum", "-")]
    iterations = np.array([look.iteration for look in monitor.history], dtype=float)
    moving = np.array([look.rhat > MOVING for look in monitor.history])
    for name, label, style in drawn:
        values = _positive([getattr(look, name) for look in monitor.history])
        shown = np.flatnonzero(np.isfinite(values))
        if not len(shown):
            continue
        ax.plot(iterations, values, style, color=colour, lw=1.5)
        for which, face in ((moving, "w"), (~moving, colour)):
            ax.plot(iterations[which], values[which], "o", color=colour, mfc=face, ms=5, zorder=3)
        above = np.max(values[shown[: (len(shown) + 1) // 2]])  # of the part that it is written over
        place = iterations[shown[0]], above
        ax.annotate(label, place, (2, 6), color=colour, textcoords="offset points", va="bottom")
    bounds = _positive([look.at_most for look in monitor.history])
    if (known := np.isfinite(bounds)).any():
        down = {"yerr": bounds[known] * (1.0 - 1.0 / ARROW), "uplims": True}
        ax.errorbar(iterations[known], bounds[known], fmt="_", color=colour, ms=14, mew=2.0, **down)
        place = iterations[known][0], bounds[known][0]
        text = "at most so far\nfrom the optimum"
        beside = {"textcoords": "offset points", "ha": "right", "va": "top", "linespacing": 1.0}
        ax.annotate(text, place, (-12, -2), color=colour, bbox=UNDER_TEXT, **beside)


def _readable(ax: Any, tolerances: Sequence[float], lines: int) -> None:
    """Numbers in full at the ticks, the tolerances in sight, room for lines of text below and one above."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = ax.get_ylim()
    low, high = min(low, tolerances[0] / 1.5), max(1.3 * high, 3.0 * tolerances[-1])
    line = LINE * _font_size() * ax.figure.dpi / 72.0 / ax.get_window_extent().height
    below, above = min((lines + 0.5) * line, 0.4), min(1.2 * line, 0.2)
    whole = np.log(high / low) / (1.0 - below - above)
    ax.set_ylim(low * np.exp(-below * whole), high * np.exp(above * whole))
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
    ax.axhline(tolerance, color=COLOURS["limit"], ls="--", lw=1.2, zorder=1)
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


def _key(ax: Any, monitors: Sequence[Any]) -> None:
    """What open and filled points are, of those that there are."""
    from matplotlib.lines import Line2D

    rhats = [look.rhat for one in monitors for look in one.history]
    style: dict[str, Any] = {"ls": "", "marker": "o", "color": COLOURS["limit"], "ms": 5}
    handles = []
    if max(rhats) > MOVING:
        handles.append(Line2D([], [], mfc="w", label=f"R̂ > {MOVING:g}", **style))
    if min(rhats) <= MOVING:
        handles.append(Line2D([], [], label=f"R̂ ≤ {MOVING:g}", **style))
    spacing = {"borderaxespad": 0.2, "handletextpad": 0.1, "columnspacing": 1.0, "borderpad": 0.2}
    ax.legend(handles=handles, loc="upper right", frameon=False, ncols=2, **spacing)


def _ending(ax: Any, label: str, monitor: Any, colour: str, line: int) -> None:
    """How the fit ended: a ring around the last point where the monitor stopped it, and a line of text."""
    last = monitor.history[-1]
    stopped = monitor.status in STOPPED
    known, bounded = np.isfinite(last.to_optimum), np.isfinite(last.at_most)
    moved = last.at_most if bounded else max(last.drift, last.jeffreys)
    place = (last.iteration, last.to_optimum if known else moved)
    if stopped and place[1] > 0.0:
        ax.plot(*place, "o", ms=12, mfc="none", mec=colour, mew=2.0)
    verb = "stopped" if stopped else "ended" if monitor.status in AT_END else "seen last"
    text = f"{label}: {verb}" if label else verb
    text += f" at {last.iteration:,d}"
    away = float(f"{last.to_optimum:.2g}")  # two digits, and no exponent
    unknown = f"at most {rounded_up(last.at_most)} nats away" if bounded else "distance not computed"
    text += f", {away:,.10g} nats away" if known else f", {unknown}"
    if known and not monitor.distance.reached:
        text += f" (optimum known to {monitor.distance.sampling_error:.2g})"
    text += f", R̂ {against_limit(last.rhat, MOVING, 3).value}"
    ax.annotate(
        text,
        (0.02, 0.0),
        (0, (0.4 + line * LINE) * _font_size()),
        xycoords="axes fraction",
        textcoords="offset points",
        color=colour,
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
