"""Dirichlet distributions."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from derivatives import gradient_error
from graphs import value
from kl_plugins import entropy, explain, jeffreys, kl
from kl_plugins.families.dirichlet import Dirichlet
from kl_plugins.recognition import recognise


def exact_divergence(p, q):
    with mp.workdps(60):
        p, q = ([mp.mpf(float(a)) for a in side] for side in (p, q))
        total = mp.fsum(p)
        value = mp.loggamma(total) - mp.loggamma(mp.fsum(q))
        for a, b in zip(p, q, strict=True):
            value += mp.loggamma(b) - mp.loggamma(a) + (a - b) * (mp.psi(0, a) - mp.psi(0, total))
        return value


CASES = [[0.5, 2.0, 3.0], [1.0, 1.0], [0.001, 20.0, 0.3, 4.0], [1e6, 2e5, 3e6], [7.0]]


@pytest.mark.parametrize("alpha", CASES[:3])
def test_the_statement_is_the_density(alpha):
    x = np.random.default_rng(1).dirichlet(np.ones(len(alpha)))
    assert recognise(stats.dirichlet(alpha)).log_prob(x) == pytest.approx(
        stats.dirichlet(alpha).logpdf(x), rel=1e-12
    )


@pytest.mark.parametrize("alpha", CASES[:3])
def test_the_entropy_is_that_of_the_library(alpha):
    assert entropy(stats.dirichlet(alpha)) == pytest.approx(stats.dirichlet(alpha).entropy(), rel=1e-11)


def test_the_entropy_of_large_concentrations():
    alpha = CASES[3]
    with mp.workdps(60):
        total, a = mp.fsum(alpha), [mp.mpf(x) for x in alpha]
        exact = mp.fsum(mp.loggamma(x) - (x - 1) * mp.psi(0, x) for x in a) - mp.loggamma(total)
        exact += (total - len(a)) * mp.psi(0, total)
    assert entropy(stats.dirichlet(alpha)) == pytest.approx(float(exact), rel=1e-14)


def test_two_categories_against_quadrature():
    p, q = (2.3, 1.7), (0.8, 3.1)
    first, second = stats.beta(*p), stats.beta(*q)
    exact, _ = integrate.quad(
        lambda x: first.pdf(x) * (first.logpdf(x) - second.logpdf(x)), 0.0, 1.0, epsabs=1e-13
    )
    assert kl(stats.dirichlet(p), stats.dirichlet(q)) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("alpha", CASES)
def test_exactly_zero_at_equality(alpha):
    assert kl(stats.dirichlet(alpha), stats.dirichlet(alpha)) == 0.0


def test_a_single_category_is_a_point():
    assert kl(Dirichlet([0.3]), Dirichlet([40.0])) == 0.0


exponents = st.lists(st.tuples(st.floats(-3, 6), st.floats(-3, 6)), min_size=2, max_size=5)


@given(exponents)
def test_far_from_equal_at_extreme_parameters(pairs):
    p, q = (10.0 ** np.array(side) for side in zip(*pairs, strict=True))
    assert kl(Dirichlet(p), Dirichlet(q)) == pytest.approx(
        float(exact_divergence(p, q)), rel=1e-12, abs=1e-13
    )


@given(
    st.lists(st.tuples(st.floats(-3, 6), st.floats(-1, 1)), min_size=2, max_size=5),
    st.floats(-9, -0.5),
)
def test_near_equal_at_extreme_parameters(pairs, log_step):
    exponents, steps = map(np.array, zip(*pairs, strict=True))
    p = 10.0**exponents
    q = p * (1.0 + 10.0**log_step * steps)
    exact = exact_divergence(p, q)
    value = kl(Dirichlet(p), Dirichlet(q))
    assert value >= 0.0
    if exact > 1e-14:
        assert value == pytest.approx(float(exact), rel=1e-9, abs=0.0)


def test_many_categories():
    p = np.geomspace(1e-3, 1e6, 1000)
    q = p * (1.0 + 1e-7 * np.cos(np.arange(1000.0)))
    assert kl(Dirichlet(p), Dirichlet(q)) == pytest.approx(float(exact_divergence(p, q)), rel=1e-9, abs=0.0)


def test_batches():
    p = np.array([[[1.0, 2.0]], [[3.0, 0.5]]])
    q = np.array([[1.0, 1.0], [2.0, 2.0], [0.1, 5.0]])
    value = kl(Dirichlet(p), Dirichlet(q))
    assert value.shape == (2, 3)
    assert value[1, 2] == pytest.approx(float(exact_divergence(p[1, 0], q[2])), rel=1e-13)
    assert entropy(Dirichlet(q)).shape == (3,)


def test_single_precision():
    value = kl(Dirichlet(np.float32([1.0, 2.0])), Dirichlet(np.float32([2.0, 2.0])))
    assert value.dtype == np.float32
    assert value == pytest.approx(float(exact_divergence([1.0, 2.0], [2.0, 2.0])), rel=1e-5)


def test_nan_stays():
    assert np.isnan(kl(Dirichlet([1.0, np.nan]), Dirichlet([1.0, 1.0])))


@pytest.mark.slow
def test_gradients():
    p, q = [np.array([0.5, 2.0, 30.0])], [np.array([0.7, 2.02, 11.0])]
    assert gradient_error(Dirichlet, p, q) < 1e-8
    assert gradient_error(Dirichlet, [np.array([[2.0, 3.0], [9.0, 1.0]])], [np.array([2.2, 2.9])]) < 1e-8


def test_random_variables():
    p, q = pm.Dirichlet.dist([1.0, 2.0, 3.0]), pm.Dirichlet.dist(np.ones((4, 3)))
    exact = exact_divergence([1, 2, 3], [1, 1, 1])
    np.testing.assert_allclose(value(kl(p, q)), np.full(4, float(exact)), rtol=1e-13)
    sized = pm.Dirichlet.dist([1.0, 2.0, 3.0], size=(5,))
    assert kl(sized, stats.dirichlet([1.0, 1.0, 1.0])).type.shape == (5,)
    assert value(entropy(sized)).shape == (5,)


def test_bad_input():
    good = stats.dirichlet([1.0, 2.0])
    with pytest.raises(ValueError, match=r"concentration \(alpha\) must be positive"):
        Dirichlet([1.0, -1.0])
    with pytest.raises(ValueError, match=r"concentration \(alpha\) must be finite"):
        Dirichlet([1.0, np.inf])
    with pytest.raises(ValueError, match="different event shapes"):
        kl(good, stats.dirichlet([1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match=r"concentration must have 1 dimensions .* got shape \(\)"):
        Dirichlet(1.0)
    alpha = pt.vector("alpha", shape=(2,))
    with pytest.raises(ValueError, match=r"q: concentration \(alpha\) must be positive"):
        value(kl(good, Dirichlet(alpha)), {alpha: [1.0, 0.0]})


def test_explained():
    explained = explain(stats.dirichlet([1.0, 2.0]), stats.dirichlet([1.0, 1.0]))
    assert (explained.p, explained.cost) == ("Dirichlet", "O(K)")
    assert jeffreys(stats.dirichlet([1.0, 2.0]), stats.dirichlet([1.0, 1.0])) > 0.0
