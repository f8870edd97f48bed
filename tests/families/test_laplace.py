"""Laplace variables, symmetric and not, and |z| under others."""

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
from kl_plugins.families.core.statistics import Absolute, Exp, Identity, Square
from kl_plugins.formulas.exponential import logit_step_divergence, scaled_exp1
from kl_plugins.ops import floats
from kl_plugins.ops import pytensor as pytensor_ops

ALL = {
    "laplace": stats.laplace(0.3, 1.2),
    "asymmetric": stats.laplace_asymmetric(0.7, 0.2, 1.1),
    "the other way": stats.laplace_asymmetric(1.8, -0.2, 0.6),
    "symmetric": stats.laplace_asymmetric(1.0, 0.1, 2.0),
}
OTHERS = {
    "norm": stats.norm(0.5, 2.0),
    "gumbel_l": stats.gumbel_l(0.2, 2.5),
    "gumbel_r": stats.gumbel_r(-0.4, 1.5),
    "expon": stats.expon(1.0, 2.0),
    "weibull_max": stats.weibull_max(2.0, -1.0),
}


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_the_statement_is_the_density(frozen):
    assert statement_error(frozen) < 1e-12
    assert entropy(frozen) == pytest.approx(float(frozen.entropy()), rel=1e-12)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
@pytest.mark.parametrize("statistic", [Identity(), Square(), Absolute(), Exp(0.3), Exp(-0.5)])
@pytest.mark.parametrize(("shift", "ratio"), [(0.3, 0.8), (-0.3, 0.8), (0.4, -0.6), (-0.4, -0.6)])
def test_expectations(frozen, statistic, shift, ratio):
    stated, exact = expectation_of(frozen, statistic, shift, ratio)
    assert stated == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("name", ["norm", "gumbel_l", "gumbel_r"])
@pytest.mark.parametrize(("shift", "ratio"), [(0.3, 0.8), (-2.0, 0.8), (0.4, -0.6), (-9.0, 0.5)])
def test_absolute_values_of_others(name, shift, ratio):
    stated, exact = expectation_of(OTHERS[name], Absolute(), shift, ratio)
    assert stated == pytest.approx(exact, rel=1e-9)


GAMMA_LIKE = {
    "gamma": stats.gamma(2.3),
    "expon": stats.expon(),
    "small shape": stats.gamma(0.5),
    "large shape": stats.gamma(400.0),
    "maxwell": stats.maxwell(),
    "weibull_min": stats.weibull_min(0.6),
    "weibull_max": stats.weibull_max(2.5),
    "invgamma": stats.invgamma(3.5),
    "invweibull": stats.invweibull(2.5),
}


@pytest.mark.parametrize("name", GAMMA_LIKE)
@pytest.mark.parametrize("place", [0.01, 0.5, 0.99, 1.5, 20.0])
@pytest.mark.parametrize("ratio", [0.8, -0.6])
def test_absolute_values_of_gamma_like_ones(name, place, ratio):
    """z is 0 at `place` times the mean of Z."""
    frozen = GAMMA_LIKE[name]
    shift = -place * abs(float(frozen.mean())) * ratio
    stated, exact = expectation_of(frozen, Absolute(), shift, ratio)
    assert stated == pytest.approx(exact, rel=1e-9)


def test_gamma_like_ones_against_laplace():
    assert kl(stats.invgamma(0.9), stats.laplace(1.0)) == np.inf  # no mean
    assert kl(stats.gamma(2.0), stats.laplace(0.0)) == pytest.approx(
        divergence(stats.gamma(2.0), stats.laplace(0.0)), rel=1e-12
    )
    p, q = stats.gamma([0.5, 2.0, np.nan], scale=3.0), stats.laplace_asymmetric(0.7, [[-1.0], [1.0], [1e3]])
    found = kl(p, q)
    assert found.shape == (3, 3)
    for i, loc in enumerate([-1.0, 1.0, 1e3]):
        for j, a in enumerate([0.5, 2.0]):
            exact = divergence(stats.gamma(a, scale=3.0), stats.laplace_asymmetric(0.7, loc))
            assert found[i, j] == pytest.approx(exact, rel=1e-9)
    assert np.isnan(found[:, 2]).all()


@pytest.mark.slow
def test_graphs_of_gamma_like_ones_against_laplace():
    errors = errors_of_graph(
        lambda a, b, loc, scale: (pm.Gamma.dist(a, b), pm.Laplace.dist(loc, scale)),
        lambda a, b, loc, scale: (stats.gamma(a, scale=1 / b), stats.laplace(loc, scale)),
        [2.5, 1.5, 1.2, 0.8],
    )
    assert errors.max() < 1e-6
    errors = errors_of_graph(
        lambda c, b, loc, scale: (pm.Weibull.dist(c, b), pm.Laplace.dist(loc, scale)),
        lambda c, b, loc, scale: (stats.weibull_min(c, scale=b), stats.laplace(loc, scale)),
        [2.5, 1.5, 1.2, 0.8],
    )
    assert errors.max() < 1e-6


PAIRS = [(p, q) for p in ALL for q in [*ALL, "norm", "gumbel_l", "gumbel_r"]]
PAIRS += [(p, q) for p in OTHERS for q in ALL]


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_pairs_against_quadrature(p, q):
    p, q = (ALL | OTHERS)[p], (ALL | OTHERS)[q]
    value = kl(p, q)
    if np.isinf(value):
        assert diverges(p, q)
    else:
        assert value == pytest.approx(divergence(p, q), rel=1e-8, abs=1e-12)


def test_moments_that_diverge():
    assert kl(stats.laplace(0, 1.2), stats.gumbel_l()) == np.inf
    assert kl(stats.laplace(0, 1.2), stats.gumbel_r()) == np.inf
    assert kl(stats.laplace(), stats.expon()) == np.inf


def exact_divergence(p, q):
    """Of (kappa, loc, scale) from rates above and below the peaks, with mpmath."""
    with mp.workdps(400):
        (k, m, s), (j, n, t) = (tuple(map(mp.mpf, map(float, side))) for side in (p, q))
        a, b, c, d = k / s, 1 / (k * s), j / t, 1 / (j * t)
        shift = m - n
        mean = shift + 1 / a - 1 / b
        if shift >= 0:
            below = a / (a + b) * mp.exp(-b * shift) / b
            above = mean + below
        else:
            above = b / (a + b) * mp.exp(a * shift) / a
            below = above - mean
        own, other = mp.log(a * b / (a + b)) - 1, mp.log(c * d / (c + d)) - c * above - d * below
        return own - other


kappas = st.floats(-2, 2).map(lambda x: 10**x)
scales = st.floats(-50, 50).map(lambda x: 10**x)


@given(kappas, scales, kappas, st.floats(-3, 3), st.floats(-4, 4))
def test_far_from_equal_at_extreme_parameters(k, s, j, log_t, shift):
    p, q = (k, shift * s, s), (j, 0.0, s * 10**log_t)
    value = kl(stats.laplace_asymmetric(*p), stats.laplace_asymmetric(*q))
    exact = exact_divergence(p, q)
    assert value >= 0.0
    assert value == pytest.approx(float(exact), rel=1e-9, abs=1e-13)
    value = kl(stats.laplace(*p[1:]), stats.laplace(*q[1:]))
    assert value == pytest.approx(float(exact_divergence((1.0, *p[1:]), (1.0, *q[1:]))), rel=1e-13)


@given(kappas, scales, st.floats(-8, -1), st.tuples(*[st.floats(-1, 1)] * 3))
def test_near_equal_at_extreme_parameters(k, s, log_step, steps):
    a, b, c = (10**log_step * step for step in steps)
    p, q = (k, 0.0, s), (k * (1 + a), b * s, s * (1 + c))
    value = kl(stats.laplace_asymmetric(*p), stats.laplace_asymmetric(*q))
    exact = exact_divergence(p, q)
    assert value >= 0.0
    if exact > 1e-14:
        assert value == pytest.approx(float(exact), rel=1e-7)
    value = kl(stats.laplace(*p[1:]), stats.laplace(*q[1:]))
    exact = exact_divergence((1.0, *p[1:]), (1.0, *q[1:]))
    if exact > 1e-14:
        assert value == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_exactly_zero_at_equality(frozen):
    assert kl(frozen, frozen) == 0.0


def test_extremes_of_the_floats():
    assert kl(stats.laplace(0, 1e-150), stats.laplace(0, 1e150)) == pytest.approx(300 * np.log(10) - 1)
    assert kl(stats.laplace(0, 1e150), stats.laplace(0, 1e-150)) == pytest.approx(1e300)
    assert kl(stats.laplace(1e8, 1.0), stats.laplace(1e8 + 1e-6, 1.0)) == pytest.approx(0.5e-12, rel=0.02)
    assert kl(stats.laplace(0, 1.0), stats.laplace(1e300, 1.0)) == 1e300
    with pytest.raises(ValueError, match="scale must be positive"):
        kl(stats.laplace(0, -1.0), stats.laplace())


def test_batches():
    value = kl(stats.laplace([[0.0], [np.nan]], [1.0, 2.0, 3.0]), stats.laplace_asymmetric(1.5))
    assert value.shape == (2, 3)
    assert value[0, 2] == pytest.approx(kl(stats.laplace(0, 3.0), stats.laplace_asymmetric(1.5)), rel=1e-14)
    assert np.isnan(value[1]).all()
    assert kl(stats.norm([0.0, 1.0], 1.0), stats.laplace()).shape == (2,)
    narrow = kl(stats.laplace(np.float32([0, 1]), 1.0), stats.laplace(0.0, 1.0))
    assert narrow.dtype == np.float32


@pytest.mark.slow
def test_graphs_and_their_gradients():
    errors = errors_of_graph(
        lambda a, b, c, d: (pm.Laplace.dist(a, b), pm.Laplace.dist(c, d)),
        lambda a, b, c, d: (stats.laplace(a, b), stats.laplace(c, d)),
        (0.3, 1.2, -0.5, 0.7),
    )
    assert errors.max() < 1e-7
    for c in (-0.5, 0.9):
        errors = errors_of_graph(
            lambda b, k, m, c, j, n: (pm.AsymmetricLaplace.dist(k, m, b), pm.AsymmetricLaplace.dist(j, n, c)),
            lambda b, k, m, c, j, n: (
                stats.laplace_asymmetric(k, m, 1 / b),
                stats.laplace_asymmetric(j, n, 1 / c),
            ),
            (1.3, 0.8, c, 0.6, 1.7, 0.1),
        )
        assert errors.max() < 1e-6
    errors = errors_of_graph(
        lambda a, b, c, d: (pm.Normal.dist(a, b), pm.Laplace.dist(c, d)),
        lambda a, b, c, d: (stats.norm(a, b), stats.laplace(c, d)),
        (0.3, 1.2, -0.5, 0.7),
    )
    assert errors.max() < 1e-7
    errors = errors_of_graph(
        lambda a, b, c, d: (pm.Gumbel.dist(a, b), pm.AsymmetricLaplace.dist(1.4, c, 1 / d)),
        lambda a, b, c, d: (stats.gumbel_r(a, b), stats.laplace_asymmetric(1.4, c, d)),
        (0.3, 1.2, -0.5, 0.7),
    )
    assert errors.max() < 1e-7
    assert value(kl(pm.Laplace.dist(0, 1, shape=3), pm.Laplace.dist(1, 1))).shape == (3,)


def test_the_exponential_integral():
    x = 10.0 ** np.arange(-8, 8.1, 0.1)
    with mp.workdps(40):
        exact = np.array([float(mp.exp(v) * mp.e1(v)) for v in map(mp.mpf, x)])
    found = np.array([scaled_exp1(float(v), floats) for v in x])
    assert np.max(np.abs(found / exact - 1)) < 1e-14


@pytest.mark.parametrize("step", [1e-6, -1e-3, 0.09, -0.11, 1.0, -3.0, 50.0, -800.0])
@pytest.mark.parametrize("yes", [1e-12, 0.3, 0.9])
def test_coins(yes, step):
    found = logit_step_divergence(yes, 1.0 - yes, step, floats)
    with mp.workdps(400):
        w, d = mp.mpf(yes), mp.mpf(step)
        exact = float(mp.log(w * mp.exp(d) + (1 - mp.mpf(yes))) - w * d)
    assert found == pytest.approx(exact, rel=1e-9)


def test_coins_have_the_gradient_of_their_logits():
    logit, step = pt.dscalars("logit", "step")
    yes, no = 1 / (1 + pt.exp(-logit)), 1 / (1 + pt.exp(logit))
    graph = logit_step_divergence(yes, no, step, pytensor_ops)
    for d in (-2.0, 0.05, 3.0):
        found = value(pt.grad(graph, [logit, step]), {logit: 0.7, step: d})

        def exact(x, d):
            return float(np.logaddexp(0, x + d) - np.logaddexp(0, x) - d / (1 + np.exp(-x)))

        by_logit = (exact(0.7 + 1e-5, d) - exact(0.7 - 1e-5, d)) / 2e-5
        by_step = (exact(0.7, d + 1e-5) - exact(0.7, d - 1e-5)) / 2e-5
        assert found == pytest.approx([by_logit, by_step], rel=1e-6, abs=1e-10)
