"""The verdict on an approximation, in words: trust, trust after importance resampling, do not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from kl_plugins.variational.evidence.importance import MOST_SHAPE
from kl_plugins.variational.evidence.moments import ERRORS, Discrepancy, MomentComparison, Moments
from kl_plugins.variational.optimum.reasons import Reason
from kl_plugins.variational.report.formatting import against_limit, khat_against_threshold
from kl_plugins.variational.report.grounds import Grounds, jeffreys_to_optimum

RIVAL = -4.0
"""A local optimum whose ELBO is less than this far below may hold some percent of the posterior."""
SEEN = 0.01
"""Less of the posterior than this out of reach goes unmentioned."""


class Level(StrEnum):
    """How far an approximation can be trusted."""

    TRUST = "trust"
    RESAMPLE = "resample"
    REJECT = "reject"

    __repr__ = str.__repr__  # users compare with, and print, the text

    @property
    def headline(self) -> str:
        return {
            Level.TRUST: "Trust it",
            Level.RESAMPLE: "Trust it after importance resampling",
            Level.REJECT: "Do not trust it",
        }[self]


UNSEEN = "other modes were looked for; that none was met does not exclude them"
NOT_SOUGHT = "other modes were not looked for: in so many dimensions that would take too long"


@dataclass(frozen=True)
class Verdict:
    """Whether to trust an approximation.

    Attributes
    ----------
    level : {"trust", "resample", "reject"}
        Means and standard deviations are right to the tolerance as they are; after importance resampling;
        not, or not as far as can be known.
    discrepancies : tuple of Discrepancy
        The coordinates that the approximation itself gets wrong, worst first.
    reasons : tuple of str
        What it rests on, a sentence each.
    advice : str
        What to do: the least that would help, by what is known. Empty where nothing is called for.
    """

    level: Level
    discrepancies: tuple[Discrepancy, ...]
    reasons: tuple[str, ...]
    advice: str

    @property
    def faults(self) -> tuple[Discrepancy, ...]:
        """The former name of `discrepancies`."""
        warnings.warn("Verdict.faults is called discrepancies now", DeprecationWarning, stacklevel=2)
        return self.discrepancies

    @property
    def headline(self) -> str:
        """The level in words, and the advice."""
        return f"{self.level.headline}. {self.advice}".strip()

    def __str__(self) -> str:
        return "\n".join([self.headline, *(f"- {reason}" for reason in self.reasons)])


def verdict_on(grounds: Grounds) -> Verdict:
    """Put together what is known of the posterior, k̂ and the distance to the optimum."""
    importance = grounds.importance
    raw, weighted = grounds.compare(grounds.raw), grounds.compare(grounds.weighted)
    rivals = () if grounds.by_reference else _rivals(grounds)
    known = grounds.reliable and not rivals
    if known and raw.right and not grounds.outside and (importance.reliable or grounds.by_reference):
        level = Level.TRUST
    elif known and weighted.right and importance.reliable and not grounds.heavy_tails():
        level = Level.RESAMPLE
    else:
        level = Level.REJECT
    outside = (grounds.outside,) if grounds.outside else ()
    known_of = _about_k(grounds, raw, weighted), _about_moments(grounds, raw), _about_optimum(grounds)
    unseen = () if grounds.by_reference or rivals else (UNSEEN if grounds.sought else NOT_SOUGHT,)
    reasons = [*outside, *known_of, *rivals, *unseen]
    return Verdict(level, raw.discrepancies, tuple(reasons), _advice(grounds, level, raw, bool(rivals)))


def _rivals(grounds: Grounds) -> tuple[str, ...]:
    """What speaks for parts of the posterior that the fit does not cover."""
    found = []
    if grounds.modes:
        shares = _listed([f"{mode.share:.0%}" for mode in grounds.modes])
        found.append(f"there are other modes, with about {shares} of the posterior")
        if any(mode.copy for mode in grounds.modes):
            found.append(
                "some are as high as its own and look like it with signs or labels exchanged: if that is "
                "all, order the elements (pm.distributions.transforms.ordered) or restrict their signs"
            )
    if grounds.distance is not None and any(gap > RIVAL for gap in grounds.distance.other_optima):
        found.append(
            "the ELBO has another optimum of almost the same height: the posterior may have several modes, "
            "and draws of one say nothing of another"
        )
    return tuple(found)


def _about_k(grounds: Grounds, raw: MomentComparison, weighted: MomentComparison) -> str:
    """What k̂ says, and what it does not see."""
    importance = grounds.importance
    k, above, threshold = khat_against_threshold(importance)
    share = f"{importance.draws:,d} draws are worth {importance.ess:,.0f} weighted ones"
    if importance.equal and grounds.outside:
        return "the ratios p/q of its draws are all equal: it is right where the posterior has mass at all"
    if importance.equal:
        return "the ratios p/q of its draws are all equal: as far as they go it is the posterior itself"
    if not importance.reliable:
        return f"k̂ = {k} is above {threshold}: weights cannot repair it"
    if above:
        return f"k̂ = {k} is above {threshold}, but the ratios p/q are nearly equal, without a tail: {share}"
    unsure = importance.k.value + ERRORS * importance.k.error > importance.threshold
    near = f", though within {ERRORS:g} standard errors of it" if unsure else ""
    text = f"k̂ = {k} is not above {threshold}{near}: {share}"
    missed = grounds.missed
    if missed.value > max(SEEN, 3.0 * missed.error):
        text += f". {1.0 - np.exp(-missed.value):.0%} of the posterior is out of the reach of its draws"
    if heavy := grounds.heavy_tails():
        listed = ", ".join(
            f"{name} ({against_limit(k, importance.threshold, kind='f').value})" for name, k in heavy[:5]
        )
        text += f". But k̂ of the squares is above it for {listed}: the tail there is beyond the weights too"
    elif weighted.discrepancies and raw.discrepancies and grounds.reliable:
        text += (
            f". But by {grounds.source}, which reach further, even the weighted estimates are wrong: "
            f"{_listed(weighted.discrepancies)}"
        )
    return text


def _about_moments(grounds: Grounds, raw: MomentComparison) -> str:
    """What is wrong with means and standard deviations, and how well that is known."""
    by = f"by {grounds.source}"
    if not grounds.reliable:
        return f"{by} nothing is certain of means and sds: their own weights have too heavy a tail"
    unknown = [grounds.names[int(i)] for i in np.flatnonzero(np.isinf(grounds.truth.sd_error))]
    if raw.discrepancies:
        rest = " (a tail beyond them hides the rest)" if unknown else ""
        return f"{by}: {_listed(raw.discrepancies)}{rest}"
    if unknown:
        return f"{by} the sds of {_listed(unknown)} are not known: they are in a tail beyond these too"
    if not raw.known:
        return f"{by} the errors are not known to {grounds.tolerance:g} sd: more draws are needed"
    if not (grounds.importance.reliable or grounds.by_reference):
        return f"{by}, which may not reach far enough, no mean or sd is seen to be wrong"
    return f"{by} all means and sds are right to {grounds.tolerance:g} sd"


def _about_optimum(grounds: Grounds) -> str:
    """How far the fit is from the best of its family."""
    distance = grounds.distance
    if distance is None:
        return "the distance to the best of the family was not computed"
    if not distance.known:
        return f"the best of its family is not known: {distance.obstacle.what if distance.obstacle else ''}"
    text = f"Jeffreys divergence to the best of its family {jeffreys_to_optimum(distance)} nats"
    if not distance.reached and not grounds.outside:
        return f"{text}, which is not known well: {distance.reason}"
    if not grounds.at_optimum:
        return f"{text} (not at the optimum)"
    unsure = distance.jeffreys > grounds.optimum_tolerance
    return f"{text} (at the optimum{', to within the error' if unsure else ''})"


def _advice(grounds: Grounds, level: Level, raw: MomentComparison, rivals: bool) -> str:
    """What to do: the least that would help, by what is known."""
    if level is Level.TRUST:
        return "A longer fit would be closer yet." if grounds.away_from_optimum else ""
    resample = "Weight or resample its draws before use. " if level is Level.RESAMPLE else ""
    if rivals:
        return resample + "Run NUTS from several starts."
    obstacle = None if grounds.distance is None else grounds.distance.obstacle
    if obstacle is not None and obstacle.reason is Reason.DISCONTINUOUS:
        return f"{resample}Fits by gradients do not see jumps of the log density. {obstacle.remedy}."
    if grounds.outside:
        resample += "Give the variable a transform to the support of its density. "
        if not raw.discrepancies:
            return resample.strip()

    def would_do(moments: Moments | None) -> bool:
        return moments is not None and grounds.reliable and grounds.compare(moments).right

    def may_do(moments: Moments | None) -> bool:
        return moments is not None and not (grounds.reliable and grounds.compare(moments).discrepancies)

    if grounds.away_from_optimum and would_do(grounds.best):
        return resample + "The fit has not converged: the best of its family would do (variational.fit)."
    seen = grounds.importance.reliable or grounds.by_reference or bool(raw.discrepancies)
    if grounds.mean_field and seen and would_do(grounds.full_rank):
        return resample + (
            "The independence of mean-field is at fault: a full-rank fit would do (method='fullrank_advi')."
        )
    if grounds.away_from_optimum:
        resample += "The fit has not converged. "
    if level is Level.RESAMPLE:
        return resample.strip()
    if grounds.untried or (grounds.mean_field and raw.discrepancies and may_do(grounds.full_rank)):
        return resample + "Look at a full-rank fit (method='fullrank_advi'), or run NUTS."
    if not raw.discrepancies:
        return resample + _advice_of_nothing_seen(grounds, raw)
    if not may_do(grounds.full_rank) and grounds.full_rank is not None:
        return resample + "No Gaussian of these coordinates will do: reparametrise, or run NUTS."
    return resample + "Reparametrise, or run NUTS."


def _advice_of_nothing_seen(grounds: Grounds, raw: MomentComparison) -> str:
    """Where no fault is seen, and nothing says that there is none."""
    importance = grounds.importance
    few = importance.threshold < importance.k.value <= MOST_SHAPE  # with more draws the threshold would rise
    unsure = importance.reliable and grounds.reliable and not raw.known
    if few or (unsure and np.isfinite(grounds.truth.sd_error).all()):
        return "Draw more, or run NUTS."
    other = "Look at a full-rank fit (method='fullrank_advi'), r" if grounds.mean_field else "R"
    return f"{other}eparametrise (a funnel by offsets times its scale: non-centred), or run NUTS."


def _listed(found: Sequence[object], most: int = 5) -> str:
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(map(str, found[:most])) + more
