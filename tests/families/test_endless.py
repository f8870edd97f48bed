"""Divergences of counts without an end, summed until nothing is left. Judged by mpmath."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from graphs import OWN
from kl_plugins import NoClosedFormError, entropy, explain, kl
from kl_plugins.families.discrete_weibull import DiscreteWeibull
from kl_plugins.families.negative_binomial import NegativeBinomial
from kl_plugins.families.poisson import Poisson
from kl_plugins.families.zero_inflated import ZeroInflated


def log_poisson(mean):
    mean = mp.mpf(mean)
    return lambda k: k * mp.log(mean) - mean - mp.loggamma(k + 1)


def log_negative_binomial(n, p):
    n, p = mp.mpf(n), mp.mpf(p)
    base = n * mp.log(p) - mp.loggamma(n)
    return lambda k: mp.loggamma(k + n) - mp.loggamma(k + 1) + base + k * mp.log1p(-p)


def log_series(p):
    p = mp.mpf(p)
    return lambda k: k * mp.log(p) - mp.log(k) - mp.log(-mp.log1p(-p)) if k else -mp.inf


def log_weibull(q, beta):
    q, beta = mp.mpf(q), mp.mpf(beta)
    return lambda k: mp.log(q ** (mp.mpf(k) ** beta) - q ** (mp.mpf(k + 1) ** beta))


def log_beta_negative_binomial(n, a, b):
    n, a, b = map(mp.mpf, (n, a, b))
    return lambda k: mp.log(
        mp.gamma(n + k) / mp.gamma(n) / mp.factorial(k) * mp.beta(a + n, b + k) / mp.beta(a, b)
    )


def log_inflated(weight, base):
    weight = mp.mpf(weight)
    return lambda k: mp.log(weight * mp.exp(base(k)) + (1 - weight if k == 0 else 0))


with mp.workdps(40):
    COUNTS = {
        "poisson": (stats.poisson(3.0), log_poisson(3.0)),
        "rare": (stats.poisson(1e-6), log_poisson(1e-6)),
        "many": (stats.poisson(200.0), log_poisson(200.0)),
        "nbinom": (stats.nbinom(2.5, 0.4), log_negative_binomial(2.5, 0.4)),
        "nbinom, near": (
            stats.nbinom(2.5 * (1.0 + 1e-6), 0.4),
            log_negative_binomial(2.5 * (1.0 + 1e-6), 0.4),
        ),
        "nbinom, rare": (stats.nbinom(1.0, 0.999999), log_negative_binomial(1.0, 0.999999)),
        "nbinom, spread": (stats.nbinom(0.3, 0.05), log_negative_binomial(0.3, 0.05)),
        "nbinom, many": (stats.nbinom(1e5, 1e5 / 100200.0), log_negative_binomial(1e5, 1e5 / 100200.0)),
        "nbinom, wide": (stats.nbinom(0.1, 1e-3), log_negative_binomial(0.1, 1e-3)),
        "logser": (stats.logser(0.6), log_series(0.6)),
        "betanbinom": (stats.betanbinom(3, 2.5, 1.5), log_beta_negative_binomial(3, 2.5, 1.5)),
        "betanbinom, many": (stats.betanbinom(1e12, 2.5, 1.5), log_beta_negative_binomial(1e12, 2.5, 1.5)),
        "yulesimon": (stats.yulesimon(2.5, loc=-1), log_beta_negative_binomial(1, 2.5, 1)),
        "inflated": (ZeroInflated(0.7, Poisson(3.0)), log_inflated(0.7, log_poisson(3.0))),
        "inflated, spread": (
            ZeroInflated(0.4, NegativeBinomial(2.5, 0.4, 0.6)),
            log_inflated(0.4, log_negative_binomial(2.5, 0.4)),
        ),
        "rarest": (stats.poisson(1e-9), log_poisson(1e-9)),
        "rarest, wide": (stats.nbinom(1e-10, 1e-5), log_negative_binomial(1e-10, 1e-5)),
        "inflated by nothing": (ZeroInflated(1.0, Poisson(1000.0)), log_poisson(1000.0)),
        "weibull, steep": (DiscreteWeibull(0.5, 20.0), log_weibull(0.5, 20.0)),
        "weibull": (DiscreteWeibull(0.5, 1.2), log_weibull(0.5, 1.2)),
        "weibull, slow": (DiscreteWeibull(0.3, 0.7), log_weibull(0.3, 0.7)),
        "weibull, fast": (DiscreteWeibull(0.99, 3.0), log_weibull(0.99, 3.0)),
    }


def exact(p, q):
    """The sum of positive terms, until they are nothing."""
    total, k = mp.mpf(0), 0
    with mp.workdps(40):
        while True:
            log_p = COUNTS[p][1](k)
            if log_p > -mp.inf:
                log_p, log_q = mp.re(log_p), mp.re(COUNTS[q][1](k))
                total += mp.exp(log_p) * (log_p - log_q)
            if k > 5 and log_p < -100 and k > 400 * (p == "many" or p == "nbinom, many"):
                return float(total)
            k += 1


PAIRS = [
    ("poisson", "nbinom"), ("nbinom", "poisson"), ("nbinom", "nbinom, near"),
    ("nbinom", "nbinom, spread"), ("rare", "nbinom, rare"), ("nbinom, rare", "rare"),
    ("many", "nbinom, many"), ("nbinom, many", "many"), ("poisson", "nbinom, wide"),
    ("logser", "poisson"), ("logser", "nbinom"), ("poisson", "betanbinom"), ("nbinom", "yulesimon"),
    ("inflated", "poisson"), ("poisson", "inflated"), ("inflated", "inflated, spread"),
    ("inflated, spread", "inflated"), ("weibull", "poisson"), ("poisson", "weibull"),
    ("rare", "poisson"), ("weibull, slow", "weibull"), ("weibull, fast", "weibull"),
    ("weibull", "weibull, fast"), ("rarest", "rarest, wide"), ("poisson", "inflated by nothing"),
    ("poisson", "weibull, steep"), ("weibull, slow", "weibull, steep"), ("poisson", "betanbinom, many"),
]  # fmt: skip
"""Poisson and negative binomial variables that almost agree have 10⁻¹² of a divergence, with nine digits."""


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_sums(p, q):
    expected = exact(p, q)
    tolerance = 1e-8 if expected < 1e-11 else 1e-11
    assert kl(COUNTS[p][0], COUNTS[q][0]) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("p", COUNTS)
def test_equal_ones_and_entropies(p):
    assert kl(COUNTS[p][0], COUNTS[p][0]) == 0.0
    if p in ("betanbinom", "betanbinom, many", "yulesimon"):
        with pytest.raises(NoClosedFormError, match="whose probabilities fall slowly"):
            entropy(COUNTS[p][0])
    elif p in ("poisson", "inflated", "weibull, slow", "logser"):
        with mp.workdps(30):
            logs = [mp.re(COUNTS[p][1](k)) for k in range(400)]
            expected = -sum(mp.exp(x) * x for x in logs if x > -2000)
        assert entropy(COUNTS[p][0]) == pytest.approx(float(expected), rel=1e-13)


def test_where_it_is_infinite_or_certain():
    assert kl(stats.poisson(3.0), stats.poisson(3.0, loc=1)) == np.inf
    assert kl(stats.poisson(3.0), stats.geom(0.3)) == np.inf
    assert kl(stats.nbinom(2.0, 0.3), stats.binom(50, 0.3)) == np.inf
    assert kl(stats.poisson(0.0), stats.nbinom(3.0, 0.2)) == pytest.approx(-3.0 * np.log(0.2))
    found = kl(stats.nbinom([2.0, 3.0, 3.0], 0.4), stats.nbinom(3.0, [0.4, 0.5, 0.4]))
    alone = [kl(stats.nbinom(n, 0.4), stats.nbinom(3.0, p)) for n, p in ((2.0, 0.4), (3.0, 0.5))]
    np.testing.assert_allclose(found, [*alone, 0.0], rtol=1e-14)
    assert np.isnan(kl(stats.nbinom(3.0, 0.2), stats.poisson([np.nan, 1.0]))).tolist() == [True, False]
    batch = kl(stats.poisson(np.full(500, 3.0)), stats.nbinom(2.5, 0.4))
    assert batch[[0, -1]] == pytest.approx(kl(stats.poisson(3.0), stats.nbinom(2.5, 0.4)), rel=1e-14)


def test_what_is_not_summed():
    for p, q, message in [
        (stats.zipf(2.0), stats.poisson(3.0), "whose probabilities fall slowly"),
        (stats.yulesimon(2.0), stats.zipf(3.0), "whose probabilities fall slowly"),
        (stats.zipf(2.0), stats.zipf(2.0, loc=-1), "their locations differ, and p has infinitely many"),
        (stats.poisson(1e12), stats.nbinom(3.0, 0.1), "more than 10000000 terms"),
        (stats.nbinom(3.0, 1e-9), stats.poisson(3.0), "more than 10000000 terms"),
    ]:
        for call in (kl, explain):
            with pytest.raises(NoClosedFormError, match=f"{message}.*estimate_kl"):
                call(p, q)


def test_what_explain_says():
    cost = explain(stats.poisson(2.0), stats.nbinom(2.0, 0.5)).cost
    assert cost == "O(n) for n outcomes of p, until it has less than exp(−90)"
    assert explain(stats.poisson(2.0), stats.poisson(2.0, loc=-1)).cost == cost
    assert explain(stats.poisson(2.0), stats.poisson(3.0)).cost == "O(1)"


@pytest.mark.slow
def test_in_graphs():
    """How many terms there are is decided when the function runs."""
    x = pt.dscalar("x")
    known = pm.Poisson.dist(3.0)
    spread = pm.NegativeBinomial.dist(mu=2.0 * x, alpha=x)
    inflated = pm.ZeroInflatedPoisson.dist(x / (1.0 + x), x)
    total = kl(spread, known) + 2.0 * kl(inflated, pm.NegativeBinomial.dist(n=3, p=0.4))
    function = pytensor.function([x], [total, pt.grad(total, x)], mode=OWN)

    def in_numbers(x):
        p = ZeroInflated(x / (1.0 + x), Poisson(x))
        q = NegativeBinomial(3.0, 0.4, 0.6)
        return kl(stats.nbinom(x, 1.0 / 3.0), stats.poisson(3.0)) + 2.0 * kl(p, q)

    for at in (0.3, 2.0, 40.0):
        value, slope = function(at)
        step = 1e-5 * at
        assert value == pytest.approx(in_numbers(at), rel=1e-12)
        difference = (in_numbers(at + step) - in_numbers(at - step)) / (2.0 * step)
        assert slope == pytest.approx(difference, rel=1e-6)


@pytest.mark.slow
def test_too_many_terms_are_refused_where_a_function_runs():
    """Those of all members together."""
    x = pt.dscalar("x")
    several = pm.Poisson.dist(x * np.ones(50))
    for graph in (kl(several, pm.NegativeBinomial.dist(mu=3.0, alpha=2.0)), entropy(several)):
        function = pytensor.function([x], graph)
        assert function(2.0)[0] > 0.0
        for mean in (1e6, 1e12):
            with pytest.raises(ValueError, match="more than 10000000 terms"):
                function(mean)


@pytest.mark.slow
def test_jax_takes_a_p_that_is_known():
    x = pt.dscalar("x")
    graph = kl(stats.poisson(3.0), pm.NegativeBinomial.dist(mu=x, alpha=2.0))
    found = pytensor.function([x], graph, mode="JAX")(2.0)
    assert found == pytest.approx(kl(stats.poisson(3.0), stats.nbinom(2.0, 0.5)), rel=1e-12)
