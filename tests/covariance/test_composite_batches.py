"""Batches of products, blocks and singular covariances: every entry is the unbatched divergence."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.stats import ortho_group

import gaussians
from graphs import value
from kl_plugins import (
    BlockDiagonal,
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    Kronecker,
    LowRank,
    MultivariateNormal,
    Precision,
    entropy,
    kl,
    pairwise_kl,
)
from kl_plugins.covariance.singular import Singular

BASIS = ortho_group.rvs(6, random_state=1)[:, :4]


def dense(rng, batch, size):
    made = [gaussians.well_conditioned(rng, size, gaussians.ANY) for _ in np.ndindex(*batch)]
    return np.array(made).reshape(*batch, size, size)


def scales(rng, batch, size):
    return rng.uniform(0.5, 2.0, (*batch, size))


# Parameters of two parts, whose batch shapes are given, and the covariance of six variables made of them.
STRUCTURES = {
    "Kronecker": (
        lambda rng, first, second: (dense(rng, first, 2), dense(rng, second, 3)),
        lambda a, b: Kronecker([a, Cholesky(np.linalg.cholesky(b))]),
    ),
    "Kronecker of diagonals": (
        lambda rng, first, second: (scales(rng, first, 3), dense(rng, second, 2)),
        lambda a, b: Kronecker([Diagonal(a), Precision(b)]),
    ),
    "BlockDiagonal": (
        lambda rng, first, second: (dense(rng, first, 2), dense(rng, second, 4)),
        lambda a, b: BlockDiagonal((Dense(a), Cholesky(np.linalg.cholesky(b)))),
    ),
    "BlockDiagonal of others": (
        lambda rng, first, second: (scales(rng, first, 3), dense(rng, second, 3)),
        lambda a, b: BlockDiagonal((LowRank(a, a[..., None]), Kronecker([b]))),
    ),
    "Dense": (
        lambda rng, first, second: (dense(rng, first, 6), dense(rng, second, 6)),
        lambda a, b: Dense(a + b),
    ),
    "Precision": (
        lambda rng, first, second: (dense(rng, first, 6), dense(rng, second, 6)),
        lambda a, b: Precision(a + b),
    ),
    "Diagonal": (
        lambda rng, first, second: (scales(rng, first, 6), scales(rng, second, 6)),
        lambda a, b: Diagonal(a + b),
    ),
    "Isotropic": (
        lambda rng, first, second: (scales(rng, first, 1), scales(rng, second, 1)),
        lambda a, b: Isotropic((a + b)[..., 0], dim=6),
    ),
    "LowRank": (
        lambda rng, first, second: (scales(rng, first, 6), scales(rng, second, 6)),
        lambda a, b: LowRank(a, b[..., None]),
    ),
}
SINGULAR = (
    lambda rng, first, second: (BASIS @ dense(rng, first, 4), dense(rng, second, 4)),
    lambda a, b: Singular(np.linalg.qr(a)[0], Dense(b)),
)
COMPOSITES = [name for name in STRUCTURES if name.startswith(("Kronecker", "BlockDiagonal"))]
PAIRS = [(p, q) for p in STRUCTURES for q in STRUCTURES if {p, q} & set(COMPOSITES)]

# Batch shapes of the mean and of the two parts, of p and of q.
BATCHES = [
    (((4,), (4,), (4,)), ((4,), (4,), (4,))),
    (((), (4,), ()), ((), (), (4,))),
    (((2, 1), (), ()), ((), (3,), ())),
    (((), (), ()), ((5, 1), (), (2, 1, 3))),
]


def side(rng, structure, shapes, offset=None):
    """A batched distribution, and a function from an index of the result to its unbatched part."""
    draw, make = structure
    mean = rng.normal(size=(*shapes[0], 6)) if offset is None else np.zeros((*shapes[0], 6)) + offset
    parts = draw(rng, *shapes[1:])
    cores = [part.shape[len(shape) :] for part, shape in zip(parts, shapes[1:], strict=True)]

    def entry(index, batch):
        own = [np.broadcast_to(x, (*batch, *core))[index] for x, core in zip(parts, cores, strict=True)]
        return MultivariateNormal(np.broadcast_to(mean, (*batch, 6))[index], make(*own))

    return MultivariateNormal(mean, make(*parts)), entry


@pytest.mark.parametrize("shapes", BATCHES, ids=str)
@pytest.mark.parametrize(("p_name", "q_name"), PAIRS)
def test_entries_of_a_batch_are_the_unbatched_divergences(p_name, q_name, shapes):
    rng = np.random.default_rng(1)
    (p, p_entry), (q, q_entry) = (
        side(rng, STRUCTURES[x], s) for x, s in zip((p_name, q_name), shapes, strict=True)
    )
    batch = np.broadcast_shapes(*shapes[0], *shapes[1])
    assert p.batch_shape == np.broadcast_shapes(*shapes[0])
    got = kl(p, q)
    assert got.shape == batch
    for index in np.ndindex(*batch):
        first, second = p_entry(index, batch), q_entry(index, batch)
        assert got[index] == pytest.approx(kl(first, second), rel=1e-12)
        whole = [MultivariateNormal(x.mean, Dense(x.covariance.matrix())) for x in (first, second)]
        assert got[index] == pytest.approx(kl(*whole), rel=1e-11)


@pytest.mark.parametrize("name", COMPOSITES)
def test_a_batch_of_composites(name):
    """Against itself, its entropy, its matrices and its marginals."""
    shapes = ((), (4,), (3, 1))
    p, entry = side(np.random.default_rng(2), STRUCTURES[name], shapes)
    np.testing.assert_array_equal(kl(p, p), np.zeros((3, 4)))
    index = [4, 1, 5]
    for at in np.ndindex(3, 4):
        alone = entry(at, (3, 4))
        assert entropy(p)[at] == pytest.approx(entropy(alone), rel=1e-13)
        np.testing.assert_allclose(p.covariance.matrix()[at], alone.covariance.matrix(), rtol=1e-13)
        part = alone.covariance.matrix()[np.ix_(index, index)]
        np.testing.assert_allclose(p.covariance.marginal(index).matrix()[at], part, rtol=1e-13)


@pytest.mark.parametrize("shapes", BATCHES, ids=str)
def test_singular_batches(shapes):
    rng = np.random.default_rng(3)
    centre = BASIS @ rng.normal(size=4)
    (p, p_entry), (q, q_entry) = (
        side(rng, SINGULAR, s, x) for s, x in zip(shapes, (centre, 0.0), strict=True)
    )
    batch = np.broadcast_shapes(*shapes[0], *shapes[1])
    got = kl(p, q)
    assert got.shape == batch
    assert (got > 0.0).all()
    for index in np.ndindex(*batch):
        first, second = p_entry(index, batch), q_entry(index, batch)
        assert got[index] == pytest.approx(kl(first, second), rel=1e-11)
        inner = [
            MultivariateNormal(x.mean @ BASIS, Dense(BASIS.T @ x.covariance.matrix() @ BASIS))
            for x in (first, second)
        ]
        assert got[index] == pytest.approx(kl(*inner), rel=1e-10)
    np.testing.assert_array_equal(kl(p, p), np.zeros(p.batch_shape))
    assert entropy(p).shape == p.batch_shape


def test_members_of_a_singular_batch_on_other_subspaces_are_infinitely_far():
    rng = np.random.default_rng(4)
    turned = ortho_group.rvs(6, random_state=2)[:, :4]
    p = MultivariateNormal(
        np.zeros(6), Singular(np.stack([BASIS, turned, BASIS]), Dense(dense(rng, (3,), 4)))
    )
    q = MultivariateNormal(
        [np.zeros(6), np.zeros(6), turned[:, 0]], Singular(BASIS, Dense(dense(rng, (), 4)))
    )
    got = kl(p, q)
    assert np.isfinite(got[0])
    np.testing.assert_array_equal(got[1:], [np.inf, np.inf])
    regular = MultivariateNormal(np.zeros(6), Isotropic([1.0, 2.0, 3.0], dim=6))
    for pair in ((p, regular), (regular, q)):
        np.testing.assert_array_equal(kl(*pair), np.full(3, np.inf))
    lower = MultivariateNormal(np.zeros(6), Singular(BASIS[:, :3], Isotropic(1.0, dim=3)))
    np.testing.assert_array_equal(kl(p, lower), np.full(3, np.inf))


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", ["Kronecker", "BlockDiagonal"])
@pytest.mark.parametrize("other", ["Dense", "BlockDiagonal", "Kronecker", "Precision", "Diagonal"])
def test_graphs_of_batches(name, other, known):
    """The numbers of the same batch without a graph, and the slope of their sum in a direction."""
    rng = np.random.default_rng(6)
    first, second = STRUCTURES[name][0](rng, (2, 1), (3,))
    q, _ = side(rng, STRUCTURES[other], ((), (3,), ()))
    a = pt.tensor("a", dtype="float64", shape=(2, 1, 2, 2) if known else (None, 1, 2, 2))
    make = {
        "Kronecker": lambda a, b: Kronecker([a, b]),
        "BlockDiagonal": lambda a, b: BlockDiagonal((Dense(a), Dense(b))),
    }[name]
    p, symbolic = (MultivariateNormal(np.ones(6), make(x, second)) for x in (first, a))
    direction, step = dense(rng, (2, 1), 2), 1e-6
    for swap in (False, True):
        term = kl(q, symbolic) if swap else kl(symbolic, q)
        got, slope = value([term, pytensor.grad(term.sum(), a)], {a: first})
        np.testing.assert_allclose(got, kl(q, p) if swap else kl(p, q), rtol=1e-11)
        ahead, behind = (
            MultivariateNormal(np.ones(6), make(first + h * direction, second)) for h in (step, -step)
        )
        change = (kl(q, ahead) - kl(q, behind)) if swap else (kl(ahead, q) - kl(behind, q))
        assert np.sum(slope * direction) == pytest.approx(change.sum() / (2 * step), rel=1e-6)


def test_pairs_of_singular_collections():
    members = [side(np.random.default_rng(i), SINGULAR, ((), (), ()), 0.0)[0] for i in range(3)]
    whole = MultivariateNormal(
        np.zeros((3, 6)),
        Singular(
            np.stack([x.covariance.basis for x in members]),
            Dense(np.stack([x.covariance.inner.covariance for x in members])),
        ),
    )
    want = [[kl(p, q) for q in members] for p in members]
    for collection in (members, whole):
        np.testing.assert_allclose(pairwise_kl(collection), want, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("name", COMPOSITES)
def test_pairs_of_composites(name):
    members = [side(np.random.default_rng(i), STRUCTURES[name], ((), (), ()))[0] for i in range(3)]
    want = [[kl(p, q) for q in members] for p in members]
    np.testing.assert_allclose(pairwise_kl(members), want, rtol=1e-11, atol=1e-25)
    batch = side(np.random.default_rng(5), STRUCTURES[name], ((3,), (3,), ()))[0]
    want = np.concatenate([kl(batch, one)[:, None] for one in members], axis=1)
    np.testing.assert_allclose(pairwise_kl(batch, members), want, rtol=1e-11)
