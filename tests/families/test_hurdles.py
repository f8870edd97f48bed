"""Truncated counts, and variables that are zero or not. Judged by mpmath, or by the parts."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from graphs import OWN, value
from kl_plugins import NoClosedFormError, entropy, explain, kl, kl_bounds
from kl_plugins.extend import (
    Binomial,
    GeneralizedGamma,
    Hurdle,
    LogNormal,
    NegativeBinomial,
    Normal,
    Poisson,
    TruncatedCounts,
    ZeroInflated,
    check_family,
    recognise,
)

INFINITY = float("inf")


def log_poisson(mean):
    return lambda k: k * mp.log(mean) - mean - mp.loggamma(k + 1)


def log_negative_binomial(n, p):
    n, p = mp.mpf(n), mp.mpf(p)
    return lambda k: (
        mp.loggamma(k + n) - mp.loggamma(n) - mp.loggamma(k + 1) + n * mp.log(p) + k * mp.log1p(-p)
    )


def log_binomial(n, p):
    p = mp.mpf(p)
    return lambda k: mp.log(mp.binomial(n, k)) + k * mp.log(p) + (n - k) * mp.log1p(-p)


BASES = {
    "poisson": (Poisson(3.0), log_poisson(mp.mpf(3))),
    "rare": (Poisson(1e-9), log_poisson(mp.mpf(1e-9))),
    "many": (Poisson(800.0), log_poisson(mp.mpf(800))),
    "nbinom": (NegativeBinomial(2.5, 0.4, 0.6), log_negative_binomial(2.5, 0.4)),
    "binom": (Binomial(10.0, 0.3), log_binomial(10, 0.3)),
}
"""A base, and the logarithms of its probabilities."""

PAIRS = [
    (("poisson", 1, INFINITY), ("nbinom", 1, INFINITY)),
    (("poisson", 1, INFINITY), ("rare", 1, INFINITY)),
    (("rare", 1, INFINITY), ("poisson", 1, INFINITY)),
    (("rare", 3, INFINITY), ("nbinom", 2, INFINITY)),
    (("rare", 1, 3), ("poisson", 0, 3)),
    (("poisson", 60, INFINITY), ("nbinom", 0, INFINITY)),
    (("many", 1, INFINITY), ("many", 700, INFINITY)),
    (("many", 700, 900), ("many", 1, INFINITY)),
    (("many", -5, 2), ("nbinom", 0, 2)),
    (("binom", 1, INFINITY), ("poisson", 1, 10)),
    (("binom", 0.5, 6.9), ("binom", 1, 6)),
]  # fmt: skip


def made(base, low, high):
    return TruncatedCounts(float(low), high, BASES[base][0])


def exact(p, q):
    with mp.workdps(40):
        logs = {}
        for base, low, high in (p, q):
            ends = max(int(np.ceil(low)), 0), int(min(high, 1400, 10 if base == "binom" else 1400))
            log = {k: BASES[base][1](k) for k in range(ends[0], ends[1] + 1)}
            inside = mp.log(mp.fsum(map(mp.exp, log.values())))
            logs[base, low, high] = {k: one - inside for k, one in log.items()}
        missing = [k for k, one in logs[p].items() if k not in logs[q] and one > -200]
        if missing:
            return INFINITY
        return float(mp.fsum(mp.exp(one) * (one - logs[q].get(k, 0)) for k, one in logs[p].items()))


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_truncated_counts(p, q):
    for one, other in ((p, q), (q, p)):
        found = kl(made(*one), made(*other))
        assert found >= 0.0
        assert found == pytest.approx(exact(one, other), rel=1e-11, abs=1e-25)
        assert kl(made(*one), made(*one)) == 0.0


def test_without_bounds_it_is_the_base():
    p = TruncatedCounts(-INFINITY, INFINITY, Poisson(3.0))
    assert kl(p, stats.poisson(4.0)) == pytest.approx(kl(stats.poisson(3.0), stats.poisson(4.0)), rel=1e-14)
    assert entropy(p) == pytest.approx(entropy(stats.poisson(3.0)), rel=1e-14)
    later = TruncatedCounts(3.0, INFINITY, NegativeBinomial(1.0, 0.3, 0.7, 1.0))  # without a memory
    assert kl(later, stats.geom(0.4, loc=2)) == pytest.approx(kl(stats.geom(0.3), stats.geom(0.4)), rel=1e-13)
    assert kl(p, TruncatedCounts(1.0, INFINITY, Poisson(3.0))) == INFINITY


@pytest.mark.parametrize("base", [Poisson(0.0), Poisson([2.0, 0.0]), Binomial(3.0, 0.5)])
def test_nothing_inside_is_refused(base):
    with pytest.raises(ValueError, match="must have outcomes from lower to upper"):
        TruncatedCounts(5.0 if isinstance(base, Binomial) else 1.0, INFINITY, base)
    with pytest.raises(ValueError, match="must have outcomes from lower to upper"):
        TruncatedCounts(3.0, 2.0, base)


def test_what_explain_says():
    windows = TruncatedCounts(2.0, 6.0, Poisson(3.0)), TruncatedCounts(1.0, INFINITY, Poisson(3.0))
    assert explain(windows[0], stats.poisson(2.0)).cost == "O(n) for the n outcomes of p"
    assert explain(stats.poisson(2.0, loc=1), windows[1]).cost.startswith("O(n) for n outcomes of p, until")
    assert explain(Hurdle(0.3, GAMMA), Hurdle(0.3, OTHER)).rule == "hurdle_hurdle → gamma_log_normal"


@pytest.mark.slow
def test_families_are_as_they_say():
    check_family(TruncatedCounts, [TruncatedCounts(1.0, INFINITY, Poisson(m)) for m in (2.0, 3.0)])
    check_family(TruncatedCounts, [TruncatedCounts(1.0, 4.0, Poisson(m)) for m in (2.0, 3.0)])


def bernoulli(p, q):
    return kl(stats.bernoulli(p), stats.bernoulli(q))


GAMMA, OTHER = GeneralizedGamma(2.0, 1.0), LogNormal(Normal(0.3, 0.8))


def test_hurdles_of_continuous_variables():
    weights, others = [0.3, 0.0, 1.0, 1e-12, 0.0, 0.4], [0.6, 0.6, 0.6, 2e-12, 0.0, 1.0]
    found = kl(Hurdle(weights, GAMMA), Hurdle(others, OTHER))
    rest = kl(GAMMA, OTHER)
    expected = [bernoulli(p, q) + p * rest for p, q in zip(weights, others, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert found[4:].tolist() == [0.0, INFINITY]
    assert kl(Hurdle(0.3, GAMMA), Hurdle(0.3, GAMMA)) == 0.0
    assert kl(GAMMA, Hurdle(0.3, OTHER)) == pytest.approx(rest - np.log(0.3), rel=1e-14)
    assert kl(Hurdle([0.3, 1.0], GAMMA), OTHER).tolist() == [INFINITY, rest]
    zero = -np.log1p(-0.3)
    for p, q in [
        (stats.bernoulli([0.0, 0.5]), Hurdle(0.3, GAMMA)),
        (Hurdle([0.0, 0.5], GAMMA), stats.bernoulli(0.3)),
        (Hurdle([0.0, 0.5], GAMMA), Hurdle(0.3, recognise(stats.expon(1.0)))),
    ]:
        np.testing.assert_allclose(kl(p, q), [zero, INFINITY], rtol=1e-14)
    assert np.isnan(kl(Hurdle([np.nan, 0.5], GAMMA), Hurdle(0.3, GAMMA))).tolist() == [True, False]
    for call in (kl, explain):
        with pytest.raises(NoClosedFormError, match=r"Hurdle.*none for the continuous variables"):
            call(Hurdle(0.3, OTHER), Hurdle(0.3, recognise(stats.burr12(9.0, 1.2))))


HURDLES = {
    "HurdlePoisson": (
        lambda: pm.HurdlePoisson.dist(0.3, 2.0),
        lambda: ZeroInflated(0.3, TruncatedCounts(1.0, INFINITY, Poisson(2.0))),
    ),
    "HurdleNegativeBinomial": (
        lambda: pm.HurdleNegativeBinomial.dist(0.3, mu=3.0, alpha=2.0),
        lambda: ZeroInflated(0.3, TruncatedCounts(1.0, INFINITY, NegativeBinomial(2.0, 0.4, 0.6))),
    ),
    "HurdleGamma": (
        lambda: pm.HurdleGamma.dist(0.3, alpha=2.0, beta=1.0),
        lambda: Hurdle(0.3, GAMMA),
    ),
    "HurdleLogNormal": (
        lambda: pm.HurdleLogNormal.dist(0.3, 0.3, 0.8),
        lambda: Hurdle(0.3, OTHER),
    ),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name == "HurdleNegativeBinomial")) for name in HURDLES],
)
def test_pymcs_hurdles(name):
    variable, ours = (make() for make in HURDLES[name])
    is_count = variable.dtype == "int64"
    zero = pm.HurdlePoisson.dist(0.6, 3.0) if is_count else pm.HurdleGamma.dist(0.6, 2.0, 3.0)
    same, found, bounds = value([kl(variable, ours), kl(variable, zero), kl_bounds(variable, zero).upper], {})
    assert 0.0 <= same < 1e-30
    q = ZeroInflated(0.6, TruncatedCounts(1.0, INFINITY, Poisson(3.0)))
    q = q if is_count else Hurdle(0.6, GeneralizedGamma(2.0, 1.0 / 3.0))
    parts = bernoulli(0.3, 0.6) + 0.3 * kl(ours.base, q.base)
    assert found == bounds == pytest.approx(parts, rel=1e-12)


def test_in_a_model():
    with pm.Model():
        psi = pm.Beta("psi", 1.0, 1.0)
        counts = pm.HurdlePoisson("counts", psi, [2.0, 3.0])
        window = pm.Truncated("window", pm.Binomial.dist(10, psi), lower=1, upper=[4, 5])
    graphs = [kl(counts, pm.HurdlePoisson.dist(0.5, 3.0)), kl(window, pm.Poisson.dist(3.0))]
    found = value(graphs, {psi: 0.3})
    q = TruncatedCounts(1.0, INFINITY, Poisson(3.0))
    rest = kl(TruncatedCounts(1.0, INFINITY, Poisson([2.0, 3.0])), q)
    np.testing.assert_allclose(found[0], bernoulli(0.3, 0.5) + 0.3 * rest, rtol=1e-12)
    expected = [kl(TruncatedCounts(1.0, n, Binomial(10.0, 0.3)), stats.poisson(3.0)) for n in (4.0, 5.0)]
    np.testing.assert_allclose(found[1], expected, rtol=1e-12)


def test_errors_are_in_pymcs_words():
    with pytest.raises(ValueError, match=r"p: psi \(the weight\) must be at most 1"):
        kl(pm.HurdlePoisson.dist(1.5, 2.0), pm.Poisson.dist(2.0))
    with pytest.raises(ValueError, match="p: the distribution must have outcomes from lower to upper"):
        kl(pm.Truncated.dist(pm.Poisson.dist(2.0), lower=5, upper=3), pm.Poisson.dist(2.0))


@pytest.mark.slow
def test_gradients():
    x = pt.dvector("x")
    spread = pm.NegativeBinomial.dist(mu=x[2], alpha=2.0)
    graphs = [
        kl(pm.HurdlePoisson.dist(x[0], x[1]), pm.HurdleNegativeBinomial.dist(0.4, mu=x[2], alpha=2.0)),
        kl(pm.HurdleGamma.dist(x[0], 2.0, x[1]), pm.HurdleLogNormal.dist(0.4, 0.3, x[2])),
        kl(pm.Truncated.dist(pm.Poisson.dist(x[1]), lower=2), pm.Truncated.dist(spread, lower=1)),
        kl(pm.Truncated.dist(spread, lower=2, upper=6), pm.Truncated.dist(pm.Poisson.dist(x[1]), upper=8)),
    ]
    slopes = [pt.grad(graph, x) for graph in graphs]
    function = pytensor.function([x], [pt.stack(graphs), pt.stack(slopes)], mode=OWN)
    at = np.array([0.3, 2.0, 3.0])
    found = function(at)[1]
    for i, step in enumerate(1e-5 * np.eye(3)):
        difference = (function(at + step)[0] - function(at - step)[0]) / 2e-5
        np.testing.assert_allclose(found[:, i], difference, rtol=1e-6, atol=1e-9)
