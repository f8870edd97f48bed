"""Low rank against structures without one: against the oracle, and by whitenings of k columns."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

import gaussians
import oracle
from gaussians import make
from graphs import value
from kl_plugins import Cholesky, Dense, Kronecker, LowRank, MultivariateNormal, Precision, explain, kl

OTHERS = ("Dense", "Cholesky", "Precision", "Eigendecomposition", "BlockDiagonal")
SIZES = [(3, 1), (8, 2), (9, 0), (30, 4)]
BESIDE = "k columns whitened by q, beside the diagonal part: "
LAST = "; O(d³) if the divergence is tiny beside its parts"
TO_LOW_RANK = "O(d² k) for k columns after the Cholesky factor of p" + LAST
FROM_LOW_RANK = {
    "Dense": "O(d) after q's Cholesky factor and its inverse",
    "Cholesky": "O(d) after q's Cholesky factor and its inverse",
    "Eigendecomposition": "O(d) after q's Cholesky factor and its inverse",
    "Precision": "O(d²) after the Cholesky factor of q's precision",
    "BlockDiagonal": "block by block: O(d) after q's Cholesky factor and its inverse",
}


def low_rank(rng, d, k, spread=0.5):
    mean, diagonal, factor = rng.normal(size=d), rng.uniform(0.5, 2.0, d), spread * rng.normal(size=(d, k))
    return (
        MultivariateNormal(mean, LowRank(diagonal, factor)),
        oracle.from_low_rank(mean, diagonal, factor),
    )


def other(rng, structure, d):
    covariance = gaussians.well_conditioned(rng, d, gaussians.LEVELS[structure])
    return make(structure, rng.normal(size=d), covariance)


@pytest.mark.parametrize("spread", [1e-3, 0.5, 30.0])
@pytest.mark.parametrize(("d", "k"), SIZES)
@pytest.mark.parametrize("structure", OTHERS)
def test_pair_agrees_with_the_oracle(structure, d, k, spread):
    rng = np.random.default_rng([d, k])
    p, exact_p = low_rank(rng, d, k, spread)
    q, exact_q = other(rng, structure, d)
    assert explain(p, q).cost == BESIDE + FROM_LOW_RANK[structure] + LAST
    assert explain(q, p).cost == TO_LOW_RANK
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-12
    assert oracle.relative_error(kl(q, p), oracle.kl(exact_q, exact_p)) < 1e-12
    assert "factor" not in vars(p.covariance)  # of d × d: no need of one


@pytest.mark.parametrize("structure", ["Dense", "Cholesky", "Precision", "Eigendecomposition"])
@pytest.mark.parametrize("distance", [1.0, 1e-2, 1e-4, 1e-6])
def test_nearly_equal_pair_keeps_its_digits(structure, distance):
    rng = np.random.default_rng(3)
    p, exact_p = low_rank(rng, 12, 3)
    step = 1.0 + distance * rng.uniform(-1.0, 1.0, 12)
    q, exact_q = make(structure, p.mean * step, p.covariance.matrix() * np.outer(step, step))
    for pair, exact in (((p, q), oracle.kl(exact_p, exact_q)), ((q, p), oracle.kl(exact_q, exact_p))):
        assert oracle.relative_error(kl(*pair), exact) < 1e-12 + 2e-14 / distance


@pytest.mark.parametrize("same", [lambda c: Dense(c.matrix()), lambda c: Cholesky(c.factor)])
def test_the_same_matrix_is_exactly_zero(same):
    p, _ = low_rank(np.random.default_rng(4), 12, 3)
    q = MultivariateNormal(p.mean, same(p.covariance))
    assert kl(p, q) == kl(q, p) == 0.0


@pytest.mark.parametrize("structure", ["Dense", "Precision"])
@pytest.mark.parametrize("logarithm", [2, 4, 6])
def test_loadings_far_beyond_the_diagonal(structure, logarithm):
    """The condition number is that of the factor's square: as many digits may go as it has."""
    rng = np.random.default_rng(6)
    mean = np.zeros(10)
    diagonal, factor = rng.uniform(0.5, 2.0, 10), rng.normal(size=(10, 3)) * 10.0**logarithm
    p, exact_p = (
        MultivariateNormal(mean, LowRank(diagonal, factor)),
        oracle.from_low_rank(mean, diagonal, factor),
    )
    moved = LowRank(2.0 * diagonal, factor).matrix()
    q, exact_q = make(structure, mean, moved)
    for pair, exact in (((p, q), oracle.kl(exact_p, exact_q)), ((q, p), oracle.kl(exact_q, exact_p))):
        assert oracle.relative_error(kl(*pair), exact) < 1e-15 * 10.0 ** (2 * logarithm)


@pytest.mark.parametrize(
    "scales", [(1e-70, 1e70), (1e70, 1e-70), (1e-120, 1e-120 * (1 + 1e-8)), (1e-140, 1e10)]
)
@pytest.mark.parametrize("structure", ["Dense", "Cholesky", "Precision"])
def test_extreme_scales_do_not_overflow(structure, scales):
    rng = np.random.default_rng(5)
    diagonal, factor, units = rng.uniform(0.5, 2.0, 6), rng.normal(size=(6, 2)), 10.0 ** np.arange(-3, 3)
    mean, own = np.zeros(6), units * scales[0]
    p = MultivariateNormal(mean, LowRank(diagonal * own**2, factor * own[:, None]))
    exact_p = oracle.from_low_rank(mean, diagonal * own**2, factor * own[:, None])
    q, exact_q = make(
        structure, mean, LowRank(diagonal, factor).matrix() * np.outer(units, units) * scales[1] ** 2
    )
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-6
    assert oracle.relative_error(kl(q, p), oracle.kl(exact_q, exact_p)) < 1e-6


def test_float32_stays_float32():
    rng = np.random.default_rng(7)
    mean, diagonal, factor = (
        x.astype(np.float32)
        for x in (rng.normal(size=10), rng.uniform(0.5, 2.0, 10), rng.normal(size=(10, 2)))
    )
    p, exact_p = (
        MultivariateNormal(mean, LowRank(diagonal, factor)),
        oracle.from_low_rank(mean, diagonal, factor),
    )
    q, exact_q = make("Dense", mean, gaussians.well_conditioned(rng, 10, gaussians.ANY).astype(np.float32))
    for pair, exact in (((p, q), oracle.kl(exact_p, exact_q)), ((q, p), oracle.kl(exact_q, exact_p))):
        assert isinstance(kl(*pair), np.float32)
        assert oracle.relative_error(kl(*pair), exact) < 1e-5


@pytest.mark.parametrize("kind", [Dense, Cholesky, Precision])
@pytest.mark.parametrize("shapes", [((4,), ()), ((), (4,)), ((2, 1), (3,)), ((50,), (50,))], ids=str)
def test_entries_of_a_batch_are_the_unbatched_divergences(kind, shapes):
    """Some of them far apart, some so near that they go through factors."""
    rng = np.random.default_rng(8)
    batch = np.broadcast_shapes(*shapes)
    diagonal, factor = rng.uniform(0.5, 2.0, (*shapes[0], 7)), rng.normal(size=(*shapes[0], 7, 2))
    first = LowRank(diagonal[(0,) * len(shapes[0])], factor[(0,) * len(shapes[0])]).matrix()
    steps = 1.0 + 10.0 ** -rng.integers(0, 9, shapes[1])[..., None, None]
    matrices = np.linalg.cholesky(first * steps) if kind is Cholesky else first * steps
    p, q = (
        MultivariateNormal(np.zeros(7), LowRank(diagonal, factor)),
        MultivariateNormal(np.ones(7), kind(matrices)),
    )
    whole = [
        np.broadcast_to(x, (*batch, *x.shape[-core:]))
        for x, core in ((diagonal, 1), (factor, 2), (matrices, 2))
    ]
    for pair in ((p, q), (q, p)):
        got = kl(*pair)
        assert got.shape == batch
        for index in np.ndindex(*batch):
            alone = [
                MultivariateNormal(
                    side.mean,
                    LowRank(whole[0][index], whole[1][index]) if side is p else kind(whole[2][index]),
                )
                for side in pair
            ]
            assert got[index] == pytest.approx(kl(*alone), rel=1e-11)


def test_against_a_product_no_product_is_made():
    rng = np.random.default_rng(9)
    held = LowRank(rng.uniform(0.5, 2.0, 30_000), 0.5 * rng.normal(size=(30_000, 2)))
    p = MultivariateNormal(np.ones(30_000), held)
    factors = [gaussians.well_conditioned(rng, size, gaussians.ANY) for size in (100, 30, 10)]
    assert kl(p, MultivariateNormal(np.zeros(30_000), Kronecker(factors))) > 0.0
    part = np.arange(300)
    p, q = (
        MultivariateNormal(np.zeros(300), c) for c in (p.covariance.marginal(part), Kronecker(factors[1:]))
    )
    assert explain(p, q).cost.startswith(BESIDE + "O(Σ dᵢ³)")
    assert kl(p, q) == pytest.approx(
        kl(p, MultivariateNormal(np.zeros(300), Dense(q.covariance.matrix()))), rel=1e-12
    )


@pytest.mark.parametrize("structure", ["Dense", "Precision"])
def test_graph_and_its_gradient(structure):
    """A graph goes through factors, and says so; its slope is that of differences."""
    rng = np.random.default_rng(10)
    p, _ = low_rank(rng, 7, 2)
    q, _ = other(rng, structure, 7)
    w = pt.dmatrix("w")
    symbolic = MultivariateNormal(p.mean, LowRank(p.covariance.diagonal, w))
    direction, step = rng.normal(size=(7, 2)), 1e-6
    for swap in (False, True):
        pair = (q, symbolic) if swap else (symbolic, q)
        assert explain(*pair).cost == "O(d³): in a graph, both through Cholesky factors"
        term = kl(*pair)
        got, slope = value([term, pytensor.grad(term, w)], {w: p.covariance.loadings})
        moved = [
            MultivariateNormal(p.mean, LowRank(p.covariance.diagonal, p.covariance.loadings + h * direction))
            for h in (0.0, step, -step)
        ]
        here, ahead, behind = (kl(q, side) if swap else kl(side, q) for side in moved)
        assert got == pytest.approx(here, rel=1e-11)
        assert np.sum(slope * direction) == pytest.approx((ahead - behind) / (2 * step), rel=1e-7)
