"""Blocks against other structures: against the oracle, by the blocks alone."""

import numpy as np
import pytest

import gaussians
import oracle
from kl_plugins import BlockDiagonal, Cholesky, Dense, Kronecker, MultivariateNormal, Precision, explain, kl

FROM_BLOCKS = "O(d² b) for blocks of b variables, after q's Cholesky factor and its inverse"
TO_BLOCKS = "O(d² b) for blocks of b variables, after the Cholesky factor of p"
GROUPS = "O(d² b) for blocks of b variables: the groups differ"
SIZES = [(1, 1), (2, 3), (3, 1, 2), (4,)]

# Structure of the other side, its cost as q and as p.
OTHERS = [
    ("Dense", FROM_BLOCKS, TO_BLOCKS),
    ("Cholesky", FROM_BLOCKS, TO_BLOCKS),
    ("Eigendecomposition", FROM_BLOCKS, TO_BLOCKS),
    ("Precision", FROM_BLOCKS, TO_BLOCKS),
]


def blocks(sizes, mean, covariance):
    """The library's and the oracle's reading of the blocks of a matrix, each in a structure of its own."""
    kinds, held, exact, start = ("Dense", "Precision", "Cholesky"), [], [], 0
    for kind, size in zip(kinds, sizes, strict=False):
        part = slice(start, start + size)
        one, judge = gaussians.make(kind, mean[part], covariance[part, part])
        held.append(one.covariance)
        exact.append(judge)
        start += size
    return MultivariateNormal(mean, BlockDiagonal(tuple(held))), oracle.joined(exact)


@pytest.mark.parametrize("distance", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize(("structure", "cost_as_q", "cost_as_p"), OTHERS)
def test_pair_agrees_with_the_oracle(structure, cost_as_q, cost_as_p, sizes, distance):
    """Far from each other, and where the blocks are all but equal and nothing stands beside them."""
    rng = np.random.default_rng(sizes)
    d = sum(sizes)
    mean, covariance = rng.normal(size=d), gaussians.well_conditioned(rng, d, gaussians.ANY)
    p, exact_p = blocks(sizes, mean, covariance)
    moved = p.covariance.matrix() + distance * gaussians.symmetric(rng, d, gaussians.ANY) / 5
    q, exact_q = gaussians.make(structure, mean * (1.0 + distance), moved)
    assert explain(p, q).cost == cost_as_q
    assert explain(q, p).cost == cost_as_p
    for pair, exact in (((p, q), oracle.kl(exact_p, exact_q)), ((q, p), oracle.kl(exact_q, exact_p))):
        assert oracle.relative_error(kl(*pair), exact) < 1e-13 + 1e-14 / distance


def test_the_same_matrix_is_exactly_zero():
    rng = np.random.default_rng(2)
    parts = [gaussians.well_conditioned(rng, size, gaussians.ANY) for size in (2, 3)]
    p = MultivariateNormal(np.zeros(5), BlockDiagonal(tuple(map(Dense, parts))))
    for same in (Dense(p.covariance.matrix()), Cholesky(p.covariance.factor)):
        q = MultivariateNormal(np.zeros(5), same)
        assert kl(p, q) == kl(q, p) == 0.0


@pytest.mark.parametrize("unit", [1e-140, 1e140])
@pytest.mark.parametrize("structure", ["Dense", "Cholesky", "Precision"])
def test_mixed_and_extreme_scales(structure, unit):
    rng = np.random.default_rng(3)
    units = unit * 10.0 ** np.array([-6, 3, 0, 5, -2])
    matrices = [gaussians.well_conditioned(rng, 5, gaussians.ANY) * np.outer(units, units) for _ in "pq"]
    p, exact_p = blocks((2, 3), np.zeros(5), matrices[0])
    q, exact_q = gaussians.make(structure, np.zeros(5), matrices[1])
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-9
    assert oracle.relative_error(kl(q, p), oracle.kl(exact_q, exact_p)) < 1e-9


def test_groups_that_differ():
    rng = np.random.default_rng(4)
    covariances = [gaussians.well_conditioned(rng, 6, gaussians.ANY) for _ in "pq"]
    p, exact_p = blocks((2, 4), np.ones(6), covariances[0])
    q, exact_q = blocks((3, 1, 2), np.zeros(6), covariances[1])
    assert explain(p, q).cost == explain(q, p).cost == GROUPS
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-13
    assert oracle.relative_error(kl(q, p), oracle.kl(exact_q, exact_p)) < 1e-13


def test_a_product_against_blocks():
    rng = np.random.default_rng(5)
    factors = [gaussians.well_conditioned(rng, size, gaussians.ANY) for size in (2, 3)]
    p = MultivariateNormal(np.zeros(6), Kronecker(factors))
    q, _ = blocks((4, 2), np.zeros(6), gaussians.well_conditioned(rng, 6, gaussians.ANY))
    assert explain(p, q).cost == TO_BLOCKS
    whole = [MultivariateNormal(np.zeros(6), Dense(side.covariance.matrix())) for side in (p, q)]
    assert kl(p, q) == pytest.approx(kl(*whole), rel=1e-12)


@pytest.mark.parametrize("kind", [Dense, Precision])
def test_the_inverse_of_a_factor_is_made_once(kind):
    rng = np.random.default_rng(6)
    p, _ = blocks((3, 3), np.zeros(6), gaussians.well_conditioned(rng, 6, gaussians.ANY))
    q = MultivariateNormal(np.zeros(6), kind(gaussians.well_conditioned(rng, 6, gaussians.ANY)))
    first = kl(p, q)
    held = q.covariance.inverse_factor
    assert kl(p, q) == first
    assert q.covariance.inverse_factor is held
