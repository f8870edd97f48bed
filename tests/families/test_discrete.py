"""Discrete families of SciPy: closed forms, sums over the outcomes, supports."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kl_plugins import cross_entropy, entropy, explain, independent, jeffreys, kl, pairwise_kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.uniform_integers import Dirac
from kl_plugins.recognition import recognise

FINITE = {
    "bernoulli": stats.bernoulli(0.3),
    "binom": stats.binom(5, 0.3),
    "binom, longer": stats.binom(7, 0.4),
    "binom, loc": stats.binom(3, 0.6, loc=2),
    "hypergeom": stats.hypergeom(20, 7, 5),
    "hypergeom, from 3": stats.hypergeom(12, 7, 8),
    "betabinom": stats.betabinom(5, 2.0, 3.0),
    "nhypergeom": stats.nhypergeom(20, 7, 5),
    "randint": stats.randint(0, 4),
    "randint, shifted": stats.randint(1, 4, loc=1),
    "boltzmann": stats.boltzmann(0.4, 6),
}
ENDLESS = {
    "poisson": stats.poisson(2.0),
    "poisson, loc": stats.poisson(2.0, loc=-1),
    "geom": stats.geom(0.3),
    "nbinom, n=1": stats.nbinom(1, 0.4),
    "nbinom": stats.nbinom(2.5, 0.4),
    "planck": stats.planck(0.5),
    "logser": stats.logser(0.6),
    "dlaplace": stats.dlaplace(0.8),
}
ALL = FINITE | ENDLESS
OUTCOMES = np.arange(-60.0, 140.0)


def summed(p, q):
    """Σ p log(p/q) over the outcomes, by SciPy's probabilities."""
    with np.errstate(all="ignore"):
        log_p, log_q = p.logpmf(OUTCOMES), q.logpmf(OUTCOMES)
        seen = log_p > -np.inf
        return np.sum(np.exp(log_p[seen]) * (log_p[seen] - log_q[seen]))


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_the_statement_is_the_mass_function(frozen):
    x = np.arange(-3.0, 9.0)
    made = recognise(frozen).to_arrays()
    with np.errstate(all="ignore"):
        assert np.allclose(np.exp(made.log_prob(x)), frozen.pmf(x), rtol=1e-12, atol=0.0)
        assert np.all(made.log_prob(x + 0.5) == -np.inf)


@pytest.mark.parametrize("p", FINITE)
@pytest.mark.parametrize("q", ALL)
def test_pairs_with_finitely_many_outcomes(p, q):
    value, exact = kl(ALL[p], ALL[q]), summed(ALL[p], ALL[q])
    assert value == (0.0 if p == q else pytest.approx(exact, rel=1e-12, abs=1e-14))


CLOSED = [(name, name) for name in ENDLESS] + [
    ("geom", "nbinom, n=1"), ("geom", "planck"), ("planck", "nbinom, n=1"), ("nbinom, n=1", "geom"),
    *[(p, q) for p in ENDLESS for q in FINITE],
    *[("dlaplace", q) for q in ENDLESS if q != "dlaplace"],
    ("poisson, loc", "nbinom"), ("poisson", "nbinom"), ("nbinom", "nbinom, n=1"), ("geom", "poisson"),
    ("poisson", "poisson, loc"), ("logser", "geom"), ("poisson", "dlaplace"), ("logser", "nbinom"),
]  # fmt: skip


@pytest.mark.parametrize(("p", "q"), CLOSED)
def test_pairs_with_endless_support(p, q):
    value, exact = kl(ALL[p], ALL[q]), summed(ALL[p], ALL[q])
    assert value == (0.0 if p == q else pytest.approx(exact, rel=1e-12))


def test_members_of_one_endless_family():
    for p, q in [
        (stats.poisson(2.0), stats.poisson(3.5)),
        (stats.poisson(2.0, loc=1), stats.poisson(0.5, loc=1)),
        (stats.geom(0.3), stats.geom(0.8)),
        (stats.nbinom(2.5, 0.4), stats.nbinom(2.5, 0.9)),
        (stats.logser(0.6), stats.logser(0.2)),
        (stats.dlaplace(0.8), stats.dlaplace(2.0)),
        (stats.dlaplace(0.8, loc=3), stats.dlaplace(0.9, loc=3)),
        (stats.planck(0.5), stats.planck(1.5)),
    ]:
        assert kl(p, q) == pytest.approx(summed(p, q), rel=1e-11)


@pytest.mark.parametrize("name", ALL)
def test_entropies(name):
    assert entropy(ALL[name]) == pytest.approx(float(ALL[name].entropy()), rel=1e-12)
    assert cross_entropy(ALL[name], ALL[name]) == entropy(ALL[name])


# Extreme parameters, judged by mpmath


def exact_counts(p, q):
    p, q = mp.mpf(p), mp.mpf(q)
    return (q - p) + (p * mp.log(p / q) if p else 0)


def exact_trial(p, q):
    p, q = mp.mpf(p), mp.mpf(q)
    return sum(a * mp.log(a / b) if a else mp.mpf(0) for a, b in [(p, q), (1 - p, 1 - q)])


def exact_log_series(p, q):
    p, q = mp.mpf(p), mp.mpf(q)
    a, b = (-mp.log1p(-x) for x in (p, q))
    return mp.log(b / a) + p / ((1 - p) * a) * mp.log(p / q)


def exact_laplace(p, q):
    p, q = mp.mpf(p), mp.mpf(q)
    return mp.log(mp.tanh(p / 2) / mp.tanh(q / 2)) + (q - p) / mp.sinh(p)


JUDGED = {
    "poisson": (stats.poisson, exact_counts, 300),
    "bernoulli": (stats.bernoulli, exact_trial, 0),
    "binom": (lambda p: stats.binom(1000, p), lambda p, q: 1000 * exact_trial(p, q), 0),
    "geom": (stats.geom, lambda p, q: exact_trial(p, q) / mp.mpf(p), 0),
    "nbinom": (lambda p: stats.nbinom(3.5, p), lambda p, q: 3.5 * exact_trial(p, q) / mp.mpf(p), 0),
    "logser": (stats.logser, exact_log_series, 0),
    "dlaplace": (stats.dlaplace, exact_laplace, 2),
}


def parameter(exponent, highest):
    """From all sizes up to 10^highest; below 1, and near it too, where it is a probability."""
    if highest == 0:
        return 10**-exponent if exponent > 0 else 1.0 - 10 ** (exponent / 20.0 - 1e-3)
    return 10 ** (exponent / 300 * highest)


exponents = st.floats(-300, 300).filter(lambda x: abs(x) > 1e-3)


@pytest.mark.parametrize("name", JUDGED)
@given(exponents, exponents)
def test_far_from_equal_at_extreme_parameters(name, first, second):
    make, exact, highest = JUDGED[name]
    p, q = parameter(first, highest), parameter(second, highest)
    if name == "logser":
        p, q = min(p, 1 - 1e-15), min(q, 1 - 1e-15)
    if highest == 0 and 1.0 in (p, q):
        return
    with mp.workdps(700):
        expected = exact(p, q)
    value = kl(make(p), make(q))
    assert value >= 0.0
    if expected > 1e300 or expected < 1e-300:
        assert value > 1e299 or value < 1e-299
    else:
        assert value == pytest.approx(float(expected), rel=1e-7)


@pytest.mark.parametrize("name", JUDGED)
@given(exponents, st.floats(-9, -1), st.sampled_from([-1.0, 1.0]))
def test_near_equal_at_extreme_parameters(name, first, log_step, side):
    make, exact, highest = JUDGED[name]
    p = parameter(first / 10, highest)
    q = p * (1.0 + side * 10**log_step)
    if highest == 0:
        q = p + side * 10**log_step * min(p, 1.0 - p)
        if not 0.0 < q < 1.0:
            return
    with mp.workdps(700):
        expected = exact(p, q)
    value = kl(make(p), make(q))
    assert value >= 0.0
    if expected > 1e-250:
        assert value == pytest.approx(float(expected), rel=1e-8)


@pytest.mark.parametrize(
    ("name", "p", "q"),
    [("logser", 1e-18, 1.1e-18), ("logser", 1e-163, 1e-162),
     ("logser", 1 - 1e-13, 1 - 1.02e-13), ("logser", 1 - 1e-13, 1 - 3e-13),
     ("logser", 1e-9, 0.9), ("dlaplace", 42.0, 50.0), ("dlaplace", 132.0, 132.6), ("dlaplace", 65.0, 65.01),
     ("dlaplace", 1e-9, 3.0), ("dlaplace", 3.0, 1e-9), ("dlaplace", 0.9, 1.1)],
)  # fmt: skip
def test_where_almost_all_is_one_outcome_or_none(name, p, q):
    make, exact, _ = JUDGED[name]
    with mp.workdps(200):
        expected = float(exact(p, q))
    assert kl(make(p), make(q)) == pytest.approx(expected, rel=1e-12)


def exact_sum(log_p, log_q, n):
    with mp.workdps(50):
        pairs = [(log_p(k), log_q(k)) for k in range(n + 1)]
        return float(sum(mp.exp(a) * (a - b) for a, b in pairs))


def exact_binomial(n, p):
    p = mp.mpf(p)
    return lambda k: mp.log(mp.binomial(n, k)) + k * mp.log(p) + (n - k) * mp.log(1 - p)


def exact_beta_binomial(n, a, b):
    with mp.workdps(50):
        log_beta = mp.log(mp.beta(a, b))
    return lambda k: mp.log(mp.binomial(n, k)) + mp.log(mp.beta(mp.mpf(a) + k, mp.mpf(b) + n - k)) - log_beta


@pytest.mark.parametrize("step", [1e-2, 1e-4, 1e-7])
@pytest.mark.parametrize(("a", "b", "n"), [(2.0, 3.0, 7), (1e-2, 5.0, 7), (1e6, 2e6, 30), (50.0, 0.1, 20)])
def test_near_equal_sums(a, b, n, step):
    other = a * (1 + step), b * (1 - step / 3)
    exact = exact_sum(exact_beta_binomial(n, a, b), exact_beta_binomial(n, *other), n)
    value = kl(stats.betabinom(n, a, b), stats.betabinom(n, *other))
    assert value == pytest.approx(exact, rel=1e-6, abs=1e-20)


def test_near_equal_families():
    def log_poisson(k):
        return k * mp.log(mp.mpf(2e-3)) - mp.mpf(2e-3) - mp.loggamma(k + 1)

    exact = exact_sum(exact_binomial(500, 4e-6), log_poisson, 500)
    assert kl(stats.binom(500, 4e-6), stats.poisson(2e-3)) == pytest.approx(exact, rel=1e-8)
    exact = exact_sum(exact_binomial(500, 0.3), exact_binomial(501, 0.3), 500)
    assert kl(stats.binom(500, 0.3), stats.binom(501, 0.3)) == pytest.approx(exact, rel=1e-10)
    # What q has where p has nothing is 5·10⁻¹⁷, and all there is.
    assert kl(stats.bernoulli(1e-8), stats.poisson(1e-8)) == pytest.approx(5e-17, rel=1e-7)


# Supports, points and ends


def test_supports():
    assert kl(stats.binom(5, 0.3), stats.binom(4, 0.3)) == np.inf
    assert kl(stats.binom(3, 0.3, loc=2), stats.binom(4, 0.3)) == np.inf
    assert kl(stats.binom(3, 0.3, loc=0.5), stats.binom(4, 0.3)) == np.inf
    assert kl(stats.poisson(2.0, loc=0.5), stats.poisson(2.0)) == np.inf
    assert kl(stats.poisson(2.0, loc=-1), stats.poisson(2.0)) == np.inf
    assert kl(stats.geom(0.3), stats.nbinom(1, 0.3)) == pytest.approx(-np.log(0.7), rel=1e-14)
    assert kl(stats.nbinom(1, 0.3), stats.geom(0.3)) == np.inf
    assert kl(stats.randint(0, 4), stats.randint(0, 10**12)) == pytest.approx(np.log(0.25e12))
    assert kl(stats.randint(0, 4), stats.randint(1, 10)) == np.inf
    assert kl(stats.randint([0, 1], 4), stats.randint([1, 0], 4)).tolist() == [
        np.inf,
        pytest.approx(np.log(4 / 3), rel=1e-14),
    ]


def test_discrete_against_continuous():
    for name in ("bernoulli", "poisson", "randint"):
        assert kl(ALL[name], stats.norm()) == np.inf
        assert kl(stats.expon(), ALL[name]) == np.inf
    assert kl(Dirac(0.5), stats.norm()) == np.inf


def test_points():
    """What is certain: 0 log 0 = 0, and −log q of the only outcome."""
    assert kl(stats.binom(3, 1.0), stats.binom(3, 1.0)) == 0.0
    assert kl(stats.binom(3, 0.0), stats.binom(3, 0.0)) == 0.0
    assert kl(stats.binom(3, 1.0), stats.binom(3, 0.5)) == pytest.approx(3 * np.log(2.0), rel=1e-15)
    assert kl(stats.binom(3, 0.5), stats.binom(3, 1.0)) == np.inf
    assert kl(stats.binom(3, 0.0), stats.binom(2, 0.5)) == pytest.approx(2 * np.log(2.0), rel=1e-15)
    assert kl(stats.binom(0, 0.3), stats.binom(0, 0.0)) == 0.0
    assert kl(stats.binom([0, 2], 0.3), stats.binom([0, 2], 0.0)).tolist() == [0.0, np.inf]
    assert kl(stats.poisson(0.0), stats.poisson(0.0)) == 0.0
    assert kl(stats.poisson(0.0), stats.poisson(2.5)) == 2.5
    assert kl(stats.poisson(2.5), stats.poisson(0.0)) == np.inf
    mixed = kl(stats.poisson([0.0, 1.0]), stats.binom(3, 0.5))
    assert mixed.tolist() == [pytest.approx(3 * np.log(2.0), rel=1e-15), np.inf]
    assert kl(stats.geom(1.0), stats.poisson(2.0)) == pytest.approx(2.0 - np.log(2.0), rel=1e-14)
    assert kl(stats.geom(1.0), stats.geom(0.25)) == pytest.approx(np.log(4.0), rel=1e-15)
    assert kl(stats.geom(0.25), stats.geom(1.0)) == np.inf
    assert kl(stats.nhypergeom(20, 7, 0), stats.binom(5, 0.5)) == pytest.approx(5 * np.log(2.0), rel=1e-15)
    assert kl(Dirac(2.0), stats.binom(5, 0.3)) == pytest.approx(-stats.binom(5, 0.3).logpmf(2), rel=1e-14)
    assert kl(Dirac([0.5, 9.0]), stats.binom(5, 0.3)).tolist() == [np.inf, np.inf]
    assert kl(Dirac(0.5), Dirac([0.5, 1.5])).tolist() == [0.0, np.inf]
    assert str(entropy(Dirac(2.0))) == "0.0"


def test_probabilities_of_failure_below_the_rounding_of_one():
    with mp.workdps(60):
        exact = float(exact_trial(1 - mp.exp(-5), 1 - mp.exp(-60)) / (1 - mp.exp(-5)))
    assert kl(stats.planck(5.0), stats.planck(60.0)) == pytest.approx(exact, rel=1e-13)


MAKERS = {
    "poisson": lambda x: stats.poisson(x),
    "binom, p": lambda x: stats.binom(3, x),
    "binom, n": lambda x: stats.binom(x, 0.3),
    "geom": lambda x: stats.geom(x),
    "nbinom": lambda x: stats.nbinom(x, 0.3),
    "hypergeom": lambda x: stats.hypergeom(x, 3, 2),
    "nhypergeom": lambda x: stats.nhypergeom(9, 3, x),
    "betabinom": lambda x: stats.betabinom(3, x, 2.0),
    "randint": lambda x: stats.randint(0, x),
    "boltzmann": lambda x: stats.boltzmann(x, 3),
    "planck": lambda x: stats.planck(x),
    "logser": lambda x: stats.logser(x),
    "dlaplace": lambda x: stats.dlaplace(x),
    "loc": lambda x: stats.poisson(2.0, loc=x),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_nan_comes_out_where_it_went_in(make):
    for other in (stats.poisson(2.0), stats.binom(4, 0.3), make(np.nan)):
        assert np.isnan(kl(make(np.nan), other))
        assert np.isnan(kl(other, make(np.nan)))


def test_nan_stays_where_it_is():
    value = kl(stats.binom(2, [0.5, np.nan]), stats.binom(3, 0.5))
    assert np.isnan(value).tolist() == [False, True]


REFUSED = [
    (lambda: stats.bernoulli(1.2), "p .the probability of success. must be at most 1"),
    (lambda: stats.binom(5, -0.1), "p .* must not be negative"),
    (lambda: stats.binom(5.5, 0.2), "n must be a whole number"),
    (lambda: stats.binom([5, 5.5], 0.2), "n must be a whole number"),
    (lambda: stats.binom(-1, 0.2), "n .the number of trials. must not be negative"),
    (lambda: stats.poisson(-1), "mu. must not be negative"),
    (lambda: stats.poisson(np.inf), "mu. must be finite"),
    (lambda: stats.geom(0.0), "p must be positive"),
    (lambda: stats.nbinom(2, 1.5), "p .* must be at most 1"),
    (lambda: stats.nbinom(0, 0.5), "n .the number of successes. must be positive"),
    (lambda: stats.randint(5, 3), "high − low .the number of outcomes. must be at least 1"),
    (lambda: stats.randint(3, 4.5), "high − low .the number of outcomes. must be a whole number"),
    (lambda: stats.hypergeom(5, 2, 7), "N .the draws. must not be more than good and bad together"),
    (lambda: stats.hypergeom(5, 7, 2), "M − n .the bad ones. must not be negative"),
    (lambda: stats.nhypergeom(5, 3, 3), "r must be a whole number"),
    (lambda: stats.betabinom(5, 0.0, 1.0), r"\ba must be positive"),
    (lambda: stats.planck(-1.0), "lambda must be positive"),
    (lambda: stats.boltzmann(1.0, 0), "N .* must be at least 1"),
    (lambda: stats.yulesimon(0.0), "alpha must be positive"),
    (lambda: stats.logser(1.0), "p must be less than 1"),
    (lambda: stats.dlaplace(0.0), "rate .a. must be positive"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_invalid_parameters_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=f"q: .*{message}"):
        kl(stats.poisson(2.0), make())


@pytest.mark.slow
def test_too_many_outcomes():
    assert kl(stats.binom(10**9, 0.3), stats.binom(10**9, 0.4)) > 1e7
    for n in (10**9, np.full(10**5, 1000)):
        with pytest.raises(NoClosedFormError, match=r"more than 10000000 terms to sum; .*estimate_kl"):
            kl(stats.binom(n, 0.3), stats.binom(2 * n, 0.3))
    many = kl(stats.bernoulli(np.full(10**6, 0.3)), stats.poisson(2.0))
    assert many[-1] == pytest.approx(kl(stats.bernoulli(0.3), stats.poisson(2.0)), rel=1e-13)
    with pytest.raises(
        NoClosedFormError, match=r"entropy of Binomial is not known: .* outcomes are more than"
    ):
        entropy(stats.binom(10**9, 0.3))


def test_shapes_and_types():
    value = kl(stats.binom([[2], [3]], [0.3, 0.4, 0.5]), stats.binom(4, 0.5))
    assert value.shape == (2, 3)
    assert value[1, 2] == pytest.approx(kl(stats.binom(3, 0.5), stats.binom(4, 0.5)), rel=1e-13)
    narrow = np.float32([0.3, 0.2])
    assert kl(stats.poisson(narrow), stats.poisson(np.float32(0.3))).dtype == np.float32
    assert kl(stats.binom(5, narrow), stats.binom(6, np.float32(0.3))).dtype == np.float32
    p, q = (independent(stats.poisson(means)) for means in ([1.0, 2.0], [2.0, 2.0]))
    assert kl(p, q) == pytest.approx(1.0 - np.log(2.0), rel=1e-15)
    p, q = stats.binom(5, 0.3), stats.binom(5, 0.4)
    assert jeffreys(p, q) == kl(p, q) + kl(q, p)
    table = pairwise_kl([p, q, stats.poisson(2.0)])
    assert table[0, 1] == pytest.approx(kl(p, q), rel=1e-14)
    assert table[2].tolist() == [np.inf, np.inf, 0.0]


def test_explain_says_what_is_summed():
    assert explain(stats.binom(5, 0.3), stats.poisson(2.0)).cost == "O(n) for the n outcomes of p"
    assert explain(stats.poisson(2.0), stats.poisson(3.0)).cost == "O(1)"


@pytest.mark.parametrize("p", [1e-100, 1e-17, 1e-12, 1e-3, 0.3, 0.5, 0.9, 1.0])
def test_entropy_of_one_trial_after_the_other(p):
    with mp.workdps(150):
        exact = -(mp.log(p) + (1 - mp.mpf(p)) * mp.log1p(-mp.mpf(p)) / p) if p < 1 else mp.mpf(0)
    assert entropy(stats.geom(p)) == pytest.approx(float(exact), rel=1e-14)
    assert entropy(stats.geom([p]))[0] == pytest.approx(float(exact), rel=1e-14)


def test_entropy_of_a_steep_planck_distribution():
    with mp.workdps(60):
        x = mp.exp(-50)
        exact = -mp.log1p(-x) - x * mp.log(x) / (1 - x)
    assert entropy(stats.planck(50.0)) == pytest.approx(float(exact), rel=1e-13)
