"""Pairs as products of matrices: judged before anything is recomputed, and what is recomputed is `kl`'s."""

import tracemalloc

import numpy as np
import pytest

import oracle
from kl_plugins import Cholesky, Dense, Diagonal, MultivariateNormal, kl, pairwise_kl
from kl_plugins.ops.numpy import pair_products
from kl_plugins.pairwise import batches

KINDS = ("Dense", "Cholesky", "Diagonal")


def covariances(rng, count, dimension, condition=10.0):
    values = condition ** rng.uniform(-0.5, 0.5, (count, dimension))
    vectors = np.linalg.qr(rng.normal(size=(count, dimension, dimension)))[0]
    matrices = (vectors * values[:, None]) @ vectors.swapaxes(1, 2)
    return (matrices + matrices.swapaxes(1, 2)) / 2


def batch(kind, means, matrices):
    make = {
        "Dense": Dense,
        "Cholesky": lambda m: Cholesky(np.linalg.cholesky(m)),
        "Diagonal": lambda m: Diagonal(np.diagonal(m, axis1=-2, axis2=-1)),
    }
    return MultivariateNormal(means, make[kind](matrices))


def products(p, q):
    """The products alone, and which of them `pairwise_kl` keeps."""
    p, q = batches.Prepared(p), batches.Prepared(q)
    centre = q.centre()
    ((_, _, value, good),) = pair_products.blocks(p.side_of_p(centre), q.side_of_q(centre))
    return value, good


def as_kl(p, q):
    """All pairs as `kl` computes batches."""
    return batches.gathered_table(batches.Prepared(p), batches.Prepared(q))


def exact(made):
    covariance = made.covariance
    if isinstance(covariance, Diagonal):
        return [oracle.from_variances(*x) for x in zip(made.mean, covariance.variances, strict=True)]
    if isinstance(covariance, Cholesky):
        return [oracle.from_factor(*x) for x in zip(made.mean, covariance.factor, strict=True)]
    return [oracle.from_covariance(*x) for x in zip(made.mean, covariance.covariance, strict=True)]


def errors(value, p, q, where):
    """Relative errors of the chosen pairs."""
    ours, theirs = exact(p), exact(q)
    pairs = zip(*np.nonzero(where), strict=True)
    return np.array([oracle.relative_error(value[i, j], oracle.kl(ours[i], theirs[j])) for i, j in pairs])


@pytest.mark.parametrize("offset", [0.0, 1e8])
@pytest.mark.parametrize("condition", [1e0, 1e2, 1e6, 1e12])
@pytest.mark.parametrize("kind", KINDS)
def test_good_products_are_as_good_as_kl(kind, condition, offset):
    rng = np.random.default_rng(int(np.log10(condition)))
    matrices = covariances(rng, 8, 4, condition)
    for i, near in ((5, 1e-6), (6, 1e-2), (7, 0.3)):  # a scale, so that they stay positive definite
        matrices[i] = matrices[0] * (1.0 + near)
    means = rng.normal(size=(8, 4)) + offset
    means[5:] = means[0]
    p = batch(kind, means, matrices)
    value, good = products(p, p)
    assert 0 < good.sum() < good.size
    others = kl(batch(kind, means[:, None], matrices[:, None]), p)
    assert (value[good] != others[good]).any()
    ours, others = errors(value, p, p, good), errors(others, p, p, good)
    assert (ours <= 1.1 * np.maximum(others, 5e-13)).all()


@pytest.mark.parametrize("dimension", [1, 2, 10, 40, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_well_separated_pairs_are_products(kind, dimension, monkeypatch):
    rng = np.random.default_rng(dimension)
    p, q = (
        batch(kind, 3.0 * rng.normal(size=(n, dimension)), covariances(rng, n, dimension)) for n in (9, 7)
    )
    expected = as_kl(p, q)
    _, good = products(p, q)
    assert good.mean() > 0.9
    monkeypatch.setattr(batches, "_gathered", lambda *pairs: np.nan)
    value = pairwise_kl(p, q)
    assert np.isfinite(value).mean() > 0.9
    expected[np.isnan(value)] = np.nan
    np.testing.assert_allclose(value, expected, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_and_near_pairs_are_those_of_kl(kind):
    rng = np.random.default_rng(4)
    matrices = covariances(rng, 12, 3)
    means = rng.normal(size=(12, 3))
    means[6:], matrices[6:] = means[:6], matrices[:6]
    matrices[9:] *= 1.0 + 1e-9
    p = batch(kind, means, matrices)
    value, expected = pairwise_kl(p), kl(batch(kind, means[:, None], matrices[:, None]), p)
    i = np.arange(3)
    assert (value[i, i + 6] == 0.0).all()
    assert (np.diagonal(value) == 0.0).all()
    assert (value >= 0.0).all()
    near = expected[i + 3, i + 9]
    assert ((near > 0.0) & (near < 1e-15)).all()
    np.testing.assert_array_equal(value[i + 3, i + 9], near)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_variances(kind):
    variances = np.array([[1e-150, 1.0], [1e150, 1.0], [1e-300, 1e300], [1e150, 1e-150], [2.0, 3.0]])
    p = batch(kind, np.zeros((5, 2)), variances[:, :, None] * np.eye(2))
    value = pairwise_kl(p)
    ours = exact(p)
    for i, j in np.ndindex(5, 5):
        true = oracle.kl(ours[i], ours[j])
        if i == j:
            assert value[i, j] == 0.0
        elif true > 1.7e308:
            assert value[i, j] == np.inf
        else:
            assert oracle.relative_error(value[i, j], true) < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_nan_stays_where_it_is(kind):
    rng = np.random.default_rng(5)
    means, matrices = rng.normal(size=(6, 3)), covariances(rng, 6, 3)
    clean = pairwise_kl(batch(kind, means, matrices))
    means[2, 1] = np.nan
    value = pairwise_kl(batch(kind, means, matrices))
    rest = np.delete(np.arange(6), 2)
    assert np.isnan(value[2]).all()
    assert np.isnan(value[:, 2]).all()
    np.testing.assert_allclose(value[np.ix_(rest, rest)], clean[np.ix_(rest, rest)], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_rounded_once(kind):
    rng = np.random.default_rng(6)
    means, matrices = rng.normal(size=(6, 3)).astype(np.float32), covariances(rng, 6, 3).astype(np.float32)
    p = batch(kind, means, matrices)
    q = batch(kind, means[::-1].copy(), matrices)
    value = pairwise_kl(p, q)
    assert value.dtype == np.float32
    assert errors(value, p, q, value > 0.0).max() < 1.3e-7
    assert (np.diagonal(pairwise_kl(p)) == 0.0).all()


def test_a_shared_covariance_and_blocks_of_every_size(monkeypatch):
    rng = np.random.default_rng(7)
    means, matrices = 5.0 * rng.normal(size=(50, 3)), covariances(rng, 50, 3)
    p, q = batch("Dense", means, matrices), batch("Dense", means + 1.0, matrices[0])
    whole = [pairwise_kl(p, q), pairwise_kl(q, p)]
    monkeypatch.setattr(pair_products, "_MOST", 32)
    monkeypatch.setattr(pair_products, "_PAIRS", 1)
    for value, sides in zip(whole, ((p, q), (q, p)), strict=True):
        np.testing.assert_array_equal(pairwise_kl(*sides), value)
        np.testing.assert_allclose(value, as_kl(*sides), rtol=1e-12)


def peak(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1] / 8
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("separated", [True, False], ids=["products", "as kl"])
@pytest.mark.parametrize(("count", "dimension"), [(300, 20), (100, 60)])
def test_memory_does_not_grow_with_pairs_times_matrices(count, dimension, separated):
    rng = np.random.default_rng(8)
    means = rng.normal(size=(count, dimension)) * (3.0 if separated else 0.0)
    matrices = covariances(rng, count if separated else 1, dimension)
    matrices = matrices * (1.0 + 1e-4 * rng.random((count, 1, 1)) * (not separated))
    p = MultivariateNormal(means, Dense(matrices))
    pairwise_kl(p)  # what is loaded and factored once
    assert (products(p, p)[1].mean() > 0.9) == separated
    numbers = peak(lambda: pairwise_kl(p))
    assert numbers < 4e6 + 4 * count * dimension**2 + count**2 < count**2 * dimension**2 / 4
