"""How far a fit is known to be from the best approximation of its family, while it stays as it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymc.model import Model

from kl_plugins.dispatch import jeffreys
from kl_plugins.families.named import Snapshot
from kl_plugins.html import GREEN, RED, block, coloured, folded, paragraph, table
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.search import STRICTNESS, Agreement
from kl_plugins.variational.report.formatting import against_limit, rounded_up
from kl_plugins.variational.report.wording import CertificateText
from kl_plugins.variational.target.contents import contents
from kl_plugins.variational.target.parameters import Parameters


@dataclass(frozen=True, repr=False, eq=False)
class Certificate:
    """How far a fit is from the best approximation of its family.

    Attributes
    ----------
    certified : bool
        Whether the Jeffreys divergence to the optimum is at most `tolerance`, as far as independent sets of
        draws can tell. False from when the approximation's parameters are changed, as by fitting it further,
        or the model's data, as by ``pm.set_data``.
    jeffreys : float
        What it was found to be, in nats: the largest of the disagreements of the last two pairs of
        independent optima and of what fresh draws would still have moved. To be certified takes a quarter of
        the tolerance. Infinite where nothing is known of the optimum.
    tolerance : float
        What was asked of `fit`, in nats.
    reason : str
        Why the approximation is not certified; empty where it is.
    changed : bool
        Whether the approximation has other parameters now than `distribution`.
    distribution : NamedMultivariateNormal
        The Gaussian that was found: what the certificate is of.
    draws : int
        Number of draws in each of the last sets.
    history : tuple of (draws, jeffreys)
        The disagreement of every pair.
    starts : int
        From how many points the search began. The optimum is the best that any of them led to: no search
        finds all.
    other_optima : tuple of float
        ELBOs, less this fit's, of other local optima that were met.
    evaluations, seconds : int, float
        The cost: evaluations of the log density and its gradient, and time with compilation.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins import variational
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 2.0)
    ...     approximation = variational.fit(random_seed=1, progressbar=False)
    >>> certificate = approximation.certificate
    >>> certificate.certified, certificate.jeffreys < certificate.tolerance / 4
    (True, True)
    """

    jeffreys: float
    tolerance: float
    draws: int
    starts: int
    evaluations: int
    seconds: float
    history: tuple[Agreement, ...]
    other_optima: tuple[float, ...]
    distribution: Snapshot
    _not_found: str
    _parameters: Parameters
    _written: FloatArray
    _model: Model
    _data: tuple[bytes, ...]

    @property
    def certified(self) -> bool:
        return not self.reason

    @property
    def changed(self) -> bool:
        return not np.array_equal(self._parameters.read(), self._written)

    @property
    def reason(self) -> str:
        # Parameters and data are shared with whoever goes on, so that this is asked anew each time.
        return self._change() or self._not_found

    def holds_within(self, tolerance: float) -> bool:
        """Whether it is certified within this tolerance, in nats, too."""
        return self.certified and STRICTNESS * self.jeffreys <= tolerance

    def _change(self) -> str:
        """That the data or the parameters are others than those certified; empty where they are the same."""
        if contents(self._model) != self._data:
            return CertificateText.DATA_CHANGED.told()
        if not self.changed:
            return ""
        (now,) = self._parameters.coordinates(self._parameters.read()[None])
        if not np.isfinite(now).all():
            return CertificateText.CHANGED_TO_INFINITY.told()
        moved = jeffreys(self._parameters.distribution(now), self.distribution)
        return CertificateText.CHANGED_BY.told(moved=moved)

    def __repr__(self) -> str:
        return f"Certificate({self})"

    def __str__(self) -> str:
        if change := self._change():
            return CertificateText.CHANGED.told(reason=change)
        cost = CertificateText.COST.told(draws=self.draws, evaluations=self.evaluations, seconds=self.seconds)
        if self.certified:
            return CertificateText.CERTIFIED.told(
                jeffreys=rounded_up(self.jeffreys), tolerance=self.tolerance, starts=self.starts, cost=cost
            )
        needed = self.tolerance / STRICTNESS
        if not needed < self.jeffreys < np.inf:
            return CertificateText.NOT_CERTIFIED.told(reason=self.reason, cost=cost)
        found = against_limit(self.jeffreys, needed)
        return CertificateText.NOT_CERTIFIED_BY.told(
            reason=self.reason, jeffreys=found.value, needed=found.limit, cost=cost
        )

    def _repr_html_(self) -> str:
        if not self.certified:
            line = paragraph(coloured("Not certified", RED), f": {self.reason}.")
            if self._change():  # the numbers are of what it was
                return block(line)
        else:
            line = paragraph(coloured("Certified", GREEN))
        found = f"{rounded_up(self.jeffreys)} nats" if np.isfinite(self.jeffreys) else "not known"
        rows = [
            (AWAY if self.certified else ERROR, found),
            (TOLERANCE, f"{self.tolerance:g} nats, a certificate needs {self.tolerance / STRICTNESS:g}"),
            (DRAWS, f"{self.draws:,d}"),
            (STARTS, f"{self.starts:,d}"),
            (EVALUATIONS, f"{self.evaluations:,d}"),
            (SECONDS, f"{self.seconds:.1f} s"),
        ]
        if self.other_optima:
            rows.append((OTHERS, ", ".join(f"{gap:.3g}" for gap in self.other_optima) + " nats"))
        pairs = [(f"{one.draws:,d}", f"{one.jeffreys:.2g}") for one in self.history]
        return block(line, table(rows), folded(HISTORY, table(pairs, PAIRS)) if pairs else "")


AWAY = "Jeffreys divergence from the best approximation of its family, at most"
ERROR = "Monte Carlo error of the best approximation"
TOLERANCE = "tolerance"
DRAWS = "draws in a set"
STARTS = "starts"
EVALUATIONS = "log-density evaluations"
SECONDS = "time, with compilation"
OTHERS = "ELBOs of other local optima, less this one's"
HISTORY = "how far independent optima were apart"
PAIRS = ("draws", "Jeffreys divergence (nats)")
