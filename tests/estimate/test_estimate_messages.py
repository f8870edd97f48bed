"""What estimate_kl says of options and of densities that are wrong, and how little it takes amiss."""

import math
import warnings

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

from kl_plugins import EstimateWarning, estimate_kl


def expectation_apart(mean, sd, loc):
    """KL of a normal distribution from Student's with 3 degrees of freedom, far away, to many digits."""
    with mp.workdps(40):
        mean, sd, loc = mp.mpf(mean), mp.mpf(sd), mp.mpf(loc)
        constant = mp.log(mp.gamma(2) / (mp.sqrt(3 * mp.pi) * mp.gamma(1.5)))

        def integrand(u):
            z = mean + sd * u - loc
            return mp.npdf(u) * (constant - 2 * mp.log1p(z * z / 3))

        cross = mp.quad(integrand, [-12, -6, -3, 0, 3, 6, 12])
        return float(-mp.log(sd) - mp.log(2 * mp.pi * mp.e) / 2 - cross)


@pytest.mark.parametrize(
    ("mean", "sd", "loc"),
    [(0.0, 1.0, 1e6), (0.0, 1.0, -1e6), (1e3, 1e-6, 0.0), (1e3, 1e-4, 0.0), (1e4, 1e-6, 0.0)],
)
def test_rounding_of_masses_is_part_of_the_error(mean, sd, loc):
    """Points of a narrow bulk, and weights of a far one, are rounded; the masses show it."""
    exact = expectation_apart(mean, sd, loc)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = estimate_kl(stats.norm(mean, sd), stats.t(3, loc=loc))
    assert found.converged
    assert abs(found.value - exact) <= found.error < 1e-5 * exact


class Scaled:
    """A normal density times a factor."""

    def __init__(self, factor):
        self.factor = factor

    def logpdf(self, x):
        return stats.norm.logpdf(x, 1.0) + np.log(self.factor)


@pytest.mark.parametrize(
    "factor",
    [
        0.5,
        1.0 - 1e-5,
        1.0 + 1.1e-3,
        *(pytest.param(x, marks=pytest.mark.slow) for x in (1.0 - 1.1e-3, 1.0 + 1e-5, 2.0)),
    ],
)
def test_densities_that_are_not_normalised_are_found_out(factor):
    for p, q, side in [(Scaled(factor), stats.t(3), "p"), (stats.t(3), Scaled(factor), "q")]:
        with pytest.warns(EstimateWarning, match=f"the mass found of {side} is"):
            found = estimate_kl(p, q)
        assert (found.converged, found.error) == (False, np.inf)


@pytest.mark.parametrize("off", [-3e-8, 3e-8])
def test_a_small_error_of_normalisation_is_part_of_the_error(off):
    """Of q: it shifts log q everywhere."""
    p = stats.norm(0.5, 0.7)
    exact = float(estimate_kl(p, stats.norm(1.0)).value)
    found = estimate_kl(p, Scaled(1.0 + off))
    assert abs(found.value - exact) <= found.error < 1e-7


OPTIONS = [
    ({"tolerance": "1e-3"}, "tolerance must be a number between 0 and 1, got '1e-3'"),
    ({"tolerance": None}, "tolerance must be a number between 0 and 1, got None"),
    ({"tolerance": True}, "tolerance must be a number between 0 and 1, got True"),
    ({"tolerance": 2.0}, "tolerance must be a number between 0 and 1, got 2.0"),
    ({"time_limit": "1"}, "time_limit must be a positive number of seconds, got '1'"),
    ({"time_limit": None}, "time_limit must be a positive number of seconds, got None"),
    ({"time_limit": 0}, "time_limit must be a positive number of seconds, got 0"),
    ({"random_state": "x"}, "random_state must be None, a whole number .*, got 'x'"),
    ({"random_state": 1.5}, "random_state must be None, a whole number .*, got 1.5"),
    ({"random_state": -1}, "random_state must be None, a whole number .*, got -1"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
@pytest.mark.parametrize("method", [None, "monte carlo"])
def test_options_are_looked_at_first(options, message, method):
    with pytest.raises(ValueError, match=message):
        estimate_kl(stats.norm(), stats.t(3), method=method, **options)


def test_numbers_of_numpy_are_numbers():
    for limit in (np.int64(60), np.inf):
        found = estimate_kl(stats.norm(), stats.t(3), tolerance=np.float32(1e-6), time_limit=limit)
        assert found.converged


class Own:
    """A density by its function."""

    def __init__(self, function):
        self.logpdf = function

    def rvs(self, size, random_state):
        return random_state.standard_normal(size)


def missing_key(x):
    return {}["scale"]


BAD = [
    (lambda x: np.zeros(6), r"Own has a log density that returned an array of shape \(6,\) for \d+ points"),
    (lambda x: np.zeros((len(x), 2)), r"returned an array of shape \(\d+, 2\) for \d+ points"),
    (lambda x: -1.0, r"returned a single number for \d+ points: it is called with arrays of points"),
    (lambda x: None, r"returned a single number for \d+ points"),
    (lambda x: -1.0 if x > 0 else -2.0, r"log density of Own fails: .*it is called with arrays of points"),
    (lambda x: math.log(x), r"log density of Own fails: .*it is called with arrays of points"),
    (missing_key, "the log density of Own fails: KeyError: 'scale'"),
]


@pytest.mark.parametrize("method", [None, "monte carlo"])
@pytest.mark.parametrize(("function", "message"), BAD)
def test_own_densities_that_fail_are_named(function, message, method):
    for pair, side in [((Own(function), stats.norm()), "p"), ((stats.norm(), Own(function)), "q")]:
        with pytest.raises(ValueError, match=f"^{side}: (the )?{message}|^{side}: .*{message}"):
            estimate_kl(*pair, method=method, draws=100, random_state=0)


class Few(Own):
    def rvs(self, size, random_state):
        return random_state.standard_normal(2)


def test_a_sampler_that_returns_too_few_is_named():
    few = Few(stats.norm.logpdf)
    with pytest.raises(
        ValueError, match=r"^q: the sampler of Few returned an array of shape \(2,\) for 100 "
    ):
        estimate_kl(stats.norm(), few, method="monte carlo", draws=100, random_state=0)


class Odd:
    """A normal distribution whose other methods are wrong."""

    def __init__(self, ends):
        self.ends = ends

    def logpdf(self, x):
        return stats.norm.logpdf(x)

    def support(self):
        return self.ends["both"] if isinstance(self.ends, dict) else self.ends

    def ppf(self, u):
        return {}["quantile"]


def test_supports_that_fail_are_named():
    with pytest.raises(ValueError, match=r"^p: Odd fails when asked what it is like: KeyError: 'both'"):
        estimate_kl(Odd({}), stats.norm())
    with pytest.raises(ValueError, match=r"^q: the support of Odd has to be its two ends, got 3"):
        estimate_kl(stats.norm(), Odd(3))


def test_quantiles_that_fail_are_left_out():
    found = estimate_kl(Odd((-np.inf, np.inf)), stats.norm(1.0))
    assert found.converged
    assert found.value == pytest.approx(0.5, rel=1e-9)


def test_a_bare_number_for_a_single_point_will_do():
    """SciPy's multivariate densities give one."""

    class Squeezing(Own):
        def __init__(self):
            self.logpdf = lambda x: np.squeeze(stats.norm.logpdf(x))

    found = estimate_kl(Squeezing(), stats.norm(1.0), draws=101, time_limit=1e3)
    assert found.value == pytest.approx(0.5, rel=1e-9)
    one = estimate_kl(stats.norm(), Squeezing(), method="monte carlo", draws=17, random_state=0)
    assert np.isfinite(one.value)


def test_supports_apart_are_infinite_by_what_is_seen_of_them():
    """Only two different measures are told apart without a look at the densities."""
    apart = estimate_kl(stats.uniform(0, 1), stats.uniform(2, 1))
    assert (apart.value, apart.method, apart.converged) == (np.inf, "quadrature", True)
    unlike = estimate_kl(stats.poisson(3), stats.norm())
    assert (unlike.value, unlike.method, unlike.n) == (np.inf, "support", 0)
