"""Gamma variables, their powers and their logarithms."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from family_oracle import divergence, diverges, expectation_of, statement_error
from kl_plugins import entropy, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.statistics import Exp, Identity, Log, LogSquare, Power, Square

POSITIVE = {
    "gamma": stats.gamma(2.3, scale=1.7),
    "expon": stats.expon(scale=0.7),
    "chi2": stats.chi2(5),
    "erlang": stats.erlang(3, scale=0.4),
    "invgamma": stats.invgamma(6.5, scale=2.0),
    "gengamma": stats.gengamma(2.0, 1.5, scale=0.8),
    "weibull_min": stats.weibull_min(1.4, scale=2.0),
    "invweibull": stats.invweibull(4.5),
    "nakagami": stats.nakagami(1.3),
    "chi": stats.chi(3),
    "halfnorm": stats.halfnorm(scale=2),
    "rayleigh": stats.rayleigh(scale=0.9),
    "maxwell": stats.maxwell(),
}
REAL = {
    "norm": stats.norm(1, 2),
    "loggamma": stats.loggamma(2.0),
    "gumbel_l": stats.gumbel_l(0.2, 1.5),
    "gumbel_r": stats.gumbel_r(0.3, 1.2),
    "moyal": stats.moyal(0.1, 0.8),
}
ALL = POSITIVE | REAL | {"weibull_max": stats.weibull_max(2.0), "expon, loc": stats.expon(1.5, 2.0)}


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_the_statement_is_the_density(frozen):
    assert statement_error(frozen) < 1e-12


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_the_entropy_is_that_of_the_library(frozen):
    assert entropy(frozen) == pytest.approx(float(frozen.entropy()), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
@pytest.mark.parametrize("statistic", [Identity(), Square()], ids=["z", "z²"])
def test_moments(frozen, statistic):
    stated, exact = expectation_of(frozen, statistic, shift=0.3, ratio=1.2)
    assert stated == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("frozen", POSITIVE.values(), ids=POSITIVE)
@pytest.mark.parametrize("statistic", [Log(), LogSquare(), Power(0.7), Power(-0.3)], ids=lambda s: s.text)
def test_statistics_of_positive_variables(frozen, statistic):
    stated, exact = expectation_of(frozen, statistic, ratio=1.2)
    assert stated == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("name", [*REAL, "gamma", "expon"])
@pytest.mark.parametrize("rate", [0.3, -0.5])
def test_moment_generating_functions(name, rate):
    stated, exact = expectation_of(ALL[name], Exp(rate), shift=0.3, ratio=0.8)
    assert stated == pytest.approx(exact, rel=1e-8)


PAIRS = [(p, q) for p in POSITIVE for q in POSITIVE] + [(p, q) for p in REAL for q in REAL]
PAIRS += [("gamma", q) for q in REAL] + [("weibull_min", "norm"), ("expon, loc", "expon")]


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_pairs_against_quadrature(p, q):
    value = kl(ALL[p], ALL[q])
    if np.isinf(value):
        assert diverges(ALL[p], ALL[q])
    else:
        assert value == pytest.approx(divergence(ALL[p], ALL[q]), rel=1e-7)


def exact_divergence(p, q):
    """Of (concentration, scale, power), from the log density, with mpmath."""
    with mp.workdps(60):
        (a, s, c), (b, t, d) = (tuple(map(mp.mpf, map(float, side))) for side in (p, q))
        ratio, shift = d / c, d * mp.log(s / t)
        if a + ratio <= 0:
            return mp.inf
        moment = mp.exp(shift + mp.loggamma(a + ratio) - mp.loggamma(a))
        value = mp.loggamma(b) - mp.loggamma(a) - mp.log(abs(ratio)) + a * mp.psi(0, a) - a
        return value - b * (shift + ratio * mp.psi(0, a)) + moment


shapes = st.floats(-3, 6).map(lambda x: 10**x)
scales = st.floats(-50, 50).map(lambda x: 10**x)
powers = st.sampled_from([-2.0, -1.0, -0.3, 0.5, 1.0, 1.7, 2.0, 9.0])


@given(shapes, scales, powers, shapes, st.floats(-2, 2), powers)
def test_far_from_equal_at_extreme_parameters(a, s, c, b, log_t, d):
    t = s * 10**log_t
    value = kl(stats.gengamma(a, c, scale=s), stats.gengamma(b, d, scale=t))
    exact = exact_divergence((a, s, c), (b, t, d))
    assert value >= 0.0
    if exact > 1e300:
        assert value > 1e299
    elif exact > 1e-14:
        assert value == pytest.approx(float(exact), rel=1e-9, abs=0.0)


@given(shapes, scales, powers, st.floats(-8, -1), st.tuples(*[st.floats(-1, 1)] * 3))
def test_near_equal_at_extreme_parameters(a, s, c, log_step, steps):
    factors = [1.0 + 10**log_step * step for step in steps]
    p, q = (a, s, c), (a * factors[0], s * factors[1] ** (1 / abs(c)), c * factors[2])
    value = kl(stats.gengamma(p[0], p[2], scale=p[1]), stats.gengamma(q[0], q[2], scale=q[1]))
    exact = exact_divergence(p, q)
    assert value >= 0.0
    if exact > 1e-14:
        assert value == pytest.approx(float(exact), rel=1e-5, abs=0.0)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_exactly_zero_at_equality(frozen):
    assert kl(frozen, frozen) == 0.0


def test_the_same_distribution_under_two_names():
    assert kl(stats.weibull_min(1.0, scale=2.0), stats.expon(scale=2.0)) == 0.0
    assert kl(stats.chi2(2), stats.expon(scale=2.0)) == 0.0
    assert kl(stats.rayleigh(), stats.chi(2)) == 0.0


def test_supports():
    assert kl(stats.expon(1.0), stats.expon(0.0)) == 1.0
    assert kl(stats.expon(0.0), stats.expon(1.0)) == np.inf
    assert kl(stats.norm(), stats.gamma(2.0)) == np.inf
    assert kl(stats.weibull_max(2.0), stats.weibull_min(2.0)) == np.inf
    both = kl(stats.gamma(2.0, loc=[0.0, -1.0]), stats.gamma(3.0, loc=0.0))
    assert both[0] == pytest.approx(kl(stats.gamma(2.0), stats.gamma(3.0)), rel=1e-13)
    assert both[1] == np.inf


def test_shifted_logarithms_have_no_closed_form():
    with pytest.raises(NoClosedFormError, match=r"p: .*gamma\(2.0, loc=1.0\) and q: .* log z; .*estimate_kl"):
        kl(stats.gamma(2.0, loc=1.0), stats.gamma(3.0))
    with pytest.raises(NoClosedFormError, match="log z"):
        explain(stats.gamma(2.0, loc=1.0), stats.gamma(3.0))


def test_batches():
    a = np.array([[0.5], [2.0]])
    value = kl(stats.gamma(a, scale=[1.0, 2.0, 3.0]), stats.weibull_min(1.5))
    assert value.shape == (2, 3)
    assert value[1, 2] == pytest.approx(kl(stats.gamma(2.0, scale=3.0), stats.weibull_min(1.5)), rel=1e-13)
