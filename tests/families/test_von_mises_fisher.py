"""Von Mises-Fisher distributions, and uniform ones, of directions."""

import mpmath as mp
import numpy as np
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from derivatives import gradient_error
from graphs import value
from kl_plugins import entropy, explain, kl
from kl_plugins.families.von_mises_fisher import VonMisesFisher
from kl_plugins.formulas.bessel import bessel
from kl_plugins.ops import numpy as ops
from kl_plugins.recognition import recognise


def direction(d, seed):
    x = np.random.default_rng(seed).normal(size=d)
    return x / np.linalg.norm(x)


def normaliser(x, order):
    """ln I_ν(x) − ν ln x, by its power series where x is zero."""
    if x == 0:
        return -mp.loggamma(order + 1) - order * mp.log(2)
    return mp.log(mp.besseli(order, x)) - order * mp.log(x)


def slope(x, order):
    return mp.besseli(order + 1, x) / mp.besseli(order, x) if x else mp.mpf(0)


def exact_divergence(p, q, d, apart=0.0):
    """Of concentrations, and of 1 − cos θ."""
    with mp.workdps(60):
        p, q, order = mp.mpf(float(p)), mp.mpf(float(q)), mp.mpf(d) / 2 - 1
        mean = slope(p, order)
        value = normaliser(q, order) - normaliser(p, order) - mean * (q - p)
        return value + q * mean * mp.mpf(float(apart))


@pytest.mark.parametrize("order", [0.0, 0.5, 1.0, 4.5, 49.0, 499.0])
@pytest.mark.parametrize("x", [1e-8, 0.03, 1.0, 7.0, 31.0, 420.0, 1e6])
def test_bessel_functions(order, x):
    found = bessel(np.float64(x), order, ops)
    with mp.workdps(60):
        order, x = mp.mpf(order), mp.mpf(x)
        mean = slope(x, order)
        exact = normaliser(x, order) - x, mean / x, 1 - mean, 1 - mean**2 - (2 * order + 1) * mean / x
    assert found.log_normaliser == pytest.approx(float(exact[0]), rel=1e-13, abs=5e-13)
    for stated, true in zip(found[1:], exact[1:], strict=True):
        assert stated == pytest.approx(float(true), rel=1e-12, abs=0.0)


CASES = [(2, 1.3), (3, 0.01), (3, 30.0), (5, 1000.0), (40, 7.0)]


@pytest.mark.parametrize(("d", "kappa"), CASES)
def test_the_statement_and_the_entropy_are_those_of_the_library(d, kappa):
    frozen = stats.vonmises_fisher(direction(d, 0), kappa)
    x = direction(d, 1)
    assert recognise(frozen).log_prob(x) == pytest.approx(float(frozen.logpdf(x)), rel=1e-11)
    assert entropy(frozen) == pytest.approx(float(frozen.entropy()), rel=1e-11)


def test_the_circle_against_quadrature():
    p, q = VonMisesFisher([1.0, 0.0], 2.3), VonMisesFisher([0.6, 0.8], 0.7)

    def ratio(angle):
        x = np.array([np.cos(angle), np.sin(angle)])
        return np.exp(p.log_prob(x)) * (p.log_prob(x) - q.log_prob(x))

    assert kl(p, q) == pytest.approx(integrate.quad(ratio, -np.pi, np.pi)[0], rel=1e-10)


def test_the_sphere_by_simulation():
    p, q = stats.vonmises_fisher(direction(4, 0), 3.0), stats.vonmises_fisher(direction(4, 1), 5.0)
    draws = p.rvs(40_000, random_state=1)
    ratios = p.logpdf(draws) - q.logpdf(draws)
    assert abs(ratios.mean() - kl(p, q)) < 4.0 * ratios.std() / 200.0


kappas = st.floats(-4, 6).map(lambda x: 10.0**x)
dimensions = st.sampled_from([2, 3, 4, 9, 100])


@given(kappas, kappas, dimensions)
def test_concentrations_far_from_equal(p, q, d):
    mean = direction(d, 0)
    exact = float(exact_divergence(p, q, d))
    assert kl(VonMisesFisher(mean, p), VonMisesFisher(mean, q)) == pytest.approx(exact, rel=1e-9, abs=0.0)


@given(kappas, st.floats(-8, -0.5), st.sampled_from([-1.0, 0.5, 1.0]), dimensions)
def test_concentrations_near_equal(p, log_step, sign, d):
    mean, q = direction(d, 0), p * (1.0 + sign * 10.0**log_step)
    exact = exact_divergence(p, q, d)
    value = kl(VonMisesFisher(mean, p), VonMisesFisher(mean, q))
    assert value >= 0.0
    assert value == pytest.approx(float(exact), rel=1e-9, abs=0.0)


@given(kappas, kappas, dimensions, st.floats(-9, 0))
def test_directions(p, q, d, log_angle):
    angle = 10.0**log_angle
    first, second = np.zeros(d), np.zeros(d)
    first[0], second[:2] = 1.0, (np.cos(angle), np.sin(angle))
    exact = exact_divergence(p, q, d, 2.0 * np.sin(angle / 2) ** 2)
    value = kl(VonMisesFisher(first, p), VonMisesFisher(second, q))
    assert value == pytest.approx(float(exact), rel=1e-9, abs=0.0)


def test_opposite_directions():
    mean = direction(3, 0)
    exact = exact_divergence(2.0, 2.0, 3, 2.0)
    assert kl(VonMisesFisher(mean, 2.0), VonMisesFisher(-mean, 2.0)) == pytest.approx(float(exact), rel=1e-12)


def test_exactly_zero_at_equality():
    for d, kappa in CASES:
        frozen = stats.vonmises_fisher(direction(d, 0), kappa)
        assert kl(frozen, frozen) == 0.0


def test_the_uniform_distribution():
    uniform, frozen = stats.uniform_direction(3), stats.vonmises_fisher([0.0, 0.0, 1.0], 3.0)
    assert entropy(uniform) == pytest.approx(np.log(4.0 * np.pi), rel=1e-13)
    assert kl(uniform, uniform) == 0.0
    assert kl(frozen, uniform) == pytest.approx(np.log(4.0 * np.pi) - frozen.entropy(), rel=1e-12)
    assert kl(uniform, frozen) == pytest.approx(float(exact_divergence(0.0, 3.0, 3)), rel=1e-12)


@pytest.mark.parametrize(("p", "q"), [(1e200, 2e200), (2e300, 1e290), (1e100, 1.001e100)])
def test_huge_concentrations(p, q):
    """There 1 − cos θ is a gamma variable of shape ½ (d − 1) and rate κ."""
    value = kl(VonMisesFisher(direction(4, 0), p), VonMisesFisher(direction(4, 0), q))
    assert value == pytest.approx(
        kl(stats.gamma(1.5, scale=1e100 / p), stats.gamma(1.5, scale=1e100 / q)), rel=1e-9
    )


def test_batches():
    means = np.stack([direction(3, 0), direction(3, 1)])
    value = kl(VonMisesFisher(means, [[1.0], [2.0], [5.0]]), VonMisesFisher(means[0], 1.5))
    assert value.shape == (3, 2)
    exact = exact_divergence(5.0, 1.5, 3, 0.5 * np.sum((means[1] - means[0]) ** 2))
    assert value[2, 1] == pytest.approx(float(exact), rel=1e-12)
    assert entropy(VonMisesFisher(means, 2.0)).shape == (2,)


@pytest.mark.slow
def test_gradients():
    """By the concentrations, and by directions where they turn."""
    mean, other = direction(3, 0), direction(3, 1)
    across = np.cross(mean, other), np.cross(other, mean)
    assert gradient_error(lambda kappa: VonMisesFisher(mean, kappa), [1.7], [2.9]) < 1e-8
    assert gradient_error(lambda kappa: VonMisesFisher(mean, kappa), [40.0], [41.0]) < 1e-8
    angle = pt.scalar("angle", dtype="float64")
    turned = VonMisesFisher(pt.cos(angle) * mean + pt.sin(angle) * across[0] / np.linalg.norm(across[0]), 2.0)
    divergence = kl(turned, VonMisesFisher(mean, 3.0))
    found = value([divergence, pt.grad(divergence, angle)], {angle: 0.7})
    exact = [
        float(exact_divergence(2.0, 3.0, 3, 1 - np.cos(0.7))),
        3.0 * float(slope(2.0, 0.5)) * np.sin(0.7),
    ]
    np.testing.assert_allclose(found, exact, rtol=1e-10)


@pytest.mark.slow
def test_a_graph_that_knows_no_shapes():
    mean, kappa = pt.vector("mean", dtype="float64"), pt.scalar("kappa", dtype="float64")
    graph = kl(VonMisesFisher(mean, kappa), VonMisesFisher(direction(5, 0), 2.0))
    found = value(graph, {mean: direction(5, 1), kappa: 3.0})
    expected = kl(VonMisesFisher(direction(5, 1), 3.0), VonMisesFisher(direction(5, 0), 2.0))
    assert found == pytest.approx(expected, rel=1e-12)


def test_bad_input():
    with pytest.raises(ValueError, match=r"mean_direction \(mu\) must be a unit vector"):
        VonMisesFisher([1.0, 0.1], 2.0)
    with pytest.raises(ValueError, match=r"concentration \(kappa\) must not be negative"):
        VonMisesFisher([1.0, 0.0], -2.0)
    with pytest.raises(ValueError, match="at least two coordinates"):
        VonMisesFisher([1.0], 2.0)
    with pytest.raises(ValueError, match="different event shapes"):
        kl(stats.uniform_direction(3), stats.uniform_direction(4))
    kappa = pt.scalar("kappa", dtype="float64")
    with pytest.raises(ValueError, match=r"q: concentration \(kappa\) must not be negative"):
        value(kl(stats.uniform_direction(3), VonMisesFisher([1.0, 0.0, 0.0], kappa)), {kappa: -1.0})


def test_explained():
    explained = explain(stats.uniform_direction(3), stats.vonmises_fisher([1.0, 0.0, 0.0], 2.0))
    assert (explained.p, explained.cost) == ("VonMisesFisher", "O(d)")
