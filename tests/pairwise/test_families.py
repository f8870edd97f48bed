"""Sides of one distribution, and of equal ones, are sides as all others are, in every family of SciPy."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from kl_plugins import independent, kl, pairwise_kl

FROZEN = [
    *[stats.norm(), stats.t(3), stats.beta(3, 9), stats.logistic(), stats.uniform(), stats.pareto(3)],
    *[stats.vonmises(2), stats.triang(0.2), stats.truncnorm(-1, 1), stats.randint(1, 5), stats.arcsine()],
    *[stats.gamma(2), stats.lognorm(1.0), stats.weibull_min(2), stats.laplace(), stats.cauchy()],
    *[stats.poisson(2), stats.binom(5, 0.3), stats.nbinom(3, 0.2), stats.betabinom(5, 2, 3)],
    *[stats.dirichlet([1.0, 2.0]), stats.multinomial(3, [0.2, 0.8]), stats.multivariate_normal([0.0, 1.0])],
    *[independent(stats.uniform([0.0, 1.0])), stats.Uniform(a=0.0, b=1.0)],
]


@pytest.mark.parametrize("one", FROZEN, ids=lambda one: type(getattr(one, "dist", one)).__name__)
def test_one_distribution_and_equal_ones(one):
    for sides in (([one],), ([one] * 2,), ([one] * 3, [one])):
        np.testing.assert_array_equal(pairwise_kl(*sides), np.zeros((len(sides[0]), len(sides[-1]))))


def test_one_against_one():
    beta = stats.beta(3, 9)
    for q in (stats.beta(1, 1), stats.uniform(0, 2)):
        np.testing.assert_allclose(pairwise_kl([beta], [q]), [[kl(beta, q)]], rtol=1e-14)
    many = {"a": beta, "b": stats.beta(8, 4)}
    prior = pairwise_kl(many, {"prior": stats.beta(1, 1)})
    np.testing.assert_allclose(prior[:, 0], [kl(p, stats.beta(1, 1)) for p in many.values()], rtol=1e-14)


def test_one_against_a_batch_with_names():
    first = xr.DataArray([1.0, 2.0, 3.0], dims="i")
    expected = [[kl(stats.beta(a, 1), stats.beta(3, 9))] * 2 for a in (1, 2, 3)]
    for parameter in (first, first.chunk(i=2)):
        table = pairwise_kl(stats.beta(parameter, 1.0), [stats.beta(3, 9)] * 2)
        np.testing.assert_allclose(table.compute(), expected, rtol=1e-13)
