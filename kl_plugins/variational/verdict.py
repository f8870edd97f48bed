"""The verdict on an approximation, in words: trust, trust after importance resampling, do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kl_plugins.variational.distance import OptimumDistance
from kl_plugins.variational.importance import Estimate, Importance, Moments
from kl_plugins.variational.modes import Mode

Array = NDArray[np.float64]

ERRORS = 2.0
"""A deviation counts where it exceeds the tolerance by so many standard errors."""
RIVAL = -4.0
"""A local optimum whose ELBO is less than this far below may hold some percent of the posterior."""
SEEN = 0.01
"""Less of the posterior than this out of reach goes unmentioned."""

HEADLINES = {
    "trust": "Trust it",
    "resample": "Trust it after importance resampling",
    "reject": "Do not trust it",
}


UNSEEN = "other modes were looked for at random up to 30 sd away; that none was met does not exclude them"


class Fault(NamedTuple):
    """A coordinate that the approximation gets wrong: the mean's error in posterior sds, the ratio of sds."""

    name: str
    shift: Estimate
    sd_ratio: Estimate

    def __str__(self) -> str:
        return f"{self.name} (mean off by {self.shift} sd, sd {self.sd_ratio} of the posterior's)"


class Comparison(NamedTuple):
    """What is wrong with moments next to the posterior's, worst first, and whether that is known at all.

    Of every coordinate the error of the mean in posterior sds and the logarithm of the ratio of sds, each
    with its standard error.
    """

    faults: tuple[Fault, ...]
    known: bool
    shift: Array
    shift_error: Array
    log_ratio: Array
    log_ratio_error: Array

    @property
    def right(self) -> bool:
        return self.known and not self.faults


@dataclass(frozen=True)
class Verdict:
    """Whether to trust an approximation.

    Attributes
    ----------
    level : {"trust", "resample", "reject"}
        Means and standard deviations are right to the tolerance as they are; after importance resampling;
        not, or not as far as can be known.
    faults : tuple of Fault
        The coordinates that the approximation itself gets wrong, worst first.
    reasons : tuple of str
    advice : str
    """

    level: str
    faults: tuple[Fault, ...]
    reasons: tuple[str, ...]
    advice: str

    def __str__(self) -> str:
        lines = [f"{HEADLINES[self.level]}. {self.advice}".strip()]
        return "\n".join([*lines, *(f"- {reason}" for reason in self.reasons)])


class Evidence(NamedTuple):
    """Everything that a verdict rests on: the posterior's moments as well as they are known, and the rest.

    `source` says where `truth` comes from; `reliable` whether its errors can be believed. `best` holds the
    mean and sd of the best of the family, `full_rank` those of the best full-rank Gaussian.
    """

    names: Sequence[str]
    raw: Moments
    weighted: Moments
    moment_k: Array
    truth: Moments
    source: str
    by_reference: bool
    reliable: bool
    importance: Importance
    missed: Estimate
    modes: tuple[Mode, ...]
    distance: OptimumDistance | None
    best: Moments | None
    full_rank: Moments | None
    mean_field: bool
    tolerance: float
    optimum_tolerance: float


def compare_moments(names: Sequence[str], given: Moments, truth: Moments, tolerance: float) -> Comparison:
    """Which means are off by more than the tolerance times the posterior's sd, which sds by that share."""
    sd = np.maximum(truth.sd, 1e-300)
    shift = (given.mean - truth.mean) / sd
    shift_error = np.hypot(given.mean_error, truth.mean_error) / sd
    with np.errstate(divide="ignore"):
        change = np.log(given.sd / sd)
    change_error = np.hypot(given.sd_error / np.maximum(given.sd, 1e-300), truth.sd_error / sd)
    beyond = np.maximum(abs(shift) - ERRORS * shift_error, abs(change) - ERRORS * change_error)
    size = np.hypot(shift, change)
    wrong = [i for i in np.argsort(-size) if beyond[i] > tolerance]
    known = bool((ERRORS * np.maximum(shift_error, change_error) <= tolerance)[beyond <= tolerance].all())
    ratio = np.exp(change)
    faults = tuple(
        Fault(
            names[i],
            Estimate(float(shift[i]), float(shift_error[i])),
            Estimate(float(ratio[i]), float(ratio[i] * change_error[i])),
        )
        for i in wrong
    )
    known = known and bool(np.isfinite(size).all())
    return Comparison(faults, known, shift, shift_error, change, change_error)


def verdict_on(evidence: Evidence) -> Verdict:
    """Put together what is known of the posterior, k̂ and the distance to the optimum."""
    importance, names = evidence.importance, evidence.names
    raw = compare_moments(names, evidence.raw, evidence.truth, evidence.tolerance)
    weighted = compare_moments(names, evidence.weighted, evidence.truth, evidence.tolerance)
    rivals = () if evidence.by_reference else _rivals(evidence)
    known = evidence.reliable and not rivals
    if known and raw.right and (importance.reliable or evidence.by_reference):
        level = "trust"
    elif known and weighted.right and importance.reliable and not heavy_tails(evidence):
        level = "resample"
    else:
        level = "reject"
    known_of = _about_k(evidence, raw, weighted), _about_moments(evidence, raw), _about_optimum(evidence)
    unseen = () if evidence.by_reference or rivals else (UNSEEN,)
    reasons = [*known_of, *rivals, *unseen]
    return Verdict(level, raw.faults, tuple(reasons), _advice(evidence, level, raw, bool(rivals)))


def _rivals(evidence: Evidence) -> tuple[str, ...]:
    """What speaks for parts of the posterior that the fit does not cover."""
    found = []
    if evidence.modes:
        shares = ", ".join(f"{mode.share:.0%}" for mode in evidence.modes[:5])
        found.append(f"there are other modes, with about {shares} of the posterior by Laplace's method")
    if evidence.distance is not None and any(gap > RIVAL for gap in evidence.distance.other_optima):
        found.append(
            "the ELBO has another optimum of almost the same height: the posterior may have several modes, "
            "and draws of one say nothing of another"
        )
    return tuple(found)


def heavy_tails(evidence: Evidence) -> list[tuple[str, float]]:
    """Coordinates whose variance is in a tail that weights do not make up for, with their k̂."""
    beyond = np.flatnonzero(evidence.moment_k > evidence.importance.threshold)
    order = beyond[np.argsort(-evidence.moment_k[beyond])]
    return [(evidence.names[i], float(evidence.moment_k[i])) for i in order]


def _about_k(evidence: Evidence, raw: Comparison, weighted: Comparison) -> str:
    importance = evidence.importance
    k, threshold = importance.k, importance.threshold
    share = f"{importance.draws:,d} draws are worth {importance.ess:,.0f} weighted ones"
    if not importance.reliable:
        return f"k̂ = {k} is above {threshold:.2f}: weights cannot repair it"
    near = ", though within its error" if k.value + ERRORS * k.error > threshold else ""
    text = f"k̂ = {k} is below {threshold:.2f}{near}: {share}"
    missed = evidence.missed
    if missed.value > max(SEEN, 3.0 * missed.error):
        text += f". {1.0 - np.exp(-missed.value):.0%} of the posterior is out of the reach of its draws"
    if heavy := heavy_tails(evidence):
        listed = ", ".join(f"{name} ({k:.2f})" for name, k in heavy[:5])
        text += f". But k̂ of the squares is above it for {listed}: the tail there is beyond the weights too"
    elif weighted.faults and raw.faults and evidence.reliable:
        text += (
            f". But by {evidence.source}, which reach further, even the weighted estimates are wrong: "
            f"{_listed(weighted.faults)}"
        )
    return text


def _about_moments(evidence: Evidence, raw: Comparison) -> str:
    by = f"by {evidence.source}"
    if raw.faults:
        return f"{by}: {_listed(raw.faults)}"
    if not evidence.reliable:
        return f"{by} nothing is certain: their own weights have too heavy a tail"
    if not raw.known:
        return f"{by} the errors are not known to {evidence.tolerance:g} sd: more draws are needed"
    if not (evidence.importance.reliable or evidence.by_reference):
        return f"{by}, which may not reach far enough, no mean or sd is seen to be wrong"
    return f"{by} all means and sds are right to {evidence.tolerance:g} sd"


def _about_optimum(evidence: Evidence) -> str:
    distance = evidence.distance
    if distance is None:
        return "the distance to the best of the family was not computed"
    text = f"Jeffreys divergence to the best of its family {jeffreys_to_optimum(distance)} nats"
    if not distance.reached:
        return f"{text}, which is not known well: {distance.reason}"
    return f"{text} ({'at' if at_optimum(evidence) else 'not at'} the optimum)"


def jeffreys_to_optimum(distance: OptimumDistance) -> Estimate:
    """The Jeffreys divergence with half of its interval as the error."""
    low, high = distance.interval
    return Estimate(distance.jeffreys, 0.5 * (high - low))


def at_optimum(evidence: Evidence) -> bool:
    """Whether the fit is as close to the best of its family as was asked for."""
    return evidence.distance is not None and evidence.distance.interval[0] <= evidence.optimum_tolerance


def _advice(evidence: Evidence, level: str, raw: Comparison, rivals: bool) -> str:
    if level == "trust":
        return (
            "" if at_optimum(evidence) or evidence.distance is None else "A longer fit would be closer yet."
        )
    resample = "Weight or resample its draws before use. " if level == "resample" else ""
    if rivals:
        return resample + "Run NUTS from several starts."

    def would_do(moments: Moments | None) -> bool:
        if moments is None or not evidence.reliable:
            return False
        return compare_moments(evidence.names, moments, evidence.truth, evidence.tolerance).right

    if evidence.distance is not None and not at_optimum(evidence) and would_do(evidence.best):
        return resample + "The fit has not converged: the best of its family would do (variational.fit)."
    seen = evidence.importance.reliable or evidence.by_reference or bool(raw.faults)
    if evidence.mean_field and seen and would_do(evidence.full_rank):
        return resample + (
            "The independence of mean-field is at fault: a full-rank fit would do (method='fullrank_advi')."
        )
    if evidence.distance is not None and not at_optimum(evidence):
        resample += "The fit has not converged. "
    if level == "resample":
        return resample.strip()
    if not raw.faults:
        return resample + "Draw more, or run NUTS."
    if evidence.reliable and evidence.full_rank is not None:
        return resample + "No Gaussian of these coordinates will do: reparametrise, or run NUTS."
    return resample + "Reparametrise, or run NUTS."


def _listed(faults: Sequence[Fault], most: int = 5) -> str:
    more = f" and {len(faults) - most} more" if len(faults) > most else ""
    return ", ".join(str(fault) for fault in faults[:most]) + more
