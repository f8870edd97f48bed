"""ARGUS distributions, judged by mpmath (hypergeometric functions) and by quadrature."""

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

from derivatives import gradient_error
from family_oracle import divergence, expected
from kl_plugins import entropy, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.extend import Argus, recognise

SIZES = [1e-3, 0.5, 2.0, 8.9, 9.1, 13.0, 300.0, 1e15]


def mass(kappa, a):
    """∫₀¹ y^(a − 1) exp(−κ y) dy."""
    return mp.gammainc(a, 0, kappa) / kappa**a


def exact(p, q):
    with mp.workdps(100):
        p, q = mp.mpf(p) ** 2 / 2, mp.mpf(q) ** 2 / 2
        own = mass(p, 1.5)
        return float(mp.log(mass(q, 1.5) / own) + (q - p) * mass(p, 2.5) / own)


@pytest.mark.parametrize("p", SIZES)
def test_one_interval(p):
    for q in [*SIZES, p * (1.0 - 2.0**-30), p / 1.2]:
        if p != q:
            value = kl(stats.argus(p, 0.3, 2.0), stats.argus(q, 0.3, 2.0))
            assert value == pytest.approx(exact(p, q), rel=1e-13), q
    assert kl(stats.argus(p), stats.argus(p)) == 0.0


@pytest.mark.parametrize(
    "chi", [2.0, *(pytest.param(chi, marks=pytest.mark.slow) for chi in (1e-3, 8.0, 12.0, 1e4, 1e7))]
)
def test_moments_and_entropy(chi):
    made = recognise(stats.argus(chi, 0.5, 2.0))
    with mp.workdps(40):
        kappa = mp.mpf(chi) ** 2 / 2
        own = mass(kappa, 1.5)
        widths = [k / mp.sqrt(kappa) for k in (0.1, 0.5, 2, 5, 12) if k / mp.sqrt(kappa) < 1.5]

        def mean(function):
            def integrand(t):
                x, y = mp.cos(t), mp.sin(t) ** 2
                return 2 * y * x * mp.exp(-kappa * y) / own * function(x, y)

            return mp.quad(integrand, [0, *widths, mp.pi / 2])

        lacks = mean(lambda x, y: y / (1 + x))
        variance = mean(lambda x, y: (y / (1 + x) - lacks) ** 2)
        known = mp.log(own) + kappa * mass(kappa, 2.5) / own  # a scale of 2 undoes the factor 2
        known -= mean(lambda x, y: mp.log(x) + mp.log(y) / 2)
    assert made.standard_mean() == pytest.approx(float(1 - lacks), rel=1e-14)
    assert made.standard_variance() == pytest.approx(float(variance), rel=1e-13)
    assert entropy(made) == pytest.approx(float(known), rel=1e-13, abs=1e-14)


PAIRS = {
    "norm": (stats.argus(2.0, 0.3, 2.0), stats.norm(0.4)),
    "expon": (stats.argus(12.0, 0.3, 2.0), stats.expon(0.1, 3.0)),
    "of uniform": (stats.uniform(0.3, 2.0), stats.argus(2.5, 0.1, 3.0)),
    "of triang": (stats.triang(0.3), stats.argus(2.5, -1.0, 4.0)),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "of uniform")) for name in PAIRS]
)
def test_pairs(name):
    p, q = PAIRS[name]
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-10)
    assert entropy(p) == pytest.approx(expected(p, lambda x: -p.logpdf(x)), rel=1e-10)


def test_density_is_that_of_scipy():
    frozen = stats.argus(2.0, 0.3, 2.0)
    x = np.linspace(0.31, 2.29, 20)
    np.testing.assert_allclose(recognise(frozen).to_arrays().log_prob(x), frozen.logpdf(x), rtol=1e-12)


def test_what_is_outside_or_beyond():
    assert kl(stats.argus(2.0), stats.argus(2.0, 0.1, 5.0)) == np.inf
    found = kl(stats.argus([1.0, 2.0, np.nan]), stats.argus(1.0, 0.0, [1.0, 0.5, 1.0]))
    assert found[:2].tolist() == [0.0, np.inf]
    assert np.isnan(found[2])
    assert explain(stats.argus(2.0), stats.argus(3.0)).cost == "quadrature, 72 nodes"
    with pytest.raises(NoClosedFormError, match="there is one for the same loc and the same scale on both"):
        kl(stats.argus(2.0), stats.argus(2.0, 0.0, [1.0, 3.0]))
    with pytest.raises(NoClosedFormError, match=r"its quadrature is for values of chi from 1e-300 to 1e\+15"):
        kl(stats.argus(2.0), stats.argus(2e15))
    with pytest.raises(ValueError, match=r"^q: chi must be positive"):
        kl(stats.norm(), stats.argus(-1.0))


@pytest.mark.parametrize(
    ("p", "q"),
    [
        ([1.5], [1.51]),
        pytest.param([1.5], [13.0], marks=pytest.mark.slow),
        pytest.param([30.0], [13.0], marks=pytest.mark.slow),
    ],
)
def test_graphs_and_their_gradients(p, q):
    assert gradient_error(Argus, p, q) < 1e-6
