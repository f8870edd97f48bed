"""The optimum that a fit's averages are compared with: found once, then known."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan, sqrt

import numpy as np
from pymc.model import Model

from kl_plugins.dispatch import kl
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.distance import OptimumDistance, distance_to_optimum
from kl_plugins.variational.optimum.iterates import Window
from kl_plugins.variational.target.parameters import Parameters

OPTIMUM_SHARE = 0.1
"""How much of the tolerance the error of the optimum may take up."""


class Comparison:
    """Averages of iterates against the best Gaussian of their family.

    Attributes
    ----------
    tried : bool
        Whether the optimum was looked for.
    reason : str
        Why it is not known within the tolerance, after it was looked for; else empty.
    distance : OptimumDistance or None
        Of the average that was compared last; its ELBO gap is NaN unless that was the first.
    """

    def __init__(self, model: Model, parameters: Parameters, tolerance: float) -> None:
        self.model, self.parameters, self.tolerance = model, parameters, tolerance
        self.tried = False
        self.reason = ""
        self.distance: OptimumDistance | None = None

    @property
    def is_known(self) -> bool:
        """Whether the optimum is known within the tolerance."""
        return self.distance is not None and self.distance.reached

    def find(self, average: FloatArray, random_seed: object) -> None:
        """Look for the optimum from an average, given by its coordinates."""
        self.tried = True
        try:
            self.distance = distance_to_optimum(
                self.parameters.distribution(average),
                self.model,
                tolerance=OPTIMUM_SHARE * self.tolerance,
                random_seed=random_seed,
            )
        except (ValueError, ArithmeticError, NotImplementedError) as error:  # the fit itself must not be lost
            self.reason = str(error)
            return
        if not self.distance.reached:
            self.reason = f"the optimum is not known within the tolerance: {self.distance.reason}"

    def jeffreys_of(self, average: FloatArray) -> float:
        """Jeffreys divergence of an average from the optimum, in nats; NaN where there is no optimum.

        With the optimum's own error on top, where it is known well, so that a claim holds in spite of it.
        `distance` is that of the average from here on.
        """
        if self.distance is None or not self.distance.known:
            return nan
        there, back = self._divergences(average)
        if there + back != self.distance.jeffreys:
            self.distance = replace(
                self.distance,
                jeffreys=there + back,
                kl_to_optimum=there,
                kl_from_optimum=back,
                elbo_gap=nan,
                elbo_gap_error=nan,
            )
        return self.jeffreys_at_most(there + back)

    def jeffreys_to(self, coordinates: FloatArray) -> float:
        """Jeffreys divergence of any Gaussian, given by its coordinates, from the optimum that was found."""
        return sum(self._divergences(coordinates))

    def jeffreys_at_most(self, divergence: float) -> float:
        """A Jeffreys divergence from the optimum that was found, with the optimum's error on top."""
        assert self.distance is not None
        error = self.distance.sampling_error if self.is_known else 0.0
        return (sqrt(divergence) + sqrt(error)) ** 2

    def iterations_to(self, window: Window, spacing: int) -> float:
        """Iterations until the optimum is within the tolerance, at the speed of a window's halves.

        The root of the Jeffreys divergence is a distance near the optimum; infinite where it grows, 0 where
        the second half has arrived.
        """
        before, now = (sqrt(self.jeffreys_at_most(sum(self._divergences(half)))) for half in window.halves())
        if now <= sqrt(self.tolerance):
            return 0.0
        if not now < before:
            return inf
        apart = 0.5 * len(window.coordinates) * spacing
        return float((now - np.sqrt(self.tolerance)) / (before - now) * apart)

    def _divergences(self, average: FloatArray) -> tuple[float, float]:
        assert self.distance is not None
        p, q = self.parameters.distribution(average), self.distance.optimum
        return float(kl(p, q)), float(kl(q, p))
