"""Truncated normal variables."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from family_oracle import expectation_of, expected, judged_pairs, statement_error
from kl_plugins import entropy, kl
from kl_plugins.families.core.statistics import Absolute, Exp, Identity, Square
from kl_plugins.families.truncated_normal import TruncatedNormal
from kl_plugins.recognition import recognise

FROZEN = {
    "both ends": stats.truncnorm(-1, 2, 0.3, 1.2),
    "one end": stats.truncnorm(-3, np.inf, 0.5, 1.5),
    "half": stats.truncnorm(0, np.inf),
    "far tail": stats.truncnorm(30, np.inf),
    "other tail": stats.truncnorm(-25, -20, 20.0, 1.0),
    "no end": stats.truncnorm(-np.inf, np.inf, 1.0, 2.0),
    "narrow": stats.truncnorm(1.0, 1.01),
}
OTHERS = {"norm": stats.norm(0.1, 1.5), "gumbel_r": stats.gumbel_r(), "uniform": stats.uniform(-1, 40)}
OTHERS |= {"halfnorm": stats.halfnorm(scale=0.7), "expon": stats.expon()}
ALL = FROZEN | OTHERS
QUIET = pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")


@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
def test_the_statement_is_the_density(frozen):
    assert statement_error(frozen) < 1e-11


@QUIET
@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
def test_entropy(frozen):
    log_prob = recognise(frozen).to_arrays().log_prob
    assert entropy(frozen) == pytest.approx(-expected(frozen, log_prob), rel=1e-9)


@QUIET
@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
@pytest.mark.parametrize("statistic", [Identity(), Square(), Absolute(), Exp(0.7), Exp(-3.0)])
@pytest.mark.parametrize(("shift", "ratio"), [(0.0, 1.2), (0.7, -1.0)])
def test_expectations(frozen, statistic, shift, ratio):
    stated, exact = expectation_of(frozen, statistic, shift, ratio)
    assert stated == pytest.approx(exact, rel=1e-8)


@pytest.mark.slow
@QUIET
def test_pairs_against_quadrature():
    assert judged_pairs(FROZEN, ALL, rel=1e-8) == COUNTS


COUNTS = {"finite": 42, "infinite": 42, "unknown": 0}


def exact_divergence(p, q, low, high):
    """Of normal distributions (mean, scale) between the same ends, with mpmath."""
    with mp.workdps(60):
        (m, s), (n, t) = (tuple(map(mp.mpf, side)) for side in (p, q))

        def seen(mean, scale):
            a, b = (mp.mpf(low) - mean) / scale, (mp.mpf(high) - mean) / scale
            x, y = (a, b) if a > 0 else (-b, -a)
            return a, b, (mp.erfc(x / mp.sqrt(2)) - mp.erfc(y / mp.sqrt(2))) / 2

        a, b, mass = seen(m, s)
        first = (mp.npdf(a) - mp.npdf(b)) / mass
        second = 1 + (a * mp.npdf(a) - b * mp.npdf(b)) / mass
        shift, ratio = (m - n) / t, s / t
        of_q = shift**2 + 2 * shift * ratio * first + ratio**2 * second
        return mp.log(seen(n, t)[2] / mass) - mp.log(ratio) + (of_q - second) / 2


means = st.tuples(st.sampled_from([-1.0, 1.0]), st.floats(-1, 1.5)).map(lambda x: x[0] * 10 ** x[1])
scales = st.floats(-1, 2).map(lambda x: 10**x)
ends = st.tuples(means, st.floats(-3, 2.5)).map(lambda x: (x[0], x[0] + 10 ** x[1]))


def between(side, interval):
    mean, scale = side
    return TruncatedNormal(*[(end - mean) / scale for end in interval], mean, scale)


@example(-1.0, 1.0, (-1.0, 0.0), -2.220446049250313e-16, 1.0)  # ends that are the same but for rounding
@given(means, scales, ends, st.floats(-2, 2), st.floats(-1, 1))
def test_far_from_equal(mean, scale, interval, move, stretch):
    p, q = (mean, scale), (mean + move * scale, scale * np.exp(stretch))
    value = kl(between(p, interval), between(q, interval))
    exact = exact_divergence(p, q, *interval)
    if exact > 1e-14:
        assert value == pytest.approx(float(exact), rel=1e-7)


@given(means, scales, ends, st.floats(-8, -1), st.floats(-1, 1), st.floats(-1, 1))
def test_near_equal(mean, scale, interval, log_step, move, stretch):
    p, q = (mean, scale), (mean + 10**log_step * move * scale, scale * (1.0 + 10**log_step * stretch))
    value, exact = kl(between(p, interval), between(q, interval)), exact_divergence(p, q, *interval)
    assert value >= 0.0
    if exact > 1e-14:
        assert value == pytest.approx(float(exact), rel=1e-6)


def test_without_ends_it_is_the_normal():
    p, q = stats.truncnorm(-np.inf, np.inf, 1e8, 2.0), stats.truncnorm(-np.inf, np.inf, 1e8 + 1e-3, 2.1)
    assert kl(p, q) == pytest.approx(kl(stats.norm(1e8, 2.0), stats.norm(1e8 + 1e-3, 2.1)), rel=1e-12)
    assert kl(p, stats.norm(1e8, 2.0)) == pytest.approx(0.0, abs=1e-13)


INFINITE_ENDS = [
    ([-2.0, -1.0], np.inf),
    (-np.inf, [1.0, 2.0]),
    ([-np.inf, -1.0], [2.0, np.inf]),
    (-2.0, np.inf),
]


@pytest.mark.parametrize(("low", "high"), INFINITE_ENDS)
@pytest.mark.parametrize("q", [stats.norm([0.3, 0.0]), stats.truncnorm([-np.inf, -1.5], [np.inf, 2.5])])
def test_infinite_ends_in_batches(low, high, q):
    """Each member by itself."""
    whole = [np.broadcast_to(x, 2) for x in (low, high)]
    others = [np.broadcast_to(x, 2) for x in q.args]
    one_by_one = [
        kl(stats.truncnorm(*[x[i] for x in whole]), q.dist(*[x[i] for x in others])) for i in range(2)
    ]
    assert kl(stats.truncnorm(low, high), q) == pytest.approx(one_by_one, rel=1e-13)


def test_many_with_an_infinite_end():
    low = np.linspace(-3.0, 3.0, 50_000)
    found = kl(stats.truncnorm(low, np.inf), stats.norm(0.3))
    assert found[::25_000] == pytest.approx(
        kl(stats.truncnorm(low[::25_000], np.inf), stats.norm(0.3)), rel=1e-13
    )


def test_exactly_zero_at_equality():
    for frozen in FROZEN.values():
        assert kl(frozen, frozen) == 0.0
    assert kl(stats.truncnorm(0, np.inf), stats.halfnorm()) == 0.0


def test_supports():
    assert kl(stats.norm(), stats.truncnorm(-8, 8)) == np.inf
    assert kl(stats.truncnorm(-1, 1), stats.truncnorm(-1, 0.9)) == np.inf
    assert kl(stats.truncnorm(-1, 1), stats.truncnorm(-1, np.inf)) < np.inf
    assert kl(stats.truncnorm(-1, np.inf), stats.truncnorm(-1, 9)) == np.inf
    assert kl(stats.uniform(0, 1), stats.truncnorm(0, 1)) < np.inf
    low = np.array([-np.inf, -1.0, 0.5])
    value = kl(stats.truncnorm(low, 2.0), stats.truncnorm(-1.0, [2.0, 3.0, np.inf]))
    assert value[0] == np.inf
    assert value[1:] == pytest.approx(
        [kl(stats.truncnorm(a, 2.0), stats.truncnorm(-1.0, b)) for a, b in ((-1.0, 3.0), (0.5, np.inf))]
    )


def test_ends_in_the_wrong_order():
    for low in (2.0, np.array([2.0, -1.0])):
        with pytest.raises(ValueError, match="the lower end must be less than the upper end"):
            TruncatedNormal(low, 1.0)
    assert np.isnan(kl(TruncatedNormal(np.nan, 1.0), TruncatedNormal(-1.0, 1.0)))
