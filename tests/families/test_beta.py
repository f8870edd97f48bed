"""Beta variables and their powers, uniform and triangular ones, and logit-normals."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from family_oracle import divergence, expectation_of, expected, statement_error
from kl_plugins import entropy, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.beta import Beta
from kl_plugins.families.core.statistics import (
    Absolute,
    Exp,
    Identity,
    Log,
    Log1m,
    Log1p,
    Log1pSquare,
    LogSquare,
    Power,
    Square,
)
from kl_plugins.families.logit_normal import LogitNormal

FROZEN = {
    "beta": stats.beta(2.3, 1.4),
    "beta, elsewhere": stats.beta(1.6, 3.0, -1.0, 2.5),
    "powerlaw": stats.powerlaw(2.5),
    "arcsine": stats.arcsine(),
    "uniform": stats.uniform(),
    "uniform, elsewhere": stats.uniform(-1.2, 3.0),
    "uniform, inside": stats.uniform(0.1, 0.3),
    "triang": stats.triang(0.3),
    "triang, elsewhere": stats.triang(0.6, -1.1, 2.9),
    "triang, falling": stats.triang(0.0),
    "triang, rising": stats.triang(1.0),
}
OTHERS = {"gamma": stats.gamma(2.0), "norm": stats.norm(), "gumbel_r": stats.gumbel_r()}
OTHERS |= {"weibull_min": stats.weibull_min(1.5)}


QUIET = pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")


@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
def test_the_statement_is_the_density(frozen):
    assert statement_error(frozen) < 1e-12


@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
def test_the_entropy_is_that_of_the_library(frozen):
    assert entropy(frozen) == pytest.approx(float(frozen.entropy()), rel=1e-10, abs=1e-10)


EVERYWHERE = [Identity(), Square(), Log(), LogSquare(), Power(0.7), Power(-0.3), Power(-1.0), Power(-0.999)]
EVERYWHERE += [Exp(0.7), Exp(-3.0), Exp(9.0), Log1p(), Log1pSquare(), Absolute()]
PLACES = [(0.0, 1.2), (2.0, 0.1), (1.5, -0.7), (0.1, 30.0)]


@QUIET
@pytest.mark.parametrize("name", ["uniform", "triang", "triang, falling"])
@pytest.mark.parametrize("statistic", EVERYWHERE, ids=lambda s: f"{s.text} {vars(s)}")
@pytest.mark.parametrize(("shift", "ratio"), PLACES)
def test_bounded_variables_know_every_statistic(name, statistic, shift, ratio):
    stated, exact = expectation_of(FROZEN[name], statistic, shift, ratio)
    if np.isinf(stated):
        assert shift == 0.0
        assert statistic.exponent <= -0.999
    else:
        assert stated == pytest.approx(exact, rel=1e-8, abs=1e-10)


@QUIET
@pytest.mark.parametrize("name", ["uniform", "triang", "beta", "powerlaw"])
@pytest.mark.parametrize("upper", [0.0, 0.2])
def test_logarithms_of_what_is_left_to_one(name, upper):
    at = {"shift": 0.3, "ratio": 0.7 - upper, "upper": upper}
    if name in ("beta", "powerlaw") and upper:
        with pytest.raises(NotImplementedError, match="1 − z"):
            expectation_of(FROZEN[name], Log1m(), **at)
        return
    stated, exact = expectation_of(FROZEN[name], Log1m(), **at)
    assert stated == pytest.approx(exact, rel=1e-9)


@QUIET
@pytest.mark.parametrize("name", ["beta", "powerlaw"])
@pytest.mark.parametrize("statistic", [Log(), LogSquare(), Power(0.7), Power(-0.3), Absolute()])
def test_statistics_of_beta_variables(name, statistic):
    stated, exact = expectation_of(FROZEN[name], statistic, ratio=1.2)
    assert stated == pytest.approx(exact, rel=1e-7)


@QUIET
@pytest.mark.parametrize(("shift", "ratio"), [(-0.3, 1.0), (0.5, -0.8), (1.0, 1.0), (-2.0, 0.5)])
def test_absolute_values_of_shifted_beta_variables(shift, ratio):
    stated, exact = expectation_of(FROZEN["beta"], Absolute(), shift, ratio)
    assert stated == pytest.approx(exact, rel=1e-9)


UNUSUAL = ("arcsine", "triang, rising", "uniform, inside", "beta, elsewhere")
INSIDE = [(p, q) for p in FROZEN for q in FROZEN | OTHERS if p not in UNUSUAL]


@pytest.mark.slow
@QUIET
def test_pairs_against_quadrature():
    every = FROZEN | OTHERS
    finite = unknown = 0
    for p, q in INSIDE:
        try:
            value = kl(every[p], every[q])
        except NoClosedFormError:
            unknown += 1
            continue
        low, high = every[p].support()
        q_low, q_high = every[q].support()
        assert np.isinf(value) == (low < q_low or high > q_high), (p, q)
        if np.isfinite(value):
            finite += 1
            assert value == pytest.approx(divergence(every[p], every[q]), rel=1e-6, abs=1e-9), (p, q)
    assert (finite, unknown) == (65, 12)


def exact_divergence(a, b, c, d):
    """Of beta distributions, with mpmath."""
    with mp.workdps(80):
        a, b, c, d = (mp.mpf(float(x)) for x in (a, b, c, d))

        def log_beta(x, y):
            return mp.loggamma(x) + mp.loggamma(y) - mp.loggamma(x + y)

        value = log_beta(c, d) - log_beta(a, b) + (a - c) * mp.psi(0, a) + (b - d) * mp.psi(0, b)
        return value + (c - a + d - b) * mp.psi(0, a + b)


shapes = st.floats(-3, 8).map(lambda x: 10**x)


@given(shapes, shapes, shapes, shapes)
def test_far_from_equal_at_extreme_parameters(a, b, c, d):
    value = kl(stats.beta(a, b), stats.beta(c, d))
    assert value == pytest.approx(float(exact_divergence(a, b, c, d)), rel=1e-9, abs=1e-14)


@given(shapes, shapes, st.floats(-8, -1), st.tuples(*[st.floats(-1, 1)] * 2))
def test_near_equal_at_extreme_parameters(a, b, log_step, steps):
    c, d = (x * (1.0 + 10**log_step * step) for x, step in zip((a, b), steps, strict=True))
    exact = exact_divergence(a, b, c, d)
    for value in (kl(stats.beta(a, b), stats.beta(c, d)), kl(Beta(a, b, power=3.0), Beta(c, d, power=3.0))):
        assert value >= 0.0
        if exact > 1e-14:
            assert value == pytest.approx(float(exact), rel=1e-7)


@given(st.floats(-8, -1))
def test_beta_near_uniform(log_step):
    a, b = 1.0 + 10**log_step, 1.0 - 0.3 * 10**log_step
    exact = float(exact_divergence(a, b, 1, 1))
    assert kl(stats.beta(a, b), stats.uniform()) == pytest.approx(exact, rel=1e-5, abs=1e-15)
    exact = float(exact_divergence(1, 1, a, b))
    assert kl(stats.uniform(), stats.beta(a, b)) == pytest.approx(exact, rel=1e-5, abs=1e-15)


def exact_tents(c, d):
    """Of triangular distributions on one interval, with p's mode below q's."""
    with mp.workdps(60):
        c, d = mp.mpf(c), mp.mpf(d)

        def log(x):
            return mp.log(x) if x > 0 else mp.mpf(0)

        def of_log(z):
            return z * log(z) - z

        def of_z_log(z):
            return z * z / 2 * log(z) - z * z / 4

        below = c * log(d / c) if c else mp.mpf(0)
        above = (1 - d) ** 2 / (1 - c) * log((1 - d) / (1 - c))
        rest = of_z_log(1 - c) - of_z_log(1 - d)
        distance = of_log(d) - of_z_log(d) - of_log(c) + of_z_log(c)
        mass = ((1 - c) ** 2 - (1 - d) ** 2) / 2
        return below + above + 2 / (1 - c) * (rest - distance + mass * (log(d) - log(1 - c)))


def triangles_nearby(c, below, above, step):
    """Of the triangular distribution on (0, 1) from one that reaches farther, its top moved by `step`."""
    with mp.workdps(50):
        c, d = mp.mpf(c), mp.mpf(c) + step
        width = 1 + mp.mpf(below) + above

        def ratio(x):
            p = x / c if x < c else (1 - x) / (1 - c)
            q = (x + below) / (d + below) if x < d else (1 + above - x) / (1 + above - d)
            return 2 * p * mp.log(p * width / q) if p * q else mp.mpf(0)

        near_ends = [mp.mpf(10) ** -k for k in range(1, 18, 2)]
        edges = sorted({0, c, d, 1, *near_ends, *[1 - x for x in near_ends]})
        return float(mp.quad(ratio, edges))


@pytest.mark.slow
@given(
    st.floats(0.05, 0.95), st.floats(-9, -3), st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1))
)
@settings(max_examples=15)
def test_triangles_with_ends_nearby(c, log_size, parts):
    below, above, step = (float(np.round(10**log_size * part, 15)) for part in parts)
    q = stats.triang((c + step + below) / (1 + below + above), -below, 1 + below + above)
    mode, loc, scale = map(mp.mpf, (q.args[0], q.args[1], q.args[2]))
    with mp.workdps(50):  # what the rounded parameters say
        step, above = loc + mode * scale - mp.mpf(c), loc + scale - 1
    exact = triangles_nearby(c, -loc, above, step) if above >= 0 else np.inf
    if exact > 1e-14 and above >= 0:
        assert kl(stats.triang(c), q) == pytest.approx(exact, rel=1e-6)


def test_triangles_that_reach_a_little_farther():
    assert kl(stats.triang(0.3), stats.triang(0.3, scale=1 + 1e-8)) == pytest.approx(2.59485794e-15, rel=1e-8)
    assert kl(stats.triang(1.0), stats.triang(1.0, scale=1 + 1e-9)) == pytest.approx(2e-9, rel=1e-6)
    assert kl(stats.triang(0.3, scale=1 + 1e-8), stats.triang(0.3)) == np.inf


@given(st.floats(-14, -0.01), st.floats(-9, 0), st.booleans())
def test_triangles_on_one_interval(log_mode, log_step, mirrored):
    c = 10**log_mode
    d = c + 10**log_step * min(c, 1.0 - c)
    exact = exact_tents(c, d)
    if mirrored and c < 0.1:
        return  # 1 − c would not be the mirror image
    value = (
        kl(stats.triang(1.0 - c), stats.triang(1.0 - d)) if mirrored else kl(stats.triang(c), stats.triang(d))
    )
    assert value >= 0.0
    if exact > 1e-14:
        assert value == pytest.approx(float(exact), rel=1e-6)


def test_exactly_zero_at_equality():
    for frozen in FROZEN.values():
        assert kl(frozen, frozen) == 0.0
    assert kl(stats.beta(1, 1, 2.0, 3.0), stats.uniform(2.0, 3.0)) == 0.0
    assert kl(stats.uniform(2.0, 3.0), stats.powerlaw(1.0, 2.0, 3.0)) == 0.0
    assert kl(stats.triang(0.0), stats.beta(1, 2)) == 0.0
    assert kl(Beta(1.0, 2.5, power=1.7), Beta(1.0, 2.5, power=1.7)) == 0.0


def test_supports():
    assert kl(stats.uniform(0, 1), stats.uniform(-1, 4)) == pytest.approx(np.log(4))
    assert kl(stats.uniform(0, 1e-150), stats.uniform(0, 1e150)) == pytest.approx(300 * np.log(10))
    assert kl(stats.uniform(0, 1), stats.uniform(0.1, 3)) == np.inf
    assert kl(stats.norm(), stats.uniform()) == np.inf
    assert kl(stats.beta(2, 2, 0.0, 1.0), stats.beta(2, 2, 0.0, 0.9)) == np.inf
    assert kl(stats.uniform(0.0, 1.0), stats.weibull_max(1.0, 1.0)) == pytest.approx(0.5)
    inside_and_outside = kl(stats.triang(0.5), stats.uniform([0.0, -1.0, 0.2], [1.0, 2.0, 3.0]))
    entropy_gap = np.log(2) - 0.5
    assert inside_and_outside == pytest.approx([entropy_gap, entropy_gap + np.log(2), np.inf])
    with pytest.raises(NoClosedFormError, match="log z"):
        kl(stats.beta(2, 2), stats.beta(2, 2, -1.0, 3.0))


def test_powers_of_beta_variables():
    p, q = Beta(2.0, 3.0, power=2.0), Beta(1.4, 2.2, power=2.0)
    assert kl(p, q) == pytest.approx(kl(stats.beta(2, 3), stats.beta(1.4, 2.2)), rel=1e-14)
    x = np.linspace(0.0, 1.0, 200_001)[1:-1]
    of_q = Beta(2.5, 1.0)
    density = np.exp(p.to_arrays().log_prob(x))
    assert density.mean() == pytest.approx(1.0, rel=1e-5)
    excess = density * (p.to_arrays().log_prob(x) - of_q.to_arrays().log_prob(x))
    assert kl(p, of_q) == pytest.approx(excess.mean(), rel=1e-5)
    assert kl(p, stats.norm()) == pytest.approx(
        (density * (p.to_arrays().log_prob(x) - stats.norm.logpdf(x))).mean(), rel=1e-5
    )
    of_q = Beta(2.0, 2.0)
    excess = density * (p.to_arrays().log_prob(x) - of_q.to_arrays().log_prob(x))
    assert kl(p, of_q) == pytest.approx(excess.mean(), rel=1e-5)


@QUIET
def test_logit_normals():
    assert kl(LogitNormal(0.3, 1.2), LogitNormal(-0.5, 2.0)) == kl(
        stats.norm(0.3, 1.2), stats.norm(-0.5, 2.0)
    )
    for p in (stats.beta(2.3, 1.4), stats.uniform()):
        q = LogitNormal(0.4, 1.3)

        def log_ratio(x, p=p, q=q):
            return p.logpdf(x) - q.to_arrays().log_prob(x)

        assert kl(p, q) == pytest.approx(expected(p, log_ratio), rel=1e-8)


def test_batches():
    a = np.array([[0.5], [2.0]])
    value = kl(stats.beta(a, [1.0, 2.0, 3.0]), stats.beta(2.0, 1.5))
    assert value.shape == (2, 3)
    assert value[1, 2] == pytest.approx(kl(stats.beta(2.0, 3.0), stats.beta(2.0, 1.5)), rel=1e-13)
    modes = np.array([0.0, 0.3, 1.0])
    value = kl(stats.triang(modes), stats.triang(modes[:, None]))
    assert (np.diag(value) == 0.0).all()
    assert value[0, 2] == pytest.approx(kl(stats.triang(1.0), stats.triang(0.0)), rel=1e-13)
    assert kl(stats.uniform(0, [1.0, 2.0]), stats.expon()) == pytest.approx([0.5, 1.0 - np.log(2)])
    assert np.isnan(kl(stats.beta(np.array([np.nan, 1.0]), 2.0), stats.beta(2.0, 2.0))).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize("make", [stats.beta, stats.triang])
def test_parameters_out_of_their_domain(make):
    with pytest.raises(ValueError, match="must"):
        Beta(-1.0, 2.0)
    with pytest.raises(ValueError, match="must be at most 1"):
        kl(stats.triang(np.array([0.5, 1.5])), stats.uniform())
