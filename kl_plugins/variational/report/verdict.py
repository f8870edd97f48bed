"""The verdict on an approximation: trust, trust after importance resampling, do not; and why."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from kl_plugins.html import AMBER, GREEN, RED, Html, block, coloured, listed, paragraph
from kl_plugins.variational.evidence.importance import MOST_SHAPE
from kl_plugins.variational.evidence.modes import DIMENSIONS
from kl_plugins.variational.evidence.moments import ERRORS, Discrepancy, MomentComparison, Moments
from kl_plugins.variational.optimum.draw_counts import FULL_RANK_DIMENSIONS
from kl_plugins.variational.optimum.reasons import Reason
from kl_plugins.variational.report.formatting import against_limit, khat_against_threshold
from kl_plugins.variational.report.grounds import Grounds, jeffreys_to_optimum
from kl_plugins.variational.report.wording import Advice, Conclusion, Finding, Found

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

    @property
    def colour(self) -> str:
        return {Level.TRUST: GREEN, Level.RESAMPLE: AMBER, Level.REJECT: RED}[self]


TO_DO = "What to do:"


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
        What each check found: support, means and sds, importance ratios, convergence, other modes.
    findings : tuple of Finding
        The same for programs: the enumeration that each reason is told by.
    advice : str
        What to do: the least that would help, by what is known. Empty where nothing is called for.
    conclusion : str
        Why it is at that level, in one clause.
    """

    level: Level
    discrepancies: tuple[Discrepancy, ...]
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    advice: str
    conclusion: str

    @property
    def faults(self) -> tuple[Discrepancy, ...]:
        """The former name of `discrepancies`."""
        warnings.warn("Verdict.faults is called discrepancies now", DeprecationWarning, stacklevel=2)
        return self.discrepancies

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        return f"{self.level.headline}: {self.conclusion}."

    def _repr_html_(self) -> Html:
        level = coloured(f"{self.level.headline}:", self.level.colour)
        todo = paragraph(f"{TO_DO} {self.advice}") if self.advice else ""
        return block(paragraph(level, f" {self.conclusion}."), todo, listed(self.reasons))

    def __str__(self) -> str:
        todo = [f"{TO_DO} {self.advice}"] if self.advice else []
        return "\n".join([self.headline, *todo, *(f"- {reason}" for reason in self.reasons)])


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
    outside = (Found.of(Finding.OUTSIDE_SUPPORT, where=grounds.outside),) if grounds.outside else ()
    modes = () if grounds.by_reference else rivals or (_no_modes(grounds),)
    ratios = _about_ratios(grounds, level, raw, weighted)
    shape = _about_shape(grounds, level, raw)
    found = (*outside, _about_moments(grounds, raw), *shape, *ratios, _about_optimum(grounds), *modes)
    first, *further = _advice(grounds, level, raw, bool(rivals)) or [""]
    # Resampling is enough by itself: what else would help is another way.
    advice = (
        (" Or: " if level is Level.RESAMPLE and further else " ").join([first, " ".join(further)]).strip()
    )
    conclusion = _conclusion(grounds, level, raw, bool(rivals))
    reasons, findings = tuple(one.text for one in found), tuple(one.finding for one in found)
    return Verdict(level, raw.discrepancies, reasons, findings, advice, conclusion)


def _conclusion(grounds: Grounds, level: Level, raw: MomentComparison, rivals: bool) -> str:
    """Why the approximation is at this level, in one clause."""
    if level is Level.TRUST:
        right = Conclusion.RIGHT_BY_REFERENCE if grounds.by_reference else Conclusion.RIGHT
        return right.told(tolerance=grounds.tolerance)
    if level is Level.RESAMPLE:
        return Conclusion.CORRECTABLE.told(tolerance=grounds.tolerance)
    if rivals:
        return Conclusion.OTHER_MODES.told()
    if raw.discrepancies:
        return Conclusion.WRONG.told(wrong=len(raw.discrepancies), count=len(grounds.names))
    if shape := grounds.other_shape():
        return Conclusion.OTHER_SHAPE.told(names=_listed([name for name, _ in shape]))
    return Conclusion.NOT_KNOWN.told()


def _no_modes(grounds: Grounds) -> Found:
    return Found.of(Finding.NO_OTHER_MODES if grounds.sought else Finding.MODES_NOT_SOUGHT, most=DIMENSIONS)


def _rivals(grounds: Grounds) -> tuple[Found, ...]:
    """What speaks for parts of the posterior that the fit does not cover."""
    found = []
    if grounds.modes:
        shares = _listed([f"{mode.share:.0%}" for mode in grounds.modes])
        found.append(Found.of(Finding.OTHER_MODES, shares=shares))
        if any(mode.copy for mode in grounds.modes):
            found.append(Found.of(Finding.MIRROR_IMAGES))
    if grounds.distance is not None and any(gap > RIVAL for gap in grounds.distance.other_optima):
        found.append(Found.of(Finding.RIVAL_OPTIMUM))
    return tuple(found)


def _about_ratios(
    grounds: Grounds, level: Level, raw: MomentComparison, weighted: MomentComparison
) -> tuple[Found, ...]:
    """What k̂ says, and what it does not see."""
    importance = grounds.importance
    if importance.equal:
        return (Found.of(Finding.RATIOS_EQUAL_INSIDE if grounds.outside else Finding.RATIOS_EQUAL),)
    k, above, threshold = khat_against_threshold(importance)
    details = {"khat": k, "threshold": threshold, "ess": importance.ess, "draws": importance.draws}
    if not importance.reliable:
        return (Found.of(Finding.RATIOS_HEAVY, **details),)
    if above:
        return (Found.of(Finding.RATIOS_EVEN, **details),)
    unsure = importance.k.value + ERRORS * importance.k.error > importance.threshold
    light = Finding.RATIOS_BORDERLINE if unsure else Finding.RATIOS_LIGHT
    told = [Found.of(light, **details, errors=ERRORS)]
    missed = grounds.missed
    if missed.value > max(SEEN, 3.0 * missed.error):
        lost = Finding.MASS_MISSED_OF_NO_ACCOUNT if level is Level.RESAMPLE else Finding.MASS_MISSED
        told.append(Found.of(lost, share=1.0 - np.exp(-missed.value)))
    if heavy := grounds.heavy_tails():
        names = [f"{name} ({against_limit(k, importance.threshold, kind='f').value})" for name, k in heavy]
        told.append(Found.of(Finding.VARIANCES_HEAVY, threshold=threshold, names=_listed(names)))
    elif weighted.discrepancies and raw.discrepancies and grounds.reliable:
        wrong = _listed(weighted.discrepancies)
        told.append(Found.of(Finding.WEIGHTED_WRONG, source=grounds.source, wrong=wrong))
    elif raw.discrepancies and grounds.reliable and not weighted.known:
        told.append(Found.of(Finding.WEIGHTED_NOT_KNOWN, tolerance=grounds.tolerance))
    return tuple(told)


def _about_moments(grounds: Grounds, raw: MomentComparison) -> Found:
    """What is wrong with means and standard deviations, and how well that is known."""
    wrong = {discrepancy.name for discrepancy in raw.discrepancies}
    beyond = [grounds.names[int(i)] for i in np.flatnonzero(np.isinf(grounds.truth.sd_error))]
    unknown = [name for name in beyond if name not in wrong]
    if not grounds.reliable:
        found = Finding.MOMENTS_NOT_KNOWN
    elif raw.discrepancies:
        found = Finding.MOMENTS_WRONG_AND_UNKNOWN if unknown else Finding.MOMENTS_WRONG
    elif unknown:
        found = Finding.SDS_NOT_KNOWN
    elif not raw.known:
        found = Finding.MOMENTS_NEED_DRAWS
    elif not (grounds.importance.reliable or grounds.by_reference):
        found = Finding.MOMENTS_NOT_SEEN_WRONG
    else:
        found = Finding.MOMENTS_RIGHT
    return Found.of(
        found,
        source=grounds.source,
        tolerance=grounds.tolerance,
        wrong=_listed(raw.discrepancies),
        names=_listed(unknown),
    )


def _about_shape(grounds: Grounds, level: Level, raw: MomentComparison) -> tuple[Found, ...]:
    """Where the posterior's shape is another, if a rejection has no moments to name that are wrong."""
    shape = grounds.other_shape()
    if level is not Level.REJECT or raw.discrepancies or not shape:
        return ()
    return (Found.of(Finding.OTHER_SHAPE, names=_listed([f"{n} ({misfit:.0%})" for n, misfit in shape])),)


def _about_optimum(grounds: Grounds) -> Found:
    """How far the fit is from the optimum of its family."""
    distance = grounds.distance
    if distance is None:
        return Found.of(Finding.NOT_COMPARED, most=FULL_RANK_DIMENSIONS)
    if not distance.known:
        obstacle = distance.obstacle
        if obstacle is not None and obstacle.reason is Reason.DISCONTINUOUS:
            return Found.of(Finding.OPTIMUM_NOT_KNOWN, reason=obstacle.what)  # the advice has the remedy
        return Found.of(Finding.OPTIMUM_NOT_KNOWN, reason=distance.reason)
    if grounds.corrected:
        found = Finding.CORRECTED
    elif not distance.reached and not grounds.outside:
        found = Finding.OPTIMUM_UNSURE
    elif not grounds.at_optimum:
        found = Finding.NOT_CONVERGED
    elif distance.jeffreys > grounds.optimum_tolerance:
        found = Finding.CONVERGED_WITHIN_ERROR
    else:
        found = Finding.CONVERGED
    jeffreys = jeffreys_to_optimum(distance)
    return Found.of(found, jeffreys=jeffreys, tolerance=grounds.optimum_tolerance, reason=distance.reason)


def _advice(grounds: Grounds, level: Level, raw: MomentComparison, rivals: bool) -> list[str]:
    """What to do: the least that would help, by what is known."""
    if level is Level.TRUST:
        return [Advice.REFINE.told()] if grounds.away_from_optimum else []
    resample = [Advice.RESAMPLE.told()] if level is Level.RESAMPLE else []
    if rivals:
        return [*resample, Advice.SEVERAL_CHAINS.told()]
    obstacle = None if grounds.distance is None else grounds.distance.obstacle
    if obstacle is not None and obstacle.reason is Reason.DISCONTINUOUS:
        return [*resample, Advice.SMOOTH.told(remedy=obstacle.remedy)]
    if grounds.outside:
        resample.append(Advice.TRANSFORM.told())
        if not raw.discrepancies:
            return resample

    def would_do(moments: Moments | None) -> bool:
        return moments is not None and grounds.reliable and grounds.compare(moments).right

    def may_do(moments: Moments | None) -> bool:
        return moments is not None and not (grounds.reliable and grounds.compare(moments).discrepancies)

    if grounds.away_from_optimum and would_do(grounds.best):
        return [*resample, Advice.REFIT.told()]
    seen = grounds.importance.reliable or grounds.by_reference or bool(raw.discrepancies)
    if grounds.mean_field and seen and would_do(grounds.full_rank):
        return [*resample, _advice_of_full_rank(grounds, raw)]
    if grounds.away_from_optimum:
        resample.append(Advice.CONVERGE.told())
    if level is Level.RESAMPLE:
        return resample
    if grounds.untried or (grounds.mean_field and raw.discrepancies and may_do(grounds.full_rank)):
        tried = Advice.TRY_FULL_RANK_OR_REPARAMETRISE if grounds.hierarchical else Advice.TRY_FULL_RANK
        return [*resample, tried.told()]
    if not raw.discrepancies:
        return [*resample, _advice_of_nothing_seen(grounds, raw).told()]
    if not may_do(grounds.full_rank) and grounds.full_rank is not None:
        none = Advice.NO_GAUSSIAN_NON_CENTRED if grounds.hierarchical else Advice.NO_GAUSSIAN
        return [*resample, none.told()]
    other = Advice.NON_CENTRED if grounds.hierarchical else Advice.REPARAMETRISE
    return [*resample, other.told()]


def _advice_of_full_rank(grounds: Grounds, raw: MomentComparison) -> str:
    """Where the best full-rank Gaussian is right: whether independence is the cause takes a known optimum."""
    not_known = Advice.FULL_RANK_CAUSE_NOT_KNOWN.told()
    distance, best = grounds.distance, grounds.best
    if grounds.corrected or distance is None or best is None or not distance.reached:
        return not_known
    if grounds.away_from_optimum:
        wrong = grounds.reliable and grounds.compare(best).discrepancies
        family = "the best that was found of that rank" if distance.low_rank else "mean-field"
        return Advice.FULL_RANK_UNCONVERGED.told(family=family) if wrong else not_known
    lack = "the low rank" if distance.low_rank else "mean-field's independence"
    return Advice.FULL_RANK.told(lack=lack) if raw.discrepancies else not_known


def _advice_of_nothing_seen(grounds: Grounds, raw: MomentComparison) -> Advice:
    """Where no fault is seen, and nothing says that there is none."""
    importance = grounds.importance
    few = importance.threshold < importance.k.value <= MOST_SHAPE  # with more draws the threshold would rise
    unsure = importance.reliable and grounds.reliable and not raw.known
    if few or (unsure and np.isfinite(grounds.truth.sd_error).all()):
        return Advice.MORE_DRAWS
    return Advice.TRY_FULL_RANK_OR_REPARAMETRISE if grounds.mean_field else Advice.NON_CENTRED


def _listed(found: Sequence[object], most: int = 5) -> str:
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(map(str, found[:most])) + more
