"""What is wrong with means and standard deviations, coordinate by coordinate, and whether that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.evidence.importance import Estimate, Moments

ERRORS = 2.0
"""A deviation counts where it exceeds the tolerance by so many standard errors."""


class Fault(NamedTuple):
    """A coordinate that the approximation gets wrong: the mean's error in posterior sds, the ratio of sds.

    Where the error of the ratio is infinite, the posterior's sd is only known to be so large at least: the
    ratio is at most this. `mean_off` and `sd_off` say which of them is wrong beyond tolerance and error; in
    words it is these that are told.
    """

    name: str
    shift: Estimate
    sd_ratio: Estimate
    mean_off: bool = True
    sd_off: bool = True

    def __str__(self) -> str:
        told = []
        if not np.isfinite(self.shift.error):
            told.append("mean not known")
        elif self.mean_off:
            told.append(f"mean off by {self.shift} sd")
        if not np.isfinite(self.sd_ratio.error):
            told.append(f"sd at most {self.sd_ratio.value:.2g} of the posterior's")
        elif self.sd_off:
            told.append(f"sd {self.sd_ratio} of the posterior's")
        return f"{self.name} ({', '.join(told)})"


class Comparison(NamedTuple):
    """What is wrong with moments next to the posterior's, worst first, and whether that is known at all.

    Of every coordinate the error of the mean in posterior sds and the logarithm of the ratio of sds, each
    with its standard error.
    """

    faults: tuple[Fault, ...]
    known: bool
    shift: FloatArray
    shift_error: FloatArray
    log_ratio: FloatArray
    log_ratio_error: FloatArray

    @property
    def right(self) -> bool:
        return self.known and not self.faults


def compare_moments(
    names: Sequence[str], given: Moments, truth: Moments, tolerance: float, floor: FloatArray | None = None
) -> Comparison:
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
    faults = tuple(
        Fault(
            names[i],
            Estimate(float(shift[i]), float(shift_error[i])),
            Estimate(float(ratio[i]), float(ratio[i] * change_error[i])),
            bool(mean_beyond[i] > tolerance),
            bool(sd_beyond[i] > tolerance),
        )
        for i in wrong
    )
    known = known and bool(np.isfinite(size).all())
    return Comparison(faults, known, shift, shift_error, change, change_error)
