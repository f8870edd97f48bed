"""Log-normal, log-logistic and log-Laplace variables."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from family_graphs import errors_of_graph
from family_oracle import divergence, diverges, expectation_of, statement_error
from graphs import value
from kl_plugins import entropy, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.statistics import Identity, Log, LogSquare, Power, Square
from kl_plugins.families.log_transformed import LogNormal
from kl_plugins.families.normal import Normal

ALL = {
    "lognorm": stats.lognorm(0.6, 0, 1.7),
    "gibrat": stats.gibrat(scale=0.5),
    "fisk": stats.fisk(4.2, 0, 1.3),
    "loglaplace": stats.loglaplace(3.3, 0, 1.2),
}
GAMMAS = {
    "gamma": stats.gamma(2.3, scale=0.8),
    "expon": stats.expon(scale=2),
    "invgamma": stats.invgamma(6.5, scale=0.8),
    "weibull_min": stats.weibull_min(1.4, scale=2.0),
    "halfnorm": stats.halfnorm(scale=2),
    "invweibull": stats.invweibull(4.5),
}


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_the_statement_is_the_density(frozen):
    assert statement_error(frozen) < 1e-12
    assert entropy(frozen) == pytest.approx(float(frozen.entropy()), rel=1e-10)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
@pytest.mark.parametrize("statistic", [Log(), LogSquare(), Power(0.7), Power(-0.3)], ids=lambda s: s.text)
def test_expectations(frozen, statistic):
    stated, exact = expectation_of(frozen, statistic, ratio=1.2)
    assert stated == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
@pytest.mark.parametrize("statistic", [Identity(), Square()], ids=["z", "z²"])
def test_moments(frozen, statistic):
    stated, exact = expectation_of(frozen, statistic, shift=0.3, ratio=1.2)
    assert stated == pytest.approx(exact, rel=1e-7)


CLOSED = [("lognorm", q) for q in ["gibrat", "loglaplace", *GAMMAS]]
CLOSED += [(p, q) for p in ("fisk", "loglaplace") for q in ["lognorm", "loglaplace", *GAMMAS]]
CLOSED += [(p, q) for p in GAMMAS for q in ("lognorm", "gibrat")]
CLOSED += [(p, "loglaplace") for p in ("expon", "weibull_min", "invweibull")]


@pytest.mark.parametrize(("p", "q"), CLOSED)
def test_pairs_against_quadrature(p, q):
    p, q = (ALL | GAMMAS)[p], (ALL | GAMMAS)[q]
    value = kl(p, q)
    if np.isinf(value):
        assert diverges(p, q)
    else:
        assert value == pytest.approx(divergence(p, q), rel=1e-7, abs=1e-12)


def test_log_logistic_variables_of_the_same_shape():
    q = stats.fisk(1.4, scale=0.9)
    for p in (stats.fisk(1.4, scale=2.0), stats.weibull_min(1.4, scale=2.0), stats.invweibull(1.4)):
        assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-8)
    with pytest.raises(
        NoClosedFormError, match=r"p: scipy.stats.loglaplace\(1.4\) and q: scipy.stats.fisk\(1.4"
    ):
        kl(stats.loglaplace(1.4), q)


def test_other_supports():
    assert kl(stats.lognorm(0.5), stats.norm()) == pytest.approx(divergence(stats.lognorm(0.5), stats.norm()))
    assert kl(stats.lognorm(0.5), stats.gumbel_l()) == np.inf
    assert kl(stats.lognorm(0.5), stats.lognorm(0.5, 1.0)) == np.inf
    assert kl(stats.norm(), stats.lognorm(0.5)) == np.inf
    with pytest.raises(
        NoClosedFormError, match=r"p: .*lognorm\(0.5, 1.0\) and q: .* locations differ.* log z"
    ):
        kl(stats.lognorm(0.5, 1.0), stats.lognorm(0.5))
    for p, q in ((stats.lognorm, stats.lognorm), (stats.gamma, stats.lognorm), (stats.lognorm, stats.gamma)):
        moved = kl(p(0.5, 7.0), q(0.7, 7.0))
        assert moved == pytest.approx(kl(p(0.5), q(0.7)), rel=1e-14)
        both = kl(p(0.5, [0.0, 1.0, 0.0]), q(0.7, [0.0, 1.0, 1.0]))
        assert both[:2] == pytest.approx(kl(p(0.5), q(0.7)), rel=1e-10)
        assert both[2] == np.inf


def test_what_the_floats_do_not_hold():
    assert kl(LogNormal(Normal(800.0, 1.0)), LogNormal(Normal(801.0, 1.0))) == 0.5
    assert kl(pm.LogNormal.dist(800.0, 1.0), pm.LogNormal.dist(801.0, 1.0)).eval() == 0.5
    assert kl(stats.gamma(2.0, loc=800.0), stats.gumbel_l()) == np.inf  # by way of exp(800)
    huge = kl(stats.lognorm(1.0, 0, 1e-150), stats.lognorm(1.0, 0, 1e150))
    assert huge == pytest.approx(0.5 * (300 * np.log(10)) ** 2, rel=1e-14)
    back = kl(stats.lognorm(1e-150), stats.lognorm(1e150))
    assert back == pytest.approx(300 * np.log(10) - 0.5, rel=1e-14)
    assert kl(LogNormal(Normal(800.0, 1.0)), stats.gamma(2.0)) == np.inf
    # ... and with a scale beyond all floats it would be finite: 800 = 100 + 700.
    finite = kl(LogNormal(Normal(800.0, 1.0)), stats.gamma(2.0, scale=float(np.exp(700.0))))
    near = kl(LogNormal(Normal(100.0, 1.0)), stats.gamma(2.0))
    assert finite == pytest.approx(near, rel=1e-9)


@given(
    st.floats(-150, 150).map(lambda x: 10**x),
    st.floats(-5, 2).map(lambda x: 10**x),
    st.floats(-13, -1),
    st.tuples(*[st.floats(-1, 1)] * 2),
)
def test_near_equal_at_extreme_parameters(scale, s, log_step, steps):
    other = scale * (1 + 10**log_step * steps[0]), s * (1 + 10**log_step * steps[1])
    found = kl(stats.lognorm(s, 0, scale), stats.lognorm(other[1], 0, other[0]))
    with mp.workdps(60):
        m, n, a, b = map(mp.mpf, (scale, other[0], s, other[1]))
        exact = ((a / b) ** 2 - 1 + (mp.log(m / n) / b) ** 2) / 2 - mp.log(a / b)
    assert found >= 0.0
    if exact > 1e-14:
        assert found == pytest.approx(float(exact), rel=1e-8)


@pytest.mark.parametrize("frozen", ALL.values(), ids=ALL)
def test_exactly_zero_at_equality(frozen):
    assert kl(frozen, frozen) == 0.0


def test_batches():
    p = stats.lognorm([[0.5], [np.nan]], scale=[1.0, 2.0, 3.0])
    value = kl(p, stats.gamma(2.0))
    assert value.shape == kl(p, stats.lognorm(1.0)).shape == (2, 3)
    assert value[0, 2] == pytest.approx(kl(stats.lognorm(0.5, scale=3.0), stats.gamma(2.0)), rel=1e-13)
    assert np.isnan(value[1]).all()
    assert kl(stats.lognorm(np.float32([0.5, 1])), stats.lognorm(1.0)).dtype == np.float32
    assert entropy(p).shape == (2, 3)
    with pytest.raises(ValueError, match="p: s must be positive"):
        kl(stats.lognorm(-0.5), stats.lognorm(1.0))


def test_graphs_and_their_gradients():
    errors = errors_of_graph(
        lambda a, b, c, d: (pm.LogNormal.dist(a, b), pm.LogNormal.dist(c, d)),
        lambda a, b, c, d: (stats.lognorm(b, scale=np.exp(a)), stats.lognorm(d, scale=np.exp(c))),
        (0.3, 1.2, -0.5, 0.7),
    )
    assert errors.max() < 1e-6
    errors = errors_of_graph(
        lambda a, b, c, d: (pm.LogNormal.dist(a, b), pm.Gamma.dist(c, d)),
        lambda a, b, c, d: (stats.lognorm(b, scale=np.exp(a)), stats.gamma(c, scale=1 / d)),
        (0.3, 1.2, 0.5, 0.7),
    )
    assert errors.max() < 1e-6
    for pair in ((pm.Weibull.dist, stats.weibull_min), (pm.InverseGamma.dist, stats.invgamma)):
        errors = errors_of_graph(
            lambda a, b, c, d, pair=pair: (pair[0](c, d), pm.LogNormal.dist(a, b)),
            lambda a, b, c, d, pair=pair: (pair[1](c, scale=d), stats.lognorm(b, scale=np.exp(a))),
            (0.3, 1.2, 2.5, 0.7),
        )
        assert errors.max() < 1e-6
    assert value(kl(pm.LogNormal.dist(0, 1, shape=3), pm.LogNormal.dist(1, 1))).tolist() == [0.5] * 3
    assert "image" in explain(pm.LogNormal.dist(0, 1), pm.LogNormal.dist(1, 1)).rule
