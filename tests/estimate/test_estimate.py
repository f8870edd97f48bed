"""estimate_kl against closed forms, mpmath and itself; and what it does where it cannot know."""

import warnings

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import stats

from kl_plugins import (
    Dense,
    EstimateWarning,
    MultivariateNormal,
    NoClosedFormError,
    estimate_kl,
    independent,
    kl,
)
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.families.student_t import StudentT

CLOSED = {
    "normal": (stats.norm(), stats.norm(1, 2)),
    "normals far apart": (stats.norm(), stats.norm(50)),
    "narrow normal far from zero": (stats.norm(1e6, 1e-3), stats.norm(1e6 + 1, 3)),
    "scales": (stats.norm(0, 1e-150), stats.norm(0, 1e150)),
    "gamma": (stats.gamma(2.3, scale=1.7), stats.gamma(0.8)),
    "gamma, infinite density": (stats.gamma(0.3), stats.gamma(0.31)),
    "weibull": (stats.weibull_min(0.7), stats.weibull_min(1.5, scale=2.0)),
    "gumbel": (stats.gumbel_r(), stats.gumbel_r(0.3, 1.2)),
    "inverse gamma, heavy tails": (stats.invgamma(0.2), stats.invgamma(0.3)),
    "lognormal": (stats.exp(stats.Normal()), stats.exp(stats.Normal(mu=1.0))),
    "q underflows where p is nothing": (stats.gamma(2), stats.expon(scale=0.9)),
    "families": (GeneralizedGamma(2.0, 3.0), GeneralizedGamma(2.5, 1.0)),
    "family and SciPy": (GeneralizedGamma(2.0, 3.0), stats.weibull_min(1.5)),
    "order of a support's ends": (stats.weibull_max(2.0), stats.weibull_max(1.5)),
    "PyMC": (pm.Gamma.dist(0.3, 1.1), pm.Gamma.dist(2.1, 3.3)),
    "PyMC and SciPy": (pm.Gumbel.dist(0.1, 1.1), stats.norm(0, 2)),
}


IN_NUMBERS = {
    "lognormal": (stats.norm(), stats.norm(1.0)),
    "PyMC": (stats.gamma(0.3, scale=1 / 1.1), stats.gamma(2.1, scale=1 / 3.3)),
    "PyMC and SciPy": (stats.gumbel_r(0.1, 1.1), stats.norm(0, 2)),
}


@pytest.mark.parametrize("name", CLOSED)
def test_quadrature_against_closed_forms(name):
    found, value = estimate_kl(*CLOSED[name]), kl(*IN_NUMBERS.get(name, CLOSED[name]))
    assert found.method == "quadrature"
    assert found.converged
    assert abs(found.value - value) <= found.error + 4e-16 * value
    assert found.error <= 1e-5 * found.value


NORMALS, CAUCHYS = stats.norm([[0.0], [1.0]], [1.0, 2.0]), stats.cauchy([[0.0], [1.0]], [2.0, 1.0])


@pytest.mark.parametrize("over", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_products_are_the_sums_of_their_members(over):
    members, sums = (
        estimate_kl(NORMALS, CAUCHYS),
        estimate_kl(*[independent(x, over) for x in (NORMALS, CAUCHYS)]),
    )
    axes = (0, 1)[-over:]
    np.testing.assert_allclose(sums.value, members.value.sum(axes), rtol=1e-12)
    np.testing.assert_allclose(sums.error, members.error.sum(axes), rtol=0.5)
    assert np.shape(sums.converged) == np.shape(sums.value)
    assert np.all(sums.converged)
    labelled = [
        independent(kind(xr.DataArray([0.0, 1.0], dims="a"), xr.DataArray(scale, dims="b")), "b")
        for kind, scale in ((stats.gumbel_r, [1.0, 2.0]), (stats.cauchy, [2.0, 1.0]))
    ]
    one = estimate_kl(stats.gumbel_r([[0.0], [1.0]], [1.0, 2.0]), CAUCHYS)
    np.testing.assert_allclose(estimate_kl(*labelled).value, one.value.sum(1), rtol=1e-12)


def test_errors_of_products_promise_no_more_than_there_is():
    p, q = independent(stats.gamma([1.0, 2.0])), independent(CAUCHYS)
    with pytest.raises(ValueError, match=r"event shape"):
        estimate_kl(p, independent(stats.cauchy([0.0, 1.0, 2.0])))
    with pytest.raises(NoClosedFormError, match=r"of their parts; kl_plugins\.estimate_kl"):
        kl(p, q)
    dense = MultivariateNormal([0.0, 0.0], Dense([[1.0, 0.5], [0.5, 1.0]]))
    with pytest.raises(NoClosedFormError, match=r"of their parts; kl_plugins\.register_kl registers"):
        kl(p, dense)
    with pytest.raises(TypeError, match=r"^p: Independent.* has no density"):
        estimate_kl(p, dense)


@pytest.mark.parametrize("prior", [pm.Flat, pm.HalfFlat])
def test_improper_priors_have_no_estimates(prior):
    for call, error in ((kl, NoClosedFormError), (estimate_kl, TypeError)):
        with pytest.raises(
            error, match=rf"^q: {prior.__name__} is improper, .* take a proper one, .*Normal$"
        ):
            call(stats.norm(), prior.dist())


@pytest.mark.parametrize("step", [1e-3, 1e-6, 1e-8])
def test_nothing_cancels_where_both_are_nearly_equal(step):
    near = estimate_kl(stats.norm(), stats.norm(step))
    assert near.value == pytest.approx(0.5 * step**2, rel=1e-7)
    assert abs(near.value - 0.5 * step**2) <= near.error
    counts = estimate_kl(stats.poisson(4.0), stats.poisson(4.0 * (1 + step)))
    with mp.workdps(50):
        m, n = mp.mpf(4.0), mp.mpf(4.0 * (1 + step))
        value = float(m * mp.log(m / n) - m + n)
    assert counts.value == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize("p", [stats.t(3), stats.poisson(3), stats.gamma(0.2), stats.skewnorm(2)])
def test_zero_at_equality(p):
    assert estimate_kl(p, p).value == 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weight", "place", "sd"),
    [(0.1, 30.0, 0.1), (0.0031598, 21.0, 0.01044133), (0.095, 24.238, 0.0377), (0.0006, 6.1, 1.757e-4)],
)
def test_narrow_components_are_followed_to_their_shoulders(weight, place, sd):
    p = stats.Mixture([stats.Normal(), stats.Normal(mu=place, sigma=sd)], weights=[1 - weight, weight])
    with mp.workdps(30):

        def log_p(x):
            parts = mp.log(1 - weight) - x * x / 2, mp.log(weight / sd) - ((x - place) / sd) ** 2 / 2
            return mp.log(sum(map(mp.exp, parts))) - mp.log(2 * mp.pi) / 2

        ends = [-40, -10, 0, 10, 40, *[place + k * mp.mpf(sd) for k in (-40, -20, -10, -5, 0, 5, 10, 20, 40)]]
        exact = mp.quad(
            lambda x: mp.exp(log_p(x)) * (log_p(x) + x * x / 2 + mp.log(2 * mp.pi) / 2), sorted(ends)
        )
    found = estimate_kl(p, stats.norm())
    assert found.converged
    assert abs(found.value - exact) <= found.error + 1e-12 * found.value


def test_infinite_discrete_supports_against_mpmath():
    with mp.workdps(30):

        def term(k):
            log_p = -4 + k * mp.log(4) - mp.loggamma(k + 1)
            log_q = mp.loggamma(k + 4) - mp.loggamma(k + 1) - mp.loggamma(4) + (k + 4) * mp.log(0.5)
            return mp.exp(log_p) * (log_p - log_q)

        value = float(mp.nsum(term, [0, mp.inf]))
        a, b = mp.mpf(3), mp.mpf(2.5)
        zipf = float((a - b) * mp.zeta(a, 1, 1) / mp.zeta(a) + mp.log(mp.zeta(b) / mp.zeta(a)))
    found = estimate_kl(stats.poisson(4.0), stats.nbinom(4, 0.5))
    assert found.method == "exact sum"
    assert abs(found.value - value) <= found.error < 1e-14
    assert estimate_kl(pm.Poisson.dist(4), stats.nbinom(4, 0.5)).value == pytest.approx(value, rel=1e-12)
    found = estimate_kl(stats.zipf(3.0), stats.zipf(2.5))  # its tail reaches to 10¹⁵
    assert found.value == pytest.approx(zipf, rel=1e-10)
    assert found.n < 50_000


@pytest.mark.parametrize("mean", [1e6, 1e7])
def test_wide_sums(mean):
    found = estimate_kl(stats.poisson(mean), stats.poisson(1.001 * mean))
    assert found.value == pytest.approx(mean * (0.001 - np.log1p(0.001)), rel=1e-6)
    assert found.n < 1_000_000


def test_finite_discrete_supports():
    value = 5 * (0.3 * np.log(0.3 / 0.4) + 0.7 * np.log(0.7 / 0.6))
    assert estimate_kl(stats.binom(5, 0.3), stats.binom(5, 0.4)).value == pytest.approx(value, rel=1e-14)
    assert estimate_kl(stats.binom(5, 0.3), stats.binom(6, 0.4)).value < np.inf
    p, q = (stats.rv_discrete(values=([0.5, 1, 7], w)) for w in ([0.2, 0.3, 0.5], [0.3, 0.3, 0.4]))
    value = 0.2 * np.log(2 / 3) + 0.5 * np.log(5 / 4)
    assert estimate_kl(p(), q()).value == pytest.approx(value, rel=1e-13)
    dice = stats.rv_discrete(values=([1, 2, 3], [0.2, 0.3, 0.5]))()
    value = np.dot([0.2, 0.3, 0.5], np.log([0.2, 0.3, 0.5]) - stats.poisson(2).logpmf([1, 2, 3]))
    assert estimate_kl(dice, stats.poisson(2)).value == pytest.approx(value, rel=1e-13)


INFINITE = {
    "support": (stats.norm(), stats.lognorm(1)),
    "wider": (stats.uniform(0, 2), stats.uniform()),
    "counts": (stats.binom(12, 0.3), stats.binom(10, 0.2)),
    "lattice": (stats.poisson(4, loc=0.5), stats.poisson(4)),
    "points": (stats.poisson(2), stats.rv_discrete(values=([0, 1], [0.5, 0.5]))()),
    "measures": (stats.poisson(2), stats.norm()),
    "simplex": (stats.dirichlet([1.0, 2.0]), stats.multivariate_normal([0, 0])),
    "subspace": (
        stats.multivariate_normal([0, 0], [[1, 1], [1, 1]], allow_singular=True),
        stats.multivariate_normal([0, 0]),
    ),
    "tail": (stats.cauchy(), stats.norm()),
    "logarithmic": (stats.t(2), stats.norm()),
    "sum": (stats.zipf(1.5), stats.poisson(3, loc=1)),
    "PyMC": (pm.Cauchy.dist(0, 1), pm.Normal.dist(0, 1)),
    "truncated": (pm.Normal.dist(0, 1), pm.Truncated.dist(pm.Normal.dist(0, 1), -1, 2)),
    "atoms": (pm.Censored.dist(pm.Normal.dist(0, 1), -1, 1), pm.Normal.dist(0, 1)),
    "other atoms": tuple(pm.Censored.dist(pm.Normal.dist(0, 1), -b, b) for b in (1, 2)),
    "draws": (stats.multinomial(5, [0.2, 0.8]), stats.multinomial(6, [0.3, 0.7])),
}


@pytest.mark.parametrize(("p", "q"), INFINITE.values(), ids=INFINITE)
def test_infinite(p, q):
    found = estimate_kl(p, q, random_state=1)
    assert found.value == np.inf
    assert found.converged


UNSURE = {
    "slow tail": (stats.t(2.01), stats.norm()),
    "slower": (stats.t(2.0001), stats.norm()),
    "end that floats cannot resolve": (stats.beta(0.01, 0.01), stats.beta(2, 3)),
    "noisy density": (stats.gamma(1e8), stats.gamma(1e8 + 1)),
    "p underflows before the tail ends": (stats.hypsecant(), stats.gumbel_l()),
    "terms fall like 1/k but for a logarithm": (stats.zipf(2.0), stats.poisson(3, loc=1)),
    "slow sum": (stats.zipf(1.5), stats.zipf(1.2)),
    "heavy ratios": (stats.multivariate_t([0, 0], np.eye(2), 2), stats.multivariate_normal([0, 0])),
}


@pytest.mark.parametrize(("p", "q"), UNSURE.values(), ids=UNSURE)
def test_says_so_where_it_cannot_know(p, q):
    with pytest.warns(EstimateWarning):
        found = estimate_kl(p, q, random_state=1)
    assert not found.converged
    assert "not converged" in repr(found)
    assert found.value == np.inf or found.error > 1e-9 * found.value


def test_slow_tails_are_within_their_error():
    with pytest.warns(EstimateWarning):
        found = estimate_kl(stats.t(2.01), stats.norm())
    # E[X²] = ν/(ν − 2)
    value = 0.5 * 201.0 + 0.5 * np.log(2 * np.pi) - stats.t(2.01).entropy()
    assert abs(found.value - value) < found.error
    with pytest.warns(EstimateWarning):
        found = estimate_kl(stats.gamma(0.01), stats.gamma(5))
    assert abs(found.value - float(kl(stats.gamma(0.01), stats.gamma(5)))) < found.error


class Unnormalised:
    def logpdf(self, x):
        return stats.norm().logpdf(x) + 0.1

    def rvs(self, size):
        return np.random.default_rng(1).standard_normal(size)


def test_a_density_that_is_none():
    with pytest.warns(EstimateWarning, match="the mass found of p is 1.105"):
        assert estimate_kl(Unnormalised(), stats.norm(1)).error == np.inf


UNKNOWN = {
    "SciPy": (lambda: stats.norm(np.nan, 1), stats.cauchy(), "loc of p is NaN"),
    "shape and scale": (
        lambda: stats.gamma(np.nan, scale=np.nan),
        stats.cauchy(),
        "a and scale of p are",
    ),
    "several dimensions": (
        lambda: stats.multivariate_normal([np.nan, 0.0]),
        stats.multivariate_t([0.0, 0.0], np.eye(2), 3.0),
        "mean of p is NaN",
    ),
    "PyMC": (lambda: pm.Normal.dist(np.nan, 1), stats.cauchy(), "mu of p is NaN"),
    "PyMC checks it": (lambda: pm.Gamma.dist(np.nan, 1), stats.cauchy(), "alpha of p is NaN"),
    "PyMC cannot draw": (lambda: pm.Poisson.dist(np.nan), stats.nbinom(2, 0.5), "mu of p is NaN"),
    "no family": (lambda: pm.SkewNormal.dist(0, 1, np.nan), stats.cauchy(), "a parameter of p is NaN"),
    "our own": (lambda: StudentT(3.0, np.nan), stats.cauchy(), "loc of p is NaN"),
}


@pytest.mark.parametrize(("p", "q", "why"), UNKNOWN.values(), ids=UNKNOWN)
def test_a_parameter_that_is_nan(p, q, why):
    with pytest.warns(EstimateWarning, match=f"not to be relied on: {why}"):
        found = estimate_kl(p(), q)
    assert np.isnan(found.value)
    assert found.converged is False
    with pytest.warns(EstimateWarning, match=why.replace(" p ", " q ")):
        assert np.isnan(estimate_kl(q, p()).value)


def test_nan_in_a_batch():
    for method in ("quadrature", "monte carlo"):
        with pytest.warns(EstimateWarning, match="loc of p is NaN"):
            both = estimate_kl(stats.norm([np.nan, 0.0]), stats.norm(1), method=method, draws=200)
        np.testing.assert_array_equal(np.isnan(both.value), [True, False])
        np.testing.assert_array_equal(both.converged, [False, True])


class Broken(Unnormalised):
    def logpdf(self, x):
        return np.full(np.shape(x), np.nan)


def test_a_density_that_is_not_a_number_at_draws():
    with pytest.warns(EstimateWarning, match="q: .*not a number|a log density is not a number"):
        found = estimate_kl(stats.norm(), Broken(), method="monte carlo", draws=200)
    assert not found.converged


COVERAGE = {
    "near": (stats.multivariate_normal([0, 0]), stats.multivariate_normal([0.01, 0])),
    "unequal": (stats.multivariate_normal([0, 0]), stats.multivariate_normal([1, 0], 2.0)),
    "wide": (stats.multivariate_normal([0, 0]), stats.multivariate_normal([0, 0], 100.0)),
    "far": (stats.multivariate_normal([0, 0]), stats.multivariate_normal([5, 5])),
    "gamma": (stats.gamma(2.0), stats.gamma(2.5)),
}


@pytest.mark.parametrize(("p", "q"), COVERAGE.values(), ids=COVERAGE)
def test_standard_errors_cover(p, q):
    value = float(kl(p, q))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimateWarning)
        found = [estimate_kl(p, q, method="monte carlo", draws=500, random_state=seed) for seed in range(200)]
    assert np.mean([one.converged for one in found]) > 0.95
    off = np.array([(one.value - value) / one.error for one in found])
    assert 0.9 <= np.mean(abs(off) < 1.96) <= 1.0
    assert abs(off.mean()) < 0.35
    assert all(one.value >= 0.0 for one in found)


def test_without_a_sampler_of_q():
    class Density:
        def logpdf(self, x):
            return stats.norm(1).logpdf(x)

    found = estimate_kl(stats.norm(), Density(), method="monte carlo", random_state=1)
    assert abs(found.value - 0.5) < 4 * found.error
    assert found.n == 20_000
    with pytest.raises(TypeError, match=r"p: .*Density has no sampler"):
        estimate_kl(Density(), stats.norm(), method="monte carlo")


@pytest.mark.slow
def test_mixtures_of_pymc_and_of_scipy():
    p = pm.Mixture.dist([0.3, 0.7], [pm.Normal.dist(-2, 1), pm.Normal.dist(3, 0.5)])
    q = pm.Normal.dist(1, 3)
    same = stats.Mixture([stats.Normal(mu=-2.0), stats.Normal(mu=3.0, sigma=0.5)], weights=[0.3, 0.7])
    found, reference = estimate_kl(p, q), estimate_kl(same, stats.norm(1, 3))
    assert found.value == pytest.approx(reference.value, rel=1e-12)
    drawn = estimate_kl(p, q, method="monte carlo", random_state=2)
    assert drawn.converged
    assert abs(drawn.value - found.value) < 4 * drawn.error < 0.02
    assert estimate_kl(p, same).value < 1e-12


def test_atoms():
    p, q = (pm.Censored.dist(pm.Normal.dist(0, s), -1, 1) for s in (1, 2))
    found = estimate_kl(p, q, random_state=1)
    mass = [stats.norm(0, s).sf(1) for s in (1, 2)]
    inside = stats.norm().expect(lambda x: stats.norm().logpdf(x) - stats.norm(0, 2).logpdf(x), lb=-1, ub=1)
    value = inside + 2 * mass[0] * np.log(mass[0] / mass[1])
    assert found.method == "monte carlo"
    assert abs(found.value - value) < 4 * found.error < 0.01
    inner = estimate_kl(pm.Uniform.dist(-0.5, 0.5), p, random_state=1)
    value = stats.uniform(-0.5, 1).expect(lambda x: -stats.norm().logpdf(x))
    assert abs(inner.value - value) < 4 * inner.error < 0.05


MULTIVARIATE = {
    "normal": (stats.multivariate_normal([0, 0], [[1, 0.5], [0.5, 2]]), stats.multivariate_normal([1, 0])),
    "ours": (MultivariateNormal([0, 0], Dense([[1, 0.5], [0.5, 2]])), stats.multivariate_normal([1, 0])),
    "matrix": (stats.matrix_normal(np.zeros((2, 3))), stats.matrix_normal(np.ones((2, 3)))),
    "PyMC": (pm.MvNormal.dist([0, 0], np.eye(2)), stats.multivariate_normal([1, 0])),
}


@pytest.mark.parametrize(("p", "q"), MULTIVARIATE.values(), ids=MULTIVARIATE)
def test_multivariate(p, q):
    found = estimate_kl(p, q, random_state=1)
    value = kl(p, q)
    value = value.eval() if hasattr(value, "eval") else value
    assert abs(found.value - value) < 4 * found.error < 0.1


def test_other_multivariate_distributions_of_scipy():
    dirichlet = [stats.dirichlet(a) for a in ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])]
    # Of two Dirichlets, from the digamma function at 1, 2, 3 and 6: γ cancels.
    value = (
        np.log(120 / 2) - np.log(120 / 1) + (-1) * (0 - 2.283333333333333) + (1) * (1.5 - 2.283333333333333)
    )
    assert abs(estimate_kl(*dirichlet, random_state=1).value - value) < 0.03
    wishart = [stats.wishart(5, scale) for scale in (np.eye(2), 2 * np.eye(2))]
    value = 2.5 * (2 * np.log(2) - 2 + 1)
    found = estimate_kl(*wishart, random_state=1, draws=2_000)
    assert abs(found.value - value) < 4 * found.error < 0.3
    with pytest.raises(TypeError, match=r"q: scipy\.stats\.special_ortho_group has no density"):
        estimate_kl(wishart[0], stats.special_ortho_group(3))


def test_batches():
    p, q = stats.norm([0.0, 1.0], 1.0), stats.norm([[0.0], [2.0], [3.0]], 1.0)
    found = estimate_kl(p, q)
    np.testing.assert_allclose(found.value, kl(p, q), rtol=1e-12)
    assert found.value.shape == found.error.shape == found.converged.shape == (3, 2)
    assert not found.value.flags.writeable
    drawn = estimate_kl(p, q, method="monte carlo", random_state=1)
    assert np.all(abs(drawn.value - found.value) <= 4 * drawn.error + 1e-15)
    counts = estimate_kl(stats.poisson([1, 2]), stats.geom(0.3, loc=-1))
    assert counts.value[1] == estimate_kl(stats.poisson(2), stats.geom(0.3, loc=-1)).value
    batch = estimate_kl(pm.StudentT.dist(3, mu=[0.0, 1.0], sigma=1), stats.norm([[0], [1]], 1))
    assert batch.value[0, 1] == pytest.approx(estimate_kl(stats.t(3, 1), stats.norm()).value, rel=1e-12)


def test_seeds():
    p, q = MULTIVARIATE["normal"]
    for seed in (7, np.random.default_rng(7)):
        first = estimate_kl(p, q, random_state=seed)
        again = estimate_kl(p, q, random_state=7)
        assert (first.value, first.error) == (again.value, again.error)
    assert estimate_kl(p, q, random_state=8).value != first.value
    legacy = [estimate_kl(p, q, random_state=np.random.RandomState(3)).value for _ in range(2)]
    assert legacy[0] == legacy[1]
    drawn = [estimate_kl(*MULTIVARIATE["PyMC"], random_state=1).value for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_the_result_reads_well():
    found = estimate_kl(stats.norm(), stats.norm(1))
    assert float(found) == found.value
    assert repr(found).startswith("KLEstimate(0.5")
    assert "quadrature, n=" in repr(found)
    with pytest.raises(AttributeError):
        found.value = 1.0


a = pt.scalar("a")
REFUSED = [
    (object(), stats.norm(), TypeError, "p: object has no density"),
    (stats.norm(), stats.norm, TypeError, "q: scipy.stats.norm is not frozen"),
    (
        stats.norm(0, -1),
        stats.norm(),
        ValueError,
        r"p: scipy.stats.norm\(0, -1\) has parameters out of its domain",
    ),
    (a, stats.norm(), TypeError, "p: a is not a random variable"),
    (pm.Normal.dist(a, 1), stats.norm(), ValueError, "p: NormalRV depends on a, which has no value"),
    (pm.Normal.dist(pm.Normal.dist(), 1), stats.norm(), ValueError, "p: .* parameter that is random itself"),
    (stats.norm(), GeneralizedGamma(a), ValueError, "q: Gamma is symbolic"),
    (stats.norm(), MULTIVARIATE["normal"][0], ValueError, r"different event shapes.*: .* \(\), q .* \(2,\)"),
    (stats.norm([0, 1]), stats.norm([0, 1, 2]), ValueError, "does not broadcast"),
]


def test_errors_of_other_libraries_say_of_which_side_they_are():
    with pytest.raises(ValueError, match=r"^p: the log density of dirichlet fails"):
        estimate_kl(stats.dirichlet([0.01, 0.02]), stats.dirichlet([1.0, 2.0]), random_state=0)
    with pytest.raises(ValueError, match="draws must be a whole number"):
        estimate_kl(stats.norm(), stats.norm(), draws=1e4)


@pytest.mark.parametrize(("p", "q", "error", "message"), REFUSED)
def test_refused(p, q, error, message):
    with pytest.raises(error, match=message):
        estimate_kl(p, q)


def test_methods_that_are_not_for_the_pair():
    with pytest.raises(ValueError, match="method must be one of"):
        estimate_kl(stats.norm(), stats.norm(), method="guess")
    with pytest.raises(ValueError, match="univariate discrete pairs"):
        estimate_kl(stats.norm(), stats.norm(), method="exact sum")


def test_closed_forms_that_are_missing_offer_it():
    with pytest.raises(NoClosedFormError, match=r"kl_plugins\.estimate_kl estimates"):
        kl(stats.levy_stable(1.5, 0.0), stats.norm())
    with pytest.raises(NoClosedFormError, match=r"kl_plugins\.estimate_kl estimates"):
        kl(pm.SkewNormal.dist(mu=0, sigma=1, alpha=3), stats.norm())


def test_no_warning_where_all_is_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for p, q in [(stats.beta(2, 3), stats.beta(3, 2)), (stats.vonmises(2), stats.vonmises(1, loc=0.5))]:
            assert estimate_kl(p, q).converged
