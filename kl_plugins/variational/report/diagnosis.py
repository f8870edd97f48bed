"""What `diagnose` finds out, as words, tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from kl_plugins.html import block, folded, frame, paragraph, table
from kl_plugins.variational.evidence.bounds import LARGEST, MOST_K
from kl_plugins.variational.evidence.moments import compare_moments
from kl_plugins.variational.report.findings import Findings
from kl_plugins.variational.report.formatting import against_limit
from kl_plugins.variational.report.pictures.side_by_side import drawn_side_by_side

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Draws = TypeVar("Draws")


@dataclass(frozen=True, repr=False)
class Diagnosis(Findings):
    """How good an approximation q is, with the uncertainty of every number; made by `diagnose`.

    Attributes
    ----------
    verdict : Verdict
        Resting on the reference where there is one.
    verdict_without_reference : Verdict
        What can be said without; the same where there is none.
    approximation : NamedMultivariateNormal
        q itself.
    names : tuple of str
        Of the d coordinates of the unconstrained space.
    importance : Importance
        k̂, ELBO, effective sample size and weights of draws from q.
    raw, weighted : Moments
        Means and sds of q, and of its draws weighted by importance, in the unconstrained space.
    moment_k : ndarray, shape (d,)
        k̂ of the ratios times (x − mean)²: whether each weighted sd can be relied on.
    posterior : Moments
        The posterior's as well as they are known; `source` says from where: the reference draws, or draws
        from a proposal with wider tails around the best Gaussian that was found.
    survey : Survey
        Those wide draws. ``survey.evidence_missed(importance)`` is the logarithm of the posterior mass
        over that within reach of q's draws.
    slopes : SlopeMisfit
        How different the slopes of log p and log q are along each coordinate, at q's draws.
    modes : tuple of Mode
        Modes outside of the approximation that a search from afar came upon.
    elements : Elements
        Means and sds on the constrained scale.
    distance : OptimumDistance or None
        How far q is from the best approximation of its family; None where that was not asked for.
    full_rank : FullRankOptimum or None
        Of a q that is not full-rank: the best full-rank Gaussian, where it was found.
    bounds : ErrorBounds or None
        None where k̂ ≥ ½: the divergence that they rest on is infinite; or where k̂ of the squares says that
        a variance is in a tail beyond the draws.
    information_gained : dict
        KL(q‖prior) by variable, in nats; NaN where there is no closed form.
    reference : Reference or None
        The reference draws, where they were given.
    marginal_kl : MarginalKL
        Of each coordinate from the Gaussian with the posterior's moments (see `posterior`).
    outside : str
        Where q has mass and the posterior has none, in words: the ELBO is −∞ then. Empty where no such
        place was met.
    trajectory : xarray.Dataset or None
        Of a sequence of approximations: their distance to the last optimum, their steps and ELBOs.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins import variational
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 2.0)
    ...     approximation = variational.fit(random_seed=1, progressbar=False)
    >>> diagnosis = variational.diagnose(approximation, random_seed=1)
    >>> diagnosis.verdict.level, diagnosis.names
    ('trust', ('x',))
    >>> diagnosis.summary().loc["x", ["mean", "sd"]].round(1).to_dict()
    {'mean': 3.0, 'sd': 2.0}
    """

    def summary(self, space: Literal["unconstrained", "constrained"] = "unconstrained") -> pd.DataFrame:
        """A table of the coordinates.

        Parameters
        ----------
        space : {"unconstrained", "constrained"}
            The space that q lives in, or the model's own variables.

        Returns
        -------
        pandas.DataFrame
            Unconstrained, per coordinate: mean and sd raw, weighted and of the posterior as well as it is
            known; error of the mean in posterior sds, ratio of sds, divergences, bounds; whether at fault.
            Constrained: means and sds raw, weighted and by wide draws, with standard errors.
        """
        import pandas as pd

        if space == "constrained":
            columns = {
                f"{kind}_{name}": value
                for kind in ("raw", "weighted", "wide")
                for name, value in getattr(self.elements, kind)._asdict().items()
            }
            return pd.DataFrame(columns, index=pd.Index(self.elements.names, name="element"))
        if space != "unconstrained":
            raise ValueError(f"space must be 'unconstrained' or 'constrained', got {space!r}")
        unknown = np.full(len(self.names), np.nan)
        faulty = {discrepancy.name for discrepancy in self.verdict.discrepancies}
        against = compare_moments(self.names, self.raw, self.posterior, 1.0)
        table = {
            "mean": self.raw.mean,
            "sd": self.raw.sd,
            "weighted_mean": self.weighted.mean,
            "weighted_sd": self.weighted.sd,
            "khat_of_squares": self.moment_k,
            "posterior_mean": self.posterior.mean,
            "posterior_sd": self.posterior.sd,
            "shift": against.shift,
            "shift_error": against.shift_error,
            "sd_ratio": np.exp(against.log_ratio),
            "sd_ratio_error": np.exp(against.log_ratio) * against.log_ratio_error,
            "kl_to_posterior": self.marginal_kl.kl_to,
            "kl_from_posterior": self.marginal_kl.kl_from,
            "mean_bound": unknown if self.bounds is None else self.bounds.mean,
            "sd_bound": unknown if self.bounds is None else self.bounds.sd,
            "slope_misfit": self.slopes.value,
            "at_fault": [name in faulty for name in self.names],
        }
        return pd.DataFrame(table, index=pd.Index(self.names, name="coordinate"))

    def to_dataset(self) -> xr.Dataset:
        """Everything as an `xarray.Dataset` that netCDF can hold.

        Numbers come with a ``..._error`` beside them; dimensions are ``coordinate`` (unconstrained),
        ``element`` (constrained), ``variable`` and ``draw``.
        """
        import xarray as xr

        data: dict[str, Any] = {}
        for name, estimate in self.scalars().items():
            data[name], data[f"{name}_error"] = estimate
        data["ess"] = self.importance.ess
        data["khat_threshold"] = self.importance.threshold
        renamed = {f"kl_{way}_posterior": f"kl_{way}_marginal" for way in ("to", "from")}
        for name, column in self.summary().rename(columns=renamed).items():
            data[str(name)] = ("coordinate", column.to_numpy())
        data["slope_misfit_error"] = ("coordinate", self.slopes.error)
        data["kl_to_marginal_error"] = ("coordinate", self.marginal_kl.kl_to_error)
        data["kl_from_marginal_error"] = ("coordinate", self.marginal_kl.kl_from_error)
        for kind in ("weighted", "posterior"):
            moments = getattr(self, kind)
            data[f"{kind}_mean_error"] = ("coordinate", moments.mean_error)
            data[f"{kind}_sd_error"] = ("coordinate", moments.sd_error)
        for name, column in self.summary("constrained").items():
            data[f"element_{name}"] = ("element", column.to_numpy())
        data["information_gained"] = ("variable", list(self.information_gained.values()))
        data["log_ratio"] = ("draw", self.importance.log_ratios)
        data["log_weight"] = ("draw", self.importance.log_weights)
        coords = {
            "coordinate": list(self.names),
            "element": list(self.elements.names),
            "variable": list(self.information_gained),
        }
        attributes = {
            "verdict": self.verdict.level.value,
            "verdict_without_reference": self.verdict_without_reference.level.value,
            "report": str(self),
            "posterior_source": str(self.source),
        }
        return xr.Dataset(data, coords=coords, attrs=attributes)

    def add_to(self, idata: Draws, group: str = "vi_diagnosis") -> Draws:
        """Store `to_dataset` as a group of an InferenceData or DataTree, which is changed and returned."""
        changed: Any = idata
        if hasattr(changed, "add_groups"):
            changed.add_groups({group: self.to_dataset()})
        else:
            import xarray as xr

            changed[group] = xr.DataTree(self.to_dataset())
        return idata

    def plot(self, figsize: tuple[float, float] = (15.0, 4.5)) -> NDArray[np.object_]:
        """Importance ratios, divergences per coordinate, the worst pair; returns the axes."""
        return drawn_side_by_side(self, figsize)

    def __repr__(self) -> str:
        lines = [str(self.verdict), "", UNITS]
        return "\n".join(lines + [f"{label:<44}{text}" for label, text in self._lines()])

    def _lines(self) -> list[tuple[str, str]]:
        """The lines of the report's table: what it is, and the number in words."""
        lines = [(LABELS[name], str(estimate)) for name, estimate in self.scalars().items()]
        lines.append((EFFECTIVE, f"{self.importance.ess:,.0f} of {self.importance.draws:,d}"))
        if self.bounds is None:
            lines.append((NO_BOUNDS, f"none: {self._why_no_bounds()}"))
        gained = {name: value for name, value in self.information_gained.items() if not np.isnan(value)}
        if gained:
            text = ", ".join(f"{name} {value:.3g}" for name, value in gained.items())
            rest = [name for name in self.information_gained if name not in gained]
            lines.append((GAINED, text + (f"; no closed form for {', '.join(rest)}" if rest else "")))
        if self.verdict.level != self.verdict_without_reference.level:
            lines.append((WITHOUT_REFERENCE, self.verdict_without_reference.headline))
        return lines

    def _why_no_bounds(self) -> str:
        """Why there are no error bounds, in words."""
        if self.outside:
            return "q has mass where the posterior has none"
        k = self.importance.k.value
        if not k < MOST_K:
            return f"k̂ = {against_limit(k, MOST_K).value}, not below {MOST_K}"
        return f"too heavy a tail of the squared ratios or of a coordinate's squares, or D₂ above {LARGEST:g}"

    def _repr_html_(self) -> str:
        tables = {COORDINATES: self.summary(), ELEMENTS: self.summary("constrained")}
        return block(
            self.verdict._repr_html_(),
            paragraph(UNITS),
            table(self._lines()),
            *(folded(name, frame(one, MOST_ROWS)) for name, one in tables.items()),
        )


MOST_ROWS = 30
"""So many rows of a table are shown in a notebook."""
COORDINATES = "coordinates"
ELEMENTS = "on the model's own scale"
UNITS = "Estimates ± standard errors, in nats. q: the approximation; q*: the best of its family."
EFFECTIVE = "effective sample size"
NO_BOUNDS = "bounds on errors of means and sds"
GAINED = "KL(q‖prior) by variable"
WITHOUT_REFERENCE = "verdict without the reference"
LABELS = {
    "elbo": "ELBO",
    "khat": "k̂",
    "log_evidence": "log evidence",
    "kl_to_posterior": "KL(q‖posterior)",
    "evidence_missed": "log evidence missed by q's draws",
    "divergence_bound": "bound on D₂(posterior‖q)",
    "jeffreys_to_optimum": "Jeffreys(q, q*)",
    "elbo_gap_to_optimum": "ELBO(q*) − ELBO(q)",
    "kl_to_full_rank": "KL(q‖best full-rank)",
    "kl_from_full_rank": "KL(best full-rank‖q)",
    "elbo_gain_of_full_rank": "ELBO(best full-rank) − ELBO(q)",
    "kl_to_reference": "KL(q‖Gaussian of the reference)",
    "kl_from_reference": "KL(Gaussian of the reference‖q)",
}
