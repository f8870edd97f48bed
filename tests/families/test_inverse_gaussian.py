"""Inverse Gaussian variables and their reciprocals."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from family_graphs import errors_of_graph
from family_oracle import divergence, diverges, expectation_of, statement_error
from graphs import value
from kl_plugins import entropy, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.statistics import Exp, Identity, Log, Power, Square
from kl_plugins.families.inverse_gaussian import InverseGaussian

ALL = {
    "invgauss": stats.invgauss(0.7, 0, 1.2),
    "invgauss, wide": stats.invgauss(1.9, 0, 0.8),
    "wald": stats.wald(0, 0.6),
    "recipinvgauss": stats.recipinvgauss(0.7, 0, 1.2),
}
OTHERS = {
    "gamma": stats.gamma(2.0, scale=0.7),
    "invgamma": stats.invgamma(5.3, scale=0.3),
    "lognorm": stats.lognorm(0.8),
    "expon": stats.expon(scale=2.0),
    "halfnorm": stats.halfnorm(),
    "norm": stats.norm(0.3, 2.0),
    "gumbel_l": stats.gumbel_l(0.1, 2.0),
    "gumbel_r": stats.gumbel_r(0.1, 2.0),
}


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_the_statement_is_the_density(frozen):
    assert statement_error(frozen) < 1e-12
    assert entropy(frozen) == pytest.approx(float(frozen.entropy()), rel=1e-9)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
@pytest.mark.parametrize("statistic", [Identity(), Square(), Log(), Exp(0.1), Exp(-0.7)])
def test_expectations(frozen, statistic):
    stated, exact = expectation_of(frozen, statistic, ratio=1.2)
    assert stated == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
@pytest.mark.parametrize("order", [-3.0, -2.0, -1.0, 3.0])
def test_powers(frozen, order):
    stated, exact = expectation_of(frozen, Power(order), ratio=1.2)
    assert stated == pytest.approx(exact, rel=1e-7)


PAIRS = [(p, q) for p in ALL for q in ALL]
PAIRS += [(p, q) for p in ALL for q in OTHERS if q != "lognorm"]
PAIRS += [(p, q) for p in ("gamma", "invgamma", "lognorm", "expon", "halfnorm") for q in ALL]


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_pairs_against_quadrature(p, q):
    p, q = (ALL | OTHERS)[p], (ALL | OTHERS)[q]
    value = kl(p, q)
    if np.isinf(value):
        with np.errstate(all="ignore"):
            assert diverges(p, q)
    else:
        assert value == pytest.approx(divergence(p, q), rel=1e-8, abs=1e-12)


def exact_divergence(p, q):
    """Of (mean, shape), with mpmath."""
    with mp.workdps(400):
        (m, a), (n, b) = (tuple(map(mp.mpf, map(float, side))) for side in (p, q))
        return (b / a - 1 - mp.log(b / a)) / 2 + b * (m - n) ** 2 / (2 * n**2 * m)


scales = st.floats(-100, 100).map(lambda x: 10**x)
ratios = st.floats(-6, 6).map(lambda x: 10**x)


@given(scales, ratios, st.floats(-4, 4), st.floats(-4, 4))
def test_far_from_equal_at_extreme_parameters(mean, ratio, log_mean, log_shape):
    p, q = (mean, mean * ratio), (mean * 10**log_mean, mean * ratio * 10**log_shape)
    found = kl(InverseGaussian(*p), InverseGaussian(*q))
    assert found == pytest.approx(float(exact_divergence(p, q)), rel=1e-12)


@given(scales, ratios, st.floats(-13, -1), st.tuples(*[st.floats(-1, 1)] * 2))
def test_near_equal_at_extreme_parameters(mean, ratio, log_step, steps):
    p = mean, mean * ratio
    q = tuple(value * (1 + 10**log_step * step) for value, step in zip(p, steps, strict=True))
    exact = exact_divergence(p, q)
    assert kl(InverseGaussian(*p), InverseGaussian(*q)) == pytest.approx(float(exact), rel=1e-12, abs=1e-300)


@given(scales, scales, ratios, st.floats(-13, -1), st.tuples(*[st.floats(-1, 1)] * 2))
def test_the_parameters_of_scipy(s, t, mu, log_step, steps):
    factors = [1 + 10**log_step * step for step in steps]
    p, q = stats.invgauss(mu, 0, s), stats.invgauss(mu * factors[0], 0, s * factors[1])
    with mp.workdps(400):
        m, s_, n, t_ = map(mp.mpf, map(float, (mu, s, mu * factors[0], s * factors[1])))
        exact = (t_ / s_ - 1 - mp.log(t_ / s_)) / 2 + t_ * (m * s_ - n * t_) ** 2 / (
            2 * (n * t_) ** 2 * m * s_
        )
    found = kl(p, q)
    assert found >= 0.0
    if exact > 1e-14:
        assert found == pytest.approx(float(exact), rel=1e-8)
    back = kl(
        stats.recipinvgauss(mu, 0, 1 / s), stats.recipinvgauss(mu * factors[0], 0, 1 / (s * factors[1]))
    )
    if exact > 1e-10:
        assert back == pytest.approx(float(exact), rel=1e-4)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_exactly_zero_at_equality(frozen):
    assert kl(frozen, frozen) == 0.0


def test_places():
    p, q = stats.invgauss(0.7, 0, 1.2), stats.invgauss(1.9, 0, 0.8)
    assert kl(stats.invgauss(0.7, 3.0, 1.2), stats.invgauss(1.9, 3.0, 0.8)) == pytest.approx(
        kl(p, q), rel=1e-14
    )
    assert kl(p, stats.invgauss(1.9, 1.0)) == np.inf
    assert kl(stats.norm(), p) == np.inf
    with pytest.raises(NoClosedFormError, match="log z"):
        kl(stats.invgauss(0.7, 1.0), p)
    with pytest.raises(NoClosedFormError, match=r"\(log z\)²"):
        kl(p, stats.lognorm(1.0))


def test_batches():
    found = kl(stats.invgauss([[0.7], [np.nan]], 0, [1.2, 0.8]), stats.invgauss(0.7, 0, 1.2))
    assert found.shape == (2, 2)
    assert found[0, 0] == 0.0
    assert np.isnan(found[1]).all()
    assert kl(stats.gamma([2.0, 3.0]), stats.invgauss(0.7)).shape == (2,)


def test_batches_of_graphs():
    mean = pt.dvector("mean")
    graph = kl(pm.Wald.dist(mu=mean, lam=2.0), pm.Gamma.dist(2.0, 1.0))
    found = value(graph, {mean: [0.7, 1.9]})
    numbers = kl(stats.invgauss(np.array([0.35, 0.95]), 0, 2.0), stats.gamma(2.0))
    assert found == pytest.approx(numbers, rel=1e-7)


@pytest.mark.slow
def test_graphs_and_their_gradients():
    errors = errors_of_graph(
        lambda m, a, n, b: (pm.Wald.dist(mu=m, lam=a), pm.Wald.dist(mu=n, lam=b)),
        lambda m, a, n, b: (stats.invgauss(m / a, 0, a), stats.invgauss(n / b, 0, b)),
        (1.3, 0.8, 0.6, 2.1),
    )
    assert errors.max() < 1e-6
    for ratio in (0.4, 8.0):  # both sides of the switch of the exponential integral
        errors = errors_of_graph(
            lambda m, a, b, c: (pm.Wald.dist(mu=m, lam=a), pm.Gamma.dist(b, c)),
            lambda m, a, b, c: (stats.invgauss(m / a, 0, a), stats.gamma(b, scale=1 / c)),
            (1.3, 1.3 * ratio, 1.6, 0.7),
        )
        assert errors.max() < 1e-6
    errors = errors_of_graph(
        lambda m, a, b, c: (pm.LogNormal.dist(b, c), pm.Wald.dist(mu=m, lam=a)),
        lambda m, a, b, c: (stats.lognorm(c, 0, np.exp(b)), stats.invgauss(m / a, 0, a)),
        (1.3, 0.8, 0.6, 0.7),
    )
    assert errors.max() < 1e-6
