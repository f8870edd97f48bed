"""Sums over finitely many outcomes: urns, trials of several probabilities, powers. Judged by mpmath."""

import itertools

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from graphs import AS_WRITTEN
from kl_plugins import NoClosedFormError, entropy, explain, kl, pairwise_kl
from kl_plugins.families.hypergeometric import BetaBinomial
from kl_plugins.families.noncentral_hypergeometric import FisherHypergeometric, WalleniusHypergeometric
from kl_plugins.families.poisson_binomial import PoissonBinomial
from kl_plugins.families.zipf import Zipf, Zipfian


def trials(p):
    """Of the Poisson binomial distribution, by all subsets."""
    found = [mp.mpf(0)] * (len(p) + 1)
    for chosen in itertools.product([0, 1], repeat=len(p)):
        chances = [mp.mpf(x) if yes else 1 - mp.mpf(x) for x, yes in zip(p, chosen, strict=True)]
        found[sum(chosen)] += mp.fprod(chances)
    return dict(enumerate(found))


def fisher(total, n, draws, odds):
    k = range(max(0, draws - total + n), min(n, draws) + 1)
    weights = {i: mp.binomial(n, i) * mp.binomial(total - n, draws - i) * mp.mpf(odds) ** i for i in k}
    return {i: w / sum(weights.values()) for i, w in weights.items()}


def wallenius(total, n, draws, odds):
    """Its definition as an integral."""
    found = {}
    for i in range(max(0, draws - total + n), min(n, draws) + 1):
        weight = mp.mpf(odds) * (n - i) + (total - n - draws + i)
        if weight == 0:
            weight = mp.mpf(1)

        def rest(t, i=i, weight=weight):
            return (1 - t ** (odds / weight)) ** i * (1 - t ** (1 / weight)) ** (draws - i)

        found[i] = mp.binomial(n, i) * mp.binomial(total - n, draws - i) * mp.quad(rest, [0, 1e-3, 0.5, 1])
    return found


def powers(a, n):
    weights = {k: mp.mpf(k) ** -mp.mpf(a) for k in range(1, n + 1)}
    total = sum(weights.values())
    return {k: w / total for k, w in weights.items()}


def poisson(k, mean):
    return mp.exp(-mp.mpf(mean)) * mp.mpf(mean) ** k / mp.factorial(k)


CASES = {
    "trials": (stats.poisson_binom, ([0.1, 0.5, 0.7, 0.25],), trials),
    "certain trials": (stats.poisson_binom, ([0.0, 1.0, 0.3],), trials),
    "fisher": (stats.nchypergeom_fisher, (20, 7, 6, 2.5), fisher),
    "fisher, from 3": (stats.nchypergeom_fisher, (12, 7, 8, 0.3), fisher),
    "wallenius": (stats.nchypergeom_wallenius, (20, 7, 6, 2.5), wallenius),
    "wallenius, from 3": (stats.nchypergeom_wallenius, (12, 7, 8, 0.3), wallenius),
    "zipfian": (stats.zipfian, (0.7, 9), powers),
    "zipfian, harmonic": (stats.zipfian, (1.0, 60), powers),
    "zipfian, steep": (stats.zipfian, (9.5, 400), powers),
}


@pytest.mark.parametrize("name", CASES)
def test_against_the_definition(name):
    make, arguments, exact = CASES[name]
    with mp.workdps(30):
        mass = exact(*arguments)
        expected = sum(p * mp.log(p / poisson(k, 3.0)) for k, p in mass.items() if p)
        own = -sum(p * mp.log(p) for p in mass.values() if p)
    p = make(*arguments)
    assert kl(p, stats.poisson(3.0)) == pytest.approx(float(expected), rel=1e-13)
    assert entropy(p) == pytest.approx(float(own), rel=1e-13)
    assert kl(p, p) == 0.0
    assert kl(make(*arguments, loc=1), make(*arguments, loc=1)) == 0.0
    assert kl(stats.poisson(3.0), p) == np.inf


@pytest.mark.parametrize("n", [0, 1, 7, 10**6, 10**15])
def test_probabilities_of_few_and_of_many_trials(n):
    sizes = [1e-300, 0.3, 2.5, 1e5, 1e12]
    cases = itertools.product(sorted({0, min(n, 1), n // 3, n}), sizes, sizes)
    k, a, b = map(np.array, zip(*cases, strict=True))
    with mp.workdps(50):

        def log_ways(x, y):
            return mp.loggamma(x + y) - mp.loggamma(x) - mp.loggamma(y)

        def exact(k, a, b):
            k, rest, a, b = map(mp.mpf, (k, n - k, a, b))
            ways = log_ways(k + 1, rest + 1) - mp.log(n + 1)
            return float(ways + log_ways(a, b) - log_ways(a + k, b + rest))

        expected = [*map(exact, k.tolist(), a, b)]
    with np.errstate(all="ignore"):  # as `kl` has it
        found = BetaBinomial(n, a, b).log_prob(k * 1.0)
    assert found == pytest.approx(expected, rel=1e-13, abs=1e-13)


def test_graphs_of_few_pseudo_counts():
    """Rewrites of b + (n − k) to (b + n) − k would lose them."""
    a, b = pt.dscalars("a", "b")
    graph = kl(pm.BetaBinomial.dist(n=20, alpha=a, beta=b), stats.binom(20, 0.3))
    found = pytensor.function([a, b], graph, mode="FAST_COMPILE")(3e-13, 7e-13)
    assert found == pytest.approx(kl(stats.betabinom(20, 3e-13, 7e-13), stats.binom(20, 0.3)), rel=1e-13)


def test_close_to_each_other():
    """What is left has its digits: the halved Fisher information times the square of the step."""
    for make in (
        lambda x: stats.nchypergeom_fisher(20, 7, 6, x),
        lambda x: stats.nchypergeom_wallenius(20, 7, 6, x),
        lambda x: stats.zipfian(x, 50),
        lambda x: stats.poisson_binom([0.3, 0.2, 0.3 * x]),
        lambda x: stats.dirichlet_multinomial([x, 3.0, 0.5], 5),
    ):
        coarse, fine = (kl(make(1.5), make(1.5 + step)) / step**2 for step in (1e-4, 1e-7))
        assert fine == pytest.approx(coarse, rel=1e-3)


def test_batches_and_bounds():
    total, draws, odds = np.array([20, 12]), np.array([6, 8]), np.array([2.5, 0.3])
    for make in (stats.nchypergeom_fisher, stats.nchypergeom_wallenius):
        each = zip(total, draws, odds, strict=True)
        alone = [kl(make(first, 7, *rest), stats.binom(8, 0.4)) for first, *rest in each]
        np.testing.assert_allclose(kl(make(total, 7, draws, odds), stats.binom(8, 0.4)), alone, rtol=1e-13)
    several = kl(stats.poisson_binom([[0.1, 0.5], [0.2, 0.2]]), stats.binom(2, 0.2))
    one = kl(stats.poisson_binom([0.1, 0.5]), stats.binom(2, 0.2))
    assert several.tolist() == [one, pytest.approx(0.0, abs=1e-30)]
    assert kl(stats.randint(1, 9), stats.zipfian(1.0, 10**9)) == pytest.approx(
        kl(stats.randint(1, 9), stats.zipfian(1.0, 8)) + np.log(21.3004815025 / 2.7178571428571425)
    )
    for p in (stats.poisson_binom(np.full(4000, 0.3)), stats.nchypergeom_wallenius(10**5, 10**4, 9999, 2.0)):
        point = stats.rv_discrete(values=([0], [1]))
        for pair in ((p, stats.poisson(3.0)), (stats.binom(3, 0.2), p), (point, p)):
            with pytest.raises(NoClosedFormError, match=r"too many.*estimate_kl"):
                kl(*pair)


@pytest.mark.parametrize(
    ("p", "q"), [([0.1, 0.2], [0.1, 0.2, 0.3]), ([0.1], [0.1, 0.1, 0.1]), ([0.1, 0.2], [0.1, 0.2, 0.0])]
)
def test_different_numbers_of_trials(p, q):
    """One trial beside several alike is not the same distribution."""
    of_p, of_q = trials(p), trials(q)
    expected = float(sum(x * mp.log(x / of_q[k]) for k, x in of_p.items()))
    first, second = stats.poisson_binom(p), stats.poisson_binom(q)
    back = np.inf if of_q[len(q)] else 0.0
    assert kl(first, second) == pytest.approx(expected, rel=1e-14, abs=1e-15)
    assert kl(second, first) == pytest.approx(back, abs=1e-15)
    assert pairwise_kl([first, second]) == pytest.approx(np.array([[0.0, expected], [back, 0.0]]), abs=1e-15)
    assert explain(first, second).rule == "by_outcomes"
    members = PoissonBinomial(np.array([p, p])), PoissonBinomial(q)
    assert kl(*members) == pytest.approx(expected, rel=1e-14, abs=1e-15)
    graph = kl(PoissonBinomial(pt.constant(p)), PoissonBinomial(pt.constant(q)))
    assert graph.eval(mode=AS_WRITTEN) == pytest.approx(expected, rel=1e-14, abs=1e-15)


def exact_zeta(p, q):
    with mp.workdps(40):
        p, q = mp.mpf(p), mp.mpf(q)
        return float(mp.log(mp.zeta(q) / mp.zeta(p)) - (q - p) * mp.zeta(p, derivative=1) / mp.zeta(p))


@pytest.mark.parametrize(
    ("p", "q"),
    [(2.5, 2.5 + 1e-7), (2.5, 3.0), (1.0001, 1.1), (1.1, 1.0001), (1.0001, 1.0001 + 1e-8), (40.0, 41.0),
     (40.0, 40.00001), (3.0, 100.0), (100.0, 3.0), (60.0, 2.0), (1.5, 30.0)],
)  # fmt: skip
def test_zipf(p, q):
    assert kl(stats.zipf(p), stats.zipf(q)) == pytest.approx(exact_zeta(p, q), rel=1e-11)
    assert kl(stats.zipf([p]), stats.zipf([q]))[0] == pytest.approx(exact_zeta(p, q), rel=1e-11)


def test_zipf_and_others():
    assert kl(stats.zipf(2.5), stats.zipf(2.5)) == 0.0
    with mp.workdps(30):
        own = mp.log(mp.zeta(2.5)) - 2.5 * mp.zeta(2.5, derivative=1) / mp.zeta(2.5)
    assert entropy(stats.zipf(2.5)) == pytest.approx(float(own), rel=1e-14)
    assert kl(stats.zipf(2.5), stats.zipfian(2.5, 100)) == np.inf
    with pytest.raises(NoClosedFormError, match="their locations differ"):
        kl(stats.zipf(2.5, loc=1), stats.zipf(2.5))


REFUSED = [
    (lambda: stats.poisson_binom([1.2, 0.2]), "p must be at most 1"),
    (lambda: stats.nchypergeom_fisher(20, 7, 30, 2.0), "must not be more than good and bad together"),
    (lambda: stats.nchypergeom_fisher(20, 7, 3, -2.0), "odds must be positive"),
    (lambda: stats.nchypergeom_wallenius(20, 7, 2.5, 2.0), "N .the draws. must be a whole number"),
    (lambda: stats.zipfian(-1.0, 3), "a must not be negative"),
    (lambda: stats.zipfian(1.0, 0), "n .* must be at least 1"),
    (lambda: stats.zipf(0.5), "a must be greater than 1"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_invalid_parameters_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=f"q: .*{message}"):
        kl(stats.poisson(2.0), make())


@pytest.mark.parametrize(
    "make",
    [lambda x: stats.poisson_binom([x, 0.2]), lambda x: stats.nchypergeom_fisher(20, x, 6, 2.0),
     lambda x: stats.nchypergeom_wallenius(20, 7, x, 2.0), lambda x: stats.nchypergeom_wallenius(20, 7, 4, x),
     lambda x: stats.zipfian(x, 3), lambda x: stats.zipfian(2.0, x), lambda x: stats.zipf(x)],
)  # fmt: skip
def test_nan_comes_out_where_it_went_in(make):
    for other in (stats.poisson(2.0), stats.binom(4, 0.3), make(np.nan)):
        assert np.isnan(kl(make(np.nan), other))
        assert np.isnan(kl(other, make(np.nan)))


# Vectors of counts


def orders(total, number):
    return np.array([x for x in itertools.product(range(total + 1), repeat=number) if sum(x) == total])


VECTORS = [
    stats.dirichlet_multinomial([2.0, 3.0, 0.5], 5),
    stats.dirichlet_multinomial([1.0, 1.0, 1.0], 5),
    stats.multivariate_hypergeom([3, 4, 5], 5),
    stats.multivariate_hypergeom([9, 4, 0], 5),
    stats.multinomial(5, [0.2, 0.3, 0.5]),
    stats.multinomial(5, [0.2, 0.0, 0.8]),
]


@pytest.mark.parametrize("p", range(len(VECTORS)))
@pytest.mark.parametrize("q", range(len(VECTORS)))
def test_counts_from_urns(p, q):
    p, q, x = VECTORS[p], VECTORS[q], orders(5, 3)
    with np.errstate(all="ignore"):
        log_p, log_q = p.logpmf(x), q.logpmf(x)
        seen = log_p > -np.inf
        expected = np.sum(np.exp(log_p[seen]) * (log_p[seen] - log_q[seen]))
        own = -np.sum(np.exp(log_p[seen]) * log_p[seen])
    assert kl(p, q) == (0.0 if p is q else pytest.approx(expected, rel=1e-12, abs=1e-14))
    if not isinstance(p, type(VECTORS[4])):
        assert entropy(p) == pytest.approx(own, rel=1e-12)


def test_counts_from_urns_in_batches():
    a, one = [2.0, 3.0, 0.5], [1.0, 1.0, 1.0]
    make = stats.dirichlet_multinomial
    found = kl(make([a, a, a], [4, 5, 6]), make(one, [4, 5, 5]))
    expected = [kl(make(a, n), make(one, n)) for n in (4, 5)]
    np.testing.assert_allclose(found, [*expected, np.inf], rtol=1e-14)
    assert kl(make([3.0], 5), make([1.0], 5)) == 0.0
    assert explain(make(a, 5), make(one, 5)).cost == "O(K n²) for n draws of K categories"
    for call in (kl, explain):
        with pytest.raises(NoClosedFormError, match=r"100000 draws of 3 categories.*too many.*estimate_kl"):
            call(make(a, 10**5), make(one, 10**5))
    with pytest.raises(ValueError, match="p: n must not be more than there are in the urn"):
        kl(stats.multivariate_hypergeom([2, 3], 9), stats.multivariate_hypergeom([2, 3], 5))


@pytest.mark.slow
def test_gradients():
    """Of all in one graph, against differences of the values in numbers."""
    at = np.array([0.7, 2.3, 0.4, 1.4])
    mu, q = pt.dscalar("mu"), stats.poisson(3.0)

    def divergences(x, stacked):
        return [
            kl(Zipfian(x[0], 40.0), q),
            kl(Zipf(1.0 + x[1]), Zipf(3.0)),
            kl(PoissonBinomial(stacked([x[2], 0.5])), q),
            kl(FisherHypergeometric(7.0, 5.0, 8.0, 0.0, x[1]), q),
            kl(WalleniusHypergeometric(4.0, 1.0, 3.0, 0.0, x[3]), q),
        ]

    x = pt.dvector("x")
    weights = pm.DirichletMultinomial.dist(4, pt.stack([x[0], x[1]]))
    terms = [*divergences(x, pt.stack), kl(weights, pm.Multinomial.dist(4, [0.3, 0.7]))]
    terms.append(kl(stats.nchypergeom_wallenius(9, 3, 2, 2.5), pm.Poisson.dist(mu)))
    total = sum(terms)
    value, slope = pytensor.function([x, mu], [total, pt.grad(total, x)], mode=AS_WRITTEN)(at, 3.0)

    def in_numbers(at):
        vector = kl(stats.dirichlet_multinomial(at[:2], 4), stats.multinomial(4, [0.3, 0.7]))
        known = kl(stats.nchypergeom_wallenius(9, 3, 2, 2.5), q)
        return sum(divergences(at, np.stack)) + vector + known

    steps = 1e-6 * np.eye(4)
    assert value == pytest.approx(in_numbers(at), rel=1e-13)
    differences = [(in_numbers(at + step) - in_numbers(at - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(slope, differences, rtol=1e-6)
    with pytest.raises(NoClosedFormError, match="n must be known before the graph runs"):
        kl(pm.DirichletMultinomial.dist(pt.iscalar("n"), [1.0, 2.0]), pm.Multinomial.dist(4, [0.3, 0.7]))
