"""Names of SciPy that are images of other families: equal to what they are images of, and to quadrature."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

from derivatives import gradient_error
from family_oracle import divergence, expected, statement_error
from graphs import value
from kl_plugins import entropy, estimate_kl, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.extend import (
    BirnbaumSaunders,
    ExponentiatedWeibull,
    GeneralizedBetaPrime,
    GeneralizedGamma,
    GeneralizedLogistic,
    LogitNormal,
    Normal,
    Reciprocal,
    SinhTransformed,
    TruncatedNormal,
)

GUMBEL = 0.5 + 0.5 * np.log(2.0 * np.pi * np.pi**2 / 6.0) - 1.0 - np.euler_gamma
"""The divergence of a Gumbel distribution from the normal one of its mean and variance."""

PAIRS = {
    "halfgennorm": (
        (stats.halfgennorm(1.5, 0.3, 2.0), stats.halfgennorm(2.5, 0.3, 1.0)),
        (stats.gengamma(1 / 1.5, 1.5, scale=2.0), stats.gengamma(1 / 2.5, 2.5)),
    ),
    "f": (
        (stats.f(5.0, 10.0, 0.3, 2.0), stats.f(6.0, 3.0, 0.3, 8.0)),
        (stats.betaprime(2.5, 5.0), stats.betaprime(3.0, 1.5)),
    ),
    "genpareto, c > 0": (
        (stats.genpareto(0.25, 0.3, 2.0), stats.genpareto(0.5, 0.3, 4.0)),
        (stats.lomax(4.0), stats.lomax(2.0)),
    ),
    "genpareto, c = 0": (
        (stats.genpareto(0.0, 0.3, 2.0), stats.genpareto(0.0, 0.3, 4.0)),
        (stats.expon(scale=2.0), stats.expon(scale=4.0)),
    ),
    "genpareto, c < 0": (
        (stats.genpareto(-0.25, 0.3, 2.0), stats.genpareto(-0.5, 0.3, 4.0)),
        (stats.beta(1.0, 4.0), stats.beta(1.0, 2.0)),
    ),
    "genpareto, of two signs": (
        (stats.genpareto(0.25, 0.3, 2.0), stats.genpareto(0.0, 0.3, 4.0)),
        (stats.lomax(4.0, scale=8.0), stats.expon(scale=4.0)),
    ),
    "rdist and semicircular": (
        (stats.rdist(5.0, 0.3, 2.0), stats.semicircular(0.3, 2.0)),
        (stats.beta(2.5, 2.5), stats.beta(1.5, 1.5)),
    ),
    "genlogistic": (
        (stats.genlogistic(1.5, 0.3, 2.0), stats.genlogistic(2.5, 0.3, 2.0)),
        (stats.beta(1.5, 1.0), stats.beta(2.5, 1.0)),
    ),
    "genlogistic and logistic": (
        (stats.genlogistic(1.5, 0.3, 2.0), stats.logistic(0.3, 2.0)),
        (stats.beta(1.5, 1.0), stats.uniform()),
    ),
    "burr": (
        (stats.burr(4.0, 0.7, 0.3, 2.0), stats.burr(4.0, 2.0, 0.3, 2.0)),
        (stats.expon(scale=1 / 0.7), stats.expon(scale=0.5)),
    ),
    "burr12": (
        (stats.burr12(4.0, 1.7, 0.3, 2.0), stats.burr12(4.0, 2.0, 0.3, 2.0)),
        (stats.expon(scale=1 / 1.7), stats.expon(scale=0.5)),
    ),
    "mielke": (
        (stats.mielke(2.8, 4.0, 0.3, 2.0), stats.mielke(8.0, 4.0, 0.3, 2.0)),
        (stats.expon(scale=1 / 0.7), stats.expon(scale=0.5)),
    ),
    "burr12 and burr": (
        (stats.burr12(4.0, 1.7, 0.3, 2.0), stats.burr(4.0, 1.2, 0.3, 2.0)),
        (stats.betaprime(1.0, 1.7), stats.betaprime(1.2, 1.0)),
    ),
    "burr12 and fisk": (
        (stats.burr12(4.0, 1.7, 0.3, 2.0), stats.fisk(4.0, 0.3, 2.0)),
        (stats.beta(1.0, 1.7), stats.uniform()),
    ),
    "burr and lognorm": (
        (stats.burr(4.0, 1.0, 0.3, 2.0), stats.lognorm(0.5, 0.3, 3.0)),
        (stats.fisk(4.0, scale=2.0), stats.lognorm(0.5, scale=3.0)),
    ),
    "jf_skew_t": (
        (stats.jf_skew_t(3.0, 2.0, 0.3, 2.0), stats.jf_skew_t(1.5, 3.5, 0.3, 2.0)),
        (stats.beta(3.0, 2.0), stats.beta(1.5, 3.5)),
    ),
    "johnsonsu": (
        (stats.johnsonsu(1.0, 2.0, 0.3, 2.0), stats.johnsonsu(-0.5, 1.6, 0.3, 2.0)),
        (stats.norm(-0.5, 0.5), stats.norm(0.3125, 0.625)),
    ),
    "johnsonsb": (
        (stats.johnsonsb(1.0, 2.0, 0.3, 2.0), stats.johnsonsb(-0.5, 1.6, 0.3, 2.0)),
        (stats.norm(-0.5, 0.5), stats.norm(0.3125, 0.625)),
    ),
    "fatiguelife": (
        (stats.fatiguelife(0.6, 0.3, 2.0), stats.fatiguelife(0.9, 0.3, 2.0)),
        (stats.norm(0.0, 0.6), stats.norm(0.0, 0.9)),
    ),
    "powernorm": (
        (stats.powernorm(1.7, 0.3, 2.0), stats.powernorm(0.8, 0.3, 2.0)),
        (stats.expon(scale=1 / 1.7), stats.expon(scale=1 / 0.8)),
    ),
    "powerlognorm": (
        (stats.powerlognorm(1.7, 0.6, 0.3, 2.0), stats.powerlognorm(0.8, 0.6, 0.3, 2.0)),
        (stats.expon(scale=1 / 1.7), stats.expon(scale=1 / 0.8)),
    ),
    "exponweib": (
        (stats.exponweib(1.7, 1.4, 0.3, 2.0), stats.exponweib(0.8, 1.4, 0.3, 2.0)),
        (stats.expon(scale=1 / 1.7), stats.expon(scale=1 / 0.8)),
    ),
    "alpha": (
        (stats.alpha(2.5, 0.3, 2.0), stats.alpha(2.0, 0.3, 1.6)),
        (stats.truncnorm(-2.5, np.inf, 1.25, 0.5), stats.truncnorm(-2.0, np.inf, 1.25, 0.625)),
    ),
}

NO_ENTROPY = {"johnsonsu", "johnsonsb", "fatiguelife", "powernorm", "powerlognorm", "exponweib", "alpha"}
"""Whose entropies have no closed form."""

APART = {
    "a common loc and scale": [
        (stats.genlogistic(2.0), stats.genlogistic(2.0, scale=2.0)),
        (stats.johnsonsu(0.0, 1.0), stats.johnsonsu(0.0, 1.0, 1.0)),
        (stats.jf_skew_t(2.0, 3.0), stats.jf_skew_t(3.0, 3.0)),
        (stats.johnsonsb(0.0, 1.0, 1.0), stats.johnsonsb(0.0, 1.0, 0.0, 3.0)),
        (stats.fatiguelife(1.0), stats.fatiguelife(1.0, scale=2.0)),
        (stats.fatiguelife(1.0), stats.fatiguelife(1.0, -1.0)),
        (stats.powernorm(1.0), stats.powernorm(1.0, scale=[1.0, 2.0])),
    ],
    "a common loc, scale and s": [
        (stats.powerlognorm(2.0, 0.5), stats.powerlognorm(2.0, 0.6)),
        (stats.mielke(2.0, 3.0), stats.mielke(2.0, 3.0, -1.0)),
    ],
    r"a common loc, scale and s \(of q c\)": [(stats.mielke(2.0, 3.0), stats.burr(2.0, 4.0))],
    "a common loc, scale and c": [
        (stats.exponweib(2.0, 0.5), stats.exponweib(2.0, 0.6)),
        (stats.burr(2.0, 3.0), stats.burr(3.0, 3.0)),
        (stats.burr12(2.0, 3.0), stats.burr12(2.0, 3.0, scale=2.0)),
    ],
    "a common loc": [(stats.alpha(2.0), stats.alpha(2.0, -1.0))],
}
"""By what is not common."""


@pytest.mark.parametrize("common", APART)
def test_what_has_to_be_common_is_named(common):
    for p, q in APART[common]:
        with pytest.raises(NoClosedFormError, match=f"there is one for {common}"):
            kl(p, q)


def test_supports():
    """Whatever else differs, and in a batch with one that has a closed form."""
    for p, q in (
        (stats.fatiguelife(1.0), stats.fatiguelife(2.0, 0.5, 3.0)),
        (stats.burr(2.0, 3.0), stats.burr(3.0, 3.0, 0.5)),
        (stats.alpha(2.0), stats.alpha(2.0, 0.5)),
        (stats.exponweib(2.0, 1.0), stats.exponweib(2.0, 1.5, 0.5)),
        (stats.johnsonsb(0.0, 1.0), stats.johnsonsb(0.0, 1.0, 0.0, 0.5)),
        (stats.johnsonsu(0.0, 1.0), stats.fatiguelife(1.0)),
    ):
        assert kl(p, q) == np.inf
    found = kl(stats.fatiguelife([1.0, 1.0, np.nan]), stats.fatiguelife(2.0, [0.0, 0.5, 0.0]))
    assert found[:2].tolist() == [kl(stats.norm(), stats.norm(0.0, 2.0)), np.inf]
    assert np.isnan(found[2])


def near(x):
    return x * (1.0 + 2.0**-30)


@pytest.mark.parametrize(
    ("make", "base"),
    [
        (lambda x: stats.burr(4.0, x, 0.3, 2.0), lambda x: stats.beta(x, 1.0)),
        (lambda x: stats.jf_skew_t(x, 6.0 - x), lambda x: stats.beta(x, 6.0 - x)),
        (lambda x: stats.johnsonsu(0.0, x), lambda x: stats.norm(0.0, 1.0 / x)),
        (lambda x: stats.exponweib(x, 1.4), lambda x: stats.expon(scale=1.0 / x)),
        (lambda x: stats.alpha(2.5, 0.3, x), lambda x: stats.truncnorm(-2.5, np.inf, 2.5 / x, 1.0 / x)),
    ],
)
def test_neighbours_keep_their_digits(make, base):
    p, q = make(1.7), make(near(1.7))
    assert 1e-20 < kl(p, q) < 1e-16
    assert kl(p, q) == pytest.approx(kl(base(1.7), base(near(1.7))), rel=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "exact"),
    [
        (1e8, 1e8, 0.0),
        (1e8, 3e8, (8 / 9) ** 2 / (4 / 3) ** 3 / 12e8),  # the square of the skewness by 12
        (1e12, 1.0, GUMBEL),
    ],
)
def test_logits_that_are_nearly_normal(a, b, exact):
    logit = GeneralizedLogistic(a, b)
    normal = Normal(logit.standard_mean(), logit.standard_variance() ** 0.5)
    assert kl(logit, normal) == pytest.approx(exact, rel=1e-6, abs=1e-15)


GRAPHS = {
    "sinh": (lambda a, b: SinhTransformed(GeneralizedLogistic(a, b, 0.0, 0.5), 2.0, 0.3), [2.0, 3.0]),
    "birnbaum": (lambda c: BirnbaumSaunders(Normal(0.0, c), 2.0, 0.3), [0.7]),
    "burr": (lambda d: GeneralizedBetaPrime(GeneralizedLogistic(d, 1.0, 0.0, 0.5), 2.0, 0.3), [0.7]),
    "weibull": (lambda x: ExponentiatedWeibull(GeneralizedGamma(1.0, x), 2.0, 0.3, power=1.5), [0.7]),
    "alpha": (lambda a, s: Reciprocal(TruncatedNormal(-a, np.inf, a / s, 1.0 / s)), [2.0, 1.3]),
    "logit": (lambda m, s: LogitNormal(m, s, 0.3, 2.0), [0.2, 1.3]),
}


@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=[pytest.mark.slow] * (x in ("sinh", "alpha"))) for x in GRAPHS]
)
def test_graphs_and_their_gradients(name):
    make, p = GRAPHS[name]
    assert gradient_error(make, p, [1.2 * x + 0.1 for x in p]) < 1e-6


def test_pymcs_skew_t():
    a, b, mu = pt.dscalars("a", "b", "mu")
    first, second = pm.SkewStudentT.dist(a, 5.0 - a, mu=mu), pm.SkewStudentT.dist(b, 5.0 - b, mu=mu)
    with pytest.raises(NoClosedFormError, match="a common mu and sigma"):
        kl(first, second)  # that a + b is 5 is not certain before the graph runs
    known = [pm.SkewStudentT.dist(x, 5.0 - x, mu=mu, sigma=2.0) for x in (3.0, 1.5)]
    found = value(kl(*known), {mu: 0.3})
    assert found == pytest.approx(kl(stats.beta(3.0, 2.0), stats.beta(1.5, 3.5)), rel=1e-12)
    against = value(kl(pm.SkewStudentT.dist(a, 5.0, mu=mu), pm.Normal.dist(0.0, 2.0)), {a: 4.0, mu: 0.3})
    assert against == pytest.approx(kl(stats.jf_skew_t(4.0, 5.0, 0.3), stats.norm(0.0, 2.0)), rel=1e-12)


def test_estimates():
    for name in ("burr12 and burr", "powernorm", "alpha", "johnsonsb"):
        (p, q), _ = PAIRS[name]
        found = estimate_kl(p, q)
        assert found.value == pytest.approx(kl(p, q), abs=2.0 * found.error + 1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name):
    """Judged by SciPy's densities and by the divergence of what they are images of."""
    (p, q), bases = PAIRS[name]
    assert max(statement_error(p), statement_error(q)) < 1e-11
    assert kl(p, q) == pytest.approx(kl(*bases), rel=1e-12)
    assert kl(p, p) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_quadrature(name):
    (p, q), _ = PAIRS[name]
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-8)
    if name in NO_ENTROPY:
        with pytest.raises(NoClosedFormError, match=r"entropy of .* no closed form"):
            entropy(p)
        return
    assert entropy(p) == pytest.approx(expected(p, lambda x: -p.logpdf(x)), rel=1e-8)


def test_what_is_refused():
    for make, message in {
        lambda: stats.f(-1.0, 2.0): r"^p: dfn must be positive, in scipy\.stats\.f\(dfn=-1",
        lambda: stats.f(1.0, np.inf): "^p: dfd must be finite",
        lambda: stats.rdist(-1.0): "^p: c must be positive",
        lambda: stats.genpareto(np.inf): "^p: c must be finite",
        lambda: stats.halfgennorm(-1.0): "^p: beta must be positive",
        lambda: stats.johnsonsu(-1.0, 0.0): "^p: b must be positive",
        lambda: stats.burr12(1.0, 0.0): "^p: d must be positive",
        lambda: stats.fatiguelife(1.0, scale=-1.0): "^p: scale must be positive",
        lambda: stats.triang(1.2): "^p: c .its place .* must be at most 1",
        lambda: pm.Triangular.dist(0.0, 1.0, 1.5): "^p: c .its place .* must be at most 1",
        lambda: pm.DiscreteUniform.dist(3, 1): "^p: upper − lower [+] 1 .* must be at least 1",
        lambda: stats.powerlognorm(1.0, -1.0): "^p: s must be positive",
    }.items():
        with pytest.raises(ValueError, match=message):
            kl(make(), stats.norm())
    with pytest.raises(NoClosedFormError, match="different signs; take them apart"):
        kl(stats.genpareto([1.0, -1.0]), stats.norm())
    with pytest.raises(NoClosedFormError, match=r"infinitely many degrees .* take them apart"):
        kl(stats.norm(), stats.t([3.0, np.inf]))
    with pytest.raises(NoClosedFormError, match="this close to 0"):
        kl(stats.genpareto(1e-9), stats.expon())


def test_batches():
    found = kl(stats.genpareto([0.25, 0.5]), stats.norm(0.0, 2.0))
    assert found[0] == kl(stats.genpareto(0.25), stats.norm(0.0, 2.0))
    assert found[1] == np.inf
    assert np.isnan(kl(stats.genpareto([np.nan, 0.25]), stats.expon())).tolist() == [True, False]
