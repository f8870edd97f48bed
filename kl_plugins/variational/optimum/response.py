"""How the best Gaussian of a family responds to changes of the posterior: covariances by linear response.

Add t f(x) to the log density of the posterior, and its mean of g grows by Cov(f, g) t. That of the best
Gaussian grows by ∇E[g]ᵀ H⁻¹ ∇E[f] t, with H the Hessian of −ELBO by the family's parameters. For f and g
coordinates this is the block of H⁻¹ that belongs to the means: it knows the correlations that the family
does not have.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from kl_plugins.estimate.moments import jackknife_errors
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.conjugate_gradients import conjugate_gradients
from kl_plugins.variational.optimum.fixed_draws import (
    NEAR,
    SOLVER_ACCURACY,
    SOLVER_STEPS,
    Target,
    WhitenedELBO,
)
from kl_plugins.variational.optimum.progress import Report
from kl_plugins.variational.optimum.reasons import NoResponse
from kl_plugins.variational.optimum.scale_families import Gaussian, ScaleFamily

DENSE_DIMENSIONS = 2000
"""Up to so many dimensions the solver knows the Hessian by the means about, and needs few steps."""
DENSE_NUMBERS = 2**27
"""In matrices that are held at once (a gigabyte)."""
EXPECTED_STEPS = 6
"""Of the solver, for a right side: for more products than parameters the matrices themselves are made."""
ACCURACY, MOST_STEPS = 1e-3, 1000
"""Of the solver. The covariances that are made of its solutions are as accurate as its square."""
NEWTON_STEPS, REST = 20, 1e-8
"""Nats (Jeffreys) that a step of Newton's method still moved an optimum by when it counts as found."""


class Solutions(NamedTuple):
    """Solutions x of H x = b, shape (r, k), and the images of these by each set's Hessian, (sets, r, k)."""

    solutions: FloatArray
    images: FloatArray

    def covariance(self, sides: FloatArray) -> FloatArray:
        """By each set the covariances of what has these right sides, shape (sets, r, r) of (sets, r, k).

        Their average is bᵀ H⁻¹ b' up to the product of the errors of x and x', for b the average of the
        sides; that of all but one is the same without a set, to first order in how sets differ.
        """
        crossed = sides @ self.solutions.T
        squares = self.images @ self.solutions.T
        return crossed + crossed.swapaxes(1, 2) - 0.5 * (squares + squares.swapaxes(1, 2))

    def variances(self, sides: FloatArray) -> FloatArray:
        """The diagonals of these, shape (sets, r)."""
        found: FloatArray = np.einsum("srk,rk->sr", 2.0 * sides - self.images, self.solutions)
        return found


def sds_with_errors(variances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Standard deviations and their standard errors, of variances by each set, shape (sets, r)."""
    total = variances.sum(axis=0)
    without = np.sqrt(np.maximum(total - variances, 0.0) / (len(variances) - 1))
    return np.sqrt(np.maximum(total / len(variances), 0.0)), jackknife_errors(without)


class Curvature:
    """−ELBO over independent sets of draws around an optimum: its minimum over each, and the Hessian there.

    All are in coordinates of `WhitenedELBO` around the optimum, in which the Hessian is about the identity.

    Attributes
    ----------
    elbos : list of WhitenedELBO
        Of each set.
    places : list of ndarray, shape (k,)
        Coordinates of the minima.
    means : ndarray, shape (sets, d)
        Of the Gaussians there.

    Raises
    ------
    ValueError
        If −ELBO over a set has no minimum near the optimum.
    """

    def __init__(
        self, target: Target, family: ScaleFamily, optimum: Gaussian, sets: list[FloatArray], report: Report
    ) -> None:
        first = WhitenedELBO(target, family, optimum, sets[0], DENSE_DIMENSIONS)
        self.elbos = [first, *(first.over(draws) for draws in sets[1:])]
        self.places = []
        for i, elbo in enumerate(self.elbos):
            report(f"optimum over set {i + 1} of {len(sets)} of draws")
            self.places.append(_minimum(elbo))
        pairs = zip(self.elbos, self.places, strict=True)
        self._products = [partial(elbo.hessian_product, place) for elbo, place in pairs]
        self._matrices: FloatArray | None = None
        self.means = np.stack([first.gaussian(place).mean for place in self.places])

    def sides_of_means(self) -> FloatArray:
        """Derivatives of the mean of each coordinate of x by the coordinates, shape (d, k): right sides."""
        elbo = self.elbos[0]
        rotation = np.eye(elbo.dimension) if elbo.rotation is None else elbo.rotation
        found = np.zeros((elbo.dimension, len(elbo.weights)))
        found[:, : elbo.dimension] = elbo.family.spread(elbo.reference.root, rotation.T).T
        return found

    def solved(self, sides: FloatArray, report: Report) -> Solutions:
        """Solve with the average of the Hessians, for right sides of shape (r, k).

        By conjugate gradients, with products of the Hessians alone; where that would take more products than
        there are parameters by the matrices.

        Raises
        ------
        ValueError
            If a direction has no curvature.
        """
        count, size = len(self.elbos), sides.shape[1]
        few = len(sides) * EXPECTED_STEPS <= size or count * size**2 > DENSE_NUMBERS
        if self._matrices is None and few:
            return self._by_products(sides, report)
        if self._matrices is None:
            self._matrices = np.empty((count, size, size))
            for i, axis in enumerate(np.eye(size)):
                report(f"curvature along parameter {i + 1:,d} of {size:,d}")
                self._matrices[:, i] = self._each_product(axis)
        mean = self._matrices.mean(axis=0)
        try:
            factor = cho_factor(0.5 * (mean + mean.T))
        except np.linalg.LinAlgError:
            raise ValueError(NoResponse.INDEFINITE.told()) from None
        solutions: FloatArray = cho_solve(factor, sides.T).T
        return Solutions(solutions, solutions @ self._matrices)

    def _by_products(self, sides: FloatArray, report: Report) -> Solutions:
        solutions, images = np.empty_like(sides), np.empty((len(self.elbos), *sides.shape))
        for i, side in enumerate(sides):
            report(f"response {i + 1:,d} of {len(sides):,d}")
            found = conjugate_gradients(
                lambda direction: self._each_product(direction).mean(axis=0), side, ACCURACY, MOST_STEPS
            )
            if found is None:
                raise ValueError(NoResponse.INDEFINITE.told())
            solutions[i] = found
            images[:, i] = self._each_product(found) if found.any() else 0.0
        return Solutions(solutions, images)

    def _each_product(self, direction: FloatArray) -> FloatArray:
        """The product of each Hessian with a direction, shape (sets, k)."""
        return np.stack([product(direction) for product in self._products])


def _minimum(elbo: WhitenedELBO) -> FloatArray:
    """Coordinates of the minimum of −ELBO near the reference, by Newton's method."""
    place = np.zeros(len(elbo.weights))
    for _ in range(NEWTON_STEPS):
        value, slope = elbo(place)
        if not np.isfinite(value):
            break
        product = partial(elbo.hessian_product, place)
        step = conjugate_gradients(product, -slope, SOLVER_ACCURACY, SOLVER_STEPS)
        if step is None:
            break
        length = float(step @ step)
        place = place + float(np.sqrt(NEAR / max(length, NEAR))) * step
        if length <= REST:
            return place
    raise ValueError(NoResponse.NO_REST.told(draws=len(elbo.draws)))
