"""How far an approximation is from the best one of its family."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite, nan, sqrt

import numpy as np
from pymc.model import Model

from kl_plugins.dispatch import jeffreys, kl
from kl_plugins.families.named import Snapshot
from kl_plugins.html import block, listed
from kl_plugins.interrupts import answered_in_time
from kl_plugins.variational.optimum.budget import MOST_EVALUATIONS
from kl_plugins.variational.optimum.draw_counts import FIRST_DRAWS, MOST_DRAWS
from kl_plugins.variational.optimum.fixed_draws import elbo_gap
from kl_plugins.variational.optimum.low_rank_scales import LowRankScales
from kl_plugins.variational.optimum.progress import Report, progress_line
from kl_plugins.variational.optimum.ranks import find_low_rank
from kl_plugins.variational.optimum.reasons import DistanceText, Obstacle
from kl_plugins.variational.optimum.scale_families import family_of, member_of
from kl_plugins.variational.optimum.search import Agreement, find_optimum
from kl_plugins.variational.optimum.starts import starts_at_other_modes, starts_from
from kl_plugins.variational.target.approximations import model_and_distribution
from kl_plugins.variational.target.density import TargetDensity
from kl_plugins.variational.target.settings import Seed, check_count, check_tolerance, generator

ERRORS = 3.0
"""Standard errors within which an approximation's own ELBO is as large as that of the optimum found."""
FAR = 1.0
"""Nats (Jeffreys) from which on that is another optimum."""


@dataclass(frozen=True)
class OptimumDistance:
    """How far an approximation q is from the best Gaussian q* of its family, in nats.

    Attributes
    ----------
    jeffreys : float
        KL(q‖q*) + KL(q*‖q).
    kl_to_optimum, kl_from_optimum : float
        KL(q‖q*) and KL(q*‖q).
    elbo_gap : float
        ELBO(q*) − ELBO(q) = KL(q‖posterior) − KL(q*‖posterior). Under correlation it differs from the
        others by orders of magnitude: along a direction that the posterior hardly constrains q may be far
        off at little cost.
    elbo_gap_error : float
        Standard error of the gap.
    sampling_error : float
        Monte Carlo error of q*: the estimated Jeffreys divergence, in nats, of the q* that was found from the
        true one. Infinite where q* could not be found: the divergences and the gap are then
        NaN, and `optimum` is no more than where the search ended.
    optimum : NamedMultivariateNormal
        q* itself.
    reached : bool
        Whether the Monte Carlo error of q* is within the tolerance.
    reason : str
        Why it is not, in words; empty where it is.
    obstacle : Obstacle or None
        The same for programs: its ``reason`` is an enumeration.
    low_rank : bool
        Whether q* has a covariance of low rank. It is then the best of that rank that was found: of low ranks
        the ELBO may have several maxima.
    full_rank_gain, full_rank_gain_error : float
        Of a low rank in up to 100 dimensions: what the best Gaussian with all correlations gains over q*, in
        nats of ELBO, and by how much that may be too little. No other Gaussian of the rank can gain more.
        Else NaN.
    history : tuple of (draws, jeffreys)
        By how much the optima over pairs of independent sets of draws differed.
    other_optima : tuple of float
        ELBOs, less q*'s, of local optima that other starts led to.
    evaluations, seconds : int, float
        The cost: evaluations of the log density and its gradient, and time with compilation.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins.variational import distance_to_optimum
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 2.0)
    ...     distance = distance_to_optimum(pm.MeanField(), random_seed=1)
    >>> distance.reached, round(distance.kl_to_optimum, 2)  # of where a fit would start
    (True, 0.62)
    """

    jeffreys: float = nan
    kl_to_optimum: float = nan
    kl_from_optimum: float = nan
    elbo_gap: float = nan
    elbo_gap_error: float = nan
    sampling_error: float = inf
    reached: bool = False
    reason: str = ""
    evaluations: int = 0
    seconds: float = 0.0
    optimum: Snapshot = field(repr=False, kw_only=True)
    history: tuple[Agreement, ...] = field(default=(), repr=False)
    other_optima: tuple[float, ...] = field(default=(), repr=False)
    obstacle: Obstacle | None = field(default=None, repr=False)
    low_rank: bool = field(default=False, repr=False)
    full_rank_gain: float = field(default=nan, repr=False)
    full_rank_gain_error: float = field(default=nan, repr=False)

    @property
    def known(self) -> bool:
        """Whether q* was found at all, within the tolerance or not."""
        return isfinite(self.sampling_error)

    @property
    def interval(self) -> tuple[float, float]:
        """Between what the Jeffreys divergence to the true optimum lies, given the error of q*.

        Near q* the root of the Jeffreys divergence is a distance, so that the triangle inequality holds.
        """
        if not self.known:
            return 0.0, inf
        distance, error = sqrt(self.jeffreys), sqrt(self.sampling_error)
        return max(distance - error, 0.0) ** 2, (distance + error) ** 2

    @property
    def about_rank(self) -> tuple[str, ...]:
        """What is known of q* where its covariance has a low rank, in sentences."""
        if not self.low_rank:
            return ()
        if not isfinite(self.full_rank_gain):
            return (DistanceText.BEST_OF_RANK.told(),)
        most = DistanceText.MOST_GAINED.told(gain=self.full_rank_gain, error=self.full_rank_gain_error)
        return DistanceText.BEST_OF_RANK.told(), most

    def _repr_html_(self) -> str:
        return block(listed(str(self).splitlines()))

    def __str__(self) -> str:
        cost = DistanceText.COST.told(evaluations=self.evaluations, seconds=self.seconds)
        if not self.known:
            return f"{DistanceText.NOT_KNOWN.told(reason=self.reason)}\n{cost}"
        low, high = self.interval
        lines = [
            DistanceText.JEFFREYS.told(jeffreys=self.jeffreys, low=low, high=high),
            DistanceText.KL.told(there=self.kl_to_optimum, back=self.kl_from_optimum),
        ]
        if isfinite(self.elbo_gap):
            lines.append(DistanceText.ELBO.told(gap=self.elbo_gap, error=self.elbo_gap_error))
        lines += [DistanceText.ERROR.told(error=self.sampling_error), cost]
        if not self.reached:
            lines.append(DistanceText.NOT_REACHED.told(reason=self.reason))
        lines += self.about_rank
        if self.other_optima:
            gaps = ", ".join(f"{gap:.3g}" for gap in self.other_optima)
            lines.append(DistanceText.OTHERS.told(gaps=gaps))
        return "\n".join(lines)


def distance_to_optimum(
    approx: object,
    model: Model | None = None,
    *,
    tolerance: float = 0.01,
    max_draws: int = MOST_DRAWS,
    max_evaluations: int = MOST_EVALUATIONS,
    random_seed: Seed = None,
    progressbar: bool = True,
) -> OptimumDistance:
    """How far an approximation is from the best Gaussian of its family.

    The best one, q*, has the largest ELBO of all with the same correlations allowed (mean-field, full-rank,
    groups, or a low rank). It is found by maximising the ELBO over fixed quasi-random draws with L-BFGS,
    first from the approximation, from the mode and from others that climbs find (see `fit`), then over ever
    more draws until independent sets of them agree. Of a low rank the ELBO may have several maxima, also
    where the posterior is Gaussian: see ``full_rank_gain``.

    Parameters
    ----------
    approx : pymc.MeanField, pymc.FullRank, an approximation of such groups, or one from elsewhere
        From elsewhere: a `NamedMultivariateNormal` over the model's unconstrained variables (such as a
        snapshot), a `MultivariateNormal`, or ``(mean, covariance)`` with the variables in the order of
        ``model.value_vars``; a vector as covariance holds variances; of pymc-extras what `snapshot` takes,
        such as a fitted Trainer. These need `model`.
    model : pymc.Model, optional
        The model approximated, where `approx` does not know it and it is not in context.
    tolerance : float
        How well q* has to be known: a Jeffreys divergence in nats.
    max_draws : int
        The largest number of draws in a set, at least 512; more where hundreds of variables are correlated.
    max_evaluations : int
        How often the log density is evaluated at most to find q*. After so many the search ends, ``reached``
        is False, and ``reason`` says so.
    random_seed : int, sequence of int or numpy.random.Generator, optional
    progressbar : bool
        Whether to show what is being done, in a terminal or notebook.

    Returns
    -------
    OptimumDistance
        ``reached`` says whether q* is known within the tolerance. Where nothing is known of it, as of a log
        density that jumps so that gradients tell too little, its numbers are NaN.

    Raises
    ------
    TypeError
        If `approx` is not a Gaussian approximation.
    ValueError
        If there is no such optimum to be had: minibatches without a whole (see `fit`),
        discrete variables, more than 500 correlated dimensions, a log density that is −∞ somewhere in the
        reach of every Gaussian.

    Notes
    -----
    Deterministic ADVI: R. Giordano, M. Ingram, T. Broderick (2023), arXiv:2304.05527.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> from kl_plugins.variational import distance_to_optimum
    >>> precision = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> with pm.Model() as model:
    ...     x = pm.MvNormal("x", [1.0, 2.0], tau=precision)
    ...     distance = distance_to_optimum(pm.MeanField(), random_seed=1)
    >>> distance.optimum.std.round(6)  # 1/√2, whatever the correlation
    array([0.707107, 0.707107])
    >>> distance.reached
    True
    """
    tolerance, max_draws = check_tolerance(tolerance), check_count(max_draws, "max_draws", FIRST_DRAWS)
    max_evaluations = check_count(max_evaluations, "max_evaluations")
    # a stream of its own: `fit` with the same seed must not have seen the draws that judge it
    rng = generator(random_seed).spawn(1)[0]
    model, q = model_and_distribution(approx, model, "distance_to_optimum")
    with answered_in_time(), progress_line(progressbar, lasting=False) as report:
        report("compiling the log density")
        target = TargetDensity(model, q.variables)
        return distance_by_search(q, model, target, tolerance, max_draws, rng, report, max_evaluations)


def distance_by_search(
    q: Snapshot,
    model: Model,
    target: TargetDensity,
    tolerance: float,
    max_draws: int,
    rng: np.random.Generator,
    report: Report,
    max_evaluations: int = MOST_EVALUATIONS,
) -> OptimumDistance:
    """What `distance_to_optimum` does with settings that were checked, told stage by stage to `report`.

    `target` is the model's log density over the variables of q, compiled once for all that is asked of it.
    """
    before = target.evaluations
    most = before + max_evaluations
    family = family_of(q.covariance)
    low_rank = isinstance(family, LowRankScales)
    start = member_of(family, q)
    report("looking for other modes to start from")
    more = starts_at_other_modes(target.sketch, model, family, target.initial, rng.spawn(1)[0])
    starts = [start, *starts_from(target, family, target.initial, rng.spawn(1)[0])]
    bound = None
    if isinstance(family, LowRankScales):
        found, bound = find_low_rank(target, family, starts, tolerance, rng, max_draws, report, more, most)
    else:
        found = find_optimum(target, family, starts, tolerance, rng, max_draws, report, more, most)
    report("difference of the ELBOs")
    gap, gap_error = elbo_gap(target, family, start, found.gaussian, found.draws, rng)
    others = found.others
    if (
        found.rested
        and not found.cut_short
        and isfinite(found.jeffreys)
        and np.isfinite(gap)
        and gap <= ERRORS * gap_error
        and jeffreys(q, found.distribution) > FAR
    ):
        # Elsewhere, and no better: there are two optima, and the one next to the approximation is meant.
        found = find_optimum(
            target, family, [start], tolerance, rng, max_draws, report, most_evaluations=most
        )
        gap, gap_error = elbo_gap(target, family, start, found.gaussian, found.draws, rng)
        others = (*others, 0.0)
    best = found.distribution
    there, back = float(kl(q, best)), float(kl(best, q))
    if not isfinite(found.jeffreys):
        there = back = gap = gap_error = nan
    return OptimumDistance(
        jeffreys=there + back,
        kl_to_optimum=there,
        kl_from_optimum=back,
        elbo_gap=gap,
        elbo_gap_error=gap_error,
        sampling_error=found.jeffreys,
        reached=found.reached,
        reason=found.reason,
        evaluations=target.evaluations - before,
        seconds=target.seconds(),
        optimum=best,
        history=found.history,
        other_optima=others,
        obstacle=found.obstacle,
        low_rank=low_rank,
        full_rank_gain=nan if bound is None else bound.gain,
        full_rank_gain_error=nan if bound is None else bound.error,
    )
