"""Random signs, skewed and wrapped Cauchy variables: equal to their bases, and to quadrature."""

import numpy as np
import pytest
from scipy import integrate, stats

from derivatives import gradient_error
from family_oracle import divergence, expected
from kl_plugins import entropy, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.extend import GeneralizedGamma, SkewCauchy, Symmetrised, WrappedCauchy, recognise

PAIRS = {
    "gennorm": (
        (stats.gennorm(1.3, 0.3, 2.0), stats.gennorm(2.5, 0.3, 1.0)),
        (stats.halfgennorm(1.3, 0.0, 2.0), stats.halfgennorm(2.5)),
    ),
    "gennorm and norm": (
        (stats.gennorm(1.3, 0.3, 2.0), stats.norm(0.3, 1.5)),
        (stats.halfgennorm(1.3, 0.0, 2.0), stats.halfnorm(0.0, 1.5)),
    ),
    "norm and dweibull": (
        (stats.norm(0.3, 1.5), stats.dweibull(1.3, 0.3, 2.0)),
        (stats.halfnorm(0.0, 1.5), stats.weibull_min(1.3, 0.0, 2.0)),
    ),
    "dgamma": (
        (stats.dgamma(1.3, 0.3, 2.0), stats.dgamma(2.5, 0.3, 1.0)),
        (stats.gamma(1.3, 0.0, 2.0), stats.gamma(2.5)),
    ),
    "laplace and dgamma": (
        (stats.laplace(0.3, 2.0), stats.dgamma(1.5, 0.3, 1.0)),
        (stats.expon(0.0, 2.0), stats.gamma(1.5)),
    ),
    "dweibull and dgamma": (
        (stats.dweibull(1.3, 0.3, 2.0), stats.dgamma(2.5, 0.3, 1.0)),
        (stats.weibull_min(1.3, 0.0, 2.0), stats.gamma(2.5)),
    ),
    "wrapcauchy": (
        (stats.wrapcauchy(0.4, 0.3, 2.0), stats.wrapcauchy(0.8, 0.3, 2.0)),
        (stats.cauchy(scale=0.6 / 1.4), stats.cauchy(scale=0.2 / 1.8)),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name):
    (p, q), bases = PAIRS[name]
    x = p.ppf([1e-3, 0.1, 0.4, 0.7, 0.999])
    np.testing.assert_allclose(recognise(p).to_arrays().log_prob(x), p.logpdf(x), rtol=1e-11)
    assert kl(p, q) == pytest.approx(kl(*bases), rel=1e-12)
    assert kl(p, p) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_quadrature(name):
    (p, q), _ = PAIRS[name]
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-8)
    assert entropy(p) == pytest.approx(expected(p, lambda x: -p.logpdf(x)), rel=1e-8)


def of_skew_cauchy(a, loc, scale, function):
    """An expectation, by the angle on each side, whose tangent is a half-Cauchy variable."""

    def side(sign):
        def at(angle):
            return function(loc + sign * scale * (1.0 + sign * a) * np.tan(angle))

        return (1.0 + sign * a) / np.pi * integrate.quad(at, 0.0, np.pi / 2, epsabs=1e-12)[0]

    return side(1.0) + side(-1.0)


@pytest.mark.parametrize("q", [stats.skewcauchy(-0.2, 0.3, 3.0), stats.cauchy(0.3, 3.0)])
def test_skew_cauchy(q):
    p = stats.skewcauchy(0.4, 0.3, 2.0)
    x = np.array([-9.0, 0.2, 0.4, 5.0])
    np.testing.assert_allclose(recognise(p).to_arrays().log_prob(x), p.logpdf(x), rtol=1e-12)
    forward = of_skew_cauchy(0.4, 0.3, 2.0, lambda x: p.logpdf(x) - q.logpdf(x))
    assert kl(p, q) == pytest.approx(forward, rel=1e-8)
    a = q.args[0] if len(q.args) == 3 else 0.0
    assert kl(q, p) == pytest.approx(
        of_skew_cauchy(a, 0.3, 3.0, lambda x: q.logpdf(x) - p.logpdf(x)), rel=1e-8
    )
    assert entropy(p) == pytest.approx(of_skew_cauchy(0.4, 0.3, 2.0, lambda x: -p.logpdf(x)), rel=1e-8)
    assert kl(p, stats.norm()) == np.inf
    assert kl(stats.skewcauchy(0.0), stats.cauchy()) == 0.0


def test_neighbours_keep_their_digits():
    step = 2.0**-30
    p, q = stats.skewcauchy(0.25), stats.skewcauchy(0.25 + step)
    # The Fisher information is that of the coin, 1/(1 − a²), and of the sides, ½/(1 ± a)² each by its share.
    information = 1.0 / (1.0 - 0.0625) + 0.25 * (1.0 / 1.25 + 1.0 / 0.75)
    assert kl(p, q) == pytest.approx(0.5 * information * step**2, rel=1e-7)
    p, q = stats.wrapcauchy(1e-10), stats.wrapcauchy(1e-10 + 1e-14)
    assert kl(p, q) == pytest.approx(1e-28, rel=1e-9)
    assert kl(stats.skewcauchy(0.5, scale=1e-300), stats.skewcauchy(0.5, scale=1e300)) < 1500.0


def test_shifted():
    """By mean and variance from normal ones; else the error says what has to be common."""
    p, q = stats.gennorm(1.3, 0.3, 2.0), stats.norm(0.5, 1.0)
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-9)
    for p, q in (
        (stats.dgamma(1.3), stats.dgamma(1.3, 1.0)),
        (stats.skewcauchy(0.3), stats.skewcauchy(0.3, 1.0)),
        (stats.wrapcauchy(0.3), stats.wrapcauchy(0.3, -1.0, 2.0)),
    ):
        with pytest.raises(NoClosedFormError, match="there is one for a common loc"):
            kl(p, q)
    assert kl(stats.wrapcauchy(0.3), stats.wrapcauchy(0.3, 0.1)) == np.inf
    assert kl(stats.uniform(0.0, 2.0 * np.pi), stats.wrapcauchy(0.5)) == pytest.approx(
        -np.log(0.75), rel=1e-12
    )
    assert "symmetrised" in explain(stats.norm(), stats.gennorm(1.3)).rule


def test_batches():
    found = kl(stats.gennorm([1.3, 2.0, np.nan], 0.3, 2.0), stats.norm(0.3, 2.0**0.5))
    assert found[0] == pytest.approx(kl(stats.gennorm(1.3, 0.3, 2.0), stats.norm(0.3, 2.0**0.5)), rel=1e-12)
    assert found[1] == pytest.approx(0.0, abs=1e-15)
    assert np.isnan(found[2])


def test_what_is_refused():
    for frozen, message in {
        stats.gennorm(-1.0): "^p: beta must be positive",
        stats.dgamma(1.0, scale=-1.0): "^p: scale must be positive",
        stats.skewcauchy(1.0): "^p: a .*must be less than 1",
        stats.wrapcauchy(0.0): "^p: c .*must be positive",
    }.items():
        with pytest.raises(ValueError, match=message):
            kl(frozen, stats.norm())


@pytest.mark.parametrize(
    ("make", "p"),
    [
        pytest.param(
            lambda c, scale: Symmetrised(GeneralizedGamma(1.0 / c, scale, c), 0.3),
            [1.3, 2.0],
            marks=pytest.mark.slow,
        ),
        (lambda a, scale: SkewCauchy(a, 0.3, scale), [0.2, 2.0]),
        (lambda c: WrappedCauchy(c, 0.3, 2.0), [0.3]),
    ],
)
def test_graphs_and_their_gradients(make, p):
    assert gradient_error(make, p, [1.3 * x for x in p]) < 1e-6
