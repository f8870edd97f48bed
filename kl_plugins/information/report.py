"""Information gains as words, tables and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.estimate.result import KLEstimate
from kl_plugins.html import block, frame, listed

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

    from kl_plugins.information.estimating import Gains

ROWS = 20
"""Of a table that is printed."""
MOST = 25
"""Elements in a picture."""


@dataclass(frozen=True, repr=False, eq=False)
class InformationGain:
    """What data have taught, KL(posterior‖prior) in nats, as `information_gain` returns it.

    Attributes
    ----------
    gains : tuple of Gains
        Of each variable.
    joint : KLEstimate or None
        Of all variables together; None where it is not known.
    note : str
        Why `joint` is not known or not converged, which it often is not in many dimensions; else empty.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> from kl_plugins import information_gain
    >>> with pm.Model() as model:
    ...     theta = pm.Normal("theta", shape=2)
    >>> approximation = np.array([0.0, 1.0]), np.diag([1.0, 0.01])  # mean and covariance
    >>> gain = information_gain(approximation, model, random_state=1)
    >>> gain.elements
    ('theta[0]', 'theta[1]')
    >>> gain.to_dataset()["theta"].sel(summary="gain").round(1).values  # of truths of 0 and 2.308
    array([0. , 2.3])
    """

    gains: tuple[Gains, ...]
    joint: KLEstimate | None
    note: str

    @property
    def elements(self) -> tuple[str, ...]:
        """What gains are of, called as ArviZ does."""
        return tuple(part for one in self.gains for part in one.parts)

    @property
    def totals(self) -> dict[str, KLEstimate]:
        """Of variables with several elements, independent of others under the prior, the gain of all."""
        return {one.own.name: one.total for one in self.gains if one.total is not None}

    def summary(self) -> pd.DataFrame:
        """A table of the elements.

        Returns
        -------
        pandas.DataFrame
            Of each element the gain in nats and its standard error, whether it can be relied on
            (``converged``), and how its prior density is known: ``"closed form"``, ``"average over parents"``
            of a hierarchical prior, or ``"draws"``.
        """
        import pandas as pd

        estimates = [found for one in self.gains for found in one.found]
        table = {
            "gain": [float(found.value) for found in estimates],
            "error": [float(found.error) for found in estimates],
            "converged": [bool(found.converged) for found in estimates],
            "prior": [str(one.prior) for one in self.gains for _ in one.found],
        }
        return pd.DataFrame(table, index=pd.Index(self.elements, name="element"))

    def to_dataset(self) -> xr.Dataset:
        """The gains by the model's variables, with its dimensions and coordinates.

        Returns
        -------
        xarray.Dataset
            The dimension ``summary`` is ``gain`` and ``error``, in nats. A variable whose elements are
            dependent under the prior has one gain, without dimensions of its own.
        """
        import xarray as xr

        data: dict[str, Any] = {}
        coords: dict[str, Any] = {"summary": ["gain", "error"]}
        for one in self.gains:
            numbers = np.array([[float(x.value) for x in one.found], [float(x.error) for x in one.found]])
            if len(one.parts) != one.own.size or not one.own.shape:
                data[one.own.name] = ("summary", numbers[:, 0])
                continue
            dims = [dim for dim, _ in one.own.axes]
            data[one.own.name] = (("summary", *dims), numbers.reshape(2, *one.own.shape))
            coords |= {dim: list(labels) for dim, labels in one.own.axes if labels}
        return xr.Dataset(data, coords=coords)

    def plot(self, ax: Axes | None = None, most: int = MOST) -> Axes:
        """The gains of the elements, the largest on top, with twice their standard errors.

        Open points are not to be relied on.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        most : int
            How many elements to show, those with the largest gains.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If `most` is less than 1.
        """
        from kl_plugins.variational.report.pictures.canvas import COLOURS, axes_or_new

        if most < 1:
            raise ValueError(f"most is how many elements to show, at least 1, got {most!r}")
        ax = axes_or_new(ax)
        every = self.summary()
        table = every[np.isfinite(every["gain"])].sort_values("gain", kind="stable").tail(most)
        rows = np.arange(len(table))
        value, good = table["gain"].to_numpy(), table["converged"].to_numpy()
        error = np.where(np.isfinite(table["error"]), 2.0 * table["error"], 0.0)
        bars = np.stack([np.minimum(error, value), error])
        style: dict[str, Any] = {"fmt": "o", "color": COLOURS["posterior"], "ms": 6, "lw": 1.5}
        for chosen, face, label in ((good, None, None), (~good, "w", "not to be relied on")):
            if chosen.any():
                ax.errorbar(value[chosen], rows[chosen], xerr=bars[:, chosen], mfc=face, label=label, **style)
        if not good.all():
            ax.legend(frameon=False, loc="lower right")
        ax.set_yticks(rows, list(table.index))
        ax.set_ylim(-0.6, len(rows) - 0.4)
        ax.set_xlim(left=-0.02 * ax.get_xlim()[1])  # points at 0 are whole
        ax.grid(axis="both", color="0.9", lw=0.8)
        ax.set_axisbelow(True)
        hidden = len(every) - len(table)
        title = f"{hidden} more, infinite or smaller" if hidden else ""
        ax.set(xlabel="information gain (nats)", title=title)
        return ax

    def _lines(self) -> list[str]:
        """What is said above the table."""
        lines = ["information gain from prior to posterior, in nats"]
        if self.joint is None:
            lines.append(f"jointly: not known, as {self.note}")
        else:
            doubt = f": {self.note}" if self.note else ""
            lines.append(f"jointly: {_told(self.joint)}{doubt}")
        lines += [f"all of {name}: {_told(total)}" for name, total in self.totals.items()]
        if not self.summary()["converged"].all():
            lines.append("gains that are not converged are not to be relied on")
        return lines

    def __repr__(self) -> str:
        table = self.summary()
        hidden = [f"... and {len(table) - ROWS:,d} more"] if len(table) > ROWS else []
        shown = table.head(ROWS).rename_axis(None).to_string(float_format=lambda x: f"{x:.3g}")
        return "\n".join([*self._lines(), "", shown, *hidden])

    def _repr_html_(self) -> str:
        return block(listed(self._lines()), frame(self.summary(), ROWS))


def _told(found: KLEstimate) -> str:
    """A gain and its standard error."""
    doubt = "" if found.converged else ", not converged"
    return f"{float(found.value):.3g} ± {float(found.error):.1g}{doubt}"
