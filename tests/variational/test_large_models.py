"""What large models take: rough steps and few draws, and certificates that are true all the same."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.large_models import CASES
from kl_plugins import MultivariateNormal, jeffreys
from kl_plugins.variational import fit, snapshot
from kl_plugins.variational.optimum.conjugate_gradients import ROUGH, conjugate_gradients
from kl_plugins.variational.optimum.draw_counts import draws_for_curvature, fewest_draws, more_draws
from kl_plugins.variational.optimum.fixed_draws import WhitenedELBO
from kl_plugins.variational.optimum.quasi_random import normal_draws
from kl_plugins.variational.optimum.scale_families import Gaussian, MeanFieldScales, TriangularScales


@pytest.mark.parametrize("condition", [1e1, 1e3, 1e5])
def test_steps_that_are_short_are_never_rough(condition):
    rng = np.random.default_rng(1)
    vectors, _ = np.linalg.qr(rng.normal(size=(50, 50)))
    matrix = (vectors * np.geomspace(1.0, condition, 50)) @ vectors.T
    for _ in range(20):
        right = rng.normal(size=50)
        squared = float(np.sum(np.linalg.solve(matrix, right) ** 2))
        for longest in (0.5 * squared, 2.0 * squared):
            found = conjugate_gradients(lambda v: matrix @ v, right, 1e-3, 500, longest)
            left = np.linalg.norm(right - matrix @ found) / np.linalg.norm(right)
            assert left <= (ROUGH if found @ found > longest else 1e-3)
            assert found @ found <= squared * (1.0 + 1e-6)
            assert longest < squared or left <= 1e-3


@pytest.mark.parametrize(
    ("apart", "expected"), [(0.026, 1024), (0.09, 1024), (0.2, 2048), (0.5, 4096), (1e6, 4096)]
)
def test_the_more_optima_differ_the_more_draws_come_next(apart, expected):
    assert more_draws(512, apart, 0.025) == expected


@pytest.mark.parametrize("family", [MeanFieldScales(40), TriangularScales(((40, True),))])
def test_newton_steps_over_a_part_of_the_draws_are_exact_for_quadratic_functions(family):
    rng = np.random.default_rng(2)
    root = rng.normal(size=(40, 80)) / 9.0
    precision = root @ root.T

    def density(points):
        slopes = -points @ precision
        return 0.5 * np.einsum("nd,nd->n", points, slopes), slopes

    draws = normal_draws(2048, 40, rng)
    assert draws_for_curvature(family) < len(draws) >= fewest_draws(family)
    best = family.from_hessian(precision)
    moved = Gaussian(1e-3 * rng.normal(size=40), best)
    elbo = WhitenedELBO(density, family, moved, draws)
    step, squared = elbo.newton_step(0.1)
    assert 0.0 < squared < 0.1
    np.testing.assert_allclose(elbo.gaussian(step).mean, 0.0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "method", "most"),
    [("independent coordinates", "advi", 60_000), ("linear regression", "fullrank_advi", 120_000)],
)
def test_certificates_of_large_models_are_true(name, method, most):
    case = CASES[name]
    approximation = fit(case.model(), method, random_seed=1, max_evaluations=most, progressbar=False)
    assert approximation.certificate.certified
    q = snapshot(approximation)
    assert jeffreys(MultivariateNormal(q.mean, q.covariance), case.best(method)) <= 0.025
