"""Is a fitted approximation any good?"""

from __future__ import annotations

import warnings

import numpy as np
from pymc.model import Model

from kl_plugins.families.named import NamedMultivariateNormal, Snapshot, element_names, some_of
from kl_plugins.interrupts import answered_in_time
from kl_plugins.variational.evidence.bounds import error_bounds
from kl_plugins.variational.evidence.figures import (
    best_full_rank,
    elements_of,
    full_rank_loss,
    hierarchical,
    information_gained,
    trajectory,
)
from kl_plugins.variational.evidence.importance import ENOUGH_DRAWS, FEWEST_DRAWS, importance
from kl_plugins.variational.evidence.modes import DIMENSIONS, other_modes
from kl_plugins.variational.evidence.moments import Moments, marginal_kl
from kl_plugins.variational.evidence.proposals import Survey, draws_of, factored
from kl_plugins.variational.evidence.references import compare, refuse_as_reference
from kl_plugins.variational.evidence.slopes import slope_misfit
from kl_plugins.variational.optimum.budget import MOST_EVALUATIONS
from kl_plugins.variational.optimum.distance import (
    OptimumDistance,
    distance_by_search,
)
from kl_plugins.variational.optimum.draw_counts import FULL_RANK_DIMENSIONS as FULL_RANK_LIMIT
from kl_plugins.variational.optimum.draw_counts import MOST_DRAWS, too_large
from kl_plugins.variational.optimum.progress import Report, progress_line
from kl_plugins.variational.optimum.propriety import mass_outside_support, refuse_collapsed, refuse_improper
from kl_plugins.variational.optimum.reasons import Reason
from kl_plugins.variational.optimum.scale_families import family_of, standard_deviations
from kl_plugins.variational.optimum.search import NoFiniteELBOError
from kl_plugins.variational.report.diagnosis import Diagnosis
from kl_plugins.variational.report.grounds import Grounds, Source
from kl_plugins.variational.report.linear_response import LinearResponse
from kl_plugins.variational.report.verdict import verdict_on
from kl_plugins.variational.report.wording import ResponseText
from kl_plugins.variational.target.approximations import model_and_distribution
from kl_plugins.variational.target.density import TargetDensity
from kl_plugins.variational.target.settings import Seed, check_count, check_flag, check_tolerance, generator

DRAWS = 20_000
MOST_NUMBERS = 2**24
"""Draws times dimensions that are held at once, unasked."""


def diagnose(
    approx: object,
    reference: object = None,
    model: Model | None = None,
    *,
    draws: int | None = None,
    tolerance: float = 0.1,
    optimum_tolerance: float = 0.1,
    full_rank: bool | None = None,
    max_evaluations: int = MOST_EVALUATIONS,
    random_seed: Seed = None,
    progressbar: bool = True,
) -> Diagnosis:
    """Say whether a Gaussian approximation of a posterior can be trusted, and where it is wrong.

    Three questions are answered. Is the fit the best of its family? By `distance_to_optimum`. Is that
    near the posterior? By the importance ratios p/q of its draws, k̂ and the estimates that they give.
    And what do draws of q not see? k̂ knows only where q goes: a tail beyond it is invisible. So
    draws from a proposal with wider tails, coordinate by coordinate, around the best Gaussian that was
    found, judge the means and standard deviations, and climbs look for other modes: from afar, from draws
    of the prior, and from where signs are flipped or labels exchanged. What none of them finds stays unseen:
    to be sure takes a `reference`. A standard error is infinite where the draws cannot tell it.

    Parameters
    ----------
    approx : pymc.MeanField, pymc.FullRank, an approximation of such groups, or one from elsewhere
        What `distance_to_optimum` takes: from elsewhere a `MultivariateNormal` or ``(mean, covariance)`` over
        the model's unconstrained variables, or of pymc-extras what `snapshot` takes, such as a fitted Trainer
        (see Notes). Of what `linear_response` returns the Gaussian is judged. Also a list of them in the
        order of a fit, such as snapshots: the last one is diagnosed, all of them make its ``trajectory``.
    reference : InferenceData, DataTree, Dataset or dict, optional
        Posterior draws, as of NUTS, on the constrained scale: a group "posterior", or arrays of shape
        (chains, draws, \\*shape) or (draws, \\*shape) by the variables' names.
    model : pymc.Model, optional
        Where `approx` does not know its model and it is not in context.
    draws : int, optional
        Draws of the approximation, and as many of the wider proposal; by default 20,000, above 800
        dimensions fewer (3,355 in 5,000), for memory and time.
    tolerance : float
        By how much of the posterior's standard deviation means and standard deviations may be off.
    optimum_tolerance : float
        The Jeffreys divergence in nats within which a fit counts as the best of its family.
    full_rank : bool, optional
        Whether to find the best full-rank Gaussian, to say what a mean-field fit throws away and to look
        around for the posterior; by default up to 100 dimensions.
    max_evaluations : int
        How often the log density is evaluated at most to find the best of the family and, with what is left
        of them, the best full-rank Gaussian. What was not found by then is said not to be known. The draws
        and the search for other modes come on top.
    random_seed : int, sequence of int or numpy.random.Generator, optional
    progressbar : bool
        Whether to show what is being done, in a terminal or notebook.

    Returns
    -------
    Diagnosis
        It prints as a report; has ``verdict``, ``summary()``, ``to_dataset()``, ``plot()``.

    Raises
    ------
    TypeError
        If `approx` is not a Gaussian approximation, or `reference` not of draws.
    ValueError
        If the model has no free variables, discrete ones or minibatches without a whole (see `fit`); if the
        approximation diverged; if the reference has other variables or shapes; if `draws` is less than 100;
        if the posterior seems not to be normalisable: its density does not fall along some direction.

    Warns
    -----
    UserWarning
        If there are too few draws for a reliable k̂ (2,200).

    Notes
    -----
    A. Vehtari et al. (2024), arXiv:1507.02646; Y. Yao et al. (2018), arXiv:1802.02538; J. Huggins et al.
    (2020), arXiv:1910.04102.

    Of pymc-extras' functions the Gaussian that was fitted is judged: ``fit_laplace`` and ``fit_dadvi`` keep
    it with their draws; ``fit_advi`` does not, so that it is estimated from them, with a warning (a Trainer
    keeps its own). ``fit_pathfinder`` returns draws of several Gaussians, resampled, and none of these: what
    can be judged is the Gaussian with their mean and covariance, ``kl_plugins.gaussian(draws, model=model)``.
    Nor is ``find_MAP`` a Gaussian.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> from kl_plugins.variational import diagnose, fit
    >>> with pm.Model():
    ...     x = pm.MvNormal("x", [1.0, 2.0], cov=[[1.0, 0.9], [0.9, 1.0]])
    ...     mean_field = fit(random_seed=1, progressbar=False)
    >>> diagnosis = diagnose(mean_field, draws=4_000, random_seed=1)
    >>> diagnosis.verdict.level, sorted(discrepancy.name for discrepancy in diagnosis.verdict.discrepancies)
    ('reject', ['x[0]', 'x[1]'])
    >>> what, why = diagnosis.verdict.advice.split(": ")
    >>> print(what)
    Use variational.fit(model, method='fullrank_advi')
    >>> print(why)
    mean-field's independence is the cause, the best full-rank fit is right.
    """
    _check_settings(draws, tolerance, optimum_tolerance)
    full_rank = check_flag(full_rank, "full_rank")
    max_evaluations = check_count(max_evaluations, "max_evaluations")
    # A stream of its own: with the draws that a fit of the same seed was made with, it would look perfect.
    rng = generator(random_seed).spawn(1)[0]
    refuse_as_reference(reference)
    many = isinstance(approx, list)
    members = approx if isinstance(approx, list) else [approx]
    if not members:
        raise ValueError("an empty list of approximations has nothing to diagnose")
    corrected = isinstance(members[-1], LinearResponse)
    found = [model_and_distribution(*_plain(one, model), "diagnose") for one in members]
    trail, model = [factored(member) for _, member in found], found[-1][0]
    with answered_in_time(), progress_line(progressbar, lasting=False) as report:
        q = trail[-1]
        report("compiling the log density")
        target = TargetDensity(model, q.variables)
        # Angles may be turns away from where searches from the model's initial point end.
        here = target.folded(np.asarray(q.mean, dtype=float)[None], target.initial)[0]
        q = NamedMultivariateNormal(here, q.covariance, q.variables)
        if draws is None:
            draws = int(np.clip(MOST_NUMBERS // target.dimension, ENOUGH_DRAWS, DRAWS))
        refuse_improper(target, q)
        most = target.evaluations + max_evaluations
        compared = None if reference is None else compare(q, model, reference)

        distance = _distance(q, model, target, optimum_tolerance, rng, report, max_evaluations)
        refuse_collapsed(target, None if distance is None else distance.optimum)
        report("looking for the best full-rank Gaussian")
        full, full_error = best_full_rank(
            q,
            target,
            distance,
            full_rank,
            optimum_tolerance,
            rng,
            lambda stage: report(f"best full-rank Gaussian: {stage}"),
            most,
        )
        refuse_collapsed(target, full)
        known = full if np.isfinite(full_error) else None
        report(f"{draws:,d} draws of the approximation")
        points, ratios = draws_of(target, q, draws, rng)
        own = importance(ratios, rng)
        centre = full or (q if distance is None else distance.optimum)
        report(f"{draws:,d} draws with heavier tails")
        survey = Survey(target, centre, draws, rng)
        report("looking for other modes")
        modes = other_modes(target, model, centre, survey.importance.log_evidence, here, rng)
        report("putting it together")

        names = element_names(q.variables)
        raw, slopes = _exact(q), slope_misfit(target, q, points)
        correlated = family_of(q.covariance).every_correlation or target.dimension == 1
        # The covariances of linear response are not fitted, so that a full-rank fit is something else.
        mean_field = full is not None and (corrected or not correlated)
        grounds = Grounds(
            names=names,
            raw=raw,
            weighted=own.moments(points),
            moment_k=own.moment_k(points),
            truth=survey.moments,
            source=Source.HEAVY_TAILED,
            by_reference=False,
            reliable=survey.reliable,
            importance=own,
            missed=survey.evidence_missed(own),
            modes=modes,
            distance=distance,
            best=None if distance is None or not distance.known else _exact(distance.optimum),
            full_rank=None if known is None else _exact(known),
            mean_field=mean_field,
            tolerance=tolerance,
            optimum_tolerance=optimum_tolerance,
            sd_floor=survey.sd_floor,
            outside=mass_outside_support(target, q, ratios),
            sought=target.dimension <= DIMENSIONS,
            untried=full is None and not correlated and target.dimension <= FULL_RANK_LIMIT,
            hierarchical=hierarchical(model),
            corrected=corrected,
            slopes=slopes,
        )
        blind = verdict_on(grounds)
        if compared is not None:
            grounds = grounds._replace(
                truth=compared.moments, source=Source.REFERENCE, reliable=True, by_reference=True
            )
        lost = full_rank_loss(q, known, full_error, target, rng) if grounds.mean_field and known else None
        goal = distance.optimum if distance is not None and distance.known else q
        return Diagnosis(
            verdict=verdict_on(grounds),
            verdict_without_reference=blind,
            approximation=q,
            names=names,
            importance=own,
            raw=raw,
            weighted=grounds.weighted.next_to(grounds.truth),
            moment_k=grounds.moment_k,
            posterior=grounds.truth,
            source=grounds.source,
            survey=survey,
            slopes=slopes,
            modes=modes,
            elements=elements_of(model, q, own, points, survey),
            distance=distance,
            full_rank=lost,
            bounds=None if grounds.heavy_tails() or grounds.outside else error_bounds(own, raw.sd),
            information_gained=information_gained(q, model),
            reference=compared,
            marginal_kl=marginal_kl(raw, survey.moments) if compared is None else compared.marginal_kl,
            points=points,
            outside=grounds.outside,
            trajectory=trajectory(trail, target, goal, rng) if many else None,
        )


def _plain(approx: object, model: Model | None) -> tuple[object, Model | None]:
    """An approximation and its model, of a linear response the Gaussian and the model that it is of."""
    if not isinstance(approx, LinearResponse):
        return approx, model
    if not approx.is_whole:
        raise ValueError(ResponseText.INCOMPLETE.told(names=some_of(approx.gaussian.names)))
    return approx.gaussian, model or approx.model


def _check_settings(draws: int | None, tolerance: float, optimum_tolerance: float) -> None:
    """Raise, or warn, where a setting would make the diagnosis worthless."""
    check_tolerance(tolerance, unit=" of posterior sds")
    check_tolerance(optimum_tolerance, "optimum_tolerance")
    if draws is None:
        return
    check_count(draws, "draws")
    if draws < FEWEST_DRAWS:
        raise ValueError(f"k̂ needs draws of at least {FEWEST_DRAWS}, better {ENOUGH_DRAWS:,d}, got {draws!r}")
    if draws < ENOUGH_DRAWS:
        warnings.warn(
            f"{draws} draws are few for k̂: from {ENOUGH_DRAWS:,d} on its threshold is 0.7", stacklevel=3
        )


def _distance(
    q: Snapshot,
    model: Model,
    target: TargetDensity,
    tolerance: float,
    rng: np.random.Generator,
    report: Report,
    max_evaluations: int,
) -> OptimumDistance | None:
    """The distance to the best of the family; None where the family is too large to look for it."""
    if too_large(family_of(q.covariance)):
        return None
    try:
        return distance_by_search(
            q,
            model,
            target,
            tolerance,
            MOST_DRAWS,
            rng.spawn(1)[0],
            lambda stage: report(f"best of the family: {stage}"),
            max_evaluations,
        )
    except NoFiniteELBOError:
        obstacle = Reason.NO_FINITE_ELBO.told()
        return OptimumDistance(optimum=q, reason=str(obstacle), obstacle=obstacle)


def _exact(q: Snapshot) -> Moments:
    return Moments.exact(np.asarray(q.mean, dtype=float), standard_deviations(q))
