"""Categorical, multinomial and zero-inflated distributions, and PyMC's discrete random variables."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymc.logprob.utils import ParameterValueError
from scipy import stats

from graphs import value
from kl_plugins import entropy, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.binomial import Binomial
from kl_plugins.families.categorical import Categorical, Multinomial
from kl_plugins.families.zero_inflated import ZeroInflated
from kl_plugins.recognition import recognise

P, Q = np.array([0.2, 0.3, 0.5]), np.array([0.3, 0.3, 0.4])


def exact_vectors(p, q):
    """Of the vectors of numbers as they are, each divided by its sum."""
    with mp.workdps(50):
        p, q = ([mp.mpf(float(x)) for x in side] for side in (p, q))
        terms = [a * mp.log(a / b * mp.fsum(q) / mp.fsum(p)) for a, b in zip(p, q, strict=True) if a]
        return float(mp.fsum(terms) / mp.fsum(p))


def test_categorical():
    assert kl(Categorical(P), Categorical(Q)) == pytest.approx(stats.entropy(P, Q), rel=1e-14)
    assert kl(Categorical(P), Categorical(P)) == 0.0
    assert kl(Categorical([P, Q]), Categorical(Q)).tolist() == [kl(Categorical(P), Categorical(Q)), 0.0]
    assert entropy(Categorical(P)) == pytest.approx(stats.entropy(P), rel=1e-15)
    assert explain(Categorical(P), Categorical(Q)).cost == "O(K) for K outcomes"


def test_zeros():
    p = Categorical([0.5, 0.5, 0.0])
    assert kl(p, p) == 0.0
    assert entropy(p) == pytest.approx(np.log(2.0), rel=1e-15)
    assert kl(p, Categorical([0.25, 0.25, 0.5])) == pytest.approx(np.log(2.0), rel=1e-15)
    assert kl(Categorical([0.25, 0.25, 0.5]), p) == np.inf
    nan = kl(Categorical([[0.5, np.nan], [0.5, 0.5]]), Categorical([0.5, 0.5]))
    assert np.isnan(nan[0])
    assert nan[1] == 0.0


def test_numbers_of_categories():
    assert kl(Categorical([0.5, 0.5]), Categorical(P)) == kl(Categorical([0.5, 0.5, 0.0]), Categorical(P))
    assert kl(Categorical([0.5, 0.5, 0.0]), Categorical([0.4, 0.6])) == pytest.approx(
        kl(Categorical([0.5, 0.5]), Categorical([0.4, 0.6])), rel=1e-15
    )
    assert kl(Categorical(P), Categorical([0.5, 0.5])) == np.inf


@given(st.lists(st.floats(-12, 0), min_size=2, max_size=6), st.floats(-8, -1), st.integers(0, 2**32 - 1))
def test_near_equal_vectors(logs, log_step, seed):
    steps = np.random.default_rng(seed).uniform(-1.0, 1.0, len(logs))
    p = 10 ** np.array(logs)
    q = p * (1.0 + 10**log_step * steps)
    p, q = p / p.sum(), q / q.sum()
    result, exact = kl(Categorical(p), Categorical(q)), exact_vectors(p, q)
    assert result >= 0.0
    assert result == pytest.approx(exact, rel=1e-6, abs=1e-26)


def test_categorical_against_others():
    assert kl(Categorical([0.7, 0.3]), stats.bernoulli(0.4)) == pytest.approx(
        kl(stats.bernoulli(0.3), stats.bernoulli(0.4)), rel=1e-13
    )
    assert kl(stats.bernoulli(0.3), Categorical(P)) == pytest.approx(
        kl(Categorical([0.7, 0.3]), Categorical(P)), rel=1e-13
    )
    assert kl(Categorical([0.7, 0.0, 0.3]), stats.bernoulli(0.4)) == np.inf
    assert kl(Categorical([0.7, 0.3, 0.0]), stats.bernoulli([0.3, 0.4]))[0] < 1e-30
    many = kl(stats.hypergeom(20, np.array([7, 8]), 5), Categorical([np.ones(6) / 6, np.arange(1, 7) / 21]))
    assert many[0] == pytest.approx(kl(stats.hypergeom(20, 7, 5), stats.randint(0, 6)), rel=1e-13)
    assert kl(Categorical(P), stats.norm()) == np.inf


@pytest.mark.parametrize(
    ("p", "message"),
    [
        ([0.5, 0.6], "sum to 1"),
        ([1.5, -0.5], "must not be negative"),
        (0.5, "at least one outcome"),
        ([], "at"),
    ],
)
def test_vectors_that_are_no_probabilities(p, message):
    with pytest.raises(ValueError, match=message):
        Categorical(p)
    with pytest.raises(ValueError, match=message):
        Multinomial(3, p)


def test_multinomial():
    p, q = stats.multinomial(5, P), stats.multinomial(5, Q)
    assert kl(p, p) == 0.0
    assert kl(p, q) == pytest.approx(5 * stats.entropy(P, Q), rel=1e-13)
    assert kl(p, stats.multinomial(4, Q)) == np.inf
    assert kl(stats.multinomial([5, 4], P), q).tolist() == [kl(p, q), np.inf]
    assert kl(stats.multinomial(0, [1.0, 0.0]), stats.multinomial(0, [0.0, 1.0])) == 0.0
    assert np.isnan(kl(Multinomial(np.nan, P), Multinomial(3, P)))
    graph = kl(pm.Multinomial.dist(5, P, shape=(2, 3)), q)
    assert value(graph) == pytest.approx([kl(p, q)] * 2, rel=1e-13)
    with pytest.raises(ValueError, match="different event shapes"):
        kl(p, stats.multinomial(5, [0.5, 0.5]))
    with pytest.raises(ValueError, match="p: n must be a whole number that is not negative"):
        kl(stats.multinomial(-1, P), p)
    with pytest.raises(ValueError, match="n must be a whole number"):
        Multinomial(2.5, P)
    with pytest.raises(ValueError, match="do not broadcast"):
        Multinomial([1, 2, 3], [P, Q])


def test_zero_inflated():
    p, q = ZeroInflated(0.4, Binomial(5, 0.3)), ZeroInflated(0.7, Binomial(5, 0.2))
    masses = []
    for weight, chance in [(0.4, 0.3), (0.7, 0.2)]:
        mass = weight * stats.binom(5, chance).pmf(np.arange(6))
        mass[0] += 1.0 - weight
        masses.append(mass)
    assert kl(p, q) == pytest.approx(stats.entropy(*masses), rel=1e-13)
    assert kl(p, p) == 0.0
    assert entropy(p) == pytest.approx(stats.entropy(masses[0]), rel=1e-14)
    assert kl(ZeroInflated(1.0, Binomial(5, 0.3)), stats.binom(5, 0.3)) == pytest.approx(0.0, abs=1e-30)
    assert kl(ZeroInflated(0.0, Binomial(5, 0.3)), stats.binom(5, 0.3)) == pytest.approx(-5 * np.log(0.7))
    assert kl(p, ZeroInflated(0.0, Binomial(5, 0.3))) == np.inf
    assert kl(ZeroInflated([0.2, 0.4], Binomial(5, 0.3)), q)[1] == pytest.approx(kl(p, q), rel=1e-14)
    away = ZeroInflated(0.4, Binomial(2, 0.3, 3))  # 0, 3, 4 or 5
    assert kl(away, stats.randint(0, 6)) == pytest.approx(np.log(6.0) - entropy(away), rel=1e-13)


# Random variables of PyMC

PYMC = {
    "Bernoulli": (lambda: pm.Bernoulli.dist(0.3), stats.bernoulli(0.3)),
    "Binomial": (lambda: pm.Binomial.dist(5, 0.3), stats.binom(5, 0.3)),
    "DiscreteUniform": (lambda: pm.DiscreteUniform.dist(1, 6), stats.randint(1, 7)),
    "HyperGeometric": (lambda: pm.HyperGeometric.dist(N=20, k=7, n=5), stats.hypergeom(20, 7, 5)),
    "BetaBinomial": (lambda: pm.BetaBinomial.dist(alpha=2.0, beta=3.0, n=5), stats.betabinom(5, 2.0, 3.0)),
    "Categorical": (lambda: pm.Categorical.dist(P), Categorical(P)),
    "DiracDelta": (lambda: pm.DiracDelta.dist(2), stats.randint(2, 3)),
    "ZeroInflatedBinomial": (
        lambda: pm.ZeroInflatedBinomial.dist(psi=0.4, n=5, p=0.3),
        ZeroInflated(0.4, Binomial(5, 0.3)),
    ),
    "Poisson": (lambda: pm.Poisson.dist(2.0), stats.poisson(2.0)),
    "Geometric": (lambda: pm.Geometric.dist(0.3), stats.geom(0.3)),
    "NegativeBinomial": (lambda: pm.NegativeBinomial.dist(n=2.5, p=0.25), stats.nbinom(2.5, 0.25)),
}
OTHERS = [stats.binom(6, 0.4), stats.poisson(1.5)]


@pytest.mark.slow
@pytest.mark.parametrize("name", PYMC)
def test_the_same_as_in_numbers(name):
    variable, numbers = PYMC[name]
    made = variable()
    graphs, exact = [], []
    for other in OTHERS:
        for pair in ((made, other), (other, made)):
            plain = [numbers if side is made else side for side in pair]
            try:
                exact.append(kl(*plain))
            except NoClosedFormError:
                with pytest.raises(NoClosedFormError, match="outcomes"):
                    kl(*pair)
                continue
            graphs.append(kl(*pair))
    assert value(graphs) == pytest.approx(exact, rel=1e-12, abs=1e-14)
    assert value(kl(made, made)) == 0.0


s = pt.scalar("s")
GRAPHS = {
    "the same n": lambda: kl(pm.Binomial.dist(5, s), pm.Binomial.dist(5, s * s)),
    "another n": lambda: kl(pm.Binomial.dist(5, s), pm.Binomial.dist(6, s * s)),
    "against Poisson": lambda: kl(pm.Binomial.dist(5, s), pm.Poisson.dist(3 * s)),
    "Poisson": lambda: kl(pm.Poisson.dist(s), pm.Poisson.dist(2.0 + s)),
    "Geometric": lambda: kl(pm.Geometric.dist(s), pm.Geometric.dist(s * s)),
    "NegativeBinomial": lambda: kl(pm.NegativeBinomial.dist(n=s, p=s), pm.NegativeBinomial.dist(n=s, p=0.3)),
    "BetaBinomial": lambda: kl(
        pm.BetaBinomial.dist(n=5, alpha=1.0 + s, beta=s), pm.BetaBinomial.dist(n=5, alpha=s, beta=2.0)
    ),
    "Categorical": lambda: kl(
        pm.Categorical.dist(pt.stack([s, s * s, 1.0 - s - s * s, 0.0])),
        pm.Categorical.dist(pt.stack([0.2, s, 0.5 - s, 0.3])),
    ),
    "Categorical, Binomial": lambda: kl(
        pm.Categorical.dist(pt.stack([s, 1.0 - s, 0.0])), pm.Binomial.dist(4, 0.2 + s)
    ),
    "ZeroInflatedBinomial": lambda: kl(
        pm.ZeroInflatedBinomial.dist(psi=s, n=5, p=0.2), pm.ZeroInflatedBinomial.dist(psi=0.3, n=6, p=s)
    ),
    "DiracDelta": lambda: kl(pm.DiracDelta.dist(2), pm.Poisson.dist(s)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_are_finite_differences(name):
    graph = GRAPHS[name]()
    both = [graph, pytensor.grad(graph, s)]
    (low, _), (_, slope), (high, _) = (value(both, {s: x}) for x in (0.4 - 1e-6, 0.4, 0.4 + 1e-6))
    assert slope == pytest.approx((high - low) / 2e-6, rel=1e-7)


@pytest.mark.slow
def test_compiled_by_default():
    graph = kl(pm.Binomial.dist(5, s), pm.Binomial.dist(6, 0.3))
    exact = kl(stats.binom(5, 0.4), stats.binom(6, 0.3))
    assert pytensor.function([s], graph, mode="Mode")(0.4) == pytest.approx(exact, rel=1e-11)


def test_numbers_of_trials_that_only_the_run_knows():
    n = pt.lscalar("n")
    same = kl(pm.Binomial.dist(n, 0.3), pm.Binomial.dist(n, 0.4))
    assert value(same, {n: 7}) == pytest.approx(kl(stats.binom(7, 0.3), stats.binom(7, 0.4)), rel=1e-13)
    with pytest.raises(NoClosedFormError, match=r"must be known before the graph runs: make .* constants"):
        kl(pm.Binomial.dist(n, 0.3), pm.Binomial.dist(5, 0.3))
    with pytest.raises(NoClosedFormError, match="must be known before the graph runs"):
        entropy(pm.Binomial.dist(n, 0.3))
    uniform = kl(pm.DiscreteUniform.dist(1, n), pm.DiscreteUniform.dist(0, 9))
    assert [float(value(uniform, {n: k})) for k in (5, 10)] == [pytest.approx(np.log(2.0)), np.inf]
    constants = kl(pm.Binomial.dist(np.array([3, 5]), s), pm.Binomial.dist(5, 0.2))
    assert value(constants, {s: 0.3}) == pytest.approx(kl(stats.binom([3, 5], 0.3), stats.binom(5, 0.2)))


def test_points_in_graphs():
    mean = pt.vector("mean")
    graph = kl(pm.Poisson.dist(mean), pm.Binomial.dist(3, 0.5))
    assert value(graph, {mean: [0.0, 1.0]}).tolist() == [pytest.approx(3 * np.log(2.0)), np.inf]
    assert value(kl(pm.DiracDelta.dist(1.5), stats.norm())) == np.inf
    assert value(kl(pm.DiracDelta.dist(2, shape=2), pm.DiracDelta.dist([2, 3]))).tolist() == [0.0, np.inf]


def test_sizes():
    graph = kl(pm.Binomial.dist(5, 0.3, shape=3), stats.binom(6, 0.3))
    assert value(graph) == pytest.approx([kl(stats.binom(5, 0.3), stats.binom(6, 0.3))] * 3, rel=1e-12)
    assert value(kl(pm.Categorical.dist(P, shape=(2,)), Categorical(Q))).shape == (2,)
    p = pm.HyperGeometric.dist(N=20, k=7, n=5, shape=2)
    exact = kl(stats.hypergeom(20, 7, 5), stats.randint(0, 6))
    for rows in (1, 2):
        q = pm.Categorical.dist(np.ones((rows, 6)) / 6)
        assert value(kl(p, q)) == pytest.approx([exact] * 2, rel=1e-12)


def test_invalid_graphs_raise_when_they_run():
    vector = pt.vector("vector", shape=(3,))
    graph = kl(pm.Categorical.dist(vector), Categorical(P))
    with pytest.raises(ParameterValueError, match="p: p must sum to 1"):
        value(graph, {vector: [0.2, 0.3, 0.6]})
    with pytest.raises(ParameterValueError, match="p: n must be a whole number"):
        value(kl(Binomial(s, 0.3), Binomial(s, 0.4)), {s: 2.5})
    weights = pt.vector("weights", shape=(2,))
    mixture = pm.Mixture.dist(weights, [pm.DiracDelta.dist(0), pm.Binomial.dist(5, 0.3)])
    graph = kl(mixture, stats.binom(5, 0.3))
    exact = kl(ZeroInflated(0.6, Binomial(5, 0.3)), stats.binom(5, 0.3))
    assert value(graph, {weights: [0.4, 0.6]}) == pytest.approx(exact, rel=1e-12)
    with pytest.raises(ParameterValueError, match="the weights must sum to 1"):
        value(graph, {weights: [0.4, 0.7]})


WITHOUT = {
    "a truncated variable .pm.Truncated": lambda: pm.Truncated.dist(pm.Gamma.dist(2.0, 1.0), lower=1),
    "a censored variable .pm.Censored": lambda: pm.Censored.dist(pm.Poisson.dist(2.0), lower=0, upper=3),
}


@pytest.mark.parametrize("message", WITHOUT)
def test_refused_by_name(message):
    with pytest.raises(NoClosedFormError, match=f"p: no closed form .*{message}.*estimate_kl"):
        kl(WITHOUT[message](), stats.poisson(2.0))


def test_families_of_pymc_without_parameters_of_ours_are_named():
    assert recognise(pm.Bernoulli.dist(logit_p=0.0)).describe() == "Binomial"
    with pytest.raises(NoClosedFormError, match="the random variable SkewNormal;"):
        kl(pm.SkewNormal.dist(0.0, 1.0, 2.0), stats.norm())
