"""Where the search for the best full-rank Gaussian begins, and what that spares it."""

from __future__ import annotations

import numpy as np
import pytest

from kl_plugins.variational.optimum.fixed_draws import minimise
from kl_plugins.variational.optimum.quasi_random import normal_draws
from kl_plugins.variational.optimum.scale_families import Gaussian, TriangularScales
from kl_plugins.variational.optimum.starts import at_average_curvature

DIMENSION = 12
FULL = TriangularScales(((DIMENSION, True),))


class Counted:
    """A log density that counts its evaluations: a correlated Gaussian under a skewed likelihood."""

    def __init__(self, skewness):
        axes = np.random.default_rng(1).normal(size=(DIMENSION, DIMENSION))
        self.precision = np.eye(DIMENSION) + axes @ axes.T
        self.skewness, self.evaluations = skewness, 0

    def __call__(self, points):
        self.evaluations += len(points)
        rates = self.skewness * np.exp(points)
        values = -0.5 * np.einsum("ni,ij,nj->n", points, self.precision, points) - rates.sum(axis=1)
        return values, -points @ self.precision - rates


def test_the_average_curvature_of_a_gaussian_is_its_own():
    target = Counted(0.0)
    reference = Gaussian(np.zeros(DIMENSION), 1.0 / np.sqrt(np.diagonal(target.precision)))
    found = at_average_curvature(target, FULL, reference, np.random.default_rng(1))
    assert found.root @ found.root.T == pytest.approx(np.linalg.inv(target.precision), abs=1e-6)


def test_a_density_that_is_nowhere_finite_leaves_the_reference():
    reference = Gaussian(np.zeros(DIMENSION), np.ones(DIMENSION))

    def nowhere(points):
        return np.full(len(points), -np.inf), np.full(points.shape, np.nan)

    found = at_average_curvature(nowhere, FULL, reference, np.random.default_rng(1))
    assert found.mean is reference.mean


def test_from_there_the_optimum_takes_fewer_evaluations():
    """The same optimum as from independent coordinates, at less than three quarters of what that costs."""
    draws, ends, costs = normal_draws(256, DIMENSION, np.random.default_rng(2)), [], []
    for average in (False, True):
        target = Counted(1.0)
        start = Gaussian(np.zeros(DIMENSION), 1.0 / np.sqrt(np.diagonal(target.precision)))
        if average:
            start = at_average_curvature(target, FULL, start, np.random.default_rng(1))
        else:
            start = Gaussian(start.mean, np.diag(start.root))
        found = minimise(target, FULL, start, draws, 1e-3)
        assert found.remaining <= 1e-3
        ends.append(found.value)
        costs.append(target.evaluations)
    assert ends[0] == pytest.approx(ends[1], abs=1e-2)
    assert costs[1] < 0.75 * costs[0]
