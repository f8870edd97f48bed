"""LKJ distributions of correlation matrices."""

import math

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import integrate

from derivatives import gradient_error
from graphs import value
from kl_plugins import entropy, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.lkj import LKJ


def log_normaliser(eta, d):
    """By the partial correlations of a vine: ρ of tree k has density ∝ (1 − ρ²)^(η − 1 + (d − 1 − k)/2)."""
    total = mp.mpf(0)
    for k in range(1, d):
        b = eta + mp.mpf(d - 1 - k) / 2
        total += (d - k) * (mp.log(2) * (2 * b - 1) + 2 * mp.loggamma(b) - mp.loggamma(2 * b))
    return total


def exact_divergence(p, q, d):
    """From the normaliser above; its derivative in ψ."""
    with mp.workdps(60):
        p, q = mp.mpf(float(p)), mp.mpf(float(q))
        slope = mp.mpf(0)
        for k in range(1, d):
            b = p + mp.mpf(d - 1 - k) / 2
            slope += (d - k) * (2 * mp.log(2) + 2 * mp.psi(0, b) - 2 * mp.psi(0, 2 * b))
        return log_normaliser(q, d) - log_normaliser(p, d) - slope * (q - p)


@pytest.mark.parametrize(
    ("d", "volume"), [(1, 1.0), (2, 2.0), (3, math.pi**2 / 2), (4, 32 * math.pi**2 / 27)]
)
def test_the_uniform_distribution_has_the_logarithm_of_the_volume_for_entropy(d, volume):
    """The volumes of the elliptopes."""
    assert entropy(LKJ(1.0, d)) == pytest.approx(math.log(volume), rel=1e-13, abs=1e-13)


def test_two_variables_against_quadrature():
    def density(r, eta):
        return np.exp(LKJ(eta, 2).log_prob(np.log1p(-r * r)))

    def ratio(r):
        return np.log(density(r, 1.7) / density(r, 3.2)) * density(r, 1.7)

    assert integrate.quad(density, -1, 1, args=(1.7,))[0] == pytest.approx(1.0, rel=1e-9)
    assert kl(LKJ(1.7, 2), LKJ(3.2, 2)) == pytest.approx(integrate.quad(ratio, -1, 1)[0], rel=1e-8)
    loss = integrate.quad(lambda r: -density(r, 1.7) * np.log(density(r, 1.7)), -1, 1)[0]
    assert entropy(LKJ(1.7, 2)) == pytest.approx(loss, rel=1e-8)


def test_the_density_of_three_variables_integrates_to_one():
    nodes, weights = np.polynomial.legendre.leggauss(60)
    a, b, c = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    third = a * b + c * np.sqrt((1 - a * a) * (1 - b * b))
    log_det = np.log(1 + 2 * a * b * third - a * a - b * b - third * third)
    volume = np.sqrt((1 - a * a) * (1 - b * b))
    total = np.einsum("i,j,k,ijk", weights, weights, weights, np.exp(LKJ(3.0, 3).log_prob(log_det)) * volume)
    assert total == pytest.approx(1.0, rel=1e-6)


etas = st.floats(-3, 6).map(lambda x: 10.0**x)
dimensions = st.sampled_from([2, 3, 4, 9, 30])


@given(etas, etas, dimensions)
def test_far_from_equal_at_extreme_parameters(p, q, d):
    exact = float(exact_divergence(p, q, d))
    assert kl(LKJ(p, d), LKJ(q, d)) == pytest.approx(exact, rel=1e-11, abs=1e-13)


@given(etas, st.floats(-9, -0.5), st.sampled_from([-1.0, 0.5, 1.0]), dimensions)
@example(0.0012345, -6.6, 1.0, 20)
@example(0.0012345, -6.6, 1.0, 3)
def test_near_equal_at_extreme_parameters(p, log_step, direction, d):
    q = p * (1.0 + direction * 10.0**log_step)
    exact = exact_divergence(p, q, d)
    value = kl(LKJ(p, d), LKJ(q, d))
    assert value >= 0.0
    if exact > 1e-14:
        assert value == pytest.approx(float(exact), rel=1e-9, abs=0.0)


def test_entropy_of_large_concentrations():
    with mp.workdps(60):
        eta, d = mp.mpf(10) ** 6, 5
        exact = log_normaliser(eta, d) - (eta - 1) * mp.diff(lambda x: log_normaliser(x, d), eta)
    assert entropy(LKJ(1e6, 5)) == pytest.approx(float(exact), rel=1e-13)


def test_exactly_zero_at_equality():
    for eta in (0.001, 1.0, 1e6):
        assert kl(LKJ(eta, 4), LKJ(eta, 4)) == 0.0
    assert kl(LKJ(1.0, 1), LKJ(2.0, 1)) == 0.0


def test_batches():
    value = kl(LKJ([[1.0], [2.0]], 3), LKJ([1.0, 2.0, 3.0], 3))
    assert value.shape == (2, 3)
    assert value[1, 2] == pytest.approx(float(exact_divergence(2.0, 3.0, 3)), rel=1e-13)


def test_gradients():
    assert gradient_error(lambda eta: LKJ(eta, 4), [1.3], [2.9]) < 1e-8
    assert gradient_error(lambda eta: LKJ(eta, 3), [np.array([2.0, 5.0])], [2.05]) < 1e-8


def test_random_variables():
    p, q = pm.LKJCorr.dist(n=3, eta=1.3), pm.LKJCorr.dist(n=3, eta=2)
    exact = float(exact_divergence(1.3, 2.0, 3))
    assert value(kl(p, q)) == pytest.approx(exact, rel=1e-6)  # PyTensor holds 1.3 as a float32
    eta = pt.scalar("eta", dtype="float64")
    graph = kl(pm.LKJCorr.dist(n=3, eta=eta), LKJ(2.0, 3))
    assert value(graph, {eta: 1.3}) == pytest.approx(exact, rel=1e-13)
    sized = kl(pm.LKJCorr.dist(n=3, eta=eta, size=(2,)), q)
    np.testing.assert_allclose(value(sized, {eta: 1.3}), [exact, exact], rtol=1e-13)


def test_bad_input():
    with pytest.raises(ValueError, match=r"concentration \(eta\) must be positive"):
        LKJ(0.0, 3)
    with pytest.raises(ValueError, match="dimension must be a positive integer"):
        LKJ(1.0, 2.5)
    with pytest.raises(ValueError, match="different event shapes"):
        kl(LKJ(1.0, 3), LKJ(1.0, 4))
    n = pt.iscalar("n")
    refusals = NoClosedFormError, pt.exceptions.NotScalarConstantError  # the second by PyMC 5 itself
    with pytest.raises(refusals, match=r"^(p: LKJCorr is understood where n is a constant.*)?$"):
        kl(pm.LKJCorr.dist(n=n, eta=1.0), LKJ(1.0, 3))
    eta = pt.scalar("eta", dtype="float64")
    with pytest.raises(ValueError, match=r"p: concentration \(eta\) must be positive"):
        value(kl(LKJ(eta, 3), LKJ(1.0, 3)), {eta: -1.0})


def test_explained():
    explained = explain(LKJ(1.0, 3), LKJ(2.0, 3))
    assert (explained.q, explained.cost) == ("LKJ", "O(d)")
