"""Log densities that may be evaluated so often and no more, and that tell how often they were."""

from __future__ import annotations

from time import monotonic

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.progress import Report
from kl_plugins.variational.target.density import TargetDensity

MOST_EVALUATIONS = 1_000_000
BETWEEN = 1.0
"""Seconds after which somebody who waits is told how far it is."""


class OutOfEvaluationsError(Exception):
    """A search would take more evaluations than it may."""


class MeteredDensity:
    """A log density as a function of points, which raises instead of going beyond a number of evaluations.

    Parameters
    ----------
    target : TargetDensity
    most : int
        How many evaluations the target may have had in the end.
    report : callable
        Told the stage, and from time to time how many evaluations there were.
    """

    def __init__(self, target: TargetDensity, most: int, report: Report) -> None:
        self._target, self._most, self._report = target, most, report
        self._stage, self._told = "", monotonic()

    def begin(self, stage: str) -> None:
        """The stage that begins."""
        self._stage, self._told = stage, monotonic()
        self._report(stage)

    def __call__(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self._target.evaluations + len(points) > self._most:
            raise OutOfEvaluationsError
        found = self._target(points)
        if monotonic() - self._told > BETWEEN:
            self._told = monotonic()
            self._report(f"{self._stage} ({self._target.evaluations:,d} evaluations)")
        return found
