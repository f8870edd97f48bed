"""Bradford distributions, judged by mpmath (dilogarithms) and by quadrature."""

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

from derivatives import gradient_error
from family_oracle import divergence, expected, statement_error
from kl_plugins import entropy, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.extend import Bradford, recognise

SIZES = [1e-9, 1e-3, 0.5, 2.0, 50.0, 1e6, 1e10]


def exact(p, q):
    """log(1 + c X) is uniform, and its image a dilogarithm."""
    with mp.workdps(80):
        p, q = mp.mpf(p), mp.mpf(q)
        length, share = mp.log1p(p), 1 - p / q
        mean = mp.log(q / p) + (mp.polylog(2, share / (1 + p)) - mp.polylog(2, share)) / length
        return float(mp.log(p / q * mp.log1p(q) / length) + mean)


@pytest.mark.parametrize("p", SIZES)
def test_one_interval(p):
    for q in [*SIZES, p * (1.0 - 2.0**-30), p / 1.3]:
        if p != q:
            value = kl(stats.bradford(p, 0.3, 2.0), stats.bradford(q, 0.3, 2.0))
            assert value == pytest.approx(exact(p, q), rel=1e-13), q
    assert kl(stats.bradford(p), stats.bradford(p)) == 0.0


def test_moments_and_entropy():
    for c in (1e-9, 0.3, 0.7, 5.0, 1e6):
        made = recognise(stats.bradford(c, 0.5, 2.0))
        with mp.workdps(60):
            c = mp.mpf(c)
            length = mp.log1p(c)
            mean, variance = 1 / length - 1 / c, (c + 2) / (2 * c * length) - 1 / length**2
            own = mp.log(2) + mp.log(length / c) + length / 2
        assert made.standard_mean() == pytest.approx(float(mean), rel=1e-14)
        assert made.standard_variance() == pytest.approx(float(variance), rel=1e-13)
        assert entropy(made) == pytest.approx(float(own), rel=1e-14)


PAIRS = {
    "inside": (stats.bradford(2.0, 0.3, 2.0), stats.bradford(5.0, 0.1, 3.0)),
    "at the upper end": (stats.bradford(2.0, 2.9, 0.1), stats.bradford(5.0, 0.0, 3.0)),
    "uniform": (stats.bradford(2.0, 0.3, 2.0), stats.uniform(0.1, 3.0)),
    "of uniform": (stats.uniform(0.3, 2.0), stats.bradford(5.0, 0.1, 3.0)),
    "norm": (stats.bradford(2.0, 0.3, 2.0), stats.norm(0.4)),
    "of triang": (stats.triang(0.3), stats.bradford(3.0, -1.0, 4.0)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name):
    p, q = PAIRS[name]
    assert max(statement_error(p), statement_error(q)) < 1e-13
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-10)
    assert entropy(p) == pytest.approx(expected(p, lambda x: -p.logpdf(x)), rel=1e-10)


def test_uniform_is_the_limit():
    for c in (1e-12, 1e-3):
        assert kl(stats.bradford(c), stats.uniform()) == pytest.approx(exact(c, 1e-40), rel=1e-12)
        assert kl(stats.uniform(), stats.bradford(c)) == pytest.approx(exact(1e-40, c), rel=1e-12)


def test_what_is_outside_or_beyond():
    assert kl(stats.bradford(2.0), stats.bradford(2.0, 0.1, 5.0)) == np.inf
    found = kl(stats.bradford([1.0, 2.0, np.nan]), stats.bradford(1.0, 0.0, [1.0, 0.5, 1.0]))
    assert found[:2].tolist() == [0.0, np.inf]
    assert np.isnan(found[2])
    assert explain(stats.bradford(2.0), stats.bradford(3.0)).cost == "quadrature, 64 nodes"
    with pytest.raises(NoClosedFormError, match=r"its quadrature is for values of c from 1e-300 to 1e\+10"):
        kl(stats.bradford(2.0), stats.bradford(2e10))
    with pytest.raises(ValueError, match=r"^q: c must be positive"):
        kl(stats.norm(), stats.bradford(-1.0))


@pytest.mark.parametrize(
    ("make", "p", "q"),
    [
        (Bradford, [1.5], [4.0]),
        (Bradford, [1.5], [1.51]),
        pytest.param(Bradford, [4.0, 0.5, 1.0], [1.5, 0.2, 3.0], marks=pytest.mark.slow),
    ],
)
def test_graphs_and_their_gradients(make, p, q):
    assert gradient_error(make, p, q) < 1e-6
