"""Large pairs: solved in blocks, factored once, and never with stale factors."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from kl_plugins import (
    BlockDiagonal,
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    Kronecker,
    MultivariateNormal,
    kl,
)
from kl_plugins.ops import numpy as ops
from kl_plugins.ops.numpy import lapack


def matrix(rng, dimension, dtype=float):
    root = rng.normal(size=(dimension, 2 * dimension))
    return np.asarray(root @ root.T / dimension, dtype)


def textbook(p, q):
    """The usual formula, accurate enough far from zero."""
    (p_mean, p_cov), (q_mean, q_cov) = p, q
    w = q_mean - p_mean
    trace = np.trace(np.linalg.solve(q_cov, p_cov)) + w @ np.linalg.solve(q_cov, w)
    return 0.5 * (trace - len(w) + np.linalg.slogdet(q_cov)[1] - np.linalg.slogdet(p_cov)[1])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("dimension", [31, 32, 127, 128, 129, 200, 256, 300, 769])
def test_blocks_agree_with_the_textbook(dimension, dtype, order):
    rng = np.random.default_rng(dimension)
    sides = [(rng.normal(size=dimension).astype(dtype), matrix(rng, dimension, dtype)) for _ in "pq"]
    exact = textbook(*[(mean.astype(float), cov.astype(float)) for mean, cov in sides])
    rtol = 1e-10 if dtype == np.float64 else 1e-3
    p, q = (MultivariateNormal(mean, Dense(np.asarray(cov, order=order))) for mean, cov in sides)
    assert kl(p, q).dtype == dtype
    np.testing.assert_allclose(kl(p, q), exact, rtol=rtol)
    p, q = (
        MultivariateNormal(mean, Cholesky(np.asarray(np.linalg.cholesky(cov), order=order)))
        for mean, cov in sides
    )
    np.testing.assert_allclose(kl(p, q), exact, rtol=rtol)


@pytest.mark.parametrize("whole", [lambda a: BlockDiagonal((a,)), lambda a: Kronecker((a,))])
def test_columns_of_a_large_block_that_are_near_and_far(whole):
    factor = np.eye(1100)
    factor[:500] *= 3.0
    p, q = (MultivariateNormal(np.zeros(1100), Cholesky(a)) for a in (factor, np.eye(1100)))
    parts = [MultivariateNormal(np.zeros(1100), whole(side.covariance)) for side in (p, q)]
    assert kl(p, parts[1]) == pytest.approx(kl(p, q), rel=1e-13)
    assert kl(*parts) == pytest.approx(kl(p, q), rel=1e-13)


def test_a_factor_in_single_against_one_in_double_precision():
    rng = np.random.default_rng(1)
    p, q = (MultivariateNormal(np.zeros(300), Dense(matrix(rng, 300, t))) for t in (np.float32, np.float64))
    mean = np.zeros(300)
    exact = textbook((mean, p.covariance.matrix().astype(float)), (mean, q.covariance.matrix()))
    np.testing.assert_allclose(kl(p, q), exact, rtol=1e-3)


@pytest.mark.parametrize("dimension", [50, 300])
def test_near_and_equal_pairs(dimension):
    rng = np.random.default_rng(dimension)
    mean, cov = rng.normal(size=dimension), matrix(rng, dimension)
    p = MultivariateNormal(mean, Dense(cov))
    assert kl(p, MultivariateNormal(mean.copy(), Dense(cov.copy()))) == 0.0
    near = kl(p, MultivariateNormal(mean, Dense(cov * (1 + 1e-8))))
    np.testing.assert_allclose(near, dimension * 0.25e-16, rtol=1e-4)


@pytest.mark.parametrize("at", [(0, 0), (150, 20), (20, 290), (299, 299)])
def test_entries_of_a_large_matrix_are_checked(at):
    cov = matrix(np.random.default_rng(0), 300)
    for value, message in ((np.nan, "finite"), (np.inf, "finite"), (cov[at] + 1.0, "symmetric")):
        bad = cov.copy()
        bad[at] = value
        if at[0] != at[1] or message == "finite":
            with pytest.raises(ValueError, match=f"covariance must be {message}"):
                Dense(bad)
    bad = cov.copy()
    bad[at], bad[at[::-1]] = np.inf, np.inf
    with pytest.raises(ValueError, match="covariance must be finite"):
        Dense(bad)
    bad = cov.copy()
    bad[at[0], at[0]] = -1.0
    with pytest.raises(np.linalg.LinAlgError, match="covariance must be positive definite"):
        Dense(bad)


def test_rounding_may_leave_a_large_matrix_asymmetric():
    cov = matrix(np.random.default_rng(0), 300)
    cov[200, 10] += 1e-12
    assert np.isfinite(kl(*[MultivariateNormal(np.zeros(300), Dense(cov))] * 2))


def test_huge_finite_numbers_are_finite():
    assert ops.is_finite(np.full((300, 300), 1e308))
    huge = np.full(2, 1e308)  # and their sum is not
    assert kl(*[MultivariateNormal(huge, Diagonal(huge))] * 2) == 0.0


CHANGES = {
    "Dense": (lambda: np.array([[2.0, 0.5], [0.5, 1.0]]), Dense),
    "Cholesky": (lambda: np.array([[2.0, 0.0], [0.5, 1.0]]), Cholesky),
    "Diagonal": (lambda: np.array([2.0, 3.0]), Diagonal),
    "Isotropic": (lambda: np.array(2.0), lambda variance: Isotropic(variance, dim=2)),
}


@pytest.mark.parametrize("structure", CHANGES)
def test_a_distribution_does_not_change_with_the_array_it_was_made_from(structure):
    parameters, make = CHANGES[structure]
    array, other = parameters(), MultivariateNormal([0.0, 0.0], Isotropic(1.0, dim=2))
    p = MultivariateNormal([0.0, 0.0], make(array))
    before, covariance = kl(p, other), p.covariance.matrix().copy()
    array *= 2.0
    assert kl(p, other) == before
    np.testing.assert_array_equal(p.covariance.matrix(), covariance)


def counted(monkeypatch):
    calls = []
    cholesky = lapack.cholesky
    monkeypatch.setattr(lapack, "cholesky", lambda *args: calls.append(args) or cholesky(*args))
    return calls


@pytest.mark.parametrize("dimension", [3, 150])
def test_a_frozen_distribution_is_factored_once(dimension, monkeypatch):
    rng = np.random.default_rng(2)
    p, q = (stats.multivariate_normal(np.zeros(dimension), matrix(rng, dimension)) for _ in "pq")
    calls = counted(monkeypatch)
    first = kl(p, q)
    assert kl(p, q) == first
    assert kl(q, p) > 0.0
    assert len(calls) == 2


@pytest.mark.parametrize("dimension", [3, 150])
def test_a_mutated_frozen_distribution_is_factored_again(dimension):
    rng = np.random.default_rng(2)
    covs = [matrix(rng, dimension) for _ in "pqr"]
    p, q, fresh = (stats.multivariate_normal(np.zeros(dimension), cov.copy()) for cov in covs)
    before = kl(p, q)
    q.cov_object._covariance[...] = covs[2]  # in place
    assert kl(p, q) == kl(p, fresh) != before
    q.cov_object = stats.multivariate_normal(np.zeros(dimension), covs[1]).cov_object  # replaced
    assert kl(p, q) == before
    q.mean[0] += 1.0
    assert kl(p, q) != before


def test_a_mutated_eigendecomposition_is_factored_again():
    def of(values):
        return stats.multivariate_normal(
            [0.0, 0.0], stats.Covariance.from_eigendecomposition((values, np.eye(2)))
        )

    p, q = of([1.0, 2.0]), of([3.0, 4.0])
    before = kl(p, q)
    q.cov_object._w = np.array([5.0, 6.0])
    assert kl(p, q) == kl(p, of([5.0, 6.0])) != before


def test_memory_of_a_pair_seen_before_is_a_fraction_of_one_matrix():
    rng = np.random.default_rng(0)
    p, q = (MultivariateNormal(np.zeros(1024), Dense(matrix(rng, 1024))) for _ in "pq")
    kl(p, q)
    tracemalloc.start()
    kl(p, q)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * 8 * 1024**2
