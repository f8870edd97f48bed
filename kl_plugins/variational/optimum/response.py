"""How the best Gaussian of a family responds to changes of the posterior: covariances by linear response.

Add t f(x) to the log density of the posterior, and its mean of g grows by Cov(f, g) t. That of the best
Gaussian grows by ∇E[g]ᵀ H⁻¹ ∇E[f] t, with H the Hessian of −ELBO by the family's parameters. For f and g
coordinates this is the block of H⁻¹ that belongs to the means: it knows the correlations that the family
does not have.

The family changes the mean of g only as far as g is a combination of its scores: for Gaussians of the
linear and the quadratic terms that the family has. The rest of g, r = g − E[g] − sᵀ score with
s = ∇E[g] in coordinates whose Fisher information is the identity, has under q itself the variance
E[r²] = Var(g) − |s|², and does not respond. So Var(g) is ∇E[g]ᵀ H⁻¹ ∇E[g] + E[r²]: exactly that of q where
q is the posterior (H is the Fisher information then), and linear response alone where g is linear.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from kl_plugins.estimate.moments import jackknife_errors
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.conjugate_gradients import conjugate_gradients
from kl_plugins.variational.optimum.fixed_draws import NEAR, SOLVER_ACCURACY, SOLVER_STEPS, WhitenedELBO
from kl_plugins.variational.optimum.hessians import HESSIAN_STEP, Target, resolution
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
    """Solutions x of H x = b for right sides b.

    Attributes
    ----------
    solutions, image : ndarray, shape (r, k)
        x and H x.
    curvatures : ndarray, shape (sets, r)
        xᵀ H x with the Hessian over each set of draws, at the optimum that the set gives to first order.
    """

    solutions: FloatArray
    image: FloatArray
    curvatures: FloatArray

    def covariance(self, sides: FloatArray) -> FloatArray:
        """bᵀ H⁻¹ b' = xᵀ b' + bᵀ x' − xᵀ H x', up to the product of the errors of x and x', shape (r, r)."""
        crossed, squares = sides @ self.solutions.T, self.image @ self.solutions.T
        return crossed + crossed.T - 0.5 * (squares + squares.T)

    def sds(
        self,
        sides: FloatArray,
        sides_of_sets: FloatArray,
        rest: FloatArray | float = 0.0,
        rest_of_sets: FloatArray | float = 0.0,
    ) -> tuple[FloatArray, FloatArray]:
        """The square roots of its diagonal, and their standard errors.

        Without one set it is, to first order in how sets differ, the average of the others' own figures;
        `sides_of_sets`, shape (sets, r, k), are the right sides by each. `rest`, shape (r,), are variances
        that do not respond, and `rest_of_sets`, shape (sets, r), the same by each.
        """
        responding = np.einsum("rk,rk->r", 2.0 * sides - self.image, self.solutions)
        variances = responding + rest
        of_sets = (
            2.0 * np.einsum("srk,rk->sr", sides_of_sets, self.solutions) - self.curvatures + rest_of_sets
        )
        without = (of_sets.sum(axis=0) - of_sets) / (len(of_sets) - 1)
        errors = jackknife_errors(np.sqrt(np.maximum(without, 0.0)))
        return np.sqrt(np.maximum(variances, 0.0)), errors


class Curvature:
    """−ELBO around an optimum: its minimum over fixed draws, and the Hessian there.

    The draws are in independent sets: how these differ tells how well the minimum and the Hessian are known.
    Everything is in coordinates of `WhitenedELBO` around the optimum, in which the Hessian is about the
    identity.

    Attributes
    ----------
    elbo : WhitenedELBO
        Over all draws.
    sets : int
        How many sets they are.
    place : ndarray, shape (k,)
        Coordinates of the minimum over all draws: zero, as it is their reference.
    moved : float
        Jeffreys divergence, in nats and to second order, of the minimum from the optimum given.
    slopes : ndarray, shape (sets, k)
        Gradients there over each set, of which the average is zero.

    Raises
    ------
    ValueError
        If there is no minimum near the optimum.
    """

    def __init__(
        self, target: Target, family: ScaleFamily, optimum: Gaussian, sets: list[FloatArray], report: Report
    ) -> None:
        self.elbo = WhitenedELBO(target, family, optimum, np.concatenate(sets), DENSE_DIMENSIONS)
        self.sets = len(sets)
        self._factor: Any = None
        report("optimum over these draws")
        found = self._minimum()
        self.moved = float(found @ found)
        self.elbo, self.place = self.elbo.around(found), np.zeros_like(found)
        _, self.slopes = self.elbo.of_sets(self.place, self.sets)

    @property
    def mean(self) -> FloatArray:
        """Of the Gaussian at the minimum, shape (d,)."""
        return self.elbo.gaussian(self.place).mean

    def shifts(self) -> FloatArray:
        """To first order, how far the minimum over each set is from there, shape (sets, k)."""
        return np.stack([self._solution(-slope) for slope in self.slopes])

    def errors(self, solved: Solutions) -> FloatArray:
        """Standard errors of averages, such as means, whose derivatives were the right sides, shape (r,)."""
        return averages_errors(self.slopes @ solved.solutions.T)

    def sides_of_means(self, places: NDArray[np.intp] | None = None) -> FloatArray:
        """Derivatives of the means of x at r places, by default all: right sides, shape (r, k)."""
        elbo, every = self.elbo, np.arange(self.elbo.dimension)
        units = np.equal.outer(every if places is None else places, every).astype(float)
        rows = elbo.family.pull(elbo.reference.root, units)
        found = np.zeros((len(units), len(elbo.weights)))
        found[:, : elbo.dimension] = rows if elbo.rotation is None else rows @ elbo.rotation
        return found

    def solved(self, sides: FloatArray, report: Report) -> Solutions:
        """Solve for right sides of shape (r, k).

        By conjugate gradients, with products of the Hessian alone; where that would take more of them than
        there are parameters by the matrix.

        Raises
        ------
        ValueError
            If a direction has no curvature.
        """
        count, size = sides.shape
        if self._factor is None and count * EXPECTED_STEPS > size and size**2 <= DENSE_NUMBERS:
            self._factor = self._factored(report)
        solutions, image = np.zeros_like(sides), np.zeros_like(sides)
        curvatures = np.zeros((self.sets, count))
        _, base = self.elbo(self.place)
        for i, side in enumerate(sides):
            report(f"response {i + 1:,d} of {count:,d}")
            solutions[i] = found = self._solution(side)
            if not found.any():
                continue
            ahead, behind, step = self._beside(found)
            images = (ahead - behind) / (2.0 * step)
            image[i] = images.mean(axis=0)
            # The derivative of xᵀ H x, from the gradients that are there already.
            bend = ((ahead + behind).mean(axis=0) - 2.0 * base) / step**2
            curvatures[:, i] = images @ found - self.slopes @ self._solution(bend)
        return Solutions(solutions, image, curvatures)

    def _solution(self, side: FloatArray) -> FloatArray:
        """x with H x = b; ValueError where a direction has no curvature."""
        if self._factor is not None:
            solution: FloatArray = cho_solve(self._factor, side)
            return solution
        found = conjugate_gradients(self._product, side, ACCURACY, MOST_STEPS)
        if found is None:
            raise ValueError(NoResponse.INDEFINITE.told())
        return found

    def _factored(self, report: Report) -> Any:
        """The Cholesky factor of the whole Hessian, as SciPy has it."""
        size = len(self.place)
        matrix = np.empty((size, size))
        for i, axis in enumerate(np.eye(size)):
            report(f"curvature along parameter {i + 1:,d} of {size:,d}")
            matrix[i] = self._product(axis)
        try:
            return cho_factor(0.5 * (matrix + matrix.T))
        except (np.linalg.LinAlgError, ValueError):  # the latter of numbers that are not finite
            raise ValueError(NoResponse.INDEFINITE.told()) from None

    def _product(self, direction: FloatArray) -> FloatArray:
        """The product of the Hessian over all draws with a direction."""
        ahead, behind, step = self._beside(direction)
        product: FloatArray = (ahead - behind).mean(axis=0) / (2.0 * step)
        return product

    def _beside(self, direction: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Gradients over each set, shape (sets, k), a short step ahead of the place and behind it.

        With the step, in multiples of the direction. NaN where −ELBO is not finite.
        """
        length = max(HESSIAN_STEP, float(np.cbrt(resolution(self.elbo.reference))))
        step = length / np.sqrt(direction @ direction)
        ahead, behind = (
            self.elbo.of_sets(self.place + sign * step * direction, self.sets) for sign in (1.0, -1.0)
        )
        unknown = 0.0 if np.isfinite(ahead[0] + behind[0]) else np.nan
        return ahead[1] + unknown, behind[1] + unknown, float(step)

    def _minimum(self) -> FloatArray:
        """Coordinates of the minimum over all draws, by Newton's method from the optimum that was given."""
        self.place = np.zeros(len(self.elbo.weights))
        for _ in range(NEWTON_STEPS):
            value, slope = self.elbo(self.place)
            if not np.isfinite(value):
                break
            step = conjugate_gradients(self._product, -slope, SOLVER_ACCURACY, SOLVER_STEPS)
            if step is None:
                break
            length = float(step @ step)
            self.place = self.place + float(np.sqrt(NEAR / max(length, NEAR))) * step
            if length <= REST:
                return self.place
        raise ValueError(NoResponse.NO_REST.told(draws=len(self.elbo.draws)))


def averages_errors(of_sets: FloatArray) -> FloatArray:
    """Standard errors of averages over sets, shape (sets, ...)."""
    errors: FloatArray = np.std(of_sets, axis=0, ddof=1) / np.sqrt(len(of_sets))
    return errors
