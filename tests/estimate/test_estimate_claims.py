"""What estimates claim: that a value is within its error, or infinite; and what they leave open."""

import math
import warnings
from types import SimpleNamespace

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kl_plugins import EstimateWarning, estimate_kl, kl
from kl_plugins.estimate import clock
from kl_plugins.estimate.tails import remainder
from kl_plugins.families.discrete_exponential import LogSeries


class Underflowing:
    """A density whose logarithm is taken too late."""

    def __init__(self, frozen):
        self.frozen, self.rvs = frozen, frozen.rvs

    def logpdf(self, x):
        with np.errstate(divide="ignore"):
            return np.log(self.frozen.pdf(x))


class Narrower(stats.rv_continuous):
    """Zero below zero, which its support does not say."""

    def _pdf(self, x):
        return np.where(x < 0.0, 0.0, np.exp(-abs(x)))

    def _ppf(self, u):
        return -np.log1p(-u)


class Far:
    """A normal density and a little of one that no draw shows."""

    def __init__(self, weight):
        self.weight = weight

    def logpdf(self, x):
        far = math.log(self.weight) + stats.norm.logpdf(x, 1e6)
        return np.logaddexp(math.log1p(-self.weight) + stats.norm.logpdf(x), far)

    def rvs(self, size, random_state):
        return random_state.standard_normal(size)


narrower = Narrower(name="narrower")()
VALUES = {
    "q underflows where p is next to nothing": (stats.laplace(0, 3.68), stats.laplace(), 1.3770872478191606),
    "the same, by log(pdf)": (
        Underflowing(stats.laplace(0, 3.68)),
        Underflowing(stats.laplace()),
        1.3770872478191606,
    ),
    "p ends where q does, whatever it declares": (stats.pearson3(2), stats.expon(-1), 0.0),
    "a subclass that declares the line": (narrower, stats.gamma(2), np.euler_gamma),
    "as q": (stats.gamma(2), narrower, 1.0 - np.euler_gamma),
    "counts that declare more than they have": (
        stats.nhypergeom(10, 8, 0),
        stats.nhypergeom(19, 5, 12),
        6.31664882395534,
    ),
    "q far down by its own formula": (stats.norm(0.07, 1.57), stats.moyal(-1.07, 0.64), 1.1998808205467228),
    "scales beyond floats": (
        stats.invweibull(0.0619, scale=0.697),
        stats.invweibull(2.504, scale=1.821),
        4.833085105888958e49,
    ),
    "a kink next to a quantile": (
        stats.triang(0.249679, 0, 1.09732),
        stats.norm(0.952583, 8.16948),
        3.1218666484054607,
    ),
}


@pytest.mark.parametrize(("p", "q", "value"), VALUES.values(), ids=VALUES)
def test_values(p, q, value):
    found = estimate_kl(p, q)
    assert found.converged
    assert abs(found.value - value) <= found.error + 1e-14 * value


INFINITE = {
    "q ends inside of the support that it declares": (stats.norm(), narrower),
    "by a power": (stats.gumbel_r(-0.32, 0.54), stats.pearson3(1.16, -1.05, 1.71)),
    "a jump, by logpdf alone": (stats.norm(), Underflowing(stats.uniform(-9, 20))),
    "counts": (stats.poisson(3), stats.poisson(3, loc=1)),
    "p's mean is infinite": (stats.halfcauchy(), stats.expon()),
    "the mean of 1/x is": (stats.halfnorm(), stats.fatiguelife(0.9)),
}


@pytest.mark.parametrize(("p", "q"), INFINITE.values(), ids=INFINITE)
def test_infinite_where_it_was_seen(p, q):
    found = estimate_kl(p, q)
    assert (found.value, found.error, found.converged) == (math.inf, 0.0, True)


OPEN = {
    "mass that was not found": (Far(1e-9), stats.norm(), 500.0, "mass found of p is 1 - 1e-09"),
    "and in q": (stats.norm(), Underflowing(stats.t(1e-3)), None, "mass found of q"),
    "q underflows where p has mass": (
        stats.norm(0.07, 1.57),
        Underflowing(stats.moyal(-1.07, 0.64)),
        1.1998808205467228,
        "or it underflows",
    ),
    "p underflows before q ends": (
        Underflowing(stats.moyal()),
        stats.gamma(9, loc=-20),
        math.inf,
        "p may reach",
    ),
    "the largest terms are beyond overflow": (
        stats.lognorm(14.51257, scale=2.681),
        stats.rayleigh(scale=0.70450),
        6.271844093038793e183,
        "tail",
    ),
    "one end does not show where its tail turns": (
        stats.lognorm(7.766327, -0.760563, 0.473),
        stats.fatiguelife(2.167265, -0.760563, 0.2546),
        3.19e12,
        "tail",
    ),
    "exponentials of exponentials": (
        stats.erlang(15, scale=1.99),
        stats.gumbel_l(-1.3, 0.185),
        math.inf,
        "tail",
    ),
    "a pole that floats cannot resolve": (
        stats.gumbel_r(0.0, 1.79),
        stats.dgamma(0.03, -0.46, 0.99),
        None,
        "mass found of q",
    ),
    "a pmf that is zero for lack of digits": (
        stats.nchypergeom_wallenius(140, 80, 60, 0.5),
        stats.nchypergeom_wallenius(140, 80, 60, 0.7),
        0.816013,
        "",
    ),
}


@pytest.mark.parametrize(("p", "q", "value", "why"), OPEN.values(), ids=OPEN)
def test_left_open(p, q, value, why):
    with pytest.warns(EstimateWarning, match=why):
        found = estimate_kl(p, q)
    assert not found.converged
    assert np.isfinite(found.value)
    assert value is None or abs(found.value - value) <= found.error + 1e-5


@pytest.mark.parametrize("weight", [1e-12, 1e-9, 1e-5])
def test_mass_that_is_missing_is_told_down_to_rounding(weight):
    with pytest.warns(EstimateWarning, match="mass found of p"):
        assert estimate_kl(Far(weight), stats.norm()).error == math.inf


def test_zero_that_is_none_of_a_density_that_ends_slowly():
    """A logarithm that is −∞ by rounding, where 1 + x/√(1 + x²) is zero, is no end of q."""
    scipys = stats.jf_skew_t(0.5, 0.2)
    q = SimpleNamespace(logpdf=scipys.logpdf, ppf=scipys.ppf, support=scipys.support, rvs=scipys.rvs)
    with pytest.warns(EstimateWarning):
        found = estimate_kl(stats.t(0.4), q)
    assert not found.converged


@pytest.mark.parametrize(
    ("block", "diverges"),
    [
        (lambda t: np.exp(0.2 * t), True),
        (lambda t: np.ones_like(t), True),
        (lambda t: np.exp(0.2 * t) * (t + 3.0) ** 2, True),
        (lambda t: (t + 3.0) ** 2, False),  # it does, but e^(−t/1000) times it would look the same
        (lambda t: np.exp(-1e-7 * t), False),
        (lambda t: np.exp(2.0 * t - t**2 / 400.0), False),
        (lambda t: np.exp(-1e-3 * t) * (t + 1.0) ** 2, False),
        (lambda t: 1.0 / (t + 1.0), False),
    ],
)
def test_tails_that_diverge(block, diverges):
    for length in (30.0, 100.0, 350.0):
        t = np.arange(1.0, length)
        assert math.isinf(remainder(list(block(t)), 1.0)) == diverges


def test_a_geometric_tail_is_bounded():
    t = np.arange(40.0)
    rest = np.exp(-0.5 * t[20:]).sum()
    assert rest < remainder(list(np.exp(-0.5 * t[:20])), 1.0) < 3.0 * rest


class Slow:
    """A normal density that takes its time for every point, by a clock that goes for nothing else."""

    now = 0.0

    def __init__(self, mean):
        self.mean = mean

    def logpdf(self, x):
        Slow.now += 2e-4 * len(x)
        return stats.norm.logpdf(x, self.mean)

    def rvs(self, size):
        return np.random.default_rng(1).normal(self.mean, size=size)


def test_time_limit(monkeypatch):
    monkeypatch.setattr(clock, "monotonic", lambda: Slow.now)
    started = Slow.now
    with pytest.warns(EstimateWarning, match=r"the time limit of 0\.4 s was reached"):
        found = estimate_kl(Slow(0.0), Slow(1.0), time_limit=0.4)
    assert Slow.now - started < 0.5
    assert not found.converged
    assert abs(found.value - 0.5) <= found.error
    with pytest.warns(EstimateWarning, match=r"the time limit of 0\.4 s was reached"):
        found = estimate_kl(
            Slow(0.0), Slow(1.0), method="monte carlo", draws=100_000, random_state=1, time_limit=0.4
        )
    assert Slow.now - started < 1.0
    assert not found.converged
    assert 4 <= found.n < 100_000
    assert abs(found.value - 0.5) <= 4.0 * found.error
    with pytest.raises(ValueError, match="time_limit must be a positive number"):
        estimate_kl(stats.norm(), stats.norm(), time_limit=0.0)


class CompiledAtFirst(Slow):
    """Its first draws take two minutes."""

    def __init__(self, mean):
        super().__init__(mean)
        self.compiled = False

    def rvs(self, size):
        Slow.now += 0.0 if self.compiled else 120.0
        self.compiled = True
        return super().rvs(size)


def test_compilation_is_not_limited(monkeypatch):
    monkeypatch.setattr(clock, "monotonic", lambda: Slow.now)
    p, q = CompiledAtFirst(0.0), CompiledAtFirst(1.0)
    started = Slow.now
    found = estimate_kl(p, q, method="monte carlo", draws=2_000, random_state=1, time_limit=10.0)
    assert Slow.now - started > 240.0
    assert found.converged
    assert found.n == 4_000


def test_a_sampler_that_paused_once_is_not_slow(monkeypatch):
    """As when Python looks for garbage meanwhile."""
    monkeypatch.setattr(clock, "monotonic", lambda: Slow.now)
    sizes = []

    class Paused(Slow):
        def rvs(self, size):
            sizes.append(size)
            Slow.now += 3.0 if size == 128 and sizes.count(128) == 1 else 0.0
            return super().rvs(size)

        def logpdf(self, x):
            return stats.norm.logpdf(x, self.mean)

    started = Slow.now
    assert estimate_kl(Paused(0.0), stats.norm(1.0), time_limit=10.0).converged
    assert Slow.now - started == pytest.approx(3.0)
    assert sizes.count(128) == 2


def test_quantiles_that_fail():
    class Failing(stats.rv_continuous):
        def _pdf(self, x):
            return stats.norm.pdf(x, 3.0, 0.1)

        def _ppf(self, u):
            raise RuntimeError("Failed to converge")

        def _rvs(self, size=None, random_state=None):
            return random_state.normal(3.0, 0.1, size)

    class Only:
        def logpdf(self, x):
            return stats.norm.logpdf(x, 3.0, 0.1)

    for p in (Failing(name="failing")(), Only()):
        assert estimate_kl(p, stats.norm()).value == pytest.approx(kl(stats.norm(3, 0.1), stats.norm()))


SHAPES = {
    "norm": 0,
    "laplace": 0,
    "logistic": 0,
    "gumbel_r": 0,
    "moyal": 0,
    "hypsecant": 0,
    "t": 1,
    "gamma": 1,
    "weibull_min": 1,
    "lognorm": 1,
    "invgamma": 1,
    "pearson3": 1,
    "rayleigh": 0,
    "halfcauchy": 0,
}
sides = st.sampled_from(sorted(SHAPES)).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.tuples(*[st.floats(0.2, 8.0)] * SHAPES[name]),
        st.sampled_from([0.0, 0.0, -1.3, 2.0]),
        st.floats(-3.0, 3.0).map(math.exp),
    )
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(sides, sides)
def test_random_pairs_against_closed_forms(first, second):
    p, q = (getattr(stats, name)(*shapes, loc, scale) for name, shapes, loc, scale in (first, second))
    try:
        value = float(kl(p, q))
    except NotImplementedError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimateWarning)
        found = estimate_kl(p, q)
    if math.isinf(found.value):
        assert value == math.inf or not found.converged
    elif found.converged or math.isfinite(found.error):
        assert abs(found.value - value) <= 3.0 * found.error + 1e-12 * value


class Notched:
    """Uniform, but for the factors `inside` on `width` above a third, and 2 − `inside` as far below it."""

    def __init__(self, width, inside):
        self.width, self.inside = width, inside

    def logpdf(self, x):
        x, place = np.asarray(x, float), 1.0 / 3.0
        with np.errstate(divide="ignore"):
            above = np.where((x > place) & (x < place + self.width), np.log(self.inside), 0.0)
        below = np.where((x < place) & (x > place - self.width), np.log(2.0 - self.inside), 0.0)
        return np.where((x >= 0.0) & (x <= 1.0), above + below, -np.inf)


@pytest.mark.slow
@pytest.mark.parametrize("inside", [1e-6, 0.0])
@pytest.mark.parametrize("width", [1e-2, 1e-3, 2e-4])
def test_steps_of_classes_that_are_not_known(width, inside):
    """They are found, or the masses show that something was missed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimateWarning)
        found = estimate_kl(stats.uniform(), Notched(width, inside))
    exact = np.inf if inside == 0.0 else -width * (np.log(inside) + np.log(2.0 - inside))
    assert not found.converged or found.value == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize(
    ("p", "q"), [(0.9999, 0.99), (0.99999, 0.9), (0.999, 0.9999)], ids=["wider", "much_wider", "narrower"]
)
def test_sums_of_long_blocks_claim_no_more_than_they_know(p, q):
    found = estimate_kl(LogSeries(p), LogSeries(q))
    with mp.workdps(40):
        a, b = mp.mpf(p), mp.mpf(q)
        norms = -mp.log1p(-a), -mp.log1p(-b)
        exact = a / (1 - a) / norms[0] * mp.log(a / b) + mp.log(norms[1] / norms[0])
        assert abs(found.value - exact) <= found.error
    assert found.error < 1e-10 * found.value


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (stats.nbinom(0.97, 0.0545), stats.nbinom(0.97, 7.95e-6)),
        (stats.nbinom(3.4, 1.76e-4), stats.nbinom(3.4, 1.77e-6)),
        (stats.poisson(1_094_481.0), stats.poisson(1_094_842.0)),
    ],
    ids=["to_wider", "both_wide", "close"],
)
def test_what_log_densities_lose_to_rounding_is_part_of_the_error(p, q):
    found, exact = estimate_kl(p, q), kl(p, q)
    assert found.converged
    assert abs(found.value - exact) <= found.error + 1e-12 * exact
    assert found.error <= 1e-7 * found.value
