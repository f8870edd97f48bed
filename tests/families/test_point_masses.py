"""Finitely many points: rv_discrete(values=…), generators of users, and all that is legal and degenerate."""

import itertools

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kl_plugins import (
    BlockDiagonal,
    Cholesky,
    Dense,
    Diagonal,
    Kronecker,
    LowRank,
    MultivariateNormal,
    NoClosedFormError,
    Precision,
    entropy,
    independent,
    jeffreys,
    kl,
    pairwise_kl,
)
from kl_plugins.families.point_masses import PointMasses


class Coin(stats.rv_discrete):
    """A user's own generator, on finitely many numbers."""

    def _pmf(self, k, heads):
        return np.where(k == 0, 1.0 - heads, heads)


coin = Coin(a=0, b=1, name="coin")
DIE = stats.rv_discrete(values=([0, 1, 2, 3], [0.1, 0.2, 0.3, 0.4]))
HALVES = stats.rv_discrete(values=([2.5, 0.0, 1.0], [0.3, 0.2, 0.5]))
POINTS = [DIE, DIE(loc=1), HALVES(), stats.rv_discrete(values=([1], [1.0])), coin(0.3), coin(1.0)]
OTHERS = [
    *(stats.poisson(2.0), stats.poisson(0.0), stats.geom(0.3, loc=-1), stats.nbinom(2.5, 0.4)),
    *(stats.binom(5, 0.3), stats.binom(3, 1.0), stats.binom(0, 0.5), stats.bernoulli(0.5)),
    *(stats.randint(0, 4), stats.randint(1, 2), stats.hypergeom(9, 4, 3), stats.boltzmann(0.5, 4)),
    *(stats.betabinom(3, 0.5, 2.0), stats.logser(0.3), stats.dlaplace(0.7), stats.planck(0.6)),
    *(stats.nhypergeom(5, 5, 0), stats.nhypergeom(9, 4, 2)),
]


def frozen(side):
    return side if hasattr(side, "dist") else side()


def summed(p, q):
    """The definition."""
    p, q = frozen(p), frozen(q)
    low, high = p.support()
    points = getattr(p.dist, "xk", None)
    x = np.arange(low, high + 1.0) if points is None else points + p.kwds.get("loc", 0.0)
    mass = p.pmf(x)
    x, mass = x[mass > 0.0], mass[mass > 0.0]
    with np.errstate(divide="ignore"):
        return np.sum(mass * (np.log(mass) - q.logpmf(x)))


@pytest.mark.parametrize("p", POINTS)
def test_against_every_discrete_distribution(p):
    for q in (*OTHERS, *POINTS):
        np.testing.assert_allclose(kl(p, q), summed(p, q), rtol=1e-12, atol=1e-15)
        if np.isfinite(frozen(q).support()).all():
            np.testing.assert_allclose(kl(q, p), summed(q, p), rtol=1e-12, atol=1e-15)
        elif q.args != (0.0,):
            assert kl(q, p) == np.inf
    assert kl(p, p) == 0.0
    assert kl(p, stats.norm()) == kl(stats.norm(), p) == np.inf
    np.testing.assert_allclose(entropy(p), frozen(p).entropy(), rtol=1e-12, atol=1e-15)


def test_what_is_almost_the_same():
    """The sum of what p lacks of q's mass is not lost in rounding, nor made of it."""
    k = np.arange(60)
    mass = stats.poisson(2.0).pmf(k)
    assert 0.0 <= kl(stats.rv_discrete(values=(k, mass / mass.sum())), stats.poisson(2.0)) < 1e-30
    k, mass = k[:9], mass[:9]
    p = stats.rv_discrete(values=(k, mass / mass.sum()))
    assert kl(p, stats.poisson(2.0)) == pytest.approx(-np.log(mass.sum()), rel=1e-9)


def test_batches():
    p, q = DIE(loc=[0, 1, 2]), stats.randint(0, 6)
    expected = [kl(DIE(loc=i), q) for i in range(3)]
    np.testing.assert_allclose(kl(p, q), expected, rtol=1e-14)
    np.testing.assert_array_equal(
        kl(stats.randint(0, np.array([2, 9])), DIE(loc=[[0], [1]])) < np.inf, [[1, 0], [0, 0]]
    )
    np.testing.assert_array_equal(kl(p, DIE(loc=[0, 2, 2])), [0.0, np.inf, 0.0])
    many = coin([0.3, 0.5])
    np.testing.assert_allclose(kl(many, coin(0.5)), [kl(coin(0.3), coin(0.5)), 0.0], rtol=1e-14)
    assert kl(independent(many), independent(coin([0.5, 0.5]))) == pytest.approx(kl(coin(0.3), coin(0.5)))
    ps, qs = [DIE, HALVES], [DIE, stats.poisson(1.0)]
    np.testing.assert_array_equal(pairwise_kl(ps, qs), [[kl(p, q) for q in qs] for p in ps])
    same = [DIE, stats.rv_discrete(values=(np.arange(4), [0.4, 0.3, 0.2, 0.1]))]
    np.testing.assert_allclose(pairwise_kl(same), [[kl(p, q) for q in same] for p in same], rtol=1e-14)
    assert np.isnan(kl(DIE(loc=np.nan), DIE))
    assert jeffreys(DIE, coin(0.5)) == np.inf


def test_what_changes_in_place_is_seen():
    p, q = DIE(), DIE()
    assert kl(p, q) == 0.0
    p.dist.pk[:] = p.dist.pk[::-1].copy()
    assert kl(p, q) == pytest.approx(0.3 * np.log(4.0) + 0.1 * np.log(1.5))


def test_in_a_graph():
    mu = pt.dscalar("mu")
    value = kl(DIE, pm.Poisson.dist(mu))
    both = [value, pt.grad(value, mu), kl(pm.Categorical.dist(p=[0.25] * 4), DIE)]
    found = pt.stack(both).eval({mu: 3.0})
    q = stats.randint(0, 4)
    np.testing.assert_allclose(found, [kl(DIE, stats.poisson(3.0)), 1.0 - 2.0 / 3.0, kl(q, DIE)], rtol=1e-12)


def test_what_users_define_on_endless_numbers_has_no_closed_form():
    class Endless(stats.rv_discrete):
        def _pmf(self, k):
            return 0.5 ** (k + 1.0)

    with pytest.raises(NoClosedFormError, match="p: no closed form is known for Endless"):
        kl(Endless(name="endless")(), DIE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 0.0], [0.5, 0.5]), "points must ascend"),
        (([0.0, 1.0], [0.5, 0.6]), "p must sum to 1"),
        (([0.0, 1.0], [1.0]), "as many entries"),
        (([], []), "as many entries"),
    ],
)
def test_points_that_are_none(arguments, message):
    with pytest.raises(ValueError, match=message):
        PointMasses(*arguments)


FEW, CHANCE, SHAPE = [0, 1, 2, 4], [0.0, 1e-3, 0.3, 1.0], [1e-3, 0.5, 4.0]
LEGAL = {
    "bernoulli": [CHANCE],
    "binom": [FEW, CHANCE],
    "randint": [[-1, 0, 2], [0, 1, 3]],
    "hypergeom": [FEW, FEW, FEW],
    "nhypergeom": [FEW, FEW, FEW],
    "betabinom": [FEW, SHAPE, SHAPE],
    "boltzmann": [[0.1, 2.0], FEW],
}
"""With SciPy's own judgement of what is legal: NaN where it is not."""


def legal():
    for name, axes in LEGAL.items():
        for arguments in itertools.product(*axes):
            made = getattr(stats, name)(*arguments)
            if np.isfinite(made.support()).all() and np.isfinite(made.pmf(made.support()[0])):
                yield made


DEGENERATE = list(legal())


@given(st.sampled_from(DEGENERATE), st.sampled_from(DEGENERATE))
def test_all_that_is_legal_is_taken(p, q):
    assert kl(p, p) == 0.0
    np.testing.assert_allclose(kl(p, q), summed(p, q), rtol=1e-9, atol=1e-12)


def test_vectors():
    for p, q in [
        (stats.multinomial(0, [0.5, 0.5]), stats.multinomial(0, [0.2, 0.8])),
        (stats.multinomial(3, [1.0]), stats.multinomial(3, [1.0])),
        (stats.uniform_direction(1), stats.uniform_direction(1)),
        (stats.dirichlet([1.0]), stats.dirichlet([2.0])),
    ]:
        assert kl(p, q) == 0.0
    point = stats.multivariate_normal([0, 0], np.zeros((2, 2)), allow_singular=True)
    other = stats.multivariate_normal([0, 1], np.zeros((2, 2)), allow_singular=True)
    assert (kl(point, point), kl(point, other)) == (0.0, np.inf)
    assert entropy(stats.uniform_direction(1)) == pytest.approx(np.log(2.0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Diagonal([]),
        lambda: Diagonal(np.zeros((3, 0))),
        lambda: Dense(np.zeros((0, 0))),
        lambda: Cholesky(np.zeros((0, 0))),
        lambda: Precision(np.zeros((0, 0))),
        lambda: LowRank([], np.zeros((0, 1))),
        lambda: BlockDiagonal([]),
        lambda: BlockDiagonal([np.zeros((0, 0))]),
        lambda: Kronecker([]),
    ],
)
def test_covariances_of_no_variable_are_refused(make):
    with pytest.raises(ValueError, match="at least one"):
        make()


def test_covariances_made_of_others():
    blocks, whole = BlockDiagonal([np.eye(2), Diagonal([1.0])]), Dense(np.eye(3))
    assert kl(MultivariateNormal(np.zeros(3), blocks), MultivariateNormal(np.zeros(3), whole)) == 0.0
    for kind, name in ((BlockDiagonal, "blocks"), (Kronecker, "factors")):
        with pytest.raises(TypeError, match=f"{name} must be several covariances in a tuple, got Dense"):
            kind(Dense(np.eye(2)))
