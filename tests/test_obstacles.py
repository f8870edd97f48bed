"""What is in the way of a pair's closed form is said in the words of whoever made the pair."""

import re

import pymc as pm
import pytest
from scipy import stats
from scipy.stats._distr_params import distcont

from kl_plugins import NoClosedFormError, explain, kl
from kl_plugins.families.binomial import Binomial
from kl_plugins.families.core.names import scipy_names
from kl_plugins.families.generalized_logistic import GeneralizedBetaPrime, GeneralizedLogistic

kl(stats.norm(), stats.norm())  # which loads the names
SHAPES = {name: tuple(shapes) for name, shapes in distcont if name in scipy_names}


def refusal(p, q):
    """What `kl` and `explain` say, which is the same; None where they do not refuse the pair."""
    found = []
    for function in (kl, explain):
        try:
            function(p, q)
        except NoClosedFormError as error:
            found.append(str(error))
        else:
            found.append(None)
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("name", SHAPES)
def test_what_differs_is_what_the_caller_gave(name):
    """Locations only where these differ, and no parameter that the distribution does not have."""
    generator, shapes = getattr(stats, name), SHAPES[name]
    own = [*(generator.shapes or "").replace(",", " ").split(), "loc", "scale"]
    given = dict(zip(own, (*shapes, 0.0, 1.0), strict=True))
    base = generator(**given)
    for changed in own if name != "vonmises" else own[:-1]:  # which has no scale
        value = given[changed]
        other = generator(**given | {changed: value + 0.3 if changed == "loc" else 1.1 * value})
        for pair in ((base, other), (other, base)):
            told = refusal(*pair)
            if told is None:
                continue
            assert ("locations differ" in told) <= (changed == "loc")
            for words in re.findall("they differ in ([^;:]*), so that", told):
                assert words == changed
            for words in re.findall("for a common ([^;:]*)", told):
                named = re.findall(r"[A-Za-z]\w*", words.replace(" and ", ", "))
                assert set(named) <= set(own)
                assert changed in named


PAIRS = {
    "shapes of two signs": (stats.genpareto(-0.5), stats.genpareto(0.5), "they differ in c, so that"),
    "upper ends": (stats.genpareto(-0.5), stats.genpareto(-0.5, scale=2), "they differ in scale, so that"),
    "two parameters": (stats.genextreme(0.1), stats.genextreme(0.2, 0, 3), "they differ in c and scale"),
    "locations": (stats.genpareto(0.5, 1), stats.genpareto(0.5), "their locations differ (a fit has them"),
    "two names": (stats.lognorm(1.0), stats.lomax(2.0), r"lomax(2.0): it needs the expectation"),
    "Burr's": (stats.burr(1, 2), stats.burr(2, 2), "for a common loc, scale and c;"),
    "Mielke's": (stats.mielke(1, 2), stats.mielke(1, 3), "for a common loc, scale and s;"),
    "two words": (stats.burr(1, 2), stats.mielke(1, 3), "for a common loc, scale and c (of q s);"),
    "skew t": (
        stats.jf_skew_t(1, 2),
        stats.jf_skew_t(1, 3),
        "for a common loc and scale·√(a + b);",
    ),
    "PyMC's": (
        pm.SkewStudentT.dist(1, 2, mu=0, sigma=1),
        pm.SkewStudentT.dist(1, 3, mu=0, sigma=1),
        "for a common mu and sigma·√(a + b);",
    ),
    "ours": (
        GeneralizedBetaPrime(GeneralizedLogistic(1.0, 2.0)),
        GeneralizedBetaPrime(GeneralizedLogistic(1.0, 2.0, 0.0, 2.0)),
        "for a common loc, scale and power;",
    ),
    "a batch": (stats.genpareto([-0.6, -0.7]), stats.genpareto(-0.5), "they differ in c, so that"),
}


@pytest.mark.parametrize(("p", "q", "words"), PAIRS.values(), ids=PAIRS)
def test_what_is_in_the_way(p, q, words):
    assert words in refusal(p, q)


INVALID = {
    "a vector": (lambda: stats.norm(0.0, [1.0, 2.0, -3.0]), "must be positive, got -3 at index 2, in scipy"),
    "a matrix": (lambda: stats.gamma([[1.0, 2.0], [3.0, -1.0]]), "got -1 at index (1, 1), in scipy"),
    "trials": (lambda: stats.poisson_binom([0.1, 1.2]), "p must be at most 1, got 1.2 at index 1, in scipy"),
    "probabilities": (
        lambda: stats.multinomial(3, [0.1, -0.2, 1.1]),
        "p must be probabilities, got -0.2 at index 1",
    ),
    "draws": (lambda: stats.multinomial(-3, [0.3, 0.7]), "n must be a whole number that is not negative"),
    "whole numbers": (lambda: Binomial([3.0, 2.5], 0.5), "must be a whole number, got 2.5 at index 1"),
    "ours": (lambda: GeneralizedLogistic([1.0, 0.0], 1.0), "a must be positive, got 0 at index 1"),
    "one number": (
        lambda: stats.norm(0.0, -3.0),
        "must be positive, in scipy.stats.norm(loc=0.0, scale=-3.0)",
    ),
}


@pytest.mark.parametrize(("make", "words"), INVALID.values(), ids=INVALID)
def test_which_of_several_numbers_is_invalid(make, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        kl(make(), stats.norm())


def test_many_degrees_of_freedom_have_a_limit():
    told = refusal(stats.t(1e9), stats.t(3))
    assert "to 1e+08 (the limit of more, a normal distribution, has infinitely many)" in told
    inf = float("inf")
    assert kl(stats.t(inf, 1.0, 2.0), stats.norm()) == kl(stats.norm(1.0, 2.0), stats.norm())
    assert kl(stats.t(3), stats.t(inf, 1.0, 2.0)) == kl(stats.t(3), stats.norm(1.0, 2.0))
