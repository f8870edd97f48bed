"""The best Gaussian of a low rank: against exact optima and the conditions that one has to meet."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest

from kl_plugins import LowRank, MultivariateNormal, jeffreys
from kl_plugins.variational import distance_to_optimum, linear_response
from kl_plugins.variational.optimum.fixed_draws import WhitenedELBO, minimise
from kl_plugins.variational.optimum.low_rank_scales import LowRankScales
from kl_plugins.variational.optimum.quasi_random import normal_draws
from kl_plugins.variational.optimum.scale_families import (
    Gaussian,
    TriangularScales,
    family_of,
    with_constant_metric,
)

RNG = np.random.default_rng(1)
D, K = 6, 2
FAMILY = LowRankScales(D, K)
AXES = RNG.normal(size=(D, D))
PRECISION = AXES @ AXES.T / D + 0.3 * np.eye(D)
ROOT = np.column_stack([RNG.normal(size=(D, K)), np.exp(0.3 * RNG.normal(size=D))])
REFERENCE = Gaussian(0.1 * RNG.normal(size=D), ROOT)


def quadratic(x):
    return -0.5 * np.einsum("ni,ij,nj->n", x, PRECISION, x), -x @ PRECISION


def quartic(x):
    value, slope = quadratic(x)
    return value - 0.05 * np.sum(x**4, axis=1), slope - 0.2 * x**3


def elbo(target=quartic, reference=REFERENCE):
    return WhitenedELBO(target, FAMILY, reference, normal_draws(64, D, np.random.default_rng(2)))


def named(gaussian):
    return MultivariateNormal(gaussian.mean, FAMILY.covariance(gaussian.root))


def test_the_root():
    root = FAMILY.spread(ROOT, np.eye(D)).T
    np.testing.assert_allclose(root @ root.T, FAMILY.covariance(ROOT).matrix(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(FAMILY.pull(ROOT, np.eye(D)), root, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(FAMILY.log_det(ROOT), np.linalg.slogdet(root)[1], rtol=1e-12)


def test_slopes_are_those_of_the_value():
    found, place = elbo(), 0.1 * np.random.default_rng(3).normal(size=2 * D + D * K)
    _, slope = found(place)
    steps = 1e-5 * np.eye(len(place))
    expected = [(found(place + step)[0] - found(place - step)[0]) / 2e-5 for step in steps]
    np.testing.assert_allclose(slope, expected, rtol=1e-6, atol=1e-6)


def test_lengths_are_jeffreys_divergences():
    found, rng = elbo(), np.random.default_rng(4)
    for step in 1e-4 * rng.normal(size=(3, 2 * D + D * K)):
        step[:D] = 0.0  # the means' are those of the rotation, as in any family
        expected = jeffreys(named(found.gaussian(step)), named(REFERENCE))
        np.testing.assert_allclose(found.squared_length(step), expected, rtol=1e-3)


def test_factors_that_only_turn_change_nothing():
    found, rng = elbo(), np.random.default_rng(5)
    step = np.zeros(2 * D + D * K)
    step[D:] = found.chart.turning(rng.normal(size=D + D * K))
    assert step @ step > 0.1
    assert found.squared_length(1e-4 * step) < 1e-14
    np.testing.assert_allclose(found.chart.turning(step[D:]), step[D:], rtol=1e-12, atol=1e-12)
    turned = np.column_stack([ROOT[:, :-1] @ np.array([[0.6, 0.8], [-0.8, 0.6]]), ROOT[:, -1]])
    np.testing.assert_allclose(elbo().value, elbo(reference=Gaussian(REFERENCE.mean, turned)).value)
    np.testing.assert_allclose(FAMILY.middle(ROOT, turned), ROOT, rtol=1e-12)
    family, same = with_constant_metric(FAMILY, REFERENCE)
    np.testing.assert_allclose(same.root @ same.root.T, FAMILY.covariance(ROOT).matrix(), rtol=1e-12)
    assert family.every_correlation


@pytest.mark.parametrize("start", ["closest", "identity", "random"])
def test_a_minimum_is_stationary(start):
    """(Λ − Σ⁻¹) F = 0 of a Gaussian with the precision Λ, and its diagonal is zero or s is."""
    starts = {
        "closest": FAMILY.from_hessian(PRECISION),
        "identity": FAMILY.from_hessian(np.eye(D)),
        "random": ROOT,
    }
    draws = normal_draws(64, D, np.random.default_rng(6))
    found = minimise(quadratic, FAMILY, Gaussian(np.zeros(D), starts[start]), draws, 1e-7).gaussian
    rest = PRECISION - np.linalg.inv(FAMILY.covariance(found.root).matrix())
    np.testing.assert_allclose(rest @ found.root[:, :-1], 0.0, atol=2e-3)
    np.testing.assert_allclose(np.diagonal(rest) * found.root[:, -1] ** 2, 0.0, atol=2e-3)


def low_rank_gaussian(d=12, k=2):
    rng = np.random.default_rng(7)
    factor, diagonal = rng.normal(size=(d, k)), np.exp(rng.normal(size=d))
    exact = MultivariateNormal(np.arange(d) / d, LowRank(diagonal, factor))
    with pm.Model() as model:
        pm.MvNormal("x", exact.mean, cov=exact.covariance.matrix())
    return model, exact


@pytest.mark.slow
@pytest.mark.parametrize("rank", [2, 4])
def test_a_posterior_of_the_family_is_found(rank):
    """Also where there are more factors than it takes."""
    model, exact = low_rank_gaussian()
    rng = np.random.default_rng(8)
    q = MultivariateNormal(np.zeros(12), LowRank(np.ones(12), 0.3 * rng.normal(size=(12, rank))))
    distance = distance_to_optimum(q, model, random_seed=1, progressbar=False)
    assert distance.reached
    assert distance.low_rank
    np.testing.assert_allclose(jeffreys(distance.optimum, exact), 0.0, atol=1e-3)
    np.testing.assert_allclose(distance.jeffreys, jeffreys(q, exact), rtol=1e-2)
    np.testing.assert_allclose(distance.full_rank_gain, 0.0, atol=1e-3)
    assert "of no other Gaussian of that rank it is larger than that" in str(distance)


def test_a_rank_that_is_enough_for_every_covariance_is_full():
    assert isinstance(family_of(LowRank(np.ones(3), np.ones((3, 2)))), TriangularScales)
    assert isinstance(family_of(LowRank(np.ones(3), np.ones((3, 1)))), LowRankScales)


@pytest.mark.slow
def test_linear_response_is_around_the_best_with_all_correlations():
    model, exact = low_rank_gaussian(d=4, k=1)
    q = MultivariateNormal(exact.mean, LowRank(np.ones(4), np.ones((4, 1))))
    response = linear_response(q, model, random_seed=1, progressbar=False)
    np.testing.assert_allclose(jeffreys(response.gaussian, exact), 0.0, atol=1e-3)
