"""Von Mises variables, on the circle and on the line."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from family_graphs import errors_of_graph
from family_oracle import divergence, statement_error
from kl_plugins import entropy, kl
from kl_plugins.errors import NoClosedFormError


def exact_divergence(p_kappa, q_kappa, angle):
    with mp.workdps(60):
        a, b, angle = map(mp.mpf, (p_kappa, q_kappa, angle))
        ratio = mp.besseli(1, a) / mp.besseli(0, a)
        return mp.log(mp.besseli(0, b) / mp.besseli(0, a)) + ratio * (a - b * mp.cos(angle))


kappas = st.floats(-6, 6).map(lambda x: 10**x)


@given(kappas, kappas, st.floats(0, 100))
@example(59.999, 60.0, 0.0)
@example(60.0, 57.1, 0.0)
def test_far_from_equal_at_extreme_parameters(a, b, angle):
    exact = exact_divergence(a, b, angle)
    found = kl(stats.vonmises(a, angle), stats.vonmises(b))
    assert found >= 0.0
    if exact > 1e-14:
        assert found == pytest.approx(float(exact), rel=1e-10)


@given(kappas, st.floats(-13, -1), st.tuples(*[st.floats(-1, 1)] * 2))
def test_near_equal_at_extreme_parameters(a, log_step, steps):
    b, angle = a * (1 + 10**log_step * steps[0]), 10**log_step * steps[1]
    exact = exact_divergence(a, b, angle)
    found = kl(stats.vonmises(a, angle), stats.vonmises(b))
    assert found >= 0.0
    if exact > 1e-14:
        assert found == pytest.approx(float(exact), rel=1e-10)


def test_the_circle():
    p, q = stats.vonmises(2.0, 0.3), stats.vonmises(0.7, -1.1)

    def integrand(x):
        return p.pdf(x) * (p.logpdf(x) - q.logpdf(x))

    assert kl(p, q) == pytest.approx(integrate.quad(integrand, -np.pi, np.pi)[0], rel=1e-9)
    assert kl(p, stats.vonmises(2.0, 0.3 + 2 * np.pi)) < 1e-30
    assert kl(p, p) == 0.0
    assert entropy(p) == pytest.approx(float(p.entropy()), rel=1e-12)
    uniform = stats.vonmises(0.0, 5.0)
    assert entropy(uniform) == pytest.approx(np.log(2 * np.pi))
    assert kl(uniform, q) == pytest.approx(np.log(special.i0(0.7)), rel=1e-13)
    assert kl(p, uniform) == pytest.approx(np.log(2 * np.pi) - entropy(p), rel=1e-13)
    assert kl(uniform, stats.vonmises(0.0)) == 0.0


@pytest.mark.parametrize("kappa", [1e-6, 0.1, 10.0, 59.0, 61.0, 1e3, 1e6])
def test_the_entropy(kappa):
    with mp.workdps(60):
        k = mp.mpf(kappa)
        exact = mp.log(2 * mp.pi * mp.besseli(0, k)) - k * mp.besseli(1, k) / mp.besseli(0, k)
    assert entropy(stats.vonmises(kappa)) == pytest.approx(float(exact), rel=1e-13)


def test_what_is_no_distribution_on_the_circle():
    with pytest.raises(ValueError, match=r"p: scale must be 1.*vonmises_line"):
        kl(stats.vonmises(2.0, 0.0, 2.0), stats.vonmises(1.0))
    with pytest.raises(NoClosedFormError, match="circle"):
        kl(stats.vonmises(2.0), stats.norm())
    with pytest.raises(NoClosedFormError, match="circle"):
        kl(stats.norm(), stats.vonmises(2.0))
    with pytest.raises(ValueError, match=r"kappa \(the concentration\) must not be negative"):
        kl(stats.vonmises(-2.0), stats.vonmises(1.0))


def test_the_line():
    p, q = stats.vonmises_line(2.0, 0.3, 1.4), stats.vonmises_line(0.7, 0.3, 1.4)
    assert statement_error(p) < 1e-12
    assert entropy(p) == pytest.approx(float(p.entropy()), rel=1e-10)
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-9)
    assert kl(p, q) == kl(stats.vonmises(2.0), stats.vonmises(0.7))
    assert kl(p, stats.vonmises_line(0.7, 0.4, 1.4)) == np.inf
    assert kl(stats.norm(), p) == np.inf
    assert kl(p, stats.gamma(2.0)) == np.inf
    with pytest.raises(NoClosedFormError, match="cos z"):
        kl(p, stats.vonmises_line(0.7, 0.3, 1.5))
    assert kl(stats.vonmises_line([1.0, 2.0]), stats.vonmises_line([2.0, 2.0]))[1] == 0.0


def test_batches():
    value = kl(stats.vonmises([[1.0], [np.nan]], [0.0, 1.0]), stats.vonmises(1.0))
    assert value.shape == (2, 2)
    assert value[0].tolist() == [0.0, kl(stats.vonmises(1.0, 1.0), stats.vonmises(1.0))]
    assert np.isnan(value[1]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters", [(2.0, 0.3, 0.7, -0.4), (80.0, 0.1, 82.0, 0.2), (0.01, 0.0, 0.02, 1.0)]
)
def test_graphs_and_their_gradients(parameters):
    errors = errors_of_graph(
        lambda a, m, b, n: (pm.VonMises.dist(m, a), pm.VonMises.dist(n, b)),
        lambda a, m, b, n: (stats.vonmises(a, m), stats.vonmises(b, n)),
        parameters,
    )
    assert errors.max() < 1e-6
