"""Every sentence that a verdict can say; what is found, what it means and what to do are told here alone."""

from __future__ import annotations

from typing import Any, NamedTuple

from kl_plugins.variational.optimum.reasons import Wording


class Conclusion(Wording):
    """The first sentence of a verdict, after the level: why the approximation is at that level."""

    RIGHT = (
        "as far as the checks can see, every mean and sd of the unconstrained variables is within "
        "{tolerance:g} posterior sd"
    )
    RIGHT_BY_REFERENCE = (
        "every mean and sd of the unconstrained variables agrees with the reference draws to {tolerance:g} "
        "posterior sd"
    )
    CORRECTABLE = (
        "importance weights bring every mean and sd of the unconstrained variables to within {tolerance:g} "
        "posterior sd"
    )
    OTHER_MODES = "the posterior seems to have other modes, which the approximation does not cover"
    WRONG = (
        "the mean or sd of {wrong} of {count} coordinates is wrong, and importance weights do not reliably "
        "correct that"
    )
    OTHER_SHAPE = (
        "the posterior has another shape than the approximation along {names}, and the checks cannot show "
        "that means and sds are right all the same"
    )
    NOT_KNOWN = "no mean or sd was found to be wrong, but the checks cannot show that they are right"


class CertificateText(Wording):
    """What a certificate says."""

    CERTIFIED = (
        "certified: within {jeffreys} nats (Jeffreys divergence) of the best approximation of its family, "
        "tolerance {tolerance:g}; the best of {starts} starts, {cost}"
    )
    NOT_CERTIFIED = "not certified: {reason}; {cost}"
    NOT_CERTIFIED_BY = (
        "not certified: {reason}. The Monte Carlo error of the best approximation is {jeffreys} nats, a "
        "certificate needs {needed}; {cost}"
    )
    CHANGED = "not certified: {reason}"
    CHANGED_BY = (
        "the approximation's parameters have changed since it was certified, by {moved:.2g} nats "
        "(Jeffreys divergence). distance_to_optimum says how far it is now"
    )
    DATA_CHANGED = (
        "the model's data have changed since it was certified. distance_to_optimum says how far it is now"
    )
    CHANGED_TO_INFINITY = (
        "the approximation's parameters have changed since it was certified, and are not finite"
    )
    COST = "{draws:,d} draws, {evaluations:,d} log-density evaluations, {seconds:.1f} s"


class ResponseText(Wording):
    """What a linear response says."""

    HEADLINE = "linear response at the best {family} approximation, {cost}"
    SDS = "sds are {least:.3g} to {most:.3g} times the uncorrected ones"
    SDS_SAME = "sds are the uncorrected ones: there is nothing to correct"
    ERROR = "Monte Carlo error of sds: at most {error} ({name})"
    MOVED = (
        "the approximation given is {jeffreys:.3g} nats (Jeffreys divergence) from that one: means and sds "
        "are those of the optimum"
    )
    PARTIAL = "of {names} alone; all other variables vary with them"
    TRUST = (
        "diagnose(response) says whether they can be trusted: it judges this Gaussian over the unconstrained "
        "variables, and not what to_dataset() has of functions of them"
    )
    UNCERTAIN = (
        "the corrected sd of {names} is known to no more than {error:.0%} (Monte Carlo error): give more "
        "draws, draws={more}, and ask diagnose(response) before you use it"
    )
    NOT_FINITE = (
        "{name!r} is not finite at draws of the approximation, so it has no standard deviation: leave it out "
        "by var_names"
    )
    JUMPS = (
        "{name!r} jumps: it varies by more than its slopes allow, and linear response goes by slopes. Leave "
        "it out by var_names, and take draws of the corrected Gaussian for it"
    )
    LEFT_OUT = (
        "{names} left out: not finite at draws of the approximation, or jumping. Named in var_names, each is "
        "refused with the reason"
    )
    TOO_MANY = "{count:,d} elements are too many for the memory at once: choose fewer by var_names"
    INCOMPLETE = (
        "this linear response is of {names} alone, and a diagnosis needs all variables: call "
        "linear_response without var_names"
    )
    COST = "{sets} sets of {draws:,d} draws, {evaluations:,d} log-density evaluations, {seconds:.1f} s"


class PlotText(Wording):
    """What the pictures of a diagnosis say."""

    KL_TITLE = "posterior by {source}"
    KL_TITLE_HIDDEN = "posterior by {source}; {hidden} more below"
    KL_NOT_KNOWN = "posterior not known by {source}"
    KL_AXIS = "divergence of each coordinate (nats)"
    KL_TO = "KL(q‖posterior)"
    KL_FROM = "KL(posterior‖q)"
    KL_ERROR_NOT_KNOWN = "{label}, error not known"
    RATIOS_EQUAL = "p/q is the same at all draws"
    RATIOS_LIGHT = "k̂ = {khat}: weights can be used"
    RATIOS_BORDERLINE = "k̂ = {khat}: weights are borderline"
    RATIOS_EVEN = "k̂ = {khat}, but p/q is nearly\nconstant: weights can be used"
    RATIOS_HEAVY = "k̂ = {khat}: weights cannot be used"
    MASS_MISSED = "k̂ = {khat}, but the draws\nmiss a part of the posterior"
    VARIANCES_HEAVY = "k̂ = {khat}, but weights\ncannot correct some sds"
    WEIGHTED_NOT_KNOWN = "k̂ = {khat}, but weighted\nestimates are not known well"
    WEIGHTED_WRONG = "k̂ = {khat}, but weighted\nestimates are wrong"
    RATIO_AXIS = "log of p/q over its mean (nats)"
    SHARE_AXIS = "share of draws with a larger p/q"
    RATIO_DRAWS = "draws of q"
    RATIO_TAIL = "fitted Pareto tail, slope k̂"
    RATIO_START = "tail begins "
    PAIR_TITLE = "ellipses of 50 % and 95 %"
    PAIR_TITLE_WORST = "the worst pair: ellipses of 50 % and 95 %"
    PAIR_FIT = "q, the approximation"
    PAIR_FULL_RANK = "best full-rank"
    PAIR_POSTERIOR = "posterior by {source}"
    PAIR_POSTERIOR_NOT_KNOWN = "posterior, sd not known"


class Finding(Wording):
    """What one of the checks found, and what it means."""

    OUTSIDE_SUPPORT = "support: {where}"

    MOMENTS_RIGHT = "means and sds: all within {tolerance:g} posterior sd, by {source}"
    MOMENTS_WRONG = "means and sds: wrong for {wrong}, by {source}"
    MOMENTS_WRONG_AND_UNKNOWN = (
        "means and sds: wrong for {wrong}, by {source}; not known for {names}, whose tails are beyond these "
        "draws"
    )
    MOMENTS_NOT_SEEN_WRONG = (
        "means and sds: none was found to be wrong, by {source}, but with k̂ above its threshold these draws "
        "may miss a part of the posterior"
    )
    MOMENTS_NEED_DRAWS = "means and sds: not known to {tolerance:g} posterior sd, by {source}: too few draws"
    SDS_NOT_KNOWN = (
        "means and sds: the sds of {names} are not known, by {source}: their tails are beyond these draws"
    )
    MOMENTS_NOT_KNOWN = (
        "means and sds: not known, by {source}: the importance weights of that check have too heavy a tail "
        "themselves"
    )

    OTHER_SHAPE = (
        "shape: at the approximation's draws the slope of the posterior's log density differs most from its "
        "own along {names}, as a share of its own"
    )

    RATIOS_EQUAL = (
        "importance ratios: p/q is the same at all draws, so the approximation is the posterior as far as "
        "its draws reach"
    )
    RATIOS_EQUAL_INSIDE = (
        "importance ratios: p/q is the same at all draws, so the approximation is right wherever the "
        "posterior has mass"
    )
    RATIOS_LIGHT = (
        "importance ratios: k̂ = {khat} ≤ {threshold}, so weights can be used; effective sample size "
        "{ess:,.0f} of {draws:,d} draws"
    )
    RATIOS_BORDERLINE = (
        "importance ratios: k̂ = {khat} ≤ {threshold}, but within {errors:g} standard errors of it, so "
        "weights are borderline; effective sample size {ess:,.0f} of {draws:,d} draws"
    )
    RATIOS_EVEN = (
        "importance ratios: k̂ = {khat} > {threshold}, but p/q is nearly constant, so weights can be "
        "used all the same; effective sample size {ess:,.0f} of {draws:,d} draws"
    )
    RATIOS_HEAVY = (
        "importance ratios: k̂ = {khat} > {threshold}, too heavy a tail, so weights cannot correct the "
        "approximation"
    )
    MASS_MISSED = (
        "importance ratios: about {share:.0%} of the posterior's mass is where the approximation has no "
        "draws, so weights cannot bring it back"
    )
    MASS_MISSED_OF_NO_ACCOUNT = (
        "importance ratios: about {share:.0%} of the posterior's mass is where the approximation has no "
        "draws; weighted means and sds are right to the tolerance without it"
    )
    VARIANCES_HEAVY = (
        "importance ratios: k̂ of the variance is above {threshold} for {names}, so weights cannot correct "
        "these sds"
    )
    WEIGHTED_NOT_KNOWN = (
        "importance ratios: the weighted estimates are not known to {tolerance:g} posterior sd; more draws "
        "may tell"
    )
    WEIGHTED_WRONG = "importance ratios: the weighted estimates are wrong for {wrong}, by {source}"

    CONVERGED = (
        "convergence: reached. The Jeffreys divergence from the best approximation of its family is "
        "{jeffreys} nats, the tolerance {tolerance:g}"
    )
    CONVERGED_WITHIN_ERROR = (
        "convergence: reached, as far as the error can tell. The Jeffreys divergence from the best "
        "approximation of its family is {jeffreys} nats, the tolerance {tolerance:g}"
    )
    NOT_CONVERGED = (
        "convergence: not reached. The Jeffreys divergence from the best approximation of its family is "
        "{jeffreys} nats, the tolerance {tolerance:g}"
    )
    OPTIMUM_UNSURE = (
        "convergence: not known well. The Jeffreys divergence from the best approximation of its family is "
        "{jeffreys} nats, but that one was not found to within the tolerance: {reason}"
    )
    OPTIMUM_NOT_KNOWN = (
        "convergence: not known, as the best approximation of its family was not found: {reason}"
    )
    CORRECTED = (
        "linear response: covariances that were not fitted. The Jeffreys divergence from the best full-rank "
        "approximation is {jeffreys} nats"
    )
    NOT_COMPARED = (
        "convergence: not checked, as the best approximation is not looked for in more than {most} "
        "correlated dimensions"
    )

    NO_OTHER_MODES = "other modes: none found, which does not prove that there are none"
    MODES_NOT_SOUGHT = "other modes: not looked for, as there are more than {most} dimensions"
    OTHER_MODES = "other modes: found, with about {shares} of the posterior's mass"
    MIRROR_IMAGES = (
        "other modes: some are as high as its own and look like it with signs flipped or labels exchanged. "
        "If that is all, order the elements (pm.distributions.transforms.ordered) or restrict their signs"
    )
    RIVAL_OPTIMUM = (
        "other modes: the ELBO has another local optimum of nearly the same height, so the posterior may "
        "have several modes"
    )


class Found(NamedTuple):
    """What a check found, and the same in a sentence."""

    finding: Finding
    text: str

    @classmethod
    def of(cls, finding: Finding, **details: Any) -> Found:
        return cls(finding, finding.told(**details))


class Advice(Wording):
    """What to do; the least that would help."""

    RESAMPLE = (
        "Weight or resample its draws before use: diagnosis.points, with weights "
        "exp(diagnosis.importance.log_weights)."
    )
    REFINE = "None needed; variational.fit would still come closer to the best of the family."
    REFIT = "It has not converged. Refit with variational.fit: the best approximation of its family is right."
    CONVERGE = "It has not converged: use variational.fit."
    FULL_RANK = (
        "Use variational.fit(model, method='fullrank_advi'): {lack} is the cause, the best full-rank fit is "
        "right."
    )
    FULL_RANK_UNCONVERGED = (
        "It has not converged, and {family} would not do either: use variational.fit(model, "
        "method='fullrank_advi')."
    )
    FULL_RANK_CAUSE_NOT_KNOWN = (
        "Use variational.fit(model, method='fullrank_advi'): the best full-rank fit is right."
    )
    TRY_FULL_RANK = "Try variational.fit(model, method='fullrank_advi'), or run NUTS."
    TRY_FULL_RANK_OR_REPARAMETRISE = (
        "Try variational.fit(model, method='fullrank_advi'), reparametrise (non-centred, where a scale has a "
        "prior), or run NUTS."
    )
    REPARAMETRISE = "Reparametrise, or run NUTS."
    NON_CENTRED = "Reparametrise (non-centred, where a scale has a prior), or run NUTS."
    NO_GAUSSIAN = "No Gaussian of these coordinates is right: reparametrise, or run NUTS."
    NO_GAUSSIAN_NON_CENTRED = (
        "No Gaussian of these coordinates is right: reparametrise (non-centred, where a scale has a prior), "
        "or run NUTS."
    )
    MORE_DRAWS = "Diagnose with more draws, or run NUTS."
    SEVERAL_CHAINS = "Run NUTS from several starts."
    SMOOTH = "Gradients do not see jumps of the log density. {remedy}."
    TRANSFORM = "Give the variable a transform to the support of its density."
