"""What linear response gives: a Gaussian with corrected covariances, as words and tables."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pymc.model import Model

from kl_plugins.families.named import Snapshot, element_names, some_of
from kl_plugins.html import block, frame, listed
from kl_plugins.interrupts import answered_in_time
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.evidence.functions import function_moments
from kl_plugins.variational.optimum.distance import OptimumDistance
from kl_plugins.variational.optimum.progress import progress_line
from kl_plugins.variational.optimum.response import DENSE_NUMBERS, Curvature
from kl_plugins.variational.optimum.scale_families import MeanFieldScales, family_of, standard_deviations
from kl_plugins.variational.report.formatting import rounded_up
from kl_plugins.variational.report.wording import ResponseText
from kl_plugins.variational.target.derived import Functions, dims_and_coords, functions_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

ROWS = 20
"""Of a table that is printed."""
SAME = 5e-4
"""Ratios that print as 1."""
LEAST_ERROR = 1e-3
"""Relative, of a standard deviation: less is said to be at most that."""
SUMMARY = ("mean", "sd", "mcse_mean", "mcse_sd", "uncorrected_sd")
"""What is known of each element, called as ArviZ does."""


@dataclass(frozen=True, repr=False, eq=False)
class LinearResponse:
    """Means of the best approximation of a family, with covariances by linear response.

    Attributes
    ----------
    gaussian : NamedMultivariateNormal
        Over the unconstrained variables: ``mean`` and ``std`` of shape (r,), ``covariance.matrix()``,
        ``names``, ``slices``. `kl`, `jeffreys` and `diagnose` take it.
    optimum : NamedMultivariateNormal
        The best approximation of the family, around which the response is taken, over all variables.
    names : tuple of str
        Of the r coordinates.
    uncorrected_sd : ndarray, shape (r,)
        The standard deviations of `optimum`.
    mcse_mean, mcse_sd : ndarray, shape (r,)
        Monte Carlo standard errors of the mean and of the corrected standard deviation, as the draws are
        finitely many: by the jackknife over independent sets of draws.
    distance : OptimumDistance or None
        How far what was given is from `optimum`; None of a certified fit, which is the optimum.
    sets, draws : int
        Independent sets of draws, and how many each has.
    evaluations, seconds : int, float
        The cost: evaluations of the log density and its gradient, and time with compilation.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins import variational
    >>> with pm.Model() as model:
    ...     x = pm.Normal("x", 3.0)
    ...     y = pm.Normal("y", x, 0.5)
    ...     total = pm.Deterministic("total", x + y)
    ...     mean_field = variational.fit(random_seed=1, progressbar=False)
    >>> response = variational.linear_response(mean_field, random_seed=1, progressbar=False)
    >>> response.uncorrected_sd.round(3), response.gaussian.std.round(3)
    (array([0.447, 0.5  ]), array([1.   , 1.118]))
    >>> found = response.to_dataset()
    >>> found["total"].sel(summary=["sd", "uncorrected_sd"]).values.round(3)
    array([2.062, 0.671])
    """

    gaussian: Snapshot
    optimum: Snapshot
    mcse_mean: FloatArray
    mcse_sd: FloatArray
    distance: OptimumDistance | None
    sets: int
    draws: int
    evaluations: int
    seconds: float
    model: Model = field(repr=False)
    _curvature: Curvature

    @property
    def names(self) -> tuple[str, ...]:
        return element_names(self.gaussian.variables)

    @property
    def uncorrected_sd(self) -> FloatArray:
        return standard_deviations(self.optimum)[self._places]

    @property
    def is_whole(self) -> bool:
        """Whether it is of all variables of the model."""
        return len(self.gaussian.variables) == len(self.optimum.variables)

    @property
    def _places(self) -> NDArray[np.intp]:
        """Where its coordinates are among those of the optimum."""
        slices = self.optimum.slices
        return np.concatenate(
            [np.arange(slices[name].start, slices[name].stop) for name in self.gaussian.names]
        )

    def summary(self) -> pd.DataFrame:
        """A table of the coordinates of the unconstrained space.

        Returns
        -------
        pandas.DataFrame
            Of each coordinate the mean, the corrected sd, the Monte Carlo standard errors of both, and the sd
            without the correction.
        """
        import pandas as pd

        columns = (
            np.asarray(self.gaussian.mean),
            standard_deviations(self.gaussian),
            self.mcse_mean,
            self.mcse_sd,
            self.uncorrected_sd,
        )
        table = dict(zip(SUMMARY, columns, strict=True))
        return pd.DataFrame(table, index=pd.Index(self.names, name="coordinate"))

    def to_dataset(
        self, var_names: str | Sequence[str] | None = None, progressbar: bool = True
    ) -> xr.Dataset:
        """Means and corrected standard deviations of the model's own variables, and of its Deterministics.

        A function g of the variables has the mean E_q[g] under the optimum q. Its variance is what linear
        response gives that mean, by how much it grows as the log density is tilted along g itself, and the
        variance under q of what is left of g without its combination of linear and quadratic terms, to which
        q does not respond: Var_q(g) + sᵀ H⁻¹ s − sᵀ s, with s = ∇E_q[g] and H the Hessian of −ELBO in
        coordinates in which the Fisher information of the family is the identity. It is exact where q is the
        posterior, and for linear functions linear response alone. `diagnose` does not judge these numbers,
        but the Gaussian over the unconstrained variables.

        Parameters
        ----------
        var_names : str or sequence of str, optional
            Free variables and Deterministics; by default all that are continuous functions of the variables
            of this response, and finite.
        progressbar : bool
            Whether to show what is being done, in a terminal or notebook.

        Returns
        -------
        xarray.Dataset
            By the model's names of variables, with its dimensions and coordinates. The dimension ``summary``,
            as in ``arviz.summary(fmt="xarray")`` of ArviZ 1, is ``mean``, ``sd``, their Monte Carlo standard
            errors ``mcse_mean`` and ``mcse_sd``, and ``uncorrected_sd``, without the correction.

        Raises
        ------
        ValueError
            If the model has no such variable, or it is constant, random by itself, discrete, seen to jump, or
            not finite at all draws; if there are too many elements for the memory.

        Warns
        -----
        UserWarning
            If variables that were not named are left out, as they jump or are not finite at all draws.
        """
        import xarray as xr

        among = self.gaussian.names if var_names is None else self.optimum.names
        wanted = functions_of(self.model, among, var_names)
        functions = Functions(self.model, self.optimum.variables, wanted, np.asarray(self.optimum.mean))
        if self.sets * functions.size * len(self._curvature.place) > DENSE_NUMBERS:
            raise ValueError(ResponseText.TOO_MANY.told(count=functions.size))
        with answered_in_time(), progress_line(progressbar, lasting=False) as report:
            report("moments of the model's variables")
            moments = function_moments(functions, self._curvature)
            finite = np.isfinite(moments.sd) & np.isfinite(moments.sides_of_sets).all(axis=(0, 2))
            problems = {
                name: told.told(name=name)
                for problem, told in ((~finite, ResponseText.NOT_FINITE), (moments.jumps, ResponseText.JUMPS))
                for name, has_it in functions.split(problem).items()
                if has_it.any()
            }
            shapes = {name: shape for name, shape in functions.shapes.items() if name not in problems}
            if problems and (var_names is not None or not shapes):
                raise ValueError(next(iter(problems.values())))
            solved = self._curvature.solved(np.where(finite[:, None], moments.sides, 0.0), report)
        if problems:
            warnings.warn(ResponseText.LEFT_OUT.told(names=some_of(list(problems))), stacklevel=2)
        sd, sd_error = moments.sds(solved)
        values = functions.split(np.stack([moments.mean, sd, moments.mean_error, sd_error, moments.sd]))
        dims, coords = dims_and_coords(self.model, shapes)
        data = {name: (("summary", *dims[name]), values[name]) for name in shapes}
        return xr.Dataset(data, coords={"summary": list(SUMMARY), **coords})

    def _lines(self) -> list[str]:
        """What is said above the table."""
        ratio = standard_deviations(self.gaussian) / self.uncorrected_sd
        error = self.mcse_sd / standard_deviations(self.gaussian)
        family = family_of(self.optimum.covariance)
        kind = (
            "mean-field"
            if isinstance(family, MeanFieldScales)
            else "full-rank"
            if family.every_correlation
            else "grouped"
        )
        cost = ResponseText.COST.told(
            sets=self.sets, draws=self.draws, evaluations=self.evaluations, seconds=self.seconds
        )
        lines = [ResponseText.HEADLINE.told(family=kind, cost=cost)]
        if not self.is_whole:
            lines.append(ResponseText.PARTIAL.told(names=some_of(self.gaussian.names)))
        same = bool(np.all(abs(ratio - 1.0) < SAME))
        told = ResponseText.SDS_SAME if same else ResponseText.SDS
        lines.append(told.told(least=ratio.min(), most=ratio.max()))
        worst = int(np.argmax(error))
        percent = rounded_up(100.0 * max(float(error[worst]), LEAST_ERROR))
        lines.append(ResponseText.ERROR.told(error=f"{percent}%", name=self.names[worst]))
        if self.distance is not None:
            lines.append(ResponseText.MOVED.told(jeffreys=self.distance.jeffreys))
        return [*lines, ResponseText.TRUST.told()]

    def __repr__(self) -> str:
        table = self.summary()
        hidden = [f"... and {len(table) - ROWS:,d} more"] if len(table) > ROWS else []
        shown = table.head(ROWS).to_string(float_format=lambda x: f"{x:.4g}")
        return "\n".join([*self._lines(), "", shown, *hidden])

    def _repr_html_(self) -> str:
        return block(listed(self._lines()), frame(self.summary(), ROWS))
