"""What `diagnose` finds out, in numbers: what the words, tables and pictures of a diagnosis are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.full import Dense
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.evidence.bounds import ErrorBounds
from kl_plugins.variational.evidence.figures import Elements, FullRankOptimum
from kl_plugins.variational.evidence.importance import FINITE_VARIANCE, Importance
from kl_plugins.variational.evidence.modes import Mode
from kl_plugins.variational.evidence.moments import Estimate, MarginalKL, Moments
from kl_plugins.variational.evidence.proposals import Survey
from kl_plugins.variational.evidence.references import Reference
from kl_plugins.variational.evidence.slopes import SlopeMisfit
from kl_plugins.variational.optimum.distance import OptimumDistance
from kl_plugins.variational.report.grounds import jeffreys_to_optimum
from kl_plugins.variational.report.verdict import Verdict


@dataclass(frozen=True, repr=False)
class Findings:
    """All that is known of an approximation; `Diagnosis` says what each attribute is."""

    verdict: Verdict
    verdict_without_reference: Verdict
    approximation: Snapshot
    names: tuple[str, ...]
    importance: Importance
    raw: Moments
    weighted: Moments
    moment_k: FloatArray
    posterior: Moments
    source: str
    survey: Survey
    slopes: SlopeMisfit
    modes: tuple[Mode, ...]
    elements: Elements
    distance: OptimumDistance | None
    full_rank: FullRankOptimum | None
    bounds: ErrorBounds | None
    information_gained: dict[str, float]
    reference: Reference | None
    marginal_kl: MarginalKL
    points: FloatArray
    outside: str = ""
    trajectory: Any = None

    @property
    def kl_to_posterior(self) -> Estimate:
        """KL(q‖posterior) = log p(data) − ELBO, in nats, by the draws that know the evidence best."""
        if self.outside:
            return Estimate(np.inf, 0.0)
        if self._own_draws_know:
            return self.importance.kl_to_posterior
        evidence, elbo = self.survey.importance.log_evidence, self.importance.elbo
        return Estimate(max(evidence.value - elbo.value, 0.0), float(np.hypot(evidence.error, elbo.error)))

    @property
    def log_evidence(self) -> Estimate:
        """log p(data), in nats, by the draws that know it best: q's own only where they miss nothing."""
        by = self.importance if self._own_draws_know else self.survey.importance
        return by.log_evidence

    @property
    def _own_draws_know(self) -> bool:
        """Whether q's own draws know the evidence, and better than the wide ones.

        Above k̂ = ½ their ratios have no variance, and an average that is mostly too low.
        """
        own, wide = self.importance.log_evidence, self.survey.importance.log_evidence
        missed = self.survey.evidence_missed(self.importance)
        harmless = self.importance.k.value <= FINITE_VARIANCE or self.importance.even
        return harmless and own.error < wide.error and abs(missed.value) <= 3.0 * missed.error

    def scalars(self) -> dict[str, Estimate]:
        """The numbers that concern the whole approximation, with their standard errors; nats."""
        importance = self.importance
        found = {
            "elbo": Estimate(-np.inf, 0.0) if self.outside else importance.elbo,
            "khat": importance.k,
            "log_evidence": self.log_evidence,
            "kl_to_posterior": self.kl_to_posterior,
            "evidence_missed": self.survey.evidence_missed(importance),
        }
        if self.bounds is not None:
            found["divergence_bound"] = self.bounds.divergence
        if self.distance is not None:
            found["jeffreys_to_optimum"] = jeffreys_to_optimum(self.distance)
            found["elbo_gap_to_optimum"] = Estimate(self.distance.elbo_gap, self.distance.elbo_gap_error)
        if self.full_rank is not None:
            found["kl_to_full_rank"] = self.full_rank.kl_to
            found["kl_from_full_rank"] = self.full_rank.kl_from
            found["elbo_gain_of_full_rank"] = self.full_rank.elbo_gain
        if self.reference is not None:
            found["kl_to_reference"] = self.reference.kl_to
            found["kl_from_reference"] = self.reference.kl_from
        return found

    def posterior_gaussian(self) -> Snapshot:
        """The Gaussian with the posterior's moments as well as they are known."""
        if self.reference is not None:
            return self.reference.gaussian
        mean, sd = self.survey.moments.mean, self.survey.moments.sd
        structure: Covariance
        try:
            structure = Dense(self.survey.importance.covariance(self.survey.points))
        except np.linalg.LinAlgError:  # all weight is on a draw or two, that tell no correlations
            structure = DiagonalScales(np.maximum(sd, np.spacing(np.maximum(abs(mean), 1e-300))))
        return NamedMultivariateNormal(mean, structure, self.approximation.variables)
