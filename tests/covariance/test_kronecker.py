"""Kronecker products: against the oracle and the dense equivalent, without the product itself."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs
from scipy import stats

import gaussians
import oracle
from graphs import value
from kl_plugins import (
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    Kronecker,
    MultivariateNormal,
    Precision,
    entropy,
    explain,
    jeffreys,
    kl,
)

BY_FACTORS = "O(Σ dᵢ³) for factors of dᵢ variables, O(d Σ dᵢ) in the means"
SIZES = [(3,), (2, 3), (1, 4), (2, 2, 2)]


def matrices(rng, sizes):
    return [gaussians.well_conditioned(rng, size, gaussians.ANY) for size in sizes]


def exact(mean, factors):
    """The oracle's reading of the product, multiplied in its digits."""
    product = [[oracle.mpmath.mpf(1)]]
    for factor in map(oracle.matrix, factors):
        product = [[a * b for a in left for b in right] for left in product for right in factor]
    return oracle.Gaussian(oracle.vector(mean), oracle._cholesky(product))


def dense(mean, factors):
    product = np.eye(1)
    for factor in factors:
        product = np.kron(product, factor)
    return MultivariateNormal(mean, Dense(product))


@pytest.mark.parametrize("distance", [1.0, 0.1, 1e-3, 1e-6, 1e-8, 2e-9])
@pytest.mark.parametrize("sizes", SIZES)
def test_pair_agrees_with_the_oracle(sizes, distance):
    rng = np.random.default_rng(sizes)
    first, other = matrices(rng, sizes), matrices(rng, sizes)
    second = [a + distance * (b - a) for a, b in zip(first, other, strict=True)]
    mean = rng.normal(size=np.prod(sizes))
    shifted = mean + distance * rng.normal(size=mean.shape)
    p, q = MultivariateNormal(mean, Kronecker(first)), MultivariateNormal(shifted, Kronecker(second))
    want = oracle.kl(exact(mean, first), exact(shifted, second))
    assert oracle.relative_error(kl(p, q), want) < 1e-13 + 1e-14 / distance
    assert kl(p, p) == kl(q, q) == 0.0
    assert explain(p, q).cost == BY_FACTORS


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(hs.integers(0, 2**32 - 1), hs.lists(hs.integers(1, 4), min_size=1, max_size=3))
def test_any_shape_agrees_with_the_dense_equivalent(seed, sizes):
    rng = np.random.default_rng(seed)
    d = int(np.prod(sizes))
    mean, other_mean = rng.normal(size=(2, d))
    first, second = matrices(rng, sizes), matrices(rng, sizes)
    p, same_p = MultivariateNormal(mean, Kronecker(first)), dense(mean, first)
    assert entropy(p) == pytest.approx(entropy(same_p), rel=1e-11)
    factor = np.linalg.cholesky(gaussians.well_conditioned(rng, d, gaussians.ANY))
    for other in (
        Kronecker(second),
        Kronecker([Cholesky(factor)]),
        Isotropic(rng.uniform(0.5, 2.0), dim=d),
        Diagonal(rng.uniform(0.5, 2.0, d)),
        Cholesky(factor),
        Precision(factor @ factor.T),
    ):
        q = MultivariateNormal(other_mean, other)
        assert kl(p, q) == pytest.approx(kl(same_p, q), rel=1e-10)
        assert kl(q, p) == pytest.approx(kl(q, same_p), rel=1e-10)
        assert jeffreys(p, q) == jeffreys(q, p)


def test_multiple_may_be_in_any_factor():
    rng = np.random.default_rng(1)
    a, b = matrices(rng, (3, 4))
    p, q = (MultivariateNormal(np.zeros(12), Kronecker(x)) for x in ((1e3 * a, b), (a, 1e3 * b)))
    assert 0.0 <= kl(p, q) < 1e-28


@pytest.mark.parametrize(("first", "second"), [(1e-140, 1e140), (1e140, 1e-140), (1e-140, 1e-140)])
def test_extreme_scales_do_not_overflow(first, second):
    p, q = (MultivariateNormal(np.zeros(4), Kronecker([s * np.eye(2), np.eye(2)])) for s in (first, second))
    assert kl(p, q) == pytest.approx(2 * (first / second - 1 - np.log(first / second)), rel=1e-13)


def test_large_dimension_makes_no_product():
    """The product would have 10¹² entries."""
    rng = np.random.default_rng(2)
    p, q = (MultivariateNormal(np.zeros(10**6), Kronecker(matrices(rng, (100, 100, 100)))) for _ in range(2))
    assert kl(p, q) > 0.0
    assert kl(p, p) == 0.0
    for axes in (Isotropic(2.0, dim=10**6), Diagonal(np.full(10**6, 2.0))):
        assert kl(p, MultivariateNormal(np.zeros(10**6), axes)) > 0.0


def test_batch_of_means():
    rng = np.random.default_rng(3)
    mean = rng.normal(size=(5, 6))
    first, second = matrices(rng, (2, 3)), matrices(rng, (2, 3))
    got = kl(MultivariateNormal(mean, Kronecker(first)), MultivariateNormal(np.zeros(6), Kronecker(second)))
    want = kl(dense(mean, first), dense(np.zeros(6), second))
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_marginal():
    rng = np.random.default_rng(4)
    first = matrices(rng, (2, 3))
    index = [4, 0, 3]
    got = Kronecker(first).marginal(index).matrix()
    np.testing.assert_allclose(got, np.kron(*first)[np.ix_(index, index)], rtol=1e-15)


def test_other_sizes_go_through_whole_factors():
    p = MultivariateNormal(np.zeros(6), Kronecker([np.eye(2), np.eye(3)]))
    q = MultivariateNormal(np.zeros(6), Kronecker([np.eye(3), np.eye(2)]))
    assert explain(p, q).cost == "O(d³): the sizes of the factors differ, both through Cholesky factors"
    assert kl(p, q) == 0.0


@pytest.mark.parametrize(
    ("factors", "error", "message"),
    [
        ([], ValueError, "factors must hold at least one covariance"),
        (
            [Diagonal(np.ones((3, 2))), Diagonal(np.ones((4, 2)))],
            ValueError,
            r"batch shapes of factors do not broadcast: \(3,\), \(4,\)",
        ),
        ([[[1.0, 2.0], [2.0, 1.0]]], np.linalg.LinAlgError, "covariance must be positive definite"),
    ],
)
def test_bad_parameters(factors, error, message):
    with pytest.raises(error, match=message):
        Kronecker(factors)


def test_matrix_normal_of_scipy():
    rng = np.random.default_rng(5)
    rows, columns, other = matrices(rng, (2, 3, 3))
    mean = rng.normal(size=(2, 3))
    p, q = stats.matrix_normal(mean, rows, columns), stats.matrix_normal(rowcov=np.eye(2), colcov=other)
    assert explain(p, q).p == "MatrixNormal(Kronecker)"
    want = kl(dense(mean.ravel(), [rows, columns]), dense(np.zeros(6), [np.eye(2), other]))
    assert kl(p, q) == pytest.approx(want, rel=1e-13)
    assert entropy(p) == pytest.approx(p.entropy(), rel=1e-13)
    with pytest.raises(ValueError, match=r"different event shapes.*\(2, 3\).*\(3, 2\)"):
        kl(p, stats.matrix_normal(rowcov=other, colcov=rows))
    with pytest.raises(ValueError, match="different event shapes"):
        kl(p, stats.multivariate_normal(np.zeros(6)))


def test_matrix_normal_of_pymc():
    rng = np.random.default_rng(6)
    rows, columns, other = matrices(rng, (2, 3, 3))
    mean = rng.normal(size=(2, 3))
    a = pt.dmatrix("a", shape=(2, 2))
    p = pm.MatrixNormal.dist(mean, rowcov=a, colchol=np.linalg.cholesky(columns))
    q = pm.MatrixNormal.dist(np.zeros((2, 3)), rowcov=pt.eye(2), colcov=other)
    want = kl(stats.matrix_normal(mean, rows, columns), stats.matrix_normal(rowcov=np.eye(2), colcov=other))
    assert explain(p, q).p == "MatrixNormal(Kronecker)"
    term = kl(p, q)
    got, slope = value([term, pytensor.grad(term, a)], {a: rows})
    assert got == pytest.approx(want, rel=1e-11)
    by_rows = (np.trace(np.linalg.solve(other, columns)) * np.eye(2) - 3 * np.linalg.inv(rows)) / 2
    np.testing.assert_allclose(slope + slope.T, by_rows + by_rows.T, rtol=1e-9, atol=1e-12)
    unknown = pm.MatrixNormal.dist(mean, rowcov=pt.dmatrix(), colcov=other)
    with pytest.raises(ValueError, match="known shape"):
        kl(unknown, q)


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.0, 0.7])
def test_kronecker_normal_of_pymc(sigma):
    rng = np.random.default_rng(7)
    factors = matrices(rng, (2, 3))
    variable = pm.KroneckerNormal.dist(np.ones(6), covs=factors, sigma=sigma)
    other = stats.multivariate_normal(np.zeros(6), np.diag(np.arange(1.0, 7.0)))
    whole = np.kron(*factors) + sigma**2 * np.eye(6)
    want = kl(stats.multivariate_normal(np.ones(6), whole), other)
    structure = "Dense" if sigma else "Kronecker"
    assert explain(variable, other).p == f"MultivariateNormal({structure})"
    assert value(kl(variable, other)) == pytest.approx(want, rel=1e-11)


@pytest.mark.parametrize("known", [True, False])
def test_product_in_a_graph(known):
    rng = np.random.default_rng(8)
    first, second = matrices(rng, (2, 3))
    a, v = pt.dmatrix("a", shape=(2, 2) if known else (None, None)), pt.dvector("v", shape=(3,))
    matrix = pt.linalg.kron(a, pt.linalg.kron(pt.diag(v), second))
    variable = pm.MvNormal.dist(np.ones(18), matrix)
    other = stats.multivariate_normal(np.zeros(18), np.arange(1.0, 19.0))
    assert explain(variable, other).p == f"MultivariateNormal({'Kronecker' if known else 'Dense'})"
    inputs = {a: first, v: np.array([1.0, 2.0, 3.0])}
    whole = np.kron(first, np.kron(np.diag(inputs[v]), second))
    assert value(kl(variable, other), inputs) == pytest.approx(
        kl(stats.multivariate_normal(np.ones(18), whole), other), rel=1e-11
    )
