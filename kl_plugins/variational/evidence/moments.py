"""Moments with their errors, and what is wrong with those of an approximation, coordinate by coordinate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kl_plugins.dispatch import kl
from kl_plugins.families.normal import Normal
from kl_plugins.ops.protocol import FloatArray

ERRORS = 2.0
"""A deviation counts where it exceeds the tolerance by so many standard errors."""
FEWEST_SHOWN = 1e-7
"""An error below is told apart from none by its exponent alone."""
EQUAL = 1e-9
"""Log ratios that spread less than this, in nats, are equal: what is left is rounding."""


class Estimate(NamedTuple):
    """A number and its standard error.

    Attributes
    ----------
    value : float
    error : float
        0 of an exact number, infinite where it is not known.
    """

    value: float
    error: float

    def __str__(self) -> str:
        return " ".join(self.shown()).rstrip()

    def shown(self, least: int = 0) -> tuple[str, str]:
        """The number and what is said of its error: two digits of that, and at least so many decimals."""
        value, error = self
        if np.isnan(value):
            return "not known", ""
        if max(abs(value), error) < EQUAL:
            return "0", "" if error == 0.0 == value else "(to rounding)"
        if error == 0.0 or not np.isfinite(value):
            return f"{value:.{max(least, 4)}g}", ""
        if not np.isfinite(error):
            return f"{value:.{max(least, 4)}g}", "(error not known)"
        if max(abs(value), error) < 1e-3:
            return f"{value:.1e}" if value else "0", f"± {error:.0e}"
        if error < FEWEST_SHOWN and not least:
            return f"{value:.8g}", f"± {error:.0e}"
        decimals = max(least, int(np.clip(1 - np.floor(np.log10(error)), 0, 8)))
        return f"{value:.{decimals}f}", f"± {error:.{decimals}f}"


class Moments(NamedTuple):
    """Means and standard deviations of the coordinates, each of shape (d,), with their standard errors.

    Attributes
    ----------
    mean, sd : ndarray, shape (d,)
    mean_error, sd_error : ndarray, shape (d,)
        Infinite where draws do not tell it.
    """

    mean: FloatArray
    sd: FloatArray
    mean_error: FloatArray
    sd_error: FloatArray

    @classmethod
    def exact(cls, mean: FloatArray, sd: FloatArray) -> Moments:
        """Moments known without error."""
        return cls(mean, sd, np.zeros_like(mean), np.zeros_like(mean))

    def next_to(self, better: Moments) -> Moments:
        """The same with errors no smaller than their distance from what is known better."""
        with np.errstate(invalid="ignore"):
            mean_error = np.maximum(self.mean_error, abs(self.mean - better.mean))
            sd_error = np.maximum(self.sd_error, abs(self.sd - better.sd))
        return Moments(self.mean, self.sd, mean_error, sd_error)


class MarginalKL(NamedTuple):
    """Divergences of each coordinate of q from the posterior as a Gaussian, in nats, with standard errors.

    Attributes
    ----------
    kl_to, kl_from : ndarray, shape (d,)
        KL(q‖posterior) and KL(posterior‖q).
    kl_to_error, kl_from_error : ndarray, shape (d,)
    """

    kl_to: FloatArray
    kl_to_error: FloatArray
    kl_from: FloatArray
    kl_from_error: FloatArray


class Discrepancy(NamedTuple):
    """A coordinate that the approximation gets wrong: the mean's error in posterior sds, the ratio of sds.

    Attributes
    ----------
    name : str
    shift : Estimate
        The error of the mean, in sds of the posterior.
    sd_ratio : Estimate
        The approximation's sd over the posterior's. Where its error is infinite, the posterior's sd is only
        known to be so large at least: the ratio is at most this.
    mean_off, sd_off : bool
        Which of them is wrong beyond tolerance and error; in words it is these that are told.
    """

    name: str
    shift: Estimate
    sd_ratio: Estimate
    mean_off: bool = True
    sd_off: bool = True

    def __str__(self) -> str:
        told = []
        if self.mean_off and np.isfinite(self.shift.error):
            told.append(f"mean off by {_rounded(self.shift)} posterior sd")
        if not np.isfinite(self.sd_ratio.error):
            told.append(f"sd at most {self.sd_ratio.value:.2g} times the posterior's")
        elif self.sd_off:
            told.append(f"sd {_rounded(self.sd_ratio)} times the posterior's")
        unknown = "" if np.isfinite(self.shift.error) else "; its mean may be right or wrong"
        return f"{self.name} ({', '.join(told)}{unknown})"


def _rounded(estimate: Estimate) -> str:
    """Three digits of what is known to more than these, else the estimate with its error."""
    return f"{estimate.value:.3g}" if estimate.error < 0.005 * abs(estimate.value) else str(estimate)


class MomentComparison(NamedTuple):
    """What is wrong with moments next to the posterior's, worst first, and whether that is known at all.

    Of every coordinate the error of the mean in posterior sds and the logarithm of the ratio of sds, each
    with its standard error.
    """

    discrepancies: tuple[Discrepancy, ...]
    known: bool
    shift: FloatArray
    shift_error: FloatArray
    log_ratio: FloatArray
    log_ratio_error: FloatArray

    @property
    def right(self) -> bool:
        return self.known and not self.discrepancies


def compare_moments(
    names: Sequence[str], given: Moments, truth: Moments, tolerance: float, floor: FloatArray | None = None
) -> MomentComparison:
    """Which means are off by more than the tolerance times the posterior's sd, which sds by that share.

    `floor` is what the posterior's sds are at least, for those whose error is not known.
    """
    unknown = np.isinf(truth.sd_error)
    sd = np.maximum(truth.sd if floor is None else np.where(unknown, floor, truth.sd), 1e-300)
    with np.errstate(divide="ignore", over="ignore"):
        shift = (given.mean - truth.mean) / sd
        shift_error = np.where(unknown, np.inf, np.hypot(given.mean_error, truth.mean_error) / sd)
        change = np.log(given.sd / sd)
        change_error = np.hypot(given.sd_error / np.maximum(given.sd, 1e-300), truth.sd_error / sd)
    mean_beyond, sd_beyond = abs(shift) - ERRORS * shift_error, abs(change) - ERRORS * change_error
    beyond = np.maximum(mean_beyond, sd_beyond)
    if floor is not None:
        too_narrow = -change - ERRORS * given.sd_error / np.maximum(given.sd, 1e-300)
        beyond = np.where(unknown, too_narrow, beyond)
    size = np.where(np.isfinite(shift_error), np.hypot(shift, change), abs(change))
    wrong = [i for i in np.argsort(-size) if beyond[i] > tolerance]
    # Neither seen to be off by more than the tolerance, nor by less, is not known.
    right = (np.maximum(abs(shift), abs(change)) <= tolerance) & (
        ERRORS * np.maximum(shift_error, change_error) <= tolerance
    )
    known = bool(right[beyond <= tolerance].all())
    ratio = np.exp(np.minimum(change, 700.0))
    discrepancies = tuple(
        Discrepancy(
            names[i],
            Estimate(float(shift[i]), float(shift_error[i])),
            Estimate(float(ratio[i]), float(ratio[i] * change_error[i])),
            bool(mean_beyond[i] > tolerance),
            bool(sd_beyond[i] > tolerance),
        )
        for i in wrong
    )
    known = known and bool(np.isfinite(size).all())
    return MomentComparison(discrepancies, known, shift, shift_error, change, change_error)


def marginal_kl(q: Moments, posterior: Moments) -> MarginalKL:
    """Divergences of Gaussians with these moments, coordinate by coordinate; errors to first order."""
    still = ~(posterior.sd > 0.0)  # all weight is on one draw: nothing is known of the sd
    posterior = posterior._replace(
        sd=np.where(still, 1.0, posterior.sd), sd_error=np.where(still, np.inf, posterior.sd_error)
    )
    mine, other = Normal(q.mean, q.sd), Normal(posterior.mean, posterior.sd)
    s, t, gap = q.sd, posterior.sd, q.mean - posterior.mean
    with np.errstate(invalid="ignore", over="ignore"):  # 0 · ∞ where an error is not known
        to_error = np.hypot(
            gap / t**2 * posterior.mean_error, (1 / t - (s**2 + gap**2) / t**3) * posterior.sd_error
        )
        from_error = np.hypot(gap / s**2 * posterior.mean_error, (t / s**2 - 1 / t) * posterior.sd_error)
    unknown = np.isinf(posterior.sd_error)
    to_error, from_error = (np.where(unknown, np.inf, error) for error in (to_error, from_error))
    there, back = (np.where(still, np.nan, divergence) for divergence in (kl(mine, other), kl(other, mine)))
    return MarginalKL(there, to_error, back, from_error)
