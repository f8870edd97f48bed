"""pm.Truncated and stats.truncate: the families that they are, by SciPy's names for the same."""

import numpy as np
import pymc as pm
import pytest
from pytensor import tensor as pt
from scipy import stats

from family_graphs import errors_of_graph
from graphs import value
from kl_plugins import NoClosedFormError, kl
from kl_plugins.extend import GeneralizedGamma, TruncatedLogNormal, recognise

truncate = pm.Truncated.dist

PYMC = {
    "exponential": (pm.Exponential, (2.0,), 0.5, 3.0, stats.truncexpon(5.0, 0.5, 0.5)),
    "exponential, upper end": (pm.Exponential, (2.0,), None, 3.0, stats.truncexpon(6.0, 0.0, 0.5)),
    "exponential, lower end": (pm.Exponential, (2.0,), 0.5, None, stats.expon(0.5, 0.5)),
    "Weibull": (pm.Weibull, (2.0, 1.5), 0.5, 3.0, stats.truncweibull_min(2.0, 1.0 / 3.0, 2.0, 0.0, 1.5)),
    "Pareto": (pm.Pareto, (2.0, 1.5), 2.0, 3.0, stats.truncpareto(2.0, 1.5, 0.0, 2.0)),
    "Pareto, lower end": (pm.Pareto, (2.0, 1.5), 2.0, None, stats.pareto(2.0, 0.0, 2.0)),
    "half-normal": (pm.HalfNormal, (2.0,), 0.5, 3.0, stats.truncnorm(0.25, 1.5, 0.0, 2.0)),
    "uniform": (pm.Uniform, (0.0, 2.0), 0.5, 3.0, stats.uniform(0.5, 1.5)),
    "normal": (pm.Normal, (0.0, 2.0), 0.5, 3.0, stats.truncnorm(0.25, 1.5, 0.0, 2.0)),
    "Laplace, above": (pm.Laplace, (0.0, 2.0), 0.5, 3.0, stats.truncexpon(1.25, 0.5, 2.0)),
    "Laplace, above, one end": (pm.Laplace, (0.0, 2.0), 0.5, None, stats.expon(0.5, 2.0)),
}


@pytest.mark.parametrize("name", PYMC)
def test_pymc(name):
    family, parameters, lower, upper, same = PYMC[name]
    p = truncate(family.dist(*parameters), lower=lower, upper=upper)
    assert type(recognise(p)) is type(recognise(same))
    assert value(kl(p, same)) == pytest.approx(0.0, abs=1e-15)


def test_log_normal_ones():
    """A truncated variable is closer to the whole one by minus the logarithm of the probability."""
    p = truncate(pm.LogNormal.dist(0.3, 0.5), lower=0.5, upper=3.0)
    assert type(recognise(p)) is TruncatedLogNormal
    lost = -np.log(np.diff(stats.lognorm(0.5, scale=np.exp(0.3)).cdf([0.5, 3.0])))
    assert value(kl(p, pm.LogNormal.dist(0.3, 0.5))) == pytest.approx(lost[0], rel=1e-13)
    base = stats.truncnorm(-2.0, 2.0, 0.0, 0.5), stats.truncnorm(-1.0, 1.0, 0.0, 1.0)
    sides = [truncate(pm.LogNormal.dist(0.0, s), lower=np.exp(-1.0), upper=np.e) for s in (0.5, 1.0)]
    assert value(kl(*sides)) == pytest.approx(kl(*base), rel=1e-12)
    assert value(kl(sides[0], truncate(pm.LogNormal.dist(0.0, 1.0), lower=0.5, upper=9.0))) == np.inf


SCIPY = {
    "expon": ({}, 0.5, 3.0, stats.truncexpon(2.5, 0.5)),
    "laplace": ({}, -3.0, -0.5, None),
    "bradford": ({"c": 3.0}, 0.25, 0.75, stats.bradford(1.5 / 1.75, 0.25, 0.5)),
    "loguniform": ({"a": 0.5, "b": 4.0}, 1.0, 9.0, stats.loguniform(1.0, 4.0)),
    "truncexpon": ({"b": 3.0}, 0.5, 9.0, stats.truncexpon(2.5, 0.5)),
    "lognorm": ({"s": 0.5}, 0.5, 3.0, None),
}


@pytest.mark.parametrize("name", SCIPY)
def test_scipy(name):
    """Beside the whole distribution it is minus the logarithm of the probability."""
    shapes, low, high, same = SCIPY[name]
    generator = getattr(stats, name)
    whole = stats.make_distribution(generator)(**shapes)
    p = stats.truncate(whole, low, high)
    lost = -np.log(np.diff(generator(**shapes).cdf([low, high])))
    assert kl(p, whole) == pytest.approx(lost[0], rel=1e-12)
    if same is not None:
        assert kl(p, same) == pytest.approx(0.0, abs=1e-15)


def test_mirrored_exponential():
    made = recognise(stats.truncate(stats.make_distribution(stats.laplace)(), ub=-0.5))
    assert isinstance(made, GeneralizedGamma)
    assert (made.loc, made.scale, made.sign) == (-0.5, 1.0, -1.0)


def test_batches():
    p = truncate(pm.Exponential.dist(2.0), lower=0.5, upper=3.0, shape=(3,))
    one = kl(stats.truncexpon(5.0, 0.5, 0.5), stats.expon(scale=[1.0, 0.5, 0.25]))
    assert value(kl(p, pm.Exponential.dist([1.0, 2.0, 4.0]))) == pytest.approx(one, rel=1e-14)
    assert kl(p, pm.Exponential.dist(1.0)).type.shape == (3,)


@pytest.mark.parametrize("family", ["Exponential", pytest.param("LogNormal", marks=pytest.mark.slow)])
def test_graphs_and_their_gradients(family):
    if family == "Exponential":
        errors = errors_of_graph(
            lambda a, b, c: (
                truncate(pm.Exponential.dist(a), lower=0.5, upper=b),
                truncate(pm.Exponential.dist(2.0), lower=c, upper=5.0),
            ),
            lambda a, b, c: (
                stats.truncexpon((b - 0.5) * a, 0.5, 1.0 / a),
                stats.truncexpon((5.0 - c) * 2.0, c, 0.5),
            ),
            [1.5, 2.0, 0.25],
        )
    else:
        errors = errors_of_graph(
            lambda a, b, c: (
                truncate(pm.LogNormal.dist(a, 0.5), lower=0.5, upper=b),
                truncate(pm.LogNormal.dist(0.0, c), upper=5.0),
            ),
            lambda a, b, c: (
                stats.truncnorm((np.log(0.5) - a) / 0.5, (np.log(b) - a) / 0.5, a, 0.5),
                stats.truncnorm(-np.inf, np.log(5.0) / c, 0.0, c),
            ),
            [0.3, 2.0, 1.5],
        )
    assert np.max(errors) < 1e-7


def test_what_is_refused():
    with pytest.raises(NoClosedFormError, match=r"^p: .* \(pm\.Truncated of pm\.Gamma\)"):
        kl(truncate(pm.Gamma.dist(2.0, 1.0), lower=0.5), pm.Normal.dist())
    with pytest.raises(NoClosedFormError, match=r"a truncated Gamma"):
        kl(stats.truncate(stats.make_distribution(stats.gamma)(a=2.0), 0.5, 3.0), stats.norm())
    with pytest.raises(NoClosedFormError, match=r"\(pm\.Truncated of pm\.Laplace\)"):
        kl(truncate(pm.Laplace.dist(0.0, 1.0), lower=-0.5, upper=0.5), pm.Normal.dist())
    wrong = truncate(pm.Exponential.dist(2.0), lower=3.0, upper=0.5)
    with pytest.raises(ValueError, match=r"^p: the lower end must be less than the upper end"):
        kl(wrong, pm.Normal.dist())
    for lower, upper in [(np.inf, None), (None, -np.inf)]:
        with pytest.raises(ValueError, match=r"^p: the lower end must be less than the upper end"):
            kl(truncate(pm.Exponential.dist(2.0), lower=lower, upper=upper), pm.Normal.dist())
    lower = pt.dscalar("lower")
    term = kl(*[truncate(pm.Poisson.dist(mean), lower=lower) for mean in (1.0, 2.0)])
    with pytest.raises(ValueError, match="must have outcomes"):
        value(term, {lower: np.inf})


@pytest.mark.parametrize("family", [pm.Exponential.dist(2.0), pm.Weibull.dist(2.0, 1.0)])
def test_ends_of_a_graph_that_are_refused(family):
    upper = pt.dvector("upper")
    term = kl(truncate(family, lower=0.5, upper=upper), truncate(family, upper=9.0))
    for last, message in [
        (-2.0, "the lower end must be less than the upper end"),
        (np.inf, "have to be known"),
    ]:
        with pytest.raises(ValueError, match=message):
            value(term, {upper: [4.0, last]})


def test_batches_of_ends_of_scipy():
    normal = stats.make_distribution(stats.norm)()
    for low in ([-1.0, 0.5], [-np.inf, -np.inf]):
        expected = kl(stats.truncnorm(low, 2.0), stats.norm())
        found = kl(stats.truncate(normal, np.array(low), 2.0), stats.norm())
        assert found == pytest.approx(expected, rel=1e-13)


def test_ends_that_are_nan():
    lower = pt.dscalar("lower")
    p, q = (truncate(pm.LogNormal.dist(mean, 1.0), lower=lower) for mean in (0.3, 0.0))
    assert np.isnan(value(kl(p, q), {lower: np.nan}))
