"""Arrays that sum to zero: against the oracle in an orthonormal basis, and SciPy's singular Gaussians."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.linalg import helmert

import oracle
from graphs import value
from kl_plugins import (
    Dense,
    Diagonal,
    Isotropic,
    MultivariateNormal,
    ZeroSum,
    entropy,
    estimate_kl,
    explain,
    kl,
    pairwise_kl,
)
from kl_plugins.extend import Singular

SIZES = [(2,), (5,), (3, 4), (2, 3, 2)]


def basis_of(sizes):
    """Orthonormal columns that span the arrays that sum to zero along each axis."""
    found = np.ones((1, 1))
    for size in sizes:
        found = np.kron(found, helmert(size).T)
    return found


def both(rng, sizes, scale):
    """One of ours, and the oracle's in coordinates of the basis."""
    basis = basis_of(sizes)
    coordinates = rng.normal(size=basis.shape[1])
    return (
        MultivariateNormal(basis @ coordinates, ZeroSum(scale, sizes)),
        oracle.from_scales(coordinates, np.full(basis.shape[1], scale)),
    )


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_pair_agrees_with_the_oracle(sizes):
    rng = np.random.default_rng(1)
    (p, exact_p), (q, exact_q) = both(rng, sizes, 1.3), both(rng, sizes, 0.4)
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-13
    assert entropy(p) == pytest.approx(float(oracle.entropy(exact_p)), rel=1e-13)
    assert kl(p, p) == 0.0
    matrix = 1.69 * basis_of(sizes) @ basis_of(sizes).T
    np.testing.assert_allclose(p.covariance.matrix(), matrix, atol=1e-15)
    assert explain(p, q).cost == "O(1) in the covariances, O(d) in the means"


def test_nearly_equal_pair_keeps_its_digits():
    p, q = (MultivariateNormal(np.zeros(12), ZeroSum(scale, (3, 4))) for scale in (1.0 + 2.0**-40, 1.0))
    one = oracle.kl(oracle.from_scales([0.0], [1.0 + 2.0**-40]), oracle.from_scales([0.0], [1.0]))
    assert oracle.relative_error(kl(p, q), 6 * one) < 1e-14


@pytest.mark.parametrize("sizes", [(4,), (2, 3)], ids=str)
def test_other_singular_gaussians_of_the_same_subspace(sizes):
    """Against any covariance in any basis of it, SciPy's too."""
    rng = np.random.default_rng(2)
    p, exact_p = both(rng, sizes, 1.7)
    r = basis_of(sizes).shape[1]
    turned = basis_of(sizes) @ np.linalg.qr(rng.normal(size=(r, r)))[0]
    inner = np.cov(rng.normal(size=(r, 30))) + np.eye(r)
    mean = rng.normal(size=r)
    q = MultivariateNormal(turned @ mean, Singular(turned, Dense(0.5 * (inner + inner.T))))
    rotation = basis_of(sizes).T @ turned
    exact_q = oracle.from_covariance(rotation @ mean, rotation @ q.covariance.inner.covariance @ rotation.T)
    frozen = stats.multivariate_normal(q.mean, q.covariance.matrix(), allow_singular=True)
    for other, tolerance in ((q, 1e-12), (frozen, 1e-9)):
        assert oracle.relative_error(kl(p, other), oracle.kl(exact_p, exact_q)) < tolerance
        assert oracle.relative_error(kl(other, p), oracle.kl(exact_q, exact_p)) < tolerance
    ours = stats.multivariate_normal(p.mean, p.covariance.matrix(), allow_singular=True)
    assert p.log_prob(p.mean) == pytest.approx(ours.logpdf(p.mean), rel=1e-12)


LINE = np.eye(3)[:, :1]
OTHERS = {
    "regular": Diagonal([1.0, 2.0, 3.0]),
    "full": Dense(np.eye(3) + 0.5),
    "another rank": Singular(LINE, Isotropic(1.0, dim=1)),
    "another subspace": Singular(np.eye(3)[:, :2], Isotropic(1.0, dim=2)),
    "other axes": ZeroSum(1.0, (3, 1)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_different_subspaces_are_infinitely_far_apart(name):
    p, q = (MultivariateNormal(np.zeros(3), a) for a in (ZeroSum(2.0, 3), OTHERS[name]))
    assert kl(p, q) == kl(q, p) == np.inf
    assert "O(1)" in explain(p, q).cost or "subspace" in explain(p, q).cost or name == "other axes"


def test_mean_outside_of_the_subspace():
    p = MultivariateNormal([0.0, 0.0, 0.0], ZeroSum(2.0, 3))
    inside, outside = (MultivariateNormal(mean, p.covariance) for mean in ([1.0, -1.0, 0.0], [1.0, 1.0, 1.0]))
    assert kl(p, inside) == pytest.approx(0.25, rel=1e-14)
    assert kl(p, outside) == np.inf
    assert kl(outside, outside) == 0.0  # on the same affine subspace


def test_batches_and_tables_of_pairs():
    scales = np.array([0.5, 1.0, 3.0])
    whole = MultivariateNormal(np.zeros(4), ZeroSum(scales, 4))
    members = [MultivariateNormal(np.zeros(4), ZeroSum(scale, 4)) for scale in scales]
    want = [[kl(p, q) for q in members] for p in members]
    np.testing.assert_allclose(kl(whole, members[0]), np.array(want)[:, 0], rtol=1e-14)
    for collection in (whole, members):
        np.testing.assert_allclose(pairwise_kl(collection), want, rtol=1e-13)
    mixed = pairwise_kl([*members[:1], MultivariateNormal(np.zeros(4), Isotropic(1.0, dim=4))])
    np.testing.assert_array_equal(mixed, [[0.0, np.inf], [np.inf, 0.0]])
    np.testing.assert_allclose(entropy(whole), [entropy(one) for one in members], rtol=1e-14)


def test_long_arrays():
    """No matrix of 80 GB is made."""
    mean = np.linspace(-1.0, 1.0, 100_000)
    p, q = MultivariateNormal(mean, ZeroSum(1.0, 100_000)), MultivariateNormal(-mean, ZeroSum(2.0, 100_000))
    assert kl(p, q) == pytest.approx(99_999 * (0.125 - 0.5 + np.log(2.0)) + 0.5 * (mean**2).sum(), rel=1e-12)


def test_marginals():
    held = ZeroSum(2.0, 4)
    np.testing.assert_allclose(held.marginal([2, 0]).matrix(), held.matrix()[:2, :2])
    for made in (held, ZeroSum(1.0, (2, 2))):
        with pytest.raises(ValueError, match="fewer variables, which sum to zero along one axis"):
            made.marginal([0, 1, 2, 3])


BAD = [
    (lambda: ZeroSum(-1.0, 3), "scale must be positive"),
    (lambda: ZeroSum(np.inf, 3), "scale must be finite"),
    (lambda: ZeroSum(1.0, ()), "at least one axis"),
    (lambda: ZeroSum(1.0, (3, 0)), "sizes must be positive integers, got 0"),
    (lambda: ZeroSum(1.0, 2.5), "sizes must be positive integers, got 2.5"),
    (lambda: MultivariateNormal(np.zeros(5), ZeroSum(1.0, (2, 3))), "mean has 5 variables, covariance has 6"),
    (
        lambda: estimate_kl(*[MultivariateNormal(np.zeros(3), ZeroSum(1.0, 3))] * 2),
        "is singular: estimates take such distributions of SciPy and PyMC",
    ),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_parameters(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_graphs_with_lengths_that_only_they_know():
    scale, mean, rows = pt.dscalar(), pt.dvector(), pt.iscalar()
    p = MultivariateNormal(mean, ZeroSum(scale, (rows, 3)))
    q = MultivariateNormal(np.zeros(6), ZeroSum(2.0, (2, 3)))
    given = {scale: 0.7, mean: basis_of((2, 3)) @ [1.0, 0.5], rows: 2}
    graph = kl(p, q)
    found, slope, along = value([graph, *pytensor.grad(graph, [scale, mean])], given)
    want = MultivariateNormal(given[mean], ZeroSum(0.7, (2, 3)))
    np.testing.assert_allclose(found, kl(want, q), rtol=1e-14)
    np.testing.assert_allclose(slope, 2 * (0.7 / 4.0 - 1.0 / 0.7), rtol=1e-14)
    np.testing.assert_allclose(along, given[mean] / 4.0, atol=1e-15)
    np.testing.assert_allclose(value(entropy(p), given), entropy(want), rtol=1e-14)
    assert value(graph, {**given, mean: np.ones(6)}) == np.inf
    turned = MultivariateNormal(np.zeros(6), ZeroSum(2.0, (3, 2)))
    assert value(kl(p, turned), given) == np.inf
    with pytest.raises(ValueError, match="p: scale must be positive"):
        value(graph, {**given, scale: -1.0})


def test_graphs_against_singular_numbers():
    scale = pt.dscalar()
    basis = basis_of((4,))
    q = MultivariateNormal(basis @ [1.0, 0.0, 2.0], Singular(basis, Diagonal([1.0, 2.0, 3.0])))
    p = MultivariateNormal(np.zeros(4), ZeroSum(scale, 4))
    numbers = MultivariateNormal(np.zeros(4), ZeroSum(1.5, 4))
    for pair, want in (((p, q), kl(numbers, q)), ((q, p), kl(q, numbers))):
        graph = kl(*pair)
        np.testing.assert_allclose(value(graph, {scale: 1.5}), want, rtol=1e-13)
        step = 1e-6
        ends = [value(graph, {scale: 1.5 + h}) for h in (step, -step)]
        slope = value(pytensor.grad(graph, scale), {scale: 1.5})
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-7)
