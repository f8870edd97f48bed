"""Censored variables, judged by quadrature, SciPy's tails and mpmath."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats

from family_graphs import errors_of_graph
from graphs import value
from kl_plugins import NoClosedFormError, explain, kl
from kl_plugins.extend import Censored, GeneralizedGamma, LogNormal, Normal


def exact(p, q, low, high):
    """The two atoms, and the density between them."""
    atoms = [(p.logcdf(low), q.logcdf(low)), (p.logsf(high), q.logsf(high))]
    total = sum(np.exp(own) * (own - other) for own, other in atoms if own > -np.inf)
    ends = max(low, p.ppf(1e-20)), min(high, p.isf(1e-20))
    inside, _ = integrate.quad(
        lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), *ends, epsabs=1e-14, epsrel=1e-12
    )
    return total + inside


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 2.0), (-np.inf, 0.5), (0.25, np.inf), (-5.0, 9.0), (3.0, 4.0)]
)
def test_normal_ones(low, high):
    p, q = Censored(low, high, Normal(0.3, 1.5)), Censored(low, high, Normal(-0.4, 1.0))
    assert kl(p, q) == pytest.approx(exact(stats.norm(0.3, 1.5), stats.norm(-0.4), low, high), rel=1e-12)
    assert kl(p, p) == 0.0


def test_exponential_and_log_normal_ones():
    p, q = (Censored(-np.inf, 1.25, GeneralizedGamma(1.0, scale)) for scale in (0.5, 2.0))
    assert kl(p, q) == pytest.approx(exact(stats.expon(scale=0.5), stats.expon(scale=2.0), -np.inf, 1.25))
    p, q = (Censored(0.5, 1.9, LogNormal(Normal(0.0, s), scale)) for s, scale in ((0.5, 1.3), (1.0, 1.0)))
    assert kl(p, q) == pytest.approx(exact(stats.lognorm(0.5, scale=1.3), stats.lognorm(1.0), 0.5, 1.9))


@pytest.mark.parametrize("step", [1e-3, 1e-6, 1e-9])
def test_neighbours(step):
    with mp.workdps(50):
        mean, scale = mp.mpf(step), mp.mpf(1.0 + 2.0 * step)
        ends = [(-1, 1), (2, -1)]
        total = mp.quad(lambda x: mp.npdf(x) * mp.log(mp.npdf(x) / mp.npdf(x, mean, scale)), [-1, 0, 1, 2])
        for end, side in ends:
            own, other = mp.ncdf(side * mp.mpf(end)), mp.ncdf(side * (end - mean) / scale)
            total += own * mp.log(own / other)
        judged = float(total)
    p, q = Censored(-1.0, 2.0, Normal(0.0, 1.0)), Censored(-1.0, 2.0, Normal(step, 1.0 + 2.0 * step))
    assert kl(p, q) == pytest.approx(judged, rel=1e-12)


def test_masses_that_are_hardly_there():
    """Beyond the floats on p's side, nearly all on q's: minus the logarithm of what q has between."""
    p, q = Censored(0.0, np.inf, Normal(50.0, 1.0)), Censored(0.0, np.inf, Normal(-5.0, 1.0))
    assert kl(p, q) == pytest.approx(0.5 * 55.0**2, rel=1e-12)


def test_batches_and_other_ends():
    p = Censored(-1.0, 2.0, Normal([1.0, 2.0, np.nan], 1.0))
    found = kl(p, Censored(-1.0, [2.0, 3.0, 2.0], Normal(0.0, 1.0)))
    one, other = (Censored(-1.0, 2.0, Normal(mean, 1.0)) for mean in (1.0, 0.0))
    assert found[0] == pytest.approx(kl(one, other), rel=1e-14)
    assert found[1] == np.inf
    assert np.isnan(found[2])
    assert kl(Censored(-1.0, np.inf, Normal(0.0, 1.0)), Censored(-1.0, 2.0, Normal(0.0, 1.0))) == np.inf
    assert kl(p, stats.norm()).tolist()[:2] == [np.inf, np.inf]
    with pytest.raises(ValueError, match="the lower end must be less than the upper end"):
        Censored(2.0, 1.0, Normal(0.0, 1.0))


def test_what_has_no_end_where_the_other_side_has_one():
    for end in (-1.0, np.array([-1.0, 2.0, np.nan])):
        for p, q in (
            (stats.norm(), Censored(end, np.inf, Normal(0.0, 1.0))),
            (stats.expon(), Censored(-np.inf, end, Normal(0.0, 1.0))),
            (stats.gumbel_l(), Censored(end - 1.0, end, Normal(0.0, 1.0))),
            (stats.levy_l(), Censored(end, np.inf, Normal(0.0, 1.0))),
        ):
            expected = np.where(np.isnan(end), np.nan, np.inf)
            np.testing.assert_array_equal(kl(p, q), expected)
    assert value(kl(pm.Normal.dist(), pm.Censored.dist(pm.Normal.dist(), -1.0, 1.0))) == np.inf
    with pytest.raises(NoClosedFormError, match="one side is censored and the other is not"):
        kl(stats.levy_l(), Censored(-np.inf, 1.0, Normal(0.0, 1.0)))


def of_normals(lower, upper):
    return [Censored(lower, upper, Normal(mean, 1.0)) for mean in (0.3, 0.0)]


def of_log_normals(lower, upper):
    return [Censored(lower, upper, LogNormal(Normal(mean, 1.0))) for mean in (0.3, 0.0)]


@pytest.mark.parametrize(
    ("pair", "lower"), [(of_normals, -np.inf), (of_log_normals, 0.0), (of_log_normals, -1.0)]
)
def test_ends_with_nothing_beyond_are_none(pair, lower):
    one = pair(-np.inf, 1.0)
    expected = kl(*one)
    assert kl(*pair(lower, 1.0)) == kl(pair(lower, 1.0)[0], one[1]) == expected
    assert kl(*pair(np.full(2, lower), [1.0, 2.0]))[0] == pytest.approx(expected, rel=1e-13)
    assert kl(one[0], pair([lower, 0.5], 1.0)[1]) == pytest.approx([expected, np.inf], rel=1e-13)
    with pytest.raises(NoClosedFormError, match="some ends of a batch have nothing beyond them"):
        kl(pair([lower, 0.5], 1.0)[0], one[1])
    assert np.isnan(kl(pair([0.5, np.nan], 1.0)[0], one[1])).tolist() == [False, True]


@pytest.mark.parametrize("pair", [of_normals, of_log_normals])
def test_nothing_is_censored(pair):
    (p, q), expected = pair(-np.inf, np.inf), kl(*[side.base for side in pair(-np.inf, np.inf)])
    assert kl(p, q) == pytest.approx(expected, rel=1e-14)
    assert kl(p, q.base) == expected
    assert kl(*[Censored(-np.inf, np.inf, GeneralizedGamma(1.0, scale)) for scale in (1.0, 1.0)]) == 0.0
    with pytest.raises(NoClosedFormError, match="some of a batch are censored and others are not"):
        kl(pair(-np.inf, [1.0, np.inf])[0], q.base)
    assert kl(pair([0.25, np.nan], np.inf)[0], q.base).tolist() == pytest.approx(
        [np.inf, np.nan], nan_ok=True
    )


def test_ends_that_leave_nothing():
    for lower, upper in [(np.inf, np.inf), (-np.inf, -np.inf), (np.inf, -np.inf)]:
        with pytest.raises(ValueError, match="the lower end must be less than the upper end"):
            kl(pm.Censored.dist(pm.Normal.dist(), lower, upper), pm.Normal.dist())
    for base in (LogNormal(Normal(0.3, 0.5)), GeneralizedGamma(1.0, 2.0)):
        with pytest.raises(ValueError, match="the upper end must be greater than the least value"):
            Censored(-np.inf, [0.5, 0.0], base)


@pytest.mark.slow
def test_ends_that_only_a_running_graph_knows():
    end = pt.dscalar("end")
    sides = [pm.Censored.dist(pm.LogNormal.dist(mean), end, 3.0) for mean in (0.3, 0.0)]
    term, to_whole = kl(*sides), kl(sides[0], pm.LogNormal.dist(0.0))
    assert value(term, {end: 0.5}) == pytest.approx(kl(*of_log_normals(0.5, 3.0)), rel=1e-13)
    assert value(to_whole, {end: 0.5}) == np.inf
    assert np.isnan(value(term, {end: np.nan}))
    for x in (0.0, -np.inf):
        with pytest.raises(ValueError, match=r"nothing of p is beyond its lower end.*make it a constant"):
            value(term, {end: x})
    whole = kl(pm.Censored.dist(pm.Normal.dist(), upper=end), pm.Normal.dist())
    with pytest.raises(ValueError, match=r"nothing of p is beyond its lower or upper end"):
        value(whole, {end: np.inf})
    term = kl(*[pm.Censored.dist(pm.LogNormal.dist(mean), upper=end) for mean in (0.3, 0.0)])
    with pytest.raises(ValueError, match="the upper end must be greater than the least value"):
        value(term, {end: -1.0})


def test_what_has_no_closed_form():
    p = Censored(-np.inf, 1.0, GeneralizedGamma(2.0, 1.0))
    with pytest.raises(NoClosedFormError, match="for two normal variables"):
        kl(p, Censored(-np.inf, 1.0, GeneralizedGamma(3.0, 1.0)))
    for inside in (stats.uniform(0.0, 1.0), stats.poisson(0.0), pm.Exponential.dist(1.0)):
        with pytest.raises(NoClosedFormError, match="one side is censored and the other is not"):
            kl(inside, Censored(-1.0, np.inf, Normal(0.0, 1.0)))
    with pytest.raises(NoClosedFormError, match="without a lower end"):
        kl(Censored(0.5, 1.0, GeneralizedGamma(1.0, 1.0)), Censored(0.5, 1.0, GeneralizedGamma(1.0, 2.0)))
    with pytest.raises(NoClosedFormError, match=r"pm\.Censored of pm\.Poisson"):
        kl(pm.Censored.dist(pm.Poisson.dist(2.0), upper=3), pm.Normal.dist())


def test_variables_of_pymc():
    p, q = (pm.Censored.dist(pm.Exponential.dist(rate), lower=0.0, upper=1.25) for rate in (2.0, 0.5))
    own = [Censored(-np.inf, 1.25, GeneralizedGamma(1.0, scale)) for scale in (0.5, 2.0)]
    assert value(kl(p, q)) == pytest.approx(kl(*own), rel=1e-14)
    assert explain(p, q).rule == "censored_censored"
    assert value(kl(p, pm.Exponential.dist(1.0))) == np.inf


@pytest.mark.slow
def test_graphs_and_their_gradients():
    errors = errors_of_graph(
        lambda a, b: (
            pm.Censored.dist(pm.Normal.dist(a, b), lower=-1.0, upper=2.0),
            pm.Censored.dist(pm.Normal.dist(0.0, 1.0), lower=-1.0, upper=2.0),
        ),
        lambda a, b: (Censored(-1.0, 2.0, Normal(a, b)), Censored(-1.0, 2.0, Normal(0.0, 1.0))),
        [0.3, 1.5],
    )
    assert np.max(errors) < 1e-7
