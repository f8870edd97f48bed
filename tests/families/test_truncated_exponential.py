"""Exponential densities on an interval, judged by mpmath; what they make, by these and by quadrature."""

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

from derivatives import gradient_error
from family_oracle import divergence, expected, statement_error
from kl_plugins import entropy, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.extend import TruncatedExponential, TruncatedPareto, TruncatedWeibull, Uniform


def log_normaliser(x):
    return mp.log(mp.expm1(x) / x) if x else mp.mpf(0)


def moment(x):
    return 1 / (1 - mp.exp(-x)) - 1 / x if x else mp.mpf("0.5")


def exact(p, q):
    with mp.workdps(400):
        p, q = mp.mpf(p), mp.mpf(q)
        return float(log_normaliser(q) - log_normaliser(p) - (q - p) * moment(p))


SLOPES = [0.0, 1e-12, -1e-6, 0.3, -0.499, 0.501, 2.0, -2.05, 30.0, 31.0, -29.0, 1e6, 1.01e6, -400.0]


@pytest.mark.parametrize("p", SLOPES)
def test_slopes(p):
    """The continuous Bernoulli distribution in its natural parameter, through a probability of one half."""
    for q in [*SLOPES, p * (1.0 + 2.0**-30), p + 0.05, p * 1.04, p * 1.05]:
        value = kl(TruncatedExponential(p), TruncatedExponential(q))
        assert value == pytest.approx(exact(p, q), rel=3e-12, abs=1e-300), q
    assert kl(TruncatedExponential(p), TruncatedExponential(p)) == 0.0
    with mp.workdps(60):
        x = mp.mpf(p)
        assert entropy(TruncatedExponential(p)) == pytest.approx(
            float(log_normaliser(x) - x * moment(x)), rel=1e-13, abs=1e-15
        )


def test_uniform_ones():
    for slope in (1e-9, -0.3, 40.0):
        flat, steep = Uniform(0.0, 1.0), TruncatedExponential(slope)
        assert kl(steep, flat) == pytest.approx(exact(slope, 0.0), rel=1e-12)
        assert kl(flat, steep) == pytest.approx(exact(0.0, slope), rel=1e-12)
    assert kl(TruncatedExponential(0.0), stats.uniform()) == 0.0


PAIRS = {
    "truncexpon": (stats.truncexpon(1.5, 0.3, 2.0), stats.truncexpon(4.0, 0.3, 0.75)),
    "truncexpon, inside": (stats.truncexpon(1.5, 0.3, 2.0), stats.truncexpon(4.0, 0.1, 1.25)),
    "truncexpon, in the tail": (stats.truncexpon(1.5, 4.0, 0.5), stats.truncexpon(40.0, 0.1, 0.25)),
    "truncexpon and expon": (stats.truncexpon(1.5, 0.3, 2.0), stats.expon(0.3, 1.3)),
    "truncexpon and norm": (stats.truncexpon(1.5, 0.3, 2.0), stats.norm(0.3, 1.3)),
    "uniform inside of truncexpon": (stats.uniform(0.3, 1.5), stats.truncexpon(4.0, 0.1, 1.25)),
    "truncpareto": (stats.truncpareto(1.5, 4.0, 0.3, 2.0), stats.truncpareto(2.5, 4.0, 0.3, 2.0)),
    "truncpareto, inside": (stats.truncpareto(1.5, 2.0, 0.3, 3.0), stats.truncpareto(2.5, 4.0, 0.3, 2.0)),
    "truncpareto and pareto": (stats.truncpareto(1.5, 4.0, 0.3, 2.0), stats.pareto(2.5, 0.3, 2.0)),
    "truncpareto and lognorm": (stats.truncpareto(1.5, 4.0, 0.3, 2.0), stats.lognorm(0.5, 0.3, 3.0)),
    "truncweibull_min": (
        stats.truncweibull_min(2.5, 0.25, 2.0, 0.3, 2.0),
        stats.truncweibull_min(2.5, 0.0, 5.0, 0.3, 1.0),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name):
    p, q = PAIRS[name]
    assert max(statement_error(p), statement_error(q)) < 1e-11
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-9)
    assert kl(p, p) == 0.0


@pytest.mark.parametrize("name", ["truncexpon", "truncpareto"])
def test_entropies(name):
    p, _ = PAIRS[name]
    assert entropy(p) == pytest.approx(expected(p, lambda x: -p.logpdf(x)), rel=1e-10)


def test_powers_and_exponentials_are_their_bases():
    base = kl(TruncatedExponential(-1.5), TruncatedExponential(-4.0))
    p, q = (stats.truncpareto(b, np.e, 0.3, 2.0) for b in (1.5, 4.0))
    assert kl(p, q) == pytest.approx(base, rel=1e-12)
    scales = np.array([1.5, 4.0]) ** -0.5
    p, q = (stats.truncweibull_min(2.0, 0.0, 1.0 / s, 0.3, s) for s in scales)
    assert kl(p, q) == pytest.approx(base, rel=1e-12)


def test_what_is_outside_or_apart():
    assert kl(stats.truncexpon(2.0), stats.truncexpon(1.9)) == np.inf
    assert kl(stats.truncexpon(2.0), stats.truncexpon(2.0, 0.1, 5.0)) == np.inf
    assert kl(stats.truncpareto(2.0, 3.0), stats.truncpareto(2.0, 2.9)) == np.inf
    assert kl(stats.truncpareto(2.0, 3.0), stats.truncpareto(2.0, 2.0, 0.5)) == np.inf
    assert kl(stats.truncweibull_min(2.0, 0.5, 3.0), stats.truncweibull_min(2.0, 0.6, 3.0)) == np.inf
    found = kl(stats.truncexpon([1.0, 2.0, np.nan]), stats.truncexpon(1.0))
    assert found[:2].tolist() == [0.0, np.inf]
    assert np.isnan(found[2])
    with pytest.raises(NoClosedFormError, match="there is one for a common loc and c"):
        kl(stats.truncweibull_min(2.0, 0.5, 3.0), stats.truncweibull_min(2.1, 0.0, 3.1))
    with pytest.raises(ValueError, match=r"^p: b must be positive"):
        kl(stats.truncexpon(-1.0), stats.norm())


@pytest.mark.parametrize(
    ("make", "p", "q"),
    [
        (TruncatedExponential, [1.5], [-2.0]),
        (TruncatedExponential, [0.1], [0.101]),
        pytest.param(
            lambda slope, width: TruncatedExponential(slope, 0.0, width),
            [1.5, 1.0],
            [-2.0, 1.5],
            marks=pytest.mark.slow,
        ),
        (lambda slope: TruncatedPareto(TruncatedExponential(slope, 0.0, 2.0), 2.0, 0.3), [-1.5], [-2.0]),
        (lambda x: TruncatedWeibull(TruncatedExponential(-x, 0.5, 2.0), 2.0, 0.3, power=1.5), [1.5], [2.0]),
    ],
)
def test_graphs_and_their_gradients(make, p, q):
    assert gradient_error(make, p, q) < 1e-6
