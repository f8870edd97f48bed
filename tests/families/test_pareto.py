"""Pareto, Lomax, beta prime and log-uniform variables."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from family_oracle import expectation_of, judged_pairs, statement_error
from kl_plugins import entropy, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.affine import AffineMap
from kl_plugins.families.core.statements import expectation
from kl_plugins.families.core.statistics import Exp, Identity, Log, Log1p, LogSquare, Power, Square
from kl_plugins.ops import floats
from kl_plugins.recognition import recognise

FROZEN = {
    "pareto": stats.pareto(5.5),
    "pareto, scale": stats.pareto(6.5, scale=0.5),
    "lomax": stats.lomax(6.2),
    "lomax, scale": stats.lomax(7.2, scale=2.0),
    "loguniform": stats.loguniform(0.6, 3.0),
    "loguniform, scale": stats.loguniform(0.1, 2.0, scale=2.0),
    "betaprime": stats.betaprime(2.2, 6.4),
    "betaprime, a = 1": stats.betaprime(1.0, 5.4),
}
OTHERS = {"gamma": stats.gamma(2.0), "invgamma": stats.invgamma(6.0), "weibull_min": stats.weibull_min(0.5)}
OTHERS |= {"uniform": stats.uniform(0.3, 5.0), "triang": stats.triang(0.3, 1.0, 2.0), "norm": stats.norm()}
ALL = FROZEN | OTHERS
QUIET = pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")


@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
def test_the_statement_is_the_density(frozen):
    assert statement_error(frozen) < 1e-12


@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
def test_the_entropy_is_that_of_the_library(frozen):
    assert entropy(frozen) == pytest.approx(float(frozen.entropy()), rel=1e-9, abs=1e-9)


@QUIET
@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
@pytest.mark.parametrize("statistic", [Identity(), Square()], ids=["z", "z²"])
def test_moments(frozen, statistic):
    stated, exact = expectation_of(frozen, statistic, shift=-1.3, ratio=1.2)
    assert stated == pytest.approx(exact, rel=1e-7)


@QUIET
@pytest.mark.parametrize("name", ["pareto", "loguniform", "betaprime"])
@pytest.mark.parametrize("statistic", [Log(), LogSquare(), Power(0.7), Power(-0.3)], ids=lambda s: s.text)
def test_statistics_of_positive_variables(name, statistic):
    stated, exact = expectation_of(FROZEN[name], statistic, ratio=1.2)
    assert stated == pytest.approx(exact, rel=1e-8)


@QUIET
@pytest.mark.parametrize(
    "statistic", [Log(), LogSquare(), Power(0.7), Power(-0.3), Log1p()], ids=lambda s: s.text
)
def test_pareto_variables_from_their_lower_end(statistic):
    ratio = 1.0 if isinstance(statistic, Log1p) else 1.2
    stated, exact = expectation_of(FROZEN["pareto"], statistic, shift=-ratio, ratio=ratio)
    assert stated == pytest.approx(exact, rel=1e-8)


def test_moments_that_diverge():
    for frozen, statistic in (
        (stats.pareto(1.5), Square()),
        (stats.pareto(2.0), Exp(0.1)),
        (stats.betaprime(1.5, 0.5), Identity()),
        (stats.betaprime(1.5, 2.5), Power(-1.5)),
    ):
        assert expectation(recognise(frozen), statistic, AffineMap(floats, 0.0, 1.0)) == np.inf
    assert kl(stats.pareto(2.0), stats.norm()) == np.inf
    assert kl(stats.pareto(1.0), stats.gamma(2.0)) == np.inf
    assert kl(stats.pareto(2.0), stats.gumbel_l()) == np.inf
    with pytest.raises(NoClosedFormError, match="exp"):
        kl(stats.pareto(2.0), stats.gumbel_r())


@pytest.mark.slow
@QUIET
def test_pairs_against_quadrature():
    assert judged_pairs(FROZEN, ALL, rel=1e-7) == {"finite": 53, "infinite": 43, "unknown": 16}


def exact_pareto(b, s, c, t):
    with mp.workdps(60):
        b, s, c, t = (mp.mpf(float(x)) for x in (b, s, c, t))
        return c / b - 1 - mp.log(c / b) + c * mp.log(s / t)


indices = st.floats(-6, 6).map(lambda x: 10**x)
scales = st.floats(-150, 150).map(lambda x: 10**x)


@pytest.mark.slow
@given(indices, scales, indices, st.floats(0, 150))
def test_far_from_equal_at_extreme_parameters(b, s, c, log_ratio):
    t = s / 10**log_ratio
    value = kl(stats.pareto(b, scale=s), stats.pareto(c, scale=t))
    assert value == pytest.approx(float(exact_pareto(b, s, c, t)), rel=1e-12, abs=1e-14)


@given(indices, scales, st.floats(-8, -1), st.floats(-1, 1), st.floats(0, 1))
def test_near_equal_at_extreme_parameters(b, s, log_step, step, lower):
    c, t = b * (1.0 + 10**log_step * step), s * (1.0 - 10**log_step * 10**log_step * lower)
    value, exact = kl(stats.pareto(b, scale=s), stats.pareto(c, scale=t)), exact_pareto(b, s, c, t)
    assert value >= 0.0
    if exact > 1e-14:
        assert value == pytest.approx(float(exact), rel=1e-7)


@given(st.floats(-3, 2), st.floats(-8, -1), st.floats(0, 1), st.floats(0, 1))
def test_log_uniform_near_equal(log_range, log_step, down, up):
    a, b = 0.7, 0.7 * np.exp(10**log_range)
    c, d = a * (1.0 - 10**log_step * down), b * (1.0 + 10**log_step * up)
    with mp.workdps(60):
        exact = mp.log(mp.log(mp.mpf(d) / mp.mpf(c)) / mp.log(mp.mpf(b) / mp.mpf(a)))
    value = kl(stats.loguniform(a, b), stats.loguniform(c, d))
    assert value == pytest.approx(float(exact), rel=1e-5, abs=1e-12)


def test_lomax_and_beta_prime_are_related():
    p, q = stats.betaprime(1.0, 3.5, loc=0.3, scale=0.7), stats.lomax(3.5, loc=0.3, scale=0.7)
    assert kl(p, q) == kl(q, p) == 0.0
    near = stats.lomax(3.5 * (1.0 + 1e-6), loc=0.3, scale=0.7)
    assert kl(p, near) == pytest.approx(kl(q, near), rel=1e-9)
    assert kl(near, p) == pytest.approx(kl(near, q), rel=1e-9)


def test_exactly_zero_at_equality():
    for frozen in FROZEN.values():
        assert kl(frozen, frozen) == 0.0


def test_supports():
    assert kl(stats.pareto(2.0), stats.pareto(2.0, scale=2.0)) == np.inf
    assert kl(stats.pareto(2.0), stats.uniform(0, 5)) == np.inf
    assert kl(stats.uniform(0.5, 1.0), stats.pareto(2.0)) == np.inf
    assert kl(stats.loguniform(1.0, 2.0), stats.loguniform(1.0, 1.5)) == np.inf
    assert kl(stats.loguniform(1e-150, 1e150), stats.loguniform(1e-200, 1e200)) == pytest.approx(
        np.log(4 / 3)
    )
    value = kl(stats.pareto(2.0, loc=[0.0, -1.0]), stats.pareto(3.0))
    assert value[0] == pytest.approx(kl(stats.pareto(2.0), stats.pareto(3.0)), rel=1e-14)
    assert value[1] == np.inf


def test_batches():
    value = kl(stats.pareto([[1.5], [3.0]], scale=[1.0, 2.0, 3.0]), stats.gamma(2.0))
    assert value.shape == (2, 3)
    assert value[1, 2] == pytest.approx(kl(stats.pareto(3.0, scale=3.0), stats.gamma(2.0)), rel=1e-13)
    assert kl(stats.pareto([0.5, 2.5]), stats.expon())[0] == np.inf
    value = kl(stats.loguniform(0.5, [1.0, 2.0]), stats.expon())
    assert value[1] == pytest.approx(kl(stats.loguniform(0.5, 2.0), stats.expon()), rel=1e-13)
    value = kl(stats.betaprime([1.5, 2.5], 3.0), stats.betaprime(1.5, 3.0))
    assert value[0] == 0.0
    assert value[1] == pytest.approx(kl(stats.beta(2.5, 3.0), stats.beta(1.5, 3.0)), rel=1e-13)
