"""Is a fitted approximation any good?"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymc.model import Model

from kl_plugins.dispatch import kl
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.families.normal import Normal
from kl_plugins.variational.bounds import error_bounds
from kl_plugins.variational.diagnosis import Diagnosis, FullRankOptimum
from kl_plugins.variational.distance import OptimumDistance, _model_and_distribution, distance_to_optimum
from kl_plugins.variational.elements import coordinate_names, elements_of
from kl_plugins.variational.importance import (
    ENOUGH_DRAWS,
    FEWEST_DRAWS,
    Estimate,
    Importance,
    MarginalKL,
    Moments,
    elbo,
    importance,
)
from kl_plugins.variational.log_density import LogDensity
from kl_plugins.variational.modes import other_modes
from kl_plugins.variational.optimum import find_optimum, too_large
from kl_plugins.variational.prior import information_gained
from kl_plugins.variational.proposals import Survey, factored, gaussian_draws, log_ratios, scales
from kl_plugins.variational.references import compare
from kl_plugins.variational.scale_families import Gaussian, TriangularScales, family_of
from kl_plugins.variational.starts import starts_from
from kl_plugins.variational.trajectory import trajectory
from kl_plugins.variational.verdict import Evidence, heavy_tails, verdict_on

Array = NDArray[np.float64]

DRAWS = 20_000
MOST_NUMBERS = 2**26
"""Draws times dimensions that are held at once, unasked."""
FULL_RANK_DIMENSIONS = 100
"""Up to so many dimensions the best full-rank Gaussian is sought unasked."""


def diagnose(
    approx: Any,
    reference: Any = None,
    model: Model | None = None,
    *,
    draws: int | None = None,
    tolerance: float = 0.1,
    optimum_tolerance: float = 0.1,
    full_rank: bool | None = None,
    random_seed: Any = None,
) -> Diagnosis:
    """Say whether a Gaussian approximation of a posterior can be trusted, and where it is wrong.

    Three questions are answered. Is the fit the best of its family? By `distance_to_optimum`. Is the family
    near the posterior? By the importance ratios p/q of its draws, k̂ and the estimates that they give.
    And what do draws of q not see? k̂ knows only where q goes: a tail beyond it is invisible. So
    draws from a proposal with wider tails, coordinate by coordinate, around the best Gaussian that was
    found, judge the means and standard deviations, and climbs from afar look for other modes. What none of
    them finds stays unseen: to be sure takes a `reference`.

    Parameters
    ----------
    approx : pymc.MeanField, pymc.FullRank, an approximation of such groups, or one from elsewhere
        What `distance_to_optimum` takes: from elsewhere (Laplace, Pathfinder) a `MultivariateNormal` or
        ``(mean, covariance)`` over the model's unconstrained variables. Also a list of them in the order of a
        fit, such as snapshots: the last one is diagnosed, all of them make its ``trajectory``.
    reference : InferenceData, DataTree, Dataset or dict, optional
        Posterior draws, as of NUTS, on the constrained scale: a group "posterior", or arrays of shape
        (chains, draws, \\*shape) or (draws, \\*shape) by the variables' names.
    model : pymc.Model, optional
        Where `approx` does not know its model and it is not in context.
    draws : int, optional
        Draws of the approximation, and as many of the wider proposal; by default 20,000, above 3,000
        dimensions fewer, to fit into memory.
    tolerance : float
        By how much of the posterior's standard deviation means and standard deviations may be off.
    optimum_tolerance : float
        The Jeffreys divergence in nats within which a fit counts as the best of its family.
    full_rank : bool, optional
        Whether to find the best full-rank Gaussian, to say what a mean-field fit throws away and to look
        around for the posterior; by default up to 100 dimensions.
    random_seed : int, sequence of int or numpy.random.Generator, optional

    Returns
    -------
    Diagnosis
        It prints as a report; has ``verdict``, ``summary()``, ``to_dataset()``, ``plot()``.

    Raises
    ------
    TypeError
        If `approx` is not a Gaussian approximation, or `reference` not of draws.
    ValueError
        If the model has no free variables, discrete ones or minibatches; if the approximation diverged; if
        the reference has other variables or shapes; if `draws` is less than 100.

    Warns
    -----
    UserWarning
        If there are too few draws for a reliable k̂ (2,200).

    Notes
    -----
    A. Vehtari et al. (2024), arXiv:1507.02646; Y. Yao et al. (2018), arXiv:1802.02538; J. Huggins et al.
    (2020), arXiv:1910.04102.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> from kl_plugins.variational import diagnose, fit
    >>> with pm.Model():
    ...     x = pm.MvNormal("x", [1.0, 2.0], cov=[[1.0, 0.9], [0.9, 1.0]])
    ...     mean_field = fit(random_seed=1, progressbar=False)
    >>> diagnosis = diagnose(mean_field, draws=4_000, random_seed=1)
    >>> diagnosis.verdict.level, sorted(fault.name for fault in diagnosis.verdict.faults)
    ('reject', ['x[0]', 'x[1]'])
    >>> print(diagnosis.verdict.advice)
    The independence of mean-field is at fault: a full-rank fit would do (method='fullrank_advi').
    """
    _check_settings(draws, tolerance, optimum_tolerance)
    # A stream of its own: with the draws that a fit of the same seed was made with, it would look perfect.
    rng = np.random.default_rng(random_seed).spawn(1)[0]
    many = isinstance(approx, list)
    if many and not approx:
        raise ValueError("an empty list of approximations has nothing to diagnose")
    found = [_model_and_distribution(one, model) for one in (approx if many else [approx])]
    trail, model = [factored(member) for _, member in found], found[-1][0]
    q = trail[-1]
    target = LogDensity(model, q.variables)
    if draws is None:
        draws = int(np.clip(MOST_NUMBERS // target.dimension, ENOUGH_DRAWS, DRAWS))
    compared = None if reference is None else compare(q, model, reference)

    distance = _distance(q, model, optimum_tolerance, rng)
    full, full_error = _full_rank(q, target, distance, full_rank, optimum_tolerance, rng)
    points, densities = gaussian_draws(q, draws, rng)
    own = importance(log_ratios(target, points, densities), rng)
    centre = full or (q if distance is None else distance.optimum)
    survey = Survey(target, centre, draws, rng)

    modes = other_modes(target, centre, survey.importance.log_evidence, rng)
    names = coordinate_names(q.variables)
    raw = Moments.exact(np.asarray(q.mean, dtype=float), scales(q))
    evidence = Evidence(
        names=names,
        raw=raw,
        weighted=own.moments(points),
        moment_k=own.moment_k(points),
        truth=survey.moments,
        source="draws with wider tails",
        by_reference=False,
        reliable=survey.reliable,
        importance=own,
        missed=survey.evidence_missed(own),
        modes=modes,
        distance=distance,
        best=None if distance is None else _exact(distance.optimum),
        full_rank=None if full is None else _exact(full),
        mean_field=full is not None and not family_of(q.covariance).every_correlation,
        tolerance=tolerance,
        optimum_tolerance=optimum_tolerance,
    )
    blind = verdict_on(evidence)
    if compared is not None:
        evidence = evidence._replace(
            truth=compared.moments, source="reference draws", reliable=True, by_reference=True
        )
    return Diagnosis(
        verdict=verdict_on(evidence) if compared is not None else blind,
        verdict_without_reference=blind,
        approximation=q,
        names=names,
        importance=own,
        raw=raw,
        weighted=evidence.weighted,
        moment_k=evidence.moment_k,
        posterior=evidence.truth,
        source=evidence.source,
        survey=survey,
        modes=modes,
        elements=elements_of(model, q, own, points, survey),
        distance=distance,
        full_rank=_loss(q, full, full_error, target, own, rng) if evidence.mean_field and full else None,
        bounds=None if heavy_tails(evidence) else error_bounds(own, raw.sd),
        information_gained=information_gained(q, model),
        reference=compared,
        marginal_kl=marginal_kl(raw, survey.moments) if compared is None else compared.marginal_kl,
        points=points,
        trajectory=trajectory(trail, target, distance.optimum if distance else q, rng) if many else None,
    )


def marginal_kl(q: Moments, posterior: Moments) -> MarginalKL:
    """Divergences of Gaussians with these moments, coordinate by coordinate; errors to first order."""
    mine, other = Normal(q.mean, q.sd), Normal(posterior.mean, posterior.sd)
    s, t, gap = q.sd, posterior.sd, q.mean - posterior.mean
    to_error = np.hypot(
        gap / t**2 * posterior.mean_error, (1 / t - (s**2 + gap**2) / t**3) * posterior.sd_error
    )
    from_error = np.hypot(gap / s**2 * posterior.mean_error, (t / s**2 - 1 / t) * posterior.sd_error)
    return MarginalKL(kl(mine, other), to_error, kl(other, mine), from_error)


def _check_settings(draws: int | None, tolerance: float, optimum_tolerance: float) -> None:
    for name, value in (("tolerance", tolerance), ("optimum_tolerance", optimum_tolerance)):
        if not value > 0.0:
            raise ValueError(f"{name} must be a positive number, got {value!r}")
    if draws is None:
        return
    if draws < FEWEST_DRAWS:
        raise ValueError(f"k̂ needs draws of at least {FEWEST_DRAWS}, better {ENOUGH_DRAWS:,d}, got {draws!r}")
    if draws < ENOUGH_DRAWS:
        warnings.warn(
            f"{draws} draws are few for k̂: from {ENOUGH_DRAWS:,d} on its threshold is 0.7", stacklevel=3
        )


def _distance(
    q: NamedMultivariateNormal, model: Model, tolerance: float, rng: np.random.Generator
) -> OptimumDistance | None:
    if too_large(family_of(q.covariance)):
        return None
    return distance_to_optimum(q, model, tolerance=tolerance, random_seed=rng)


def _full_rank(
    q: NamedMultivariateNormal,
    target: LogDensity,
    distance: OptimumDistance | None,
    wanted: bool | None,
    tolerance: float,
    rng: np.random.Generator,
) -> tuple[NamedMultivariateNormal | None, float]:
    """The best Gaussian with all correlations, and the Jeffreys divergence within which it is known."""
    d = target.dimension
    family = TriangularScales(((d, True),))
    if distance is not None and (family_of(q.covariance).every_correlation or d == 1):
        return distance.optimum, distance.sampling_error
    if wanted is False or (wanted is None and d > FULL_RANK_DIMENSIONS) or too_large(family):
        return None, np.inf
    centre = q if distance is None else distance.optimum
    start = Gaussian(np.array(centre.mean, dtype=float), family.from_covariance(centre.covariance))
    starts = [start, *starts_from(target, family, target.initial)]
    found = find_optimum(target, family, starts, tolerance, rng)
    return found.distribution, found.jeffreys


def _loss(
    q: NamedMultivariateNormal,
    full: NamedMultivariateNormal,
    full_error: float,
    target: LogDensity,
    own: Importance,
    rng: np.random.Generator,
) -> FullRankOptimum:
    """What the approximation throws away beside the best full-rank one."""
    points, densities = gaussian_draws(full, own.draws, rng)
    best = elbo(log_ratios(target, points, densities))
    gain = Estimate(best.value - own.elbo.value, float(np.hypot(best.error, own.elbo.error)))

    def known(divergence: float) -> Estimate:
        # Roots of Jeffreys divergences add up like distances: (√K + √(e/2))² − K.
        return Estimate(divergence, float(np.sqrt(2.0 * divergence * full_error) + 0.5 * full_error))

    return FullRankOptimum(full, known(float(kl(q, full))), known(float(kl(full, q))), gain)


def _exact(q: NamedMultivariateNormal) -> Moments:
    return Moments.exact(np.asarray(q.mean, dtype=float), scales(q))
