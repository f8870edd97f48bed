"""Counts on all whole numbers: Skellam and discrete Laplace variables. Judged by mpmath."""

import mpmath as mp
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from graphs import OWN
from kl_plugins import NoClosedFormError, entropy, explain, kl
from kl_plugins.families.skellam import Skellam
from kl_plugins.recognition import recognise


def log_skellam(first, second, loc=0):
    m, n = mp.mpf(first), mp.mpf(second)
    x = 2 * mp.sqrt(m * n)
    return lambda k: (k - loc) * mp.log(m / n) / 2 - m - n + mp.log(mp.besseli(abs(k - loc), x))


def log_laplace(a, loc=0):
    a = mp.mpf(a)
    return lambda k: mp.log(mp.tanh(a / 2)) - a * abs(k - loc)


def log_poisson(mean):
    mean = mp.mpf(mean)
    return lambda k: k * mp.log(mean) - mean - mp.loggamma(k + 1) if k >= 0 else None


MADE = {
    "skellam": (stats.skellam, log_skellam),
    "dlaplace": (stats.dlaplace, log_laplace),
    "poisson": (stats.poisson, log_poisson),
}


def exact(p, q, low, high):
    with mp.workdps(40):
        (name_p, *at_p), (name_q, *at_q) = p, q
        first, second = MADE[name_p][1](*at_p), MADE[name_q][1](*at_q)
        logs = [(log, second(k)) for k in range(low, high + 1) if (log := first(k)) is not None]
        return float(mp.fsum(mp.exp(log_p) * (log_p - log_q) for log_p, log_q in logs))


PAIRS = [
    (("skellam", 3.0, 2.0), ("skellam", 2.0, 3.5), -60, 60),
    (("skellam", 3.0, 2.0), ("skellam", 3.0 * (1.0 + 1e-6), 2.0), -60, 60),
    (("skellam", 1e-9, 1e-9), ("skellam", 2e-9, 1e-9), -6, 6),
    (("skellam", 1e-9, 30.0), ("skellam", 2.0, 3.0), -130, 6),
    (("skellam", 1.0, 1.0), ("skellam", 100.0, 100.0), -40, 40),
    (("skellam", 40.0, 50.0), ("skellam", 41.0, 50.0, 1), -160, 140),
    (("skellam", 3.0, 2.0), ("skellam", 3.0, 2.0, 1), -60, 60),
    (("poisson", 3.0), ("skellam", 3.0, 2.0), 0, 60),
    (("poisson", 3.0), ("skellam", 3.0, 1e-9), 0, 60),
    (("dlaplace", 0.8), ("skellam", 2.5, 1.5), -130, 130),
    (("skellam", 2.5, 1.5), ("dlaplace", 0.8, 1), -60, 60),
    (("dlaplace", 0.8), ("dlaplace", 0.5, 3), -130, 130),
]


@pytest.mark.parametrize(("p", "q", "low", "high"), PAIRS)
def test_sums(p, q, low, high):
    """Near-equal ones have 10⁻¹² of a divergence; where a count cannot be below zero, −log q(Z ≥ 0)."""
    (name_p, *at_p), (name_q, *at_q) = p, q
    found, expected = kl(MADE[name_p][0](*at_p), MADE[name_q][0](*at_q)), exact(p, q, low, high)
    assert found == pytest.approx(expected, rel=1e-13 if expected > 1e-6 else 1e-9)


@pytest.mark.parametrize(
    ("first", "second"), [(3.0, 2.0), (1e-9, 30.0), (9.0, 9.0), (5.0, 20.0), (1e3, 1e3), (1e4, 3.0)]
)
def test_log_probabilities(first, second):
    """Of orders and arguments on both sides of where the expansion takes over, and far from the mean."""
    steps = np.array([-12.0, -3.0, -1.0, 0.0, 0.3, 3.0, 12.0]) * max(1.0, np.sqrt(first + second))
    k = np.unique(np.append(np.round(first - second + steps), [-1.0, 0.0, 1.0]))
    found = recognise(stats.skellam(first, second)).to_arrays().log_prob(k)
    with mp.workdps(40):
        log = log_skellam(first, second)
        expected = [float(log(int(one))) for one in k]
    np.testing.assert_allclose(found, expected, rtol=2e-14, atol=2e-14)


def test_extremes():
    tiny, huge = recognise(stats.skellam([1e-200, 1e200], [1e-200, 1e200])).log_prob(np.zeros(2))
    assert tiny == -2e-200
    assert huge == pytest.approx(-0.5 * np.log(4.0 * np.pi) - 100.0 * np.log(10.0), rel=1e-15)
    assert kl(stats.skellam(1.0, 2.0), stats.skellam(1.0, 1e200)) > 1e199
    with pytest.raises(NoClosedFormError, match="more than 10000000 terms"):
        kl(stats.skellam(1e14, 2.0), stats.skellam(1.0, 2.0))


def test_supports_and_batches():
    p = stats.skellam(3.0, 2.0)
    assert kl(p, p) == 0.0
    assert kl(p, stats.poisson(3.0)) == kl(stats.dlaplace(0.5), stats.poisson(3.0)) == np.inf
    assert kl(p, stats.skellam(3.0, 2.0, loc=0.5)) == np.inf
    with pytest.raises(ValueError, match=r"p: second \(mu2\) must be positive, got -1 at index 1"):
        kl(stats.skellam(3.0, np.array([2.0, -1.0])), p)
    assert "until it has less than exp(−90)" in explain(p, stats.skellam(1.0, 2.0)).cost
    table = kl(stats.skellam([3.0, 2.0, np.nan], 2.0), stats.skellam([[3.0], [1e3]], 2.0, loc=1))
    assert np.isnan(table).tolist() == [[False, False, True]] * 2
    assert table[1, 1] == pytest.approx(
        kl(stats.skellam(2.0, 2.0), stats.skellam(1e3, 2.0, loc=1)), rel=1e-14
    )


def test_entropies():
    log = log_skellam(3.0, 2.0)
    expected = -sum(mp.exp(log(k)) * log(k) for k in range(-60, 61))
    assert entropy(stats.skellam(3.0, 2.0)) == pytest.approx(float(expected), rel=1e-13)


@pytest.mark.slow
def test_in_graphs():
    x, y = pt.dscalar("x"), pt.dscalar("y")
    total = kl(Skellam(x, y), Skellam(2.0, 3.5)) + 2.0 * kl(stats.skellam(2.0, 3.5, loc=1), Skellam(x, y))
    function = pytensor.function([x, y], [total, *pytensor.grad(total, [x, y])], mode=OWN)

    def in_numbers(x, y):
        p, q = stats.skellam(x, y), stats.skellam(2.0, 3.5)
        return kl(p, q) + 2.0 * kl(stats.skellam(2.0, 3.5, loc=1), p)

    for at in ((3.0, 2.0), (0.1, 40.0)):
        value, *slopes = function(*at)
        assert value == pytest.approx(in_numbers(*at), rel=1e-12)
        for slope, step in zip(slopes, np.diag(at) * 1e-5, strict=True):
            difference = in_numbers(*(at + step)) - in_numbers(*(at - step))
            assert slope == pytest.approx(difference / (2.0 * step.sum()), rel=1e-6)
