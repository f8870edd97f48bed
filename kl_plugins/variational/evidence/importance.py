"""Pareto-smoothed importance sampling: how well draws of an approximation stand for the posterior."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import logsumexp

from kl_plugins.estimate.tails import pareto_khat, tail_of
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.evidence.moments import EQUAL, Estimate, Moments

BOOTSTRAPS = 40
FEWEST_DRAWS = 100
ENOUGH_DRAWS = 2_200
"""From so many draws on the threshold of k̂ is 0.7."""
FEWEST_VALUES = 5
"""A tail has more values than so many."""
EVEN = 0.5
"""Of ratios without a tail the draws are worth at least this share of their number."""


@dataclass(frozen=True)
class Importance:
    """Importance ratios p/q of draws from q, their tails smoothed.

    Attributes
    ----------
    k : Estimate
        k̂, the shape of the ratios' Pareto tail: the ratios have about 1/k finite moments. 0 where all ratios
        are equal. The error is by bootstrap.
    threshold : float
        min(1 − 1/log₁₀ S, 0.7), above which S draws do not give reliable weighted estimates.
    ess : float
        1/Σw², how many draws the weighted ones are worth. Worthless itself where k̂ is too large.
    elbo : Estimate
        E_q[log p(x, data) − log q(x)], in nats.
    log_evidence : Estimate
        log p(data) = log E_q[p(x, data)/q(x)].
    draws : int
    log_ratios, log_weights : ndarray, shape (S,)
        log p − log q, and the smoothed weights, which sum to 1.

    Notes
    -----
    A. Vehtari, D. Simpson, A. Gelman, Y. Yao, J. Gabry (2024), arXiv:1507.02646; for variational inference
    Y. Yao, A. Vehtari, D. Simpson, A. Gelman (2018), arXiv:1802.02538.
    """

    k: Estimate
    threshold: float
    ess: float
    elbo: Estimate
    log_evidence: Estimate
    draws: int
    log_ratios: FloatArray = field(repr=False)
    log_weights: FloatArray = field(repr=False)

    @property
    def reliable(self) -> bool:
        """Whether weighted estimates may be used: k̂ says so, or the ratios are almost constant."""
        return self.k.value <= self.threshold or self.even

    @property
    def even(self) -> bool:
        """Whether all ratios are about the same: there is no tail then, whatever k̂ fits to them."""
        return are_even(self.log_ratios)

    @property
    def equal(self) -> bool:
        """Whether all ratios are equal: as far as its draws go q is the posterior."""
        return bool(np.ptp(self.log_ratios) < EQUAL)

    @property
    def kl_to_posterior(self) -> Estimate:
        """KL(q‖posterior) = log p(data) − ELBO, in nats."""
        if not np.isfinite(self.elbo.value):
            return Estimate(np.inf, 0.0)
        if self.equal:
            return Estimate(0.0, 0.0)
        # Both are averages over the same draws, so the variance is that of the difference.
        ratios = np.exp(self.log_ratios - self.log_evidence.value)
        spread = ratios - 1.0 - (self.log_ratios - self.elbo.value)
        factor = error_factor(ratios[:, None])[0]
        error = float(factor * spread.std() / np.sqrt(self.draws))
        return Estimate(max(self.log_evidence.value - self.elbo.value, 0.0), error)

    def moments(self, points: FloatArray) -> Moments:
        """Weighted moments of the draws, which are rows of `points`, and the errors that can be believed.

        A standard error is larger, or infinite, where k̂ of the ratios times the distance from the mean (for
        sds its square) says that the draws do not know it (Vehtari et al. 2024, section 3).
        """
        found = self.bounded_moments(points)
        distances = abs(points - found.mean)
        ratios = np.exp(self.log_ratios - np.max(self.log_ratios))[:, None]
        factor = error_factor(ratios * distances)
        return found._replace(
            mean_error=_times(found.mean_error, factor),
            sd_error=_times(found.sd_error, np.maximum(factor, error_factor(ratios * distances**2))),
        )

    def bounded_moments(self, points: FloatArray) -> Moments:
        """The same of numbers without tails: the ratios' own k̂ says whether their errors can be believed."""
        w = np.exp(self.log_weights)
        # Around a draw: weights sum to 1 but for rounding, which counts where means are large beside the sds.
        centred = points - points[0]
        shift = w @ centred
        mean = points[0] + shift
        squares = (centred - shift) ** 2
        variance = w @ squares
        sd = np.sqrt(variance)
        mean_error = np.sqrt(w**2 @ squares)
        sd_error = np.sqrt(w**2 @ (squares - variance) ** 2) / (2.0 * np.maximum(sd, 1e-300))
        factor = error_factor(np.exp(self.log_ratios - np.max(self.log_ratios))[:, None])
        return Moments(mean, sd, _times(mean_error, factor), _times(sd_error, factor))

    def moment_k(self, points: FloatArray, most: int = 200) -> FloatArray:
        """k̂ of the ratios times (x − mean)², shape (d,): where it is too large the weighted sd is no good.

        The ratios themselves may have a harmless tail and yet all of a variance may sit in it: of a
        posterior with a tail that the draws do not follow. Of more than `most` coordinates those whose sd
        the weights change most; NaN for the others.
        """
        moments = self.moments(points)
        change = abs(np.log(np.maximum(moments.sd, 1e-300) / np.maximum(points.std(axis=0), 1e-300)))
        found = np.full(points.shape[1], np.nan)
        for i in np.argsort(-change)[:most]:
            with np.errstate(divide="ignore"):
                squares = 2.0 * np.log(abs(points[:, i] - moments.mean[i]))
            found[i] = pareto_smoothed(self.log_ratios + squares)[1]
        return found

    def covariance(self, points: FloatArray) -> FloatArray:
        """The weighted covariance matrix."""
        w = np.exp(self.log_weights)
        centred = points - points[0]
        centred = centred - w @ centred
        matrix: FloatArray = (w[:, None] * centred).T @ centred
        return matrix


def importance(log_ratios: FloatArray, rng: np.random.Generator) -> Importance:
    """Smooth the ratios of independent draws; −∞ stands for a draw where the posterior has no mass."""
    count = len(log_ratios)
    log_weights, k = pareto_smoothed(log_ratios)
    if k > khat_threshold(count) and are_even(log_ratios):
        log_weights = log_ratios - logsumexp(log_ratios)
    resampled = [pareto_smoothed(rng.choice(log_ratios, count))[1] for _ in range(BOOTSTRAPS)]
    largest = np.max(log_ratios)
    relative = np.exp(log_ratios - largest)
    evidence = float(largest + np.log(relative.mean()))
    factor = 0.0 if np.ptp(log_ratios) < EQUAL else float(error_factor(relative[:, None])[0])
    evidence_error = float(relative.std() / relative.mean() / np.sqrt(count)) * factor
    return Importance(
        k=Estimate(k, float(np.std(resampled)) if np.isfinite([k, *resampled]).all() else np.inf),
        threshold=khat_threshold(count),
        ess=float(1.0 / np.exp(2.0 * log_weights).sum()),
        elbo=elbo(log_ratios),
        log_evidence=Estimate(evidence, evidence_error),
        draws=count,
        log_ratios=log_ratios,
        log_weights=log_weights,
    )


def are_even(log_ratios: FloatArray) -> bool:
    """Whether few draws are lost to the ratios' spread, and none exceeds √S times their mean.

    Where k̂ is truly above ½ the largest does (E. Ionides 2008, truncated importance sampling); but k̂ may be
    anything where the ratios are bounded or almost constant.
    """
    relative = np.exp(log_ratios - np.max(log_ratios))
    count, total = len(relative), relative.sum()
    return bool(total**2 >= EVEN * count * (relative @ relative) and np.sqrt(count) <= total)


def elbo(log_ratios: FloatArray) -> Estimate:
    """The ELBO and its standard error, from log p − log q of independent draws."""
    if not np.isfinite(log_ratios).all():
        return Estimate(-np.inf, np.inf)
    mean, spread = float(log_ratios.mean()), float(log_ratios.std(ddof=1))
    if np.ptp(log_ratios) < EQUAL:
        return Estimate(mean, 0.0)
    factor = error_factor(abs(log_ratios - mean)[:, None])[0]
    return Estimate(mean, float(factor * spread / np.sqrt(len(log_ratios))))


def _times(error: FloatArray, factor: FloatArray) -> FloatArray:
    """Of a number without error, such as a constant's mean, the error stays 0 unless nothing is known."""
    return np.where(np.isinf(factor), np.inf, error * np.where(np.isinf(factor), 1.0, factor))


def pareto_smoothed(log_ratios: FloatArray) -> tuple[FloatArray, float]:
    """ArviZ's smoothed and normalised log weights, and k̂; infinite where no tail could be fitted."""
    finite = log_ratios[np.isfinite(log_ratios)]
    if len(finite) < FEWEST_DRAWS // 2:
        raise ValueError(
            f"the log density is finite at {len(finite)} of {len(log_ratios)} draws of the approximation: "
            "it puts its mass where the posterior has none; fit it anew (variational.fit)"
        )
    if np.ptp(log_ratios) < EQUAL:
        return np.full(len(log_ratios), -np.log(len(log_ratios))), 0.0
    plain = log_ratios - logsumexp(log_ratios)
    if _few_values(log_ratios):
        return plain, 0.0
    try:
        with np.errstate(all="ignore"):  # NaN is looked for below
            weights, k = _arviz(log_ratios)
    except ValueError:  # the tail is of equal ratios
        return plain, 0.0
    return (plain, np.inf) if np.isnan(weights).any() or np.isnan(k) else (weights, float(k))


def _few_values(log_ratios: FloatArray) -> bool:
    """Whether the largest ratios, of which a tail would be, have but a few values: there is no tail then."""
    largest = tail_of(log_ratios)
    largest = largest[np.isfinite(largest)]
    return bool(np.sum(np.diff(largest) > EQUAL) < FEWEST_VALUES - 1)


def _arviz(log_ratios: FloatArray) -> tuple[FloatArray, Any]:
    """Smoothed log weights and k̂ by ArviZ, of either generation."""
    try:
        from arviz_stats.base import array_stats
    except ImportError:  # ArviZ before 1
        from arviz import psislw

        weights, k = psislw(log_ratios.copy())
        return np.asarray(weights), k
    weights, k = array_stats.psislw(-log_ratios)  # it is made for cross-validation: ratios 1/likelihood
    return np.asarray(weights), k


MOST_SHAPE = 0.7
"""Above this k̂ of importance ratios an average converges too slowly to be of use."""
FINITE_VARIANCE = 0.5
"""Above this k̂ a variance is infinite: the standard error comes out too small."""
WORTH = 50.0
"""An average that rests on fewer draws than so many has no known error."""


def khat_threshold(draws: int) -> float:
    """The largest k̂ at which so many draws give reliable weighted estimates.

    Source: Vehtari et al. (2024), arXiv:1507.02646, section 3.2.4.
    """
    return float(min(1.0 - 1.0 / np.log10(draws), MOST_SHAPE))


def error_factor(values: FloatArray) -> FloatArray:
    """How many times too small the standard errors of the means of columns of numbers ≥ 0, (S, d), are.

    1 up to k̂ = ½, where variances are finite. Beyond it a mean converges like S^(k−1) and no longer like
    S^(−½), so S^(k−½), up to the largest k̂ at which it is of any use; infinite from there. For importance
    ratios times a function the product's k̂ counts. Where no number exceeds √S times the mean there is no
    tail to fear (E. Ionides 2008, truncated importance sampling), whatever shape is fitted to numbers that
    pile up at their bound.
    """
    count = len(values)
    total = values.sum(axis=0)
    largest = values.max(axis=0)
    harmless = largest * np.sqrt(count) <= total
    factor: FloatArray = np.where(harmless, 1.0, np.inf)
    for i in np.flatnonzero(~harmless & np.isfinite(total)):
        column = values[:, i] / largest[i]
        k = pareto_khat(column)
        if column.sum() ** 2 >= WORTH * (column @ column) and k <= khat_threshold(count):
            factor[i] = count ** max(k - FINITE_VARIANCE, 0.0)
    return factor
